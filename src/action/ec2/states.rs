//! The states of EC2 instances: looked at, waited for, brought back.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ec2::types::Instance;

use super::{START, STOP};
use crate::action::undo::Restored;
use crate::action::{Applied, Before, Effect, Sight, Watch, sighted};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, FaultKind, Look, Purpose, Wait, ec2};

/// Long enough for an instance that shuts down in its own time.
pub(in crate::action) const SETTLED: Duration = Duration::from_secs(15 * 60);

/// Brings instances back to a state (`running` or `stopped`); what is there already is left alone.
pub(in crate::action) async fn restore(
    aws: &Aws,
    step: &str,
    ids: &[String],
    to: &str,
) -> Result<Restored, Fault> {
    let named = ids.join(", ");
    // An instance on its way somewhere takes no order; one that is gone takes none either.
    let wait = Wait {
        operation: ec2::DESCRIBE_INSTANCES,
        resource: &named,
        what: "the instances to settle",
        within: SETTLED,
    };
    let settled = wait
        .until(aws, || async {
            let instances = look(aws, ids).await?;
            let moving: Vec<String> = instances
                .iter()
                .filter(|i| matches!(ec2::state(i), "pending" | "stopping" | "shutting-down"))
                .map(|i| format!("{} is {}", id_of(i), ec2::state(i)))
                .collect();
            Ok(if moving.is_empty() { Look::There(instances) } else { Look::NotYet(moving.join(", ")) })
        })
        .await?;
    let gone: Vec<&str> = settled.iter().filter(|i| ec2::state(i) == "terminated").map(id_of).collect();
    let away: Vec<String> = settled
        .iter()
        .filter(|i| ec2::state(i) != to && ec2::state(i) != "terminated")
        .map(|i| id_of(i).to_owned())
        .collect();
    if !away.is_empty() {
        let resource = away.join(", ");
        if to == "running" {
            aws.mutate(Purpose::Undo, step, START, &resource, |clients| {
                clients.ec2.start_instances().set_instance_ids(Some(away.clone())).send()
            })
            .await?;
        } else {
            aws.mutate(Purpose::Undo, step, STOP, &resource, |clients| {
                clients.ec2.stop_instances().set_instance_ids(Some(away.clone())).send()
            })
            .await?;
        }
        settle(aws, &away, to, SETTLED).await?;
    }
    if !gone.is_empty() {
        return Err(Fault::new(
            FaultKind::Absent,
            ec2::DESCRIBE_INSTANCES,
            &gone.join(", "),
            format!("cannot be {to} again: terminated meanwhile"),
            "launch a replacement by hand; an Auto Scaling group may have done so already",
        ));
    }
    let told = match away.len() {
        0 => format!("{named} already {to}"),
        _ => format!("{} {to} again", away.join(", ")),
    };
    Ok(Restored { told, acted: !away.is_empty(), already: away.len() < ids.len() })
}

pub(super) async fn look(aws: &Aws, ids: &[String]) -> Result<Vec<Instance>, Fault> {
    ec2::instances(aws, Some(ids), Vec::new(), &ids.join(", ")).await
}

pub(super) fn id_of(instance: &Instance) -> &str {
    instance.instance_id().unwrap_or_default()
}

pub(super) async fn before(aws: &Aws, found: &Found) -> Result<Before, Fault> {
    let resources = look(aws, &found.ids())
        .await?
        .iter()
        .map(|instance| Resource {
            id: id_of(instance).to_owned(),
            zone: ec2::zone(instance).map(str::to_owned),
            state: ec2::state(instance).to_owned(),
            ..Resource::default()
        })
        .collect();
    Ok(Before { resources, ..Before::default() })
}

pub(super) fn in_any(before: &Before, states: &[&str]) -> Vec<String> {
    before
        .resources
        .iter()
        .filter(|resource| states.contains(&resource.state.as_str()))
        .map(|resource| resource.id.clone())
        .collect()
}

pub(super) fn accepted(what: &str, found: &Found) -> Applied {
    Applied { detail: format!("EC2 accepted the {what} of {}", found.names()), handle: None }
}

/// Waits until every instance has come into one of `states`, not having been in one before.
pub(super) async fn turned(
    aws: &Aws,
    found: &Found,
    before: &Before,
    states: &[&str],
    watch: Watch,
) -> Result<Effect, Fault> {
    let ids = found.ids();
    let what = format!("the instances to be {}", states.join(" or "));
    let names = found.names();
    let wait =
        Wait { operation: ec2::DESCRIBE_INSTANCES, resource: &names, what: &what, within: watch.within };
    sighted(aws, wait, watch, || async {
        let now = look(aws, &ids).await?;
        let there = now
            .iter()
            .filter(|i| before.resource(id_of(i)).is_some_and(|was| was.turned(ec2::state(i), states)))
            .count();
        let how: Vec<String> = now
            .iter()
            .map(|i| match before.resource(id_of(i)) {
                Some(was) if was.state != ec2::state(i) => {
                    format!("{}: {} became {}", id_of(i), was.state, ec2::state(i))
                }
                _ => format!("{}: {}", id_of(i), ec2::state(i)),
            })
            .collect();
        Ok(Sight { some: there > 0, all: there == ids.len(), how: how.join("; ") })
    })
    .await
}

/// Waits until every instance is in `state`.
pub(super) async fn settle(aws: &Aws, ids: &[String], state: &str, within: Duration) -> Result<(), Fault> {
    let names = ids.join(", ");
    let what = format!("the instances to be {state}");
    let wait = Wait { operation: ec2::DESCRIBE_INSTANCES, resource: &names, what: &what, within };
    wait.until(aws, || async {
        let now = look(aws, ids).await?;
        let others: Vec<String> = now
            .iter()
            .filter(|i| ec2::state(i) != state)
            .map(|i| format!("{} is {}", id_of(i), ec2::state(i)))
            .collect();
        Ok(if others.is_empty() { Look::There(()) } else { Look::NotYet(others.join(", ")) })
    })
    .await
}

/// Each instance's status check, such as `ok` or `initializing`.
pub(super) async fn reachability(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, String>, Fault> {
    let answer = aws
        .ec2()
        .describe_instance_status()
        .set_instance_ids(Some(ids.to_vec()))
        .send()
        .await
        .map_err(|e| Fault::read("ec2:DescribeInstanceStatus", &ids.join(", "), e))?;
    Ok(answer
        .instance_statuses()
        .iter()
        .map(|status| {
            let word = status.instance_status().and_then(|s| s.status()).map_or("unknown", |s| s.as_str());
            (status.instance_id().unwrap_or_default().to_owned(), word.to_owned())
        })
        .collect())
}
