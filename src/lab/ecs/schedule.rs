//! The service's scheduler, and what happens to tasks over time.

use std::time::Duration;

use super::{Ecs, SERVICE, State, Status, Task};
use crate::lab::balancer::Health;
use crate::lab::timing::Span;
use crate::lab::world::ZONES;

const LOOK: Span = Span::new("service scheduler looks", (5.0, 5.0), (0.2, 0.2));
const PROVISIONING: Span = Span::new("task provisioning", (8.0, 25.0), (0.3, 0.7));
const PENDING: Span = Span::new("task pending", (12.0, 35.0), (0.5, 1.2));
/// A task's program ends on SIGTERM at once; its load balancer hears of it only after a while.
const DEREGISTRATION: Span = Span::new("task deregistration", (2.0, 10.0), (1.2, 2.4));
const STOPPING: Span = Span::new("task stopping", (1.0, 5.0), (0.2, 0.5));
const DEPROVISIONING: Span = Span::new("task deprovisioning", (5.0, 15.0), (0.2, 0.5));

impl Ecs {
    /// Keeps the service at its desired count, for as long as the runtime lives.
    pub(crate) async fn keep(self) {
        let mut ticks = tokio::time::interval(self.0.world.pace.draw(LOOK, SERVICE));
        let mut steady = true;
        loop {
            ticks.tick().await;
            self.start_missing();
            self.stop_surplus();
            let now_steady = self.is_steady();
            if now_steady && !steady {
                self.event("has reached a steady state.");
            }
            steady = now_steady;
        }
    }

    fn is_steady(&self) -> bool {
        let state = self.state();
        let current = state.tasks.iter().filter(|task| task.desired && task.deployment == state.deployment);
        let serving = current.filter(|task| self.is_healthy(task)).count();
        serving == state.desired && state.tasks.iter().filter(|task| task.desired).count() == state.desired
    }

    fn is_healthy(&self, task: &Task) -> bool {
        task.last == Status::Running && self.0.balancer.health(&task.id) == Some(Health::Healthy)
    }

    /// Starts tasks of the present deployment until there are enough.
    fn start_missing(&self) {
        loop {
            let zone = {
                let state = self.state();
                let wanted: Vec<&Task> = state
                    .tasks
                    .iter()
                    .filter(|task| task.desired && task.deployment == state.deployment)
                    .collect();
                if wanted.len() >= state.desired {
                    return;
                }
                let in_zone = |zone: &str| wanted.iter().filter(|task| task.zone == zone).count();
                ZONES.into_iter().min_by_key(|zone| in_zone(zone)).unwrap_or(ZONES[0])
            };
            let id = self.add(zone);
            self.event(&format!("has started 1 tasks: (task {id})."));
            let ecs = self.clone();
            tokio::spawn(async move { ecs.come_up(&id).await });
        }
    }

    /// Stops, politely, what is more than desired: tasks of earlier deployments once the present one is healthy,
    /// then the newest.
    fn stop_surplus(&self) {
        let surplus: Vec<String> = {
            let state = self.state();
            let wanted = || state.tasks.iter().filter(|task| task.desired);
            let current: Vec<&Task> = wanted().filter(|task| task.deployment == state.deployment).collect();
            let ready = current.iter().filter(|task| self.is_healthy(task)).count() >= state.desired;
            let old = wanted().filter(|task| ready && task.deployment != state.deployment);
            let extra = current.iter().skip(state.desired).copied();
            old.chain(extra).map(|task| task.id.clone()).collect()
        };
        for id in surplus {
            let reason = "Scaling activity initiated by deployment";
            self.event(&format!("has stopped 1 running tasks: (task {id})."));
            self.begin_stop(&id, "ServiceSchedulerInitiated", reason.to_owned(), true);
        }
    }

    async fn come_up(self, id: &str) {
        for (span, next) in [(PROVISIONING, Status::Pending), (PENDING, Status::Running)] {
            self.wait(span, id).await;
            let mut state = self.state();
            let Some(task) = state.find(id).filter(|task| task.desired) else { return };
            self.turn(task, next);
            if next == Status::Running {
                self.serve(task);
            }
        }
    }

    fn serve(&self, task: &mut Task) {
        self.0.balancer.register(&task.id, task.address, false, Health::Initial);
        if let Err(error) = self.open(task) {
            self.0.world.truth.event(format!("ECS: task {} cannot serve: {error}", task.id));
        }
    }

    /// Stops a task. Not `politely`, its sockets are closed when this returns; otherwise its load balancer
    /// is told first.
    pub(super) fn begin_stop(&self, id: &str, code: &'static str, reason: String, politely: bool) {
        let now = self.now();
        {
            let mut state: std::sync::MutexGuard<'_, State> = self.state();
            let Some(task) = state.find(id).filter(|task| task.desired) else { return };
            task.desired = false;
            task.stopping = Some(now);
            task.stop = Some((code, reason));
            self.turn(task, Status::Deactivating);
            let server = task.server.take();
            if politely {
                self.0.balancer.deregister(id);
            }
            self.0.balancer.set_alive(id, false, || drop(server));
        }
        self.0.world.truth.event(format!("ECS: task {id} stopped"));
        let (ecs, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move { ecs.go_down(&id).await });
    }

    async fn go_down(self, id: &str) {
        self.wait(DEREGISTRATION, id).await;
        self.0.balancer.deregister(id);
        self.set_last(id, Status::Stopping);
        self.wait(STOPPING, id).await;
        self.set_last(id, Status::Deprovisioning);
        self.wait(DEPROVISIONING, id).await;
        self.set_last(id, Status::Stopped);
    }

    fn set_last(&self, id: &str, status: Status) {
        let now = self.now();
        if let Some(task) = self.state().find(id) {
            self.turn(task, status);
            if status == Status::Stopped {
                task.stopped = Some(now);
            }
        }
    }

    async fn wait(&self, span: Span, id: &str) {
        let delay: Duration = self.0.world.pace.draw(span, id);
        tokio::time::sleep(delay).await;
    }
}
