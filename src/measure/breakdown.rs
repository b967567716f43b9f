//! What a recovery time is made of: the points between the fault and the last client that is served again,
//! each with its bracket and who says so.
//!
//! A point is the first sign of its kind after the fault. Points of the cloud's own layers are brackets of two
//! looks on the run's clock; those of clients come from their samples. The cloud's stamps are shown beside the
//! layers, and never counted with. A point that nothing showed is left out.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Interval;
use super::service::{Recovered, Service};
use crate::clock::Moment;
use crate::journal::Record;
use crate::run::event::EventKind;
use crate::sample::{Mark, Sample};
use crate::timeline::layers::{Change, Sign};
use crate::timeline::{Injection, Timeline, Track};

/// What a recovery time is made of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Breakdown {
    /// The points, in the order in which they came.
    pub points: Vec<Point>,
    /// What the cloud said of what the drill touched, from the fault to the end of observation, in order.
    pub layers: Vec<LayerChange>,
    /// From the first detection to the last recovery, in seconds; absent unless both were seen.
    pub from_detection: Option<Interval>,
}

/// One point between the fault and recovery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// `accepted`, `effect`, `connections_lost`, `detected`, `replaced`, `dns_moved`, `first_new_answer`, `new_connections`,
    /// `kept_connections` or `stable`.
    pub name: String,
    /// When, in seconds of the run.
    pub at: Interval,
    /// The same, in seconds since the fault's call was sent.
    pub since_fault: Interval,
    /// Who says so: a layer, `step` or a probe's name.
    pub by: String,
    /// What was seen.
    pub what: String,
}

/// A change of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LayerChange {
    /// Which layer: `target_health`, `db_event`, …
    pub layer: String,
    /// Of which resource.
    pub resource: String,
    /// The state or message, as the API wrote it.
    pub state: String,
    /// One line for people.
    pub what: String,
    /// From the last look that did not show it to the first that did, in seconds of the run.
    pub at: Interval,
    /// The cloud's own stamp, RFC 3339: by another clock than all other times here.
    pub stamp: Option<String>,
}

impl Breakdown {
    /// Takes a run's recovery apart; nothing without a fault.
    pub fn of(record: &Record, timeline: &Timeline, services: &[Service]) -> Option<Breakdown> {
        let fault = timeline.fault.as_ref()?;
        let probes: Vec<(&Track, &Service)> =
            timeline.tracks.iter().zip(services).filter(|(track, _)| !track.facts.must_stay_up).collect();
        let since = |moment: Moment| moment.max(fault.sent);
        let layers: Vec<&Change> = timeline
            .layers
            .iter()
            .filter(|change| change.seen >= fault.sent && change.seen <= timeline.watched_until)
            .filter(|change| change.after.is_some())
            .collect();
        let sign = |wanted: Sign, name: &str| {
            let first = layers.iter().filter(|change| change.sign == Some(wanted)).min_by_key(|c| c.seen)?;
            let from = since(first.after.unwrap_or(fault.sent));
            Some(point(fault, name, from, first.seen, first.layer.name(), &first.what))
        };
        let effect = sign(Sign::Effect, "effect").into_iter().chain(effects(record, fault));
        let effect = effect.chain(probes.iter().filter_map(|(track, service)| felt(fault, track, service)));
        let detected = sign(Sign::Detected, "detected");
        let stable = stable(fault, &probes);
        let from_detection = detected.as_ref().zip(stable.as_ref()).map(|(from, to)| between(from, to));
        let points = [
            Some(accepted(fault)),
            effect.min_by(|one, other| ends(one).total_cmp(&ends(other))),
            connections_lost(record, fault),
            detected,
            sign(Sign::Replaced, "replaced"),
            sign(Sign::DnsMoved, "dns_moved"),
            first_new_answer(record, fault, &probes),
            connections(fault, &probes, false),
            connections(fault, &probes, true),
            stable,
        ];
        let mut points: Vec<Point> = points.into_iter().flatten().collect();
        // Stable, so that what comes at the same time stays in the order of cause and effect.
        points.sort_by(|one, other| ends(one).total_cmp(&ends(other)));
        let layers = layers.into_iter().map(|change| layer(change, fault)).collect();
        Some(Breakdown { points, layers, from_detection })
    }

    /// A point by its name.
    pub fn point(&self, name: &str) -> Option<&Point> {
        self.points.iter().find(|point| point.name == name)
    }
}

fn ends(point: &Point) -> f64 {
    point.at.hi.unwrap_or(f64::INFINITY)
}

fn point(fault: &Injection, name: &str, from: Moment, to: Moment, by: &str, what: &str) -> Point {
    let at = Interval::new(from.min(to).secs(), to.secs());
    of_interval(fault, name, at, by, what)
}

fn of_interval(fault: &Injection, name: &str, at: Interval, by: &str, what: &str) -> Point {
    let zero = fault.sent.secs();
    Point {
        name: name.to_owned(),
        at,
        since_fault: Interval { lo: (at.lo - zero).max(0.0), hi: at.hi.map(|hi| (hi - zero).max(0.0)) },
        by: by.to_owned(),
        what: what.to_owned(),
    }
}

/// Later than the one and before the other, whatever instants of their brackets they stand for.
fn between(from: &Point, to: &Point) -> Interval {
    Interval { lo: (to.at.lo - ends(from)).max(0.0), hi: to.at.hi.map(|hi| (hi - from.at.lo).max(0.0)) }
}

/// When the first idle connection that was held beside a probe was lost after the fault.
fn connections_lost(record: &Record, fault: &Injection) -> Option<Point> {
    let lost = record.events.iter().filter_map(|event| match &event.kind {
        EventKind::ConnectionLost { probe, peer, after_ns, lost_ns, detail } if *lost_ns > fault.sent => {
            Some((*after_ns, *lost_ns, probe, format!("the idle connection to {peer} was lost: {detail}")))
        }
        _ => None,
    });
    let (after, lost, probe, what) = lost.min_by_key(|(_, lost, ..)| *lost)?;
    Some(point(fault, "connections_lost", after.max(fault.sent), lost, probe, &what))
}

fn accepted(fault: &Injection) -> Point {
    let at = Interval { lo: fault.sent.secs(), hi: fault.returned.map(Moment::secs) };
    of_interval(fault, "accepted", at, "step", &format!("{}: the call was answered", fault.step))
}

/// What the steps themselves saw take hold.
fn effects<'r>(record: &'r Record, fault: &'r Injection) -> impl Iterator<Item = Point> + 'r {
    record.events.iter().filter_map(|event| match &event.kind {
        EventKind::EffectSeen { step, after_ns, evidence }
            if *step == fault.step && event.at_ns >= fault.sent =>
        {
            Some(point(fault, "effect", (*after_ns).max(fault.sent), event.at_ns, "step", evidence))
        }
        _ => None,
    })
}

/// The first bad sample of the trouble that a probe saw.
fn felt(fault: &Injection, track: &Track, service: &Service) -> Option<Point> {
    let felt = service.felt?;
    let good = track.valid.iter().take_while(|sample| sample.sent < felt.sent);
    let good = good.filter(|sample| sample.class.good()).last().map_or(fault.sent, |good| good.sent);
    let what = format!("{} was not served any more", track.facts.name);
    Some(point(fault, "effect", good.max(fault.sent), felt.done, &track.facts.name, &what))
}

/// The first answer, after the fault, of somebody who had not answered this probe before it.
fn first_new_answer(record: &Record, fault: &Injection, probes: &[(&Track, &Service)]) -> Option<Point> {
    let found = probes.iter().filter_map(|(track, _)| {
        let good = || track.valid.iter().filter(|sample| sample.class.good() && sample.identity > 0);
        let known: BTreeSet<u16> =
            good().filter(|sample| sample.sent < fault.sent).map(|sample| sample.identity).collect();
        if known.is_empty() {
            return None;
        }
        let new = good().find(|sample| sample.sent >= fault.sent && !known.contains(&sample.identity))?;
        let before = track.valid.iter().take_while(|sample| sample.sent < new.sent).last();
        let from = before.map_or(fault.sent, |sample| sample.sent).max(fault.sent);
        let what = format!("{} was answered by {}", track.facts.name, who(record, new.identity));
        Some(point(fault, "first_new_answer", from, new.done, &track.facts.name, &what))
    });
    found.min_by(|one, other| ends(one).total_cmp(&ends(other)))
}

fn who(record: &Record, number: u16) -> &str {
    let met = record.events.iter().find_map(|event| match &event.kind {
        EventKind::IdentityMet { identity, who } if *identity == number => Some(who.as_str()),
        _ => None,
    });
    met.unwrap_or("somebody new")
}

/// When clients that connect anew were served again, the first of them; or those that keep their connection,
/// the last of them.
fn connections(fault: &Injection, probes: &[(&Track, &Service)], kept: bool) -> Option<Point> {
    let (name, how) = match kept {
        true => ("kept_connections", "over a connection that it keeps"),
        false => ("new_connections", "over a new connection"),
    };
    let ended =
        probes.iter().filter(|(track, _)| keeps(track) == Some(kept)).filter_map(|(track, service)| {
            let outage = service.outages_after(fault.sent).last()?;
            outage.end.hi?;
            let what = format!("{} was served again {how}", track.facts.name);
            Some(of_interval(fault, name, outage.end, &track.facts.name, &what))
        });
    let order = |one: &Point, other: &Point| ends(one).total_cmp(&ends(other));
    if kept { ended.max_by(order) } else { ended.min_by(order) }
}

/// Whether a probe keeps its connection: most of its good answers came without connecting, though it did
/// connect. Nothing when its samples do not tell.
fn keeps(track: &Track) -> Option<bool> {
    let base = |sample: &&Sample| sample.class.good() && sample.mark == Mark::Base;
    let good = track.valid.iter().filter(base).count();
    let connected = track.valid.iter().filter(base).filter(|sample| sample.phases.connect > 0).count();
    (connected > 0).then_some(2 * connected < good)
}

/// When the last of those that the fault hit was served again, and stayed so. Nothing when one was not, or
/// when none was hit.
fn stable(fault: &Injection, probes: &[(&Track, &Service)]) -> Option<Point> {
    let mut last: Option<(&str, Interval)> = None;
    for (track, service) in probes {
        let rto = service.rto?;
        match rto.how {
            Recovered::NeverDown => continue,
            Recovered::Unconfirmed => return None,
            Recovered::Confirmed | Recovered::Degraded => {}
        }
        last = Some(match last {
            None => (&track.facts.name, rto.seconds),
            Some((name, worst)) => {
                let later = rto.seconds.hi > worst.hi;
                let hi = if later { rto.seconds.hi } else { worst.hi };
                (
                    if later { &track.facts.name } else { name },
                    Interval { lo: worst.lo.max(rto.seconds.lo), hi },
                )
            }
        });
    }
    let (name, seconds) = last?;
    let zero = fault.sent.secs();
    let at = Interval { lo: zero + seconds.lo, hi: seconds.hi.map(|hi| zero + hi) };
    Some(of_interval(fault, "stable", at, name, &format!("{name} was the last to be served again for good")))
}

fn layer(change: &Change, fault: &Injection) -> LayerChange {
    let from = change.after.unwrap_or(fault.sent);
    LayerChange {
        layer: change.layer.name().to_owned(),
        resource: change.resource.clone(),
        state: change.state.clone(),
        what: change.what.clone(),
        at: Interval::new(from.min(change.seen).secs(), change.seen.secs()),
        stamp: change.stamp.map(|stamp| stamp.to_string()),
    }
}

#[cfg(test)]
#[path = "breakdown_tests.rs"]
mod tests;
