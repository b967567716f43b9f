//! What judging answers with: data only, as `report.json` holds it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Interval;

/// The outcome of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every objective was met.
    Pass,
    /// An objective was missed.
    Fail,
    /// It cannot be said.
    Inconclusive,
    /// It was stopped.
    Aborted,
}

/// The outcome of one objective. Ordered: the worst wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Met, whatever the uncertainty.
    Pass,
    /// It cannot be said.
    Inconclusive,
    /// Missed, whatever the uncertainty.
    Fail,
}

/// One declared target against what one observer measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Objective {
    /// `rto`, `rpo`, `availability`, `error_budget`, `latency_p99`, `must_stay_up`.
    pub name: String,
    /// The probe that decided it.
    pub observer: String,
    /// The declared target, in `unit`.
    pub target: f64,
    /// `s`, `writes`, `ratio` or `budget` (a share of the error budget).
    pub unit: String,
    /// What was measured; absent when nothing could be.
    pub observed: Option<Interval>,
    /// The outcome.
    pub verdict: Verdict,
    /// Why, in one sentence with the numbers.
    pub because: String,
    /// Whether this is the worst observer: the one the drill's figure is quoted from.
    pub decisive: bool,
}

/// A sign that the fault took hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// `step` (the resource's own state, or a verification) or `probe`.
    pub by: String,
    /// What was seen.
    pub what: String,
    /// Between the last look that did not show it and the first that did.
    pub at: Interval,
}
