//! Actions on EC2 instances.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{DeviceType, Instance, InstanceAttributeName};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{Act, Applied, Before, Effect, Prepared, Sight, Undo, Watch, precondition, sighted};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, FaultKind, Look, Wait, ec2};
use crate::notation::decode::Spanned;
use crate::record;
use crate::run::event::Precondition;

record! {
    /// Terminates instances. Irreversible: what is on their instance stores and on volumes that are
    /// deleted on termination is gone. An Auto Scaling group replaces its own.
    pub struct TerminateInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}

record! {
    /// Stops instances. Undone by starting those that were running.
    pub struct StopInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
        /// Stops without giving the operating system time to shut down.
        pub force: bool = false,
    }
}

record! {
    /// Starts stopped instances. Undone by stopping those that were stopped.
    pub struct StartInstances {
        /// The name of an `ec2.instance` target, with `state: stopped`.
        pub target: Spanned<String>,
    }
}

record! {
    /// Reboots instances. There is nothing to undo.
    pub struct RebootInstances {
        /// The name of an `ec2.instance` target.
        pub target: Spanned<String>,
    }
}

const TERMINATE: &str = "ec2:TerminateInstances";
const STOP: &str = "ec2:StopInstances";
const START: &str = "ec2:StartInstances";
const REBOOT: &str = "ec2:RebootInstances";

/// Long enough for an instance that shuts down in its own time.
const SETTLED: Duration = Duration::from_secs(15 * 60);

#[async_trait]
impl Act for TerminateInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", TERMINATE]
    }

    fn summary(&self, found: &Found) -> String {
        format!("terminate {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        let protection = InstanceAttributeName::DisableApiTermination;
        for instance in look(aws, &found.ids()).await? {
            let id = id_of(&instance);
            let state = ec2::state(&instance);
            facts.push(in_state(id, state, &["running", "stopped", "pending", "stopping"]));
            facts.push(unprotected(aws, id, "termination", protection.clone()).await?);
        }
        let rehearsal =
            aws.ec2().terminate_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.push(rehearsed(TERMINATE, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        Ok(Prepared { undo: None, before: before(aws, found).await? })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(step, TERMINATE, &ids.join(", "), |clients| {
            clients.ec2.terminate_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("termination", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["shutting-down", "terminated"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "terminated", within).await
    }
}

#[async_trait]
impl Act for StopInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceAttribute", STOP, START]
    }

    fn summary(&self, found: &Found) -> String {
        format!("stop {}{}", found.names(), if self.force { ", by force" } else { "" })
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for instance in look(aws, &found.ids()).await? {
            let id = id_of(&instance);
            facts.push(in_state(id, ec2::state(&instance), &["running"]));
            facts.push(unprotected(aws, id, "stop", InstanceAttributeName::DisableApiStop).await?);
            facts.extend(restartable(&instance));
        }
        let rehearsal =
            aws.ec2().stop_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.push(rehearsed(STOP, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        let ids = in_any(&before, &["running", "pending"]);
        let undo = (!ids.is_empty()).then_some(Undo::StartInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(step, STOP, &ids.join(", "), |clients| {
            clients.ec2.stop_instances().set_instance_ids(Some(ids.clone())).force(self.force).send()
        })
        .await?;
        Ok(accepted("stop", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["stopping", "stopped"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "stopped", within).await
    }
}

#[async_trait]
impl Act for StartInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", START, STOP]
    }

    fn summary(&self, found: &Found) -> String {
        format!("start {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts: Vec<Precondition> = look(aws, &found.ids())
            .await?
            .iter()
            .map(|instance| in_state(id_of(instance), ec2::state(instance), &["stopped"]))
            .collect();
        let rehearsal =
            aws.ec2().start_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.push(rehearsed(START, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        let ids = in_any(&before, &["stopped", "stopping"]);
        let undo = (!ids.is_empty()).then_some(Undo::StopInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(step, START, &ids.join(", "), |clients| {
            clients.ec2.start_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("start", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        turned(aws, found, before, &["pending", "running"], watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "running", within).await
    }
}

#[async_trait]
impl Act for RebootInstances {
    fn permissions(&self) -> &'static [&'static str] {
        &["ec2:DescribeInstances", "ec2:DescribeInstanceStatus", REBOOT]
    }

    fn summary(&self, found: &Found) -> String {
        format!("reboot {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts: Vec<Precondition> = look(aws, &found.ids())
            .await?
            .iter()
            .map(|instance| in_state(id_of(instance), ec2::state(instance), &["running"]))
            .collect();
        let rehearsal =
            aws.ec2().reboot_instances().set_instance_ids(Some(found.ids())).dry_run(true).send().await;
        facts.push(rehearsed(REBOOT, &found.names(), rehearsal)?);
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let mut before = before(aws, found).await?;
        let health = reachability(aws, &found.ids()).await?;
        for resource in &mut before.resources {
            let status = health.get(&resource.id).cloned().unwrap_or_default();
            resource.facts.insert("reachability".to_owned(), status);
        }
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        aws.mutate(step, REBOOT, &ids.join(", "), |clients| {
            clients.ec2.reboot_instances().set_instance_ids(Some(ids.clone())).send()
        })
        .await?;
        Ok(accepted("reboot", found))
    }

    /// EC2 keeps calling a rebooting instance `running`; only its status checks can tell, and they
    /// look once a minute. So this often finds nothing, and the step's own proof decides.
    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let ids = found.ids();
        let wait = Wait {
            operation: "ec2:DescribeInstanceStatus",
            resource: &found.names(),
            what: "the status checks to notice the reboot (EC2 shows no other sign of it)",
            within: watch.within,
        };
        sighted(aws, wait, watch, || async {
            let now = reachability(aws, &ids).await?;
            let was = |id: &str| before.resource(id).and_then(|r| r.facts.get("reachability"));
            let left = now.iter().filter(|(id, status)| was(id).is_some_and(|was| was != *status)).count();
            let how: Vec<String> = now.iter().map(|(id, status)| format!("{id}: {status}")).collect();
            Ok(Sight { some: left > 0, all: left == ids.len(), how: how.join("; ") })
        })
        .await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "running", within).await
    }
}

/// Brings instances back to a state (`running` or `stopped`); what is there already is left alone.
pub(super) async fn restore(aws: &Aws, step: &str, ids: &[String], to: &str) -> Result<String, Fault> {
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
    let gone: Vec<&str> =
        settled.iter().filter(|i| ec2::state(i) == "terminated").map(|i| id_of(i)).collect();
    let away: Vec<String> = settled
        .iter()
        .filter(|i| ec2::state(i) != to && ec2::state(i) != "terminated")
        .map(|i| id_of(i).to_owned())
        .collect();
    if !away.is_empty() {
        let resource = away.join(", ");
        if to == "running" {
            aws.mutate(step, START, &resource, |clients| {
                clients.ec2.start_instances().set_instance_ids(Some(away.clone())).send()
            })
            .await?;
        } else {
            aws.mutate(step, STOP, &resource, |clients| {
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
    Ok(match away.len() {
        0 => format!("{named} already {to}"),
        _ => format!("{} {to} again", away.join(", ")),
    })
}

async fn look(aws: &Aws, ids: &[String]) -> Result<Vec<Instance>, Fault> {
    ec2::instances(aws, Some(ids), Vec::new(), &ids.join(", ")).await
}

fn id_of(instance: &Instance) -> &str {
    instance.instance_id().unwrap_or_default()
}

async fn before(aws: &Aws, found: &Found) -> Result<Before, Fault> {
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

fn in_any(before: &Before, states: &[&str]) -> Vec<String> {
    before
        .resources
        .iter()
        .filter(|resource| states.contains(&resource.state.as_str()))
        .map(|resource| resource.id.clone())
        .collect()
}

fn accepted(what: &str, found: &Found) -> Applied {
    Applied { detail: format!("EC2 accepted the {what} of {}", found.names()), handle: None }
}

/// Waits until every instance shows one of `states`.
async fn turned(
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
        let there = now.iter().filter(|i| states.contains(&ec2::state(i))).count();
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
async fn settle(aws: &Aws, ids: &[String], state: &str, within: Duration) -> Result<(), Fault> {
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
async fn reachability(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, String>, Fault> {
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

fn in_state(id: &str, state: &str, wanted: &[&str]) -> Precondition {
    let holds = wanted.contains(&state);
    let found = if holds {
        state.to_owned()
    } else {
        format!("it is {state}: choose another, or wait until it is not")
    };
    precondition(format!("{id} is {}", wanted.join(" or ")), holds, found)
}

/// Whether the protection against `what` is off.
async fn unprotected(
    aws: &Aws,
    id: &str,
    what: &str,
    attribute: InstanceAttributeName,
) -> Result<Precondition, Fault> {
    const OPERATION: &str = "ec2:DescribeInstanceAttribute";
    let asked = format!("{id} has no {what} protection");
    let answer = aws.ec2().describe_instance_attribute().instance_id(id).attribute(attribute).send().await;
    let answer = match answer.map_err(|e| Fault::read(OPERATION, id, e)) {
        Ok(answer) => answer,
        Err(fault) if fault.kind == FaultKind::Denied => {
            return Ok(precondition(asked, false, format!("{fault}; {}", fault.help)));
        }
        Err(fault) => return Err(fault),
    };
    let on = [answer.disable_api_termination(), answer.disable_api_stop()]
        .into_iter()
        .flatten()
        .any(|value| value.value() == Some(true));
    let found = if on { "it is protected: choose another, or lift the protection" } else { "not protected" };
    Ok(precondition(asked, !on, found))
}

/// What keeps a stopped instance from being started again.
fn restartable(instance: &Instance) -> Vec<Precondition> {
    let id = id_of(instance);
    let mut facts = Vec::new();
    if instance.root_device_type() == Some(&DeviceType::InstanceStore) {
        facts.push(precondition(
            format!("{id} can be stopped"),
            false,
            "its root volume is an instance store, which a stop would lose; EC2 refuses it",
        ));
    }
    if let Some(group) = ec2::tag(instance, "aws:autoscaling:groupName") {
        facts.push(precondition(
            format!("{id} stays after it is stopped"),
            false,
            format!(
                "Auto Scaling group {group} would terminate and replace it, so that it cannot be started again: \
                 use `ec2.terminate_instances`, or suspend the group's ReplaceUnhealthy process"
            ),
        ));
    }
    facts
}

/// What EC2's own rehearsal of the call says.
fn rehearsed<T, E>(
    operation: &str,
    names: &str,
    answer: Result<T, SdkError<E, HttpResponse>>,
) -> Result<Precondition, Fault>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let what = format!("EC2 would accept {operation} (DryRun)");
    let fault = match answer {
        Ok(_) => return Ok(precondition(what, false, "EC2 did not treat the call as a dry run")),
        Err(error) => Fault::read(operation, names, error),
    };
    match fault.kind {
        _ if fault.code.as_deref() == Some("DryRunOperation") => {
            Ok(precondition(what, true, "it would have succeeded"))
        }
        FaultKind::Refused | FaultKind::Denied | FaultKind::Absent => {
            Ok(precondition(what, false, format!("{fault}; {}", fault.help)))
        }
        _ => Err(fault),
    }
}
