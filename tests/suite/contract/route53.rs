//! Route 53: record sets that come back exactly, and batches that are made whole or not at all.

use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover, RrType,
    Tag, TagResourceType,
};

use super::side::{Side, Told, code, eventually};

async fn all(route53: &Client, zone: &str) -> Vec<ResourceRecordSet> {
    let answer = route53.list_resource_record_sets().hosted_zone_id(zone).send().await;
    answer.expect("record sets").resource_record_sets
}

/// Makes in `to` the zone that there is in `from`; its id.
pub(super) async fn copy(from: &Side, to: &Side) -> String {
    let sets = all(&Client::new(&from.config()), &from.zone).await;
    let route53 = Client::new(&to.config());
    let made = route53.create_hosted_zone().name("lab.test").caller_reference("contract").send().await;
    let zone = made.expect("moto makes a zone").hosted_zone.expect("it is in the answer").id;
    let apex = |set: &ResourceRecordSet| matches!(set.r#type, RrType::Ns | RrType::Soa);
    let at = Zone { route53, id: zone.trim_start_matches("/hostedzone/").to_owned() };
    for set in sets.into_iter().filter(|set| !apex(set)) {
        assert_eq!(at.change(&[(ChangeAction::Create, set)]).await, "accepted");
    }
    for (key, value) in tags(&Client::new(&from.config()), &from.zone).await {
        let tag = Tag::builder().key(key).value(value).build();
        let change = at.route53.change_tags_for_resource().resource_id(&at.id).add_tags(tag);
        change.resource_type(TagResourceType::Hostedzone).send().await.expect("moto tags a zone");
    }
    at.id
}

/// A zone's tags, sorted.
async fn tags(route53: &Client, zone: &str) -> Vec<(String, String)> {
    let call = route53.list_tags_for_resource().resource_type(TagResourceType::Hostedzone).resource_id(zone);
    let set = call.send().await.expect("tags").resource_tag_set.expect("a set");
    let pair = |tag: &Tag| (tag.key.clone().unwrap_or_default(), tag.value.clone().unwrap_or_default());
    let mut tags: Vec<_> = set.tags().iter().map(pair).collect();
    tags.sort();
    tags
}

/// One side's zone.
struct Zone {
    route53: Client,
    id: String,
}

impl Zone {
    /// The code of a batch's answer.
    async fn change(&self, changes: &[(ChangeAction, ResourceRecordSet)]) -> String {
        let changes = changes.iter().map(|(action, set)| {
            let change = Change::builder().action(action.clone()).resource_record_set(set.clone());
            change.build().expect("a change is complete")
        });
        let batch = ChangeBatch::builder().set_changes(Some(changes.collect())).build().expect("a batch");
        let call = self.route53.change_resource_record_sets().hosted_zone_id(&self.id);
        code(&call.change_batch(batch).send().await)
    }

    /// The record sets of a name, each with all that it says.
    async fn of(&self, name: &str) -> String {
        let sets = all(&self.route53, &self.id).await;
        let mut lines: Vec<String> =
            sets.iter().filter(|set| set.name == format!("{name}.")).map(line).collect();
        lines.sort();
        lines.join("; ")
    }
}

fn line(set: &ResourceRecordSet) -> String {
    let mut line = format!("{} ttl {}", set.r#type.as_str(), set.ttl.unwrap_or(-1));
    for record in set.resource_records() {
        line.push_str(&format!(" {}", record.value));
    }
    if let Some(identifier) = &set.set_identifier {
        line.push_str(&format!(" [{identifier}]"));
    }
    if let Some(weight) = set.weight {
        line.push_str(&format!(" weight {weight}"));
    }
    if let Some(failover) = &set.failover {
        line.push_str(&format!(" {}", failover.as_str()));
    }
    line
}

fn set(name: &str, kind: RrType, ttl: i64, values: &[&str]) -> ResourceRecordSet {
    let records =
        values.iter().map(|value| ResourceRecord::builder().value(*value).build().expect("a record"));
    let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(ttl);
    set.set_resource_records(Some(records.collect())).build().expect("a set is complete")
}

fn routed(mut set: ResourceRecordSet, identifier: &str) -> ResourceRecordSet {
    set.set_identifier = Some(identifier.to_owned());
    set
}

pub(super) async fn rows(at: &Side, told: &mut Told) {
    let zone = Zone { route53: Client::new(&at.config()), id: at.zone.clone() };
    zones(&zone, told).await;
    pages(&zone, told).await;
    there_and_back(&zone, told).await;
    policies(&zone, told).await;
    refused(&zone, told).await;
    changes(&zone, told).await;
}

async fn zones(zone: &Zone, told: &mut Told) {
    let by_name = |name: &str| zone.route53.list_hosted_zones_by_name().dns_name(name).send();
    let found = by_name("lab.test").await.expect("zones");
    let first = &found.hosted_zones()[0];
    told.row("ListHostedZonesByName: name", "lab.test.", first.name());
    told.row("ListHostedZonesByName: id", &format!("/hostedzone/{}", zone.id), first.id());
    let get = zone.route53.get_hosted_zone().id(&zone.id).send().await.expect("a zone");
    told.row("GetHostedZone", "lab.test.", get.hosted_zone().map(|zone| zone.name()).unwrap_or_default());
    let tags: Vec<String> = tags(&zone.route53, &zone.id)
        .await
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    told.row("ListTagsForResource", "app=edge, firedrill:opt-in=true", tags.join(", "));
    let absent = "NoSuchHostedZone";
    told.row(
        "GetHostedZone, unknown",
        absent,
        code(&zone.route53.get_hosted_zone().id("ZNOPE").send().await),
    );
    let answer = zone.route53.list_resource_record_sets().hosted_zone_id("ZNOPE").send().await;
    told.row("ListResourceRecordSets, unknown zone", absent, code(&answer));
    let stranger = Zone { route53: zone.route53.clone(), id: "ZNOPE".to_owned() };
    let change = [(ChangeAction::Upsert, set("x.lab.test", RrType::A, 1, &["127.0.0.1"]))];
    told.row("ChangeResourceRecordSets, unknown zone", absent, stranger.change(&change).await);
}

async fn pages(zone: &Zone, told: &mut Told) {
    let mut seen = Vec::new();
    let mut from: (Option<String>, Option<RrType>) = (None, None);
    // Six sets: three pages, and one more would be one too many.
    for _ in 0..4 {
        let call = zone.route53.list_resource_record_sets().hosted_zone_id(&zone.id).max_items(2);
        let page = call.set_start_record_name(from.0).set_start_record_type(from.1).send().await;
        let page = page.expect("a page");
        let sets: Vec<String> = page
            .resource_record_sets
            .iter()
            .map(|set| format!("{} {}", set.name, set.r#type.as_str()))
            .collect();
        seen.push(sets.join(", "));
        if !page.is_truncated {
            break;
        }
        from = (page.next_record_name, page.next_record_type);
    }
    told.row(
        "ListResourceRecordSets, maxitems 2",
        "lab.test. NS, lab.test. SOA | checkout.lab.test. A, db.lab.test. CNAME | shop.lab.test. A, www.lab.test. A",
        seen.join(" | "),
    );
    let call = zone.route53.list_resource_record_sets().hosted_zone_id(&zone.id);
    let page = call.start_record_name("shop.lab.test").start_record_type(RrType::A).max_items(1).send().await;
    let page = page.expect("a page");
    told.row("ListResourceRecordSets, from a name", "shop.lab.test.", &page.resource_record_sets[0].name);
}

async fn there_and_back(zone: &Zone, told: &mut Told) {
    let was = all(&zone.route53, &zone.id).await.into_iter().find(|set| set.name == "www.lab.test.");
    let was = was.expect("there is a www");
    let new = set("www.lab.test", RrType::A, 7, &["127.0.0.8", "127.0.0.9"]);
    told.row("UPSERT", "accepted", zone.change(&[(ChangeAction::Upsert, new.clone())]).await);
    told.row("… reads back exactly", "A ttl 7 127.0.0.8 127.0.0.9", zone.of("www.lab.test").await);
    let other = set("www.lab.test", RrType::A, 7, &["127.0.0.7"]);
    let delete = |set: &ResourceRecordSet| [(ChangeAction::Delete, set.clone())];
    let refused = "InvalidChangeBatch";
    // moto has another code for it, and goes by what it ever made: what is gone it deletes again.
    let moto = "InvalidInput";
    told.but_moto("DELETE with another value", refused, moto, zone.change(&delete(&other)).await);
    let mut longer = new.clone();
    longer.ttl = Some(8);
    told.but_moto("DELETE with another TTL", refused, moto, zone.change(&delete(&longer)).await);
    told.row("… and it is still there", "A ttl 7 127.0.0.8 127.0.0.9", zone.of("www.lab.test").await);
    told.row("DELETE of what is there", "accepted", zone.change(&delete(&new)).await);
    told.row("… and it is gone", "", zone.of("www.lab.test").await);
    told.but_moto("DELETE of what is not there", refused, "accepted", zone.change(&delete(&new)).await);
    let expected = line(&was);
    told.row("CREATE of what was there first", "accepted", zone.change(&[(ChangeAction::Create, was)]).await);
    // Each side has its own address for it.
    told.row("… reads back as it was", &expected, zone.of("www.lab.test").await);
}

async fn policies(zone: &Zone, told: &mut Told) {
    let mut one = routed(set("pair.lab.test", RrType::A, 1, &["127.0.0.1"]), "one");
    one.failover = Some(ResourceRecordSetFailover::Primary);
    let mut two = routed(set("pair.lab.test", RrType::A, 1, &["127.0.0.2"]), "two");
    two.failover = Some(ResourceRecordSetFailover::Secondary);
    let pair = [(ChangeAction::Create, one.clone()), (ChangeAction::Create, two.clone())];
    told.row("CREATE of a failover pair", "accepted", zone.change(&pair).await);
    let shown = "A ttl 1 127.0.0.1 [one] PRIMARY; A ttl 1 127.0.0.2 [two] SECONDARY";
    told.row("… reads back", shown, zone.of("pair.lab.test").await);
    let (mut down, mut up) = (one.clone(), two.clone());
    (down.failover, up.failover) = (two.failover.clone(), one.failover.clone());
    // What firedrill sends to swap the roles: away with both, then both anew, in one batch.
    let swap = [
        (ChangeAction::Delete, one),
        (ChangeAction::Delete, two),
        (ChangeAction::Create, down),
        (ChangeAction::Create, up),
    ];
    told.row("a swap of the roles in one batch", "accepted", zone.change(&swap).await);
    let shown = "A ttl 1 127.0.0.1 [one] SECONDARY; A ttl 1 127.0.0.2 [two] PRIMARY";
    told.row("… reads back swapped", shown, zone.of("pair.lab.test").await);

    let weighted = |identifier: &str, weight: i64| {
        let mut set = routed(set("split.lab.test", RrType::A, 1, &["127.0.0.3"]), identifier);
        set.weight = Some(weight);
        (ChangeAction::Upsert, set)
    };
    told.row("UPSERT of weights", "accepted", zone.change(&[weighted("a", 90), weighted("b", 10)]).await);
    told.row("UPSERT of one weight", "accepted", zone.change(&[weighted("a", 0)]).await);
    let shown = "A ttl 1 127.0.0.3 [a] weight 0; A ttl 1 127.0.0.3 [b] weight 10";
    told.row("… leaves the other", shown, zone.of("split.lab.test").await);
}

async fn refused(zone: &Zone, told: &mut Told) {
    let wrong = "InvalidChangeBatch";
    let before = zone.of("shop.lab.test").await;
    let batch = [
        (ChangeAction::Upsert, set("shop.lab.test", RrType::A, 9, &["127.0.0.6"])),
        (ChangeAction::Delete, set("nothing.lab.test", RrType::A, 9, &["127.0.0.6"])),
    ];
    // moto has another code for this too.
    told.but_moto("a batch of a good and a bad change", wrong, "InvalidInput", zone.change(&batch).await);
    told.row("… changes nothing", &before, zone.of("shop.lab.test").await);
    let again = all(&zone.route53, &zone.id).await.into_iter().find(|set| set.name == "shop.lab.test.");
    let again = [(ChangeAction::Create, again.expect("there is a shop"))];
    told.row("CREATE of what is there", wrong, zone.change(&again).await);
    let beside = [(ChangeAction::Create, set("shop.lab.test", RrType::Cname, 9, &["other.lab.test"]))];
    // moto looks at neither neighbours nor values.
    told.but_moto("CNAME beside another type", wrong, "accepted", zone.change(&beside).await);
    let outside = [(ChangeAction::Create, set("www.example.com", RrType::A, 9, &["127.0.0.6"]))];
    told.row("a name outside of the zone", wrong, zone.change(&outside).await);
    let no_address = [(ChangeAction::Upsert, set("shop.lab.test", RrType::A, 9, &["not an address"]))];
    told.but_moto("an A record without an address", wrong, "accepted", zone.change(&no_address).await);
}

async fn changes(zone: &Zone, told: &mut Told) {
    let change = Change::builder().action(ChangeAction::Upsert);
    let change = change.resource_record_set(set("late.lab.test", RrType::A, 1, &["127.0.0.4"]));
    let batch = ChangeBatch::builder().changes(change.build().expect("a change")).build().expect("a batch");
    let call = zone.route53.change_resource_record_sets().hosted_zone_id(&zone.id).change_batch(batch);
    let info = call.send().await.expect("accepted").change_info.expect("it says which change");
    // moto's changes are everywhere at once.
    told.but_moto("ChangeResourceRecordSets: status", "PENDING", "INSYNC", info.status.as_str());
    let status = || async {
        let answer = zone.route53.get_change().id(&info.id).send().await.expect("a change");
        answer.change_info.map(|info| info.status.as_str().to_owned()).unwrap_or_default()
    };
    told.row("GetChange, after a while", "INSYNC", eventually("INSYNC", status).await);
    // moto knows every change.
    let unknown = zone.route53.get_change().id("C0123456789").send().await;
    told.but_moto("GetChange, unknown", "NoSuchChange", "accepted", code(&unknown));
}
