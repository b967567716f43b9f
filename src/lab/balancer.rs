//! An application load balancer: a reverse proxy with health checks, on an address of its own.
//!
//! It takes targets in strict rotation. Which share of its requests fails follows from which targets are in
//! rotation and which of those are dead; it tells the zone at each change. It knows nothing of what its
//! targets are.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::LabError;
use super::plane::{Request, Response, Server, exchange};
use super::timing::Span;
use super::world::{HTTP_PORT, World, lock};
use crate::clock::boottime_ns;

const INTERVAL: Span = Span::new("target health check interval", (30.0, 30.0), (1.0, 1.0));
const TIMEOUT: Span = Span::new("target health check timeout", (5.0, 5.0), (0.8, 0.8));
/// Failures in a row that take a target out of rotation.
const UNHEALTHY_AFTER: u32 = 2;
/// Passes in a row that put it back, and that a new one needs.
const HEALTHY_AFTER: u32 = 2;
const NEW_HEALTHY_AFTER: u32 = 1;
/// How long a target may take for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A target's state, as ELB names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// Registered, and not yet found healthy.
    Initial,
    Healthy,
    Unhealthy,
    /// Its instance is stopped.
    Unused,
}

impl Health {
    /// The state's name in ELB's answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Health::Initial => "initial",
            Health::Healthy => "healthy",
            Health::Unhealthy => "unhealthy",
            Health::Unused => "unused",
        }
    }
}

/// By what a load balancer's target group knows its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TargetKind {
    /// Instance ids.
    Instance,
    /// Addresses.
    Ip,
}

struct Target {
    id: String,
    address: Ipv4Addr,
    health: Health,
    /// Results in a row that speak against the present state.
    streak: u32,
    /// Whether anything listens there: what the truth is made of. Routing does not look at it.
    alive: bool,
    /// Tells a registration from a later one of the same target.
    registration: u64,
}

#[derive(Default)]
struct State {
    targets: Vec<Target>,
    turn: usize,
    registrations: u64,
    server: Option<Server>,
}

struct Inner {
    name: &'static str,
    address: Ipv4Addr,
    kind: TargetKind,
    world: World,
    state: Mutex<State>,
    /// How many requests it answered with an error of its own.
    errors: AtomicU64,
}

/// A load balancer. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Balancer(Arc<Inner>);

impl State {
    /// The targets that requests go to. When none is healthy, all registered ones that could answer: AWS's
    /// load balancers fail open.
    fn rotation(&self) -> Vec<&Target> {
        let healthy: Vec<&Target> =
            self.targets.iter().filter(|target| target.health == Health::Healthy).collect();
        if !healthy.is_empty() {
            return healthy;
        }
        self.targets.iter().filter(|target| target.health != Health::Unused).collect()
    }

    fn share_failing(&self) -> f64 {
        let rotation = self.rotation();
        let dead = rotation.iter().filter(|target| !target.alive).count();
        if rotation.is_empty() { 1.0 } else { dead as f64 / rotation.len() as f64 }
    }

    fn find(&mut self, id: &str) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.id == id)
    }
}

impl Balancer {
    /// Listens, with no target yet.
    pub(crate) fn start(
        world: &World,
        name: &'static str,
        kind: TargetKind,
        number: u8,
    ) -> Result<Balancer, LabError> {
        let address = world.subnet.address(number);
        let (world, state, errors) = (world.clone(), Mutex::default(), AtomicU64::new(0));
        let inner = Inner { name, address, kind, world: world.clone(), state, errors };
        let balancer = Balancer(Arc::new(inner));
        // A weak reference: the server belongs to the balancer, not the other way round.
        let weak = Arc::downgrade(&balancer.0);
        let handler = Arc::new(move |request: Request| {
            let inner = weak.upgrade();
            let answer: futures::future::BoxFuture<'static, Response> = Box::pin(async move {
                match inner {
                    Some(inner) => Balancer(inner).forward(request).await,
                    None => gateway_error(503),
                }
            });
            answer
        });
        let at = SocketAddr::new(IpAddr::V4(address), HTTP_PORT);
        let server = Server::open(at, handler).map_err(|source| LabError::Bind { address: at, source })?;
        balancer.change(|state| state.server = Some(server));
        Ok(balancer)
    }

    /// Where clients reach it.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.0.address
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.0.name
    }

    /// By what its targets are known.
    pub(crate) fn kind(&self) -> TargetKind {
        self.0.kind
    }

    /// Its targets, by the names that its target group knows them by, each with its health.
    pub(crate) fn targets(&self) -> Vec<(String, Health)> {
        let state = lock(&self.0.state);
        state.targets.iter().map(|target| (self.shown(target), target.health)).collect()
    }

    /// How many of its targets are unhealthy.
    pub(crate) fn unhealthy(&self) -> usize {
        lock(&self.0.state).targets.iter().filter(|target| target.health == Health::Unhealthy).count()
    }

    /// How many requests it has answered with an error of its own so far.
    pub(crate) fn errors(&self) -> u64 {
        self.0.errors.load(Ordering::Relaxed)
    }

    fn shown(&self, target: &Target) -> String {
        match self.0.kind {
            TargetKind::Instance => target.id.clone(),
            TargetKind::Ip => target.address.to_string(),
        }
    }

    /// Records what a target's health is from now on. The state is locked by the caller.
    fn told(&self, target: &Target, health: &str) {
        let resource = format!("{}/{}", self.0.name, self.shown(target));
        self.0.world.truth.layer("target_health", &resource, health);
    }

    /// A target's health, when it is registered.
    pub(crate) fn health(&self, id: &str) -> Option<Health> {
        lock(&self.0.state).find(id).map(|target| target.health)
    }

    /// Adds a target and checks its health from now on; one that starts `Healthy` is in rotation at once.
    pub(crate) fn register(&self, id: &str, address: Ipv4Addr, alive: bool, health: Health) {
        let registration = self.change(|state| {
            state.registrations += 1;
            let registration = state.registrations;
            state.targets.retain(|target| target.id != id);
            let target = Target { id: id.to_owned(), address, health, streak: 0, alive, registration };
            self.told(&target, health.name());
            state.targets.push(target);
            registration
        });
        tokio::spawn(self.clone().check(id.to_owned(), address, registration));
    }

    /// Sends no more requests to a target, and forgets it.
    pub(crate) fn deregister(&self, id: &str) {
        self.change(|state| {
            if let Some(target) = state.find(id) {
                self.told(target, "gone");
            }
            state.targets.retain(|target| target.id != id);
        });
    }

    /// Takes a target out of use (its instance is stopped), or into use again, as if it were new.
    pub(crate) fn set_used(&self, id: &str, used: bool) {
        self.change(|state| {
            if let Some(target) = state.find(id) {
                target.health = if used { Health::Initial } else { Health::Unused };
                target.streak = 0;
                self.told(target, target.health.name());
            }
        });
    }

    /// Opens or closes what listens at a target, and records that it is so.
    pub(crate) fn set_alive<T>(&self, id: &str, alive: bool, act: impl FnOnce() -> T) -> T {
        self.change(|state| {
            let done = act();
            if let Some(target) = state.find(id) {
                target.alive = alive;
            }
            done
        })
    }

    /// Changes the state, and tells the zone what follows from it. The instant on record is the one before the
    /// change: it began no earlier.
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = lock(&self.0.state);
        let at = boottime_ns();
        let done = act(&mut state);
        self.0.world.zone.set_backend(self.0.address, state.share_failing(), at);
        done
    }

    fn next(&self) -> Option<SocketAddr> {
        let mut state: MutexGuard<'_, State> = lock(&self.0.state);
        state.turn = state.turn.wrapping_add(1);
        let rotation = state.rotation();
        let target = rotation.get(state.turn.checked_rem(rotation.len())?)?;
        Some(SocketAddr::new(IpAddr::V4(target.address), HTTP_PORT))
    }

    async fn forward(&self, request: Request) -> Response {
        let failed = |status| {
            self.0.errors.fetch_add(1, Ordering::Relaxed);
            gateway_error(status)
        };
        let Some(target) = self.next() else { return failed(503) };
        match tokio::time::timeout(ANSWER_WITHIN, exchange(target, &request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => failed(502),
            Err(_) => failed(504),
        }
    }

    /// Checks a target's health, at its own phase of the interval, for as long as it is registered.
    async fn check(self, id: String, address: Ipv4Addr, registration: u64) {
        let pace = self.0.world.pace;
        let interval = pace.draw(INTERVAL, self.0.name);
        let timeout = pace.draw(TIMEOUT, self.0.name);
        let phase = interval.mul_f64(pace.fraction("health check phase", &format!("{id} {registration}")));
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + phase, interval);
        let name = self.0.name;
        let weak = Arc::downgrade(&self.0);
        // Held while asleep, it would keep the balancer alive for ever.
        drop(self);
        let at = SocketAddr::new(IpAddr::V4(address), HTTP_PORT);
        let request = Request::get("/health", name);
        loop {
            ticks.tick().await;
            let passed = passes(timeout, exchange(at, &request)).await;
            let Some(balancer) = weak.upgrade().map(Balancer) else { return };
            if !balancer.judge(&id, registration, passed) {
                return;
            }
        }
    }

    /// Takes a check's result into account; false when the target is no longer registered.
    fn judge(&self, id: &str, registration: u64, passed: bool) -> bool {
        self.change(|state| {
            let Some(target) = state.find(id).filter(|target| target.registration == registration) else {
                return false;
            };
            let (needed, next) = match (target.health, passed) {
                (Health::Initial, true) => (NEW_HEALTHY_AFTER, Health::Healthy),
                (Health::Unhealthy, true) => (HEALTHY_AFTER, Health::Healthy),
                (Health::Initial | Health::Healthy, false) => (UNHEALTHY_AFTER, Health::Unhealthy),
                (Health::Healthy, true) | (Health::Unhealthy, false) | (Health::Unused, _) => {
                    target.streak = 0;
                    return true;
                }
            };
            target.streak += 1;
            if target.streak >= needed {
                target.streak = 0;
                target.health = next;
                self.told(target, next.name());
                let text = format!("load balancer {}: target {id} is {next:?}", self.0.name);
                self.0.world.truth.event(text);
            }
            true
        })
    }
}

async fn passes(within: Duration, asked: impl Future<Output = std::io::Result<Response>>) -> bool {
    matches!(tokio::time::timeout(within, asked).await, Ok(Ok(answer)) if answer.status == 200)
}

fn gateway_error(status: u16) -> Response {
    let text = match status {
        502 => "502 Bad Gateway\n",
        504 => "504 Gateway Time-out\n",
        _ => "503 Service Temporarily Unavailable\n",
    };
    Response::text(status, text).with("server", "awselb/2.0")
}
