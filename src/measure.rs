//! From a timeline to numbers. Pure: no I/O, no clock.

use serde::{Deserialize, Serialize};

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
