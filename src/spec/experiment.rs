//! An experiment as its file says it: typed, complete, and with its places.
//!
//! Everything here has been checked: names exist, steps can be ordered, objectives can be decided.
//! How it is read is `draft`'s business, what may be wrong with it `lint`'s.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

pub use super::doing::{Check, Does, OnFailure, Program, Step, Targets, Undo};
pub use super::guardrail::Guardrail;
pub use super::people::Approval;
use super::source::Source;
use super::values::Variable;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem, Spanned, SpannedName, unknown};
use crate::notation::shape::{self, Shapes};
use crate::notation::units;
use crate::notation::yaml::{Node, Value};
use crate::probe::{Probe, Variant};
use crate::run::event;
use crate::{record, words};

/// A drill: what is broken, what must stay true, and the targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Whether it is an experiment, or a runbook that is played as one.
    pub kind: event::FileKind,
    /// Names the drill in histories and reports.
    pub name: Spanned<String>,
    /// One line for people.
    pub title: Option<String>,
    /// What is to be shown.
    pub hypothesis: Option<String>,
    /// Who owns the drill.
    pub owner: Option<String>,
    /// The controls it is evidence for.
    pub controls: Vec<String>,
    /// The values that it is given.
    pub variables: IndexMap<SpannedName, Variable>,
    /// The declared targets.
    pub objectives: Objectives,
    /// Whom the actions are aimed at.
    pub targets: Targets,
    /// The CloudWatch alarms that are watched from before the fault, by name.
    pub alarms: Vec<Spanned<String>>,
    /// What watches, in the order of the file.
    pub probes: Vec<Watch>,
    /// What must hold before anything is touched.
    pub steady_state: SteadyState,
    /// What aborts the run.
    pub stop_when: Vec<Guardrail>,
    /// What is done, in the order of the file.
    pub steps: Vec<Step>,
    /// The step that the RTO counts from, when the file names one.
    pub measure_from: Option<Spanned<String>>,
    /// When recovery counts as proven.
    pub recovery: Recovery,
}

impl Experiment {
    /// The step that the RTO counts from: the one that `measure_from` names, else the first that does
    /// anything.
    pub fn fault_step(&self) -> Option<&Step> {
        match &self.measure_from {
            Some(name) => self.steps.iter().find(|step| *step.name == **name),
            None => self.steps.iter().find(|step| step.does.injects()),
        }
    }

    /// The CloudWatch alarms that stop the run, by name.
    pub fn guardrail_alarms(&self) -> Vec<String> {
        let alarms = self.stop_when.iter().filter_map(|rule| match rule {
            Guardrail::Alarm(rule) => Some(rule.alarm.value.clone()),
            _ => None,
        });
        alarms.collect()
    }

    /// What the journal keeps of the file.
    pub fn facts(&self, source: &Source) -> event::ExperimentFacts {
        event::ExperimentFacts {
            kind: self.kind,
            name: self.name.value.clone(),
            title: self.title.clone(),
            hypothesis: self.hypothesis.clone(),
            owner: self.owner.clone(),
            controls: self.controls.clone(),
            path: source.path.clone(),
            text: source.text.clone(),
            sha256: source.sha256(),
            runbooks: Vec::new(),
        }
    }

    /// How long to wait for recovery: ten minutes unless told otherwise, or twice the RTO when that is longer.
    pub fn within(&self) -> Duration {
        let rto = self.objectives.rto.as_ref().map_or(Duration::ZERO, |rto| rto.within);
        self.recovery.within.unwrap_or_else(|| Duration::from_secs(600).max(rto.saturating_mul(2)))
    }

    /// When recovery counts as proven, as the journal keeps it.
    pub fn recovery_facts(&self) -> event::Recovery {
        event::Recovery {
            confirm: self.recovery.confirm.as_secs_f64(),
            within: self.within().as_secs_f64(),
            observe: self.recovery.observe.as_secs_f64(),
        }
    }
}

record! {
    /// The targets that the drill is held against. A probe must be able to decide each one.
    pub struct Objectives {
        /// Recovery time objective: from the fault until every probe it hit is good again (`2m`), or counted
        /// otherwise (`{ within: 2m, measured: total_down }`).
        pub rto: Option<Spanned<Rto>>,
        /// Recovery point objective: seconds of acknowledged writes (`0s`), or how many (`{ writes: 0 }`).
        pub rpo: Option<Spanned<Rpo>>,
        /// Share of good answers from the fault to the end of observation (`95%`), or how much of an SLO's error
        /// budget that time may spend (`{ slo: 99.9%, over: 30d, spend_at_most: 10% }`).
        pub availability: Option<Spanned<Availability>>,
        /// Limits on percentiles of the latency of good answers, such as `{ p99: 800ms }`.
        pub latency: Option<Spanned<Latency>>,
        /// Time from the fault until the first alarm of `alarms:` fires (MTTD).
        pub detection: Option<Spanned<Duration>>,
    }
}

impl Objectives {
    /// Objectives that ask for nothing.
    pub fn none() -> Objectives {
        Objectives { rto: None, rpo: None, availability: None, latency: None, detection: None }
    }

    /// The objectives as the journal keeps them.
    pub fn facts(&self) -> event::Objectives {
        let rpo = self.rpo.as_ref().map(|rpo| rpo.value);
        let availability = self.availability.as_ref().map(|availability| availability.value.clone());
        let latency = self.latency.iter().flat_map(|latency| &latency.0);
        event::Objectives {
            rto: self.rto.as_ref().map(|rto| rto.within.as_secs_f64()),
            rto_measured: self.rto.as_ref().map(|rto| rto.measured.into()).unwrap_or_default(),
            rpo_seconds: match rpo {
                Some(Rpo::Seconds(seconds)) => Some(seconds.as_secs_f64()),
                _ => None,
            },
            rpo_writes: match rpo {
                Some(Rpo::Writes(writes)) => Some(writes),
                _ => None,
            },
            availability: match &availability {
                Some(Availability::Served(ratio)) => Some(ratio.0),
                _ => None,
            },
            error_budget: match availability {
                Some(Availability::Budget(budget)) => Some(budget.facts()),
                _ => None,
            },
            latency: latency
                .map(|(percentile, limit)| event::LatencyObjective {
                    percentile: *percentile,
                    limit: limit.as_secs_f64(),
                })
                .collect(),
            detection: self.detection.as_ref().map(|limit| limit.as_secs_f64()),
        }
    }
}

words! {
    /// From when to when a recovery time is counted.
    pub enum Measured {
        /// From the call that injected the fault to the end of the last outage.
        "from_injection" => FromInjection,
        /// From the begin of the first outage to the end of the last one: what users saw.
        "from_first_failure" => FromFirstFailure,
        /// The outages' lengths in all.
        "total_down" => TotalDown,
        /// From the call until latency and throughput are back within 20 % of what they had been.
        "full_recovery" => FullRecovery,
    }
}

impl From<Measured> for event::RtoMeasured {
    fn from(measured: Measured) -> event::RtoMeasured {
        match measured {
            Measured::FromInjection => event::RtoMeasured::FromInjection,
            Measured::FromFirstFailure => event::RtoMeasured::FromFirstFailure,
            Measured::TotalDown => event::RtoMeasured::TotalDown,
            Measured::FullRecovery => event::RtoMeasured::FullRecovery,
        }
    }
}

record! {
    /// An RTO, and what it is counted from and to.
    pub struct RtoCounted {
        /// How long it may take.
        pub within: Duration,
        /// From when to when.
        pub measured: Measured = Measured::FromInjection,
    }
}

/// A recovery time objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rto {
    /// How long it may take.
    pub within: Duration,
    /// From when to when.
    pub measured: Measured,
}

impl Decode for Rto {
    fn expects() -> String {
        "a duration such as 2m, or { within: 2m, measured: from_first_failure }".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![Duration::schema(shapes), RtoCounted::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => {
                RtoCounted::decode(node, cx).map(|rto| Rto { within: rto.within, measured: rto.measured })
            }
            Value::Scalar { .. } => {
                Duration::decode(node, cx).map(|within| Rto { within, measured: Measured::FromInjection })
            }
            _ => {
                cx.unexpected(Code::WrongShape, node, &Self::expects());
                None
            }
        }
    }
}

/// How available the service must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Availability {
    /// This share of answers is good.
    Served(Ratio),
    /// So much of an error budget is spent.
    Budget(ErrorBudget),
}

impl Decode for Availability {
    fn expects() -> String {
        format!("{}, or {{ slo: 99.9%, over: 30d, spend_at_most: 10% }}", Ratio::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![Ratio::schema(shapes), ErrorBudget::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => ErrorBudget::decode(node, cx).map(Availability::Budget),
            _ => Ratio::decode(node, cx).map(Availability::Served),
        }
    }
}

record! {
    /// How much of an SLO's error budget the drill may spend.
    pub struct ErrorBudget {
        /// The service level objective: the share of requests that the service promises to serve.
        pub slo: Ratio,
        /// Over how long the promise is kept.
        pub over: Duration = Duration::from_secs(30 * 86_400),
        /// The share of the budget that the drill may spend.
        pub spend_at_most: Ratio = Ratio(1.0),
        /// Budget by slices of time instead of by requests.
        pub time_slice: Option<TimeSlice>,
    }
}

record! {
    /// A slice of time that counts as good when enough of its requests were served (OpenSLO's `Timeslices`).
    pub struct TimeSlice {
        /// How long a slice is: `timeSliceWindow`.
        pub window: Duration = Duration::from_secs(60),
        /// The share that must be served in it: `timeSliceTarget`.
        pub target: Ratio = Ratio(0.95),
    }
}

impl ErrorBudget {
    /// The budget as the journal keeps it.
    fn facts(&self) -> event::ErrorBudget {
        event::ErrorBudget {
            slo: self.slo.0,
            over: self.over.as_secs_f64(),
            spend_at_most: self.spend_at_most.0,
            time_slice: self
                .time_slice
                .as_ref()
                .map(|slice| event::TimeSlice { window: slice.window.as_secs_f64(), target: slice.target.0 }),
        }
    }
}

/// How much acknowledged data may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rpo {
    /// This many seconds of it.
    Seconds(Duration),
    /// This many writes.
    Writes(u64),
}

record! {
    /// An RPO in writes.
    pub struct RpoWrites {
        /// How many acknowledged writes may be lost.
        pub writes: u64,
    }
}

impl Decode for Rpo {
    fn expects() -> String {
        "a duration such as 0s or 5s, or { writes: 0 }".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![Duration::schema(shapes), RpoWrites::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Map(_) => RpoWrites::decode(node, cx).map(|rpo| Rpo::Writes(rpo.writes)),
            Value::Scalar { .. } => Duration::decode(node, cx).map(Rpo::Seconds),
            _ => {
                cx.unexpected(Code::WrongShape, node, &Self::expects());
                None
            }
        }
    }
}

/// A share, from 0 to 1; written `99.9%`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(pub f64);

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded, so that 0.999 is 99.9% and not 99.90000000000001%.
        write!(f, "{}%", (self.0 * 1e8).round() / 1e6)
    }
}

impl Decode for Ratio {
    fn expects() -> String {
        "a percentage from 0% to 100%, such as 99.9%".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        shape::pattern(r"^\s*[0-9.eE+-]+\s*%?\s*$", true)
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let ratio = units::ratio(&text).map(Ratio);
        if ratio.is_none() {
            let mut problem = cx.mismatch(Code::NotAPercentage, node, &Self::expects());
            if text.parse::<f64>().is_ok_and(|number| (1.0..=100.0).contains(&number)) {
                problem = problem.help(format!("write {text}%"));
            }
            cx.report(problem);
        }
        ratio
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// Limits on latency percentiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency(pub Vec<(f64, Duration)>);

impl Latency {
    const PERCENTILES: [(&'static str, f64); 5] =
        [("p50", 50.0), ("p90", 90.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9)];
}

impl Decode for Latency {
    fn expects() -> String {
        "a mapping of percentiles to durations, such as { p99: 800ms }".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        let limit = Duration::schema(shapes);
        let limits = Self::PERCENTILES.iter().map(|(name, _)| (*name, limit.clone()));
        shape::object(&Self::expects(), limits.collect(), &[])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let entries = crate::notation::decode::entries_for::<Self>(node, cx)?;
        let mut limits = Some(Vec::new());
        for (key, node) in entries {
            let percentile = Self::PERCENTILES.iter().find(|(name, _)| *name == key.text);
            if percentile.is_none() {
                let known: Vec<&str> = Self::PERCENTILES.iter().map(|(name, _)| *name).collect();
                cx.report(unknown(Code::UnknownPercentile, "percentile", &key.text, key.span, &known));
            }
            let limit = Duration::decode(node, cx);
            match (percentile, limit) {
                (Some((_, percentile)), Some(limit)) => {
                    limits.iter_mut().for_each(|limits| limits.push((*percentile, limit)));
                }
                _ => limits = None,
            }
        }
        limits.map(Latency)
    }
}

/// A probe, with what the experiment says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Watch {
    /// Its name.
    pub name: SpannedName,
    /// What is asked of whom.
    pub probe: Probe,
    /// Spacing of the samples.
    pub every: Duration,
    /// Spacing of the samples in between while an outage is on, to date its end more closely.
    pub edge_every: Option<Duration>,
    /// Whether an idle connection is held beside it, to see when it is lost.
    pub sentinel: bool,
    /// Whether an outage of it is a failure of its own.
    pub must_stay_up: bool,
}

impl Watch {
    /// One lane of the probe as the journal keeps it.
    pub fn facts(&self, variant: &Variant) -> event::ProbeFacts {
        let probe = self.name.text.clone();
        event::ProbeFacts {
            name: variant.name.as_ref().map_or(probe.clone(), |name| format!("{probe}/{name}")),
            probe,
            client: variant.client.map(|client| client.word().to_owned()),
            kind: self.probe.name().to_owned(),
            summary: variant.probe.summary(),
            every: self.every.as_secs_f64(),
            deadline: variant.probe.deadline().as_secs_f64(),
            must_stay_up: self.must_stay_up,
            ledger: self.probe.is_ledger(),
            dns: variant.probe.dns_facts(),
        }
    }
}

record! {
    /// What must hold before anything is touched.
    pub struct SteadyState {
        /// For how long it is watched.
        pub r#for: Duration = Duration::from_secs(10),
        /// The share of good answers that every probe must show.
        pub availability: Ratio = Ratio(1.0),
    }
}

impl SteadyState {
    /// The steady state as the journal keeps it.
    pub fn facts(&self) -> event::SteadyState {
        event::SteadyState { watch: self.r#for.as_secs_f64(), availability: self.availability.0 }
    }
}

record! {
    /// When recovery counts as proven, and how long to go on looking.
    pub struct Recovery {
        /// Good for this long in a row.
        pub confirm: Duration = Duration::from_secs(10),
        /// Within this long of the fault, or the RTO is only known to be longer. Ten minutes, or twice the
        /// RTO when that is longer.
        pub within: Option<Duration>,
        /// Keep measuring for at least this long after the fault.
        pub observe: Duration = Duration::ZERO,
    }
}

/// Reports a name that is not made of letters, digits, `-`, `_` and `.`.
pub(super) fn plain_name(what: &str, name: &SpannedName, cx: &mut Context<'_>) {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.text.is_empty() || name.text.chars().count() > 64 || !name.text.chars().all(fits) {
        cx.report(
            Problem::new(
                Code::NotAName,
                name.span,
                format!("`{}` cannot be a {what}'s name", crate::notation::decode::clip(&name.text)),
            )
            .label("up to 64 letters, digits, `-`, `_` and `.`"),
        );
    }
}
