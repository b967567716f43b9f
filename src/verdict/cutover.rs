//! What a moved record adds to an RTO: the caches that may still hold the old one.
//!
//! One resolver is one sample of what is left of a TTL, from nothing to all of it. So where a drill
//! moves a record, clients have recovered for certain only once the last of the zone's name servers
//! answered anew *and* the old record's TTL is over, unless the file says that the resolver asked
//! here is the only one that counts.

use super::guard;
use crate::journal::Record;
use crate::measure::cutover::{Cutover, Lane, is_name};
use crate::measure::service::{Recovered, Service};
use crate::measure::{Interval, Measures};
use crate::report::{Objective, Seen, Verdict, words};
use crate::timeline::{Timeline, Track};

/// Brings the cut-over into the RTO of every observer that it matters to.
pub(super) fn account(
    out: &mut Vec<Objective>,
    target: f64,
    record: &Record,
    timeline: &Timeline,
    measures: &Measures,
) {
    let (Some(cutover), Some(fault)) = (&measures.cutover, &timeline.fault) else { return };
    let fault = fault.sent.secs();
    let all: Vec<(&Track, &Service)> = timeline.tracks.iter().zip(&measures.services).collect();
    let decides = |track: &Track| track.facts.dns.is_some_and(|dns| dns.decides_cutover);
    let deciding: Vec<(&Track, &Service)> =
        all.iter().filter(|(track, _)| decides(track) && !track.facts.must_stay_up).copied().collect();
    out.retain(|objective| !deciding.iter().any(|(track, _)| track.facts.name == objective.observer));
    let mut probes: Vec<&str> = deciding.iter().map(|(track, _)| track.facts.probe.as_str()).collect();
    probes.dedup();
    for probe in probes {
        let own = deciding.iter().filter(|(track, _)| track.facts.probe == probe);
        let guard = own.clone().find_map(|(track, service)| guard::of_service(&track.facts.name, service));
        let here = own.clone().any(|(track, _)| only_here(track));
        out.push(moved(probe, cutover, fault, target, here, guard));
    }
    if !moves_a_record(record, timeline) || timeline.tracks.iter().any(only_here) {
        return;
    }
    let Some(everyone) = cutover.everyone else { return };
    for objective in out.iter_mut() {
        let observer = all.iter().find(|(track, _)| track.facts.name == objective.observer);
        // Who saw no outage was served by the old site meanwhile, and so is who is still led to it.
        let hit = observer
            .and_then(|(_, service)| service.rto)
            .is_some_and(|rto| matches!(rto.how, Recovered::Confirmed | Recovered::Degraded));
        if hit {
            extend(objective, cutover, everyone, fault);
        }
    }
}

/// Whether the drill moves a record: by an action on one, or because a probe says so.
fn moves_a_record(record: &Record, timeline: &Timeline) -> bool {
    record.header.plan.iter().any(|step| step.kind.starts_with("route53."))
        || timeline.tracks.iter().any(|track| track.facts.dns.is_some_and(|dns| dns.decides_cutover))
}

fn only_here(track: &Track) -> bool {
    track.facts.dns.is_some_and(|dns| dns.this_resolver_only)
}

/// Widens an observer's RTO up to where no cache can hold the old record any more.
fn extend(objective: &mut Objective, cutover: &Cutover, everyone: Interval, fault: f64) {
    let Some(observed) = objective.observed else { return };
    let Some(observed_hi) = observed.hi else { return };
    let hi = everyone.hi.map(|hi| hi - fault);
    if hi.is_some_and(|hi| hi <= observed_hi) {
        return;
    }
    let wider = Interval { lo: observed.lo, hi };
    objective.observed = Some(wider);
    objective.because.push_str(&format!("; {}", caches(cutover, fault)));
    if objective.verdict == Verdict::Pass && hi.is_none_or(|hi| hi > objective.target) {
        objective.verdict = Verdict::Inconclusive;
    }
}

/// Until when caches may hold the old record, and why.
fn caches(cutover: &Cutover, fault: f64) -> String {
    let since = |at: f64| words::span(Interval::new(at - fault, at - fault));
    let flipped = cutover.authoritative_all.and_then(|all| all.hi);
    match (flipped, cutover.ttl) {
        (None, _) => {
            "but one of the zone's name servers was not seen to answer anew, so other clients may still \
                      be led to the old site"
                .to_owned()
        }
        (Some(all), None) => format!(
            "but caches may hold the old record for longer than can be said: the last name server answered anew \
             by {} after the call, and no answer told a TTL below 18 hours",
            since(all)
        ),
        (Some(all), Some(ttl)) => format!(
            "but caches may hold the old record until {} after the call: the last name server answered anew by \
             {}, and its TTL is {}",
            since(all + ttl),
            since(all),
            words::duration(ttl)
        ),
    }
}

/// The RTO of a probe that the cut-over decides: until the name leads everybody anew.
fn moved(
    probe: &str,
    cutover: &Cutover,
    fault: f64,
    target: f64,
    only_here: bool,
    guard: Option<String>,
) -> Objective {
    let lanes: Vec<&Lane> = cutover.lanes_of(probe).filter(|lane| is_name(&lane.observer)).collect();
    let turned: Vec<Interval> = lanes.iter().filter_map(|lane| lane.first_new).collect();
    let mut objective = Objective {
        name: "rto".to_owned(),
        observer: probe.to_owned(),
        target,
        unit: "s".to_owned(),
        observed: None,
        verdict: Verdict::Inconclusive,
        because: format!("{probe} had no answer"),
        decisive: false,
    };
    let Some(lo) = turned.iter().map(|one| one.lo).reduce(f64::max) else { return objective };
    let seen: Option<Vec<f64>> = turned.iter().map(|one| one.hi).collect();
    let seen = seen.and_then(|seen| seen.into_iter().reduce(f64::max));
    let everyone = cutover.everyone.filter(|_| !only_here);
    let hi = match everyone {
        Some(everyone) => seen.zip(everyone.hi).map(|(seen, everyone)| seen.max(everyone)),
        None => seen,
    };
    let observed = Interval { lo: (lo - fault).max(0.0), hi: hi.map(|hi| hi - fault) };
    let said = match seen {
        Some(seen) => format!(
            "{probe} got the new answer from all of {} by {} after the call",
            words::counted(turned.len() as u64, "server", "servers"),
            words::span(Interval::new(seen - fault, seen - fault))
        ),
        None => {
            let late = lanes.iter().filter(|lane| lane.first_new.is_none_or(|one| one.hi.is_none()));
            let names: Vec<&str> = late.map(|lane| lane.name.as_str()).collect();
            format!("{probe} never got the new answer from {}", names.join(", "))
        }
    };
    let said = match everyone {
        Some(_) => format!("{said}; {}", caches(cutover, fault)),
        None => said,
    };
    objective.observed = Some(observed);
    objective.because = format!("{said}; target {}", words::target(target, "s"));
    objective.verdict = match observed {
        Interval { lo, .. } if lo > target => Verdict::Fail,
        Interval { hi: Some(hi), .. } if hi <= target => Verdict::Pass,
        _ => Verdict::Inconclusive,
    };
    if let (Verdict::Pass, Some(guard)) = (objective.verdict, guard) {
        objective.verdict = Verdict::Inconclusive;
        objective.because = format!("{}; but {guard}", objective.because);
    }
    objective
}

/// Lanes that turned from the old site to the new one for good: that shows that something took hold. (One new
/// face among several that go on answering shows nothing.)
pub(super) fn evidence(measures: &Measures) -> Vec<Seen> {
    let Some(cutover) = &measures.cutover else { return Vec::new() };
    let turned = cutover.lanes.iter().filter(|lane| lane.clean);
    turned
        .filter_map(|lane| {
            Some(Seen {
                by: "probe".to_owned(),
                what: format!("{}: first answer from the new site", lane.name),
                at: lane.first_new.filter(|at| at.hi.is_some())?,
            })
        })
        .collect()
}

/// What a reader should know of the cut-over, whatever the verdict.
pub(super) fn notes(record: &Record, timeline: &Timeline, measures: &Measures) -> Vec<String> {
    let mut notes = Vec::new();
    let moves = record.header.plan.iter().any(|step| step.kind.starts_with("route53."));
    let authoritative = measures.cutover.as_ref().is_some_and(|cutover| cutover.authoritative_all.is_some());
    if timeline.fault.is_some() && moves && !authoritative {
        notes.push(
            "the drill moved a record, and no `dns` probe with `servers: authoritative` watched it: other clients' \
             caches may have held the old one for up to its TTL longer than was seen here"
                .to_owned(),
        );
    }
    // Two lanes of one probe ask for the same thing: what the one was answered, the other could have been. A
    // probe that asks for something else may well have nothing to go over to.
    let probe = |name: &str| {
        let track = timeline.tracks.iter().find(|track| track.facts.name == name)?;
        Some(track.facts.probe.as_str())
    };
    let lanes = || measures.cutover.iter().flat_map(|cutover| &cutover.lanes);
    for lane in lanes().filter(|lane| !is_name(&lane.observer)) {
        let could = lanes().any(|other| {
            other.name != lane.name && other.first_new.is_some() && probe(&other.name) == probe(&lane.name)
        });
        if could && lane.last_old.is_some_and(|last| last.hi.is_none()) {
            notes.push(format!(
                "{}: still answered by the old site when the watch ended, while other connections of that probe had \
                 gone over",
                lane.name
            ));
        }
    }
    notes
}

#[cfg(test)]
#[path = "cutover_tests.rs"]
mod tests;
