//! The lab as its users see it: the unmodified SDK clients, and plain DNS and HTTP.

mod drills;
mod support;

use std::time::{Duration, Instant};

use self::support::{Client, get};
use super::{Lab, Provocation, Settings, Timing};

pub(super) use self::support::{Clients, code, eventually, resolve};

#[test]
fn a_lab_starts_healthy_and_soon_and_leaves_nothing_behind() {
    let begun = Instant::now();
    let lab = Lab::start(Settings::default()).expect("a lab");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let addresses: Vec<_> = ["shop.lab.test", "www.lab.test", "checkout.lab.test"]
        .into_iter()
        .map(|name| resolve(lab.resolver(), name).first().copied().expect("an address"))
        .collect();
    for address in &addresses {
        for _ in 0..4 {
            assert_eq!(get(*address, "/health").map(|answer| answer.status), Ok(200));
        }
    }
    assert_eq!(lab.truth().outages, []);
    let stopping = Instant::now();
    lab.stop();
    assert!(stopping.elapsed() < Duration::from_secs(3), "{:?}", stopping.elapsed());
    for address in addresses {
        assert!(get(address, "/health").is_err());
    }
}

#[test]
fn labs_run_side_by_side_and_the_same_seed_gives_the_same_world() {
    let labs: Vec<Lab> =
        (0..3).map(|_| Lab::start(Settings { seed: 5, ..Settings::default() }).expect("a lab")).collect();
    let mut endpoints: Vec<String> = labs.iter().map(Lab::endpoint_url).collect();
    endpoints.dedup();
    assert_eq!(endpoints.len(), 3);
    let stable = |lab: &Lab| {
        let mut values = lab.values();
        values.remove("standby_address");
        values
    };
    assert_eq!(stable(&labs[0]), stable(&labs[2]));
    let real = Lab::start(Settings { timing: Timing::Real, ..Settings::default() }).expect("a lab");
    assert_eq!(real.truth().outages, []);
    assert!(labs[0].describe().contains(&labs[0].endpoint_url()));
    for secret in labs[0].secrets() {
        assert!(labs[0].values().contains_key(secret));
    }
}

#[tokio::test]
async fn sts_says_who_calls_and_gives_keys_for_a_role() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let clients = Clients::of(&lab);
    let who = clients.sts().get_caller_identity().send().await.expect("an identity");
    assert_eq!(who.account(), Some("123456789012"));
    assert_eq!(who.arn(), Some("arn:aws:iam::123456789012:user/firedrill"));

    let role = clients.sts().assume_role().role_session_name("s1");
    let foreign = role.clone().role_arn("arn:aws:iam::999999999999:role/drill").send().await;
    assert_eq!(code(&foreign), "AccessDenied");
    let keys = role.role_arn("arn:aws:iam::123456789012:role/drill").send().await.expect("keys");
    let keys = keys.credentials().expect("credentials");
    assert!(keys.expiration().secs() > 0);
    let assumed = clients.with_keys(keys.access_key_id(), keys.secret_access_key());
    let who = assumed.sts().get_caller_identity().send().await.expect("an identity");
    assert_eq!(who.arn(), Some("arn:aws:sts::123456789012:assumed-role/drill/s1"));
}

#[tokio::test]
async fn unknown_keys_operations_and_services_are_refused_in_each_protocol() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let strangers = Clients::of(&lab).with_keys("AKIASTRANGER", "x");
    assert_eq!(code(&strangers.ec2().describe_instances().send().await), "AuthFailure");
    assert_eq!(code(&strangers.sts().get_caller_identity().send().await), "InvalidClientTokenId");
    assert_eq!(code(&strangers.ecs().list_clusters().send().await), "UnrecognizedClientException");
    assert_eq!(code(&strangers.route53().list_hosted_zones().send().await), "InvalidClientTokenId");
    assert_eq!(code(&strangers.rds().describe_db_instances().send().await), "InvalidClientTokenId");

    let clients = Clients::of(&lab);
    assert_eq!(code(&clients.ec2().describe_vpcs().send().await), "InvalidAction");
    assert_eq!(code(&clients.sts().get_session_token().send().await), "InvalidAction");
    assert_eq!(code(&clients.ecs().list_task_definitions().send().await), "UnknownOperationException");
    assert_eq!(code(&clients.route53().list_health_checks().send().await), "UnknownOperationException");
    let elsewhere = Clients::of(&lab).in_region("us-west-2");
    assert_eq!(code(&elsewhere.ec2().describe_instances().send().await), "SignatureDoesNotMatch");
    assert!(elsewhere.sts().get_caller_identity().send().await.is_ok());
}

#[tokio::test]
async fn provoked_operations_misbehave_and_calls_are_counted() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let clients = Clients::of(&lab);
    lab.provoke("DescribeInstances", Provocation::Throttle(1));
    assert_eq!(code(&clients.ec2().describe_instances().send().await), "RequestLimitExceeded");
    assert!(clients.ec2().describe_instances().send().await.is_ok());

    lab.provoke("ListClusters", Provocation::Throttle(1));
    assert_eq!(code(&clients.ecs().list_clusters().send().await), "ThrottlingException");
    lab.provoke("GetCallerIdentity", Provocation::AccessDenied);
    assert_eq!(code(&clients.sts().get_caller_identity().send().await), "AccessDenied");
    lab.provoke("GetCallerIdentity", Provocation::None);
    assert!(clients.sts().get_caller_identity().send().await.is_ok());

    lab.provoke("ListHostedZones", Provocation::Html500);
    let answer = clients.route53().list_hosted_zones().send().await.expect_err("a page of HTML");
    assert_eq!(answer.raw_response().map(|raw| raw.status().as_u16()), Some(500));

    lab.provoke("DescribeInstanceStatus", Provocation::Hang);
    let hanging = clients.ec2().describe_instance_status().send();
    assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    let expected = [
        ("DescribeInstanceStatus", 1),
        ("DescribeInstances", 2),
        ("GetCallerIdentity", 2),
        ("ListClusters", 1),
        ("ListHostedZones", 1),
    ];
    let calls = lab.calls();
    assert_eq!(calls.iter().map(|(name, count)| (name.as_str(), *count)).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_call_can_do_its_work_and_never_answer() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let clients = Clients::of(&lab);
    let id = clients.instances("storefront").await.remove(0);
    lab.provoke("TerminateInstances", Provocation::HangAfter);
    let hanging = clients.ec2().terminate_instances().instance_ids(&id).send();
    assert!(tokio::time::timeout(Duration::from_millis(500), hanging).await.is_err());
    assert_ne!(clients.state(&id).await, "running");
}

#[test]
fn the_dns_server_speaks_tcp_too() {
    use std::io::{Read, Write};

    let lab = Lab::start(Settings::default()).expect("a lab");
    let mut stream = std::net::TcpStream::connect(lab.resolver()).expect("connected");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    for name in ["www.lab.test", "nothing.lab.test"] {
        let question = support::question(name);
        let length = u16::try_from(question.len()).expect("short").to_be_bytes();
        stream.write_all(&[&length[..], &question].concat()).expect("asked");
        let mut length = [0; 2];
        stream.read_exact(&mut length).expect("a length");
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(support::addresses(&answer), resolve(lab.resolver(), name), "{name}");
    }
}

#[tokio::test]
async fn everything_is_allowed_to_whoever_has_policies_at_all() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let iam = Clients::of(&lab).iam();
    let simulate = |source: &str| {
        let call = iam
            .simulate_principal_policy()
            .policy_source_arn(source)
            .resource_arns("arn:x")
            .resource_arns("*");
        call.action_names("ec2:StopInstances").action_names("rds:DescribeEvents").send()
    };
    for source in ["arn:aws:iam::123456789012:user/firedrill", "arn:aws:iam::123456789012:role/drill"] {
        let answer = simulate(source).await.expect("it is simulated");
        let results = answer.evaluation_results();
        assert_eq!(results.len(), 4, "{results:?}");
        assert!(results.iter().all(|result| result.eval_decision().as_str() == "allowed"), "{results:?}");
        assert_eq!(results[2].eval_action_name(), "rds:DescribeEvents");
        assert_eq!(results[2].eval_resource_name(), Some("arn:x"));
    }
    // A session has no policies of its own: its role has.
    for (source, expected) in [
        ("arn:aws:sts::123456789012:assumed-role/drill/firedrill", "InvalidInput"),
        ("arn:aws:iam::123456789012:user/nobody", "NoSuchEntity"),
    ] {
        assert_eq!(code(&simulate(source).await), expected, "{source}");
    }
}

#[test]
fn what_is_no_signed_call_gets_a_sentence() {
    let lab = Lab::start(Settings::default()).expect("a lab");
    let endpoint = lab.endpoint_url().trim_start_matches("http://").parse().expect("an address");
    let answer = Client::get(endpoint, "/", "x").expect("an answer");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("test"), "{}", answer.body);
}
