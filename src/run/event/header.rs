//! What is known before anything happens: the journal's first line, and the facts in it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::people::{FileKind, Handling, RunbookFacts};

/// The first line of a journal: everything that is known before anything happens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The journal's format: `firedrill/journal/v1`.
    pub schema: String,
    /// The run's id, which is also its folder's name.
    pub run: String,
    /// The version of firedrill that wrote it.
    pub firedrill: String,
    /// The wall-clock time of the run's zero.
    pub began: Timestamp,
    /// `CLOCK_BOOTTIME` in nanoseconds at the run's zero.
    pub origin_ns: u64,
    /// Seeds pacer jitter and the choice of victims.
    pub seed: u64,
    /// Whether nothing may be changed.
    pub dry_run: bool,
    /// Whether it is only read aloud: nothing is called, and people say how long each step took.
    #[serde(default)]
    pub tabletop: bool,
    /// The experiment as it was read.
    pub experiment: ExperimentFacts,
    /// Where it runs.
    pub environment: EnvironmentFacts,
    /// The probes, in the order that samples refer to by index.
    pub probes: Vec<ProbeFacts>,
    /// The declared targets.
    pub objectives: Objectives,
    /// How long the steady state is shown, and how good it must be.
    pub steady_state: SteadyState,
    /// When recovery counts as proven, and how long to look.
    pub recovery: Recovery,
    /// The step that the clock of the RTO starts with.
    pub measure_from: Option<String>,
    /// The steps, resolved, in the order of the file.
    pub plan: Vec<PlannedStep>,
    /// The CloudWatch alarms that the experiment names.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// Who watched which layer of what the steps act on.
    #[serde(default)]
    pub watchers: Vec<WatcherFacts>,
    /// What may stop the run, and what was looked at before it began.
    #[serde(default)]
    pub safety: Safety,
    /// Whether the caller may do what the watchers, probes and alarms need.
    #[serde(default)]
    pub permission_checks: Vec<PermissionCheck>,
}

/// What may stop a run, and what was looked at before it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Safety {
    /// The guardrails, as written.
    pub guardrails: Vec<String>,
    /// What must hold before anything is touched, whatever the steps do.
    pub preconditions: Vec<Precondition>,
    /// The IAM actions that reading the guardrails needs.
    pub permissions: Vec<String>,
}

/// A watcher that was attached: what the cloud itself says of a resource, asked again and again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatcherFacts {
    /// What it watches, in words: unique in a run.
    pub name: String,
    /// The IAM actions it needs.
    pub permissions: Vec<String>,
}

/// What the experiment's file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExperimentFacts {
    /// `kind:`
    #[serde(default)]
    pub kind: FileKind,
    /// `name:`
    pub name: String,
    /// `title:`
    pub title: Option<String>,
    /// `hypothesis:`
    pub hypothesis: Option<String>,
    /// `owner:`
    pub owner: Option<String>,
    /// `controls:`, what the drill is evidence for.
    pub controls: Vec<String>,
    /// The file's path as given.
    pub path: String,
    /// The file's text (secrets are never in it: they are referred to).
    pub text: String,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
    /// The runbooks whose steps are among its own.
    #[serde(default)]
    pub runbooks: Vec<RunbookFacts>,
}

/// Where a run takes place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EnvironmentFacts {
    /// The environment's name.
    pub name: String,
    /// AWS account id, once proven.
    pub account: Option<String>,
    /// AWS region.
    pub region: Option<String>,
    /// The identity's ARN.
    pub identity: Option<String>,
    /// A non-standard endpoint, if any.
    pub endpoint_url: Option<String>,
    /// Values of the variables, secrets redacted.
    pub values: BTreeMap<String, String>,
}

/// One probe, as measuring needs to know it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// Its name: the file's, and what tells it from the file's other lanes of that probe
    /// (`storefront`, `storefront/kept`).
    pub name: String,
    /// Its name in the file.
    pub probe: String,
    /// Which client it stands for: `fresh`, `kept` or `reconnect`, where the kind knows any.
    pub client: Option<String>,
    /// Its kind: `http`, `postgres.ledger`, …
    pub kind: String,
    /// One line for people: what is asked of whom. Secrets redacted.
    pub summary: String,
    /// Spacing of the samples, in seconds.
    pub every: f64,
    /// The longest that a sample can take, in seconds.
    pub deadline: f64,
    /// Whether an outage of it is a failure of its own.
    pub must_stay_up: bool,
    /// Whether it writes numbered entries that are read back.
    pub ledger: bool,
    /// How to read its answers, when it asks name servers.
    #[serde(default)]
    pub dns: Option<DnsFacts>,
}

/// How to read the answers of a lane that asks name servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsFacts {
    /// Whom it asks.
    pub role: DnsRole,
    /// Whether the cut-over decides its probe's RTO.
    pub decides_cutover: bool,
    /// Whether only what was seen here counts, and not what other caches may hold.
    pub this_resolver_only: bool,
}

/// What a name server is to whoever asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DnsRole {
    /// It holds the zone itself.
    Authoritative,
    /// It looks names up for others, and may cache.
    Resolver,
    /// This machine's own resolver, as its programs ask it.
    System,
}

/// The declared targets. Times in seconds, ratios from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Objectives {
    /// Recovery time objective.
    pub rto: Option<f64>,
    /// From when to when the recovery time is counted.
    #[serde(default)]
    pub rto_measured: RtoMeasured,
    /// Recovery point objective in seconds of acknowledged writes.
    pub rpo_seconds: Option<f64>,
    /// Recovery point objective in acknowledged writes.
    pub rpo_writes: Option<u64>,
    /// Request availability from the fault to the end of observation.
    pub availability: Option<f64>,
    /// Latency of successes: percentile (such as `99.0`, written `p99`) and its limit in seconds.
    pub latency: Vec<LatencyObjective>,
    /// Time until the first of the experiment's alarms fires: MTTD, in seconds.
    #[serde(default)]
    pub detection: Option<f64>,
    /// How much of an SLO's error budget the drill may spend.
    #[serde(default)]
    pub error_budget: Option<ErrorBudget>,
}

/// From when to when a recovery time is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RtoMeasured {
    /// From the call that injected the fault to the end of the last outage.
    #[default]
    FromInjection,
    /// From the begin of the first outage to the end of the last one: what users saw.
    FromFirstFailure,
    /// The outages' lengths in all.
    TotalDown,
    /// From the call until latency and throughput were back to what they had been.
    FullRecovery,
}

impl RtoMeasured {
    /// Its name in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            RtoMeasured::FromInjection => "from_injection",
            RtoMeasured::FromFirstFailure => "from_first_failure",
            RtoMeasured::TotalDown => "total_down",
            RtoMeasured::FullRecovery => "full_recovery",
        }
    }
}

/// An SLO, and how much of its error budget one drill may spend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorBudget {
    /// The share of requests that the service promises to serve.
    pub slo: f64,
    /// Over how long, in seconds.
    pub over: f64,
    /// The share of the budget that the drill may spend.
    pub spend_at_most: f64,
    /// Budget by slices of time, not by requests.
    pub time_slice: Option<TimeSlice>,
}

/// A slice of time counts as good when enough of its requests were served (OpenSLO's `Timeslices`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeSlice {
    /// How long a slice is, in seconds: `timeSliceWindow`.
    pub window: f64,
    /// The share that must be served in it: `timeSliceTarget`.
    pub target: f64,
}

/// A limit on one latency percentile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencyObjective {
    /// The percentile, from 0 to 100.
    pub percentile: f64,
    /// The limit, in seconds.
    pub limit: f64,
}

/// What must hold before anything is touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SteadyState {
    /// For how long it is watched, in seconds.
    pub watch: f64,
    /// The availability that every probe must show.
    pub availability: f64,
}

/// What counts as recovered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Good for this long in a row, in seconds.
    pub confirm: f64,
    /// Within this long of the fault, or RTO is censored. Seconds.
    pub within: f64,
    /// Keep measuring at least this long after the fault. Seconds.
    pub observe: f64,
}

/// A step as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Its name: unique in the experiment.
    pub name: String,
    /// What it is: an action's name, or `run`, `manual`, `approve`, `wait`, `wait_until`.
    pub kind: String,
    /// One line for people: what it will do, to what.
    pub summary: String,
    /// The resources it acts on.
    pub targets: Vec<String>,
    /// Steps that must have finished first.
    pub after: Vec<String>,
    /// Whether it can change anything.
    pub mutates: bool,
    /// Whether it cannot be undone.
    pub irreversible: bool,
    /// How it will be undone, if it can be.
    pub undo: Option<String>,
    /// What was checked before, and what was found.
    pub preconditions: Vec<Precondition>,
    /// The IAM actions it needs.
    pub permissions: Vec<String>,
    /// How long it usually takes; absent when nobody can say.
    #[serde(default)]
    pub usual: Option<Usual>,
    /// How long undoing it usually takes; absent when nobody can say, or there is nothing to undo.
    #[serde(default)]
    pub undo_usual: Option<Usual>,
    /// Whether the caller may do them.
    #[serde(default)]
    pub permission_checks: Vec<PermissionCheck>,
    /// Who carries it out, and how long it should take.
    #[serde(default)]
    pub handling: Handling,
}

/// How long something usually takes, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// At best.
    pub from: f64,
    /// At the usual worst.
    pub to: f64,
}

/// Whether the caller may do one thing that a drill needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermissionCheck {
    /// The IAM action, such as `rds:RebootDBInstance`.
    pub action: String,
    /// On what: ARNs, or `*`.
    pub resources: Vec<String>,
    /// The answer.
    pub answer: MayI,
    /// How the answer is known, or why there is none.
    pub because: String,
    /// Whether a drill does without it: then a denial does not stop the run.
    pub optional: bool,
}

impl PermissionCheck {
    /// Whether the caller may not.
    pub fn is_denied(&self) -> bool {
        self.answer == MayI::Denied
    }

    /// Whether the run must not begin for it.
    pub fn stops(&self) -> bool {
        self.is_denied() && !self.optional
    }

    /// The action, and on what: `ec2:TerminateInstances on i-0abc123def4567890`.
    pub fn subject(&self) -> String {
        let short = |arn: &String| match arn.rsplit(['/', ':']).next() {
            Some(last) if last != "*" => last.to_owned(),
            _ => arn.clone(),
        };
        match self.resources.as_slice() {
            [all] if all == "*" => self.action.clone(),
            some => format!("{} on {}", self.action, some.iter().map(short).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl fmt::Display for PermissionCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PermissionCheck { because, .. } = self;
        match self.answer {
            MayI::Allowed => write!(f, "you may {}: {because}", self.subject()),
            MayI::Denied => write!(f, "you may not {}: {because}", self.subject()),
            MayI::CannotTell => write!(f, "cannot tell whether you may {}: {because}", self.subject()),
        }
    }
}

/// The answer to whether the caller may do something; of several, the greatest is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MayI {
    /// Yes.
    Allowed,
    /// AWS was asked and gave no answer, or could not be asked.
    CannotTell,
    /// No.
    Denied,
}

/// A fact about the world that a step relies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precondition {
    /// What was asked, such as `orders-db is Multi-AZ`.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found, and what to do about it when it does not hold.
    pub found: String,
}
