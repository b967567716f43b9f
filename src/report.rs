//! What a run came to, as data: `report.json` (schema `firedrill/report/v1`) and what the other
//! formats show.
//!
//! All instants and durations are seconds on the run's one clock since `started_at`, unless a
//! name says otherwise. Built from a stored run alone, also straight after a live one.

pub mod build;
pub mod exit;
pub mod export;
pub mod html;
pub mod json;
pub mod judged;
pub mod junit;
pub mod markdown;
pub mod openmetrics;
pub mod safety;
pub mod schema;
pub mod table;
pub mod text;

mod chart;
mod cutover;
pub(crate) mod facts;
mod facts_judged;
#[cfg(test)]
mod fixture;
mod ledger;
mod people;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::journal::Record;
use crate::measure::Interval;
pub use crate::measure::breakdown::Breakdown;
use crate::measure::cutover::Cutover;
pub use crate::verdict::{Objective, Outcome, Seen, Verdict};
pub use crate::words;
pub use judged::{
    BudgetReport, LeastReport, PageReport, RecoveryReport, SliceReport, StateSpan, StatesReport, WorstReport,
};
pub use ledger::{FencingReport, LedgerReport, SalvageReport, SplitBrainReport, StaleReport};
pub use people::{ConfirmationReport, DeclaredReport, ProcedureReport};
pub use safety::SafetyReport;
pub use table::Style;

/// How a report can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For a terminal
    Text,
    /// The public contract, `firedrill/report/v1`
    Json,
    /// For a pull request or a wiki
    #[value(name = "md", alias = "markdown")]
    Markdown,
    /// One self-contained page, for the audit and the archive
    Html,
    /// For CI: one suite per run, one case per objective and observer
    Junit,
    /// Every sample as a row
    Csv,
    /// Every sample as a JSON object on a line of its own
    Jsonl,
    /// Latency per second, probe and phase as an HdrHistogram interval log
    Hlog,
    /// For a trend over many runs
    #[value(name = "openmetrics")]
    OpenMetrics,
}

impl Format {
    /// Whether it shows the samples themselves, and so can be written without holding them.
    pub fn of_samples(self) -> bool {
        matches!(self, Format::Csv | Format::Jsonl | Format::Hlog)
    }

    /// The file's name in a run's folder.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Text => "report.txt",
            Format::Json => "report.json",
            Format::Markdown => "report.md",
            Format::Html => "report.html",
            Format::Junit => "report.junit.xml",
            Format::Csv => "samples.csv",
            Format::Jsonl => "samples.jsonl",
            Format::Hlog => "latency.hlog",
            Format::OpenMetrics => "report.om.txt",
        }
    }
}

/// A report that could not be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// As JSON.
    #[error("the report could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// As JUnit XML.
    #[error("the report could not be written as JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
    /// As an export of the samples.
    #[error("the samples could not be written: {0}")]
    Samples(#[from] std::io::Error),
}

/// The report of a run in a format. `style` matters to [`Format::Text`] alone.
pub fn render(report: &Report, record: &Record, format: Format, style: Style) -> Result<String, RenderError> {
    match format {
        Format::Text => Ok(text::render(report, record, style, &[])),
        Format::Json => json::render(report),
        Format::Markdown => Ok(markdown::render(report, record)),
        Format::Html => Ok(html::render(report, record)),
        Format::Junit => junit::render(report),
        Format::Csv | Format::Jsonl | Format::Hlog => {
            let mut out = Vec::new();
            export::all(format, record, &mut out)?;
            String::from_utf8(out).map_err(|error| RenderError::Samples(std::io::Error::other(error)))
        }
        Format::OpenMetrics => Ok(openmetrics::render(report)),
    }
}

/// The public contract. Fields may be added within a version; none is removed or changes meaning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `firedrill/report/v1`.
    pub schema: String,
    /// The run's id.
    pub run: String,
    /// The experiment's name.
    pub experiment: String,
    /// The experiment's title.
    pub title: Option<String>,
    /// What was to be shown.
    pub hypothesis: Option<String>,
    /// Who owns the drill.
    pub owner: Option<String>,
    /// The controls it is evidence for.
    pub controls: Vec<String>,
    /// The environment's name.
    pub environment: String,
    /// The AWS account, if one was used.
    pub account: Option<String>,
    /// The AWS region, if one was used.
    pub region: Option<String>,
    /// The outcome of the whole drill.
    pub verdict: Outcome,
    /// Why, in one sentence.
    pub because: String,
    /// Whether nothing was allowed to change.
    pub dry_run: bool,
    /// Whether it was only read aloud: nothing was called, and nothing was measured.
    #[serde(default)]
    pub tabletop: bool,
    /// What was run: `experiment` or `runbook`.
    #[serde(default = "people::experiment")]
    pub kind: String,
    /// Seeds jitter and the choice of victims.
    pub seed: u64,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub ended_at: String,
    /// How long the run took, in seconds.
    pub duration: f64,
    /// The fault, once one was injected.
    pub fault: Option<Fault>,
    /// Each declared target against what was observed, by observer.
    pub objectives: Vec<Objective>,
    /// How the recovery time is counted, and who saw the longest.
    #[serde(default)]
    pub rto: Option<WorstReport>,
    /// What each probe saw.
    pub probes: Vec<ProbeReport>,
    /// What each ledger found.
    pub rpo: Vec<LedgerReport>,
    /// When names and traffic went over to another site; absent when none did and no name was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutover: Option<Cutover>,
    /// What each step did.
    pub steps: Vec<StepReport>,
    /// The procedure as a whole, when a runbook was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedure: Option<ProcedureReport>,
    /// What was put back.
    pub undo: UndoReport,
    /// What guarded the run.
    #[serde(default)]
    pub safety: SafetyReport,
    /// The prober's own health.
    pub prober: ProberReport,
    /// Lines worth reading: warnings, throttling, guards that made a verdict inconclusive.
    pub notes: Vec<String>,
    /// What the recovery is made of; absent without a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breakdown: Option<Breakdown>,
    /// What proves it.
    pub evidence: Evidence,
}

/// The injection of the fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The step that injected it.
    pub step: String,
    /// From the call being sent to its return. RTO counts from `lo`.
    pub injected_at: Interval,
    /// What showed that it took hold.
    pub evidence: Vec<Seen>,
}

/// What one probe saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What is asked of whom.
    pub summary: String,
    /// Spacing of samples.
    pub every: f64,
    /// Samples that were due.
    pub scheduled: u64,
    /// Good ones.
    pub ok: u64,
    /// Bad ones.
    pub bad: u64,
    /// Ones that say nothing, the prober having been at fault.
    pub void: u64,
    /// Ones never sent.
    pub shed: u64,
    /// (ok + bad) / scheduled.
    pub coverage: f64,
    /// ok / (ok + bad) from the fault to the end of observation; absent without such samples.
    pub availability: Option<f64>,
    /// The finest outage it could have seen: `2·every` plus the slowest good answer.
    pub resolution: f64,
    /// Latency of good samples per phase: `baseline`, `fault`, `recovered`. Milliseconds.
    pub latency_ms: BTreeMap<String, Latency>,
    /// How long the parts of asking took, per phase: `dns`, `connect`, `tls`, `first_byte`. Milliseconds.
    #[serde(default)]
    pub parts_ms: BTreeMap<String, BTreeMap<String, Latency>>,
    /// The share of the time from the fault to the end of observation that was no outage.
    #[serde(default)]
    pub availability_time: Option<Interval>,
    /// The recovery time by each of its definitions.
    #[serde(default)]
    pub recovery: Option<RecoveryReport>,
    /// How each second was.
    #[serde(default)]
    pub states: StatesReport,
    /// What was spent of the declared error budget, and whether the usual pages would have fired.
    #[serde(default)]
    pub error_budget: Option<BudgetReport>,
    /// Answers that came after their sample had timed out.
    #[serde(default)]
    pub late: u64,
    /// Its outages, in order.
    pub outages: Vec<Outage>,
    /// Bad samples outside any outage.
    pub blips: u64,
    /// Bad samples by cause, over the whole run.
    pub errors: BTreeMap<String, u64>,
    /// The first error of each kind, in words.
    pub first_errors: BTreeMap<String, String>,
}

/// Percentiles in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// How many samples.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Samples that were not answered by the deadline: in no percentile, since it is only known that they
    /// took longer.
    #[serde(default)]
    pub unanswered: u64,
    /// What the 99th percentile is at least when these are counted: absent when they are too few to matter.
    #[serde(default)]
    pub p99_at_least: Option<f64>,
}

/// One outage as one probe saw it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outage {
    /// When it began.
    pub begin: Interval,
    /// When it ended; without `hi` when it had not ended.
    pub end: Interval,
    /// How long it was.
    pub duration: Interval,
    /// The least duration by each basis, and which of them `duration.lo` is.
    #[serde(default)]
    pub least: LeastReport,
    /// Its bad samples by cause.
    pub errors: BTreeMap<String, u64>,
    /// Share of bad samples within it: 1 is a full outage, less is a partial one.
    pub bad_ratio: f64,
    /// The samples that prove the edges: last good, first bad, last bad, first good.
    pub proof: Proof,
}

/// Sample numbers of the four samples that an outage's edges come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// Last good before.
    pub last_good: Option<u32>,
    /// First bad.
    pub first_bad: u32,
    /// Last bad.
    pub last_bad: u32,
    /// First good of the confirmed run.
    pub first_good: Option<u32>,
}

/// What one step did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// What it was to do.
    pub summary: String,
    /// `done`, `failed`, `indeterminate`, `skipped`.
    pub outcome: String,
    /// When it started.
    pub started: Option<f64>,
    /// When it finished.
    pub finished: Option<f64>,
    /// Why, or what came of it.
    pub detail: Option<String>,
    /// What showed that it took hold.
    pub evidence: Option<String>,
    /// How it is undone, if it can be.
    pub undo: Option<String>,
    /// Who owns it.
    #[serde(default)]
    pub owner: Option<String>,
    /// In which role a person carries it out.
    #[serde(default)]
    pub role: Option<String>,
    /// What it is about.
    #[serde(default)]
    pub about: Option<String>,
    /// How long it took, in seconds; absent when it did not begin or did not end.
    #[serde(default)]
    pub took: Option<f64>,
    /// How long it should have taken, in seconds.
    #[serde(default)]
    pub expected: Option<f64>,
    /// Whether it took longer than that.
    #[serde(default)]
    pub slower: bool,
    /// What people said of it, in order.
    #[serde(default)]
    pub confirmations: Vec<ConfirmationReport>,
}

/// What was put back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UndoReport {
    /// Whether nothing is left to put back.
    pub complete: bool,
    /// What was put back, in order.
    pub done: Vec<String>,
    /// What was not, and why.
    pub left: Vec<String>,
}

/// The prober's own health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProberReport {
    /// When the prober itself did not run.
    pub stalls: Vec<Stall>,
    /// How late samples were sent, in milliseconds: median, 99th percentile, largest.
    pub lag_ms: Option<Latency>,
}

/// A time in which the prober did not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// From.
    pub from: f64,
    /// To.
    pub to: f64,
    /// What noticed it.
    pub witness: String,
}

/// What proves the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// firedrill's version.
    pub firedrill: String,
    /// SHA-256 of the experiment's text.
    pub experiment_sha256: String,
    /// The head of the journal's hash chain.
    pub journal_sha256: String,
    /// How many samples were recorded.
    pub samples: u64,
    /// Whether the journal was cut short.
    pub cut: bool,
}
