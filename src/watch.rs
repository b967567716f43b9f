//! Watchers: what the cloud itself says of what a drill touches, layer by layer.
//!
//! A watcher looks at one resource again and again and tells what changed between two looks, each change
//! with the bracket in which it came: from the beginning of the last look that did not show it to the end
//! of the first that did. The cloud's own stamps go along, for reading only. Watchers only look; what
//! they cannot see is said once, and never stops a run.
//!
//! This module knows AWS and the events of a run; nothing of experiments, plans, probes or reports.

mod alarms;
mod attach;
mod compute;
mod database;
mod dns;
mod service;
mod target_health;
mod task;

use async_trait::async_trait;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

pub(crate) use self::attach::known;
pub use self::attach::{Attached, attach};
pub use self::task::{Patrol, Tell, Track};
use crate::aws::{Aws, Fault};
use crate::clock::Moment;
use crate::run::event::{Layer, WatcherFacts};

/// What can be seen of one thing in one look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) layer: Layer,
    pub(crate) resource: String,
    /// Tells it from what else there is to see: the resource's id, or a message's.
    pub(crate) key: String,
    /// As the API writes it.
    pub(crate) state: String,
    /// One line for people.
    pub(crate) what: String,
    pub(crate) stamp: Option<Timestamp>,
    /// Whether it is a state, which lasts until there is another, and whose disappearance is news; else it is
    /// something that happened.
    pub(crate) lasts: bool,
}

impl Sighting {
    /// A state of a resource.
    pub(crate) fn state(layer: Layer, resource: &str, state: impl Into<String>, what: String) -> Sighting {
        let (resource, state) = (resource.to_owned(), state.into());
        Sighting { layer, key: resource.clone(), resource, state, what, stamp: None, lasts: true }
    }

    /// Something that happened to a resource; `id` tells it from the others.
    pub(crate) fn happened(layer: Layer, resource: &str, id: String, what: impl Into<String>) -> Sighting {
        let what = what.into();
        let resource = resource.to_owned();
        Sighting { layer, resource, key: id, state: what.clone(), what, stamp: None, lasts: false }
    }

    /// With the cloud's own stamp.
    pub(crate) fn stamped(mut self, at: Option<DateTime>) -> Sighting {
        self.stamp = at.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok());
        self
    }
}

/// How a resource is looked at.
#[async_trait]
pub(crate) trait Look: Send {
    /// One look: all that there is to see.
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault>;
}

/// A watcher that has not begun.
pub struct Watcher {
    facts: WatcherFacts,
    look: Box<dyn Look>,
    /// When what it watches is known to have begun: then all that its first look shows is news.
    since: Option<Moment>,
}

impl Watcher {
    pub(crate) fn new(name: String, permissions: &[&str], look: impl Look + 'static) -> Watcher {
        let permissions = permissions.iter().map(|name| (*name).to_owned()).collect();
        Watcher { facts: WatcherFacts { name, permissions }, look: Box::new(look), since: None }
    }

    /// What the journal says of it.
    pub fn facts(&self) -> &WatcherFacts {
        &self.facts
    }
}
