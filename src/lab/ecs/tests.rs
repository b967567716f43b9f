//! ECS by the SDK's own client.

use std::collections::BTreeSet;

use aws_sdk_ecs::types::DesiredStatus;

use crate::lab::tests::{Clients, code, eventually};
use crate::lab::{Lab, Settings};

fn lab() -> (Lab, Clients) {
    let lab = Lab::start(Settings { seed: 12, ..Settings::default() }).expect("a lab");
    let clients = Clients::of(&lab);
    (lab, clients)
}

async fn running(clients: &Clients) -> Vec<String> {
    let call = clients.ecs().list_tasks().cluster("shop").service_name("checkout");
    call.send().await.expect("tasks").task_arns().to_vec()
}

async fn counts(clients: &Clients) -> (i32, i32, i32) {
    let call = clients.ecs().describe_services().cluster("shop").services("checkout");
    let answer = call.send().await.expect("a service");
    let service = &answer.services()[0];
    (service.desired_count(), service.running_count(), service.pending_count())
}

#[tokio::test]
async fn clusters_services_and_tasks_are_described() {
    let (_lab, clients) = lab();
    let ecs = clients.ecs();
    let clusters = ecs.describe_clusters().clusters("shop").clusters("other").send().await.expect("clusters");
    assert_eq!(clusters.clusters()[0].running_tasks_count(), 2);
    assert_eq!(clusters.failures()[0].reason(), Some("MISSING"));
    let services = ecs.list_services().cluster("shop").send().await.expect("services");
    let by_arn =
        ecs.describe_services().cluster("shop").services(&services.service_arns()[0]).services("other");
    let described = by_arn.send().await.expect("services");
    assert_eq!(described.failures().len(), 1);
    let service = &described.services()[0];
    assert_eq!((service.service_name(), service.status()), (Some("checkout"), Some("ACTIVE")));
    assert_eq!(service.deployments()[0].running_count(), 2);
    assert!(service.events()[0].message().is_some_and(|message| message.contains("steady state")));
    assert!(service.events()[0].created_at().is_some());

    let arns = running(&clients).await;
    let call = ecs.describe_tasks().cluster("shop").set_tasks(Some(arns.clone())).tasks("0123abcd");
    let tasks = call.send().await.expect("tasks");
    assert_eq!(tasks.failures()[0].reason(), Some("MISSING"));
    let zones: BTreeSet<_> = tasks.tasks().iter().filter_map(|task| task.availability_zone()).collect();
    assert_eq!(zones, BTreeSet::from(["eu-west-1a", "eu-west-1b"]));
    for task in tasks.tasks() {
        assert_eq!((task.last_status(), task.group()), (Some("RUNNING"), Some("service:checkout")));
        assert!(task.started_at().is_some());
    }
}

#[tokio::test]
async fn tasks_come_in_pages() {
    let (_lab, clients) = lab();
    let mut pages = clients.ecs().list_tasks().cluster("shop").max_results(1).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page.expect("a page").task_arns().len());
    }
    assert_eq!(sizes, [1, 1]);
    let call = || clients.ecs().list_tasks().cluster("shop");
    assert_eq!(code(&call().next_token("x").send().await), "InvalidParameterException");
    assert_eq!(code(&call().max_results(101).send().await), "InvalidParameterException");
}

#[tokio::test]
async fn what_aws_refuses_is_refused() {
    let (_lab, clients) = lab();
    let ecs = clients.ecs();
    assert_eq!(code(&ecs.list_tasks().send().await), "ClusterNotFoundException");
    assert_eq!(code(&ecs.stop_task().cluster("other").task("x").send().await), "ClusterNotFoundException");
    assert_eq!(code(&ecs.stop_task().cluster("shop").task("x").send().await), "InvalidParameterException");
    assert_eq!(code(&ecs.describe_tasks().cluster("shop").send().await), "InvalidParameterException");
    let list = ecs.list_tasks().cluster("shop").service_name("other").send().await;
    assert_eq!(code(&list), "ServiceNotFoundException");
    let update = || ecs.update_service().cluster("shop");
    assert_eq!(code(&update().service("other").send().await), "ServiceNotFoundException");
    assert_eq!(
        code(&update().service("checkout").desired_count(-1).send().await),
        "InvalidParameterException"
    );
    assert_eq!(counts(&clients).await, (2, 2, 0));
}

#[tokio::test]
async fn a_stopped_task_passes_through_its_states_and_is_replaced() {
    let (lab, clients) = lab();
    let before = running(&clients).await;
    let ecs = clients.ecs();
    let call = ecs.stop_task().cluster("shop").task(&before[0]).reason("a drill");
    let stopped = call.send().await.expect("stopped");
    let task = stopped.task().expect("a task");
    assert_eq!((task.desired_status(), task.stopped_reason()), (Some("STOPPED"), Some("a drill")));
    assert!(!running(&clients).await.contains(&before[0]));
    let mut seen = Vec::new();
    while seen.last().map(String::as_str) != Some("STOPPED") {
        let tasks = ecs.describe_tasks().cluster("shop").tasks(&before[0]).send().await.expect("a task");
        let status = tasks.tasks()[0].last_status().expect("a status").to_owned();
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        assert!(seen.len() < 9, "{seen:?}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(seen, ["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]);
    eventually("a replacement", || async { counts(&clients).await == (2, 2, 0) }).await;
    let stopped = ecs.list_tasks().cluster("shop").desired_status(DesiredStatus::Stopped).send().await;
    assert_eq!(stopped.expect("tasks").task_arns(), [before[0].clone()]);
    assert!(lab.truth().outages_of("checkout").count() > 0);
}

#[tokio::test]
async fn the_desired_count_and_a_new_deployment_are_followed_without_an_outage() {
    let (lab, clients) = lab();
    let update = || clients.ecs().update_service().cluster("shop").service("checkout");
    update().desired_count(3).send().await.expect("updated");
    eventually("three tasks", || async { counts(&clients).await == (3, 3, 0) }).await;
    update().desired_count(1).send().await.expect("updated");
    eventually("one task", || async { counts(&clients).await == (1, 1, 0) }).await;
    let before = running(&clients).await;
    update().force_new_deployment(true).send().await.expect("updated");
    eventually("another task", || async {
        let now = running(&clients).await;
        now.len() == 1 && now != before && counts(&clients).await == (1, 1, 0)
    })
    .await;
    assert_eq!(lab.truth().outages, []);
}
