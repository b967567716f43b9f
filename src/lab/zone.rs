//! The record sets that the lab's DNS server answers from, and what they lead to.
//!
//! Names, and which addresses work, change under one lock, so that "this name leads to something
//! that works" has an exact beginning and end: see [`Zone::watch`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use super::truth::Truth;
use super::world::lock;
use crate::clock::boottime_ns;

/// PRIMARY or SECONDARY of a failover record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failover {
    Primary,
    Secondary,
}

/// A resource record set, as Route 53 knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RecordSet {
    /// Lower case, ending with a dot.
    pub(crate) name: String,
    /// `A`, `CNAME`, `TXT`, …
    pub(crate) kind: String,
    pub(crate) set_identifier: Option<String>,
    pub(crate) weight: Option<u64>,
    pub(crate) failover: Option<Failover>,
    pub(crate) health_check: Option<String>,
    pub(crate) ttl: u32,
    pub(crate) values: Vec<String>,
}

impl RecordSet {
    /// A simple record set.
    pub(crate) fn simple(name: &str, kind: &str, ttl: u32, value: impl ToString) -> RecordSet {
        RecordSet {
            name: absolute(name),
            kind: kind.to_owned(),
            set_identifier: None,
            weight: None,
            failover: None,
            health_check: None,
            ttl,
            values: vec![value.to_string()],
        }
    }

    /// Whether both are the same entry of a zone.
    pub(crate) fn same_key(&self, other: &RecordSet) -> bool {
        self.name == other.name && self.kind == other.kind && self.set_identifier == other.set_identifier
    }
}

/// A change of the zone.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put(RecordSet),
    Delete(RecordSet),
}

/// A name as the zone stores it: lower case, with its final dot.
pub(crate) fn absolute(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    if name.ends_with('.') { name } else { format!("{name}.") }
}

/// What an authoritative server says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Records in the order of the answer: CNAMEs first, then what they lead to.
    Records(Vec<RecordSet>),
    /// The name exists and has nothing of this type (after these CNAMEs).
    NoData(Vec<RecordSet>),
    /// There is no such name (after these CNAMEs).
    NoName(Vec<RecordSet>),
}

#[derive(Default)]
struct Inner {
    records: Vec<RecordSet>,
    /// Names of which the health check of the primary fails.
    primary_failed: BTreeSet<String>,
    /// For an address: the share of requests to it that fail. Absent: nothing answers there.
    backends: BTreeMap<Ipv4Addr, f64>,
    /// What is recorded in the truth, by the name that leads to it.
    watched: Vec<(String, String)>,
}

/// The zone `lab.test`, and which addresses work.
#[derive(Clone)]
pub(crate) struct Zone {
    inner: Arc<Mutex<Inner>>,
    truth: Truth,
}

/// How far CNAMEs are followed.
const CHAIN: usize = 8;

impl Zone {
    pub(crate) fn new(truth: Truth) -> Zone {
        Zone { inner: Arc::default(), truth }
    }

    /// Applies changes, all in one instant.
    pub(crate) fn apply(&self, changes: Vec<Change>) {
        let mut inner = lock(&self.inner);
        for change in changes {
            match change {
                Change::Put(set) => {
                    inner.records.retain(|other| !other.same_key(&set));
                    inner.records.push(set);
                }
                Change::Delete(set) => inner.records.retain(|other| !other.same_key(&set)),
            }
        }
        self.recompute(&inner, boottime_ns());
    }

    /// Makes a name point to an address, in place of what it pointed to.
    pub(crate) fn set_address(&self, name: &str, address: Ipv4Addr, ttl: u32) {
        self.apply(vec![Change::Put(RecordSet::simple(name, "A", ttl, address))]);
    }

    /// Says whether the primary of a failover record set is healthy.
    pub(crate) fn set_primary_health(&self, name: &str, healthy: bool) {
        let mut inner = lock(&self.inner);
        let name = absolute(name);
        if healthy {
            inner.primary_failed.remove(&name);
        } else {
            inner.primary_failed.insert(name);
        }
        self.recompute(&inner, boottime_ns());
    }

    /// Says which share of the requests to an address fails from `at_ns` on: 0 for what works, 1 for what is
    /// dead. For a database node "works" means: accepts a write.
    pub(crate) fn set_backend(&self, address: Ipv4Addr, share_failing: f64, at_ns: u64) {
        let mut inner = lock(&self.inner);
        inner.backends.insert(address, share_failing);
        self.recompute(&inner, at_ns);
    }

    /// From now on the truth's `what` is: the share of requests that fail of a client that asks for `name` afresh.
    /// It follows the name's records and the state of the addresses that they lead to.
    pub(crate) fn watch(&self, what: &str, name: &str) {
        let mut inner = lock(&self.inner);
        inner.watched.push((what.to_owned(), absolute(name)));
        self.recompute(&inner, boottime_ns());
    }

    /// Answers a question, with `drawn` in [0, 1) choosing among weighted record sets.
    pub(crate) fn find(&self, name: &str, kind: &str, drawn: f64) -> Found {
        let inner = lock(&self.inner);
        let mut name = absolute(name);
        let mut chain: Vec<RecordSet> = Vec::new();
        for _ in 0..CHAIN {
            if let Some(set) = inner.choose(&name, kind, drawn) {
                chain.push(set.clone());
                return Found::Records(chain);
            }
            if kind == "CNAME" {
                break;
            }
            let Some(alias) = inner.choose(&name, "CNAME", drawn) else { break };
            let Some(target) = alias.values.first().map(|value| absolute(value)) else { break };
            chain.push(alias.clone());
            if !within(&target, super::world::DOMAIN) {
                return Found::Records(chain);
            }
            name = target;
        }
        if inner.records.iter().any(|set| within(&set.name, &name)) {
            Found::NoData(chain)
        } else {
            Found::NoName(chain)
        }
    }

    /// Writes what every watched name leads to into the truth.
    fn recompute(&self, inner: &Inner, at_ns: u64) {
        for (what, name) in &inner.watched {
            self.truth.share_at(what, inner.share(name, CHAIN), at_ns);
        }
    }
}

/// Whether a name is `domain` or lies in it.
pub(crate) fn within(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_end_matches('.'));
    name == domain || name.strip_suffix(domain).is_some_and(|head| head.ends_with('.'))
}

impl Inner {
    /// The record set that answers for a name and type.
    fn choose(&self, name: &str, kind: &str, drawn: f64) -> Option<&RecordSet> {
        let weighted = self.candidates(name, kind);
        let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
        let mut left = drawn * total;
        for (set, weight) in &weighted {
            if left < *weight {
                return Some(set);
            }
            left -= weight;
        }
        weighted.last().map(|(set, _)| *set)
    }

    /// The record sets that may answer, with the weight of each.
    fn candidates(&self, name: &str, kind: &str) -> Vec<(&RecordSet, f64)> {
        let matching = self.records.iter().filter(|set| set.name == name && set.kind == kind);
        let sets: Vec<&RecordSet> = matching.collect();
        if sets.iter().any(|set| set.failover.is_some()) {
            let wanted =
                if self.primary_failed.contains(name) { Failover::Secondary } else { Failover::Primary };
            let chosen = sets.iter().find(|set| set.failover == Some(wanted)).or(sets.first());
            return chosen.map(|set| (*set, 1.0)).into_iter().collect();
        }
        // When every weight is 0, Route 53 takes all of them alike.
        let total: u64 = sets.iter().filter_map(|set| set.weight).sum();
        let weight = |set: &RecordSet| match set.weight {
            Some(weight) if total > 0 => weight as f64,
            _ => 1.0,
        };
        sets.into_iter().map(|set| (set, weight(set))).filter(|(_, weight)| *weight > 0.0).collect()
    }

    /// The share of requests that fail of those who ask for this name.
    fn share(&self, name: &str, depth: usize) -> f64 {
        if depth == 0 {
            return 1.0;
        }
        let addresses = self.candidates(name, "A");
        if !addresses.is_empty() {
            return mean(addresses.iter().map(|(set, weight)| {
                let one = |value: &String| {
                    let address = value.parse::<Ipv4Addr>().ok();
                    address.and_then(|address| self.backends.get(&address).copied()).unwrap_or(1.0)
                };
                (mean(set.values.iter().map(|value| (one(value), 1.0))), *weight)
            }));
        }
        let aliases = self.candidates(name, "CNAME");
        mean(aliases.iter().map(|(set, weight)| {
            let target = set.values.first().map(|value| absolute(value));
            (target.map_or(1.0, |target| self.share(&target, depth - 1)), *weight)
        }))
    }
}

/// The weighted mean; 1 (everything fails) of nothing.
fn mean(items: impl Iterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (value, weight) in items {
        sum += value * weight;
        total += weight;
    }
    if total > 0.0 { sum / total } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let zone = Zone::new(Truth::default());
        zone.apply(vec![
            Change::Put(RecordSet::simple("www.lab.test", "A", 1, "127.9.9.1")),
            Change::Put(RecordSet::simple("db.lab.test", "CNAME", 1, "one.rds.lab.test")),
            Change::Put(RecordSet::simple("one.rds.lab.test", "A", 5, "127.9.9.2")),
        ]);
        zone
    }

    #[test]
    fn a_cname_comes_before_what_it_leads_to() {
        let Found::Records(records) = zone().find("DB.lab.test.", "A", 0.0) else { panic!("no answer") };
        let names: Vec<_> = records.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["db.lab.test.", "one.rds.lab.test."]);
    }

    #[test]
    fn an_absent_name_differs_from_an_absent_type() {
        let zone = zone();
        assert_eq!(zone.find("nothing.lab.test", "A", 0.0), Found::NoName(vec![]));
        assert_eq!(zone.find("www.lab.test", "TXT", 0.0), Found::NoData(vec![]));
        // Exists only because something lies below it.
        assert_eq!(zone.find("rds.lab.test", "A", 0.0), Found::NoData(vec![]));
    }

    #[test]
    fn weights_choose_and_zero_is_never_chosen() {
        let zone = zone();
        for (id, weight, value) in [("a", 3, "127.0.0.1"), ("b", 1, "127.0.0.2"), ("c", 0, "127.0.0.3")] {
            let mut set = RecordSet::simple("w.lab.test", "A", 1, value);
            set.set_identifier = Some(id.to_owned());
            set.weight = Some(weight);
            zone.apply(vec![Change::Put(set)]);
        }
        let mut counts = BTreeMap::new();
        for step in 0..100 {
            let Found::Records(records) = zone.find("w.lab.test", "A", f64::from(step) / 100.0) else {
                panic!("no answer")
            };
            *counts.entry(records[0].values[0].clone()).or_insert(0) += 1;
        }
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            [("127.0.0.1".to_owned(), 75), ("127.0.0.2".to_owned(), 25)]
        );
    }

    #[test]
    fn a_failover_set_answers_with_the_primary_unless_told_otherwise() {
        let zone = zone();
        for (role, value) in [(Failover::Primary, "127.0.0.1"), (Failover::Secondary, "127.0.0.2")] {
            let mut set = RecordSet::simple("f.lab.test", "A", 1, value);
            set.set_identifier = Some(value.to_owned());
            set.failover = Some(role);
            zone.apply(vec![Change::Put(set)]);
        }
        let value = |zone: &Zone| match zone.find("f.lab.test", "A", 0.5) {
            Found::Records(records) => records[0].values[0].clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(value(&zone), "127.0.0.1");
        zone.set_primary_health("f.lab.test", false);
        assert_eq!(value(&zone), "127.0.0.2");
        zone.set_primary_health("f.lab.test", true);
        assert_eq!(value(&zone), "127.0.0.1");
    }

    #[test]
    fn the_truth_of_a_name_follows_records_and_addresses() {
        let zone = zone();
        let (old, new) = (Ipv4Addr::new(127, 9, 9, 2), Ipv4Addr::new(127, 9, 9, 3));
        zone.set_backend(old, 0.0, 1);
        zone.set_backend(new, 0.0, 2);
        zone.watch("writer", "db.lab.test");
        assert_eq!(zone.truth.account().outages, []);
        let down = boottime_ns();
        zone.set_backend(old, 1.0, down);
        zone.set_address("two.rds.lab.test", new, 1);
        assert_eq!(zone.truth.account().span_of("writer"), None, "still leads to the dead one");
        zone.apply(vec![Change::Put(RecordSet::simple("db.lab.test", "CNAME", 1, "two.rds.lab.test"))]);
        let (from, to) = zone.truth.account().span_of("writer").expect("an outage that is over");
        assert_eq!(from, down);
        assert!(to > down);
    }
}
