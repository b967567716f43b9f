//! What a drill spent of an SLO's error budget, and whether the usual pages would have fired.
//!
//! **Spent.** With availability `A` over a window of `w` seconds, an SLO of `s` over `o` seconds:
//! `(1 - A)·w / ((1 - s)·o)`; by slices (OpenSLO's `Timeslices`), `bad slices · slice / ((1 - s)·o)`,
//! a slice being good when its share of good samples is at least `timeSliceTarget`, and unknown, in
//! neither count, when fewer than 80 % of its samples say anything. 90 s of full outage cost 3.5 % of a
//! 99.9 % budget of 30 days.
//!
//! **Pages.** Multiwindow, multi-burn-rate alerting as the SRE workbook has it ("Alerting on SLOs"):
//! a page fires once the error ratio is at least `burn·(1 - s)` over both its long window and a short
//! one of a twelfth: 14.4 over 1 h and 5 min, 6 over 6 h and 30 min, 1 over 3 d and 6 h. The time of
//! full outage that it takes is `burn·(1 - s)·long`: 51.8 s, 129.6 s and 259.2 s at 99.9 %. Before the
//! run the service is taken to have been good at the same rate; a second without a sample adds nothing. A real
//! alert comes later, by the scrape, the rule's evaluation and the notification's delay.
//!
//! It judges nothing.

use super::Interval;
use super::service::{Availability, Second};
use crate::clock::Moment;
use crate::run::event::{ErrorBudget, TimeSlice};
use crate::timeline::{Timeline, Track};

/// Burn rate, long window and short window of the three usual rules, in seconds.
const RULES: [(f64, f64, f64); 3] =
    [(14.4, 3600.0, 300.0), (6.0, 21_600.0, 1800.0), (1.0, 259_200.0, 21_600.0)];
/// Share of a slice's samples that must say something.
const COVERAGE: f64 = 0.8;
/// Slack for binary fractions.
const SLACK: f64 = 1e-9;

/// What one observer says of the error budget.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// The SLO, its time and the share that may be spent.
    pub declared: ErrorBudget,
    /// The share of the budget that was spent from the fault to the end of observation.
    pub spent: Interval,
    /// The slices, when the budget is kept by slices.
    pub slices: Option<Slices>,
    /// The three usual pages.
    pub pages: Vec<Page>,
}

/// Slices of time from the fault to the end of observation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slices {
    /// Enough was served in them.
    pub good: u64,
    /// Too little was.
    pub bad: u64,
    /// Too little is known of them.
    pub unknown: u64,
}

/// One multiwindow burn-rate rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Page {
    /// The burn rate from which on it fires.
    pub burn: f64,
    /// The long window, in seconds.
    pub long: f64,
    /// The short window, in seconds.
    pub short: f64,
    /// Seconds of full outage that it takes.
    pub needs: f64,
    /// The highest burn rate over the long window.
    pub highest: f64,
    /// When it would have fired, in seconds of the run.
    pub fired: Option<f64>,
}

impl Budget {
    /// What a probe's availability from the fault on and the run's seconds come to.
    pub fn of(
        track: &Track,
        timeline: &Timeline,
        availability: &Availability,
        seconds: &[Second],
        declared: &ErrorBudget,
    ) -> Option<Budget> {
        let fault = timeline.fault.as_ref()?.sent;
        let budget = ((1.0 - declared.slo) * declared.over).max(f64::MIN_POSITIVE);
        let slices = declared.time_slice.map(|slice| slices(track, (fault, timeline.watched_until), &slice));
        let spent = match (slices, declared.time_slice) {
            (Some(found), Some(slice)) => Interval::new(
                found.bad as f64 * slice.window / budget,
                (found.bad + found.unknown) as f64 * slice.window / budget,
            ),
            _ => {
                let window = (timeline.watched_until - fault).max(0.0);
                let best = availability.bounds.hi.unwrap_or(1.0);
                Interval::new(
                    (1.0 - best) * window / budget,
                    (1.0 - availability.bounds.lo) * window / budget,
                )
            }
        };
        Some(Budget { declared: declared.clone(), spent, slices, pages: pages(seconds, declared.slo) })
    }
}

fn slices(track: &Track, (from, until): (Moment, Moment), slice: &TimeSlice) -> Slices {
    let mut found = Slices::default();
    let count = ((until - from).max(0.0) / slice.window).ceil() as usize;
    let mut counts = vec![(0_u64, 0_u64); count];
    for sample in track.base().filter(|sample| (from..until).contains(&sample.scheduled)) {
        if let Some(own) = counts.get_mut(((sample.scheduled - from) / slice.window) as usize) {
            own.0 += u64::from(sample.class.good());
            own.1 += 1;
        }
    }
    for (at, (good, known)) in counts.into_iter().enumerate() {
        // The last slice may be cut off by the end of observation.
        let length = slice.window.min((until - from) - at as f64 * slice.window);
        let due = (length / track.facts.every).floor().max(1.0);
        if known == 0 || (known as f64) < COVERAGE * due {
            found.unknown += 1;
        } else if good as f64 / known as f64 + SLACK >= slice.target {
            found.good += 1;
        } else {
            found.bad += 1;
        }
    }
    found
}

/// Whether, and when, each of the usual rules would have fired.
pub fn pages(seconds: &[Second], slo: f64) -> Vec<Page> {
    let mut before = vec![0.0; seconds.len() + 1];
    for (at, second) in seconds.iter().enumerate() {
        before[at + 1] = before[at] + second.bad_ratio().unwrap_or(0.0);
    }
    // The error ratio over the `window` seconds that end with a second.
    let ratio =
        |end: usize, window: f64| (before[end] - before[end.saturating_sub(window as usize)]) / window;
    RULES
        .into_iter()
        .map(|(burn, long, short)| {
            let limit = burn * (1.0 - slo);
            let fires =
                |end: &usize| ratio(*end, long) + SLACK >= limit && ratio(*end, short) + SLACK >= limit;
            let highest = (1..=seconds.len()).map(|end| ratio(end, long)).fold(0.0, f64::max);
            Page {
                burn,
                long,
                short,
                needs: limit * long,
                highest: highest / (1.0 - slo).max(f64::MIN_POSITIVE),
                fired: (1..=seconds.len()).find(fires).map(|end| end as f64),
            }
        })
        .collect()
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
