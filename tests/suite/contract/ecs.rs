//! ECS: tasks of a service, and what is refused.

use aws_sdk_ecs::Client;
use aws_sdk_ecs::types::{
    AwsVpcConfiguration, ContainerDefinition, LaunchType, NetworkConfiguration, NetworkMode, ServiceField,
    Tag, TaskField,
};

use super::side::{Side, Told, code, eventually, sorted};

/// The lab's cluster and service in moto, whose services start no tasks: those are run by hand.
pub(super) async fn arrange(to: &Side) {
    let (ec2, ecs) = (aws_sdk_ec2::Client::new(&to.config()), Client::new(&to.config()));
    let subnets = ec2.describe_subnets().send().await.expect("moto has subnets").subnets.unwrap_or_default();
    let groups = ec2.describe_security_groups().send().await.expect("moto has security groups");
    let network = AwsVpcConfiguration::builder()
        .subnets(subnets[0].subnet_id().expect("a subnet has an id"))
        .security_groups(groups.security_groups()[0].group_id().expect("a group has an id"))
        .build()
        .expect("it is complete");
    let network = NetworkConfiguration::builder().awsvpc_configuration(network).build();
    ecs.create_cluster().cluster_name("shop").send().await.expect("moto makes a cluster");
    let container = ContainerDefinition::builder().name("checkout").image("web").memory(128).build();
    let family = ecs.register_task_definition().family("checkout").container_definitions(container);
    family.network_mode(NetworkMode::Awsvpc).send().await.expect("moto takes a task definition");
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tags = Some(vec![tag("app", "checkout"), tag("firedrill:opt-in", "true")]);
    let service = ecs
        .create_service()
        .set_tags(tags.clone())
        .cluster("shop")
        .service_name("checkout")
        .task_definition("checkout");
    service.desired_count(2).launch_type(LaunchType::Fargate).send().await.expect("moto makes a service");
    let tasks = ecs.run_task().set_tags(tags).cluster("shop").task_definition("checkout").count(2);
    let tasks = tasks.launch_type(LaunchType::Fargate).network_configuration(network);
    tasks.group("service:checkout").send().await.expect("moto runs tasks");
}

async fn tasks(ecs: &Client) -> Vec<String> {
    let answer = ecs.list_tasks().cluster("shop").family("checkout").send().await.expect("tasks");
    answer.task_arns.unwrap_or_default()
}

/// What a task shows of itself.
async fn shown(ecs: &Client, arn: &str) -> String {
    let answer = ecs.describe_tasks().cluster("shop").tasks(arn).send().await.expect("a task");
    let task = &answer.tasks()[0];
    let part = |text: Option<&str>| text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned();
    format!(
        "{} wanted {} in {}, {}, {}",
        part(task.last_status()),
        part(task.desired_status()),
        part(task.group()),
        task.stop_code().map_or("-", |code| code.as_str()),
        part(task.stopped_reason()),
    )
}

pub(super) async fn rows(at: &Side, told: &mut Told) {
    let ecs = Client::new(&at.config());
    lists(&ecs, told).await;
    unknown(&ecs, told).await;
    service(&ecs, told).await;
    tags(&ecs, told).await;
    stop(&ecs, told).await;
}

/// Tags are told when they are asked for.
async fn tags(ecs: &Client, told: &mut Told) {
    let pairs = |tags: &[Tag]| {
        sorted(tags.iter().map(|tag| format!("{}={}", tag.key().unwrap_or("-"), tag.value().unwrap_or("-"))))
    };
    let tagged = "app=checkout, firedrill:opt-in=true";
    let service = || ecs.describe_services().cluster("shop").services("checkout");
    let bare = service().send().await.expect("services");
    told.row("DescribeServices: tags, not asked for", "", pairs(bare.services()[0].tags()));
    let asked = service().include(ServiceField::Tags).send().await.expect("services");
    told.row("DescribeServices: tags", tagged, pairs(asked.services()[0].tags()));
    let arns = tasks(ecs).await;
    let task = || ecs.describe_tasks().cluster("shop").tasks(&arns[0]);
    let bare = task().send().await.expect("tasks");
    told.row("DescribeTasks: tags, not asked for", "", pairs(bare.tasks()[0].tags()));
    let asked = task().include(TaskField::Tags).send().await.expect("tasks");
    told.row("DescribeTasks: tags", tagged, pairs(asked.tasks()[0].tags()));
}

async fn lists(ecs: &Client, told: &mut Told) {
    let arns = tasks(ecs).await;
    let home = "arn:aws:ecs:eu-west-1:123456789012:task/shop/";
    told.row(
        "ListTasks: ARNs",
        "true, true",
        sorted(arns.iter().map(|arn| arn.starts_with(home).to_string())),
    );
    for arn in &arns {
        told.row("DescribeTasks", "RUNNING wanted RUNNING in service:checkout, -, -", shown(ecs, arn).await);
    }
    let mut pages = ecs.list_tasks().cluster("shop").max_results(1).into_paginator().send();
    let mut sizes = Vec::new();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.expect("a page");
        sizes.push(page.task_arns().len().to_string());
        seen.extend(page.task_arns().to_vec());
    }
    // moto gives all at once.
    told.but_moto("ListTasks, maxResults 1 of 2", "1, 1", "2", sizes.join(", "));
    told.row("… and all of them", &sorted(arns), sorted(seen));
    let stopped = ecs.list_tasks().cluster("shop").desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped);
    let stopped = stopped.send().await.expect("tasks");
    told.row("ListTasks, desiredStatus STOPPED", "0", stopped.task_arns().len());
}

async fn unknown(ecs: &Client, told: &mut Told) {
    let absent = "ClusterNotFoundException";
    told.row("ListTasks, unknown cluster", absent, code(&ecs.list_tasks().cluster("nope").send().await));
    let answer = ecs.describe_tasks().cluster("nope").tasks("0123").send().await;
    told.row("DescribeTasks, unknown cluster", absent, code(&answer));
    let answer = ecs.stop_task().cluster("nope").task("0123").send().await;
    told.row("StopTask, unknown cluster", absent, code(&answer));
    let answer = ecs.describe_services().cluster("nope").services("checkout").send().await;
    told.row("DescribeServices, unknown cluster", absent, code(&answer));
    let answer = ecs.update_service().cluster("nope").service("checkout").desired_count(1).send().await;
    told.row("UpdateService, unknown cluster", absent, code(&answer));

    let answer = ecs.describe_clusters().clusters("nope").send().await.expect("clusters");
    let reason = answer.failures().first().and_then(|failure| failure.reason());
    told.row("DescribeClusters, unknown", "MISSING", reason.unwrap_or_default());
    let answer = ecs.describe_tasks().cluster("shop").tasks("0123456789abcdef").send().await.expect("tasks");
    let reason = answer.failures().first().and_then(|failure| failure.reason());
    // moto leaves out what it does not know, without a word.
    told.but_moto(
        "DescribeTasks, unknown",
        "0 and MISSING",
        "0 and ",
        format!("{} and {}", answer.tasks().len(), reason.unwrap_or_default()),
    );
    let answer = ecs.describe_services().cluster("shop").services("nope").send().await.expect("services");
    let reason = answer.failures().first().and_then(|failure| failure.reason());
    told.row("DescribeServices, unknown", "MISSING", reason.unwrap_or_default());
    let answer = ecs.update_service().cluster("shop").service("nope").desired_count(1).send().await;
    told.row("UpdateService, unknown", "ServiceNotFoundException", code(&answer));
    let answer = ecs.list_tasks().cluster("shop").service_name("nope").send().await;
    // To moto a service is a word to filter by.
    told.but_moto("ListTasks, unknown service", "ServiceNotFoundException", "accepted", code(&answer));
    // moto crashes on a task that it does not know.
    let answer = ecs.stop_task().cluster("shop").task("0123456789abcdef").send().await;
    told.but_moto("StopTask, unknown", "InvalidParameterException", "no AWS answer", code(&answer));
    told.row(
        "DescribeTasks without tasks",
        "InvalidParameterException",
        code(&ecs.describe_tasks().cluster("shop").send().await),
    );
}

async fn service(ecs: &Client, told: &mut Told) {
    let shown = || async {
        let answer = ecs.describe_services().cluster("shop").services("checkout").send().await;
        let answer = answer.expect("a service");
        let service = &answer.services()[0];
        (service.status().unwrap_or_default().to_owned(), service.desired_count(), service.running_count())
    };
    let (status, desired, running) = shown().await;
    told.row("DescribeServices", "ACTIVE, 2 desired", format!("{status}, {desired} desired"));
    // moto's services never run anything.
    told.but_moto("DescribeServices: running", "2", "0", running);
    let answer = ecs.update_service().cluster("shop").service("checkout").desired_count(3).send().await;
    told.row("UpdateService, desiredCount", "accepted", code(&answer));
    told.row("… shown", "3", shown().await.1);
    let answer = ecs.update_service().cluster("shop").service("checkout").desired_count(2).send().await;
    told.row("UpdateService, back", "accepted", code(&answer));
    told.row("… shown as before", "2", shown().await.1);
}

async fn stop(ecs: &Client, told: &mut Told) {
    let victim = tasks(ecs).await.remove(0);
    let answer = ecs.stop_task().cluster("shop").task(&victim).reason("a drill").send().await;
    let wanted = answer.expect("it stops").task.and_then(|task| task.desired_status).unwrap_or_default();
    told.row("StopTask", "STOPPED", wanted);
    // moto gives no stop code, and goes on listing the task.
    let ended = |code: &str| format!("STOPPED wanted STOPPED in service:checkout, {code}, a drill");
    let (aws, moto) = (ended("UserInitiated"), ended("-"));
    let wanted = if told.is_moto() { &moto } else { &aws };
    let seen = eventually(wanted, || shown(ecs, &victim)).await;
    told.but_moto("… is then", &aws, &moto, seen);
    let listed = tasks(ecs).await.contains(&victim);
    told.but_moto("… and ListTasks shows it no more", "false", "true", listed);
    let again = ecs.stop_task().cluster("shop").task(&victim).send().await;
    told.row("StopTask of a stopped one", "accepted", code(&again));
}
