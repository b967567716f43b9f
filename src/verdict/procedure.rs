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
    let last = events.iter().rfind(over)?;
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
        let watched = objective.observer != super::NOBODY;
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

#[cfg(test)]
mod tests {
    use crate::journal::{Record, fixture};
    use crate::report::build::build;
    use crate::report::exit::exit_code;
    use crate::run::event::{Answer, Ending, EventKind, FileKind, Objectives, Phase, StepOutcome, Via};
    use crate::verdict::Outcome;

    /// A runbook of two steps without a probe, the second of which ended so.
    fn record(outcome: StepOutcome, answer: Option<Answer>) -> Record {
        let mut header = fixture::header();
        header.experiment.kind = FileKind::Runbook;
        header.probes.clear();
        header.objectives = Objectives { rto: Some(900.0), rpo_seconds: Some(60.0), ..Objectives::default() };
        header.plan = vec![fixture::step("first"), fixture::step("second")];
        let finished = |step: &str, outcome| EventKind::StepFinished {
            step: step.to_owned(),
            outcome,
            detail: Some("so it was".to_owned()),
        };
        let answered = answer.map(|answer| EventKind::Answered {
            step: "second".to_owned(),
            by: "Anna (anna@desk)".to_owned(),
            role: None,
            answer,
            because: Some("no key".to_owned()),
            via: Via::Terminal,
        });
        let kinds = [
            Some(EventKind::PhaseEntered { phase: Phase::Steps }),
            Some(EventKind::StepStarted { step: "first".to_owned() }),
            Some(finished("first", StepOutcome::Done)),
            Some(EventKind::StepStarted { step: "second".to_owned() }),
            answered,
            Some(finished("second", outcome)),
            Some(EventKind::RunEnded { ending: Ending::Completed }),
        ];
        let events = (1u8..).zip(kinds.into_iter().flatten());
        let events = events.map(|(at, kind)| fixture::event(f64::from(at), kind)).collect();
        Record { header, events, samples: Vec::new(), chain_head: String::new(), cut: false }
    }

    #[test]
    fn a_procedure_passes_when_every_step_was_done_and_declares_the_rest() {
        let report = build(&record(StepOutcome::Done, None));
        assert_eq!((report.verdict, exit_code(&report)), (Outcome::Pass, 0));
        assert_eq!(report.because, "every step of the procedure was carried out, in 3 s");
        assert_eq!(report.objectives, []);
        let procedure = report.procedure.expect("a procedure");
        assert_eq!((procedure.took, procedure.declared.rto), (Some(3.0), Some(900.0)));
    }

    #[test]
    fn a_failed_step_fails_it_and_what_was_left_out_or_unclear_shows_nothing() {
        let failed = build(&record(StepOutcome::Failed, None));
        assert_eq!((failed.verdict, exit_code(&failed)), (Outcome::Fail, 1));
        assert!(failed.because.contains("`second` failed: so it was"), "{}", failed.because);
        let skipped = build(&record(StepOutcome::Skipped, Some(Answer::Skipped)));
        assert_eq!((skipped.verdict, exit_code(&skipped)), (Outcome::Inconclusive, 3));
        assert!(skipped.because.contains("skipped by Anna (anna@desk): no key"), "{}", skipped.because);
        let unclear = build(&record(StepOutcome::Indeterminate, None));
        assert_eq!(unclear.verdict, Outcome::Inconclusive);
        let mut cut = record(StepOutcome::Done, None);
        cut.cut = true;
        assert_eq!(build(&cut).verdict, Outcome::Inconclusive);
        let mut short = record(StepOutcome::Done, None);
        short.header.plan.push(fixture::step("third"));
        assert!(build(&short).because.contains("`third` was not carried out"));
    }

    #[test]
    fn what_was_rehearsed_or_read_aloud_never_passes() {
        let mut dry = record(StepOutcome::Skipped, None);
        dry.header.dry_run = true;
        let report = build(&dry);
        assert_eq!((report.verdict, exit_code(&report)), (Outcome::Inconclusive, 0));
        let mut aloud = record(StepOutcome::Done, None);
        aloud.header.tabletop = true;
        let report = build(&aloud);
        assert_eq!((report.verdict, exit_code(&report)), (Outcome::Inconclusive, 3));
        assert!(report.because.starts_with("tabletop: "), "{}", report.because);
        assert!(report.objectives.iter().all(|objective| objective.observed.is_none()));
    }
}
