//! The control plane by the SDK's own client, and the data plane behind it by tokio-postgres.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_sdk_rds::Client;
use aws_sdk_rds::config::{BehaviorVersion, Credentials as Keys, Region};
use aws_sdk_rds::error::ProvideErrorMetadata;
use aws_sdk_rds::types::{DbInstance, Filter, SourceType};
use tokio_postgres::NoTls;

use super::*;
use crate::clock::{Clock, boottime_ns};
use crate::lab::database::PORT;
use crate::lab::timing::{Pace, Timing};
use crate::lab::truth::Truth;
use crate::lab::wire::ControlPlane;
use crate::lab::world::Subnet;
use crate::lab::zone::{Change as ZoneChange, Found, RecordSet, Zone};

const WRITER: &str = "db.lab.test";

/// A region with an RDS alone.
struct Lab {
    rds: Rds,
    world: World,
    client: Client,
}

async fn lab(seed: u64) -> Lab {
    let (listener, subnet) = loop {
        let net: [u8; 2] = rand::random();
        let subnet = Subnet(net[0].clamp(16, 250), net[1]);
        if let Ok(listener) = tokio::net::TcpListener::bind(subnet.socket(host::ENDPOINT, 4567)).await {
            break (listener, subnet);
        }
    };
    let truth = Truth::default();
    let zone = Zone::new(truth.clone());
    let world = World { clock: Clock::start(), pace: Pace::new(seed, Timing::Scaled), subnet, zone, truth };
    let credentials = Credentials { user: "firedrill".into(), password: "s3cret".into() };
    let rds = Rds::start(world.clone(), credentials).await.unwrap();
    world.zone.apply(vec![ZoneChange::Put(RecordSet::simple(
        WRITER,
        "CNAME",
        1,
        rds.endpoint(PRIMARY).unwrap(),
    ))]);
    world.zone.watch("orders-db writer name", WRITER);
    let mut plane = ControlPlane::default();
    plane.add("rds", Arc::new(rds.clone()));
    let address = listener.local_addr().unwrap();
    tokio::spawn(Arc::new(plane).serve(listener));
    let config = aws_sdk_rds::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Keys::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Lab { rds, world, client: Client::from_conf(config) }
}

impl Lab {
    async fn instance(&self, id: &str) -> DbInstance {
        let answer = self.client.describe_db_instances().db_instance_identifier(id).send().await.unwrap();
        answer.db_instances()[0].clone()
    }

    async fn status(&self, id: &str) -> String {
        self.instance(id).await.db_instance_status().unwrap().to_owned()
    }

    /// Waits until an instance is available, and gives the statuses on the way.
    async fn available(&self, id: &str) -> Vec<String> {
        let (begun, mut seen) = (Instant::now(), Vec::new());
        loop {
            let status = self.status(id).await;
            if seen.last() != Some(&status) {
                seen.push(status.clone());
            }
            if status == "available" {
                return seen;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "{id} is still {status}");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }

    async fn messages(&self, id: &str, kind: SourceType) -> Vec<String> {
        let request = self.client.describe_events().source_identifier(id).source_type(kind);
        let mut pages = request.into_paginator().send();
        let mut messages = Vec::new();
        while let Some(page) = pages.next().await {
            messages.extend(page.unwrap().events().iter().map(|event| event.message().unwrap().to_owned()));
        }
        messages
    }

    fn resolve(&self, name: &str) -> Option<Ipv4Addr> {
        match self.world.zone.find(name, "A", 0.0) {
            Found::Records(records) => records.last()?.values.first()?.parse().ok(),
            _ => None,
        }
    }

    async fn connect(&self, name: &str) -> Option<tokio_postgres::Client> {
        let address = self.resolve(name)?;
        let text = format!(
            "host={address} port={PORT} user=firedrill password=s3cret dbname=orders connect_timeout=1"
        );
        let (client, connection) = tokio_postgres::connect(&text, NoTls).await.ok()?;
        tokio::spawn(connection);
        Some(client)
    }

    fn outage(&self, what: &str) -> (u64, f64) {
        let (from, to) = self.world.truth.account().span_of(what).expect("one outage, and it is over");
        (from, (to - from) as f64 / 1e9)
    }
}

fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, E>) -> String {
    answer.expect_err("a refusal").code().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_is_described() {
    let lab = lab(1).await;
    let mut pages = lab.client.describe_db_instances().into_paginator().send();
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await {
        ids.extend(
            page.unwrap().db_instances().iter().map(|db| db.db_instance_identifier().unwrap().to_owned()),
        );
    }
    assert_eq!(ids, ["orders-db", "orders-db-replica", "catalog-1", "catalog-2"]);

    let primary = lab.instance("Orders-DB").await;
    assert_eq!(primary.multi_az(), Some(true));
    assert_eq!(primary.availability_zone(), Some("eu-west-1a"));
    assert_eq!(primary.secondary_availability_zone(), Some("eu-west-1b"));
    assert_eq!(primary.read_replica_db_instance_identifiers(), ["orders-db-replica"]);
    assert_eq!(primary.endpoint().unwrap().port(), Some(5432));
    assert_eq!(primary.endpoint().unwrap().address().map(str::to_owned), lab.rds.endpoint("orders-db"));
    assert_eq!(primary.deletion_protection(), Some(true));
    assert!(primary.latest_restorable_time().is_some());
    assert_eq!(primary.tag_list()[0].value(), Some("orders"));

    let replica = lab.instance("orders-db-replica").await;
    assert_eq!(replica.read_replica_source_db_instance_identifier(), Some("orders-db"));
    assert_eq!(replica.secondary_availability_zone(), None);
    assert_eq!(replica.status_infos()[0].status(), Some("replicating"));
    lab.rds.freeze("orders-db-replica", true);
    assert_eq!(lab.instance("orders-db-replica").await.status_infos()[0].normal(), Some(false));

    let filter = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let members =
        lab.client.describe_db_instances().filters(filter("db-cluster-id", "catalog")).send().await.unwrap();
    assert_eq!(members.db_instances().len(), 2);
    let unknown = lab.client.describe_db_instances().filters(filter("colour", "red")).send().await;
    assert_eq!(refused(unknown.map_err(|error| error.into_service_error())), "InvalidParameterValue");

    let clusters = lab.client.describe_db_clusters().send().await.unwrap();
    let members = clusters.db_clusters()[0].db_cluster_members();
    assert_eq!(members.iter().map(|m| m.is_cluster_writer().unwrap()).collect::<Vec<_>>(), [true, false]);
    let arn = clusters.db_clusters()[0].db_cluster_arn().unwrap();
    let tags = lab.client.list_tags_for_resource().resource_name(arn).send().await.unwrap();
    assert_eq!(tags.tag_list()[0].value(), Some("catalog"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_is_refused_with_its_codes() {
    let lab = lab(2).await;
    let client = &lab.client;
    let absent = client.describe_db_instances().db_instance_identifier("nope").send().await.unwrap_err();
    assert!(absent.into_service_error().is_db_instance_not_found_fault());
    let absent = client.describe_db_clusters().db_cluster_identifier("nope").send().await.unwrap_err();
    assert!(absent.into_service_error().is_db_cluster_not_found_fault());
    let absent = client.failover_db_cluster().db_cluster_identifier("nope").send().await.unwrap_err();
    assert!(absent.into_service_error().is_db_cluster_not_found_fault());

    for id in ["orders-db-replica", "catalog-1"] {
        let single = client.reboot_db_instance().db_instance_identifier(id).force_failover(true).send().await;
        assert_eq!(
            refused(single.map_err(|error| error.into_service_error())),
            "InvalidParameterCombination"
        );
    }
    let no_replica =
        client.promote_read_replica().db_instance_identifier("orders-db").send().await.unwrap_err();
    assert!(no_replica.into_service_error().is_invalid_db_instance_state_fault());
    for id in ["orders-db", "orders-db-replica"] {
        let error = client.stop_db_instance().db_instance_identifier(id).send().await.unwrap_err();
        assert!(error.into_service_error().is_invalid_db_instance_state_fault(), "{id}");
    }
    let member = client.stop_db_instance().db_instance_identifier("catalog-1").send().await;
    assert_eq!(refused(member.map_err(|error| error.into_service_error())), "InvalidParameterCombination");
    let running = client.start_db_instance().db_instance_identifier("orders-db").send().await.unwrap_err();
    assert!(running.into_service_error().is_invalid_db_instance_state_fault());
    let writer = client
        .failover_db_cluster()
        .db_cluster_identifier("catalog")
        .target_db_instance_identifier("catalog-1");
    assert!(writer.send().await.unwrap_err().into_service_error().is_invalid_db_instance_state_fault());
    let events = client.describe_events().source_identifier("orders-db").send().await;
    assert_eq!(refused(events.map_err(|error| error.into_service_error())), "InvalidParameterCombination");
    let few = client.describe_db_instances().max_records(5).send().await;
    assert_eq!(refused(few.map_err(|error| error.into_service_error())), "InvalidParameterValue");

    let reboot =
        || client.reboot_db_instance().db_instance_identifier("orders-db").force_failover(true).send();
    let (one, two) = tokio::join!(reboot(), reboot());
    assert!(one.is_ok() != two.is_ok(), "of two calls at once one is refused");
    let third = reboot().await.unwrap_err();
    assert!(third.into_service_error().is_invalid_db_instance_state_fault());
    assert_eq!(lab.world.truth.account().lost("orders-db"), 0);
}

/// Writers at 200 rows a second in all, each going on where the name leads to; gives what was acknowledged.
async fn write(lab: Arc<Lab>, name: String, until: tokio::sync::watch::Receiver<bool>) -> BTreeSet<i64> {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4i64 {
        let (lab, name, until) = (Arc::clone(&lab), name.clone(), until.clone());
        writers.spawn(async move {
            let (mut seq, mut acknowledged) = (writer * 1_000_000, BTreeSet::new());
            while !*until.borrow() {
                let Some(client) = lab.connect(&name).await else {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                };
                let mut tick = tokio::time::interval(Duration::from_millis(20));
                while !*until.borrow() {
                    tick.tick().await;
                    seq += 1;
                    match client.execute("insert into ledger (seq) values ($1)", &[&seq]).await {
                        Ok(1) => acknowledged.insert(seq),
                        _ => break,
                    };
                }
            }
            acknowledged
        });
    }
    writers.join_all().await.into_iter().flatten().collect()
}

async fn stored(lab: &Lab, name: &str) -> BTreeSet<i64> {
    let client = lab.connect(name).await.expect("a writer");
    let rows = client.query("select seq from ledger order by seq", &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

async fn table(lab: &Lab) {
    let client = lab.connect(WRITER).await.expect("a writer");
    client
        .batch_execute("create table ledger (seq bigint primary key, at timestamptz default now())")
        .await
        .unwrap();
}

async fn fails_over(seed: u64) {
    let lab = Arc::new(lab(seed).await);
    table(&lab).await;
    let endpoint = lab.rds.endpoint(PRIMARY).unwrap();
    let (stop, until) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(write(Arc::clone(&lab), endpoint.clone(), until));
    tokio::time::sleep(Duration::from_millis(400 + seed * 37)).await;
    let reboot = lab.client.reboot_db_instance().db_instance_identifier(PRIMARY).force_failover(true);
    let answer = reboot.send().await.unwrap();
    assert_eq!(answer.db_instance().unwrap().db_instance_status(), Some("rebooting"));
    assert_eq!(lab.available(PRIMARY).await, ["rebooting", "available"]);
    tokio::time::sleep(Duration::from_millis(300)).await;
    stop.send(true).unwrap();
    let acknowledged = writing.await.unwrap();
    let stored = stored(&lab, &endpoint).await;
    assert!(acknowledged.len() > 80, "{}", acknowledged.len());
    assert_eq!(acknowledged.difference(&stored).count(), 0);
    assert_eq!(lab.world.truth.account().lost(PRIMARY), 0);

    let after = lab.instance(PRIMARY).await;
    assert_eq!(after.availability_zone(), Some("eu-west-1b"));
    assert_eq!(after.secondary_availability_zone(), Some("eu-west-1a"));
    let (_, seconds) = lab.outage(PRIMARY);
    assert!((1.9..5.5).contains(&seconds), "seed {seed}: {seconds} s");
    assert!((lab.outage("orders-db writer name").1 - seconds).abs() < 1e-9);
    let messages = lab.messages(PRIMARY, SourceType::DbInstance).await;
    let expected = [
        "Multi-AZ instance failover started.",
        "DB instance restarted",
        "The user requested a failover of the DB instance.",
        "Multi-AZ instance failover completed",
    ];
    assert_eq!(messages, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_multi_az_failover_swaps_the_zones_and_loses_nothing() {
    tokio::join!(fails_over(11), fails_over(12), fails_over(13));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_failover_goes_back() {
    let lab = lab(21).await;
    table(&lab).await;
    let reboot =
        || lab.client.reboot_db_instance().db_instance_identifier(PRIMARY).force_failover(true).send();
    reboot().await.unwrap();
    lab.available(PRIMARY).await;
    let early = reboot().await.unwrap_err().into_service_error();
    assert!(early.is_invalid_db_instance_state_fault(), "the old primary is not in sync yet: {early:?}");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let client = lab.connect(WRITER).await.unwrap();
    client.batch_execute("insert into ledger values (1)").await.unwrap();
    reboot().await.unwrap();
    lab.available(PRIMARY).await;
    assert_eq!(lab.instance(PRIMARY).await.availability_zone(), Some("eu-west-1a"));
    assert_eq!(stored(&lab, WRITER).await, BTreeSet::from([1]));
}

/// Drill 3: the primary is lost, the replica is promoted, the writer's name is flipped.
async fn promotes(seed: u64, frozen: bool) -> usize {
    let lab = Arc::new(lab(seed).await);
    table(&lab).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let (stop, until) = tokio::sync::watch::channel(false);
    let writing = tokio::spawn(write(Arc::clone(&lab), WRITER.to_owned(), until));
    tokio::time::sleep(Duration::from_millis(700)).await;
    lab.rds.freeze(REPLICA, frozen);
    tokio::time::sleep(Duration::from_millis(300 + seed * 29)).await;
    lab.client.reboot_db_instance().db_instance_identifier(PRIMARY).send().await.unwrap();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let begun = Instant::now();
    let answer = lab.client.promote_read_replica().db_instance_identifier(REPLICA).send().await.unwrap();
    assert_eq!(answer.db_instance().unwrap().db_instance_status(), Some("modifying"));
    let statuses = lab.available(REPLICA).await;
    assert!(
        statuses.contains(&"rebooting".to_owned()) && statuses.contains(&"backing-up".to_owned()),
        "{statuses:?}"
    );
    let took = begun.elapsed().as_secs_f64();
    assert!((1.8..4.0).contains(&took), "{took}");
    let replica = lab.instance(REPLICA).await;
    assert_eq!(replica.read_replica_source_db_instance_identifier(), None);
    assert!(lab.instance(PRIMARY).await.read_replica_db_instance_identifiers().is_empty());
    assert_eq!(lab.status(PRIMARY).await, "rebooting", "a reboot takes longer than a promotion");

    let flipped = RecordSet::simple(WRITER, "CNAME", 1, lab.rds.endpoint(REPLICA).unwrap());
    lab.world.zone.apply(vec![ZoneChange::Put(flipped)]);
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.send(true).unwrap();
    let acknowledged = writing.await.unwrap();
    let stored = stored(&lab, WRITER).await;
    let absent = acknowledged.difference(&stored).count();
    assert_eq!(absent as u64, lab.world.truth.account().lost(PRIMARY), "seed {seed}, frozen {frozen}");
    let after = acknowledged.intersection(&stored).count();
    assert!(after > 60, "{after} survived or were written after the flip");
    let (_, seconds) = lab.outage("orders-db writer name");
    assert!((1.5..7.0).contains(&seconds), "{seconds}");
    absent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_loses_exactly_what_the_truth_says() {
    let (one, two, three) = tokio::join!(promotes(31, false), promotes(32, true), promotes(33, false));
    assert!(one > 20 && two > 20 && three > 20, "half a second at 200 a second: {one} {two} {three}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reboot_is_a_long_crash_recovery_that_keeps_everything() {
    let lab = lab(41).await;
    table(&lab).await;
    let client = lab.connect(WRITER).await.unwrap();
    client.batch_execute("insert into ledger values (1), (2)").await.unwrap();
    let before = boottime_ns();
    lab.client.reboot_db_instance().db_instance_identifier(PRIMARY).send().await.unwrap();
    let mut codes = BTreeSet::new();
    let address = lab.resolve(WRITER).unwrap();
    while lab.status(PRIMARY).await != "available" {
        let text = format!("host={address} port={PORT} user=firedrill password=s3cret dbname=orders");
        if let Err(error) = tokio_postgres::connect(&text, NoTls).await {
            codes.insert(error.code().map_or("refused".to_owned(), |code| code.code().to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Who is just being let in when it goes down is told so, as by PostgreSQL: a matter of the moment.
    codes.remove("57P01");
    assert_eq!(codes, BTreeSet::from(["57P03".to_owned(), "refused".to_owned()]));
    let (from, seconds) = lab.outage(PRIMARY);
    assert!(from > before && (9.0..12.5).contains(&seconds), "{seconds}");
    assert_eq!(stored(&lab, WRITER).await, BTreeSet::from([1, 2]));
    assert_eq!(lab.instance(PRIMARY).await.availability_zone(), Some("eu-west-1a"));
    assert_eq!(
        lab.messages(PRIMARY, SourceType::DbInstance).await,
        ["DB instance shutdown", "DB instance restarted"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_replica_can_be_stopped_and_started() {
    let lab = lab(51).await;
    lab.client.promote_read_replica().db_instance_identifier(REPLICA).send().await.unwrap();
    lab.available(REPLICA).await;
    let again = lab.client.promote_read_replica().db_instance_identifier(REPLICA).send().await.unwrap_err();
    assert!(again.into_service_error().is_invalid_db_instance_state_fault());
    lab.client.stop_db_instance().db_instance_identifier(REPLICA).send().await.unwrap();
    while lab.status(REPLICA).await != "stopped" {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let endpoint = lab.rds.endpoint(REPLICA).unwrap();
    assert!(lab.connect(&endpoint).await.is_none());
    lab.client.start_db_instance().db_instance_identifier(REPLICA).send().await.unwrap();
    lab.available(REPLICA).await;
    let client = lab.connect(&endpoint).await.unwrap();
    client.batch_execute("create table t (a int); insert into t values (1)").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aurora_failover_moves_the_writer_and_the_name() {
    let lab = lab(61).await;
    let name = lab.rds.cluster_endpoint(CLUSTER).unwrap();
    let before = lab.resolve(&name);
    let answer = lab.client.failover_db_cluster().db_cluster_identifier(CLUSTER).send().await.unwrap();
    assert_eq!(answer.db_cluster().unwrap().status(), Some("failing-over"));
    let again = lab.client.failover_db_cluster().db_cluster_identifier(CLUSTER).send().await.unwrap_err();
    assert!(again.into_service_error().is_invalid_db_cluster_state_fault());
    let begun = Instant::now();
    let members = loop {
        let answer = lab.client.describe_db_clusters().db_cluster_identifier(CLUSTER).send().await.unwrap();
        let cluster = answer.db_clusters()[0].clone();
        if cluster.status() == Some("available") {
            break cluster.db_cluster_members().to_vec();
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(30)).await;
    };
    assert_eq!(members.iter().map(|m| m.is_cluster_writer().unwrap()).collect::<Vec<_>>(), [false, true]);
    assert_ne!(lab.resolve(&name), before);
    let (_, seconds) = lab.outage(CLUSTER);
    assert!((1.0..5.0).contains(&seconds), "{seconds}");
    let expected = [
        "Started cross AZ failover to DB instance: catalog-2",
        "Completed failover to DB instance: catalog-2",
    ];
    assert_eq!(lab.messages(CLUSTER, SourceType::DbCluster).await, expected);
    lab.client.failover_db_cluster().db_cluster_identifier(CLUSTER).send().await.unwrap();
}
