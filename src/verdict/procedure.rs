//! A runbook that is run alone: whether the procedure was carried out, whatever its probes measured.
//!
//! What it declares is a promise about the service. Without a probe to decide it, it is shown and not judged:
//! how long people take is not how long customers wait.

use super::{Objective, Verdict};
use crate::journal::Record;
use crate::run::event::{Answer, Event, EventKind, FileKind, StepOutcome};
use crate::timeline::Timeline;
use crate::words;

/// Whether a run is a runbook's own, and not only rehearsed or read aloud.
pub(super) fn is_one(record: &Record) -> bool {
    let header = &record.header;
    header.experiment.kind == FileKind::Runbook && !header.dry_run && !header.tabletop
}

/// From the begin of its first step to the end of its last, in seconds; `None` while there is no such thing.
pub(crate) fn took(events: &[Event]) -> Option<f64> {
    let first = events.iter().find(|event| matches!(event.kind, EventKind::StepStarted { .. }))?;
    // What was skipped since the run stopped was no part of it.
    let over =
        |event: &&Event| matches!(&event.kind, EventKind::StepFinished { step, .. } if began(events, step));
    let last = events.iter().filter(over).next_back()?;
    Some(last.at_ns - first.at_ns)
}

fn began(events: &[Event], name: &str) -> bool {
    events.iter().any(|event| matches!(&event.kind, EventKind::StepStarted { step } if step == name))
}

/// The steps that people left out, each in a sentence.
pub(super) fn skipped(record: &Record) -> Vec<String> {
    let skipped = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::Answered { step, by, answer: Answer::Skipped, because, .. } => {
            let because = because.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            Some(format!("step `{step}` was skipped by {by}{because}"))
        }
        _ => None,
    });
    skipped.collect()
}

/// Takes away what nobody is there to decide: it is declared, and no more.
pub(super) fn without_declared(objectives: &mut Vec<Objective>, record: &Record, timeline: &Timeline) {
    let acted = timeline.fault.is_some();
    let alarms = !record.header.alarms.is_empty();
    objectives.retain(|objective| {
        let watched = objective.observer != super::objective::NOBODY;
        let told = alarms || objective.name != "detection";
        watched && told && (acted || objective.observed.is_some())
    });
}

/// Whether every step was carried out, and why it is said so. `guards` is what keeps a pass from being said.
pub(super) fn judged(record: &Record, guards: &[String]) -> (Verdict, String) {
    let failed = record.events.iter().find_map(|event| match &event.kind {
        EventKind::StepFinished { step, outcome: StepOutcome::Failed, detail } => {
            let why = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            Some(format!("step `{step}` failed{why}"))
        }
        _ => None,
    });
    if let Some(failed) = failed {
        return (Verdict::Fail, failed);
    }
    let over = |name: &String| {
        record.events.iter().any(|event| {
            matches!(&event.kind, EventKind::StepFinished { step, outcome: StepOutcome::Done, .. } if step == name)
        })
    };
    let undone = record.header.plan.iter().find(|step| !over(&step.name));
    match (guards.first(), undone) {
        (Some(guard), _) => (Verdict::Inconclusive, guard.clone()),
        (None, Some(step)) => (Verdict::Inconclusive, format!("step `{}` was not carried out", step.name)),
        (None, None) => {
            let took = took(&record.events).map(|took| words::duration((took * 10.0).round() / 10.0));
            let within = took.map(|took| format!(", in {took}")).unwrap_or_default();
            (Verdict::Pass, format!("every step of the procedure was carried out{within}"))
        }
    }
}
