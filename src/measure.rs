//! From a timeline to numbers. Pure: no I/O, no clock, and no targets: it does not judge.

pub mod breakdown;
pub mod latency;
pub mod ledger;
pub mod outage;
pub mod service;

#[cfg(test)]
mod simulation;

use serde::{Deserialize, Serialize};

use crate::journal::Record;
use crate::timeline::Timeline;

/// A measured value: it is somewhere in `[lo, hi]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Interval {
    /// The least it can be.
    pub lo: f64,
    /// The most it can be; absent when it is not bounded (a censored RTO).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hi: Option<f64>,
}

impl Interval {
    /// `[lo, hi]`.
    pub fn new(lo: f64, hi: f64) -> Interval {
        Interval { lo, hi: Some(hi) }
    }

    /// At least `lo`, with no upper bound known.
    pub fn at_least(lo: f64) -> Interval {
        Interval { lo, hi: None }
    }

    /// Whether `value` is within.
    pub fn contains(&self, value: f64) -> bool {
        value >= self.lo && self.hi.is_none_or(|hi| value <= hi)
    }
}

/// Everything measured in a run, in the order of the header's probes.
#[derive(Clone, Debug)]
pub struct Measures {
    /// What each probe measured.
    pub services: Vec<service::Service>,
    /// What each ledger found: one entry per ledger probe.
    pub ledgers: Vec<ledger::Ledger>,
    /// What the recovery is made of; nothing without a fault.
    pub breakdown: Option<breakdown::Breakdown>,
}

impl Measures {
    /// Measures a run.
    pub fn of(record: &Record, timeline: &Timeline) -> Measures {
        let services: Vec<service::Service> =
            timeline.tracks.iter().map(|track| service::Service::of(track, timeline)).collect();
        let ledgers = timeline
            .tracks
            .iter()
            .filter(|track| track.facts.ledger)
            .map(|track| ledger::Ledger::of(track, record, timeline.fault.as_ref().map(|fault| fault.sent)))
            .collect();
        let breakdown = breakdown::Breakdown::of(record, timeline, &services);
        Measures { services, ledgers, breakdown }
    }
}
