//! Latency of correct answers, from the instant they were *due*: a request that the prober or a
//! queue held back is charged for it.

use hdrhistogram::Histogram;

use super::Interval;
use crate::sample::Sample;

/// The longest latency that is told apart, in microseconds.
const LONGEST: u64 = 60_000_000;

/// Latencies of some samples, to three digits.
#[derive(Clone, Debug)]
pub struct Latencies {
    histogram: Histogram<u64>,
    longest: f64,
    /// How many are known only to be longer than was waited, and how long that was.
    unanswered: (u64, f64),
}

impl Latencies {
    /// The response times of these samples; `None` when there are none.
    pub fn of<'a>(samples: impl Iterator<Item = &'a Sample>) -> Option<Latencies> {
        Latencies::of_seconds(samples.map(Sample::response_time))
    }

    /// These times, in seconds; `None` when there are none.
    pub fn of_seconds(times: impl Iterator<Item = f64>) -> Option<Latencies> {
        let histogram = Histogram::new_with_bounds(1, LONGEST, 3).ok()?;
        let mut latencies = Latencies { histogram, longest: 0.0, unanswered: (0, 0.0) };
        for time in times {
            // Beyond the range the histogram says "at least a minute"; the maximum stays exact.
            latencies.histogram.saturating_record((time.max(0.0) * 1e6).round() as u64);
            latencies.longest = latencies.longest.max(time);
        }
        (!latencies.histogram.is_empty()).then_some(latencies)
    }

    /// The same, beside `count` samples that were not answered within `waited` seconds. These are in no
    /// percentile: their latency is not known, only that it is longer.
    #[must_use]
    pub fn censored(self, count: u64, waited: f64) -> Latencies {
        Latencies { unanswered: (count, waited), ..self }
    }

    /// How many samples were not answered in time.
    pub fn unanswered(&self) -> u64 {
        self.unanswered.0
    }

    /// What a percentile is at least, in seconds, when it falls among the samples that were not answered:
    /// p99 is at least the deadline as soon as more than 1 % were not.
    pub fn at_least(&self, percentile: f64) -> Option<f64> {
        let (missing, waited) = self.unanswered;
        let all = self.count() + missing;
        (missing as f64 > (1.0 - percentile / 100.0) * all as f64 + 1e-9).then_some(waited)
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// A percentile (from 0 to 100) in seconds, as the histogram knows it: to three digits.
    pub fn percentile(&self, percentile: f64) -> Interval {
        // 99.9 / 100 is a little more than 0.999: of a thousand values it would ask for the last.
        let value = self.histogram.value_at_quantile(percentile / 100.0 * (1.0 - 1e-12));
        let lo = self.histogram.lowest_equivalent(value) as f64 / 1e6;
        let hi = self.histogram.highest_equivalent(value) as f64 / 1e6;
        // Recorded to the microsecond: half of one either way. Nothing is above the maximum.
        let hi = if value >= LONGEST { self.longest.max(hi) } else { (hi + 5e-7).min(self.longest) };
        Interval::new((lo - 5e-7).max(0.0).min(hi), hi)
    }

    /// A percentile in milliseconds: its upper end.
    pub fn millis(&self, percentile: f64) -> f64 {
        self.percentile(percentile).hi.unwrap_or_default() * 1e3
    }

    /// The largest, in seconds.
    pub fn longest(&self) -> f64 {
        self.longest
    }
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
