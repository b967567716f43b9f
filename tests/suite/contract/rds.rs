//! RDS: instances, replicas, a cluster, and what each refuses.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbInstance, Filter, SourceType};

use super::side::{Side, Told, code, eventually, sorted};

async fn all(rds: &Client) -> Vec<DbInstance> {
    let mut pages = rds.describe_db_instances().into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        found.extend(page.expect("a page").db_instances.unwrap_or_default());
    }
    found
}

/// Makes in `to` what there is in `from`.
pub(super) async fn copy(from: &Side, to: &Side) {
    let (from, to) = (Client::new(&from.config()), Client::new(&to.config()));
    let clusters = from.describe_db_clusters().send().await.expect("clusters");
    for cluster in clusters.db_clusters() {
        let call = to.create_db_cluster().set_db_cluster_identifier(cluster.db_cluster_identifier.clone());
        let call = call.set_engine(cluster.engine.clone()).master_username("admin1");
        call.master_user_password("password1").send().await.expect("moto makes a cluster");
    }
    let mut instances = all(&from).await;
    // A source comes before its replica, and of a cluster's members the writer first.
    instances.sort_by_key(|one| (one.read_replica_source_db_instance_identifier.clone(), name(one)));
    for instance in instances {
        if let Some(source) = instance.read_replica_source_db_instance_identifier() {
            let call = to.create_db_instance_read_replica().db_instance_identifier(name(&instance));
            call.source_db_instance_identifier(source).send().await.expect("moto makes a replica");
            continue;
        }
        let mut call = to
            .create_db_instance()
            .db_instance_identifier(name(&instance))
            .db_instance_class("db.r5.large")
            .set_engine(instance.engine.clone())
            .set_multi_az(instance.multi_az)
            .set_db_cluster_identifier(instance.db_cluster_identifier.clone());
        if instance.db_cluster_identifier.is_none() {
            call = call.allocated_storage(20).master_username("admin1").master_user_password("password1");
        }
        call.send().await.expect("moto makes an instance");
    }
}

fn name(instance: &DbInstance) -> String {
    instance.db_instance_identifier().unwrap_or_default().to_owned()
}

async fn instance(rds: &Client, id: &str) -> DbInstance {
    let answer = rds.describe_db_instances().db_instance_identifier(id).send().await.expect("an instance");
    answer.db_instances.unwrap_or_default().remove(0)
}

async fn status(rds: &Client, id: &str) -> String {
    instance(rds, id).await.db_instance_status.unwrap_or_default()
}

/// `status, writer, reader`
async fn cluster(rds: &Client) -> String {
    let answer = rds.describe_db_clusters().db_cluster_identifier("catalog").send().await.expect("a cluster");
    let cluster = &answer.db_clusters()[0];
    let members = |writes: bool| {
        let members = cluster.db_cluster_members().iter();
        let members = members.filter(move |member| member.is_cluster_writer() == Some(writes));
        sorted(members.filter_map(|member| member.db_instance_identifier()).map(str::to_owned))
    };
    format!("{}; {} writes, {} reads", cluster.status().unwrap_or_default(), members(true), members(false))
}

pub(super) async fn rows(at: &Side, told: &mut Told) {
    let rds = Client::new(&at.config());
    lists(&rds, told).await;
    unknown(&rds, told).await;
    refused(&rds, told).await;
    cluster_fails_over(&rds, told).await;
    reboot(&rds, told).await;
    promote(&rds, told).await;
}

async fn lists(rds: &Client, told: &mut Told) {
    let found = all(rds).await;
    told.row(
        "DescribeDBInstances, page by page",
        "catalog-1, catalog-2, orders-db, orders-db-replica",
        sorted(found.iter().map(name)),
    );
    let orders = instance(rds, "orders-db").await;
    told.row(
        "DescribeDBInstances, by id",
        "available Some(true) arn:aws:rds:eu-west-1:123456789012:db:orders-db [\"orders-db-replica\"]",
        format!(
            "{} {:?} {} {:?}",
            orders.db_instance_status().unwrap_or_default(),
            orders.multi_az(),
            orders.db_instance_arn().unwrap_or_default(),
            orders.read_replica_db_instance_identifiers(),
        ),
    );
    let replica = instance(rds, "orders-db-replica").await;
    told.row(
        "DescribeDBInstances, a replica's source",
        "Some(\"orders-db\")",
        format!("{:?}", replica.read_replica_source_db_instance_identifier()),
    );
    let by = |name: &str, value: &str| {
        let filter = Filter::builder().name(name).values(value).build();
        rds.describe_db_instances().filters(filter).send()
    };
    let members = by("db-cluster-id", "catalog").await.expect("members");
    told.row(
        "DescribeDBInstances, filter db-cluster-id",
        "catalog-1, catalog-2",
        sorted(members.db_instances().iter().map(name)),
    );
    let one = by("db-instance-id", "orders-db").await.expect("one");
    told.row(
        "DescribeDBInstances, filter db-instance-id",
        "orders-db",
        sorted(one.db_instances().iter().map(name)),
    );
    let none = by("db-cluster-id", "no-such-cluster").await;
    told.row(
        "DescribeDBInstances, filter that nothing fits",
        "0",
        none.map_or_else(|error| format!("{error:?}"), |list| list.db_instances().len().to_string()),
    );
    told.row(
        "DescribeDBInstances, unknown filter",
        "InvalidParameterValue",
        code(&by("no-such-filter", "x").await),
    );
    let small = rds.describe_db_instances().max_records(19).send().await;
    // moto takes any number.
    told.but_moto("DescribeDBInstances, MaxRecords 19", "InvalidParameterValue", "accepted", code(&small));
}

async fn unknown(rds: &Client, told: &mut Told) {
    let absent = "DBInstanceNotFound";
    let answer = rds.describe_db_instances().db_instance_identifier("nope").send().await;
    told.row("DescribeDBInstances, unknown id", absent, code(&answer));
    let answer = rds.reboot_db_instance().db_instance_identifier("nope").send().await;
    told.row("RebootDBInstance, unknown id", absent, code(&answer));
    let answer = rds.promote_read_replica().db_instance_identifier("nope").send().await;
    // moto crashes on it.
    told.but_moto("PromoteReadReplica, unknown id", absent, "no AWS answer", code(&answer));
    let answer = rds.stop_db_instance().db_instance_identifier("nope").send().await;
    told.row("StopDBInstance, unknown id", absent, code(&answer));
    let answer = rds.start_db_instance().db_instance_identifier("nope").send().await;
    told.row("StartDBInstance, unknown id", absent, code(&answer));
    let absent = "DBClusterNotFoundFault";
    let answer = rds.describe_db_clusters().db_cluster_identifier("nope").send().await;
    told.row("DescribeDBClusters, unknown id", absent, code(&answer));
    let answer = rds.failover_db_cluster().db_cluster_identifier("nope").send().await;
    told.row("FailoverDBCluster, unknown id", absent, code(&answer));
}

async fn refused(rds: &Client, told: &mut Told) {
    // moto fails over what has no standby, and promotes what is no replica.
    let answer = rds.reboot_db_instance().db_instance_identifier("orders-db-replica").force_failover(true);
    let answer = answer.send().await;
    told.but_moto(
        "RebootDBInstance, ForceFailover of a single-AZ instance",
        "InvalidParameterCombination",
        "accepted",
        code(&answer),
    );
    let answer = rds.promote_read_replica().db_instance_identifier("orders-db").send().await;
    told.but_moto("PromoteReadReplica of a primary", "InvalidDBInstanceState", "accepted", code(&answer));
    told.row("… and it is", "available", status(rds, "orders-db").await);
    let answer = rds.start_db_instance().db_instance_identifier("orders-db").send().await;
    told.row("StartDBInstance of a running one", "InvalidDBInstanceState", code(&answer));
    let answer = rds.describe_events().source_identifier("orders-db").send().await;
    told.row("DescribeEvents, an identifier without its type", "InvalidParameterCombination", code(&answer));
}

async fn cluster_fails_over(rds: &Client, told: &mut Told) {
    told.row(
        "DescribeDBClusters: members",
        "available; catalog-1 writes, catalog-2 reads",
        cluster(rds).await,
    );
    let failover = |target: &str| {
        let call = rds.failover_db_cluster().db_cluster_identifier("catalog");
        call.target_db_instance_identifier(target).send()
    };
    // AWS documents DBInstanceNotFound for it; moto calls it a wrong value. Both say that nothing was done.
    told.but_moto(
        "FailoverDBCluster to a stranger",
        "DBInstanceNotFound",
        "InvalidParameterValue",
        code(&failover("nope").await),
    );
    told.row("FailoverDBCluster", "accepted", code(&failover("catalog-2").await));
    let moved = "available; catalog-2 writes, catalog-1 reads";
    told.row("… is then", moved, eventually(moved, || cluster(rds)).await);
}

async fn reboot(rds: &Client, told: &mut Told) {
    // In moto a failover changes nothing, and no event tells of it.
    let zones = |one: DbInstance| (one.availability_zone, one.secondary_availability_zone);
    let before = zones(instance(rds, "orders-db").await);
    let answer =
        rds.reboot_db_instance().db_instance_identifier("orders-db").force_failover(true).send().await;
    told.row("RebootDBInstance, ForceFailover", "accepted", code(&answer));
    told.row("… is available again", "available", eventually("available", || status(rds, "orders-db")).await);
    let after = zones(instance(rds, "orders-db").await);
    let swapped = before.1.is_some() && (&before.0, &before.1) == (&after.1, &after.0);
    told.but_moto("… and the zones have changed places", "true", "false", swapped);
    let mut pages = rds
        .describe_events()
        .source_type(SourceType::DbInstance)
        .source_identifier("orders-db")
        .duration(15)
        .into_paginator()
        .send();
    let mut failovers = 0;
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        failovers += page
            .events()
            .iter()
            .filter(|event| event.event_categories().contains(&"failover".to_owned()))
            .count();
    }
    told.but_moto("… and events tell of it", "true", "false", failovers > 0);
}

async fn promote(rds: &Client, told: &mut Told) {
    let answer = rds.promote_read_replica().db_instance_identifier("orders-db-replica").send().await;
    told.row("PromoteReadReplica", "accepted", code(&answer));
    let replica = || async {
        let one = instance(rds, "orders-db-replica").await;
        let source = one.read_replica_source_db_instance_identifier().unwrap_or("nobody").to_owned();
        format!("{} follows {source}", one.db_instance_status().unwrap_or_default())
    };
    // moto's goes on following.
    told.but_moto(
        "… is then",
        "available follows nobody",
        "available follows orders-db",
        match told.is_moto() {
            true => replica().await,
            false => eventually("available follows nobody", replica).await,
        },
    );
}
