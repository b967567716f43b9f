//! EC2 by the SDK's own client.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, Instance, InstanceAttributeName};

use crate::lab::tests::{Clients, code, eventually};
use crate::lab::{Lab, Settings};

fn filter(name: &str, values: &[&str]) -> Filter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    Filter::builder().name(name).set_values(Some(values)).build()
}

async fn described(clients: &Clients, filters: &[Filter]) -> Vec<Instance> {
    let call = clients.ec2().describe_instances().set_filters(Some(filters.to_vec()));
    let answer = call.send().await.expect("instances");
    answer.reservations().iter().flat_map(|reservation| reservation.instances().to_vec()).collect()
}

fn lab() -> (Lab, Clients) {
    let lab = Lab::start(Settings { seed: 11, ..Settings::default() }).expect("a lab");
    let clients = Clients::of(&lab);
    (lab, clients)
}

#[tokio::test]
async fn instances_are_described_and_filtered() {
    let (_lab, clients) = lab();
    assert_eq!(described(&clients, &[]).await.len(), 6);
    let www = filter("tag:app", &["www"]);
    assert_eq!(described(&clients, std::slice::from_ref(&www)).await.len(), 4);
    let site = filter("tag:site", &["a"]);
    let zone = filter("availability-zone", &["eu-west-1b"]);
    let chosen = described(&clients, &[www, site, zone]).await;
    let [instance] = chosen.as_slice() else { panic!("{chosen:?}") };
    assert_eq!(instance.placement().and_then(|placement| placement.availability_zone()), Some("eu-west-1b"));
    assert_eq!(instance.state().and_then(|state| state.code()), Some(16));
    assert!(instance.launch_time().is_some());
    assert!(instance.private_ip_address().is_some_and(|address| address.starts_with("127.")));
    let tags: BTreeSet<_> = instance.tags().iter().filter_map(|tag| tag.key()).collect();
    assert_eq!(tags, BTreeSet::from(["Name", "app", "firedrill:opt-in", "site"]));
    let id = instance.instance_id().expect("an id");

    for (name, values, count) in [
        ("instance-state-name", &["running"][..], 6),
        ("instance-state-name", &["stopped", "stopping"], 0),
        ("tag-key", &["aws:autoscaling:groupName"], 2),
        ("tag:Name", &["store*"], 2),
        ("vpc-id", &["vpc-*"], 6),
        ("instance-id", &[id, "i-00000000"], 1),
    ] {
        assert_eq!(described(&clients, &[filter(name, values)]).await.len(), count, "{name} {values:?}");
    }
    let wrong = clients.ec2().describe_instances().filters(filter("tga:app", &["www"])).send().await;
    assert_eq!(code(&wrong), "InvalidParameterValue");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let (_lab, clients) = lab();
    let mut pages = clients.ec2().describe_instances().max_results(5).into_paginator().send();
    let mut sizes = Vec::new();
    let mut ids = BTreeSet::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        sizes.push(page.reservations().len());
        ids.extend(page.reservations().iter().map(|one| one.instances()[0].instance_id().map(str::to_owned)));
    }
    assert_eq!((sizes, ids.len()), (vec![5, 1], 6));
    let call = || clients.ec2().describe_instances();
    assert_eq!(code(&call().max_results(2).send().await), "InvalidParameterValue");
    assert_eq!(code(&call().max_results(5).next_token("x").send().await), "InvalidNextToken");
    let id = clients.instances("storefront").await.remove(0);
    assert_eq!(code(&call().max_results(5).instance_ids(id).send().await), "InvalidParameterCombination");
    let statuses = clients.ec2().describe_instance_status().max_results(5).send().await.expect("statuses");
    assert_eq!(statuses.instance_statuses().len(), 5);
    assert!(statuses.next_token().is_some());
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let (lab, clients) = lab();
    let ec2 = clients.ec2();
    let id = clients.instances("storefront").await.remove(0);
    let absent = "i-0123456789abcdef0";
    let terminate = || ec2.terminate_instances();
    assert_eq!(code(&terminate().instance_ids("x-1").send().await), "InvalidInstanceID.Malformed");
    assert_eq!(code(&terminate().instance_ids(absent).send().await), "InvalidInstanceID.NotFound");
    assert_eq!(
        code(&terminate().instance_ids(&id).instance_ids(absent).send().await),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        code(&ec2.describe_instances().instance_ids(absent).send().await),
        "InvalidInstanceID.NotFound"
    );

    for dry in [
        code(&terminate().instance_ids(&id).dry_run(true).send().await),
        code(&ec2.stop_instances().instance_ids(&id).dry_run(true).send().await),
        code(&ec2.start_instances().instance_ids(&id).dry_run(true).send().await),
        code(&ec2.reboot_instances().instance_ids(&id).dry_run(true).send().await),
    ] {
        assert_eq!(dry, "DryRunOperation");
    }
    let dry = terminate().instance_ids(&id).dry_run(true).send().await.expect_err("a dry run");
    assert_eq!(dry.raw_response().map(|raw| raw.status().as_u16()), Some(412));
    assert_eq!(lab.calls().get("TerminateInstances(DryRun)"), Some(&2));
    lab.provoke("TerminateInstances", crate::lab::Provocation::AccessDenied);
    assert_eq!(code(&terminate().instance_ids(&id).dry_run(true).send().await), "UnauthorizedOperation");
    lab.provoke("TerminateInstances", crate::lab::Provocation::None);

    let protect = |on: bool| AttributeBooleanValue::builder().value(on).build();
    let modify = ec2.modify_instance_attribute().instance_id(&id);
    modify.clone().disable_api_termination(protect(true)).send().await.expect("protected");
    modify.disable_api_stop(protect(true)).send().await.expect("protected");
    for (name, value) in [
        (InstanceAttributeName::DisableApiTermination, Some(true)),
        (InstanceAttributeName::DisableApiStop, Some(true)),
    ] {
        let call = ec2.describe_instance_attribute().instance_id(&id).attribute(name.clone());
        let answer = call.send().await.expect("an attribute");
        let attribute = match name {
            InstanceAttributeName::DisableApiTermination => answer.disable_api_termination(),
            _ => answer.disable_api_stop(),
        };
        assert_eq!(attribute.and_then(|attribute| attribute.value()), value);
    }
    assert_eq!(code(&terminate().instance_ids(&id).send().await), "OperationNotPermitted");
    assert_eq!(code(&ec2.stop_instances().instance_ids(&id).send().await), "OperationNotPermitted");
    assert_eq!(clients.state(&id).await, "running");
    assert_eq!(lab.truth().outages, []);
}

#[tokio::test]
async fn instances_stop_start_reboot_and_end() {
    let (lab, clients) = lab();
    let ec2 = clients.ec2();
    let id = clients.instances("www").await.remove(0);
    let stopped = ec2.stop_instances().instance_ids(&id).send().await.expect("stopped");
    let change = &stopped.stopping_instances()[0];
    let name = |state: Option<&aws_sdk_ec2::types::InstanceState>| {
        state.and_then(|state| state.name()).map(|name| name.as_str().to_owned()).unwrap_or_default()
    };
    assert_eq!(
        (name(change.previous_state()), name(change.current_state())),
        ("running".into(), "stopping".into())
    );
    assert_eq!(code(&ec2.start_instances().instance_ids(&id).send().await), "IncorrectInstanceState");
    assert_eq!(code(&ec2.reboot_instances().instance_ids(&id).send().await), "IncorrectInstanceState");
    eventually("stopped", || async { clients.state(&id).await == "stopped" }).await;
    let status =
        |all: bool| ec2.describe_instance_status().instance_ids(&id).include_all_instances(all).send();
    assert_eq!(status(false).await.expect("status").instance_statuses().len(), 0);
    assert_eq!(status(true).await.expect("status").instance_statuses().len(), 1);

    let started = ec2.start_instances().instance_ids(&id).send().await.expect("started");
    assert_eq!(name(started.starting_instances()[0].current_state()), "pending");
    eventually("running", || async { clients.state(&id).await == "running" }).await;
    assert!(ec2.start_instances().instance_ids(&id).send().await.is_ok(), "starting what runs is no error");
    ec2.reboot_instances().instance_ids(&id).send().await.expect("rebooted");
    assert_eq!(clients.state(&id).await, "running");

    ec2.terminate_instances().instance_ids(&id).send().await.expect("terminated");
    assert!(ec2.terminate_instances().instance_ids(&id).send().await.is_ok(), "twice is no error");
    assert_eq!(code(&ec2.start_instances().instance_ids(&id).send().await), "IncorrectInstanceState");
    assert_eq!(code(&ec2.stop_instances().instance_ids(&id).send().await), "IncorrectInstanceState");
    eventually("terminated", || async { clients.state(&id).await == "terminated" }).await;
    let ended = described(&clients, &[filter("instance-id", &[&id])]).await;
    let reason = ended[0].state_reason().and_then(|reason| reason.code());
    assert_eq!(reason, Some("Client.UserInitiatedShutdown"));
    assert!(lab.truth().events.iter().any(|event| event.text.contains(&id)));
}

#[tokio::test]
async fn a_group_replaces_an_instance_that_was_stopped() {
    let (_lab, clients) = lab();
    let before = clients.instances("storefront").await;
    clients.ec2().stop_instances().instance_ids(&before[0]).send().await.expect("stopped");
    eventually("a replacement", || async {
        let now = clients.instances("storefront").await;
        now.len() == 2 && !now.contains(&before[0])
    })
    .await;
    let zones: BTreeSet<_> = described(
        &clients,
        &[filter("tag:app", &["storefront"]), filter("instance-state-name", &["running"])],
    )
    .await
    .iter()
    .filter_map(|instance| instance.placement()?.availability_zone().map(str::to_owned))
    .collect();
    assert_eq!(zones.len(), 2, "one in each zone");
}
