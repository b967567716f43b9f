//! Actions on ECS tasks and services.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ecs::types::{SchedulingStrategy, Service, Task};

use super::undo::Restored;
use super::{
    Act, Applied, Before, Effect, Prepared, Sight, Undo, Watch, one_by_one, precondition, sighted,
    still_to_do,
};
use crate::aws::find::{Found, Resource};
use crate::aws::{Aws, Fault, Look, Purpose, Wait, ecs};
use crate::notation::code::Code;
use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;
use crate::run::event::Precondition;

record! {
    /// Stops tasks. There is nothing to undo: a service starts new ones; a task of no service is gone.
    pub struct StopTask {
        /// The name of an `ecs.task` target.
        pub target: Spanned<String>,
        /// Why, as it will stand in the task's `stoppedReason`.
        pub reason: Option<String>,
    }
}

record! {
    /// Changes a service's desired count, or makes it deploy afresh. Undone by restoring the desired count.
    /// At least one of `desired_count` and `force_new_deployment` is needed.
    pub struct UpdateService {
        /// The name of an `ecs.service` target.
        pub target: Spanned<String>,
        /// How many tasks the service shall run.
        pub desired_count: Option<u32>,
        /// Replaces every task, with the task definition unchanged.
        pub force_new_deployment: Option<bool>,
    }
}

impl UpdateService {
    pub(super) fn lint(&self, place: Span) -> Vec<Problem> {
        if self.desired_count.is_some() || self.force_new_deployment == Some(true) {
            return Vec::new();
        }
        vec![
            Problem::new(Code::UpdateOfNothing, place, "the service is to be updated, but nothing of it")
                .label("`desired_count` or `force_new_deployment: true` is needed here"),
        ]
    }
}

const STOP_TASK: &str = "ecs:StopTask";
const UPDATE_SERVICE: &str = "ecs:UpdateService";

/// Long enough for tasks to be placed, pulled and found healthy.
pub(super) const SETTLED: Duration = Duration::from_secs(20 * 60);

#[async_trait]
impl Act for StopTask {
    fn permissions(&self) -> &'static [&'static str] {
        &["ecs:ListTasks", "ecs:DescribeTasks", STOP_TASK]
    }

    fn summary(&self, found: &Found) -> String {
        format!("stop task {} of cluster {}", found.names(), found.scope())
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for task in ecs::tasks(aws, found.scope(), &found.ids()).await? {
            let id = ecs::short(task.task_arn().unwrap_or_default()).to_owned();
            let status = task.last_status().unwrap_or("UNKNOWN");
            facts.push(precondition(format!("task {id} is RUNNING"), status == "RUNNING", status));
            let group = task.group().unwrap_or("no group");
            let found = match group.strip_prefix("service:") {
                Some(service) => format!("service {service} starts another"),
                None => {
                    format!("it belongs to no service ({group}): it is gone for good, so name a service's")
                }
            };
            facts.push(precondition(
                format!("task {id} is replaced after it stops"),
                group.starts_with("service:"),
                found,
            ));
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let tasks = ecs::tasks(aws, found.scope(), &found.ids()).await?;
        let resources = found.ids().into_iter().map(|id| {
            let task = tasks.iter().find(|task| task.task_arn() == Some(&id));
            // One that ECS has forgotten stopped long ago.
            let state = task.map_or("STOPPED", phase).to_owned();
            Resource { id, state, ..Resource::default() }
        });
        let before = Before { resources: resources.collect(), ..Before::default() };
        still_to_do(STOP_TASK, &before, LEAVING)?;
        Ok(Prepared { undo: None, before })
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let reason = self.reason.clone().unwrap_or_else(|| format!("firedrill: {step}"));
        let reason = &reason;
        let ids = found.ids();
        one_by_one(&ids, |arn| async move {
            aws.mutate(Purpose::Act, step, STOP_TASK, &arn, |clients| {
                clients.ecs.stop_task().cluster(found.scope()).task(&arn).reason(reason).send()
            })
            .await
            .map(drop)
        })
        .await?;
        Ok(Applied { detail: format!("ECS accepted the stop of {}", found.names()), handle: None })
    }

    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let names = found.names();
        let wait = Wait {
            operation: ecs::DESCRIBE_TASKS,
            resource: &names,
            what: "the tasks to leave RUNNING",
            within: watch.within,
        };
        let ids = found.ids();
        sighted(aws, wait, watch, || async {
            let tasks = ecs::tasks(aws, found.scope(), &ids).await?;
            let left = tasks
                .iter()
                .filter(|task| {
                    let was = before.resource(task.task_arn().unwrap_or_default());
                    was.is_some_and(|was| was.turned(phase(task), LEAVING))
                })
                .count();
            let how: Vec<String> = tasks.iter().map(told).collect();
            Ok(Sight { some: left > 0, all: left == ids.len(), how: how.join("; ") })
        })
        .await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        let (names, ids) = (found.names(), found.ids());
        let what = "the tasks to be STOPPED";
        let wait = Wait { operation: ecs::DESCRIBE_TASKS, resource: &names, what, within };
        wait.until(aws, || async {
            let tasks = ecs::tasks(aws, found.scope(), &ids).await?;
            let others: Vec<String> =
                tasks.iter().filter(|task| task.last_status() != Some("STOPPED")).map(told).collect();
            Ok(if others.is_empty() { Look::There(()) } else { Look::NotYet(others.join("; ")) })
        })
        .await
    }
}

#[async_trait]
impl Act for UpdateService {
    fn permissions(&self) -> &'static [&'static str] {
        &["ecs:DescribeServices", UPDATE_SERVICE]
    }

    fn summary(&self, found: &Found) -> String {
        let mut parts = Vec::new();
        if let Some(count) = self.desired_count {
            parts.push(format!("set the desired count of {} to {count}", found.names()));
        }
        if self.force_new_deployment == Some(true) {
            parts.push(format!("deploy {} afresh", found.names()));
        }
        parts.join(", and ")
    }

    async fn check(&self, aws: &Aws, found: &Found) -> Result<Vec<Precondition>, Fault> {
        let mut facts = Vec::new();
        for id in found.ids() {
            let service = ecs::service(aws, found.scope(), &id).await?;
            let status = service.status().unwrap_or("UNKNOWN");
            facts.push(precondition(format!("service {id} is ACTIVE"), status == "ACTIVE", status));
            let counts = format!("desired {}, running {}", service.desired_count, service.running_count);
            let full = service.running_count >= service.desired_count;
            facts.push(precondition(format!("service {id} runs what it should"), full, counts));
            if let Some(count) = self.desired_count {
                let daemon = service.scheduling_strategy() == Some(&SchedulingStrategy::Daemon);
                let differs = i32::try_from(count).is_ok_and(|count| count != service.desired_count);
                let found = match (daemon, differs) {
                    (true, _) => "it is a DAEMON service, which has no desired count to set".to_owned(),
                    (_, false) => format!("it is {count} already: ask for another"),
                    _ => format!("{} now", service.desired_count),
                };
                facts.push(precondition(
                    format!("the desired count of {id} can become {count}"),
                    !daemon && differs,
                    found,
                ));
            }
        }
        Ok(facts)
    }

    async fn prepare(&self, aws: &Aws, found: &Found) -> Result<Prepared, Fault> {
        let mut prepared = Prepared::default();
        for id in found.ids() {
            let service = ecs::service(aws, found.scope(), &id).await?;
            let desired_count = u32::try_from(service.desired_count).unwrap_or_default();
            if self.desired_count.is_some() {
                let (cluster, service) = (found.scope().to_owned(), id.clone());
                prepared.undo = Some(Undo::DesiredCount { cluster, service, desired_count });
            }
            let facts = BTreeMap::from([
                ("running_count".to_owned(), service.running_count.to_string()),
                ("deployment".to_owned(), primary(&service).to_owned()),
            ]);
            prepared.before.resources.push(Resource { id, facts, ..Resource::default() });
        }
        Ok(prepared)
    }

    async fn apply(&self, aws: &Aws, step: &str, found: &Found, _: &Before) -> Result<Applied, Fault> {
        let count = self.desired_count.map(|count| i32::try_from(count).unwrap_or(i32::MAX));
        let ids = found.ids();
        one_by_one(&ids, |id| async move {
            aws.mutate(Purpose::Act, step, UPDATE_SERVICE, &id, |clients| {
                clients
                    .ecs
                    .update_service()
                    .cluster(found.scope())
                    .service(&id)
                    .set_desired_count(count)
                    .set_force_new_deployment(self.force_new_deployment)
                    .send()
            })
            .await
            .map(drop)
        })
        .await?;
        Ok(Applied { detail: format!("ECS accepted the update of {}", found.names()), handle: None })
    }

    /// The desired count is only a wish: what shows that it took hold is another number of running
    /// tasks, or a new deployment.
    async fn effect(
        &self,
        aws: &Aws,
        found: &Found,
        before: &Before,
        _: &Applied,
        watch: Watch,
    ) -> Result<Effect, Fault> {
        let names = found.names();
        let wait = Wait {
            operation: ecs::DESCRIBE_SERVICES,
            resource: &names,
            what: "the service to change its tasks",
            within: watch.within,
        };
        let ids = found.ids();
        sighted(aws, wait, watch, || async {
            let (mut changed, mut how) = (0, Vec::new());
            for id in &ids {
                let service = ecs::service(aws, found.scope(), id).await?;
                let was = |fact: &str| {
                    before.resource(id).and_then(|r| r.facts.get(fact)).cloned().unwrap_or_default()
                };
                let running = service.running_count.to_string();
                let deployed = primary(&service) != was("deployment");
                changed += usize::from(running != was("running_count") || deployed);
                how.push(format!(
                    "{id}: running {} before, {running} now, {} wanted{}",
                    was("running_count"),
                    service.desired_count,
                    if deployed { ", new deployment" } else { "" }
                ));
            }
            Ok(Sight { some: changed > 0, all: changed == ids.len(), how: how.join("; ") })
        })
        .await
    }

    async fn ready(
        &self,
        aws: &Aws,
        found: &Found,
        _: &Before,
        _: &Applied,
        within: Duration,
    ) -> Result<(), Fault> {
        for id in found.ids() {
            steady(aws, found.scope(), &id, within).await?;
        }
        Ok(())
    }
}

/// Sets a service's desired count back and waits until it runs that many.
pub(super) async fn restore(
    aws: &Aws,
    step: &str,
    cluster: &str,
    service: &str,
    desired_count: u32,
) -> Result<Restored, Fault> {
    let wanted = i32::try_from(desired_count).unwrap_or(i32::MAX);
    let already = ecs::service(aws, cluster, service).await?.desired_count == wanted;
    if !already {
        aws.mutate(Purpose::Undo, step, UPDATE_SERVICE, service, |clients| {
            clients.ecs.update_service().cluster(cluster).service(service).desired_count(wanted).send()
        })
        .await?;
    }
    steady(aws, cluster, service, SETTLED).await?;
    let how = if already { "already wants" } else { "wants" };
    let told = format!("{service} {how} {desired_count} tasks again and runs them");
    Ok(Restored { told, acted: !already, already })
}

/// Waits until one deployment is left and runs what it should.
async fn steady(aws: &Aws, cluster: &str, name: &str, within: Duration) -> Result<(), Fault> {
    let what = "the service to run what it should";
    let wait = Wait { operation: ecs::DESCRIBE_SERVICES, resource: name, what, within };
    wait.until(aws, || async {
        let service = ecs::service(aws, cluster, name).await?;
        let (wanted, runs) = (service.desired_count, service.running_count);
        let deployments = service.deployments().len();
        Ok(if wanted == runs && deployments <= 1 {
            Look::There(())
        } else {
            Look::NotYet(format!("{runs} of {wanted} run, {deployments} deployments"))
        })
    })
    .await
}

/// The id of the deployment in charge.
fn primary(service: &Service) -> &str {
    service
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"))
        .and_then(|deployment| deployment.id())
        .unwrap_or_default()
}

/// The phases of a task that is stopping or has stopped.
const LEAVING: &[&str] = &["DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED"];

/// The phase that a task was last seen in.
fn phase(task: &Task) -> &str {
    task.last_status().unwrap_or("UNKNOWN")
}

fn told(task: &Task) -> String {
    let id = ecs::short(task.task_arn().unwrap_or_default());
    let reason = task.stopped_reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("task {id} is {}{reason}", task.last_status().unwrap_or("UNKNOWN"))
}
