//! What firedrill makes of endpoints that misbehave, and of states that change slowly: each
//! endpoint here is scripted, so that it can do what neither AWS nor an imitation does on demand.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firedrill::action::rds::{PromoteReadReplica, RebootDbInstance};
use firedrill::action::{Action, Applied, Before, Watch};
use firedrill::aws::find::{Found, Resource, Target, find};
use firedrill::aws::target::RdsInstance;
use firedrill::aws::{Aws, Fault, FaultKind, Settings, Silent};
use firedrill::clock::{Clock, Moment};
use firedrill::notation::decode::Spanned;
use firedrill::notation::yaml::Span;

use crate::support_moto::{Endpoint, Reply, Request, answer, connected, identity, settings, xml, xml_error};

const DESCRIBE: &str = "DescribeDBInstances";

fn target() -> Target {
    Target::RdsInstance(RdsInstance {
        id: Some("orders-db".to_owned()),
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

fn found() -> Found {
    let resource = Resource { id: "orders-db".to_owned(), ..Resource::default() };
    Found { target: target(), scope: None, resources: vec![resource], candidates: 1 }
}

fn reboot() -> Action {
    let target = Spanned { value: "primary".to_owned(), span: Span::default() };
    Action::RebootDbInstance(RebootDbInstance { target, force_failover: true })
}

fn impatient(endpoint: &Endpoint) -> Settings {
    Settings { call_timeout: Duration::from_millis(300), ..settings(&endpoint.url()) }
}

/// An endpoint that knows who one is, and does as the script says with the rest.
fn endpoint(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Endpoint {
    Endpoint::start(move |request| match request.operation().as_str() {
        "GetCallerIdentity" => identity(),
        _ => script(request),
    })
}

async fn look(aws: &Aws) -> Fault {
    find(aws, &target(), 7, "primary").await.expect_err("nothing can be found here")
}

async fn strike(aws: &Aws) -> Result<Applied, Fault> {
    reboot().act().apply(aws, "step", &found(), &Before::default()).await
}

fn instance(status: &str, zone: &str, source: Option<&str>) -> Reply {
    let source = source
        .map(|id| {
            format!("<ReadReplicaSourceDBInstanceIdentifier>{id}</ReadReplicaSourceDBInstanceIdentifier>")
        })
        .unwrap_or_default();
    let result = format!(
        "<DBInstances><DBInstance><DBInstanceIdentifier>orders-db</DBInstanceIdentifier>\
         <DBInstanceStatus>{status}</DBInstanceStatus><AvailabilityZone>{zone}</AvailabilityZone>\
         <MultiAZ>true</MultiAZ>{source}</DBInstance></DBInstances>"
    );
    xml(DESCRIBE, &result)
}

#[tokio::test]
async fn an_html_page_is_named_with_its_call() {
    let endpoint = endpoint(|_| answer("500 Internal Server Error", "text/html", "<!doctype html>\n<html>"));
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let fault = look(&aws).await;
    assert_eq!(fault.kind, FaultKind::Unclear);
    assert_eq!(
        fault.to_string(),
        "rds:DescribeDBInstances of orders-db: the endpoint answered with status 500 and an HTML page"
    );
    let fault = strike(&aws).await.expect_err("a page is no answer");
    assert_eq!(fault.kind, FaultKind::Unclear);
    assert_eq!(endpoint.mutations(), ["RebootDBInstance"], "what may have happened is not repeated");
}

#[tokio::test]
async fn a_hanging_endpoint_ends_in_bounded_time() {
    let endpoint = endpoint(|_| Reply::Hang);
    let (aws, notebook) = connected(impatient(&endpoint)).await;
    let began = Instant::now();
    assert_eq!(look(&aws).await.kind, FaultKind::Unreachable);
    let fault = strike(&aws).await.expect_err("nobody answers");
    assert_eq!(fault.kind, FaultKind::Unclear, "{fault}");
    assert!(fault.message.contains("may have happened"), "{fault}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(endpoint.mutations(), ["RebootDBInstance"], "silence is not an invitation to repeat");
    let lines = notebook.lines();
    assert!(lines.contains(&"returned rds:RebootDBInstance Unclear".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("noted rds:DescribeDBInstances")), "{lines:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_is_unclear() {
    let endpoint = endpoint(|_| Reply::Close);
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let fault = strike(&aws).await.expect_err("nobody answers");
    assert_eq!(fault.kind, FaultKind::Unclear, "{fault}");
    assert_eq!(endpoint.mutations().len(), 1);
}

#[tokio::test]
async fn a_throttled_call_is_sent_again_and_only_that() {
    let refusals = Arc::new(AtomicUsize::new(2));
    let left = refusals.clone();
    let endpoint =
        endpoint(move |_| match left.try_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
            Ok(_) => xml_error("400 Bad Request", "Throttling", "Rate exceeded"),
            Err(_) => xml("RebootDBInstance", "<DBInstance></DBInstance>"),
        });
    let (aws, notebook) = connected(settings(&endpoint.url())).await;
    strike(&aws).await.expect("the third is accepted");
    assert_eq!(endpoint.mutations().len(), 3);
    let sent = notebook.lines().iter().filter(|line| line.starts_with("sent")).count();
    assert_eq!(sent, 3, "each is announced");
    assert!(notebook.lines().iter().any(|line| line.contains("was throttled")));

    refusals.store(1000, Ordering::SeqCst);
    let fault = strike(&aws).await.expect_err("it never ends");
    assert_eq!(fault.kind, FaultKind::Throttled);
    assert_eq!(endpoint.mutations().len(), 3 + 5);
}

#[tokio::test]
async fn a_refusal_keeps_the_code_and_the_words() {
    let words = "The DB instance is not in the available state.";
    let endpoint = endpoint(move |_| xml_error("400 Bad Request", "InvalidDBInstanceState", words));
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let fault = strike(&aws).await.expect_err("it is refused");
    assert_eq!(fault.kind, FaultKind::Refused);
    assert_eq!(
        fault.to_string(),
        "rds:RebootDBInstance of orders-db: The DB instance is not in the available state \
         (InvalidDBInstanceState)"
    );
    assert_eq!(endpoint.mutations().len(), 1);
}

#[tokio::test]
async fn a_dead_endpoint_certainly_did_nothing() {
    let endpoint = endpoint(|_| Reply::Close);
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let address = endpoint.address;
    drop(endpoint);
    // The port is free again once the endpoint's thread has gone.
    let began = Instant::now();
    while TcpListener::bind(address).is_err() && began.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for fault in [look(&aws).await, strike(&aws).await.expect_err("nobody is there")] {
        assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
        assert!(fault.message.contains("cannot be reached"), "{fault}");
    }
}

#[tokio::test]
async fn nothing_is_sent_before_the_account_is_proven() {
    let endpoint = endpoint(|_| xml("RebootDBInstance", "<DBInstance></DBInstance>"));
    let aws = Aws::connect(settings(&endpoint.url()), Arc::new(Silent)).await.expect("it connects");
    let fault = strike(&aws).await.expect_err("nobody knows the account");
    assert_eq!(fault.kind, FaultKind::Guarded);
    assert_eq!(endpoint.requests().len(), 0);
}

#[tokio::test]
async fn without_credentials_one_is_told_where_to_get_them() {
    if std::env::var_os("AWS_ACCESS_KEY_ID").is_some() {
        eprintln!("skipped: this machine's environment has AWS credentials");
        return;
    }
    let endpoint = endpoint(|_| Reply::Close);
    let settings = Settings {
        profile: Some("firedrill-has-no-such-profile".to_owned()),
        credentials: None,
        ..settings(&endpoint.url())
    };
    let began = Instant::now();
    let aws = Aws::connect(settings, Arc::new(Silent)).await.expect("it connects");
    let fault = aws.identity().await.expect_err("there are no credentials");
    assert_eq!(fault.kind, FaultKind::NoCredentials, "{fault}");
    assert!(fault.message.contains("firedrill-has-no-such-profile"), "{fault}");
    assert!(fault.help.contains("aws configure list-profiles"), "{}", fault.help);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_failover_is_bracketed_by_the_looks_around_it() {
    let looks = AtomicUsize::new(0);
    let endpoint = endpoint(move |request| match request.operation().as_str() {
        DESCRIBE => match looks.fetch_add(1, Ordering::SeqCst) {
            // One for the plan, one before the call, and two that show nothing yet.
            0..4 => instance("available", "eu-west-1a", None),
            _ => instance("available", "eu-west-1b", None),
        },
        "DescribeEvents" => xml("DescribeEvents", "<Events></Events>"),
        operation => xml(operation, "<DBInstance></DBInstance>"),
    });
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let clock = Clock::start();
    let found = find(&aws, &target(), 7, "primary").await.expect("it is there");
    let action = reboot();
    let prepared = action.act().prepare(&aws, &found).await.expect("it can be prepared");
    let since = clock.now();
    let applied = action.act().apply(&aws, "step", &found, &prepared.before).await.expect("it is accepted");
    let watch = Watch { clock, since, within: Duration::from_secs(20) };
    let effect =
        action.act().effect(&aws, &found, &prepared.before, &applied, watch).await.expect("it is seen");
    assert_eq!(effect.evidence, "orders-db: primary moved from eu-west-1a to eu-west-1b");
    // Two looks without it, then one with: the bracket holds one pause between looks, not all of them.
    assert!(since < effect.after && effect.after < effect.seen, "{effect:?}");
    assert!(effect.seen - effect.after < effect.seen - since);
}

#[tokio::test]
async fn a_promotion_is_ready_when_it_is_available_and_follows_nobody() {
    let looks = AtomicUsize::new(0);
    let endpoint = endpoint(move |request| match request.operation().as_str() {
        DESCRIBE => match looks.fetch_add(1, Ordering::SeqCst) {
            0..2 => instance("available", "eu-west-1a", Some("the-source")),
            2 => instance("modifying", "eu-west-1a", Some("the-source")),
            3 => instance("rebooting", "eu-west-1a", None),
            _ => instance("available", "eu-west-1a", None),
        },
        "DescribeEvents" => xml("DescribeEvents", "<Events></Events>"),
        operation => xml(operation, "<DBInstance></DBInstance>"),
    });
    let (aws, _) = connected(settings(&endpoint.url())).await;
    let target = Spanned { value: "replica".to_owned(), span: Span::default() };
    let action = Action::PromoteReadReplica(PromoteReadReplica { target, backup_retention_period: Some(7) });
    let act = action.act();
    let prepared = act.prepare(&aws, &found()).await.expect("it can be prepared");
    let applied = act.apply(&aws, "step", &found(), &prepared.before).await.expect("it is accepted");
    let watch = Watch { clock: Clock::start(), since: Moment::ZERO, within: Duration::from_secs(20) };
    let effect = act.effect(&aws, &found(), &prepared.before, &applied, watch).await.expect("it is seen");
    assert_eq!(effect.evidence, "orders-db: status went from available to modifying");
    act.ready(&aws, &found(), &prepared.before, &applied, Duration::from_secs(20)).await.expect("it is done");
    let described = endpoint.requests().iter().filter(|r| r.operation() == DESCRIBE).count();
    assert_eq!(described, 5, "neither `modifying` nor `rebooting` counted as ready");
}
