//! The recovery time by each of its definitions, as one probe saw it.
//!
//! With `t` the sending of the call that injected the fault, `B` the begin of the first outage after it
//! and `E` the end of the last, each an interval:
//!
//! - from injection: `E - t`; from first failure: `E - B`; from detection: `E - D`;
//! - total down: the outages' lengths in all, as far as they lie after `t`;
//! - full recovery: until latency and throughput are back to what they had been: the first sample
//!   from which on, for the confirmation time, at most 1 % of the samples were bad or took longer
//!   than the baseline's 99th percentile and a fifth, and at least 80 % as many were served as before.
//!   That is the end of a brown-out.
//!
//! It knows no targets.

use std::time::Duration;

use super::{Recovered, Rto};
use crate::clock::Moment;
use crate::measure::Interval;
use crate::measure::latency::Latencies;
use crate::measure::outage::Outage;
use crate::sample::Sample;
use crate::timeline::{Timeline, Track};

/// How much worse than the baseline counts as the same.
const WITHIN: f64 = 0.2;
/// What a loaded prober adds to a latency by itself: less than this is no brown-out.
const NOISE: f64 = 0.005;
/// This share of the samples may be slower all the same: the 99th percentile is compared.
const SLOWER: f64 = 0.01;
/// A percentile of fewer samples says nothing.
const BASELINE: u64 = 20;

/// The recovery time by each definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    /// From the call to the end of the last outage.
    pub from_injection: Interval,
    /// From the begin of the first outage to the end of the last: what users saw.
    pub from_first_failure: Interval,
    /// From the detection to the end of the last outage; `None` when nobody detected it.
    pub from_detection: Option<Interval>,
    /// The outages' lengths in all.
    pub total_down: Interval,
    /// Until latency and throughput were back; `None` without a baseline to compare with.
    pub full: Option<Interval>,
}

impl Recovery {
    /// The variants of one probe's recovery time.
    pub(super) fn of(
        track: &Track,
        timeline: &Timeline,
        outages: &[Outage],
        rto: &Rto,
        baseline: Option<&Latencies>,
    ) -> Option<Recovery> {
        let fault = timeline.fault.as_ref()?.sent;
        let after: Vec<&Outage> = outages.iter().filter(|outage| outage.after(fault)).collect();
        Some(Recovery {
            from_injection: rto.seconds,
            from_first_failure: from_first_failure(&after).unwrap_or(rto.seconds),
            from_detection: timeline.detected.map(|detected| from_detection(rto, fault, detected)),
            total_down: total_down(&after, fault).unwrap_or(rto.seconds),
            full: baseline.and_then(|baseline| full(track, timeline, fault, &after, rto, baseline)),
        })
    }
}

fn from_first_failure(after: &[&Outage]) -> Option<Interval> {
    let (first, last) = (after.first()?, after.last()?);
    Some(Interval {
        // The first outage's own bound, and what lies between the last bad samples of both.
        lo: first.duration.lo + (last.end.lo - first.end.lo),
        hi: match (first.duration.hi, last.end.hi) {
            (hi @ Some(_), _) if after.len() == 1 => hi,
            (_, hi) => hi.map(|hi| hi - first.begin.lo),
        },
    })
}

fn from_detection(rto: &Rto, fault: Moment, (before, seen): (Moment, Moment)) -> Interval {
    if rto.how == Recovered::NeverDown {
        return rto.seconds;
    }
    Interval {
        lo: (rto.seconds.lo - (seen - fault)).max(0.0),
        hi: rto.seconds.hi.map(|hi| (hi - (before - fault)).max(0.0)),
    }
}

fn total_down(after: &[&Outage], fault: Moment) -> Option<Interval> {
    // What lies before the fault is not its doing.
    let clipped = |outage: &&Outage| Interval {
        lo: outage.duration.lo.min((outage.end.lo - fault.secs()).max(0.0)),
        hi: outage.end.hi.zip(outage.duration.hi).map(|(end, hi)| hi.min(end - fault.secs())),
    };
    let parts: Vec<Interval> = after.iter().map(clipped).collect();
    (!parts.is_empty()).then(|| Interval {
        lo: parts.iter().map(|part| part.lo).sum(),
        hi: parts.iter().map(|part| part.hi).sum(),
    })
}

/// The scheduled samples since the fault, and what counts as back to normal among them.
struct Since<'a> {
    samples: Vec<&'a Sample>,
    limit: f64,
    /// Good samples that there must be among as many.
    served: f64,
}

impl Since<'_> {
    fn slow(&self, sample: &Sample) -> bool {
        sample.class.bad() || sample.response_time() > self.limit
    }

    /// The first position from `from` on with which a confirmation time of normal service begins.
    fn normal(&self, from: usize, confirm: Duration, every: f64) -> Option<usize> {
        let confirm = confirm.max(Duration::from_millis(1));
        let (mut slow, mut good, mut end) = (0_usize, 0_usize, from);
        for at in from..self.samples.len() {
            let first = self.samples.get(at)?;
            let until = first.scheduled.plus(confirm);
            while let Some(next) = self.samples.get(end).filter(|next| next.scheduled < until) {
                slow += usize::from(self.slow(next));
                good += usize::from(next.class.good());
                end += 1;
            }
            let last = self.samples.get(end.checked_sub(1)?)?;
            if until - last.scheduled > 1.5 * every && end == self.samples.len() {
                return None;
            }
            let all = end - at;
            // One sample alone shows nothing.
            let allowed = ((SLOWER * all as f64) as usize).max(1);
            if !self.slow(first) && slow <= allowed && good as f64 >= self.served * all as f64 {
                return Some(at);
            }
            slow -= usize::from(self.slow(first));
            good -= usize::from(first.class.good());
        }
        None
    }
}

fn full(
    track: &Track,
    timeline: &Timeline,
    fault: Moment,
    after: &[&Outage],
    rto: &Rto,
    baseline: &Latencies,
) -> Option<Interval> {
    if baseline.count() < BASELINE || rto.how == Recovered::Unconfirmed {
        return (rto.how == Recovered::Unconfirmed).then_some(rto.seconds);
    }
    let (known, good) = track
        .base()
        .filter(|sample| sample.scheduled < fault)
        .fold((0, 0), |seen, sample| (seen.0 + 1_usize, seen.1 + usize::from(sample.class.good())));
    let p99 = baseline.percentile(99.0).hi?;
    let since = Since {
        samples: track.base().filter(|sample| sample.sent >= fault).collect(),
        limit: p99 * (1.0 + WITHIN) + NOISE,
        served: (1.0 - WITHIN) * good as f64 / known.max(1) as f64,
    };
    let up_again = after.last().and_then(|outage| outage.proof.3).map_or(fault, |first| first.sent);
    let from = since.samples.partition_point(|sample| sample.sent < up_again);
    let normal = since.normal(from, timeline.confirm, track.facts.every);
    let before = normal.unwrap_or(since.samples.len());
    let slow = since.samples.get(from..before)?.iter().rev().find(|sample| since.slow(sample));
    let lo = slow.map_or(rto.seconds.lo, |sample| rto.seconds.lo.max(sample.sent - fault));
    Some(match (normal.and_then(|at| since.samples.get(at)), slow) {
        (None, _) => Interval::at_least(lo),
        (Some(_), None) => rto.seconds,
        (Some(first), Some(_)) => {
            Interval { lo, hi: rto.seconds.hi.map(|hi| hi.max(first.done - fault).max(lo)) }
        }
    })
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
