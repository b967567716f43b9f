//! Whether what a step acts on is at rest: no deployment, no refresh, no change on its way.
//!
//! A drill on something that is changing anyhow measures both, and undoes into the middle of it. What cannot be
//! looked at, for lack of a permission or of the call at this endpoint, is said, and blocks nothing.

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types::InstanceRefreshStatus;
use aws_sdk_ecs::types::{DeploymentRolloutState, Service};
use aws_sdk_rds::types::PendingModifiedValues;

use crate::aws::find::Found;
use crate::aws::{Aws, Fault, autoscaling, ecs, rds};
use crate::run::event::{PlannedStep, Precondition};

/// Looks at what a step acts on, and adds to its preconditions and to the permissions it needs.
pub(super) async fn look(aws: &Aws, found: &Found, fact: &mut PlannedStep) {
    match found.kind() {
        "ec2.instance" => {
            let groups = named(found, "auto_scaling_group", |group| Some(group));
            for name in &groups {
                fact.preconditions.push(activities(aws, name).await);
                fact.preconditions.push(refreshes(aws, name).await);
            }
            if !groups.is_empty() {
                needs(fact, &[autoscaling::DESCRIBE_ACTIVITIES, autoscaling::DESCRIBE_REFRESHES]);
            }
        }
        "ecs.service" => {
            for name in found.ids() {
                fact.preconditions.push(deployments(aws, found.scope(), &name).await);
            }
        }
        "ecs.task" => {
            let services = named(found, "group", |group| group.strip_prefix("service:"));
            for name in &services {
                fact.preconditions.push(deployments(aws, found.scope(), name).await);
            }
            if !services.is_empty() {
                needs(fact, &[ecs::DESCRIBE_SERVICES]);
            }
        }
        "rds.instance" => {
            for id in found.ids() {
                fact.preconditions.push(pending(aws, &id).await);
            }
        }
        _ => {}
    }
}

fn needs(fact: &mut PlannedStep, permissions: &[&str]) {
    for name in permissions {
        if !fact.permissions.iter().any(|there| there == name) {
            fact.permissions.push((*name).to_owned());
        }
    }
}

/// What a fact of the resources names, each once.
fn named(found: &Found, fact: &str, part: impl Fn(&str) -> Option<&str>) -> BTreeSet<String> {
    let facts = found.resources.iter().filter_map(|resource| resource.facts.get(fact));
    facts.filter_map(|value| part(value)).map(str::to_owned).collect()
}

/// Nothing on its way holds; something does not; what cannot be looked at is said.
fn quiet(what: String, seen: Result<Vec<String>, Fault>, still: &str) -> Precondition {
    match seen {
        Ok(under_way) if under_way.is_empty() => Precondition { what, holds: true, found: still.to_owned() },
        Ok(under_way) => Precondition {
            what,
            holds: false,
            found: format!("{}: wait until it is over", under_way.join(", ")),
        },
        Err(fault) => Precondition { what, holds: true, found: format!("cannot tell: {fault}") },
    }
}

async fn activities(aws: &Aws, name: &str) -> Precondition {
    let listed = autoscaling::activities(aws, name).await.map(|activities| {
        let open = activities.into_iter().filter(|activity| activity.end_time.is_none());
        open.map(|activity| activity.description.unwrap_or_else(|| activity.activity_id.unwrap_or_default()))
            .collect()
    });
    quiet(format!("Auto Scaling group {name} has no activity under way"), listed, "none")
}

async fn refreshes(aws: &Aws, name: &str) -> Precondition {
    use InstanceRefreshStatus::{Cancelling, InProgress, Pending, RollbackInProgress};
    let listed = autoscaling::refreshes(aws, name).await.map(|refreshes| {
        let open = refreshes.into_iter().filter_map(|refresh| {
            let status = refresh.status.filter(|status| {
                matches!(status, Pending | InProgress | Cancelling | RollbackInProgress)
                    || status.as_str() == "Baking"
            })?;
            Some(format!("{} is {}", refresh.instance_refresh_id.unwrap_or_default(), status.as_str()))
        });
        open.collect()
    });
    quiet(format!("Auto Scaling group {name} has no instance refresh under way"), listed, "none")
}

async fn deployments(aws: &Aws, cluster: &str, name: &str) -> Precondition {
    let service = ecs::service(aws, cluster, name).await;
    let what = format!("service {} has no deployment under way", ecs::short(name));
    quiet(what, service.map(|service| rolling(&service)), "one deployment, and it is complete")
}

/// The deployments that are not over: one that is rolled out, and those that it replaces.
fn rolling(service: &Service) -> Vec<String> {
    let deployments = service.deployments();
    let others = deployments.len() > 1;
    let open = deployments.iter().filter(|deployment| {
        others || deployment.rollout_state() == Some(&DeploymentRolloutState::InProgress)
    });
    open.map(|deployment| {
        let state = deployment.rollout_state().map_or("no rollout state", |state| state.as_str());
        let status = deployment.status().unwrap_or("UNKNOWN");
        format!("deployment {} ({status}) is {state}", deployment.id().unwrap_or_default())
    })
    .collect()
}

async fn pending(aws: &Aws, id: &str) -> Precondition {
    let listed = rds::instance(aws, id).await.map(|instance| {
        let waits = instance.pending_modified_values.filter(|values| *values != nothing());
        waits.map(|values| changes(&values)).into_iter().collect()
    });
    quiet(format!("{id} has no change pending"), listed, "none")
}

fn nothing() -> PendingModifiedValues {
    PendingModifiedValues::builder().build()
}

/// What is to change, as far as it has a short name.
fn changes(values: &PendingModifiedValues) -> String {
    let named = [
        ("DBInstanceClass", values.db_instance_class().map(str::to_owned)),
        ("EngineVersion", values.engine_version().map(str::to_owned)),
        ("AllocatedStorage", values.allocated_storage().map(|gib| gib.to_string())),
        ("MultiAZ", values.multi_az().map(|yes| yes.to_string())),
        ("StorageType", values.storage_type().map(str::to_owned)),
        ("Port", values.port().map(|port| port.to_string())),
    ];
    let named: Vec<String> =
        named.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?))).collect();
    match named.is_empty() {
        true => "a modification is pending".to_owned(),
        false => format!("pending: {}", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::Deployment;

    use super::*;

    fn deployment(id: &str, status: &str, state: DeploymentRolloutState) -> Deployment {
        Deployment::builder().id(id).status(status).rollout_state(state).build()
    }

    #[test]
    fn a_deployment_is_under_way_while_it_rolls_out_or_another_is_still_there() {
        use DeploymentRolloutState::{Completed, InProgress};
        let of = |deployments: Vec<Deployment>| {
            rolling(&Service::builder().set_deployments(Some(deployments)).build()).len()
        };
        assert_eq!(of(vec![deployment("1", "PRIMARY", Completed)]), 0);
        assert_eq!(of(vec![deployment("1", "PRIMARY", InProgress)]), 1);
        assert_eq!(of(vec![deployment("2", "PRIMARY", Completed), deployment("1", "ACTIVE", Completed)]), 2);
    }

    #[test]
    fn a_pending_change_is_named() {
        let values =
            PendingModifiedValues::builder().db_instance_class("db.r6g.xlarge").multi_az(true).build();
        assert_eq!(changes(&values), "pending: DBInstanceClass db.r6g.xlarge, MultiAZ true");
        assert_eq!(changes(&PendingModifiedValues::builder().iops(100).build()), "a modification is pending");
    }
}
