//! The lab's own record of when things were down and what was lost.
//!
//! Measurements are compared with it, so it is written at the instant in which the lab changes
//! something, never from what a client sees. It knows nothing of how anything is measured.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::world::lock;
use crate::clock::boottime_ns;

/// A time in which requests to something could fail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outage {
    /// What was down, such as `storefront` or `orders-db`.
    pub what: String,
    /// When it began, in nanoseconds of `CLOCK_BOOTTIME`.
    pub from_ns: u64,
    /// When it ended; absent while it lasts.
    pub to_ns: Option<u64>,
    /// The share of requests that failed in it, greater than 0 and at most 1.
    pub share_failing: f64,
}

/// Acknowledged writes that did not survive.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The database that lost them.
    pub what: String,
    /// How many rows written by acknowledged statements.
    pub count: u64,
    /// When they were lost, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at_ns: u64,
}

/// Something that happened in the lab.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at_ns: u64,
    /// What happened, for people.
    pub text: String,
}

/// A change of what the control plane says of a resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerChange {
    /// Which layer, such as `target_health`.
    pub layer: String,
    /// Of which resource.
    pub resource: String,
    /// The state from then on, or the message.
    pub state: String,
    /// When, in nanoseconds of `CLOCK_BOOTTIME`.
    pub at_ns: u64,
}

/// Everything on record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Outages, in the order in which they began. A change of the share ends one and begins another.
    pub outages: Vec<Outage>,
    /// Losses, one per failover or promotion that could lose something.
    pub losses: Vec<Loss>,
    /// The log of what happened.
    pub events: Vec<Event>,
    /// What the control plane said, from when on.
    #[serde(default)]
    pub layers: Vec<LayerChange>,
}

impl Account {
    /// The outages of one thing.
    pub fn outages_of<'a>(&'a self, what: &'a str) -> impl Iterator<Item = &'a Outage> {
        self.outages.iter().filter(move |outage| outage.what == what)
    }

    /// From the first failing instant of a thing to the last, when it had an outage and it is over.
    pub fn span_of(&self, what: &str) -> Option<(u64, u64)> {
        let from = self.outages_of(what).map(|outage| outage.from_ns).min()?;
        let ends: Option<Vec<u64>> = self.outages_of(what).map(|outage| outage.to_ns).collect();
        Some((from, ends?.into_iter().max()?))
    }

    /// How many acknowledged rows a database lost in all.
    pub fn lost(&self, what: &str) -> u64 {
        self.losses.iter().filter(|loss| loss.what == what).map(|loss| loss.count).sum()
    }
}

#[derive(Default)]
struct Record {
    account: Account,
    /// For what fails now: the outage that is open.
    open: BTreeMap<String, usize>,
}

/// The recorder that the lab's parts share.
#[derive(Clone, Default)]
pub(crate) struct Truth(Arc<Mutex<Record>>);

impl Truth {
    /// From `at_ns` on this share of the requests to `what` fails. Saying the same again changes nothing.
    pub(crate) fn share_at(&self, what: &str, share: f64, at_ns: u64) {
        let mut record = lock(&self.0);
        let share = share.clamp(0.0, 1.0);
        let open = record.open.get(what).copied();
        if let Some(index) = open {
            if record.account.outages[index].share_failing == share {
                return;
            }
            record.account.outages[index].to_ns = Some(at_ns);
            record.open.remove(what);
        }
        if share > 0.0 {
            let outage = Outage { what: what.to_owned(), from_ns: at_ns, to_ns: None, share_failing: share };
            record.account.outages.push(outage);
            let index = record.account.outages.len() - 1;
            record.open.insert(what.to_owned(), index);
        }
        if share > 0.0 || open.is_some() {
            let text = format!("{what}: {:.0} % of requests fail", share * 100.0);
            record.account.events.push(Event { at_ns, text });
        }
    }

    /// `count` acknowledged rows of `what` were lost at `at_ns`. The same loss said again replaces the
    /// count, which can grow while the old primary still answers.
    pub(crate) fn lost(&self, what: &str, count: u64, at_ns: u64) {
        let losses = &mut lock(&self.0).account.losses;
        match losses.iter_mut().find(|loss| loss.what == what && loss.at_ns == at_ns) {
            Some(loss) => loss.count = count,
            None => losses.push(Loss { what: what.to_owned(), count, at_ns }),
        }
    }

    /// What the control plane says of a resource from now on. Called while what its calls are answered from is
    /// locked, so that no answer can be ahead of the record or behind it.
    pub(crate) fn layer(&self, layer: &str, resource: &str, state: &str) {
        let (layer, resource, state) = (layer.to_owned(), resource.to_owned(), state.to_owned());
        let mut record = lock(&self.0);
        record.account.layers.push(LayerChange { layer, resource, state, at_ns: boottime_ns() });
    }

    /// The share of requests to `what` that fails now.
    pub(crate) fn failing(&self, what: &str) -> f64 {
        let record = lock(&self.0);
        let open = record.open.get(what).and_then(|index| record.account.outages.get(*index));
        open.map_or(0.0, |outage| outage.share_failing)
    }

    /// Something happened.
    pub(crate) fn event(&self, text: impl Into<String>) {
        lock(&self.0).account.events.push(Event { at_ns: boottime_ns(), text: text.into() });
    }

    /// What is on record so far.
    pub(crate) fn account(&self) -> Account {
        lock(&self.0).account.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_the_share_ends_one_outage_and_begins_another() {
        let truth = Truth::default();
        truth.share_at("shop", 0.5, 10);
        truth.share_at("shop", 0.5, 20);
        truth.share_at("shop", 1.0, 30);
        truth.share_at("shop", 0.0, 40);
        truth.share_at("shop", 0.0, 50);
        let account = truth.account();
        let seen: Vec<_> = account.outages.iter().map(|o| (o.from_ns, o.to_ns, o.share_failing)).collect();
        assert_eq!(seen, [(10, Some(30), 0.5), (30, Some(40), 1.0)]);
        assert_eq!(account.span_of("shop"), Some((10, 40)));
        assert_eq!(account.span_of("other"), None);
    }

    #[test]
    fn an_outage_that_lasts_has_no_end() {
        let truth = Truth::default();
        truth.share_at("db", 1.0, 1);
        assert_eq!(truth.account().outages[0].to_ns, None);
        assert_eq!(truth.account().span_of("db"), None);
        truth.share_at("db", 0.0, 2);
        assert!(truth.account().span_of("db").is_some());
    }

    #[test]
    fn a_loss_said_again_replaces_its_count() {
        let truth = Truth::default();
        truth.lost("db", 3, 7);
        truth.lost("db", 5, 7);
        truth.lost("db", 1, 9);
        assert_eq!(truth.account().lost("db"), 6);
    }

    #[test]
    fn an_account_survives_json() {
        let truth = Truth::default();
        truth.share_at("db", 1.0, 1);
        truth.lost("db", 3, 7);
        let account = truth.account();
        let text = serde_json::to_string(&account).expect("json");
        assert_eq!(serde_json::from_str::<Account>(&text).expect("account"), account);
    }
}
