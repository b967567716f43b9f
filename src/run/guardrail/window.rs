//! A window that slides along a probe's samples: how many of them are bad, or late.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;
use crate::notation::units::show;
use crate::sample::{Class, Sample};

/// What makes a sample count against the rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measure {
    /// Being bad: the share of good ones must not be less than this, from 0 to 1.
    Availability {
        /// The least share.
        below: f64,
    },
    /// Taking longer than this: the percentile, from 0 to 100, must not.
    Latency {
        /// The longest response time.
        above: Duration,
        /// The percentile.
        percentile: f64,
    },
}

impl Measure {
    /// The share of samples that may count against the rule.
    fn allowed(self) -> f64 {
        match self {
            Measure::Availability { below } => 1.0 - below,
            Measure::Latency { percentile, .. } => 1.0 - percentile / 100.0,
        }
    }
}

/// One sample in the window.
#[derive(Clone, Copy, Debug)]
struct Entry {
    done: Moment,
    /// From when it was due until it was decided, in seconds.
    took: f64,
    /// Whether it counts against the rule.
    against: bool,
}

/// The samples of one probe that were decided within the last while.
///
/// As long as it is not full, what is missing counts as good: a window that says "90 % over 30 s" means three bad
/// seconds, and not one bad one of the first ten.
#[derive(Clone, Debug)]
pub struct Window {
    /// The probe's index.
    pub probe: usize,
    /// What counts.
    measure: Measure,
    /// How long it is.
    over: Duration,
    /// How many samples are due in it.
    due: f64,
    /// With fewer samples than this nothing is said.
    least: usize,
    entries: VecDeque<Entry>,
    against: usize,
    /// When the first sample of all was decided.
    since: Option<Moment>,
}

impl Window {
    /// An empty one over a probe with this spacing.
    pub fn new(probe: usize, measure: Measure, over: Duration, every: Duration, least: usize) -> Window {
        let due = over.as_secs_f64() / every.as_secs_f64().max(1e-3);
        let entries = VecDeque::new();
        Window { probe, measure, over, due, least, entries, against: 0, since: None }
    }

    /// Takes a sample in, if it is one of this probe and says something.
    pub fn observe(&mut self, sample: &Sample) {
        if usize::from(sample.probe) != self.probe || !sample.class.counted() {
            return;
        }
        let took = sample.response_time();
        let against = match self.measure {
            Measure::Availability { .. } => !sample.class.good(),
            Measure::Latency { above, .. } => match sample.class {
                Class::Ok | Class::Slow | Class::Timeout | Class::Info => took > above.as_secs_f64(),
                // What fails at once is quick: that is the other rule's matter.
                _ => return,
            },
        };
        self.since.get_or_insert(sample.done);
        self.against += usize::from(against);
        self.entries.push_back(Entry { done: sample.done, took, against });
    }

    /// What breaks the rule at `now`: the newest sample is at `now`, and one that is as old as the window is long is out.
    pub fn tripped(&mut self, now: Moment) -> Option<String> {
        while let Some(first) = self.entries.front()
            && now.since(first.done) >= self.over
        {
            self.against -= usize::from(first.against);
            self.entries.pop_front();
        }
        let there = self.entries.len();
        if there < self.least {
            return None;
        }
        let full = self.since.is_some_and(|since| now.since(since) >= self.over);
        let of = if full { there as f64 } else { self.due.max(there as f64) };
        // 1 - 0.9 is a little less than a tenth.
        (self.against as f64 > self.measure.allowed() * of + 1e-9).then(|| self.seen())
    }

    fn seen(&self) -> String {
        let (there, over) = (self.entries.len(), show(self.over));
        match self.measure {
            Measure::Availability { .. } => {
                let share = (there - self.against) as f64 / there.max(1) as f64 * 100.0;
                format!("{share:.1} % good ({} of {there} samples bad) in the last {over}", self.against)
            }
            Measure::Latency { above, percentile } => {
                let mut took: Vec<f64> = self.entries.iter().map(|entry| entry.took).collect();
                took.sort_by(f64::total_cmp);
                let at = ((percentile / 100.0 * there as f64).ceil() as usize).clamp(1, there.max(1)) - 1;
                let value = took.get(at).copied().unwrap_or_default();
                format!(
                    "p{percentile} is {value:.3} s ({} of {there} samples above {}) in the last {over}",
                    self.against,
                    show(above)
                )
            }
        }
    }
}
