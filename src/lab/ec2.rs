//! EC2: instances that are real web servers behind a load balancer, and the calls about them.
//!
//! A call is checked and answered at once (`call`); what it starts runs on in `life`. Terminating or
//! stopping an instance closes its sockets before the call is answered.

mod call;
mod describe;
mod filter;
pub(crate) mod group;
mod instance;
mod life;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use self::instance::{Instance, State};
use super::balancer::{Balancer, Health};
use super::wire::{Answer, Call, Fault, Protocol, Service};
use super::world::{World, ZONES, host, lock};

/// A kind of instance: what runs on it and where it stands.
#[derive(Clone)]
pub(crate) struct Template {
    /// The stem of its Name tag.
    pub(crate) name: &'static str,
    /// What its web server says in `x-site`.
    pub(crate) site: &'static str,
    /// Tags besides Name.
    pub(crate) tags: &'static [(&'static str, &'static str)],
    /// What its requests come through.
    pub(crate) balancer: Balancer,
}

#[derive(Default)]
pub(crate) struct Fleet {
    pub(crate) instances: Vec<Instance>,
    launched: u64,
}

struct Inner {
    world: World,
    fleet: Mutex<Fleet>,
}

/// The region's EC2. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Ec2(Arc<Inner>);

impl Fleet {
    pub(crate) fn find(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|instance| instance.id == id)
    }
}

impl Ec2 {
    pub(crate) fn new(world: World) -> Ec2 {
        Ec2(Arc::new(Inner { world, fleet: Mutex::default() }))
    }

    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        lock(&self.0.fleet)
    }

    /// Adds an instance, pending; gives its id.
    fn add(&self, template: &Template, zone: &'static str) -> String {
        let world = &self.0.world;
        let mut fleet = self.fleet();
        fleet.launched += 1;
        let number = fleet.launched;
        let id = world.pace.id("i-", &format!("instance {number}"));
        let address = world.subnet.address(free_host(&fleet));
        let mut tags: Vec<(String, String)> =
            template.tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        tags.push(("Name".to_owned(), format!("{}-{number}", template.name)));
        tags.sort();
        let launched = world.clock.wall(world.clock.now());
        let instance = Instance::new(id.clone(), zone, address, tags, template.clone(), launched);
        fleet.instances.push(instance);
        id
    }

    /// Adds an instance that runs and is in rotation: how a region is when it starts.
    pub(crate) fn add_healthy(&self, template: &Template, zone: &'static str) -> std::io::Result<()> {
        let id = self.add(template, zone);
        let mut fleet = self.fleet();
        let Some(instance) = fleet.find(&id) else { return Ok(()) };
        instance.state = State::Running;
        template.balancer.register(&id, instance.address, false, Health::Healthy);
        instance.open()
    }

    /// One healthy instance per zone.
    pub(crate) fn add_healthy_in_all_zones(&self, template: &Template) -> std::io::Result<()> {
        ZONES.iter().try_for_each(|zone| self.add_healthy(template, zone))
    }
}

/// A host number that no instance has which might still need it.
fn free_host(fleet: &Fleet) -> u8 {
    let taken = |number: u8| {
        fleet
            .instances
            .iter()
            .any(|instance| instance.address.octets()[3] == number && instance.state != State::Terminated)
    };
    let last = fleet.instances.last().map_or(host::COMPUTE, |instance| instance.address.octets()[3]);
    let after = (last.saturating_add(1)..host::TASKS).chain(host::COMPUTE..host::TASKS);
    after.into_iter().find(|number| !taken(*number)).unwrap_or(host::COMPUTE)
}

impl Service for Ec2 {
    fn protocol(&self) -> Protocol {
        Protocol::Ec2
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        Ok(call::dispatch(self, &call.operation, &call.params)?.map(Answer::Xml))
    }
}
