//! What actions on DB instances rely on.

use aws_sdk_rds::types::DbInstance;

use super::states::{id_of, source_of};
use crate::action::precondition;
use crate::aws::rds;
use crate::run::event::Precondition;

pub(super) fn in_status(instance: &DbInstance, wanted: &str) -> Precondition {
    let status = rds::status(instance);
    let holds = status == wanted;
    let found = if holds { status.to_owned() } else { format!("it is {status}: wait until it is {wanted}") };
    precondition(format!("{} is {wanted}", id_of(instance)), holds, found)
}

pub(super) fn available(instance: &DbInstance) -> Precondition {
    in_status(instance, "available")
}

pub(super) fn multi_az(id: &str, instance: &DbInstance) -> Precondition {
    let what = format!("{id} is Multi-AZ");
    if let Some(cluster) = instance.db_cluster_identifier() {
        let found = format!("it is a member of cluster {cluster}: use `rds.failover_db_cluster`");
        return precondition(what, false, found);
    }
    match (instance.multi_az(), instance.secondary_availability_zone()) {
        (Some(true), Some(zone)) => precondition(what, true, format!("the standby is in {zone}")),
        (Some(true), None) => precondition(what, true, "the standby's zone is not told"),
        _ => precondition(
            what,
            false,
            "it has no standby: make it Multi-AZ, or reboot without `force_failover`",
        ),
    }
}

pub(super) fn stoppable(instance: &DbInstance) -> Precondition {
    let id = id_of(instance);
    let replicas = instance.read_replica_db_instance_identifiers();
    let obstacle = if let Some(cluster) = instance.db_cluster_identifier() {
        Some(format!("it is a member of cluster {cluster}, which is stopped as a whole"))
    } else if let Some(source) = source_of(instance) {
        Some(format!("it is a read replica of {source}; RDS does not stop replicas"))
    } else if !replicas.is_empty() {
        Some(format!("it has read replicas ({}); RDS does not stop such instances", replicas.join(", ")))
    } else {
        None
    };
    let what = format!("{id} is one that RDS stops");
    precondition(
        what,
        obstacle.is_none(),
        obstacle.unwrap_or_else(|| "no replicas, in no cluster".to_owned()),
    )
}

/// Whether it is a replica, and how well it follows.
pub(super) fn replicating(instance: &DbInstance) -> Vec<Precondition> {
    let id = id_of(instance);
    let what = format!("{id} is a read replica");
    let Some(source) = source_of(instance) else {
        return vec![precondition(
            what,
            false,
            "it has no source: name a replica, or it was promoted already",
        )];
    };
    let mut facts = vec![precondition(what, true, format!("of {source}"))];
    for info in instance.status_infos() {
        let status = info.status().unwrap_or("unknown");
        let message = info.message().filter(|text| !text.is_empty()).map(|text| format!(": {text}"));
        facts.push(precondition(
            format!("the replication of {id} is well"),
            info.normal() != Some(false),
            format!("{status}{}", message.unwrap_or_default()),
        ));
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_instance_cannot_fail_over_and_one_with_replicas_cannot_stop() {
        let single = DbInstance::builder().db_instance_identifier("a").multi_az(false).build();
        assert!(!multi_az("a", &single).holds);
        assert!(stoppable(&single).holds);
        let source = DbInstance::builder().read_replica_db_instance_identifiers("b").build();
        assert!(!stoppable(&source).holds);
        assert!(!replicating(&source)[0].holds);
    }
}
