//! The actions against moto, an independent imitation of AWS: what is found, what is refused, what is
//! sent and what is undone. moto changes states at once and lets some operations pass without effect
//! (a failover, a promotion): there the tests hold that no effect is ever claimed.

use std::time::Duration;

use aws_sdk_ec2::types::{InstanceType, ResourceType, Tag, TagSpecification};
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerDefinition, LaunchType, NetworkConfiguration, NetworkMode,
};
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover, RrType,
};
use firedrill::action::ec2::{StartInstances, StopInstances, TerminateInstances};
use firedrill::action::ecs::StopTask;
use firedrill::action::rds::{FailoverDbCluster, PromoteReadReplica, RebootDbInstance, StopDbInstance};
use firedrill::action::route53::FlipRecord;
use firedrill::action::{Act, Action, Applied, Prepared, Undo, Watch};
use firedrill::aws::find::{Found, Target, find};
use firedrill::aws::target::{
    Ec2Instance, EcsTask, Pick, RdsCluster, RdsInstance, RecordType, Route53Record,
};
use firedrill::aws::{Aws, FaultKind, Settings};
use firedrill::clock::{Clock, Moment};
use firedrill::notation::decode::Spanned;
use firedrill::notation::yaml::Span;
use indexmap::IndexMap;

use crate::support_moto::{Moto, connected};

fn named(target: &str) -> Spanned<String> {
    Spanned { value: target.to_owned(), span: Span::default() }
}

fn watch(within: Duration) -> Watch {
    Watch { clock: Clock::start(), since: Moment::ZERO, within }
}

const SOON: Duration = Duration::from_secs(20);

/// The target's kinds have many keys; tests name the few that matter.
fn instances() -> Ec2Instance {
    Ec2Instance {
        id: None,
        ids: None,
        tags: Some(IndexMap::from([("app".to_owned(), "storefront".to_owned())])),
        availability_zone: None,
        auto_scaling_group: None,
        state: None,
        pick: None,
        spread: None,
        at_most: None,
    }
}

fn db(id: &str) -> Target {
    Target::RdsInstance(RdsInstance {
        id: Some(id.to_owned()),
        ids: None,
        tags: None,
        availability_zone: None,
        cluster: None,
        role: None,
        status: None,
        pick: None,
        spread: None,
        at_most: None,
    })
}

async fn launch(moto: &Moto, count: i32) {
    let ec2 = aws_sdk_ec2::Client::new(&moto.arranging().await);
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("app").value("storefront").build())
        .build();
    ec2.run_instances()
        .image_id("ami-12345678")
        .instance_type(InstanceType::T3Micro)
        .min_count(count)
        .max_count(count)
        .tag_specifications(tags)
        .send()
        .await
        .expect("moto launches instances");
}

/// Everything that a plan does, held to change nothing; then the action in a dry run, held to be
/// refused before anything is sent.
async fn rehearse(moto: &Moto, action: &Action, target: &Target) -> Found {
    let (aws, _) = connected(Settings { dry_run: true, ..moto.settings() }).await;
    let found = find(&aws, target, 7, "victims").await.expect("the target is there");
    let act = action.act();
    for fact in act.check(&aws, &found).await.expect("it can be checked") {
        assert!(fact.holds, "{}: {}", fact.what, fact.found);
    }
    let prepared = act.prepare(&aws, &found).await.expect("it can be prepared");
    let fault = act.apply(&aws, "step", &found, &prepared.before).await.expect_err("a dry run sends nothing");
    assert_eq!(fault.kind, FaultKind::Guarded, "{fault}");
    if let Some(undo) = prepared.undo {
        // Nothing was changed, so that there is nothing to send either.
        undo.apply(&aws, "step").await.expect("the undo finds everything as it was");
    }
    assert_eq!(moto.relay.mutations(), Vec::<String>::new(), "a dry run changed something");
    found
}

async fn perform(aws: &Aws, act: &dyn Act, found: &Found) -> (Prepared, Applied) {
    let prepared = act.prepare(aws, found).await.expect("it can be prepared");
    let applied = act.apply(aws, "step", found, &prepared.before).await.expect("it is accepted");
    (prepared, applied)
}

#[tokio::test(flavor = "multi_thread")]
async fn terminate_takes_the_drawn_victim_and_no_other() {
    let Some(moto) = Moto::start() else { return };
    launch(&moto, 7).await;
    let target =
        Target::Ec2Instance(Ec2Instance { pick: Some(Pick::Count(1)), at_most: Some(1), ..instances() });
    let action = Action::TerminateInstances(TerminateInstances { target: named("victims") });
    let found = rehearse(&moto, &action, &target).await;
    assert_eq!((found.resources.len(), found.candidates), (1, 7), "paged lists are read whole");

    let (aws, notebook) = connected(moto.settings()).await;
    let again = find(&aws, &target, 7, "victims").await.expect("the target is there");
    assert_eq!(again.ids(), found.ids(), "the same seed draws the same victim");
    let (prepared, applied) = perform(&aws, action.act(), &found).await;
    assert_eq!(prepared.undo, None);
    let effect = action.act().effect(&aws, &found, &prepared.before, &applied, watch(SOON)).await;
    let effect = effect.expect("the state shows it");
    assert!(effect.evidence.contains("running became"), "{}", effect.evidence);
    assert!(effect.after < effect.seen);
    action.act().ready(&aws, &found, &prepared.before, &applied, SOON).await.expect("it ends");
    assert_eq!(moto.relay.mutations(), ["TerminateInstances"]);
    let id = &found.resources[0].id;
    assert_eq!(
        notebook.lines()[..2],
        [
            format!("sent ec2:TerminateInstances of {id} for step"),
            "returned ec2:TerminateInstances Accepted".to_owned()
        ]
    );
    let left = find(&aws, &Target::Ec2Instance(instances()), 7, "all").await.expect("six are left");
    assert_eq!(left.resources.len(), 6);
    assert!(!left.ids().contains(id));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_instances_are_started_again_and_only_once() {
    let Some(moto) = Moto::start() else { return };
    launch(&moto, 2).await;
    let target = Target::Ec2Instance(instances());
    let action = Action::StopInstances(StopInstances { target: named("victims"), force: false });
    let found = rehearse(&moto, &action, &target).await;
    let (aws, _) = connected(moto.settings()).await;
    let (prepared, applied) = perform(&aws, action.act(), &found).await;
    action.act().effect(&aws, &found, &prepared.before, &applied, watch(SOON)).await.expect("it stops");
    action.act().ready(&aws, &found, &prepared.before, &applied, SOON).await.expect("it has stopped");

    let nobody = find(&aws, &target, 7, "victims").await.expect_err("nobody runs");
    assert_eq!(nobody.kind, FaultKind::Absent);
    assert!(nobody.message.contains("2 are stopped"), "{nobody}");

    let start = Action::StartInstances(StartInstances { target: named("victims") });
    let prepared_start = start.act().prepare(&aws, &found).await.expect("it can be prepared");
    assert_eq!(prepared_start.undo, Some(Undo::StopInstances { ids: found.ids() }));

    let journalled = serde_json::to_value(prepared.undo.expect("a stop is undone")).expect("it serialises");
    let undo: Undo = serde_json::from_value(journalled).expect("it reads back");
    assert!(!undo.moves_traffic());
    let told = undo.apply(&aws, "undo").await.expect("they start");
    assert!(told.ends_with("running again"), "{told}");
    assert!(undo.apply(&aws, "undo").await.expect("twice is once").ends_with("already running"));
    assert_eq!(moto.relay.mutations(), ["StopInstances", "StartInstances"]);
}

async fn databases(moto: &Moto) {
    let rds = aws_sdk_rds::Client::new(&moto.arranging().await);
    for (id, multi_az) in [("orders-db", true), ("single-db", false)] {
        rds.create_db_instance()
            .db_instance_identifier(id)
            .db_instance_class("db.t3.micro")
            .engine("postgres")
            .master_username("admin1")
            .master_user_password("password1")
            .allocated_storage(20)
            .multi_az(multi_az)
            .send()
            .await
            .expect("moto makes a database");
    }
    rds.create_db_instance_read_replica()
        .db_instance_identifier("orders-db-replica")
        .source_db_instance_identifier("orders-db")
        .send()
        .await
        .expect("moto makes a replica");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_sent_once_and_not_claimed_without_evidence() {
    let Some(moto) = Moto::start() else { return };
    databases(&moto).await;
    let action =
        Action::RebootDbInstance(RebootDbInstance { target: named("primary"), force_failover: true });
    let found = rehearse(&moto, &action, &db("orders-db")).await;
    let (aws, _) = connected(moto.settings()).await;

    let single = find(&aws, &db("single-db"), 7, "single").await.expect("it is there");
    let facts = action.act().check(&aws, &single).await.expect("it can be checked");
    let fact = facts.iter().find(|fact| fact.what == "single-db is Multi-AZ").expect("it is asked");
    assert!(!fact.holds);

    let (prepared, applied) = perform(&aws, action.act(), &found).await;
    let late =
        action.act().effect(&aws, &found, &prepared.before, &applied, watch(Duration::from_secs(1))).await;
    assert_eq!(late.expect_err("moto moves nothing").kind, FaultKind::Late);
    assert_eq!(moto.relay.mutations(), ["RebootDBInstance"]);
    let sent = moto.relay.requests().into_iter().find(|r| r.mutates()).expect("one was sent");
    assert!(String::from_utf8_lossy(&sent.body).contains("ForceFailover=true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_promoted_and_a_primary_is_not() {
    let Some(moto) = Moto::start() else { return };
    databases(&moto).await;
    let promote = PromoteReadReplica { target: named("replica"), backup_retention_period: None };
    let action = Action::PromoteReadReplica(promote);
    assert!(action.irreversible());
    let found = rehearse(&moto, &action, &db("orders-db-replica")).await;
    assert_eq!(found.resources[0].facts.get("replica_of").map(String::as_str), Some("orders-db"));
    let (aws, _) = connected(moto.settings()).await;

    let primary = find(&aws, &db("orders-db"), 7, "primary").await.expect("it is there");
    let facts = action.act().check(&aws, &primary).await.expect("it can be checked");
    assert!(facts.iter().any(|fact| !fact.holds && fact.what == "orders-db is a read replica"));
    let stop = Action::StopDbInstance(StopDbInstance { target: named("primary") });
    let facts = stop.act().check(&aws, &primary).await.expect("it can be checked");
    assert!(facts.iter().any(|fact| !fact.holds && fact.found.contains("orders-db-replica")), "{facts:?}");

    perform(&aws, action.act(), &found).await;
    assert_eq!(moto.relay.mutations(), ["PromoteReadReplica"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_fails_over_and_the_new_writer_shows_it() {
    let Some(moto) = Moto::start() else { return };
    let rds = aws_sdk_rds::Client::new(&moto.arranging().await);
    let cluster = rds.create_db_cluster().db_cluster_identifier("catalog").engine("aurora-postgresql");
    cluster.master_username("admin1").master_user_password("password1").send().await.expect("a cluster");
    for id in ["catalog-1", "catalog-2"] {
        let member = rds.create_db_instance().db_instance_identifier(id).db_cluster_identifier("catalog");
        let member = member.engine("aurora-postgresql").db_instance_class("db.r5.large");
        member.send().await.expect("moto makes a member");
    }
    let target = Target::RdsCluster(RdsCluster { id: "catalog".to_owned() });
    let action = Action::FailoverDbCluster(FailoverDbCluster {
        target: named("catalog"),
        target_db_instance_identifier: Some("catalog-2".to_owned()),
    });
    let found = rehearse(&moto, &action, &target).await;
    let (aws, _) = connected(moto.settings()).await;
    let (prepared, applied) = perform(&aws, action.act(), &found).await;
    let effect = action.act().effect(&aws, &found, &prepared.before, &applied, watch(SOON)).await;
    assert_eq!(effect.expect("it moved").evidence, "catalog: writer was catalog-1, is catalog-2");
    action.act().ready(&aws, &found, &prepared.before, &applied, SOON).await.expect("it is available");
    assert_eq!(moto.relay.mutations(), ["FailoverDBCluster"]);
    let facts = action.act().check(&aws, &found).await.expect("it can be checked");
    assert!(facts.iter().any(|fact| !fact.holds), "catalog-2 is the writer now: {facts:?}");
}

/// A cluster whose service's tasks moto never starts, with two tasks that are started by hand.
async fn tasks(moto: &Moto) {
    let config = moto.arranging().await;
    let (ec2, ecs) = (aws_sdk_ec2::Client::new(&config), aws_sdk_ecs::Client::new(&config));
    let subnets = ec2.describe_subnets().send().await.expect("moto has subnets").subnets.unwrap_or_default();
    let groups = ec2.describe_security_groups().send().await.expect("moto has security groups");
    let group = groups.security_groups.unwrap_or_default()[0].group_id.clone().expect("a group has an id");
    let network = AwsVpcConfiguration::builder()
        .subnets(subnets[0].subnet_id.clone().expect("a subnet has an id"))
        .security_groups(group)
        .build()
        .expect("it is complete");
    ecs.create_cluster().cluster_name("shop").send().await.expect("moto makes a cluster");
    let container = ContainerDefinition::builder().name("web").image("web").memory(128).build();
    let family = ecs.register_task_definition().family("checkout").container_definitions(container);
    family.network_mode(NetworkMode::Awsvpc).send().await.expect("moto takes a task definition");
    ecs.run_task()
        .cluster("shop")
        .task_definition("checkout")
        .count(2)
        .launch_type(LaunchType::Fargate)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
        .group("service:checkout")
        .send()
        .await
        .expect("moto runs tasks");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_task_is_stopped_with_its_reason() {
    let Some(moto) = Moto::start() else { return };
    moto.hold_tasks();
    tasks(&moto).await;
    let target = Target::EcsTask(EcsTask {
        cluster: "shop".to_owned(),
        service: None,
        family: Some("checkout".to_owned()),
        id: None,
        availability_zone: None,
        pick: Some(Pick::Count(1)),
        spread: None,
        at_most: None,
    });
    let action = Action::StopTask(StopTask { target: named("task"), reason: Some("a drill".to_owned()) });
    let found = rehearse(&moto, &action, &target).await;
    assert_eq!((found.resources.len(), found.candidates), (1, 2));
    let (aws, _) = connected(moto.settings()).await;
    let (prepared, applied) = perform(&aws, action.act(), &found).await;
    let effect = action.act().effect(&aws, &found, &prepared.before, &applied, watch(SOON)).await;
    let evidence = effect.expect("it stops").evidence;
    assert!(evidence.contains("STOPPED") && evidence.contains("(a drill)"), "{evidence}");
    action.act().ready(&aws, &found, &prepared.before, &applied, SOON).await.expect("it has stopped");
    assert_eq!(moto.relay.mutations(), ["StopTask"]);

    // moto crashes on a task that it does not know, and says so with a page.
    let mut ghost = found.clone();
    ghost.resources[0].id = "arn:aws:ecs:eu-west-1:123456789012:task/shop/0123456789abcdef".to_owned();
    let fault = action.act().apply(&aws, "step", &ghost, &prepared.before).await.expect_err("there is none");
    assert!(matches!(fault.kind, FaultKind::Unclear | FaultKind::Refused), "{fault}");
    assert!(fault.to_string().starts_with("ecs:StopTask of arn:aws:ecs"), "{fault}");
    ghost.resources[0].id = "arn:aws:ecs:us-east-1:123456789012:task/shop/0123456789abcdef".to_owned();
    let fault =
        action.act().apply(&aws, "step", &ghost, &prepared.before).await.expect_err("it is elsewhere");
    assert_eq!(fault.kind, FaultKind::Guarded);
    assert!(fault.message.contains("us-east-1"), "{fault}");
}

fn record(name: &str, value: &str) -> ResourceRecordSet {
    ResourceRecordSet::builder()
        .name(name)
        .r#type(RrType::A)
        .ttl(1)
        .resource_records(ResourceRecord::builder().value(value).build().expect("a value is given"))
        .build()
        .expect("a record set is complete")
}

/// A zone with a plain record, and a failover pair of the same names as in the experiments.
async fn zone(moto: &Moto) -> String {
    let route53 = aws_sdk_route53::Client::new(&moto.arranging().await);
    let made = route53.create_hosted_zone().name("lab.test").caller_reference("one").send().await;
    let id = made.expect("moto makes a zone").hosted_zone.expect("it has an answer").id;
    let mut primary = record("pair.lab.test", "127.0.0.1");
    primary.set_identifier = Some("one".to_owned());
    primary.failover = Some(ResourceRecordSetFailover::Primary);
    let mut secondary = record("pair.lab.test", "127.0.0.2");
    secondary.set_identifier = Some("two".to_owned());
    secondary.failover = Some(ResourceRecordSetFailover::Secondary);
    let mut batch = ChangeBatch::builder();
    for set in [record("www.lab.test", "127.0.0.1"), primary, secondary] {
        let change = Change::builder().action(ChangeAction::Create).resource_record_set(set).build();
        batch = batch.changes(change.expect("a change is complete"));
    }
    route53
        .change_resource_record_sets()
        .hosted_zone_id(&id)
        .change_batch(batch.build().expect("a batch is complete"))
        .send()
        .await
        .expect("moto makes records");
    id.trim_start_matches("/hostedzone/").to_owned()
}

async fn all_records(moto: &Moto, zone: &str) -> Vec<ResourceRecordSet> {
    let route53 = aws_sdk_route53::Client::new(&moto.arranging().await);
    let listed = route53.list_resource_record_sets().hosted_zone_id(zone).send().await;
    listed.expect("moto lists records").resource_record_sets
}

#[tokio::test(flavor = "multi_thread")]
async fn flipped_records_come_back_exactly() {
    let Some(moto) = Moto::start() else { return };
    let id = zone(&moto).await;
    let at_first = all_records(&moto, &id).await;
    let flips = [
        (
            "www.lab.test",
            FlipRecord {
                target: named("www"),
                values: Some(vec!["127.0.0.9".to_owned()]),
                weights: None,
                swap_failover: None,
                ttl: Some(5),
            },
        ),
        (
            "pair.lab.test",
            FlipRecord {
                target: named("pair"),
                values: None,
                weights: None,
                swap_failover: Some(true),
                ttl: None,
            },
        ),
    ];
    for (by, (name, flip)) in ["lab.test", id.as_str()].into_iter().zip(flips) {
        let target = Target::Route53Record(Route53Record {
            zone: by.to_owned(),
            name: name.to_owned(),
            r#type: RecordType::A,
            set_identifier: None,
        });
        let action = Action::FlipRecord(flip);
        let before = moto.relay.mutations().len();
        let (dry, _) = connected(Settings { dry_run: true, ..moto.settings() }).await;
        let found = find(&dry, &target, 7, name).await.expect("the record is there");
        for fact in action.act().check(&dry, &found).await.expect("it can be checked") {
            assert!(fact.holds, "{}: {}", fact.what, fact.found);
        }
        let prepared = action.act().prepare(&dry, &found).await.expect("it can be prepared");
        let refused = action.act().apply(&dry, "step", &found, &prepared.before).await;
        assert_eq!(refused.expect_err("a dry run sends nothing").kind, FaultKind::Guarded);
        assert_eq!(moto.relay.mutations().len(), before, "a dry run changed something");

        let (aws, _) = connected(moto.settings()).await;
        let (prepared, applied) = perform(&aws, action.act(), &found).await;
        let effect = action.act().effect(&aws, &found, &prepared.before, &applied, watch(SOON)).await;
        let effect = effect.expect("the zone shows it");
        assert!(effect.evidence.contains("became") && effect.evidence.ends_with("(INSYNC)"), "{effect:?}");
        action.act().ready(&aws, &found, &prepared.before, &applied, SOON).await.expect("it is INSYNC");
        assert_ne!(all_records(&moto, &id).await, at_first, "{name} was not changed");

        let undo = prepared.undo.expect("a flip is undone");
        assert!(undo.moves_traffic());
        let journalled = serde_json::to_string(&undo).expect("it serialises");
        let undo: Undo = serde_json::from_str(&journalled).expect("it reads back");
        assert!(undo.apply(&aws, "undo").await.expect("it is restored").starts_with("restored"));
        assert_eq!(all_records(&moto, &id).await, at_first, "{name} is not as it was");
        let sent = moto.relay.mutations().len();
        assert!(undo.apply(&aws, "undo").await.expect("twice is once").starts_with("already"));
        assert_eq!(moto.relay.mutations().len(), sent, "an undo done twice sent something");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_not_allowed_is_said_so() {
    let Some(moto) = Moto::start() else { return };
    launch(&moto, 1).await;
    let (aws, _) = connected(moto.settings()).await;
    let absent = find(&aws, &db("no-such-db"), 7, "primary").await.expect_err("there is none");
    assert_eq!((absent.kind, absent.code.as_deref()), (FaultKind::Absent, Some("DBInstanceNotFound")));
    let ghost = Ec2Instance { id: Some("i-0123456789abcdef0".to_owned()), tags: None, ..instances() };
    let absent = find(&aws, &Target::Ec2Instance(ghost), 7, "victims").await.expect_err("there is none");
    assert_eq!(absent.code.as_deref(), Some("InvalidInstanceID.NotFound"));

    let all = Target::Ec2Instance(instances());
    let action = Action::TerminateInstances(TerminateInstances { target: named("victims") });
    let found = find(&aws, &all, 7, "victims").await.expect("it is there");
    let prepared = action.act().prepare(&aws, &found).await.expect("it can be prepared");
    for accounts in [vec![], vec!["999999999999".to_owned()]] {
        // To say that it is the lab does not help: the allow-list counts wherever there is one.
        let lab = !accounts.is_empty();
        let (other, notebook) = connected(Settings { accounts, lab, ..moto.settings() }).await;
        let fault = action.act().apply(&other, "step", &found, &prepared.before).await;
        let fault = fault.expect_err("the account is not allowed");
        assert_eq!(fault.kind, FaultKind::Guarded);
        assert!(fault.message.contains("123456789012"), "{fault}");
        assert_eq!(notebook.lines(), Vec::<String>::new(), "a call that is not sent is not announced");
    }

    moto.require_permissions();
    let denied = find(&aws, &all, 7, "victims").await.expect_err("the key is unknown now");
    assert_eq!(denied.kind, FaultKind::Denied, "{denied}");
    let fault = action.act().apply(&aws, "step", &found, &prepared.before).await;
    assert_eq!(fault.expect_err("the key is unknown now").kind, FaultKind::Denied);
    let facts = action.act().check(&aws, &found).await;
    assert!(facts.is_err() || facts.is_ok_and(|facts| facts.iter().any(|fact| !fact.holds)));
    assert_eq!(moto.relay.mutations(), ["TerminateInstances"]);
}
