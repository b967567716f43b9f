//! Actions on RDS DB instances and DB clusters.

use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;

record! {
    /// Reboots a DB instance; with `force_failover`, a Multi-AZ one onto its standby. There is
    /// nothing to undo: the instance comes back by itself, in the other zone after a failover.
    pub struct RebootDbInstance {
        /// The name of an `rds.instance` target.
        pub target: Spanned<String>,
        /// Reboots through a failover to the standby. Refused by AWS for an instance that is not Multi-AZ.
        pub force_failover: bool = false,
    }
}

record! {
    /// Stops a DB instance. Undone by starting it. AWS refuses it for one that has read replicas or
    /// is one, and starts a stopped instance by itself after seven days.
    pub struct StopDbInstance {
        /// The name of an `rds.instance` target.
        pub target: Spanned<String>,
    }
}

record! {
    /// Starts a stopped DB instance. Undone by stopping it.
    pub struct StartDbInstance {
        /// The name of an `rds.instance` target, with `status: stopped` when chosen by tags.
        pub target: Spanned<String>,
    }
}

record! {
    /// Makes another member of a DB cluster its writer. There is nothing to undo: the cluster goes on
    /// with the new writer.
    pub struct FailoverDbCluster {
        /// The name of an `rds.cluster` target.
        pub target: Spanned<String>,
        /// The member that becomes the writer; AWS chooses when it is left out.
        pub target_db_instance_identifier: Option<String>,
    }
}

record! {
    /// Promotes a read replica to a DB instance of its own. Irreversible: replication ends for good, and
    /// what had not reached the replica is not on it.
    pub struct PromoteReadReplica {
        /// The name of an `rds.instance` target that is a read replica.
        pub target: Spanned<String>,
        /// Days that automated backups of the promoted instance are kept, from 0 to 35.
        pub backup_retention_period: Option<u8>,
    }
}

impl PromoteReadReplica {
    pub(super) fn lint(&self, place: Span) -> Vec<Problem> {
        match self.backup_retention_period {
            Some(days) if days > 35 => vec![
                Problem::new(place, format!("`backup_retention_period` is {days} days"))
                    .label("RDS keeps automated backups for 0 to 35 days"),
            ],
            _ => Vec::new(),
        }
    }
}
