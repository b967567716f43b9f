//! What happened, in order, as the journal tells it: for the auditor who follows a run event by event.

use maud::{Markup, html};

use super::parts::{number, table, text, value};
use crate::journal::Record;
use crate::report::facts::{Origin, clean, phase_name};
use crate::report::words;
use crate::run::event::{CallOutcome, Ending, EventKind};

/// A page shows no more events than this.
const MOST: usize = 1000;

pub(super) fn section(record: &Record, origin: Origin) -> Markup {
    let rows: Vec<Vec<Markup>> = record
        .events
        .iter()
        .take(MOST)
        .map(|event| {
            let at = event.at_ns.secs();
            vec![
                value(&origin.wall(at)),
                value(&origin.instant(at)),
                html! { (clean(&words_for(&event.kind))) },
            ]
        })
        .collect();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "The journal" }
                details {
                    summary { (words::counted(record.events.len() as u64, "event", "events")) ", in order" }
                    div.journal {
                        (table(&[text("UTC"), number(origin.label()), text("What happened")], &rows))
                    }
                    @if record.events.len() > MOST {
                        p.quiet { "The journal holds " (words::count((record.events.len() - MOST) as u64)) " more." }
                    }
                }
            }
        }
    }
}

/// One event in a sentence.
fn words_for(kind: &EventKind) -> String {
    match kind {
        EventKind::PhaseEntered { phase } => format!("Phase: {}", phase_name(*phase)),
        EventKind::SteadyStateJudged { held: true, because } => format!("The steady state held: {because}"),
        EventKind::SteadyStateJudged { held: false, because } => {
            format!("The steady state did not hold: {because}")
        }
        EventKind::StepStarted { step } => format!("{step}: started"),
        EventKind::CallSent { step, operation, resource } => format!("{step}: {operation} sent, {resource}"),
        EventKind::CallReturned { step, operation, resource, outcome, detail } => {
            let outcome = match outcome {
                CallOutcome::Accepted => "accepted",
                CallOutcome::Refused => "refused",
                CallOutcome::Unclear => "no clear answer",
            };
            format!("{step}: {operation} {outcome}, {resource}{}", after(detail.as_deref()))
        }
        EventKind::UndoPrepared { step, summary, .. } => format!("{step}: undo prepared: {summary}"),
        EventKind::TakenOver { by } => format!("The process had died; taken over by {by}"),
        EventKind::EffectSeen { step, evidence, .. } => format!("{step}: took hold: {evidence}"),
        EventKind::Asked { step, text } => format!("{step}: people are asked: {text}"),
        EventKind::Answered { step, by, role, answer, because, .. } => {
            let role = role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
            format!("{step}: {}, says {by}{role}{}", answer.words(), after(because.as_deref()))
        }
        EventKind::StepFinished { step, outcome, detail } => {
            format!("{step}: {}{}", format!("{outcome:?}").to_lowercase(), after(detail.as_deref()))
        }
        EventKind::ProberStalled { from_ns, to_ns, witness } => {
            let length = words::duration(((*to_ns - *from_ns) * 1e3).round() / 1e3);
            format!("The prober stood still for {length}, noticed by {witness}")
        }
        EventKind::RecoveryConfirmed { because } => format!("Recovery confirmed: {because}"),
        EventKind::RecoveryTimedOut { probes } => format!("Recovery timed out: {}", probes.join(", ")),
        EventKind::LedgerRead { probe, reading } => match &reading.error {
            Some(error) => format!("{probe}: the ledger could not be read: {error}"),
            None if reading.stable => {
                format!("{probe}: the ledger was read, {} times alike", reading.reads.max(2))
            }
            None => format!("{probe}: the ledger was read, and reads differed"),
        },
        EventKind::GuardrailTripped { rule, because } if because.is_empty() => format!("Guardrail: {rule}"),
        EventKind::GuardrailTripped { rule, because } => format!("Guardrail: {rule}: {because}"),
        EventKind::AbortRequested { by } => format!("Abort requested: {by}"),
        EventKind::UndoStarted { step } => format!("{step}: undo started"),
        EventKind::UndoFinished { step, done: true, detail } => format!("{step}: put back: {detail}"),
        EventKind::UndoFinished { step, done: false, detail } => format!("{step}: not put back: {detail}"),
        EventKind::ConnectionLost { probe, peer, detail, .. } => {
            format!("{probe}: the idle connection to {peer} was lost: {detail}")
        }
        EventKind::IdentityMet { identity, who } => format!("Number {identity} answered: {who}"),
        EventKind::LayerSeen { what, after_ns: Some(_), .. } => format!("Layer: {what}"),
        EventKind::LayerSeen { what, after_ns: None, .. } => format!("Layer, at first: {what}"),
        EventKind::WatcherEnded { watcher, looks, failed, .. } => {
            let looks = words::counted(*looks, "look", "looks");
            format!("Watched {watcher}: {looks}, {failed} of them in vain")
        }
        EventKind::Noted { text } => text.clone(),
        EventKind::RunEnded { ending } => match ending {
            Ending::Completed => "The run ended: completed".to_owned(),
            Ending::Untouched { because } => format!("The run ended before the fault: {because}"),
            Ending::Aborted { by } => format!("The run ended: aborted by {by}"),
            Ending::Failed { because } => format!("The run ended: {because}"),
        },
    }
}

fn after(detail: Option<&str>) -> String {
    detail.map(|detail| format!(": {detail}")).unwrap_or_default()
}
