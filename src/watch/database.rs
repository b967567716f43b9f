//! RDS: the status of DB instances and clusters, where their primary is, and the messages about them.

use async_trait::async_trait;
use aws_sdk_rds::types::SourceType;
use jiff::Timestamp;

use super::{Look, Sighting, Watcher};
use crate::aws::{Aws, Fault, rds};
use crate::run::event::Layer;

struct Instance(String);

/// Watches a DB instance.
pub(super) fn instance(id: String) -> Watcher {
    let permissions = [rds::DESCRIBE_DB_INSTANCES, rds::DESCRIBE_EVENTS];
    Watcher::new(format!("DB instance {id}"), &permissions, Instance(id))
}

#[async_trait]
impl Look for Instance {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let id = &self.0;
        let instance = rds::instance(aws, id).await?;
        let status = rds::status(&instance);
        let zone = instance.availability_zone().unwrap_or("no zone");
        let mut seen = vec![
            Sighting::state(Layer::DbStatus, id, status, format!("{id} is {status}")),
            Sighting::state(Layer::DbZone, id, zone, format!("{id} is served from {zone}")),
        ];
        let source = instance.read_replica_source_db_instance_identifier();
        let (state, what) = match source {
            Some(source) => (source, format!("{id} replicates {source}")),
            None => ("none", format!("{id} replicates nothing: it stands for itself")),
        };
        seen.push(Sighting::state(Layer::DbSource, id, state, what));
        seen.extend(messages(aws, SourceType::DbInstance, id).await?);
        Ok(seen)
    }
}

struct Cluster(String);

/// Watches a DB cluster.
pub(super) fn cluster(id: String) -> Watcher {
    let permissions = [rds::DESCRIBE_DB_CLUSTERS, rds::DESCRIBE_EVENTS];
    Watcher::new(format!("DB cluster {id}"), &permissions, Cluster(id))
}

#[async_trait]
impl Look for Cluster {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let id = &self.0;
        let cluster = rds::cluster(aws, id).await?;
        let status = cluster.status().unwrap_or("unknown");
        let writer = rds::writer(&cluster).unwrap_or("none");
        let mut seen = vec![
            Sighting::state(Layer::DbStatus, id, status, format!("{id} is {status}")),
            Sighting::state(Layer::DbWriter, id, writer, format!("{writer} is the writer of {id}")),
        ];
        seen.extend(messages(aws, SourceType::DbCluster, id).await?);
        Ok(seen)
    }
}

/// RDS may give two messages of one second the same stamp, and tell one twice: a message is what it says, when.
async fn messages(aws: &Aws, source: SourceType, id: &str) -> Result<Vec<Sighting>, Fault> {
    let found = rds::messages(aws, source, id).await?;
    let seen = found.into_iter().map(|(date, text)| {
        let stamp = date.parse::<Timestamp>().ok();
        let what = format!("RDS on {id}: {text}");
        let sighting = Sighting::happened(Layer::DbEvent, id, format!("{date} {text}"), what);
        Sighting { state: text, stamp, ..sighting }
    });
    Ok(seen.collect())
}
