//! An ECS service: how many tasks it runs, what it says, and what becomes of its tasks.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Look, Sighting, Watcher};
use crate::aws::{Aws, Fault, ecs};
use crate::run::event::Layer;

/// More tasks than this of one service are not followed one by one.
const FOLLOWED: usize = 100;

struct Service {
    cluster: String,
    name: String,
    /// Every task that was seen: one that is stopping is listed no more, but can still be described.
    tasks: BTreeSet<String>,
}

/// Watches a service of a cluster.
pub(super) fn watcher(cluster: String, name: String) -> Watcher {
    let permissions = [ecs::DESCRIBE_SERVICES, ecs::LIST_TASKS, ecs::DESCRIBE_TASKS];
    let title = format!("service {} of cluster {}", ecs::short(&name), ecs::short(&cluster));
    Watcher::new(title, &permissions, Service { cluster, name, tasks: BTreeSet::new() })
}

#[async_trait]
impl Look for Service {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        let name = ecs::short(&self.name).to_owned();
        let service = ecs::service(aws, &self.cluster, &self.name).await?;
        let (running, desired) = (service.running_count, service.desired_count);
        let what = format!("service {name} runs {running} of {desired} tasks");
        let mut seen = vec![Sighting::state(Layer::Service, &name, format!("{running} of {desired}"), what)];
        for event in service.events.unwrap_or_default() {
            let text = event.message.unwrap_or_default();
            let id = event.id.unwrap_or_default();
            seen.push(Sighting::happened(Layer::ServiceEvent, &name, id, text).stamped(event.created_at));
        }
        let listed = ecs::task_arns(aws, &self.cluster, Some(&self.name), None, &name).await?;
        let room = FOLLOWED.saturating_sub(self.tasks.len());
        self.tasks.extend(listed.into_iter().take(room));
        let arns: Vec<String> = self.tasks.iter().cloned().collect();
        for task in ecs::tasks(aws, &self.cluster, &arns).await? {
            let id = ecs::short(task.task_arn().unwrap_or_default());
            let state = task.last_status().unwrap_or("UNKNOWN");
            seen.push(Sighting::state(Layer::Task, id, state, format!("task {id} is {state}")));
        }
        Ok(seen)
    }
}
