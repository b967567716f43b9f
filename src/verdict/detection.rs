//! Detection: from the fault's call until the first of the experiment's alarms was seen to fire.

use super::objective::{decided, undecided};
use crate::clock::Moment;
use crate::journal::Record;
use crate::measure::Interval;
use crate::report::{Objective, Verdict, words};
use crate::run::event::{EventKind, Layer};
use crate::timeline::Timeline;
use crate::timeline::layers::Change;

const NAME: &str = "detection";
const FIRING: &str = "ALARM";

/// The objective against the first alarm that fired.
pub(super) fn objective(record: &Record, timeline: &Timeline, target: f64) -> Objective {
    let named = record.header.alarms.join(", ");
    let blank = |observer: &str, because: String| undecided(NAME, observer, target, "s", because);
    let Some(fault) = &timeline.fault else {
        return blank(&named, "no fault was injected that an alarm could have told of".to_owned());
    };
    let alarms: Vec<&Change> = timeline.layers.iter().filter(|change| change.layer == Layer::Alarm).collect();
    let before: Vec<&Change> = record
        .header
        .alarms
        .iter()
        .filter_map(|name| alarms.iter().rfind(|c| c.resource == *name && c.seen <= fault.sent).copied())
        .collect();
    if before.len() < record.header.alarms.len() || before.is_empty() {
        return blank(&named, format!("the state of {named} was not known when the fault was injected"));
    }
    let firing = before.iter().find(|change| change.state == FIRING);
    let fired = alarms.iter().find(|change| change.state == FIRING && change.seen > fault.sent);
    let Some(fired) = fired else {
        return silent(record, timeline, fault.sent, &named, target, firing.is_some());
    };
    let from = fired.after.unwrap_or(Moment::ZERO);
    let observed = Interval::new((from - fault.sent).max(0.0), (fired.seen - fault.sent).max(0.0));
    let what = format!("{} fired {} after the call", fired.resource, words::span(observed));
    let mut objective = decided(blank(&fired.resource, String::new()), observed, what);
    if let Some(firing) = firing {
        doubt(&mut objective, format!("{} was firing already before the fault", firing.resource));
    } else if from < fault.sent {
        doubt(
            &mut objective,
            "it may have fired just before the fault: the looks before and after it saw it".to_owned(),
        );
    }
    objective
}

/// No alarm fired: detection took longer than anybody looked.
fn silent(
    record: &Record,
    timeline: &Timeline,
    fault: Moment,
    named: &str,
    target: f64,
    firing: bool,
) -> Objective {
    let blank = |because: String| undecided(NAME, named, target, "s", because);
    if firing {
        return blank(format!(
            "of {named}, one was firing already before the fault, and none fired after it"
        ));
    }
    let last = record.events.iter().find_map(|event| match &event.kind {
        EventKind::WatcherEnded { watcher, last_ns, .. } if watcher.starts_with("alarms ") => *last_ns,
        _ => None,
    });
    let Some(last) = last.filter(|last| *last > fault) else {
        return blank(format!("{named} was not looked at after the fault"));
    };
    let looked = last.min(timeline.watched_until) - fault;
    let what =
        format!("{named}: none fired within {} of the call", words::duration((looked * 10.0).floor() / 10.0));
    decided(blank(String::new()), Interval::at_least(looked), what)
}

/// A verdict that something makes doubtful is none.
fn doubt(objective: &mut Objective, why: String) {
    objective.verdict = Verdict::Inconclusive;
    objective.because = format!("{}; but {why}", objective.because);
}

#[cfg(test)]
#[path = "detection_tests.rs"]
mod tests;
