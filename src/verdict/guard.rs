//! What must hold before a pass may be said: that the drill was a drill, and was seen in full.

use super::{DRY_RUN, Seen, TABLETOP, procedure};
use crate::clock::Moment;
use crate::journal::Record;
use crate::measure::outage::Basis;
use crate::measure::service::Service;
use crate::measure::{Interval, Measures};
use crate::run::event::{Ending, EventKind, StepOutcome};
use crate::timeline::{Timeline, Track};
use crate::words;

/// The share of samples that must say something.
const COVERAGE: f64 = 0.95;

/// What keeps every objective from passing, worst first, each a sentence.
pub(super) fn guards(record: &Record, timeline: &Timeline, evidence: &[Seen]) -> Vec<String> {
    if record.header.dry_run {
        return match super::ending(record) {
            Some(Ending::Untouched { because } | Ending::Failed { because }) => {
                vec![format!("{DRY_RUN}; {because}")]
            }
            _ => vec![DRY_RUN.to_owned()],
        };
    }
    if record.header.tabletop {
        return match super::ending(record) {
            Some(Ending::Failed { because }) => vec![format!("{TABLETOP}; {because}")],
            _ => vec![TABLETOP.to_owned()],
        };
    }
    if let Some(Ending::Untouched { because }) = super::ending(record) {
        return vec![format!("nothing was touched: {because}")];
    }
    let mut guards = Vec::new();
    if let Some(Ending::Aborted { by }) = super::ending(record) {
        guards.push(format!("the run was stopped by {by} before its end"));
    }
    if record.cut {
        guards.push("the journal was cut short: the run did not come to its end".to_owned());
    }
    guards.extend(unsteady(record));
    guards.extend(failed_steps(record));
    guards.extend(timed_out(record));
    if procedure::is_one(record) {
        // It is no drill: what it does is meant to help, and need not be felt.
        guards.extend(procedure::skipped(record));
    } else if timeline.fault.is_none() {
        guards.push("no fault was injected".to_owned());
    } else if evidence.is_empty() {
        guards.push(
            "nothing showed that the fault took hold: no resource changed state, nothing was verified, and no \
             probe saw an outage or repeated errors that began after it"
                .to_owned(),
        );
    }
    guards.extend(timeline.tracks.iter().filter_map(|track| in_trouble(track, timeline.watched_until)));
    guards
}

/// A probe that was in trouble when it stopped looking: what would have come next is not known, so
/// neither a share of good answers nor a ledger that could be read makes up for it.
fn in_trouble(track: &Track, until: Moment) -> Option<String> {
    let name = &track.facts.name;
    let last = track.valid.iter().rfind(|sample| sample.scheduled < until);
    if last.is_some_and(|sample| sample.class.bad()) {
        // Also when it is too few to be an outage by the entry rule: it may be the first of one.
        return Some(format!("{name} was still failing when the probes stopped"));
    }
    let open = track.spans.last().is_some_and(|span| span.first_good.is_none());
    open.then(|| {
        format!(
            "{name} had an outage and was good again too short a time to confirm it when the probes stopped"
        )
    })
}

fn unsteady(record: &Record) -> Option<String> {
    record.events.iter().find_map(|event| match &event.kind {
        EventKind::SteadyStateJudged { held: false, because } => {
            Some(format!("the steady state did not hold before the fault: {because}"))
        }
        _ => None,
    })
}

/// Without a confirmed recovery the run did not see what it was to measure.
fn timed_out(record: &Record) -> Option<String> {
    let within = words::duration(record.header.recovery.within);
    record.events.iter().find_map(|event| match &event.kind {
        EventKind::RecoveryTimedOut { probes } if probes.is_empty() => {
            Some(format!("recovery was not confirmed within {within} of the fault"))
        }
        EventKind::RecoveryTimedOut { probes } => Some(format!(
            "recovery was not confirmed within {within} of the fault: not by {}",
            probes.join(", ")
        )),
        _ => None,
    })
}

fn failed_steps(record: &Record) -> Vec<String> {
    let steps = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::StepFinished { step, outcome, detail } => {
            let why = detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            match outcome {
                StepOutcome::Failed => Some(format!("step `{step}` failed{why}")),
                StepOutcome::Indeterminate => {
                    Some(format!("step `{step}` may or may not have taken place{why}"))
                }
                StepOutcome::Done | StepOutcome::Skipped => None,
            }
        }
        _ => None,
    });
    let mut failed: Vec<String> = steps.collect();
    if let (true, Some(Ending::Failed { because })) = (failed.is_empty(), super::ending(record)) {
        failed.push(because.clone());
    }
    failed
}

/// What shows that the fault took hold: the resources' own state, verifications, and the first bad
/// sample of the trouble that each probe saw.
pub(super) fn evidence(record: &Record, timeline: &Timeline, measures: &Measures) -> Vec<Seen> {
    let Some(fault) = &timeline.fault else { return Vec::new() };
    let mut seen: Vec<Seen> = record
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::EffectSeen { evidence, after_ns, .. } if event.at_ns >= fault.sent => Some(Seen {
                by: "step".to_owned(),
                what: evidence.clone(),
                at: Interval::new(after_ns.secs().min(event.at_ns.secs()), event.at_ns.secs()),
            }),
            _ => None,
        })
        .collect();
    seen.extend(super::cutover::evidence(measures));
    for (track, service) in timeline.tracks.iter().zip(&measures.services) {
        let Some(felt) = service.felt else { continue };
        let before = track.valid.iter().take_while(|sample| sample.sent < felt.sent);
        let good = before.filter(|sample| sample.class.good()).last().map_or(fault.sent, |good| good.sent);
        let cause = crate::measure::service::cause(&felt).replace('_', " ");
        seen.push(Seen {
            by: "probe".to_owned(),
            what: format!("{}: first bad sample after the fault ({cause})", track.facts.name),
            at: Interval::new(good.max(fault.sent).min(felt.done).secs(), felt.done.secs()),
        });
    }
    seen
}

/// Why one probe's figures cannot carry a pass.
pub(super) fn of_service(name: &str, service: &Service) -> Option<String> {
    let coverage = match service.availability {
        Some(availability) => availability.coverage().min(service.counts.coverage()),
        None => return Some(format!("{name} gave no sample after the fault")),
    };
    (coverage < COVERAGE).then(|| {
        format!("{name} was measured only {} of the time, and 95 % is needed", words::percent(coverage))
    })
}

/// What a reader should know of the measures, whatever the verdict.
pub(super) fn anomalies(record: &Record, timeline: &Timeline, measures: &Measures) -> Vec<String> {
    let mut notes = super::cutover::notes(record, timeline, measures);
    if let Some(fault) = timeline.fault.as_ref().filter(|fault| fault.latest > fault.sent) {
        let between = words::duration(((fault.latest - fault.sent) * 10.0).round() / 10.0);
        notes.push(format!(
            "step `{}` was carried out by a person, at some time within the {between} between being asked and saying \
             so: every time since the fault is as uncertain",
            fault.step
        ));
    }
    measures.ledgers.iter().for_each(|ledger| notes.extend(super::ledger::findings(ledger)));
    for (track, service) in timeline.tracks.iter().zip(&measures.services) {
        let name = &track.facts.name;
        if track.spoilt > 0 {
            let count = words::counted(track.spoilt, "bad sample is", "bad samples are");
            notes.push(format!("{name}: {count} void, since the prober itself was stalled"));
        }
        if service.outages.iter().any(|outage| !outage.full) {
            notes.push(format!(
                "{name}: good answers came within an outage, so its edges are where chance no longer explains them"
            ));
        }
        if service.outages.iter().any(|outage| outage.basis == Basis::Outcome) {
            notes.push(format!(
                "{name}: an outage's least length counts from the outcome of its first bad sample, since it was \
                 partial or began slowly"
            ));
        }
    }
    notes
}
