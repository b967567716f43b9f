//! The interface of the whole program: what happens in a run, as data.
//!
//! The engine emits these and nothing else; the journal stores them, the live view shows them,
//! and every number and report is computed from them and the samples. They hold no references
//! and no behaviour, so that a stored journal reads back as exactly what the engine emitted.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::Moment;

mod header;
mod left;
mod people;
mod reading;

pub use header::*;
pub use left::*;
pub use people::*;
pub use reading::*;

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
        /// What a person would type to do the same, where there is such a thing.
        #[serde(default)]
        command: Option<String>,
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
    /// People are asked: from here on a person may be at it.
    Asked {
        /// The step.
        step: String,
        /// What they read.
        text: String,
    },
    /// A person answered for a step.
    Answered {
        /// The step.
        step: String,
        /// Who: the name that they gave, their user and their machine.
        by: String,
        /// In which role, when they said one.
        role: Option<String>,
        /// What they said.
        answer: Answer,
        /// Why, in their own words.
        because: Option<String>,
        /// Where they said it.
        via: Via,
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
        /// What was seen.
        #[serde(default)]
        because: String,
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
    /// Another process took the run over, since the one that ran it had died, to put back what was left.
    TakenOver {
        /// Who: `sre@bastion (process 4711)`.
        by: String,
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
