//! Each declared target against each observer.

use super::{Objective, Verdict, cutover, detection, guard, ledger};
use crate::journal::Record;
use crate::measure::budget::Budget;
use crate::measure::ledger::Ledger;
use crate::measure::service::{Recovered, Service};
use crate::measure::{Interval, Measures};
use crate::run::event::{ErrorBudget, Objectives, ProbeFacts, RtoMeasured};
use crate::timeline::Timeline;
use crate::words;

/// Stands for the observer of a target that no probe can decide.
pub(crate) const NOBODY: &str = "no probe";

/// Every objective of a run.
pub(super) fn all(
    record: &Record,
    timeline: &Timeline,
    measures: &Measures,
    guards: &[String],
) -> Vec<Objective> {
    let targets = &record.header.objectives;
    let probes: Vec<(&ProbeFacts, &Service)> =
        timeline.tracks.iter().map(|track| &track.facts).zip(&measures.services).collect();
    let impacted = || probes.iter().filter(|(facts, _)| !facts.must_stay_up).copied();
    let mut out = Vec::new();
    if let Some(target) = targets.rto {
        let found = impacted().map(|(facts, service)| rto(facts, service, target, targets.rto_measured));
        each(&mut out, "rto", target, "s", found);
        cutover::account(&mut out, target, record, timeline, measures);
    }
    recovery_point(&mut out, targets, measures);
    if let Some(target) = targets.availability {
        let found = impacted().map(|(facts, service)| availability(facts, service, target));
        each(&mut out, "availability", target, "ratio", found);
    }
    if let Some(declared) = &targets.error_budget {
        let found = probes
            .iter()
            .zip(&measures.budgets)
            .filter(|((facts, _), _)| !facts.must_stay_up)
            .map(|((facts, service), budget)| error_budget(facts, service, budget.as_ref(), declared));
        each(&mut out, "error_budget", declared.spend_at_most, "budget", found);
    }
    for latency in &targets.latency {
        let name = format!("latency_p{}", latency.percentile);
        let found = impacted()
            .map(|(facts, service)| self::latency(facts, service, &name, latency.percentile, latency.limit));
        each(&mut out, &name, latency.limit, "s", found);
    }
    if let Some(target) = targets.detection {
        out.push(detection::objective(record, timeline, target));
    }
    for (facts, service) in probes.iter().filter(|(facts, _)| facts.must_stay_up) {
        out.push(must_stay_up(facts, service, timeline));
    }
    let mut out: Vec<Objective> =
        out.into_iter().map(|objective| guarded(objective, guards.first())).collect();
    if record.header.dry_run || record.header.tabletop {
        // Nothing was drilled: not even a miss is proven.
        out.iter_mut().for_each(|objective| objective.verdict = Verdict::Inconclusive);
    }
    out
}

/// Adds one objective per observer, or one that says that there is no observer.
fn each(
    out: &mut Vec<Objective>,
    name: &str,
    target: f64,
    unit: &str,
    found: impl Iterator<Item = Objective>,
) {
    let before = out.len();
    out.extend(found);
    if out.len() == before {
        out.push(undecided(name, NOBODY, target, unit, "no probe can decide this target".to_owned()));
    }
}

/// A pass that a guard forbids is no pass; a miss stays one.
fn guarded(mut objective: Objective, guard: Option<&String>) -> Objective {
    if let (Verdict::Pass, Some(guard)) = (objective.verdict, guard) {
        objective.verdict = Verdict::Inconclusive;
        objective.because = format!("{}; but {guard}", objective.because);
    } else if let (None, Some(guard)) = (objective.observed, guard) {
        objective.because.clone_from(guard);
    }
    objective
}

pub(super) fn undecided(name: &str, observer: &str, target: f64, unit: &str, because: String) -> Objective {
    Objective {
        name: name.to_owned(),
        observer: observer.to_owned(),
        target,
        unit: unit.to_owned(),
        observed: None,
        verdict: Verdict::Inconclusive,
        because,
        decisive: false,
    }
}

/// An objective with its verdict by the intervals, and the target added to its reason.
pub(super) fn decided(objective: Objective, observed: Interval, what: String) -> Objective {
    let verdict = if objective.unit == "ratio" {
        at_least(observed, objective.target)
    } else {
        at_most(observed, objective.target)
    };
    let because = format!("{what}; target {}", words::target(objective.target, &objective.unit));
    Objective { observed: Some(observed), verdict, because, ..objective }
}

fn at_most(observed: Interval, target: f64) -> Verdict {
    match observed {
        Interval { hi: Some(hi), .. } if hi <= target => Verdict::Pass,
        Interval { lo, .. } if lo > target => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

fn at_least(observed: Interval, target: f64) -> Verdict {
    match observed {
        Interval { lo, .. } if lo >= target => Verdict::Pass,
        Interval { hi: Some(hi), .. } if hi < target => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

fn rto(facts: &ProbeFacts, service: &Service, target: f64, measured: RtoMeasured) -> Objective {
    let name = &facts.name;
    let blank = undecided("rto", name, target, "s", format!("{name} measured nothing after the fault"));
    let (Some(rto), Some(recovery)) = (service.rto, &service.recovery) else { return blank };
    let seconds = match measured {
        RtoMeasured::FromInjection => recovery.from_injection,
        RtoMeasured::FromFirstFailure => recovery.from_first_failure,
        RtoMeasured::TotalDown => recovery.total_down,
        RtoMeasured::FullRecovery => match recovery.full {
            Some(full) => full,
            None => {
                let because = format!("{name} has too few answers before the fault to say what normal is");
                return Objective { because, ..blank };
            }
        },
    };
    let what = recovered(facts, service, rto.how, seconds, measured);
    guarded(decided(blank, seconds, what), guard::of_service(name, service).as_ref())
}

/// How a probe recovered, in words.
fn recovered(
    facts: &ProbeFacts,
    service: &Service,
    how: Recovered,
    seconds: Interval,
    measured: RtoMeasured,
) -> String {
    let name = &facts.name;
    let again = if facts.ledger { "took writes" } else { "answered" };
    let exactly = |at: f64| words::span(Interval::new(at, at));
    match (how, measured) {
        (Recovered::Unconfirmed, RtoMeasured::FromInjection | RtoMeasured::FullRecovery) => format!(
            "{name} was still failing {} after the call, and its recovery was not confirmed",
            exactly(seconds.lo)
        ),
        (Recovered::Unconfirmed, _) => format!(
            "{name} was down for at least {}, and its recovery was not confirmed",
            exactly(seconds.lo)
        ),
        (Recovered::Confirmed, RtoMeasured::FromInjection) => {
            format!("{name} {again} again {} after the call", words::span(seconds))
        }
        (Recovered::Confirmed, RtoMeasured::FromFirstFailure) => {
            format!("{name} {again} again {} after its first failure", words::span(seconds))
        }
        (Recovered::Confirmed, RtoMeasured::TotalDown) => {
            format!("{name} was down for {} in all", words::span(seconds))
        }
        (_, RtoMeasured::FullRecovery) if seconds.hi.is_none() => format!(
            "{name} was still slower, or served less, than before {} after the call",
            exactly(seconds.lo)
        ),
        (Recovered::Confirmed, RtoMeasured::FullRecovery) => {
            format!("{name} was as fast and served as much as before {} after the call", words::span(seconds))
        }
        (Recovered::NeverDown, RtoMeasured::FullRecovery) if seconds.lo > 0.0 => format!(
            "{name} saw no outage, but was as fast as before only {} after the call",
            words::span(seconds)
        ),
        (Recovered::NeverDown, _) => format!(
            "{name} saw no outage, and would have seen one of {}",
            words::duration(round(service.resolution))
        ),
        (Recovered::Degraded, _) => format!(
            "{name} saw no outage, but {} spread over {} after the call",
            words::counted(service.blips, "bad sample", "bad samples"),
            exactly(seconds.hi.unwrap_or(seconds.lo))
        ),
    }
}

fn error_budget(
    facts: &ProbeFacts,
    service: &Service,
    budget: Option<&Budget>,
    declared: &ErrorBudget,
) -> Objective {
    let name = &facts.name;
    let nothing = format!("{name} measured nothing after the fault");
    let blank = undecided("error_budget", name, declared.spend_at_most, "budget", nothing);
    let Some(budget) = budget else { return blank };
    let what = format!(
        "{name} spent {} of the error budget of {} over {}",
        words::share(budget.spent),
        words::percent(declared.slo),
        words::long(declared.over)
    );
    guarded(decided(blank, budget.spent, what), guard::of_service(name, service).as_ref())
}

fn availability(facts: &ProbeFacts, service: &Service, target: f64) -> Objective {
    let name = &facts.name;
    let nothing = format!("{name} measured nothing after the fault");
    let blank = undecided("availability", name, target, "ratio", nothing);
    let Some(found) = service.availability else { return blank };
    let unknown = match found.unknown {
        0 => String::new(),
        count => format!(", and {} said nothing", words::count(count)),
    };
    let what = format!(
        "{name} was served {} of {} times after the fault ({}){unknown}",
        words::count(found.ok),
        words::count(found.ok + found.bad),
        words::percent(found.ratio)
    );
    guarded(decided(blank, found.bounds, what), guard::of_service(name, service).as_ref())
}

fn latency(facts: &ProbeFacts, service: &Service, name: &str, percentile: f64, limit: f64) -> Objective {
    let probe = &facts.name;
    let blank = undecided(name, probe, limit, "s", format!("{probe} had no correct answer"));
    // Without a fault there was no drill, and the steady state alone decides nothing.
    let (Some(latencies), true) = (&service.overall, service.availability.is_some()) else { return blank };
    let observed = latencies.percentile(percentile);
    let what = format!(
        "{percentile} % of {} from {probe} came within {}",
        words::counted(latencies.count(), "correct answer", "correct answers"),
        words::millis(observed.hi.unwrap_or(observed.lo) * 1e3)
    ) + &match latencies.unanswered() {
        0 => String::new(),
        count => format!(" ({} more had none)", words::count(count)),
    };
    guarded(decided(blank, observed, what), guard::of_service(probe, service).as_ref())
}

fn must_stay_up(facts: &ProbeFacts, service: &Service, timeline: &Timeline) -> Objective {
    let name = &facts.name;
    let nothing = format!("{name} measured nothing after the first call");
    let blank = undecided("must_stay_up", name, 0.0, "s", nothing);
    let (Some(touched), Some(seen_since)) = (timeline.disturbed(), service.since_touched) else {
        return blank;
    };
    let outages: Vec<Interval> = service.outages_after(touched).map(|outage| outage.duration).collect();
    if !outages.is_empty() {
        let down = Interval {
            lo: outages.iter().map(|outage| outage.lo).sum(),
            hi: outages.iter().map(|outage| outage.hi).sum(),
        };
        let because = format!("{name} was to stay up, and was down for {}", words::span(down));
        return Objective { observed: Some(down), verdict: Verdict::Fail, because, ..blank };
    }
    let seen = Interval::new(0.0, service.resolution);
    let objective = if seen_since.how == Recovered::Degraded {
        let count = words::counted(service.blips, "bad sample", "bad samples");
        let because = format!("{name} was to stay up, and saw no outage but {count}");
        Objective { observed: Some(seen), because, ..blank }
    } else {
        let because = format!("{name} stayed up: no outage was seen");
        Objective { observed: Some(seen), verdict: Verdict::Pass, because, ..blank }
    };
    guarded(objective, guard::of_service(name, service).as_ref())
}

fn recovery_point(out: &mut Vec<Objective>, targets: &Objectives, measures: &Measures) {
    if let Some(target) = targets.rpo_seconds {
        let found = measures.ledgers.iter().map(|ledger| lost_seconds(ledger, target));
        each(out, "rpo", target, "s", found);
    }
    if let Some(target) = targets.rpo_writes {
        let found = measures.ledgers.iter().map(|ledger| lost_writes(ledger, target));
        each(out, "rpo", target as f64, "writes", found);
    }
}

/// As [`guarded`]; and what a ledger left open is named where its interval alone decides nothing.
fn held(mut objective: Objective, guard: Option<&String>) -> Objective {
    if let (Verdict::Inconclusive, Some(_), Some(guard)) = (objective.verdict, objective.observed, guard) {
        objective.because = format!("{}; but {guard}", objective.because);
    }
    guarded(objective, guard)
}

fn lost_seconds(ledger: &Ledger, target: f64) -> Objective {
    let guard = ledger::guard(ledger);
    let blank = undecided("rpo", &ledger.probe, target, "s", guard.clone().unwrap_or_default());
    let Some(seconds) = ledger.seconds else { return blank };
    let what = match ledger.lost {
        0 => lost(ledger),
        _ => format!("{}, which span {}", lost(ledger), words::span(seconds)),
    };
    let mut objective = decided(blank, seconds, what);
    if ledger.lost > 0 && target == 0.0 {
        // However short the time: what was acknowledged is gone, and none may be.
        objective.verdict = Verdict::Fail;
    }
    held(objective, guard.as_ref())
}

fn lost_writes(ledger: &Ledger, target: u64) -> Objective {
    let guard = ledger::guard(ledger);
    let blank = undecided("rpo", &ledger.probe, target as f64, "writes", guard.clone().unwrap_or_default());
    if ledger.error.is_some() {
        return blank;
    }
    let observed = Interval::new(ledger.lost as f64, (ledger.lost + ledger.unread + ledger.pending) as f64);
    held(decided(blank, observed, lost(ledger)), guard.as_ref())
}

fn lost(ledger: &Ledger) -> String {
    let lost = if ledger.lost == 0 { "none".to_owned() } else { words::count(ledger.lost) };
    let acked = words::counted(ledger.acked, "acknowledged write", "acknowledged writes");
    format!("{} lost {lost} of {acked}", ledger.probe)
}

/// To three digits after the point: what a sentence can carry.
fn round(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}
