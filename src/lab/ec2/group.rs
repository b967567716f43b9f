//! An Auto Scaling group: it replaces what dies, by termination or by failing its load balancer's checks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::Instant;

use super::instance::State;
use super::{Ec2, Template};
use crate::lab::autoscaling::Activities;
use crate::lab::balancer::Health;
use crate::lab::timing::Span;
use crate::lab::world::ZONES;

const LOOK: Span = Span::new("group looks at its instances", (10.0, 10.0), (0.2, 0.2));
const NOTICE: Span = Span::new("group launches a replacement", (10.0, 60.0), (0.8, 2.0));
const GRACE: Span = Span::new("group's health check grace period", (300.0, 300.0), (8.0, 8.0));

const UNHEALTHY: (&str, &str) = (
    "Client.UserInitiatedShutdown",
    "Client.UserInitiatedShutdown: taken out of service by its Auto Scaling group",
);

/// What an EC2 health check finds.
const GONE: &str = "an EC2 health check indicating it has been terminated or stopped";

/// The tag that AWS puts on the instances of a group.
pub(crate) const TAG: &str = "aws:autoscaling:groupName";

/// A group, as it is described.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) desired: usize,
    pub(crate) template: Template,
    /// What it has done.
    pub(crate) activities: Activities,
    /// Whether an instance refresh is under way.
    pub(crate) refreshing: Arc<AtomicBool>,
}

/// A group that is kept at its size.
struct Keeper {
    ec2: Ec2,
    group: Group,
    /// When replacements are to be launched.
    due: Vec<Instant>,
    ordered: u64,
    known: BTreeSet<String>,
    /// Its activities under way: the activity's number and the instance that it is about.
    open: Vec<(usize, String)>,
    /// The instances that it has taken out of service.
    retired: BTreeSet<String>,
}

impl Group {
    /// Keeps the group at its size, for as long as the runtime lives.
    pub(crate) async fn keep(self, ec2: Ec2) {
        let look = ec2.world().pace.draw(LOOK, self.name);
        let known = ec2.fleet().instances.iter().map(|instance| instance.id.clone()).collect();
        let mut keeper = Keeper {
            ec2,
            group: self,
            due: Vec::new(),
            ordered: 0,
            known,
            open: Vec::new(),
            retired: BTreeSet::new(),
        };
        let mut ticks = tokio::time::interval(look);
        loop {
            ticks.tick().await;
            keeper.retire();
            keeper.replace();
            keeper.settle();
        }
    }

    pub(crate) fn has(&self, instance: &super::Instance) -> bool {
        instance.tag(TAG) == Some(self.name)
    }

    /// Its instances that count, with their zones.
    pub(crate) fn members(&self, ec2: &Ec2) -> Vec<(String, &'static str, State)> {
        let fleet = ec2.fleet();
        let counts = |instance: &&super::Instance| {
            self.has(instance) && matches!(instance.state, State::Pending | State::Running)
        };
        let member = |instance: &super::Instance| (instance.id.clone(), instance.zone, instance.state);
        fleet.instances.iter().filter(counts).map(member).collect()
    }
}

impl Keeper {
    /// Terminates what was stopped, and what its load balancer has found dead.
    fn retire(&mut self) {
        let now = self.ec2.world().clock.wall(self.ec2.world().clock.now());
        let grace = self.ec2.world().pace.draw(GRACE, self.group.name);
        let mut fleet = self.ec2.fleet();
        for instance in fleet.instances.iter_mut().filter(|instance| self.group.has(instance)) {
            let age = Duration::try_from(now.duration_since(instance.launched)).unwrap_or_default();
            // The instances of a new region are past their grace period.
            let young = age < grace && !self.known.contains(&instance.id);
            let failing = instance.template.balancer.health(&instance.id) == Some(Health::Unhealthy);
            let dead = match instance.state {
                State::Stopped | State::Stopping => true,
                State::Running => failing && !young,
                State::Pending | State::ShuttingDown | State::Terminated => false,
            };
            if dead || matches!(instance.state, State::ShuttingDown) {
                let check = if failing { "an ELB system health check failure" } else { GONE };
                if self.retired.insert(instance.id.clone()) {
                    let cause = format!("an instance was taken out of service in response to {check}");
                    let number = self
                        .group
                        .activities
                        .begin(&format!("Terminating EC2 instance: {}", instance.id), &cause);
                    self.open.push((number, instance.id.clone()));
                }
            }
            if dead {
                instance.template.balancer.deregister(&instance.id);
                self.ec2.terminate(instance, UNHEALTHY);
            }
        }
    }

    /// Orders what is missing, and launches what is due.
    fn replace(&mut self) {
        let members = self.group.members(&self.ec2);
        let missing = self.group.desired.saturating_sub(members.len());
        while self.due.len() < missing {
            self.ordered += 1;
            let key = format!("{} {}", self.group.name, self.ordered);
            self.due.push(Instant::now() + self.ec2.world().pace.draw(NOTICE, &key));
        }
        self.due.truncate(missing);
        let now = Instant::now();
        let ready = self.due.iter().filter(|due| **due <= now).count();
        self.due.retain(|due| *due > now);
        for _ in 0..ready {
            let members = self.group.members(&self.ec2);
            let in_zone = |zone: &str| members.iter().filter(|(_, other, _)| *other == zone).count();
            let emptiest = ZONES.into_iter().min_by_key(|zone| in_zone(zone));
            if let Some(zone) = emptiest {
                let id = self.ec2.launch(&self.group.template, zone);
                let cause =
                    "an instance was launched in response to an unhealthy instance needing to be replaced";
                let number =
                    self.group.activities.begin(&format!("Launching a new EC2 instance: {id}"), cause);
                self.open.push((number, id));
            }
        }
    }

    /// Ends the activities whose instance has come where it was to come.
    fn settle(&mut self) {
        let fleet = self.ec2.fleet();
        let activities = &self.group.activities;
        self.open.retain(|(number, id)| {
            let state = fleet.instances.iter().find(|instance| instance.id == *id).map(|found| found.state);
            let over = matches!(state, None | Some(State::Running | State::Terminated));
            if over {
                activities.end(*number);
            }
            !over
        });
    }
}
