//! From a timeline to numbers. Pure: no I/O, no clock, and no targets: it does not judge.

pub mod breakdown;
pub mod budget;
pub mod cutover;
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
    /// How each second was for each probe.
    pub states: Vec<service::States>,
    /// What each probe says of the error budget that was declared.
    pub budgets: Vec<Option<budget::Budget>>,
    /// What each ledger found: one entry per ledger probe.
    pub ledgers: Vec<ledger::Ledger>,
    /// When names and traffic went over to another site, where they did or were watched for it.
    pub cutover: Option<cutover::Cutover>,
    /// What the recovery is made of; nothing without a fault.
    pub breakdown: Option<breakdown::Breakdown>,
}

impl Measures {
    /// Measures a run.
    pub fn of(record: &Record, timeline: &Timeline) -> Measures {
        let services: Vec<service::Service> =
            timeline.tracks.iter().map(|track| service::Service::of(track, timeline)).collect();
        let objectives = &record.header.objectives;
        let limit = objectives.latency.iter().map(|latency| latency.limit).min_by(f64::total_cmp);
        let fault = timeline.fault.as_ref().map(|fault| fault.sent);
        let seen = || timeline.tracks.iter().zip(&services);
        let states: Vec<service::States> = seen()
            .map(|(track, service)| {
                let time = (fault, timeline.watched_until);
                service::States::of(track, &service.outages, time, timeline.confirm, limit)
            })
            .collect();
        let budgets = seen()
            .zip(&states)
            .map(|((track, service), states)| {
                let declared = objectives.error_budget.as_ref()?;
                let availability = service.availability.as_ref()?;
                budget::Budget::of(track, timeline, availability, &states.seconds, declared)
            })
            .collect();
        let ledgers = timeline
            .tracks
            .iter()
            .filter(|track| track.facts.ledger)
            .map(|track| ledger::Ledger::of(track, record, fault))
            .collect();
        let cutover = cutover::Cutover::of(record, timeline);
        let breakdown = breakdown::Breakdown::of(record, timeline, &services);
        Measures { services, states, budgets, ledgers, cutover, breakdown }
    }
}
