//! ECS, as far as it is looked at.

use aws_sdk_ecs::types::{Service, ServiceField, Task, TaskField};

use super::{Aws, Fault, FaultKind};

pub(crate) const LIST_TASKS: &str = "ecs:ListTasks";
pub(crate) const DESCRIBE_TASKS: &str = "ecs:DescribeTasks";
pub(crate) const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";

/// What one DescribeTasks call takes.
const AT_ONCE: usize = 100;

/// The ARNs of a cluster's tasks that are to run.
pub(crate) async fn task_arns(
    aws: &Aws,
    cluster: &str,
    service: Option<&str>,
    family: Option<&str>,
    about: &str,
) -> Result<Vec<String>, Fault> {
    let mut pages = aws
        .ecs()
        .list_tasks()
        .cluster(cluster)
        .set_service_name(service.map(str::to_owned))
        .set_family(family.map(str::to_owned))
        .into_paginator()
        .send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        arns.extend(page.map_err(|e| Fault::read(LIST_TASKS, about, e))?.task_arns.unwrap_or_default());
    }
    Ok(arns)
}

/// The tasks with these ids or ARNs. One that ECS no longer knows is left out: it forgets
/// stopped tasks after an hour or so.
pub(crate) async fn tasks(aws: &Aws, cluster: &str, ids: &[String]) -> Result<Vec<Task>, Fault> {
    let mut found = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let answer = aws
            .ecs()
            .describe_tasks()
            .cluster(cluster)
            .set_tasks(Some(some.to_vec()))
            .include(TaskField::Tags)
            .send()
            .await
            .map_err(|e| Fault::read(DESCRIBE_TASKS, cluster, e))?;
        found.extend(answer.tasks.unwrap_or_default());
    }
    Ok(found)
}

/// One service by its name or ARN.
pub(crate) async fn service(aws: &Aws, cluster: &str, name: &str) -> Result<Service, Fault> {
    let answer = aws
        .ecs()
        .describe_services()
        .cluster(cluster)
        .services(name)
        .include(ServiceField::Tags)
        .send()
        .await
        .map_err(|e| Fault::read(DESCRIBE_SERVICES, name, e))?;
    answer.services.unwrap_or_default().into_iter().next().ok_or_else(|| {
        Fault::new(
            FaultKind::Absent,
            DESCRIBE_SERVICES,
            name,
            format!("cluster {cluster} has no service of this name"),
            "check the service's and the cluster's name, the region and the account",
        )
    })
}

/// The last part of a task's ARN: what people call its id.
pub(crate) fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
