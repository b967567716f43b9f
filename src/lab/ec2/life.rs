//! What happens to instances over time: launching, stopping, starting, rebooting, terminating.
//!
//! Each change of state is numbered; what is due later happens only if no other change came between.

use super::instance::{Instance, State};
use super::{Ec2, Template};
use crate::lab::balancer::Health;
use crate::lab::timing::Span;

const PENDING: Span = Span::new("instance pending", (10.0, 30.0), (0.6, 1.2));
const BOOT: Span = Span::new("instance boots and serves", (30.0, 90.0), (0.5, 1.2));
const STOPPING: Span = Span::new("instance stopping", (20.0, 60.0), (1.0, 2.0));
const SHUTTING_DOWN: Span = Span::new("instance shutting down", (30.0, 90.0), (2.5, 4.0));
const REBOOT: Span = Span::new("instance reboots", (30.0, 120.0), (1.5, 3.0));

/// AWS's words for a state that a call of the user's brought about.
pub(super) const BY_USER: (&str, &str) =
    ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown");

impl Ec2 {
    /// Launches an instance, which serves and is registered with its load balancer after a while.
    pub(crate) fn launch(&self, template: &Template, zone: &'static str) -> String {
        let id = self.add(template, zone);
        self.world().truth.event(format!("EC2: {id} launched in {zone}"));
        self.come_up(&id);
        id
    }

    /// Pending, then running, then serving.
    fn come_up(&self, id: &str) {
        self.later(id, PENDING, |ec2, instance| {
            ec2.turn(instance, State::Running);
            let balancer = instance.template.balancer.clone();
            match balancer.health(&instance.id) {
                Some(_) => balancer.set_used(&instance.id, true),
                None => balancer.register(&instance.id, instance.address, false, Health::Initial),
            }
            ec2.boot(&instance.id, BOOT, instance.changes);
        });
    }

    /// The web server comes up after a while.
    fn boot(&self, id: &str, span: Span, change: u64) {
        self.due(id, span, change, |ec2, instance| {
            if let Err(error) = instance.open() {
                ec2.world().truth.event(format!("EC2: {} cannot serve: {error}", instance.id));
            }
        });
    }

    /// Terminates an instance. Its sockets are closed when this returns.
    pub(super) fn terminate(&self, instance: &mut Instance, reason: (&'static str, &'static str)) {
        if matches!(instance.state, State::ShuttingDown | State::Terminated) {
            return;
        }
        instance.close();
        self.turn(instance, State::ShuttingDown);
        instance.reason = Some(reason);
        instance.changes += 1;
        self.world().truth.event(format!("EC2: {} terminated", instance.id));
        self.due(&instance.id, SHUTTING_DOWN, instance.changes, |ec2, instance| {
            ec2.turn(instance, State::Terminated);
            instance.template.balancer.deregister(&instance.id);
        });
    }

    /// Stops an instance. Its sockets are closed when this returns.
    pub(super) fn stop(&self, instance: &mut Instance) {
        if matches!(instance.state, State::Stopping | State::Stopped) {
            return;
        }
        instance.close();
        self.turn(instance, State::Stopping);
        instance.reason = Some(BY_USER);
        instance.changes += 1;
        self.world().truth.event(format!("EC2: {} stopped", instance.id));
        self.due(&instance.id, STOPPING, instance.changes, |ec2, instance| {
            ec2.turn(instance, State::Stopped);
            instance.template.balancer.set_used(&instance.id, false);
        });
    }

    /// Starts a stopped instance.
    pub(super) fn start(&self, instance: &mut Instance) {
        if instance.state != State::Stopped {
            return;
        }
        self.turn(instance, State::Pending);
        instance.reason = None;
        instance.changes += 1;
        instance.launched = self.world().clock.wall(self.world().clock.now());
        self.world().truth.event(format!("EC2: {} started", instance.id));
        let (ec2, id) = (self.clone(), instance.id.clone());
        // The fleet is locked by the caller.
        tokio::spawn(async move { ec2.come_up(&id) });
    }

    /// Reboots an instance; its state stays `running`.
    pub(super) fn reboot(&self, instance: &mut Instance) {
        instance.close();
        instance.changes += 1;
        self.world().truth.event(format!("EC2: {} rebooted", instance.id));
        self.boot(&instance.id, REBOOT, instance.changes);
    }

    /// Brings an instance into another state, and records it. The fleet is locked by the caller.
    fn turn(&self, instance: &mut Instance, state: State) {
        self.world().truth.layer("instance", &instance.id, state.name());
        instance.state = state;
    }

    /// Does something to an instance after a while, unless its state changes before.
    fn later(&self, id: &str, span: Span, act: impl FnOnce(&Ec2, &mut Instance) + Send + 'static) {
        let change = self.fleet().find(id).map(|instance| instance.changes);
        if let Some(change) = change {
            self.due(id, span, change, act);
        }
    }

    fn due(&self, id: &str, span: Span, change: u64, act: impl FnOnce(&Ec2, &mut Instance) + Send + 'static) {
        let delay = self.world().pace.draw(span, &format!("{id} {change}"));
        let (ec2, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            let mut fleet = ec2.fleet();
            if let Some(instance) = fleet.find(&id).filter(|instance| instance.changes == change) {
                act(&ec2, instance);
            }
        });
    }
}
