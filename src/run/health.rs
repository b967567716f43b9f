//! The live picture of one probe: is it good now, and since when.
//!
//! For decisions during a run only (confirmation, guardrails). The numbers of the report are
//! computed later, from all samples, by `measure`; this errs on the careful side where the two
//! could differ. It does no I/O and reads no clock.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;
use crate::sample::Sample;

/// How many bad samples in a row make an outage rather than a blip.
pub const OUTAGE_AFTER: u32 = 3;

/// The window in which half of the samples being bad is an outage too: a load balancer may let every
/// second request through.
const WINDOW: Duration = Duration::from_secs(1);

/// What is known of a probe right now.
#[derive(Clone, Debug, Default)]
pub struct Health {
    good: u64,
    bad: u64,
    unmeasured: u64,
    bad_in_a_row: u32,
    down_since: Option<Moment>,
    last_bad: Option<Moment>,
    good_since: Option<Moment>,
    last_good: Option<Moment>,
    /// The newest second of samples: when sent, and whether bad.
    recent: VecDeque<(Moment, bool)>,
    troubled_since: Option<Moment>,
}

impl Health {
    /// Takes one sample in. Samples may arrive out of order: what counts is when they were sent.
    pub fn observe(&mut self, sample: &Sample) {
        if !sample.class.counted() {
            self.unmeasured += 1;
        } else if sample.class.good() {
            self.good += 1;
            self.look_back(sample.sent, false);
            self.saw_good(sample.sent);
        } else {
            self.bad += 1;
            self.look_back(sample.sent, true);
            self.saw_bad(sample.sent);
        }
    }

    /// Half of a second's samples bad is an outage; it lasts until a whole second has none.
    fn look_back(&mut self, sent: Moment, bad: bool) {
        self.recent.push_back((sent, bad));
        let newest = self.recent.iter().map(|(sent, _)| *sent).max().unwrap_or(sent);
        self.recent.retain(|(sent, _)| newest.since(*sent) <= WINDOW);
        let bad = self.recent.iter().filter(|(_, bad)| *bad).count();
        if bad == 0 {
            self.troubled_since = None;
        } else if bad >= OUTAGE_AFTER as usize && 2 * bad >= self.recent.len() {
            let first = self.recent.iter().filter(|(_, bad)| *bad).map(|(sent, _)| *sent).min();
            self.troubled_since = self.troubled_since.or(first);
        }
    }

    fn saw_good(&mut self, sent: Moment) {
        self.last_good = self.last_good.max(Some(sent));
        if self.last_bad.is_some_and(|bad| sent <= bad) {
            return;
        }
        self.bad_in_a_row = 0;
        self.down_since = None;
        self.good_since = Some(self.good_since.map_or(sent, |since| since.min(sent)));
    }

    fn saw_bad(&mut self, sent: Moment) {
        self.last_bad = self.last_bad.max(Some(sent));
        // A bad sample that was sent before the good run began (a timeout decided late) leaves that run whole.
        if self.good_since.is_some_and(|since| since > sent) {
            return;
        }
        self.good_since = None;
        self.bad_in_a_row += 1;
        self.down_since = Some(self.down_since.map_or(sent, |since| since.min(sent)));
    }

    /// Whether it is in an outage (not merely a blip).
    pub fn down(&self) -> bool {
        self.bad_in_a_row >= OUTAGE_AFTER || self.troubled_since.is_some()
    }

    /// Since when it has been in an outage, if it is in one.
    pub fn down_since(&self) -> Option<Moment> {
        let whole = self.down_since.filter(|_| self.bad_in_a_row >= OUTAGE_AFTER);
        [whole, self.troubled_since].into_iter().flatten().min()
    }

    /// How many samples have been decided, whatever they say.
    pub fn seen(&self) -> u64 {
        self.good + self.bad + self.unmeasured
    }

    /// Since when every sample has been good.
    pub fn good_since(&self) -> Option<Moment> {
        self.good_since
    }

    /// Whether it has been good without a break for `at_least`, up to its newest sample.
    pub fn good_for(&self, at_least: Duration) -> bool {
        matches!((self.good_since, self.last_good), (Some(since), Some(last)) if last.since(since) >= at_least)
    }

    /// Good and bad samples so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.good, self.bad)
    }

    /// Good samples among those that say anything; `None` when none does.
    pub fn availability(&self) -> Option<f64> {
        let counted = self.good + self.bad;
        (counted > 0).then(|| self.good as f64 / counted as f64)
    }

    /// Samples that say something, among all.
    pub fn coverage(&self) -> f64 {
        let all = self.good + self.bad + self.unmeasured;
        if all == 0 { 0.0 } else { (self.good + self.bad) as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Cause, Class};

    fn sample(sent_ms: u64, class: Class) -> Sample {
        let sent = Moment(sent_ms * 1_000_000);
        Sample {
            probe: 0,
            seq: 0,
            scheduled: sent,
            sent,
            done: sent,
            class,
            cause: Cause::None,
            ..Sample::default()
        }
    }

    fn after(samples: &[(u64, Class)]) -> Health {
        let mut health = Health::default();
        for (sent, class) in samples {
            health.observe(&sample(*sent, *class));
        }
        health
    }

    #[test]
    fn two_bad_samples_are_a_blip_and_three_an_outage() {
        use Class::{FailFast, Ok};
        assert!(!after(&[(0, Ok), (100, FailFast), (200, FailFast)]).down());
        let health = after(&[(0, Ok), (100, FailFast), (200, FailFast), (300, FailFast)]);
        assert_eq!(health.down_since(), Some(Moment(100_000_000)));
        assert_eq!(health.good_since(), None);
    }

    #[test]
    fn a_timeout_decided_late_does_not_break_the_good_run_after_it() {
        use Class::{Ok, Timeout};
        // A bad sample from within the run does break it: counted anew from the next good one.
        let health = after(&[(0, Ok), (500, Ok), (600, Ok), (300, Timeout), (700, Ok)]);
        assert_eq!(health.good_since(), Some(Moment(700_000_000)));
        let health = after(&[(0, Timeout), (500, Ok), (600, Ok), (300, Timeout), (700, Ok)]);
        assert_eq!(health.good_since(), Some(Moment(500_000_000)));
        assert!(health.good_for(Duration::from_millis(200)));
    }

    #[test]
    fn every_second_sample_bad_is_an_outage_until_a_second_has_none() {
        let mut health = Health::default();
        for i in 0..40 {
            let class = if i % 2 == 0 { Class::FailFast } else { Class::Ok };
            health.observe(&sample(i * 100, class));
        }
        assert_eq!(health.down_since(), Some(Moment(0)));
        for i in 40..52 {
            health.observe(&sample(i * 100, Class::Ok));
        }
        assert!(!health.down());
    }

    #[test]
    fn samples_that_say_nothing_count_in_coverage_only() {
        let health = after(&[(0, Class::Ok), (100, Class::Shed), (200, Class::Void), (300, Class::Ok)]);
        assert_eq!(health.availability(), Some(1.0));
        assert_eq!(health.coverage(), 0.5);
    }
}
