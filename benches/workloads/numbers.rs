//! Percentiles of what was measured.

use serde_json::{Value, json};

/// Count, median, 99th percentile and largest of some durations in nanoseconds, in microseconds.
pub(crate) fn micros(mut nanos: Vec<u64>) -> Value {
    nanos.sort_unstable();
    let at = |share: f64| {
        let rank = (nanos.len() as f64 * share).ceil() as usize;
        nanos.get(rank.saturating_sub(1)).map_or(0.0, |value| *value as f64 / 1e3)
    };
    json!({ "n": nanos.len(), "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0) })
}
