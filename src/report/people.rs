//! What people did in a run, as `report.json` holds it, and in words that several formats say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Objective, StepReport};
use crate::journal::Record;
use crate::run::event::{Event, EventKind, FileKind};
use crate::verdict::NOBODY;
use crate::verdict::procedure::took;
use crate::words;

/// What a person said of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ConfirmationReport {
    /// Who: the name that they gave, their user and their machine.
    pub by: String,
    /// In which role, when they said one.
    pub role: Option<String>,
    /// `done`, `skipped`, `failed`, `go`, `no_go`.
    pub answer: String,
    /// Why, in their own words.
    pub because: Option<String>,
    /// When, in seconds of the run.
    pub at: f64,
    /// Where: `terminal`, or `confirm` for `firedrill confirm`.
    pub via: String,
}

/// A runbook's procedure as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcedureReport {
    /// From the begin of its first step to the end of its last, in seconds.
    pub took: Option<f64>,
    /// What the runbook declares. It is judged only as far as `objectives` holds it.
    pub declared: DeclaredReport,
}

/// What a runbook declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeclaredReport {
    /// Recovery time objective, in seconds.
    pub rto: Option<f64>,
    /// Recovery point objective, in seconds of acknowledged writes.
    pub rpo_seconds: Option<f64>,
    /// Recovery point objective, in acknowledged writes.
    pub rpo_writes: Option<u64>,
}

/// What a report without `kind` is about.
pub(super) fn experiment() -> String {
    FileKind::Experiment.noun().to_owned()
}

/// What people said of a step, in order.
pub(super) fn confirmations(events: &[Event], name: &str) -> Vec<ConfirmationReport> {
    let said = events.iter().filter_map(|event| match &event.kind {
        EventKind::Answered { step, by, role, answer, because, via } if step == name => {
            Some(ConfirmationReport {
                by: by.clone(),
                role: role.clone(),
                answer: word(answer),
                because: because.clone(),
                at: event.at_ns.secs(),
                via: word(via),
            })
        }
        _ => None,
    });
    said.collect()
}

/// The word that stands for a plain enum in JSON.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// The procedure of a run, if a runbook was run.
pub(super) fn procedure(record: &Record) -> Option<ProcedureReport> {
    let header = &record.header;
    (header.experiment.kind == FileKind::Runbook).then(|| ProcedureReport {
        took: took(&record.events),
        declared: DeclaredReport {
            rto: header.objectives.rto,
            rpo_seconds: header.objectives.rpo_seconds,
            rpo_writes: header.objectives.rpo_writes,
        },
    })
}

/// The procedure in sentences: how long it took, and what is declared beside it.
pub(super) fn said(report: &super::Report) -> Vec<String> {
    let Some(procedure) = &report.procedure else { return Vec::new() };
    let judged = |name: &str| {
        let by_probe = |objective: &Objective| objective.name == name && objective.observer != NOBODY;
        !report.tabletop && report.objectives.iter().any(by_probe)
    };
    let declared = &procedure.declared;
    let note = |name: &str| match judged(name) {
        true => "judged by the probes",
        false => "declared, and not judged here",
    };
    let took = procedure.took.map(|took| format!("The procedure took {}", words::duration(tenths(took))));
    let rto = declared.rto.map(|rto| format!("RTO {}: {}", words::duration(rto), note("rto")));
    let rpo = match (declared.rpo_seconds, declared.rpo_writes) {
        (Some(seconds), _) => Some(words::target(seconds, "s")),
        (None, Some(writes)) => Some(words::target(writes as f64, "writes")),
        (None, None) => None,
    };
    let rpo = rpo.map(|rpo| format!("RPO {rpo}: {}", note("rpo")));
    [took, rto, rpo].into_iter().flatten().collect()
}

/// How long a step took, against what was expected: `4 min 2 s, expected 2 min: SLOWER`.
pub(super) fn timed(step: &StepReport) -> String {
    // A report of an older version has the two instants only.
    let took = step.took.or_else(|| step.started.zip(step.finished).map(|(from, to)| to - from));
    let took = took.map(|took| words::duration(tenths(took))).unwrap_or_default();
    match step.expected.map(words::duration) {
        Some(expected) if step.slower => format!("{took}, expected {expected}: SLOWER"),
        Some(expected) if !took.is_empty() => format!("{took}, expected {expected}"),
        Some(expected) => format!("expected {expected}"),
        None => took,
    }
}

/// Who said what of a step: `go: Anna (anna@desk) as incident commander`.
pub(super) fn who(step: &StepReport) -> String {
    let said = step.confirmations.iter().map(|one| {
        let role = one.role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
        let because = one.because.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{}: {}{role}{because}", one.answer.replace('_', "-"), one.by)
    });
    said.collect::<Vec<_>>().join("; ")
}

/// Whose step it is: `owner payments-sre, role database-owner`.
pub(super) fn whose(step: &StepReport) -> String {
    let owner = step.owner.as_ref().map(|owner| format!("owner {owner}"));
    let role = step.role.as_ref().map(|role| format!("role {role}"));
    owner.into_iter().chain(role).collect::<Vec<_>>().join(", ")
}

/// Whether people have a part in any of the steps, or times were expected.
pub(super) fn any(steps: &[StepReport]) -> bool {
    steps.iter().any(|step| {
        step.owner.is_some()
            || step.role.is_some()
            || step.expected.is_some()
            || !step.confirmations.is_empty()
    })
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
