//! What was made of the samples of one probe, as `report.json` holds it: recovery by each definition,
//! the states of its seconds, and the error budget. Data only.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measure::Interval;

/// How the recovery time is counted, and who saw the longest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorstReport {
    /// The definition that the target is held against: `from_injection`, `from_first_failure`,
    /// `total_down` or `full_recovery`.
    pub measured: String,
    /// The probe with the longest recovery time by it.
    pub worst_observer: Option<String>,
}

/// The recovery time by each of its definitions, in seconds. Without `hi` it was not confirmed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecoveryReport {
    /// From the call that injected the fault to the end of the last outage.
    pub from_injection: Interval,
    /// From the begin of the first outage to the end of the last.
    pub from_first_failure: Interval,
    /// From the detection to the end of the last outage; absent when nobody detected it.
    pub from_detection: Option<Interval>,
    /// The outages' lengths in all.
    pub total_down: Interval,
    /// From the call until latency and throughput were back within 20 % of what they had been; absent
    /// without a baseline.
    pub full_recovery: Option<Interval>,
}

/// How each second of the schedule was for one probe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatesReport {
    /// Seconds by state: `up`, `brown_out` (none bad, the 95th percentile above the latency target),
    /// `degraded` (some bad), `down` (at least half bad), `unknown` (no sample says anything).
    pub seconds: BTreeMap<String, u64>,
    /// Times that were not `up`, in order.
    pub spans: Vec<StateSpan>,
    /// How often it fell from up to down after the fault.
    pub falls: u32,
    /// Whether it fell again within the confirmation time.
    pub flapping: bool,
}

/// Seconds in one state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateSpan {
    /// From.
    pub from: f64,
    /// To.
    pub to: f64,
    /// The state's name.
    pub state: String,
}

/// The least duration of an outage, in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeastReport {
    /// From the outcome of the first bad sample: holds always.
    pub safe: f64,
    /// From its sending: holds when a request issued while the service is up is answered.
    pub issue: f64,
    /// Which of them was used: `safe` or `issue`.
    pub used: String,
}

/// What was spent of an SLO's error budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetReport {
    /// The declared SLO.
    pub slo: f64,
    /// Over how long, in seconds.
    pub over: f64,
    /// The share of the budget that was spent from the fault to the end of observation.
    pub spent: Interval,
    /// Slices of time, when the budget is kept by them.
    pub slices: Option<SliceReport>,
    /// The usual multiwindow burn-rate pages.
    pub pages: Vec<PageReport>,
}

/// Slices of time from the fault to the end of observation (OpenSLO's `Timeslices`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SliceReport {
    /// How long each is, in seconds.
    pub window: f64,
    /// The share of good samples that makes one good.
    pub target: f64,
    /// Good ones.
    pub good: u64,
    /// Bad ones.
    pub bad: u64,
    /// Ones of which less than 80 % was measured.
    pub unknown: u64,
}

/// One multiwindow burn-rate rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PageReport {
    /// The burn rate from which on it fires.
    pub burn_rate: f64,
    /// The long window, in seconds.
    pub long: f64,
    /// The short window, in seconds.
    pub short: f64,
    /// Seconds of full outage that it takes.
    pub needs: f64,
    /// The highest burn rate over the long window.
    pub highest: f64,
    /// When it would have fired, on the run's clock; absent when it would not.
    pub fired_at: Option<f64>,
}
