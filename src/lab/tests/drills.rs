//! The faults that drills inject, seen by plain clients and held against the truth.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};

use super::support::{Client, Clients, eventually, get, resolve};
use crate::clock::boottime_ns;
use crate::lab::{Lab, Settings};

/// A request to a load balancer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: u64,
    done: u64,
    status: u16,
}

/// Asks every 10 ms until `until` says so after a request.
async fn watch(
    address: impl Fn() -> IpAddr + Send + Clone + 'static,
    until: impl Fn(&[Sample]) -> bool,
) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    let begun = std::time::Instant::now();
    while !until(&samples) {
        assert!(begun.elapsed() < Duration::from_secs(25), "not over in 25 s");
        let ask = address.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let sent = boottime_ns();
            let status = get(ask(), "/health").map_or(0, |said| said.status);
            Sample { sent, done: boottime_ns(), status }
        });
        samples.push(asked.await.expect("a sample"));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    samples
}

fn bad(sample: &&Sample) -> bool {
    sample.status != 200
}

/// Something failed, and since then for a second nothing did.
fn recovered(samples: &[Sample]) -> bool {
    let last_bad = samples.iter().filter(bad).map(|sample| sample.done).max();
    let last = samples.last().map_or(0, |sample| sample.done);
    last_bad.is_some_and(|bad| last.saturating_sub(bad) > 1_000_000_000)
}

fn seconds(from: u64, to: u64) -> f64 {
    to.saturating_sub(from) as f64 / 1e9
}

/// Every failed request overlaps the truth's outage, and it begins and ends where the requests say.
fn agrees(samples: &[Sample], (from, to): (u64, u64)) {
    for sample in samples.iter().filter(bad) {
        assert!(sample.done >= from && sample.sent <= to, "{sample:?} outside of {from}..{to}");
    }
    let first = samples.iter().filter(bad).map(|sample| sample.done).min().expect("a failure");
    let last = samples.iter().filter(bad).map(|sample| sample.sent).max().expect("a failure");
    // Half of the requests, 10 ms apart, go to what is dead.
    assert!(seconds(from, first) < 0.3, "first failure {} s after {from}", seconds(from, first));
    assert!(seconds(last, to) < 0.3, "last failure {} s before {to}", seconds(last, to));
}

/// Makes a record point elsewhere.
async fn flip(lab: &Lab, name: &str, kind: RrType, value: &str) {
    let record = ResourceRecord::builder().value(value).build().expect("a record");
    let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(1).resource_records(record);
    let change = Change::builder()
        .action(ChangeAction::Upsert)
        .resource_record_set(set.build().expect("a set"))
        .build()
        .expect("a change");
    let batch = ChangeBatch::builder().changes(change).build().expect("a batch");
    let call = Clients::of(lab).route53().change_resource_record_sets();
    call.hosted_zone_id(&lab.values()["zone_id"]).change_batch(batch).send().await.expect("flipped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_of_the_requests_fail_until_a_terminated_instance_is_marked_out() {
    for seed in [1, 2] {
        let lab = Lab::start(Settings { seed, ..Settings::default() }).expect("a lab");
        let clients = Clients::of(&lab);
        let victim = clients.instances("storefront").await.remove(0);
        let shop = resolve(lab.resolver(), "shop.lab.test")[0];
        let before = boottime_ns();
        clients.ec2().terminate_instances().instance_ids(&victim).send().await.expect("terminated");
        let called = boottime_ns();
        let samples = watch(move || shop, recovered).await;
        let truth = lab.truth();
        let (from, to) = truth.span_of("storefront").expect("an outage that is over");
        assert!((before..=called).contains(&from), "closed within the call");
        agrees(&samples, (from, to));
        let within: Vec<&Sample> =
            samples.iter().filter(|sample| sample.sent > from && sample.done < to).collect();
        let share = within.iter().copied().filter(bad).count() as f64 / within.len() as f64;
        assert!((share - 0.5).abs() < 0.1, "{share}");
        assert!(truth.outages_of("storefront").all(|outage| outage.share_failing == 0.5), "{truth:?}");
        let lasted = seconds(from, to);
        assert!((0.9..3.0).contains(&lasted), "{lasted} s");
        // The group replaces it.
        eventually("a replacement", || async {
            let now = clients.instances("storefront").await;
            now.len() == 2 && !now.contains(&victim)
        })
        .await;
        eventually("the end of the victim", || async { clients.state(&victim).await == "terminated" }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_site_is_down_until_the_record_leads_to_the_other() {
    let lab = Lab::start(Settings { seed: 3, ..Settings::default() }).expect("a lab");
    let clients = Clients::of(&lab);
    let mut site_a = Vec::new();
    for id in clients.instances("www").await {
        let described = clients.ec2().describe_instances().instance_ids(&id).send().await.expect("instance");
        let instance = described.reservations()[0].instances()[0].clone();
        if instance.tags().iter().any(|tag| tag.key() == Some("site") && tag.value() == Some("a")) {
            site_a.push(id);
        }
    }
    assert_eq!(site_a.len(), 2);
    let resolver = lab.resolver();
    let www = move || resolve(resolver, "www.lab.test")[0];
    assert_eq!(get(www(), "/health").expect("site a").header("x-site"), Some("a"));
    let before = boottime_ns();
    clients.ec2().stop_instances().set_instance_ids(Some(site_a.clone())).send().await.expect("stopped");
    let called = boottime_ns();
    assert_eq!(lab.truth().span_of("www"), None, "still down");

    let values = lab.values();
    flip(&lab, &values["www_record"], RrType::A, &values["standby_address"]).await;
    let samples = watch(www, recovered).await;
    assert_eq!(resolve(resolver, "www.lab.test"), [values["standby_address"].parse::<IpAddr>().expect("ip")]);
    assert_eq!(get(www(), "/health").expect("site b").header("x-site"), Some("b"));
    let truth = lab.truth();
    let (from, to) = truth.span_of("www").expect("an outage that is over");
    assert!((before..=called).contains(&from));
    agrees(&samples, (from, to));

    // Undone: the instances start again, and serve.
    eventually("both stopped", || async {
        clients.state(&site_a[0]).await == "stopped" && clients.state(&site_a[1]).await == "stopped"
    })
    .await;
    clients.ec2().start_instances().set_instance_ids(Some(site_a.clone())).send().await.expect("started");
    let address: IpAddr = lab.region.world.subnet.address(crate::lab::world::host::BALANCER + 1).into();
    eventually("site a serves", || async move {
        get(address, "/health").is_ok_and(|said| said.status == 200 && said.header("x-site") == Some("a"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_task_is_replaced_and_what_it_stored_stays() {
    let lab = Lab::start(Settings { seed: 4, ..Settings::default() }).expect("a lab");
    let clients = Clients::of(&lab);
    let checkout = resolve(lab.resolver(), "checkout.lab.test")[0];
    let entries = SocketAddr::new(checkout, 8080);
    let store = |seq: u64| {
        let body = format!(r#"{{"run":"r1","seq":{seq}}}"#);
        Client::post(entries, "/entries", &format!("r1-{seq}"), &body).map_or(0, |said| said.status)
    };
    let mut acknowledged: Vec<u64> = (0..10).filter(|seq| store(*seq) == 201).collect();
    assert_eq!(acknowledged.len(), 10);
    let tasks =
        clients.ecs().list_tasks().cluster("shop").service_name("checkout").send().await.expect("tasks");
    let victim = tasks.task_arns()[0].clone();
    clients.ecs().stop_task().cluster("shop").task(&victim).send().await.expect("stopped");
    acknowledged.extend((10..30).filter(|seq| store(*seq) == 201));
    assert!(acknowledged.len() < 30, "some writes failed");
    let samples = watch(move || checkout, recovered).await;
    let truth = lab.truth();
    let (from, to) = truth.span_of("checkout").expect("an outage that is over");
    agrees(&samples, (from, to));
    assert!((0.3..4.0).contains(&seconds(from, to)), "{}", seconds(from, to));
    let listed = Client::get(entries, "/entries?run=r1", "x").expect("the entries").body;
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("json");
    assert_eq!(listed["seqs"], serde_json::json!(acknowledged));
    eventually("a steady service", || async {
        let services = clients
            .ecs()
            .describe_services()
            .cluster("shop")
            .services("checkout")
            .send()
            .await
            .expect("service");
        services.services()[0].running_count() == 2
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_primary_is_down_until_the_writer_name_leads_to_the_promoted_replica() {
    let lab = Lab::start(Settings { seed: 6, ..Settings::default() }).expect("a lab");
    let (rds, values) = (Clients::of(&lab).rds(), lab.values());
    let what = "orders-db writer name";
    rds.reboot_db_instance().db_instance_identifier(&values["db_instance"]).send().await.expect("rebooted");
    eventually("the primary's end", || async { lab.truth().outages_of(what).count() == 1 }).await;
    rds.promote_read_replica().db_instance_identifier(&values["db_replica"]).send().await.expect("promoted");
    eventually("the promotion", || async {
        let call = rds.describe_db_instances().db_instance_identifier(&values["db_replica"]);
        let answer = call.send().await.expect("the replica");
        let replica = &answer.db_instances()[0];
        replica.db_instance_status() == Some("available")
            && replica.read_replica_source_db_instance_identifier().is_none()
    })
    .await;
    assert_eq!(lab.truth().span_of(what), None, "the name still leads to the primary");
    let before = boottime_ns();
    flip(&lab, &values["writer_record"], RrType::Cname, &values["replica_endpoint"]).await;
    eventually("the flip", || async {
        resolve(lab.resolver(), &values["writer_record"])
            == resolve(lab.resolver(), &values["replica_endpoint"])
    })
    .await;
    let (from, to) = lab.truth().span_of(what).expect("an outage that is over");
    assert!((before..=boottime_ns()).contains(&to));
    assert!((1.0..9.0).contains(&seconds(from, to)), "{}", seconds(from, to));
    assert_eq!(lab.truth().span_of("orders-db"), None, "the primary is still in crash recovery");
    let losses: Vec<(String, u64)> =
        lab.truth().losses.into_iter().map(|loss| (loss.what, loss.count)).collect();
    assert_eq!(losses, [("orders-db".to_owned(), 0)], "nothing was written");
}
