//! Putting things back: journalled before the action acts, and safe to do twice.

use serde::{Deserialize, Serialize};

use super::route53::record_set::RecordSet;
use super::{ec2, ecs, rds, route53};
use crate::aws::{Aws, Fault};

/// What puts the prior state back. It looks first, so that doing it twice, or after somebody else
/// did it, changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "undo", rename_all = "snake_case")]
pub enum Undo {
    /// Starts EC2 instances that were running.
    StartInstances {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Stops EC2 instances that were stopped.
    StopInstances {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Starts DB instances that were available.
    StartDbInstances {
        /// Their identifiers.
        ids: Vec<String>,
    },
    /// Stops DB instances that were stopped.
    StopDbInstances {
        /// Their identifiers.
        ids: Vec<String>,
    },
    /// Restores an ECS service's desired count.
    DesiredCount {
        /// The cluster.
        cluster: String,
        /// The service.
        service: String,
        /// The count it had.
        desired_count: u32,
    },
    /// Restores Route 53 record sets as they were.
    RecordSets {
        /// The hosted zone's id.
        zone_id: String,
        /// The record sets.
        record_sets: Vec<RecordSet>,
    },
}

impl Undo {
    /// What it will do, in one line.
    pub fn summary(&self) -> String {
        match self {
            Undo::StartInstances { ids } | Undo::StartDbInstances { ids } => {
                format!("start {}", ids.join(", "))
            }
            Undo::StopInstances { ids } | Undo::StopDbInstances { ids } => format!("stop {}", ids.join(", ")),
            Undo::DesiredCount { service, desired_count, .. } => {
                format!("set the desired count of {service} back to {desired_count}")
            }
            Undo::RecordSets { record_sets, .. } => {
                let sets: Vec<String> = record_sets.iter().map(RecordSet::describe).collect();
                format!("restore {}", sets.join("; "))
            }
        }
    }

    /// Whether it moves traffic, and so comes last: after the capacity that the traffic needs.
    pub fn moves_traffic(&self) -> bool {
        matches!(self, Undo::RecordSets { .. })
    }

    /// Puts the prior state back and waits until it is. The answer says what was done.
    pub async fn apply(&self, aws: &Aws, step: &str) -> Result<String, Fault> {
        match self {
            Undo::StartInstances { ids } => ec2::restore(aws, step, ids, "running").await,
            Undo::StopInstances { ids } => ec2::restore(aws, step, ids, "stopped").await,
            Undo::StartDbInstances { ids } => rds::restore(aws, step, ids, "available").await,
            Undo::StopDbInstances { ids } => rds::restore(aws, step, ids, "stopped").await,
            Undo::DesiredCount { cluster, service, desired_count } => {
                ecs::restore(aws, step, cluster, service, *desired_count).await
            }
            Undo::RecordSets { zone_id, record_sets } => {
                route53::restore(aws, step, zone_id, record_sets).await
            }
        }
    }
}
