//! What the watchers saw, in order, and what each change is a sign of.
//!
//! The journal holds states and messages as the cloud wrote them; what they mean for a recovery is read here,
//! so that an older journal can be read better later. A sign says *that* something happened in the bracket,
//! not that the service recovered: only the probes say that.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::clock::Moment;
use crate::run::event::{Event, EventKind, Layer};

/// A change that a watcher saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Of which layer.
    pub layer: Layer,
    /// Of which resource.
    pub resource: String,
    /// The state or message, as the API wrote it.
    pub state: String,
    /// One line for people.
    pub what: String,
    /// The beginning of the last look that did not show it; absent for what was so from the first look on.
    pub after: Option<Moment>,
    /// When it was seen.
    pub seen: Moment,
    /// The cloud's own stamp.
    pub stamp: Option<Timestamp>,
    /// What it is a sign of, if of anything.
    pub sign: Option<Sign>,
}

/// What a change says of the way from the fault to recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// The fault took hold.
    Effect,
    /// Something noticed: an alarm, a health check, a controller that reacts.
    Detected,
    /// What was lost is there again, or something else is in its place.
    Replaced,
    /// Name servers answer as they are to.
    DnsMoved,
}

/// The changes in a journal, in order.
pub(super) fn changes(events: &[Event]) -> Vec<Change> {
    let mut states: BTreeMap<(Layer, &str), &str> = BTreeMap::new();
    let mut changes = Vec::new();
    for event in events {
        let EventKind::LayerSeen { layer, resource, state, what, after_ns, stamp } = &event.kind else {
            continue;
        };
        let before = states.insert((*layer, resource), state);
        changes.push(Change {
            layer: *layer,
            resource: resource.clone(),
            state: state.clone(),
            what: what.clone(),
            after: *after_ns,
            seen: event.at_ns,
            stamp: *stamp,
            // What was so from the beginning is a sign of nothing.
            sign: after_ns.and_then(|_| sign(*layer, before, state)),
        });
    }
    changes
}

/// What it says that a layer went from one state to another.
fn sign(layer: Layer, before: Option<&str>, now: &str) -> Option<Sign> {
    match layer {
        Layer::Alarm => (now == "ALARM").then_some(Sign::Detected),
        Layer::Instance => match now {
            "shutting-down" | "terminated" | "stopping" | "stopped" => Some(Sign::Effect),
            "running" => Some(Sign::Replaced),
            _ => None,
        },
        Layer::TargetHealth => match now {
            "healthy" => Some(Sign::Replaced),
            "unhealthy" | "unhealthy.draining" | "draining" | "unused" | "unavailable" | "gone" => {
                (before == Some("healthy")).then_some(Sign::Detected)
            }
            _ => None,
        },
        Layer::GroupMember => match now {
            "InService Healthy" => Some(Sign::Replaced),
            now if now.starts_with("Pending") => None,
            _ => Some(Sign::Detected),
        },
        Layer::ScalingActivity => scaling(now),
        Layer::DbStatus => (before == Some("available")).then_some(Sign::Effect),
        Layer::DbZone | Layer::DbWriter => Some(Sign::Replaced),
        Layer::DbSource => (now == "none").then_some(Sign::Replaced),
        Layer::DbEvent => message(now),
        Layer::Task => match now {
            "RUNNING" => Some(Sign::Replaced),
            "DEACTIVATING" | "STOPPING" | "DEPROVISIONING" | "STOPPED" => {
                (before == Some("RUNNING")).then_some(Sign::Effect)
            }
            _ => None,
        },
        Layer::Service => match (before.and_then(full), full(now)) {
            (_, Some(false)) => Some(Sign::Effect),
            (Some(false), Some(true)) => Some(Sign::Replaced),
            _ => None,
        },
        Layer::ServiceEvent => {
            let says = |words: &[&str]| words.iter().any(|word| now.contains(word));
            if says(&["steady state"]) {
                Some(Sign::Replaced)
            } else {
                says(&["has started", "deregistered", "unhealthy", "has stopped"]).then_some(Sign::Detected)
            }
        }
        Layer::DnsChange => (now == "INSYNC").then_some(Sign::DnsMoved),
    }
}

/// `Launching a new EC2 instance: i-… (Successful)`.
fn scaling(activity: &str) -> Option<Sign> {
    if activity.ends_with("(Failed)") || activity.ends_with("(Cancelled)") {
        return None;
    }
    let launched = activity.starts_with("Launching") && activity.ends_with("(Successful)");
    Some(if launched { Sign::Replaced } else { Sign::Detected })
}

/// A message of RDS, by the words that it has used for years.
fn message(text: &str) -> Option<Sign> {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["failover completed", "completed failover", "restarted", "instance started"]) {
        Some(Sign::Replaced)
    } else if says(&["failover started", "started cross az failover", "started same az failover"]) {
        Some(Sign::Detected)
    } else {
        says(&["shutdown", "shut down", "stopped", "replication on read replica was terminated"])
            .then_some(Sign::Effect)
    }
}

/// Whether a service runs what it should: `1 of 2`.
fn full(state: &str) -> Option<bool> {
    let (running, desired) = state.split_once(" of ")?;
    Some(running.parse::<u64>().ok()? >= desired.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at: f64, after: Option<f64>, layer: Layer, state: &str) -> Event {
        Event {
            at_ns: Moment::from_secs(at),
            kind: EventKind::LayerSeen {
                layer,
                resource: "it".to_owned(),
                state: state.to_owned(),
                what: state.to_owned(),
                after_ns: after.map(Moment::from_secs),
                stamp: None,
            },
        }
    }

    fn signs(layer: Layer, states: &[&str]) -> Vec<Option<Sign>> {
        let events: Vec<Event> = states
            .iter()
            .enumerate()
            .map(|(at, state)| seen(at as f64 + 1.0, (at > 0).then_some(at as f64), layer, state))
            .collect();
        changes(&events).into_iter().map(|change| change.sign).collect()
    }

    #[test]
    fn what_was_so_at_the_first_look_is_a_sign_of_nothing() {
        use Sign::{Detected, Effect, Replaced};
        assert_eq!(signs(Layer::Alarm, &["ALARM", "OK", "ALARM"]), [None, None, Some(Detected)]);
        assert_eq!(
            signs(Layer::DbStatus, &["available", "rebooting", "available"]),
            [None, Some(Effect), None]
        );
        assert_eq!(
            signs(Layer::TargetHealth, &["healthy", "unhealthy", "gone", "initial", "healthy"]),
            [None, Some(Detected), None, None, Some(Replaced)]
        );
        assert_eq!(
            signs(Layer::Service, &["2 of 2", "1 of 2", "2 of 2", "2 of 3"]),
            [None, Some(Effect), Some(Replaced), Some(Effect)]
        );
    }

    #[test]
    fn messages_and_activities_are_read_by_their_words() {
        assert_eq!(message("Multi-AZ instance failover started."), Some(Sign::Detected));
        assert_eq!(message("Multi-AZ instance failover completed"), Some(Sign::Replaced));
        assert_eq!(message("Started cross AZ failover to DB instance: catalog-2"), Some(Sign::Detected));
        assert_eq!(message("DB instance shutdown"), Some(Sign::Effect));
        assert_eq!(message("Backing up DB instance"), None);
        assert_eq!(scaling("Launching a new EC2 instance: i-1 (PreInService)"), Some(Sign::Detected));
        assert_eq!(scaling("Launching a new EC2 instance: i-1 (Successful)"), Some(Sign::Replaced));
        assert_eq!(scaling("Launching a new EC2 instance (Failed)"), None);
        assert_eq!(scaling("Terminating EC2 instance: i-1 (Successful)"), Some(Sign::Detected));
    }
}
