//! The interface of the whole program: what happens in a run, as data.
//!
//! The engine emits these and nothing else; the journal stores them, the live view shows them,
//! and every number and report is computed from them and the samples. They hold no references
//! and no behaviour, so that a stored journal reads back as exactly what the engine emitted.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;

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
    /// What it is: an action's name, or `run`, `wait`.
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
}

/// A fact about the world that a step relies on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Precondition {
    /// What was asked, such as `orders-db is Multi-AZ`.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found, and what to do about it when it does not hold.
    pub found: String,
}

/// Something that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When, on the run's clock.
    pub at_ns: Moment,
    /// What.
    pub kind: EventKind,
}

/// What can happen in a run.
// The larger ones are rare, and none is held in numbers.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The run went into another phase.
    PhaseEntered {
        /// Which.
        phase: Phase,
    },
    /// The steady state was shown, or not.
    SteadyStateJudged {
        /// Whether it held.
        held: bool,
        /// The numbers.
        because: String,
    },
    /// A step began.
    StepStarted {
        /// The step's name.
        step: String,
    },
    /// A call that changes something is about to be sent (written and synced before it is).
    CallSent {
        /// The step it belongs to.
        step: String,
        /// `rds:RebootDBInstance`, or `run` for a program.
        operation: String,
        /// The resource, or the program's line.
        resource: String,
    },
    /// That call came back.
    CallReturned {
        /// The step it belongs to.
        step: String,
        /// As sent.
        operation: String,
        /// As sent.
        resource: String,
        /// How it ended.
        outcome: CallOutcome,
        /// The error, or a detail worth keeping (request id, exit code, output).
        detail: Option<String>,
    },
    /// What will undo the step, with the prior state; synced before the step acts.
    UndoPrepared {
        /// The step it belongs to.
        step: String,
        /// One line for people.
        summary: String,
        /// What the undo needs to know; secrets are referred to, not held.
        undo: serde_json::Value,
    },
    /// The fault was seen to take hold.
    EffectSeen {
        /// The step it belongs to.
        step: String,
        /// The last look that did not show it.
        after_ns: Moment,
        /// What was seen, such as `orders-db: standby became primary (eu-west-1b)`.
        evidence: String,
    },
    /// A step ended.
    StepFinished {
        /// The step's name.
        step: String,
        /// How.
        outcome: StepOutcome,
        /// Why, or what came of it.
        detail: Option<String>,
    },
    /// The prober itself was stalled: what it saw then is void.
    ProberStalled {
        /// From when.
        from_ns: Moment,
        /// Until when.
        to_ns: Moment,
        /// What noticed it.
        witness: String,
    },
    /// Every impacted probe was good for the confirmation time.
    RecoveryConfirmed {
        /// One line: which probes, since when.
        because: String,
    },
    /// Recovery was not confirmed in time.
    RecoveryTimedOut {
        /// The probes that were still bad.
        probes: Vec<String>,
    },
    /// A ledger was read back.
    LedgerRead {
        /// The probe.
        probe: String,
        /// What was there.
        reading: Reading,
    },
    /// A guardrail stopped the run.
    GuardrailTripped {
        /// The rule, as written.
        rule: String,
    },
    /// Somebody or something asked to stop.
    AbortRequested {
        /// `Ctrl-C`, `SIGTERM`, a guardrail.
        by: String,
    },
    /// A step's undo began.
    UndoStarted {
        /// The step.
        step: String,
    },
    /// A step's undo ended.
    UndoFinished {
        /// The step.
        step: String,
        /// Whether the prior state is back.
        done: bool,
        /// What was done, or why it was not.
        detail: String,
    },
    /// A watcher saw a layer of the system in another state, or something new that the cloud says
    /// happened to it. When it was seen is when the look that showed it was over.
    LayerSeen {
        /// Which layer.
        layer: Layer,
        /// Of which resource.
        resource: String,
        /// The state, or the message, as the API writes it.
        state: String,
        /// One line for people.
        what: String,
        /// The beginning of the last look that did not show it; absent when the first one did already.
        after_ns: Option<Moment>,
        /// The cloud's own stamp: shown, and never subtracted from a time of the run's clock.
        stamp: Option<Timestamp>,
    },
    /// A watcher stopped looking.
    WatcherEnded {
        /// Its name, as in the header.
        watcher: String,
        /// How often it looked.
        looks: u64,
        /// How many of these looks showed nothing, since the call failed.
        failed: u64,
        /// The beginning of the last look that did not fail.
        last_ns: Option<Moment>,
    },
    /// Somebody answered a probe for the first time; samples refer to them by number.
    IdentityMet {
        /// The number, from 1.
        identity: u16,
        /// Who: the server's own words, or its address.
        who: String,
    },
    /// An idle connection, held beside a probe, ended: the begin of trouble, dated without any load.
    ConnectionLost {
        /// The probe's name.
        probe: String,
        /// Whom it was with.
        peer: String,
        /// When it was surely alive.
        after_ns: Moment,
        /// When it was found gone.
        lost_ns: Moment,
        /// How it ended: `closed`, or the system's error.
        detail: String,
    },
    /// Worth knowing: throttling, a retry, a probe's first error.
    Noted {
        /// A line for people.
        text: String,
    },
    /// The end, written last. A journal without it was cut short.
    RunEnded {
        /// How it ended.
        ending: Ending,
    },
}

/// A layer of the system as the cloud itself sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// A CloudWatch alarm's state.
    Alarm,
    /// An EC2 instance's state.
    Instance,
    /// A target's health in a target group.
    TargetHealth,
    /// An activity of an Auto Scaling group.
    ScalingActivity,
    /// A member of an Auto Scaling group.
    GroupMember,
    /// A DB instance's or DB cluster's status.
    DbStatus,
    /// The Availability Zone of a DB instance's primary.
    DbZone,
    /// What a read replica replicates.
    DbSource,
    /// The writer of a DB cluster.
    DbWriter,
    /// A message of RDS.
    DbEvent,
    /// An ECS task's state.
    Task,
    /// How many tasks an ECS service runs.
    Service,
    /// A message of an ECS service.
    ServiceEvent,
    /// A Route 53 change.
    DnsChange,
}

impl Layer {
    /// The layer's name in reports, as in `report.json`.
    pub fn name(self) -> &'static str {
        match self {
            Layer::Alarm => "alarm",
            Layer::Instance => "instance",
            Layer::TargetHealth => "target_health",
            Layer::ScalingActivity => "scaling_activity",
            Layer::GroupMember => "group_member",
            Layer::DbStatus => "db_status",
            Layer::DbZone => "db_zone",
            Layer::DbSource => "db_source",
            Layer::DbWriter => "db_writer",
            Layer::DbEvent => "db_event",
            Layer::Task => "task",
            Layer::Service => "service",
            Layer::ServiceEvent => "service_event",
            Layer::DnsChange => "dns_change",
        }
    }
}

/// The phases of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Proving that things are well before touching them.
    SteadyState,
    /// The steps are under way.
    Steps,
    /// Waiting for recovery to be confirmed.
    Recovery,
    /// Recovered; still watching.
    Observation,
    /// Reading the ledgers back.
    FinalRead,
    /// Putting things back.
    Undo,
}

/// How a mutating call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// Accepted.
    Accepted,
    /// Refused: certainly nothing was changed.
    Refused,
    /// No answer, or one that cannot be understood: it may have happened.
    Unclear,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// It did what it says.
    Done,
    /// It did not, and changed nothing, or its verification failed.
    Failed,
    /// It may or may not have happened.
    Indeterminate,
    /// It was not begun.
    Skipped,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Ending {
    /// It went to its end.
    Completed,
    /// It stopped before the first fault: nothing was touched.
    Untouched {
        /// Why.
        because: String,
    },
    /// It was stopped and undone.
    Aborted {
        /// By whom or what.
        by: String,
    },
    /// A step failed and the run stopped there.
    Failed {
        /// The step and its error.
        because: String,
    },
}

/// What a ledger held at the final read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// When the read that counts began.
    pub began_ns: Moment,
    /// When it was complete.
    pub done_ns: Moment,
    /// The numbers that were there, as inclusive ranges, ascending.
    pub present: Vec<(u32, u32)>,
    /// Entries that were there more than once, beyond the first.
    pub duplicated: u64,
    /// Entries that this run never wrote.
    pub unexpected: u64,
    /// Whether repeated reads agreed.
    pub stable: bool,
    /// Why the ledger could not be read, when it could not.
    pub error: Option<String>,
    /// How many reads in a row agreed.
    #[serde(default)]
    pub reads: u32,
    /// Numbers that were accepted and had not arrived yet where they are read from: replication was
    /// still under way when the watch ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<(u32, u32)>,
    /// How long entries took to arrive where they are read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
    /// What light reads saw while the drill went on.
    #[serde(default)]
    pub glimpses: Glimpses,
    /// What became of the server that was the writer before the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<OldPrimary>,
    /// Where in its log each server acknowledged its last write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<Position>,
    /// How far the server that was read had followed its predecessor's log when it took over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed: Option<Position>,
    /// How to remove what the ledger left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// What else the store said: context, never a verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How long entries took from their acknowledgement until they were seen where they are read from,
/// in seconds; each the most that it can have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Lag {
    /// How many were seen to arrive.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
}

/// Light reads of the newest entries, through the path that clients use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Glimpses {
    /// How many were answered.
    pub reads: u64,
    /// How many were not.
    pub failed: u64,
    /// Those in which something acknowledged was missing, the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<Glimpse>,
}

/// One light read in which something was missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Glimpse {
    /// When it began.
    pub began_ns: Moment,
    /// When it was complete.
    pub done_ns: Moment,
    /// Who answered.
    pub who: Option<String>,
    /// Numbers that had been acknowledged before it began and were not there.
    pub missing: Vec<(u32, u32)>,
}

/// What became of the server that was the writer before the fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OldPrimary {
    /// Who it says it is.
    pub who: Option<String>,
    /// In which role it was seen, in order of time.
    pub roles: Vec<RoleSpan>,
    /// The numbers that it holds, as inclusive ranges, ascending.
    pub present: Vec<(u32, u32)>,
    /// Why it could not be read in the end, when it could not.
    pub error: Option<String>,
    /// How to read what is there, for whoever wants to save it.
    pub query: Option<String>,
}

/// A time in which a server was seen in one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleSpan {
    /// When the first look began.
    pub from_ns: Moment,
    /// When the last look was done.
    pub to_ns: Moment,
    /// How many looks.
    pub looks: u32,
    /// The role.
    pub role: Role,
    /// Whether another server had acknowledged a write before the first of these looks.
    pub superseded: bool,
    /// How many writes of ours it took then, where writing to it was asked for.
    pub wrote: u32,
}

/// The role that a server says it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes writes.
    Writer,
    /// It does not.
    Standby,
    /// It did not answer.
    #[default]
    Unreachable,
}

/// A place in a server's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The server.
    pub who: String,
    /// The write that was acknowledged there; 0 when it is about none.
    pub seq: u32,
    /// Bytes from the log's beginning.
    pub byte: u64,
}
