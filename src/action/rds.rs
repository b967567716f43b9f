//! Actions on RDS DB instances and DB clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

use self::facts::{available, in_status, multi_az, replicating, stoppable};
pub(super) use self::states::{SETTLED, restore};
use self::states::{
    Signs, UP, accepted, before, id_of, in_any, look, settle, source_of, stirred, writer_before,
};
use super::{
    Act, Applied, Before, Effect, Prepared, Sight, Undo, Watch, elsewhere, one_by_one, precondition, sighted,
    still_to_do,
};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, Look, Purpose, Wait, rds};
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;
use crate::run::event::Precondition;

mod facts;
mod states;

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
                Problem::new(
                    Code::BackupRetention,
                    place,
                    format!("`backup_retention_period` is {days} days"),
                )
                .label("RDS keeps automated backups for 0 to 35 days"),
            ],
            _ => Vec::new(),
        }
    }
}

const REBOOT: &str = "rds:RebootDBInstance";
const STOP: &str = "rds:StopDBInstance";
const START: &str = "rds:StartDBInstance";
const FAILOVER: &str = "rds:FailoverDBCluster";
const PROMOTE: &str = "rds:PromoteReadReplica";

const REBOOTED: Signs =
    Signs { moved: false, statuses: &["rebooting"], words: &["restart", "reboot", "shutdown", "shut down"] };
const FAILED_OVER: Signs = Signs { moved: true, statuses: &["rebooting"], words: &["failover"] };
const STOPPED: Signs = Signs { moved: false, statuses: &["stopping", "stopped"], words: &["stopp"] };
const STARTED: Signs =
    Signs { moved: false, statuses: &["starting", "available"], words: &["instance started"] };
const PROMOTED: Signs = Signs { moved: false, statuses: &["modifying", "rebooting"], words: &["promot"] };

#[async_trait]
impl Act for RebootDbInstance {
    fn permissions(&self) -> &'static [&'static str] {
        &["rds:DescribeDBInstances", "rds:DescribeEvents", REBOOT]
    }

    fn summary(&self, found: &Found) -> String {
        let how = if self.force_failover { ", with failover to the standby" } else { "" };
        format!("reboot {}{how}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for instance in look(aws, found).await? {
            let id = id_of(&instance);
            facts.push(available(&instance));
            if self.force_failover {
                facts.push(multi_az(id, &instance));
            }
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(REBOOT, &before, &["rebooting"])?;
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, REBOOT, &id, |clients| {
                clients
                    .rds
                    .reboot_db_instance()
                    .db_instance_identifier(&id)
                    .force_failover(self.force_failover)
                    .send()
            })
            .await
            .map(drop)
        })
        .await?;
        Ok(accepted("reboot", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let signs = if self.force_failover { &FAILED_OVER } else { &REBOOTED };
        stirred(aws, found, before, signs, watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "available", within).await
    }
}

#[async_trait]
impl Act for StopDbInstance {
    fn permissions(&self) -> &'static [&'static str] {
        &["rds:DescribeDBInstances", "rds:DescribeEvents", STOP, START]
    }

    fn summary(&self, found: &Found) -> String {
        format!("stop {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for instance in look(aws, found).await? {
            facts.push(available(&instance));
            facts.push(stoppable(&instance));
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(STOP, &before, &["stopping", "stopped"])?;
        let ids = in_any(&before, |status| !matches!(status, "stopped" | "stopping"));
        let undo = (!ids.is_empty()).then_some(Undo::StartDbInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, STOP, &id, |clients| {
                clients.rds.stop_db_instance().db_instance_identifier(&id).send()
            })
            .await
            .map(drop)
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
        stirred(aws, found, before, &STOPPED, watch).await
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
impl Act for StartDbInstance {
    fn permissions(&self) -> &'static [&'static str] {
        &["rds:DescribeDBInstances", "rds:DescribeEvents", START, STOP]
    }

    fn summary(&self, found: &Found) -> String {
        format!("start {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        Ok(look(aws, found).await?.iter().map(|instance| in_status(instance, "stopped")).collect())
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        still_to_do(START, &before, UP)?;
        still_to_do(START, &before, &["starting"])?;
        let ids = in_any(&before, |status| matches!(status, "stopped" | "stopping"));
        let undo = (!ids.is_empty()).then_some(Undo::StopDbInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, START, &id, |clients| {
                clients.rds.start_db_instance().db_instance_identifier(&id).send()
            })
            .await
            .map(drop)
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
        stirred(aws, found, before, &STARTED, watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        settle(aws, &found.ids(), "available", within).await
    }
}

#[async_trait]
impl Act for FailoverDbCluster {
    fn permissions(&self) -> &'static [&'static str] {
        &["rds:DescribeDBClusters", FAILOVER]
    }

    fn summary(&self, found: &Found) -> String {
        match &self.target_db_instance_identifier {
            Some(member) => format!("fail {} over to {member}", found.names()),
            None => format!("fail {} over", found.names()),
        }
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for id in found.ids() {
            let cluster = rds::cluster(aws, &id).await?;
            let status = cluster.status().unwrap_or("unknown");
            facts.push(precondition(format!("{id} is available"), status == "available", status));
            let readers: Vec<&str> = cluster
                .db_cluster_members()
                .iter()
                .filter(|member| member.is_cluster_writer() != Some(true))
                .filter_map(|member| member.db_instance_identifier())
                .collect();
            let found = match readers.as_slice() {
                [] => "it has no reader: add one, or there is nothing to fail over to".to_owned(),
                some => some.join(", "),
            };
            facts.push(precondition(
                format!("{id} has a reader to fail over to"),
                !readers.is_empty(),
                found,
            ));
            if let Some(member) = &self.target_db_instance_identifier {
                let holds = readers.contains(&member.as_str());
                let found =
                    if holds { "it is" } else { "it is the writer already, or no member: name a reader" };
                facts.push(precondition(format!("{member} is a reader of {id}"), holds, found));
            }
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let mut resources = Vec::new();
        for id in found.ids() {
            let writer = rds::writer(&rds::cluster(aws, &id).await?).unwrap_or_default().to_owned();
            if self.target_db_instance_identifier.as_deref() == Some(writer.as_str()) {
                return Err(elsewhere(FAILOVER, &writer, "the writer"));
            }
            let facts = BTreeMap::from([("writer".to_owned(), writer)]);
            resources.push(Resource { id, facts, ..Resource::default() });
        }
        Ok(Prepared { undo: None, before: Before { resources, ..Before::default() } })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, FAILOVER, &id, |clients| {
                clients
                    .rds
                    .failover_db_cluster()
                    .db_cluster_identifier(&id)
                    .set_target_db_instance_identifier(self.target_db_instance_identifier.clone())
                    .send()
            })
            .await
            .map(drop)
        })
        .await?;
        Ok(accepted("failover", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let names = found.names();
        let wait = Wait {
            operation: rds::DESCRIBE_DB_CLUSTERS,
            resource: &names,
            what: "another member to be the writer",
            within: watch.within,
        };
        let ids = found.ids();
        sighted(aws, wait, watch, || async {
            let mut moved = 0;
            let mut how = Vec::new();
            for id in &ids {
                let cluster = rds::cluster(aws, id).await?;
                let (was, is) = (writer_before(before, id), rds::writer(&cluster).unwrap_or("nobody"));
                moved += usize::from(was != is && is != "nobody");
                how.push(format!("{id}: writer was {was}, is {is}"));
            }
            Ok(Sight { some: moved > 0, all: moved == ids.len(), how: how.join("; ") })
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
        for id in found.ids() {
            let what = "the cluster to be available";
            let wait = Wait { operation: rds::DESCRIBE_DB_CLUSTERS, resource: &id, what, within };
            wait.until(aws, || async {
                let cluster = rds::cluster(aws, &id).await?;
                Ok(match cluster.status() {
                    Some("available") => Look::There(()),
                    other => Look::NotYet(other.unwrap_or("unknown").to_owned()),
                })
            })
            .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Act for PromoteReadReplica {
    fn permissions(&self) -> &'static [&'static str] {
        &["rds:DescribeDBInstances", "rds:DescribeEvents", PROMOTE]
    }

    fn summary(&self, found: &Found) -> String {
        format!("promote {}", found.names())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for instance in look(aws, found).await? {
            facts.push(available(&instance));
            facts.extend(replicating(&instance));
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let before = before(aws, found).await?;
        if let Some(own) = before.resources.iter().find(|r| !r.facts.contains_key("replica_of")) {
            return Err(elsewhere(PROMOTE, &own.id, "a DB instance of its own"));
        }
        still_to_do(PROMOTE, &before, PROMOTED.statuses)?;
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, PROMOTE, &id, |clients| {
                clients
                    .rds
                    .promote_read_replica()
                    .db_instance_identifier(&id)
                    .set_backup_retention_period(self.backup_retention_period.map(i32::from))
                    .send()
            })
            .await
            .map(drop)
        })
        .await?;
        Ok(accepted("promotion", found))
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        stirred(aws, found, before, &PROMOTED, watch).await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        for id in found.ids() {
            let what = "the replica to be a DB instance of its own";
            let wait = Wait { operation: rds::DESCRIBE_DB_INSTANCES, resource: &id, what, within };
            wait.until(aws, || async {
                let instance = rds::instance(aws, &id).await?;
                Ok(match (rds::status(&instance), source_of(&instance)) {
                    ("available", None) => Look::There(()),
                    (status, Some(source)) => Look::NotYet(format!("{status}, still a replica of {source}")),
                    (status, None) => Look::NotYet(status.to_owned()),
                })
            })
            .await?;
        }
        Ok(())
    }
}
