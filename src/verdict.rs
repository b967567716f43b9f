//! Numbers against targets: pass, fail, or it cannot be said. Pure.
//!
//! A target is met if the whole interval meets it, missed if no part of it does, and undecided
//! otherwise; the worst observer decides an objective, and the worst objective the drill. A guard
//! (see `verdict/guard.rs`) turns a pass into "it cannot be said"; it never excuses a miss.

mod answer;
mod cutover;
mod detection;
mod guard;
mod ledger;
mod objective;
pub(crate) mod procedure;

#[cfg(test)]
mod tests;

use crate::journal::Record;
use crate::measure::{Interval, Measures};
use crate::run::event::{Ending, EventKind};
use crate::timeline::Timeline;

pub use answer::{Objective, Outcome, Seen, Verdict};
pub(crate) use objective::NOBODY;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The outcome of the drill.
    pub outcome: Outcome,
    /// Why, in one sentence.
    pub because: String,
    /// Each target against each observer.
    pub objectives: Vec<Objective>,
    /// What showed that the fault took hold.
    pub evidence: Vec<Seen>,
    /// What kept a verdict from being a pass, and what else a reader should know.
    pub notes: Vec<String>,
}

/// What a dry run says of itself when nothing was wrong.
const DRY_RUN: &str = "dry run: nothing was changed";
/// What a run that was only read aloud says of itself.
const TABLETOP: &str = "tabletop: it was read aloud, nothing was called, and nothing was measured";

/// Judges a run.
pub fn judge(record: &Record, timeline: &Timeline, measures: &Measures) -> Judgement {
    let evidence = guard::evidence(record, timeline, measures);
    let guards = guard::guards(record, timeline, &evidence);
    let mut objectives = objective::all(record, timeline, measures, &guards);
    let procedure = procedure::is_one(record).then(|| {
        procedure::without_declared(&mut objectives, record, timeline);
        procedure::judged(record, &guards)
    });
    mark_decisive(&mut objectives);
    let outcome = outcome(record, &objectives, procedure.as_ref().map(|(verdict, _)| *verdict));
    let because = because(record, outcome, &objectives, (&guards, procedure.as_ref()));
    let mut notes = guards;
    if procedure.is_none() {
        notes.extend(procedure::skipped(record));
    }
    notes.extend(guard::anomalies(record, timeline, measures));
    Judgement { outcome, because, objectives, evidence, notes }
}

fn ending(record: &Record) -> Option<&Ending> {
    record.events.iter().rev().find_map(|event| match &event.kind {
        EventKind::RunEnded { ending } => Some(ending),
        _ => None,
    })
}

fn outcome(record: &Record, objectives: &[Objective], procedure: Option<Verdict>) -> Outcome {
    if matches!(ending(record), Some(Ending::Aborted { .. })) {
        return Outcome::Aborted;
    }
    match objectives.iter().map(|objective| objective.verdict).chain(procedure).max() {
        Some(Verdict::Fail) => Outcome::Fail,
        Some(Verdict::Pass) => Outcome::Pass,
        Some(Verdict::Inconclusive) | None => Outcome::Inconclusive,
    }
}

fn because(
    record: &Record,
    outcome: Outcome,
    objectives: &[Objective],
    (guards, procedure): (&[String], Option<&(Verdict, String)>),
) -> String {
    let of = |verdict| objectives.iter().filter(move |o| o.decisive && o.verdict == verdict);
    let sentences = |verdict| of(verdict).map(|o| o.because.clone()).collect::<Vec<_>>().join("; ");
    match outcome {
        Outcome::Aborted => match ending(record) {
            Some(Ending::Aborted { by }) => format!("stopped by {by}"),
            _ => "stopped".to_owned(),
        },
        Outcome::Fail => {
            let failed = procedure.filter(|(verdict, _)| *verdict == Verdict::Fail);
            let failed = failed.map(|(_, why)| why.clone());
            let missed = Some(sentences(Verdict::Fail)).filter(|missed| !missed.is_empty());
            failed.into_iter().chain(missed).collect::<Vec<_>>().join("; ")
        }
        Outcome::Pass => {
            let met = of(Verdict::Pass).map(|o| o.because.clone()).collect::<Vec<_>>().join("; ");
            match procedure {
                None => format!("every objective was met: {met}"),
                Some((_, carried_out)) if met.is_empty() => carried_out.clone(),
                Some((_, carried_out)) => format!("{carried_out}; every objective was met: {met}"),
            }
        }
        Outcome::Inconclusive => match guards.first() {
            Some(guard) => guard.clone(),
            None if procedure.is_some_and(|(verdict, _)| *verdict == Verdict::Inconclusive) => {
                procedure.map(|(_, why)| why.clone()).unwrap_or_default()
            }
            None if objectives.is_empty() => {
                "no objective was declared, so there is nothing to pass or fail".to_owned()
            }
            None => sentences(Verdict::Inconclusive),
        },
    }
}

/// Marks, for each target, the observer whose figure the drill is quoted by: the worst.
fn mark_decisive(objectives: &mut [Objective]) {
    let rank = |objective: &Objective| (objective.verdict, badness(objective));
    for at in 0..objectives.len() {
        let Some(own) = objectives.get(at) else { continue };
        let decisive = objectives.iter().enumerate().all(|(other, objective)| {
            let same = (&objective.name, &objective.unit) == (&own.name, &own.unit);
            // Of two that are alike the first one is quoted.
            !same
                || other == at
                || if other < at { rank(own) > rank(objective) } else { rank(own) >= rank(objective) }
        });
        if let Some(own) = objectives.get_mut(at) {
            own.decisive = decisive;
        }
    }
}

/// How bad a measured value is: larger is worse.
fn badness(objective: &Objective) -> (f64, f64) {
    match objective.observed {
        None => (f64::INFINITY, f64::INFINITY),
        Some(Interval { lo, hi }) if objective.unit == "ratio" => (-lo, -hi.unwrap_or(1.0)),
        Some(Interval { lo, hi }) => (hi.unwrap_or(f64::INFINITY), lo),
    }
}
