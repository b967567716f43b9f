//! A Route 53 change: until every name server of the zone has it.

use async_trait::async_trait;

use super::{Look, Sighting, Track, Watcher};
use crate::aws::{Aws, Fault, route53};
use crate::run::event::Layer;

struct Change {
    resource: String,
    id: String,
    /// A change that is complete stays so: there is no need to ask again.
    synced: bool,
}

/// Follows a change from when it was asked for.
pub(super) fn watcher(track: Track) -> Watcher {
    let name = format!("change {} of {}", track.change, track.resource);
    let change = Change { resource: track.resource, id: track.change, synced: false };
    let mut watcher = Watcher::new(name, &[route53::GET_CHANGE], change);
    watcher.since = Some(track.since);
    watcher
}

#[async_trait]
impl Look for Change {
    async fn look(&mut self, aws: &Aws) -> Result<Vec<Sighting>, Fault> {
        self.synced = self.synced || route53::in_sync(aws, &self.id).await?;
        let state = if self.synced { "INSYNC" } else { "PENDING" };
        let what = format!("change {} of {} is {state}", self.id, self.resource);
        Ok(vec![Sighting::state(Layer::DnsChange, &self.resource, state, what)])
    }
}
