//! Actions on RDS DB instances and DB clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_rds::types::{DbInstance, SourceType};

use super::{
    Act, Applied, Before, Effect, Message, Prepared, Sight, Undo, Watch, one_by_one, precondition, sighted,
};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, Look, Wait, rds};
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;
use crate::run::event::Precondition;

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

const REBOOT: &str = "rds:RebootDBInstance";
const STOP: &str = "rds:StopDBInstance";
const START: &str = "rds:StartDBInstance";
const FAILOVER: &str = "rds:FailoverDBCluster";
const PROMOTE: &str = "rds:PromoteReadReplica";

/// Starting a large DB instance takes its time.
const SETTLED: Duration = Duration::from_secs(45 * 60);

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
        Ok(Prepared { undo: None, before: before(aws, found).await? })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(step, REBOOT, &id, |clients| {
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
        stirred(aws, found, before, &["failover", "restart", "reboot", "shutdown", "shut down"], watch).await
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
        let ids = in_any(&before, |status| !matches!(status, "stopped" | "stopping"));
        let undo = (!ids.is_empty()).then_some(Undo::StartDbInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(step, STOP, &id, |clients| {
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
        stirred(aws, found, before, &["stopp"], watch).await
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
        let ids = in_any(&before, |status| matches!(status, "stopped" | "stopping"));
        let undo = (!ids.is_empty()).then_some(Undo::StopDbInstances { ids });
        Ok(Prepared { undo, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(step, START, &id, |clients| {
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
        stirred(aws, found, before, &["started"], watch).await
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
            let facts = BTreeMap::from([("writer".to_owned(), writer)]);
            resources.push(Resource { id, facts, ..Resource::default() });
        }
        Ok(Prepared { undo: None, before: Before { resources, ..Before::default() } })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(step, FAILOVER, &id, |clients| {
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
        Ok(Prepared { undo: None, before: before(aws, found).await? })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(step, PROMOTE, &id, |clients| {
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
        stirred(aws, found, before, &["promot"], watch).await
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

/// Brings DB instances back to a status (`available` or `stopped`); what is there is left alone.
pub(super) async fn restore(aws: &Aws, step: &str, ids: &[String], to: &str) -> Result<String, Fault> {
    let mut done = Vec::new();
    for id in ids {
        let wait = Wait {
            operation: rds::DESCRIBE_DB_INSTANCES,
            resource: id,
            what: "the DB instance to settle",
            within: SETTLED,
        };
        let settled = wait
            .until(aws, || async {
                let status = rds::status(&rds::instance(aws, id).await?).to_owned();
                // On its way somewhere, it takes no order.
                let still = !status.ends_with("ing");
                Ok(if still { Look::There(status) } else { Look::NotYet(status) })
            })
            .await?;
        if settled == to {
            done.push(format!("{id} already {to}"));
            continue;
        }
        if to == "available" {
            aws.mutate(step, START, id, |clients| {
                clients.rds.start_db_instance().db_instance_identifier(id).send()
            })
            .await?;
        } else {
            aws.mutate(step, STOP, id, |clients| {
                clients.rds.stop_db_instance().db_instance_identifier(id).send()
            })
            .await?;
        }
        done.push(format!("{id} {to} again"));
    }
    settle(aws, ids, to, SETTLED).await?;
    Ok(done.join("; "))
}

async fn look(aws: &Aws, found: &Found) -> Result<Vec<DbInstance>, Fault> {
    let mut instances = Vec::new();
    for id in found.ids() {
        instances.push(rds::instance(aws, &id).await?);
    }
    Ok(instances)
}

fn id_of(instance: &DbInstance) -> &str {
    instance.db_instance_identifier().unwrap_or_default()
}

fn source_of(instance: &DbInstance) -> Option<&str> {
    instance
        .read_replica_source_db_instance_identifier()
        .or(instance.read_replica_source_db_cluster_identifier())
        .filter(|source| !source.is_empty())
}

async fn before(aws: &Aws, found: &Found) -> Result<Before, Fault> {
    let mut before = Before::default();
    for instance in look(aws, found).await? {
        let source = source_of(&instance).map(|source| ("replica_of".to_owned(), source.to_owned()));
        before.messages.extend(messages(aws, id_of(&instance)).await);
        before.resources.push(Resource {
            id: id_of(&instance).to_owned(),
            zone: instance.availability_zone.clone(),
            state: rds::status(&instance).to_owned(),
            facts: source.into_iter().collect(),
        });
    }
    Ok(before)
}

/// The events of a DB instance. They only add to the evidence: without the right to read them, or
/// where the endpoint has none, the instance's own state has to do.
async fn messages(aws: &Aws, id: &str) -> BTreeSet<Message> {
    match rds::messages(aws, SourceType::DbInstance, id).await {
        Ok(messages) => messages,
        Err(fault) => {
            aws.note(format!("doing without the events of {id}: {fault}"));
            BTreeSet::new()
        }
    }
}

fn in_any(before: &Before, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    before.resources.iter().filter(|r| wanted(&r.state)).map(|r| r.id.clone()).collect()
}

fn writer_before<'b>(before: &'b Before, id: &str) -> &'b str {
    before.resource(id).and_then(|r| r.facts.get("writer")).map_or("nobody", String::as_str)
}

fn accepted(what: &str, found: &Found) -> Applied {
    Applied { detail: format!("RDS accepted the {what} of {}", found.names()), handle: None }
}

/// Waits until every DB instance shows that something happened to it: another zone, no source any
/// more, another status, or an event with one of `words` in it that was not there before.
async fn stirred(
    aws: &Aws,
    found: &Found,
    before: &Before,
    words: &[&str],
    watch: Watch,
) -> Result<Effect, Fault> {
    let ids = found.ids();
    let names = found.names();
    let wait = Wait {
        operation: rds::DESCRIBE_DB_INSTANCES,
        resource: &names,
        what: "RDS to show that it took hold",
        within: watch.within,
    };
    sighted(aws, wait, watch, || async {
        let mut stirred = 0;
        let mut how = Vec::new();
        for id in &ids {
            let instance = rds::instance(aws, id).await?;
            let mut sign = before.resource(id).and_then(|was| difference(was, &instance));
            if sign.is_none() {
                sign = news(&before.messages, &messages(aws, id).await, words);
            }
            stirred += usize::from(sign.is_some());
            let sign = sign.unwrap_or_else(|| {
                format!("still {} in {}", rds::status(&instance), instance.availability_zone().unwrap_or("?"))
            });
            how.push(format!("{id}: {sign}"));
        }
        Ok(Sight { some: stirred > 0, all: stirred == ids.len(), how: how.join("; ") })
    })
    .await
}

/// What is different about a DB instance, the most telling thing first.
fn difference(was: &Resource, is: &DbInstance) -> Option<String> {
    if let (Some(old), Some(new)) = (was.zone.as_deref(), is.availability_zone())
        && old != new
    {
        return Some(format!("primary moved from {old} to {new}"));
    }
    if let (Some(source), None) = (was.facts.get("replica_of"), source_of(is)) {
        return Some(format!("no longer a replica of {source}"));
    }
    let status = rds::status(is);
    (status != was.state).then(|| format!("status went from {} to {status}", was.state))
}

/// A message that was not there before and has one of `words` in it.
fn news(before: &BTreeSet<Message>, now: &BTreeSet<Message>, words: &[&str]) -> Option<String> {
    now.difference(before)
        .find(|(_, text)| {
            let text = text.to_lowercase();
            words.iter().any(|word| text.contains(word))
        })
        .map(|(date, text)| format!("event `{text}` of {date}"))
}

/// Waits until every DB instance has `status`.
async fn settle(aws: &Aws, ids: &[String], status: &str, within: Duration) -> Result<(), Fault> {
    for id in ids {
        let what = format!("the DB instance to be {status}");
        let wait = Wait { operation: rds::DESCRIBE_DB_INSTANCES, resource: id, what: &what, within };
        wait.until(aws, || async {
            let instance = rds::instance(aws, id).await?;
            let now = rds::status(&instance);
            Ok(if now == status { Look::There(()) } else { Look::NotYet(now.to_owned()) })
        })
        .await?;
    }
    Ok(())
}

fn in_status(instance: &DbInstance, wanted: &str) -> Precondition {
    let status = rds::status(instance);
    let holds = status == wanted;
    let found = if holds { status.to_owned() } else { format!("it is {status}: wait until it is {wanted}") };
    precondition(format!("{} is {wanted}", id_of(instance)), holds, found)
}

fn available(instance: &DbInstance) -> Precondition {
    in_status(instance, "available")
}

fn multi_az(id: &str, instance: &DbInstance) -> Precondition {
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

fn stoppable(instance: &DbInstance) -> Precondition {
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
fn replicating(instance: &DbInstance) -> Vec<Precondition> {
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

    fn orders() -> Resource {
        Resource {
            id: "orders-db".to_owned(),
            zone: Some("eu-west-1a".to_owned()),
            state: "available".to_owned(),
            facts: BTreeMap::new(),
        }
    }

    fn now(status: &str, zone: &str) -> DbInstance {
        DbInstance::builder().db_instance_status(status).availability_zone(zone).build()
    }

    #[test]
    fn a_failover_is_told_by_the_zone_before_the_status() {
        assert_eq!(
            difference(&orders(), &now("rebooting", "eu-west-1b")).as_deref(),
            Some("primary moved from eu-west-1a to eu-west-1b")
        );
        assert_eq!(
            difference(&orders(), &now("rebooting", "eu-west-1a")).as_deref(),
            Some("status went from available to rebooting")
        );
        assert_eq!(difference(&orders(), &now("available", "eu-west-1a")), None);
    }

    #[test]
    fn a_replica_without_its_source_was_promoted() {
        let mut replica = orders();
        replica.facts.insert("replica_of".to_owned(), "orders-db".to_owned());
        assert_eq!(
            difference(&replica, &now("available", "eu-west-1a")).as_deref(),
            Some("no longer a replica of orders-db")
        );
    }

    #[test]
    fn only_new_messages_about_the_matter_are_news() {
        let message = |date: &str, text: &str| (date.to_owned(), text.to_owned());
        let before = BTreeSet::from([message("10:00", "Multi-AZ instance failover started")]);
        let mut now = before.clone();
        assert_eq!(news(&before, &now, &["failover"]), None);
        now.insert(message("10:05", "Finished DB instance backup"));
        assert_eq!(news(&before, &now, &["failover"]), None);
        now.insert(message("10:06", "Multi-AZ instance failover started"));
        assert_eq!(
            news(&before, &now, &["failover"]).as_deref(),
            Some("event `Multi-AZ instance failover started` of 10:06")
        );
    }

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
