//! EC2: what firedrill looks at, and the four operations that it changes instances with.

use std::collections::BTreeMap;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{
    AttributeBooleanValue, Filter, Instance, InstanceAttributeName, InstanceStateChange, InstanceType,
    Placement, ResourceType, Tag, TagSpecification,
};

use super::side::{Side, Told, code, eventually, sorted};

const UNKNOWN: &str = "i-0123456789abcdef0";

async fn all(ec2: &Client) -> Vec<Instance> {
    let answer = ec2.describe_instances().send().await.expect("instances");
    answer
        .reservations
        .unwrap_or_default()
        .into_iter()
        .flat_map(|r| r.instances.unwrap_or_default())
        .collect()
}

/// Launches in `to` what there is in `from`: the same tags in the same zones.
pub(super) async fn copy(from: &Side, to: &Side) {
    let to = Client::new(&to.config());
    for instance in all(&Client::new(&from.config())).await {
        // AWS and moto keep tags that begin with `aws:` to themselves.
        let tags = instance.tags().iter().filter(|tag| !tag.key().unwrap_or_default().starts_with("aws:"));
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::Instance)
            .set_tags(Some(tags.cloned().collect::<Vec<Tag>>()))
            .build();
        let zone = instance.placement().and_then(Placement::availability_zone).unwrap_or_default();
        let launch = to.run_instances().image_id("ami-12345678").instance_type(InstanceType::T3Micro);
        // One by one: each is a reservation of its own, as in the lab.
        launch
            .min_count(1)
            .max_count(1)
            .placement(Placement::builder().availability_zone(zone).build())
            .tag_specifications(tags)
            .send()
            .await
            .expect("moto launches an instance");
    }
}

/// Ids by what they are called here: `www-a/eu-west-1a` or `storefront/eu-west-1b`.
async fn names(ec2: &Client) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for instance in all(ec2).await {
        let tag = |key| instance.tags().iter().find(|tag| tag.key() == Some(key)).and_then(Tag::value);
        let app = tag("app").unwrap_or_default();
        let site = tag("site").map(|site| format!("-{site}")).unwrap_or_default();
        let zone = instance.placement().and_then(Placement::availability_zone).unwrap_or_default();
        names.insert(format!("{app}{site}/{zone}"), instance.instance_id().unwrap_or_default().to_owned());
    }
    names
}

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

async fn state(ec2: &Client, id: &str) -> String {
    let answer = ec2.describe_instances().instance_ids(id).send().await.expect("an instance");
    let state = answer.reservations()[0].instances()[0].state().and_then(|state| state.name());
    state.map_or("none", |name| name.as_str()).to_owned()
}

/// `running -> stopping`, as the answer of a change says it.
fn change(changes: Option<Vec<InstanceStateChange>>) -> String {
    let name = |state: Option<&aws_sdk_ec2::types::InstanceState>| {
        state.and_then(|state| state.name()).map_or("none", |name| name.as_str()).to_owned()
    };
    let changes = changes.unwrap_or_default();
    let lines =
        changes.iter().map(|c| format!("{} -> {}", name(c.previous_state()), name(c.current_state())));
    lines.collect::<Vec<_>>().join(", ")
}

pub(super) async fn rows(at: &Side, told: &mut Told) {
    let ec2 = Client::new(&at.config());
    let ids = names(&ec2).await;
    told.row(
        "DescribeInstances: all",
        "storefront/eu-west-1a storefront/eu-west-1b www-a/eu-west-1a www-a/eu-west-1b www-b/eu-west-1a \
         www-b/eu-west-1b",
        ids.keys().cloned().collect::<Vec<_>>().join(" "),
    );
    filters(&ec2, &ids, told).await;
    unknown(&ec2, &ids, told).await;
    pages(&ec2, told).await;
    rehearsals(&ec2, &ids["www-a/eu-west-1a"], told).await;
    protection(&ec2, &ids["www-a/eu-west-1a"], told).await;
    stop_and_start(&ec2, &ids["www-a/eu-west-1b"], told).await;
    terminate(&ec2, &ids["www-b/eu-west-1b"], told).await;
}

async fn filters(ec2: &Client, ids: &BTreeMap<String, String>, told: &mut Told) {
    let cases: [(&str, &str, Vec<Filter>); 8] = [
        ("a tag", "storefront/eu-west-1a, storefront/eu-west-1b", vec![filter("tag:app", &["storefront"])]),
        ("a pattern", "storefront/eu-west-1a, storefront/eu-west-1b", vec![filter("tag:app", &["s*fr?nt"])]),
        (
            "two filters, both must fit",
            "www-b/eu-west-1a",
            vec![filter("tag:site", &["b"]), filter("availability-zone", &["eu-west-1a"])],
        ),
        (
            "two values, one must fit",
            "www-a/eu-west-1a, www-a/eu-west-1b, www-b/eu-west-1a, www-b/eu-west-1b",
            vec![filter("tag:site", &["a", "b"])],
        ),
        ("a tag's key", "", vec![filter("tag-key", &["no-such-key"])]),
        ("a state", "", vec![filter("instance-state-name", &["stopped"])]),
        ("an unknown value", "", vec![filter("tag:app", &["nothing"])]),
        ("values are compared with case", "", vec![filter("tag:app", &["Storefront"])]),
    ];
    for (what, expected, filters) in cases {
        let answer = ec2.describe_instances().set_filters(Some(filters)).send().await.expect("instances");
        let found = answer.reservations().iter().flat_map(|r| r.instances()).filter_map(|i| i.instance_id());
        let named = found.map(|id| ids.iter().find(|(_, other)| *other == id).map_or("?", |(name, _)| name));
        told.row(&format!("DescribeInstances, filter by {what}"), expected, sorted(named.map(str::to_owned)));
    }
    let answer = ec2.describe_instances().filters(filter("no-such-filter", &["x"])).send().await;
    // moto answers a filter that it does not know with a page of HTML.
    told.but_moto(
        "DescribeInstances, unknown filter",
        "InvalidParameterValue",
        "no AWS answer",
        code(&answer),
    );
}

async fn unknown(ec2: &Client, ids: &BTreeMap<String, String>, told: &mut Told) {
    let describe = || ec2.describe_instances();
    let absent = "InvalidInstanceID.NotFound";
    told.row("DescribeInstances, unknown id", absent, code(&describe().instance_ids(UNKNOWN).send().await));
    let some = describe().instance_ids(&ids["www-a/eu-west-1a"]).instance_ids(UNKNOWN).send().await;
    told.row("DescribeInstances, one id of two unknown", absent, code(&some));
    // moto takes any text for an id.
    let malformed = describe().instance_ids("my-server").send().await;
    told.but_moto("DescribeInstances, malformed id", "InvalidInstanceID.Malformed", absent, code(&malformed));
    let terminate = ec2.terminate_instances().instance_ids(&ids["www-a/eu-west-1a"]).instance_ids(UNKNOWN);
    told.row("TerminateInstances, one id of two unknown", absent, code(&terminate.send().await));
    told.row("… and the other is left alone", "running", state(ec2, &ids["www-a/eu-west-1a"]).await);
    told.row(
        "StopInstances, unknown id",
        absent,
        code(&ec2.stop_instances().instance_ids(UNKNOWN).send().await),
    );
    told.row(
        "StartInstances, unknown id",
        absent,
        code(&ec2.start_instances().instance_ids(UNKNOWN).send().await),
    );
    told.row(
        "RebootInstances, unknown id",
        absent,
        code(&ec2.reboot_instances().instance_ids(UNKNOWN).send().await),
    );
    let attribute = ec2.describe_instance_attribute().instance_id(UNKNOWN);
    let attribute = attribute.attribute(InstanceAttributeName::DisableApiTermination).send().await;
    told.row("DescribeInstanceAttribute, unknown id", absent, code(&attribute));
}

async fn pages(ec2: &Client, told: &mut Told) {
    let first = ec2.describe_instances().max_results(5).send().await.expect("a page");
    let count = |reservations: &[aws_sdk_ec2::types::Reservation]| {
        reservations.iter().map(|r| r.instances().len()).sum::<usize>()
    };
    let token = first.next_token().unwrap_or_default();
    told.row(
        "DescribeInstances, MaxResults 5 of 6",
        "5, and more",
        match token {
            "" => format!("{}", count(first.reservations())),
            _ => format!("{}, and more", count(first.reservations())),
        },
    );
    let second = ec2.describe_instances().max_results(5).next_token(token).send().await.expect("a page");
    let more = second.next_token().filter(|token| !token.is_empty());
    told.row(
        "DescribeInstances, NextToken",
        "1",
        match more {
            None => format!("{}", count(second.reservations())),
            Some(_) => format!("{}, and more", count(second.reservations())),
        },
    );
    // moto takes any size.
    let small = ec2.describe_instances().max_results(4).send().await;
    told.but_moto("DescribeInstances, MaxResults 4", "InvalidParameterValue", "accepted", code(&small));
}

async fn rehearsals(ec2: &Client, id: &str, told: &mut Told) {
    let dry = "DryRunOperation";
    let answer = ec2.terminate_instances().instance_ids(id).dry_run(true).send().await;
    told.row("TerminateInstances, DryRun", dry, code(&answer));
    told.row(
        "StopInstances, DryRun",
        dry,
        code(&ec2.stop_instances().instance_ids(id).dry_run(true).send().await),
    );
    told.row(
        "StartInstances, DryRun",
        dry,
        code(&ec2.start_instances().instance_ids(id).dry_run(true).send().await),
    );
    let answer = ec2.reboot_instances().instance_ids(id).dry_run(true).send().await;
    told.row("RebootInstances, DryRun", dry, code(&answer));
    told.row("… and nothing has changed", "running", state(ec2, id).await);
    // moto rehearses the termination of what does not exist.
    let ghost = ec2.terminate_instances().instance_ids(UNKNOWN).dry_run(true).send().await;
    told.but_moto("TerminateInstances, DryRun, unknown id", "InvalidInstanceID.NotFound", dry, code(&ghost));
}

async fn protection(ec2: &Client, id: &str, told: &mut Told) {
    let set = |on: bool| {
        let value = AttributeBooleanValue::builder().value(on).build();
        ec2.modify_instance_attribute().instance_id(id).disable_api_termination(value).send()
    };
    let shown = || async {
        let attribute = InstanceAttributeName::DisableApiTermination;
        let answer = ec2.describe_instance_attribute().instance_id(id).attribute(attribute).send().await;
        let answer = answer.expect("an attribute");
        format!("{:?}", answer.disable_api_termination().and_then(AttributeBooleanValue::value))
    };
    told.row("DescribeInstanceAttribute, DisableApiTermination", "Some(false)", shown().await);
    told.row("ModifyInstanceAttribute, DisableApiTermination", "accepted", code(&set(true).await));
    told.row("… shown", "Some(true)", shown().await);
    let refused = ec2.terminate_instances().instance_ids(id).send().await;
    told.row("TerminateInstances under termination protection", "OperationNotPermitted", code(&refused));
    told.row("… and it runs on", "running", state(ec2, id).await);
    told.row("ModifyInstanceAttribute, protection lifted", "accepted", code(&set(false).await));
    told.row("… shown as lifted", "Some(false)", shown().await);
}

async fn stop_and_start(ec2: &Client, id: &str, told: &mut Told) {
    let stopped = ec2.stop_instances().instance_ids(id).send().await.expect("it stops");
    told.row("StopInstances", "running -> stopping", change(stopped.stopping_instances));
    told.row("… ends as", "stopped", eventually("stopped", || state(ec2, id)).await);
    let status = |all: bool| async move {
        let call = ec2.describe_instance_status().instance_ids(id).include_all_instances(all);
        call.send().await.expect("a status").instance_statuses().len()
    };
    told.row("DescribeInstanceStatus hides the stopped", "0", status(false).await);
    told.row("DescribeInstanceStatus, IncludeAllInstances", "1", status(true).await);
    // moto reboots what is stopped.
    let reboot = ec2.reboot_instances().instance_ids(id).send().await;
    told.but_moto("RebootInstances of a stopped one", "IncorrectInstanceState", "accepted", code(&reboot));
    let started = ec2.start_instances().instance_ids(id).send().await.expect("it starts");
    // moto's reboot has made it run.
    told.but_moto(
        "StartInstances",
        "stopped -> pending",
        "running -> pending",
        change(started.starting_instances),
    );
    told.row("… is, after a while", "running", eventually("running", || state(ec2, id)).await);
    told.row("RebootInstances", "accepted", code(&ec2.reboot_instances().instance_ids(id).send().await));
    told.row("… and it is still", "running", state(ec2, id).await);
}

async fn terminate(ec2: &Client, id: &str, told: &mut Told) {
    let answer = ec2.terminate_instances().instance_ids(id).send().await.expect("it ends");
    told.row("TerminateInstances", "running -> shutting-down", change(answer.terminating_instances));
    told.row("… is then", "terminated", eventually("terminated", || state(ec2, id)).await);
    let again = ec2.terminate_instances().instance_ids(id).send().await;
    told.row("TerminateInstances again", "accepted", code(&again));
    told.row("… is still", "terminated", eventually("terminated", || state(ec2, id)).await);
    // moto wakes the dead.
    let start = ec2.start_instances().instance_ids(id).send().await;
    told.but_moto("StartInstances of a terminated one", "IncorrectInstanceState", "accepted", code(&start));
}
