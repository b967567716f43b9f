//! A stored run in order of time: when the fault was injected, what each probe's valid samples
//! are, and where its outages lie among them.
//!
//! Pure: no I/O, no clock. It finds *which* samples prove an outage; [`crate::measure`] turns
//! them into numbers, and knows the targets of neither.

pub mod cutover;
pub mod layers;
mod outage;
mod track;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::{CallOutcome, Event, EventKind, Phase, StepOutcome};

pub use outage::Span;
pub(crate) use outage::{Side, hidden_good};
pub use track::Track;
pub(crate) use track::due;

/// The kinds of step that call nothing and so cannot start the clock by themselves.
const WITHOUT_CALLS: [&str; 4] = ["wait", "wait_until", "approve", "manual"];

/// A run in order of time.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Each probe's samples, in the header's order.
    pub tracks: Vec<Track>,
    /// When the prober itself did not run.
    pub stalls: Vec<Stalled>,
    /// What the watchers saw, in order.
    pub layers: Vec<layers::Change>,
    /// The fault, once one was injected.
    pub fault: Option<Injection>,
    /// When the first call of any step that may have changed something was sent.
    pub touched: Option<Moment>,
    /// When the trouble was detected by whoever was to detect it: the last look that did not show it
    /// and the first that did. `None` when nobody did.
    pub detected: Option<(Moment, Moment)>,
    /// For how long a service must be good for its recovery to be proven.
    pub confirm: Duration,
    /// Since when every impacted probe was good, as the run itself decided.
    pub observing: Option<Moment>,
    /// The end of observation: what was scheduled later belongs to no measure.
    pub watched_until: Moment,
    /// The last instant that anything is known of.
    pub end: Moment,
}

/// The call that injected the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The step that made it.
    pub step: String,
    /// When it was about to be sent: every RTO counts from here.
    pub sent: Moment,
    /// When it came back, if it did.
    pub returned: Option<Moment>,
    /// When it took place at the latest: a person did it at some time between being asked and saying so.
    pub latest: Moment,
}

/// A time in which the prober did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// From.
    pub from: Moment,
    /// To.
    pub to: Moment,
    /// What noticed it.
    pub witness: String,
}

impl Timeline {
    /// Puts a stored run in order.
    pub fn of(record: &Record) -> Timeline {
        let stalls = stalls(&record.events);
        let touched = calls(&record.events).next().map(|call| call.sent);
        let own = own(&record.events);
        let end = end(record, own);
        let tracks = Track::all(record, &stalls, touched);
        let phase = |wanted: &[Phase]| {
            own.iter().find_map(|event| match event.kind {
                EventKind::PhaseEntered { phase } if wanted.contains(&phase) => Some(event.at_ns),
                _ => None,
            })
        };
        let layers = layers::changes(&record.events);
        let fault = injection(record);
        let detected = fault.as_ref().and_then(|fault| detection(&layers, fault.sent));
        Timeline {
            tracks,
            stalls,
            layers,
            fault,
            touched,
            detected,
            confirm: Duration::try_from_secs_f64(record.header.recovery.confirm).unwrap_or_default(),
            observing: phase(&[Phase::Observation]),
            watched_until: phase(&[Phase::FinalRead, Phase::Undo]).unwrap_or(end),
            end,
        }
    }

    /// When the run first did anything: the first call of any step, or the fault if people
    /// carried it out before that.
    pub fn disturbed(&self) -> Option<Moment> {
        self.touched.into_iter().chain(self.fault.as_ref().map(|fault| fault.sent)).min()
    }
}

/// The first sign after the fault that something noticed it: the look before, and the look that saw it.
fn detection(layers: &[layers::Change], fault: Moment) -> Option<(Moment, Moment)> {
    let first =
        layers.iter().find(|change| change.sign == Some(layers::Sign::Detected) && change.seen > fault)?;
    Some((first.after.unwrap_or(fault).max(fault), first.seen))
}

/// Calls of the steps that may have changed something (not the ones that were certainly refused), in
/// order of time. What an undo calls puts things back: it is neither a fault nor a first touch.
fn calls(events: &[Event]) -> impl Iterator<Item = Injection> {
    let mut calls: Vec<Injection> = events
        .iter()
        .enumerate()
        .filter_map(|(index, event)| {
            let EventKind::CallSent { step, .. } = &event.kind else { return None };
            if events.get(..index).unwrap_or_default().iter().any(|earlier| undoes(&earlier.kind, step)) {
                return None;
            }
            let back = returned(events.get(index + 1..).unwrap_or_default(), &event.kind);
            if matches!(back, Some((_, CallOutcome::Refused))) {
                return None;
            }
            let (sent, returned) = (event.at_ns, back.map(|(at, _)| at));
            Some(Injection { step: step.clone(), sent, returned, latest: sent })
        })
        .collect();
    calls.sort_by_key(|call| call.sent);
    calls.into_iter()
}

/// Whether a step's calls after this are those of its undo.
fn undoes(kind: &EventKind, step: &str) -> bool {
    match kind {
        EventKind::UndoStarted { step: undone } => undone == step,
        EventKind::PhaseEntered { phase } => *phase == Phase::Undo,
        _ => false,
    }
}

/// When and how a call came back. Once the same call is sent again, by a retry or the undo, a return
/// belongs to that one.
fn returned(later: &[Event], sent: &EventKind) -> Option<(Moment, CallOutcome)> {
    let EventKind::CallSent { step, operation, resource } = sent else { return None };
    later.iter().take_while(|event| event.kind != *sent).find_map(|event| match &event.kind {
        EventKind::CallReturned { step: s, operation: o, resource: r, outcome, .. }
            if (s, o, r) == (step, operation, resource) =>
        {
            Some((event.at_ns, *outcome))
        }
        _ => None,
    })
}

/// The fault: the first call of the step that `measure_from` names, or else the first call of any
/// step, in order of time (the file's order says nothing of steps that wait for each other). A step
/// that people carry out has no call: its start and end stand for one.
fn injection(record: &Record) -> Option<Injection> {
    let Some(named) = &record.header.measure_from else {
        return calls(&record.events).next();
    };
    calls(&record.events).find(|call| call.step == *named).or_else(|| {
        let step = record.header.plan.iter().find(|step| step.name == *named)?;
        if !WITHOUT_CALLS.contains(&step.kind.as_str()) || record.header.dry_run || record.header.tabletop {
            return None;
        }
        by_hand(&record.events, named)
    })
}

fn by_hand(events: &[Event], named: &str) -> Option<Injection> {
    let asked = events.iter().find_map(|event| match &event.kind {
        EventKind::Asked { step, .. } if step == named => Some(event.at_ns),
        _ => None,
    });
    let begun = events.iter().find_map(|event| match &event.kind {
        EventKind::StepStarted { step } if step == named => Some(event.at_ns),
        _ => None,
    });
    let sent = asked.or(begun)?;
    let finished = events.iter().find_map(|event| match &event.kind {
        EventKind::StepFinished { step, outcome, .. } if step == named => Some((event.at_ns, *outcome)),
        _ => None,
    });
    match finished {
        Some((_, StepOutcome::Skipped)) => None,
        finished => {
            let returned = finished.map(|(at, _)| at);
            Some(Injection { step: named.to_owned(), sent, returned, latest: returned.unwrap_or(sent) })
        }
    }
}

fn stalls(events: &[Event]) -> Vec<Stalled> {
    let mut stalls: Vec<Stalled> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ProberStalled { from_ns, to_ns, witness } => {
                Some(Stalled { from: *from_ns, to: *to_ns, witness: witness.clone() })
            }
            _ => None,
        })
        .collect();
    stalls.sort_by_key(|stall| stall.from);
    stalls
}

/// The events of the process that ran the drill. What another one wrote when it put things back is no part of the
/// measuring, however much later that was.
fn own(events: &[Event]) -> &[Event] {
    let taken_over = events.iter().position(|event| matches!(event.kind, EventKind::TakenOver { .. }));
    events.get(..taken_over.unwrap_or(events.len())).unwrap_or_default()
}

fn end(record: &Record, own: &[Event]) -> Moment {
    let ended = own.iter().find_map(|event| match event.kind {
        EventKind::RunEnded { .. } => Some(event.at_ns),
        _ => None,
    });
    ended.unwrap_or_else(|| {
        let events = own.iter().map(|event| event.at_ns);
        events.chain(record.samples.iter().map(|sample| sample.done)).max().unwrap_or(Moment::ZERO)
    })
}
