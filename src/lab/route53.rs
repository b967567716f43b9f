//! Route 53: the hosted zone `lab.test`, whose record sets the lab's DNS server answers from.
//!
//! A change is in the hosted zone at once, `PENDING`; the name server answers accordingly after a
//! while, and then the change becomes `INSYNC`.

mod call;
mod change;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::http::Method;
use jiff::Timestamp;
use tokio::time::Instant;

use super::timing::Span;
use super::wire::{Answer, Call, Fault, Protocol, Service};
use super::world::{DOMAIN, World, lock};
use super::zone::{Change, RecordSet, absolute};

const PROPAGATION: Span = Span::new("record change reaches the name server", (1.0, 30.0), (0.3, 0.9));
const SYNCED: Span = Span::new("record change is in sync", (1.0, 30.0), (0.1, 0.4));

/// A submitted change batch.
#[derive(Clone)]
struct Submitted {
    at: Timestamp,
    synced: bool,
    comment: Option<String>,
}

/// A change batch on its way to the name server.
struct Travelling {
    id: String,
    changes: Vec<Change>,
    synced: Instant,
}

struct Hosted {
    /// In the order of Route 53: by the labels of the name from the right, then type, then identifier.
    sets: Vec<RecordSet>,
    submitted: BTreeMap<String, Submitted>,
    /// When the last change reaches the name server: a later one never overtakes it.
    last_due: Instant,
    /// What has not reached it, in the order in which it was submitted.
    travelling: VecDeque<Travelling>,
}

struct Inner {
    world: World,
    zone_id: String,
    hosted: Mutex<Hosted>,
}

/// The region's Route 53. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Route53(Arc<Inner>);

impl Route53 {
    /// The hosted zone with these record sets, which the name server has already.
    pub(crate) fn start(world: World, sets: Vec<RecordSet>) -> Route53 {
        world.zone.apply(sets.iter().cloned().map(Change::Put).collect());
        let server = format!("ns.{DOMAIN}.");
        let mut sets = sets;
        sets.push(RecordSet::simple(DOMAIN, "NS", 172_800, &server));
        let soa = format!("{server} hostmaster.{DOMAIN}. 1 7200 900 1209600 86400");
        sets.push(RecordSet::simple(DOMAIN, "SOA", 900, soa));
        sets.sort_by_key(order);
        let zone_id = format!("Z{:016X}", world.pace.number("hosted zone", DOMAIN));
        let hosted = Hosted {
            sets,
            submitted: BTreeMap::new(),
            last_due: Instant::now(),
            travelling: VecDeque::new(),
        };
        Route53(Arc::new(Inner { world, zone_id, hosted: Mutex::new(hosted) }))
    }

    /// The id of the hosted zone.
    pub(crate) fn zone_id(&self) -> &str {
        &self.0.zone_id
    }

    fn hosted(&self) -> MutexGuard<'_, Hosted> {
        lock(&self.0.hosted)
    }

    /// Puts changes, found valid, into the hosted zone, and sends them on their way. Gives the change's id.
    fn submit(&self, hosted: &mut Hosted, changes: Vec<Change>, comment: Option<String>) -> String {
        for change in &changes {
            let (Change::Put(set) | Change::Delete(set)) = change;
            hosted.sets.retain(|other| !other.same_key(set));
            if let Change::Put(set) = change {
                hosted.sets.push(set.clone());
            }
        }
        hosted.sets.sort_by_key(order);
        let world = &self.0.world;
        let key = format!("change {}", hosted.submitted.len());
        let id = world.pace.id("C", &key).to_uppercase();
        let at = world.clock.wall(world.clock.now());
        world.truth.layer("dns_change", &id, "PENDING");
        hosted.submitted.insert(id.clone(), Submitted { at, synced: false, comment });
        let due = hosted.last_due.max(Instant::now() + world.pace.draw(PROPAGATION, &key));
        hosted.last_due = due;
        let synced = due + world.pace.draw(SYNCED, &key);
        hosted.travelling.push_back(Travelling { id: id.clone(), changes, synced });
        world.truth.event(format!("Route 53: change {id} submitted"));
        let route53 = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(due).await;
            route53.arrive().await;
        });
        id
    }

    /// The oldest change on its way reaches the name server. Timers of the same instant fire in any order, so
    /// it need not be the one whose timer this was.
    async fn arrive(&self) {
        let arrived = {
            let mut hosted = self.hosted();
            let Some(arrived) = hosted.travelling.pop_front() else { return };
            self.0.world.truth.event(format!("Route 53: change {} reaches the name server", arrived.id));
            self.0.world.zone.apply(arrived.changes);
            (arrived.id, arrived.synced)
        };
        let (id, synced) = arrived;
        self.0.world.truth.event(format!("Route 53: change {id} is served"));
        tokio::time::sleep_until(synced).await;
        if let Some(submitted) = self.hosted().submitted.get_mut(&id) {
            self.0.world.truth.layer("dns_change", &id, "INSYNC");
            submitted.synced = true;
        }
    }
}

/// Where a record set stands in a list.
fn order(set: &RecordSet) -> (Vec<String>, String, Option<String>) {
    (labels(&set.name), set.kind.clone(), set.set_identifier.clone())
}

/// A name's labels from the right: the order of Route 53's lists.
fn labels(name: &str) -> Vec<String> {
    absolute(name).trim_end_matches('.').rsplit('.').map(str::to_owned).collect()
}

impl Service for Route53 {
    fn protocol(&self) -> Protocol {
        Protocol::RestXml { namespace: "https://route53.amazonaws.com/doc/2013-04-01/" }
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&'static str> {
        call::operation(method, path)
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        call::dispatch(self, call)
    }
}
