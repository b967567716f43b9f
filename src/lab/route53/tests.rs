//! Route 53 by the SDK's own client, and the DNS server behind it.

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ChangeStatus, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, RrType,
};

use crate::lab::tests::{Clients, code, eventually, resolve};
use crate::lab::{Lab, Settings};

struct Bed {
    lab: Lab,
    clients: Clients,
    zone: String,
}

fn bed() -> Bed {
    let lab = Lab::start(Settings { seed: 13, ..Settings::default() }).expect("a lab");
    let clients = Clients::of(&lab);
    let zone = lab.values()["zone_id"].clone();
    Bed { lab, clients, zone }
}

fn set(name: &str, kind: RrType, values: &[&str]) -> ResourceRecordSet {
    let records =
        values.iter().map(|value| ResourceRecord::builder().value(*value).build().expect("a record"));
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(1)
        .set_resource_records(Some(records.collect()))
        .build()
        .expect("a set")
}

impl Bed {
    async fn change(&self, changes: &[(ChangeAction, ResourceRecordSet)]) -> Result<String, String> {
        let changes = changes.iter().map(|(action, set)| {
            let change = Change::builder().action(action.clone()).resource_record_set(set.clone());
            change.build().expect("a change")
        });
        let batch = ChangeBatch::builder().set_changes(Some(changes.collect())).build().expect("a batch");
        let call = self.clients.route53().change_resource_record_sets();
        let answer = call.hosted_zone_id(&self.zone).change_batch(batch).send().await;
        if answer.is_err() {
            let message =
                answer.as_ref().err().and_then(aws_sdk_route53::error::ProvideErrorMetadata::message);
            return Err(format!("{} {}", code(&answer), message.unwrap_or_default()));
        }
        let info = answer.expect("checked").change_info().cloned().expect("a change");
        assert_eq!(info.status(), &ChangeStatus::Pending);
        Ok(info.id().to_owned())
    }

    async fn synced(&self, change: &str) {
        eventually("in sync", || async {
            let answer = self.clients.route53().get_change().id(change).send().await.expect("a change");
            answer.change_info().map(|info| info.status()) == Some(&ChangeStatus::Insync)
        })
        .await;
    }

    fn resolve(&self, name: &str) -> Vec<String> {
        resolve(self.lab.resolver(), name).iter().map(ToString::to_string).collect()
    }
}

#[tokio::test]
async fn zones_and_record_sets_are_listed_in_pages() {
    let bed = bed();
    let route53 = bed.clients.route53();
    let zones = route53.list_hosted_zones().send().await.expect("zones");
    assert_eq!(zones.hosted_zones()[0].name(), "lab.test.");
    assert_eq!(zones.hosted_zones()[0].id(), format!("/hostedzone/{}", bed.zone));
    let named = |name: &str| route53.list_hosted_zones_by_name().dns_name(name).send();
    assert_eq!(named("lab.test").await.expect("zones").hosted_zones().len(), 1);
    assert_eq!(named("z.test").await.expect("zones").hosted_zones().len(), 0);
    let zone = route53.get_hosted_zone().id(&bed.zone).send().await.expect("a zone");
    assert_eq!(zone.hosted_zone().and_then(|zone| zone.resource_record_set_count()), Some(6));
    assert_eq!(code(&route53.get_hosted_zone().id("ZNONE").send().await), "NoSuchHostedZone");

    let mut seen = Vec::new();
    let mut from: (Option<String>, Option<RrType>) = (None, None);
    loop {
        let call = route53.list_resource_record_sets().hosted_zone_id(&bed.zone).max_items(2);
        let page =
            call.set_start_record_name(from.0).set_start_record_type(from.1).send().await.expect("a page");
        assert!(page.resource_record_sets().len() <= 2);
        seen.extend(page.resource_record_sets().iter().map(|set| format!("{} {}", set.name(), set.r#type())));
        if !page.is_truncated() {
            break;
        }
        from = (page.next_record_name().map(str::to_owned), page.next_record_type().cloned());
    }
    assert_eq!(
        seen,
        [
            "lab.test. NS",
            "lab.test. SOA",
            "checkout.lab.test. A",
            "db.lab.test. CNAME",
            "shop.lab.test. A",
            "www.lab.test. A",
        ]
    );
    let list = route53.list_resource_record_sets().hosted_zone_id("ZNONE").send().await;
    assert_eq!(code(&list), "NoSuchHostedZone");
}

#[tokio::test]
async fn a_change_is_pending_then_served_then_in_sync() {
    let bed = bed();
    let before = bed.resolve("www.lab.test");
    let change = bed
        .change(&[(ChangeAction::Upsert, set("www.lab.test", RrType::A, &["127.9.9.9"]))])
        .await
        .expect("accepted");
    assert_eq!(bed.resolve("www.lab.test"), before, "not served yet");
    let call = bed.clients.route53().list_resource_record_sets().hosted_zone_id(&bed.zone);
    let listed =
        call.start_record_name("www.lab.test").start_record_type(RrType::A).send().await.expect("sets");
    assert_eq!(listed.resource_record_sets()[0].resource_records()[0].value(), "127.9.9.9");
    bed.synced(&change).await;
    assert_eq!(bed.resolve("www.lab.test"), ["127.9.9.9"]);
    assert_eq!(code(&bed.clients.route53().get_change().id("CNONE").send().await), "NoSuchChange");
}

#[tokio::test]
async fn a_batch_is_made_as_a_whole_or_not_at_all() {
    let bed = bed();
    let new = set("new.lab.test", RrType::A, &["127.9.9.1"]);
    let refused = bed
        .change(&[
            (ChangeAction::Create, new.clone()),
            (ChangeAction::Create, set("www.lab.test", RrType::A, &["127.9.9.2"])),
            (ChangeAction::Delete, set("gone.lab.test", RrType::A, &["127.9.9.2"])),
            (ChangeAction::Delete, set("shop.lab.test", RrType::A, &["127.9.9.2"])),
        ])
        .await
        .expect_err("refused");
    assert!(refused.starts_with("InvalidChangeBatch [Tried to create"), "{refused}");
    for part in ["but it already exists", "but it was not found", "do not match the current values"] {
        assert!(refused.contains(part), "{refused}");
    }
    let change = bed.change(&[(ChangeAction::Create, new.clone())]).await.expect("not made before");
    bed.synced(&change).await;
    assert_eq!(bed.resolve("new.lab.test"), ["127.9.9.1"]);
    let change = bed.change(&[(ChangeAction::Delete, new)]).await.expect("an exact match");
    bed.synced(&change).await;
    assert_eq!(bed.resolve("new.lab.test"), Vec::<String>::new());
    for wrong in [
        set("www.example.com", RrType::A, &["127.9.9.1"]),
        set("www.lab.test", RrType::Cname, &["shop.lab.test"]),
        set("x.lab.test", RrType::A, &["300.1.1.1"]),
    ] {
        let refused = bed.change(&[(ChangeAction::Upsert, wrong)]).await.expect_err("refused");
        assert!(refused.starts_with("InvalidChangeBatch "), "{refused}");
    }
}

#[tokio::test]
async fn a_later_change_never_arrives_before_an_earlier_one() {
    let bed = bed();
    let mut last = String::new();
    for number in 1..=8 {
        let value = format!("127.9.9.{number}");
        let upsert = (ChangeAction::Upsert, set("www.lab.test", RrType::A, &[&value]));
        last = bed.change(&[upsert]).await.expect("accepted");
    }
    bed.synced(&last).await;
    assert_eq!(bed.resolve("www.lab.test"), ["127.9.9.8"]);
}

#[tokio::test]
async fn weighted_and_failover_sets_are_served() {
    let bed = bed();
    let identified = |name: &str, id: &str, value: &str| {
        let mut set = set(name, RrType::A, &[value]);
        set.set_identifier = Some(id.to_owned());
        set
    };
    let mut one = identified("w.lab.test", "one", "127.9.9.1");
    one.weight = Some(1);
    let mut all = identified("w.lab.test", "all", "127.9.9.2");
    all.weight = Some(0);
    let mut primary = identified("f.lab.test", "p", "127.9.9.3");
    primary.failover = Some(ResourceRecordSetFailover::Primary);
    let mut secondary = identified("f.lab.test", "s", "127.9.9.4");
    secondary.failover = Some(ResourceRecordSetFailover::Secondary);
    let create = |set: &ResourceRecordSet| (ChangeAction::Create, set.clone());
    let change = bed.change(&[create(&one), create(&all), create(&primary), create(&secondary)]).await;
    bed.synced(&change.expect("accepted")).await;
    assert_eq!(bed.resolve("w.lab.test"), ["127.9.9.1"]);
    assert_eq!(bed.resolve("f.lab.test"), ["127.9.9.3"]);
    bed.lab.set_primary_health("f.lab.test", false);
    assert_eq!(bed.resolve("f.lab.test"), ["127.9.9.4"]);

    one.weight = Some(0);
    all.weight = Some(5);
    let upsert = |set: &ResourceRecordSet| (ChangeAction::Upsert, set.clone());
    let change = bed.change(&[upsert(&one), upsert(&all)]).await.expect("accepted");
    bed.synced(&change).await;
    assert_eq!(bed.resolve("w.lab.test"), ["127.9.9.2"]);
    let call = bed.clients.route53().list_resource_record_sets().hosted_zone_id(&bed.zone);
    let listed = call.start_record_name("w.lab.test").send().await.expect("sets");
    let weights: Vec<_> = listed
        .resource_record_sets()
        .iter()
        .filter(|set| set.name() == "w.lab.test.")
        .map(|set| (set.set_identifier(), set.weight()))
        .collect();
    assert_eq!(weights, [(Some("all"), Some(5)), (Some("one"), Some(0))]);
    let simple = set("w.lab.test", RrType::A, &["127.9.9.5"]);
    assert!(bed.change(&[(ChangeAction::Create, simple)]).await.is_err(), "simple beside weighted");
}
