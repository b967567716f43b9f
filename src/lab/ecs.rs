//! ECS: one cluster with one service of tasks that are real web servers behind a load balancer.
//!
//! The scheduler keeps the service at its desired count. What the tasks store outlives them.

mod call;
mod ledger;
mod schedule;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use serde_json::{Value, json};

use self::ledger::Ledger;
use super::balancer::{Balancer, Health};
use super::plane::Server;
use super::wire::{Answer, Call, Fault, Protocol, Service, arn};
use super::world::{HTTP_PORT, World, ZONES, host, lock};

/// The cluster.
pub(crate) const CLUSTER: &str = "shop";
/// Its service.
pub(crate) const SERVICE: &str = "checkout";
/// How many tasks the service is to have at first.
const DESIRED: usize = 2;

/// Where a task is in its life, as ECS names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Provisioning,
    Pending,
    Running,
    Deactivating,
    Stopping,
    Deprovisioning,
    Stopped,
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Provisioning => "PROVISIONING",
            Status::Pending => "PENDING",
            Status::Running => "RUNNING",
            Status::Deactivating => "DEACTIVATING",
            Status::Stopping => "STOPPING",
            Status::Deprovisioning => "DEPROVISIONING",
            Status::Stopped => "STOPPED",
        }
    }
}

struct Task {
    id: String,
    zone: &'static str,
    address: Ipv4Addr,
    deployment: u64,
    last: Status,
    /// Whether it is to run.
    desired: bool,
    created: Timestamp,
    started: Option<Timestamp>,
    stopping: Option<Timestamp>,
    stopped: Option<Timestamp>,
    /// ECS's code and reason for stopping.
    stop: Option<(&'static str, String)>,
    server: Option<Server>,
}

impl Task {
    fn arn(&self) -> String {
        arn("ecs", &format!("task/{CLUSTER}/{}", self.id))
    }
}

struct State {
    desired: usize,
    deployment: u64,
    deployed: Timestamp,
    tasks: Vec<Task>,
    created: u64,
    /// Newest first: time and message.
    events: Vec<(Timestamp, String)>,
}

impl State {
    fn find(&mut self, id: &str) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == id)
    }
}

struct Inner {
    world: World,
    balancer: Balancer,
    ledger: Ledger,
    state: Mutex<State>,
}

/// The region's ECS. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Ecs(Arc<Inner>);

impl Ecs {
    /// The service with all its tasks running and in rotation.
    pub(crate) fn start(world: World, balancer: Balancer) -> std::io::Result<Ecs> {
        let state = State {
            desired: DESIRED,
            deployment: 1,
            deployed: world.clock.began(),
            tasks: Vec::new(),
            created: 0,
            events: Vec::new(),
        };
        let inner = Inner { world, balancer, ledger: Ledger::default(), state: Mutex::new(state) };
        let ecs = Ecs(Arc::new(inner));
        for index in 0..DESIRED {
            let id = ecs.add(ZONES[index % ZONES.len()]);
            let mut state = ecs.state();
            if let Some(task) = state.find(&id) {
                ecs.0.balancer.register(&id, task.address, false, Health::Healthy);
                ecs.open(task)?;
            }
        }
        ecs.event("has reached a steady state.");
        Ok(ecs)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }

    fn now(&self) -> Timestamp {
        self.0.world.clock.wall(self.0.world.clock.now())
    }

    /// Notes an event of the service.
    fn event(&self, what: &str) {
        let at = self.now();
        self.0.world.truth.event(format!("ECS: (service {SERVICE}) {what}"));
        let mut state = self.state();
        let message = format!("(service {SERVICE}) {what}");
        self.0.world.truth.layer("service_event", SERVICE, &message);
        state.events.insert(0, (at, message));
    }

    /// Adds a task, provisioning; gives its id.
    fn add(&self, zone: &'static str) -> String {
        let created = self.now();
        let mut state = self.state();
        state.created += 1;
        let number = state.created;
        let high = self.0.world.pace.number("task id", &number.to_string());
        let low = self.0.world.pace.number("task id tail", &number.to_string());
        let id = format!("{high:016x}{low:016x}");
        let task = Task {
            id: id.clone(),
            zone,
            address: self.0.world.subnet.address(free_host(&state)),
            deployment: state.deployment,
            last: Status::Provisioning,
            desired: true,
            created,
            started: None,
            stopping: None,
            stopped: None,
            stop: None,
            server: None,
        };
        self.0.world.truth.layer("task", &id, task.last.name());
        state.tasks.push(task);
        id
    }

    /// Brings a task into another state, and records it. The tasks are locked by the caller.
    fn turn(&self, task: &mut Task, status: Status) {
        self.0.world.truth.layer("task", &task.id, status.name());
        task.last = status;
    }

    /// A task runs and accepts from now on.
    fn open(&self, task: &mut Task) -> std::io::Result<()> {
        let at = SocketAddr::new(IpAddr::V4(task.address), HTTP_PORT);
        let handler = self.0.ledger.handler(&task.id, task.zone);
        self.turn(task, Status::Running);
        task.started = Some(self.now());
        task.server = Some(Server::open(at, handler)?);
        self.0.balancer.set_alive(&task.id, true, || ());
        Ok(())
    }
}

/// A host number that no living task has.
fn free_host(state: &State) -> u8 {
    let taken = |number: u8| {
        state.tasks.iter().any(|task| task.address.octets()[3] == number && task.last != Status::Stopped)
    };
    let last = state.tasks.last().map_or(host::TASKS, |task| task.address.octets()[3]);
    let mut after = (last.saturating_add(1)..=250).chain(host::TASKS..=250);
    after.find(|number| !taken(*number)).unwrap_or(host::TASKS)
}

/// A time as ECS writes it: seconds since 1970.
fn seconds(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1e3)
}

impl Service for Ecs {
    fn protocol(&self) -> Protocol {
        Protocol::Json
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        Ok(call::dispatch(self, &call.operation, &call.json)?.map(Answer::Json))
    }
}
