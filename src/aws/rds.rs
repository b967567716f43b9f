//! RDS, as far as it is looked at.

use std::collections::BTreeSet;

use aws_sdk_rds::types::{DbCluster, DbInstance, Event, Filter, SourceType};

use super::{Aws, Fault, FaultKind};

pub(crate) const DESCRIBE_DB_INSTANCES: &str = "rds:DescribeDBInstances";
pub(crate) const DESCRIBE_DB_CLUSTERS: &str = "rds:DescribeDBClusters";
pub(crate) const DESCRIBE_EVENTS: &str = "rds:DescribeEvents";

/// All DB instances, or the members of one cluster.
pub(crate) async fn instances(
    aws: &Aws,
    cluster: Option<&str>,
    about: &str,
) -> Result<Vec<DbInstance>, Fault> {
    let filter = cluster.map(|id| vec![Filter::builder().name("db-cluster-id").values(id).build()]);
    let mut pages = aws.rds().describe_db_instances().set_filters(filter).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| Fault::read(DESCRIBE_DB_INSTANCES, about, e))?;
        found.extend(page.db_instances.unwrap_or_default());
    }
    Ok(found)
}

/// One DB instance by its identifier.
pub(crate) async fn instance(aws: &Aws, id: &str) -> Result<DbInstance, Fault> {
    let answer = aws
        .rds()
        .describe_db_instances()
        .db_instance_identifier(id)
        .send()
        .await
        .map_err(|e| Fault::read(DESCRIBE_DB_INSTANCES, id, e))?;
    answer
        .db_instances
        .unwrap_or_default()
        .into_iter()
        .next()
        .ok_or_else(|| absent(DESCRIBE_DB_INSTANCES, id))
}

/// One DB cluster by its identifier.
pub(crate) async fn cluster(aws: &Aws, id: &str) -> Result<DbCluster, Fault> {
    let answer = aws
        .rds()
        .describe_db_clusters()
        .db_cluster_identifier(id)
        .send()
        .await
        .map_err(|e| Fault::read(DESCRIBE_DB_CLUSTERS, id, e))?;
    answer.db_clusters.unwrap_or_default().into_iter().next().ok_or_else(|| absent(DESCRIBE_DB_CLUSTERS, id))
}

/// An RDS event: its date as AWS writes it, and its text. The date tells two equal texts apart;
/// it is compared with nothing but other events' dates.
pub type Message = (String, String);

/// The messages about a DB instance or cluster of the last quarter of an hour.
pub(crate) async fn messages(aws: &Aws, source: SourceType, id: &str) -> Result<BTreeSet<Message>, Fault> {
    let mut pages = aws
        .rds()
        .describe_events()
        .source_type(source)
        .source_identifier(id)
        .duration(15)
        .into_paginator()
        .send();
    let mut events: Vec<Event> = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|e| Fault::read(DESCRIBE_EVENTS, id, e))?;
        events.extend(page.events.unwrap_or_default());
    }
    Ok(events
        .into_iter()
        .map(|event| {
            let date = event.date.map(|date| date.to_string()).unwrap_or_default();
            (date, event.message.unwrap_or_default())
        })
        .collect())
}

fn absent(operation: &str, id: &str) -> Fault {
    Fault::new(
        FaultKind::Absent,
        operation,
        id,
        "there is none of this name",
        "check the identifier, the region and the account",
    )
}

pub(crate) fn status(instance: &DbInstance) -> &str {
    instance.db_instance_status().unwrap_or("unknown")
}

/// The identifier of the cluster's present writer.
pub(crate) fn writer(cluster: &DbCluster) -> Option<&str> {
    cluster
        .db_cluster_members()
        .iter()
        .find(|member| member.is_cluster_writer() == Some(true))
        .and_then(|member| member.db_instance_identifier())
}
