mod measured;

use super::*;
use crate::clock::Moment;
use crate::journal::fixture::{event, header, probe, sample, step};
use crate::report::Report;
use crate::report::build::build;
use crate::report::exit::{exit_code, rehearsed_ok};
use crate::run::event::*;
use crate::sample::{Cause, Class, Sample};

/// A drill of 30 s with the fault at 10 s: the storefront is down from 10.2 to 12.2, the ledger with it.
/// Steady, confirmed and read back; every objective is met.
fn drill() -> Record {
    let mut header = header();
    header.objectives = Objectives {
        rto: Some(5.0),
        rpo_seconds: Some(0.0),
        rpo_writes: Some(0),
        availability: Some(0.8),
        latency: vec![LatencyObjective { percentile: 99.0, limit: 0.1 }],
        ..Objectives::default()
    };
    let down = |at: f64| (10.2..12.2).contains(&at);
    let class = |at| if down(at) { Class::FailFast } else { Class::Ok };
    let mut samples = Vec::new();
    for seq in 0..300 {
        let at = f64::from(seq) * 0.1 + 0.003;
        samples.push(sample(0, seq, at, at + 0.005, class(at)));
    }
    for seq in 0..600 {
        let at = f64::from(seq) * 0.05 + 0.001;
        samples.push(sample(1, seq, at, at + 0.005, class(at)));
    }
    let call = ("fail over".to_owned(), "rds:RebootDBInstance".to_owned(), "orders-db".to_owned());
    let (step, operation, resource) = call.clone();
    let events = vec![
        event(0.0, EventKind::PhaseEntered { phase: Phase::SteadyState }),
        event(10.0, EventKind::SteadyStateJudged { held: true, because: "all good".into() }),
        event(10.0, EventKind::PhaseEntered { phase: Phase::Steps }),
        event(10.0, EventKind::StepStarted { step: step.clone() }),
        event(10.0, EventKind::CallSent { step: call.0, operation: call.1, resource: call.2 }),
        event(
            10.1,
            EventKind::CallReturned {
                step: step.clone(),
                operation,
                resource,
                outcome: CallOutcome::Accepted,
                detail: None,
            },
        ),
        event(
            12.0,
            EventKind::EffectSeen {
                step: step.clone(),
                after_ns: Moment::from_secs(11.0),
                evidence: "orders-db: standby became primary".into(),
            },
        ),
        event(12.0, EventKind::StepFinished { step, outcome: StepOutcome::Done, detail: None }),
        event(18.0, EventKind::PhaseEntered { phase: Phase::Observation }),
        event(30.0, EventKind::PhaseEntered { phase: Phase::FinalRead }),
        event(
            30.2,
            EventKind::LedgerRead { probe: "orders".into(), reading: reading(&[(0, 203), (244, 599)]) },
        ),
        event(30.3, EventKind::PhaseEntered { phase: Phase::Undo }),
        event(30.4, EventKind::RunEnded { ending: Ending::Completed }),
    ];
    Record { header, events, samples, chain_head: "ab".repeat(32), cut: false }
}

fn reading(present: &[(u32, u32)]) -> Reading {
    let (began_ns, done_ns) = (Moment::from_secs(30.1), Moment::from_secs(30.2));
    Reading { began_ns, done_ns, present: present.to_vec(), stable: true, ..Reading::default() }
}

/// The drill with every event passed through `change` (dropped when it gives `None`).
fn with(change: impl Fn(EventKind) -> Option<EventKind>) -> Record {
    let mut record = drill();
    record.events = record
        .events
        .into_iter()
        .filter_map(|event| Some(Event { at_ns: event.at_ns, kind: change(event.kind)? }))
        .collect();
    record
}

fn with_reading(reading: &Reading) -> Record {
    with(|kind| match kind {
        EventKind::LedgerRead { probe, .. } => {
            Some(EventKind::LedgerRead { probe, reading: reading.clone() })
        }
        kind => Some(kind),
    })
}

fn objective<'a>(report: &'a Report, name: &str, observer: &str, unit: &str) -> &'a Objective {
    report
        .objectives
        .iter()
        .find(|o| (o.name.as_str(), o.observer.as_str(), o.unit.as_str()) == (name, observer, unit))
        .unwrap()
}

#[test]
fn a_drill_that_meets_every_objective_passes() {
    let report = build(&drill());
    assert_eq!(report.verdict, Outcome::Pass, "{}: {:#?}", report.because, report.objectives);
    assert_eq!(exit_code(&report), 0);
    let rto = objective(&report, "rto", "storefront", "s");
    assert_eq!(rto.because, "storefront answered again 2.10–2.21 s after the call; target 5 s");
    // The storefront looks less often than the ledger: its upper bound is the worst.
    assert!(rto.decisive && !objective(&report, "rto", "orders", "s").decisive);
    let rpo = objective(&report, "rpo", "orders", "s");
    assert_eq!(rpo.because, "orders lost none of 560 acknowledged writes; target 0 s");
    assert_eq!(rpo.observed, Some(Interval::new(0.0, 0.0)));
    let availability = objective(&report, "availability", "storefront", "ratio");
    assert_eq!(
        availability.because,
        "storefront was served 180 of 200 times after the fault (90 %); target 80 %"
    );
    let fault = report.fault.unwrap();
    assert_eq!((fault.step.as_str(), fault.injected_at), ("fail over", Interval::new(10.0, 10.1)));
    let by: Vec<&str> = fault.evidence.iter().map(|seen| seen.by.as_str()).collect();
    assert_eq!(by, ["step", "probe", "probe"]);
    assert_eq!(report.probes[0].outages.len(), 1);
    assert_eq!(report.probes[0].outages[0].errors.get("refused"), Some(&20));
    assert_eq!(report.probes[0].latency_ms.keys().collect::<Vec<_>>(), ["baseline", "fault", "recovered"]);
    assert_eq!(report.ended_at, "2026-11-21T10:15:30.523456789Z");
}

#[test]
fn a_target_within_the_interval_decides_nothing() {
    for (target, verdict) in [(2.2, Outcome::Inconclusive), (2.05, Outcome::Fail), (2.209, Outcome::Pass)] {
        let mut record = drill();
        record.header.objectives = Objectives { rto: Some(target), ..Objectives::default() };
        let report = build(&record);
        assert_eq!(report.verdict, verdict, "target {target}: {}", report.because);
    }
}

#[test]
fn a_lost_write_fails_a_target_of_zero_however_short_the_time() {
    let report = build(&with_reading(&reading(&[(0, 202), (244, 599)])));
    assert_eq!((report.verdict, exit_code(&report)), (Outcome::Fail, 1));
    let rpo = objective(&report, "rpo", "orders", "s");
    assert!(
        rpo.because.starts_with("orders lost 1 of 560 acknowledged writes, which span 0–"),
        "{}",
        rpo.because
    );
    assert_eq!(objective(&report, "rpo", "orders", "writes").verdict, Verdict::Fail);
}

/// Each guard, planted alone in a drill that would pass, keeps it from passing; and a proven miss
/// stays a miss.
#[test]
fn a_guard_forbids_a_pass_and_excuses_no_miss() {
    let unstable = Reading { stable: false, ..reading(&[(0, 203), (244, 599)]) };
    let strange = Reading { unexpected: 1, ..reading(&[(0, 203), (244, 599)]) };
    let broken = Reading { error: Some("refused".into()), ..Reading::default() };
    let mut cut = drill();
    cut.cut = true;
    let mut cases: Vec<(&str, Record, &str)> = vec![
        ("cut", cut, "cut short"),
        ("unstable read", with_reading(&unstable), "different answers"),
        ("unexpected rows", with_reading(&strange), "never sent"),
        ("phantom", with_reading(&reading(&[(0, 210), (244, 599)])), "certainly failed"),
        ("unreadable", with_reading(&broken), "could not be read back: refused"),
    ];
    for (outcome, words) in [(StepOutcome::Failed, "failed"), (StepOutcome::Indeterminate, "may or may not")]
    {
        let record = with(|kind| match kind {
            EventKind::StepFinished { step, .. } => {
                Some(EventKind::StepFinished { step, outcome, detail: None })
            }
            kind => Some(kind),
        });
        cases.push(("step", record, words));
    }
    let unsteady = with(|kind| match kind {
        EventKind::SteadyStateJudged { .. } => {
            Some(EventKind::SteadyStateJudged { held: false, because: "half were bad".into() })
        }
        kind => Some(kind),
    });
    cases.push(("unsteady", unsteady, "half were bad"));
    for (name, mut record, words) in cases {
        let report = build(&record);
        assert_eq!(report.verdict, Outcome::Inconclusive, "{name}: {}", report.because);
        assert!(report.because.contains(words), "{name}: {}", report.because);
        assert_eq!(exit_code(&report), 3, "{name}");
        record.header.objectives.rto = Some(1.0);
        assert_eq!(build(&record).verdict, Outcome::Fail, "{name}, with an RTO that was missed");
    }
}

#[test]
fn a_fault_that_nobody_saw_proves_nothing_and_one_that_nobody_felt_passes() {
    let mut unseen = with(|kind| (!matches!(kind, EventKind::EffectSeen { .. })).then_some(kind));
    let mut seen = drill();
    for record in [&mut unseen, &mut seen] {
        record.samples.iter_mut().for_each(|sample| {
            (sample.class, sample.cause) = (Class::Ok, Cause::None);
        });
        record.events.retain(|event| !matches!(event.kind, EventKind::LedgerRead { .. }));
        record.header.objectives = Objectives { rto: Some(5.0), ..Objectives::default() };
    }
    let report = build(&unseen);
    assert_eq!(report.verdict, Outcome::Inconclusive);
    assert!(report.because.contains("nothing showed that the fault took hold"), "{}", report.because);
    let report = build(&seen);
    assert_eq!(report.verdict, Outcome::Pass, "{}", report.because);
    let rto = objective(&report, "rto", "storefront", "s");
    assert_eq!(rto.observed.map(|seen| seen.lo), Some(0.0));
    assert!(rto.because.starts_with("storefront saw no outage"), "{}", rto.because);
}

/// The drill without a change of state that was seen, and with only these samples of the storefront bad.
fn unseen(bad: impl Fn(&Sample) -> bool) -> Record {
    let mut record = with(|kind| (!matches!(kind, EventKind::EffectSeen { .. })).then_some(kind));
    for sample in &mut record.samples {
        let bad = sample.probe == 0 && bad(sample);
        (sample.class, sample.cause) =
            if bad { (Class::FailFast, Cause::Refused) } else { (Class::Ok, Cause::None) };
    }
    record.events.retain(|event| !matches!(event.kind, EventKind::LedgerRead { .. }));
    record.header.objectives = Objectives { rto: Some(15.0), ..Objectives::default() };
    record
}

#[test]
fn only_an_outage_or_repeated_errors_show_that_the_fault_took_hold() {
    // The fault is at 10 s, between the storefront's samples 99 and 100.
    let none: [(&str, &[u32]); 3] = [
        ("a blip", &[110]),
        ("blips far apart", &[110, 150, 200, 250]),
        ("an outage from before", &[98, 99, 100, 101, 102]),
    ];
    for (name, bad) in none {
        let report = build(&unseen(|sample| bad.contains(&sample.seq)));
        assert_eq!(report.verdict, Outcome::Inconclusive, "{name}: {}", report.because);
        assert!(report.because.contains("nothing showed that the fault took hold"), "{}", report.because);
        assert!(report.fault.unwrap().evidence.is_empty(), "{name}");
    }
    for (name, bad) in [("an outage", [100, 101, 102, 103]), ("degraded", [110, 130, 150, 170])] {
        let report = build(&unseen(|sample| bad.contains(&sample.seq)));
        assert_eq!(report.fault.unwrap().evidence.len(), 1, "{name}");
        assert_ne!(report.verdict, Outcome::Fail, "{name}");
        assert!(!report.because.contains("took hold"), "{name}: {}", report.because);
    }
}

#[test]
fn a_service_that_did_not_come_back_is_censored() {
    let mut record = drill();
    for sample in record.samples.iter_mut().filter(|sample| sample.sent.secs() > 10.2) {
        (sample.class, sample.cause) = (Class::FailFast, Cause::Refused);
    }
    record.header.objectives = Objectives { rto: Some(60.0), ..Objectives::default() };
    let report = build(&record);
    let rto = objective(&report, "rto", "storefront", "s");
    assert_eq!(rto.observed.and_then(|seen| seen.hi), None);
    assert_eq!(report.verdict, Outcome::Inconclusive, "{}", report.because);
    assert!(report.because.contains("was still failing"), "{}", report.because);
    record.header.objectives.rto = Some(15.0);
    assert_eq!(build(&record).verdict, Outcome::Fail);
}

#[test]
fn samples_that_say_nothing_widen_the_availability_and_lower_the_coverage() {
    let mut record = drill();
    record.header.objectives = Objectives { availability: Some(0.88), ..Objectives::default() };
    let shed = |record: &mut Record, count: usize| {
        let late = record.samples.iter_mut().filter(|sample| sample.probe == 0 && sample.sent.secs() > 20.0);
        late.take(count).for_each(|sample| sample.class = Class::Shed);
    };
    shed(&mut record, 4);
    let report = build(&record);
    let availability = objective(&report, "availability", "storefront", "ratio");
    assert_eq!(availability.observed, Some(Interval::new(0.88, 0.90)));
    assert_eq!(availability.verdict, Verdict::Pass);
    shed(&mut record, 20);
    record.header.objectives.availability = Some(0.5);
    let report = build(&record);
    assert_eq!(report.verdict, Outcome::Inconclusive);
    assert!(report.because.contains("measured only"), "{}", report.because);
}

#[test]
fn many_bad_samples_without_an_outage_are_no_recovery_at_once() {
    let mut record = drill();
    record.header.objectives = Objectives { rto: Some(5.0), ..Objectives::default() };
    for sample in record.samples.iter_mut() {
        let bad = sample.sent.secs() > 10.0
            && sample.probe == 0
            && sample.seq % 5 == 0
            && sample.sent.secs() < 20.0;
        sample.class = if bad { Class::FailFast } else { Class::Ok };
    }
    let report = build(&record);
    assert!(report.probes[0].outages.is_empty());
    let rto = objective(&report, "rto", "storefront", "s");
    assert_eq!(rto.verdict, Verdict::Inconclusive);
    assert!(rto.because.contains("no outage, but 20 bad samples"), "{}", rto.because);
    assert!(rto.observed.is_some_and(|seen| seen.lo == 0.0 && seen.hi > Some(9.0)), "{rto:?}");
}

#[test]
fn what_must_stay_up_and_does_not_fails() {
    let mut record = drill();
    record.header.probes[0].must_stay_up = true;
    let report = build(&record);
    let stay = objective(&report, "must_stay_up", "storefront", "s");
    assert_eq!(stay.verdict, Verdict::Fail);
    assert!(stay.because.starts_with("storefront was to stay up, and was down for"), "{}", stay.because);
    // It is no observer of the recovery.
    assert!(report.objectives.iter().all(|o| o.name != "rto" || o.observer == "orders"));
    record.samples.iter_mut().filter(|sample| sample.probe == 0).for_each(|sample| sample.class = Class::Ok);
    assert_eq!(build(&record).verdict, Outcome::Pass);
}

#[test]
fn what_must_stay_up_does_so_from_the_first_touch_on() {
    let mut record = drill();
    record.header.probes[0].must_stay_up = true;
    // The clock of the RTO starts with a later step than the one that brought the storefront down.
    record.header.plan = vec![step("fail over"), step("fail back")];
    record.header.measure_from = Some("fail back".to_owned());
    // Whether that step was reached or not.
    let unreached = record.clone();
    let (step, operation, resource) = ("fail back".into(), "rds:RebootDBInstance".into(), "orders-db".into());
    let at = record.events.iter().position(|event| event.at_ns.secs() > 15.0).unwrap();
    record.events.insert(at, event(15.0, EventKind::CallSent { step, operation, resource }));
    for record in [record, unreached] {
        let report = build(&record);
        let stay = objective(&report, "must_stay_up", "storefront", "s");
        assert_eq!(stay.verdict, Verdict::Fail, "{}", stay.because);
        assert!(stay.because.contains("was down for 1.89–2.11 s"), "{}", stay.because);
        assert_eq!(report.verdict, Outcome::Fail);
    }
}

#[test]
fn what_must_stay_up_is_no_pass_when_it_was_degraded_before_the_clock_started() {
    let mut record = drill();
    record.header.probes[0].must_stay_up = true;
    record.header.plan = vec![step("fail over"), step("fail back")];
    record.header.measure_from = Some("fail back".to_owned());
    for sample in record.samples.iter_mut().filter(|sample| sample.probe == 0) {
        let bad = (100..150).contains(&sample.seq) && sample.seq % 5 == 0;
        sample.class = if bad { Class::FailFast } else { Class::Ok };
    }
    let (step, operation, resource) = ("fail back".into(), "rds:RebootDBInstance".into(), "orders-db".into());
    let at = record.events.iter().position(|event| event.at_ns.secs() > 15.0).unwrap();
    record.events.insert(at, event(15.5, EventKind::CallSent { step, operation, resource }));
    let report = build(&record);
    let stay = objective(&report, "must_stay_up", "storefront", "s");
    assert_eq!(stay.verdict, Verdict::Inconclusive, "{}", stay.because);
    assert!(stay.because.contains("no outage but 10 bad samples"), "{}", stay.because);
}

/// What a drill that failed to recover in time came to, for each kind of objective on its own.
fn each_objective(record: &Record) -> Vec<(String, Report)> {
    let all = [
        Objectives { rto: Some(25.0), ..Objectives::default() },
        Objectives { rpo_seconds: Some(0.0), ..Objectives::default() },
        Objectives { rpo_writes: Some(0), ..Objectives::default() },
        Objectives { availability: Some(0.5), ..Objectives::default() },
        Objectives {
            latency: vec![LatencyObjective { percentile: 99.0, limit: 0.1 }],
            ..Objectives::default()
        },
    ];
    all.into_iter()
        .map(|objectives| {
            let mut record = record.clone();
            record.header.objectives = objectives;
            (format!("{:?}", record.header.objectives), build(&record))
        })
        .collect()
}

#[test]
fn a_recovery_that_timed_out_is_never_a_pass() {
    let mut record = drill();
    for (name, report) in each_objective(&record) {
        assert_eq!(report.verdict, Outcome::Pass, "{name}: {}", report.because);
    }
    let at = record.events.iter().position(|event| event.at_ns.secs() > 29.0).unwrap();
    let timed_out = EventKind::RecoveryTimedOut { probes: vec!["storefront".into()] };
    record.events.insert(at, event(29.9, timed_out));
    for (name, report) in each_objective(&record) {
        assert_eq!(report.verdict, Outcome::Inconclusive, "{name}: {}", report.because);
        assert!(report.because.contains("recovery was not confirmed within"), "{name}: {}", report.because);
        assert!(report.because.contains("storefront"), "{name}: {}", report.because);
    }
    record.header.objectives = Objectives { rto: Some(1.0), ..Objectives::default() };
    assert_eq!(build(&record).verdict, Outcome::Fail, "a miss stays one");
}

#[test]
fn trouble_at_the_end_of_the_watch_is_never_a_pass() {
    // Down again, down only in the last two samples, or good again but too shortly to be confirmed.
    for (from, to, words) in
        [(27.0, 31.0, "was still failing"), (29.8, 31.0, "was still failing"), (25.0, 27.0, "too short")]
    {
        let mut record = drill();
        for sample in record.samples.iter_mut() {
            if sample.probe == 0 && (from..to).contains(&sample.sent.secs()) {
                (sample.class, sample.cause) = (Class::FailFast, Cause::Refused);
            }
        }
        for (name, report) in each_objective(&record) {
            assert_eq!(report.verdict, Outcome::Inconclusive, "{from}–{to}, {name}: {}", report.because);
            assert!(report.because.contains(words), "{from}–{to}, {name}: {}", report.because);
        }
    }
}

#[test]
fn no_objective_of_an_aborted_run_passes() {
    let mut record = with(|kind| match kind {
        EventKind::RunEnded { .. } => {
            Some(EventKind::RunEnded { ending: Ending::Aborted { by: "Ctrl-C".into() } })
        }
        kind => Some(kind),
    });
    let report = build(&record);
    assert_eq!(report.verdict, Outcome::Aborted);
    for objective in &report.objectives {
        assert_eq!(objective.verdict, Verdict::Inconclusive, "{}", objective.because);
        assert!(objective.because.contains("stopped by Ctrl-C"), "{}", objective.because);
    }
    record.header.objectives.rto = Some(1.0);
    assert!(build(&record).objectives.iter().any(|objective| objective.verdict == Verdict::Fail));
}

#[test]
fn a_target_that_no_probe_can_decide_is_undecided() {
    let mut record = drill();
    record.header.probes = vec![probe("storefront", 0.1, false)];
    record.header.objectives = Objectives { rpo_writes: Some(0), ..Objectives::default() };
    record.samples.retain(|sample| sample.probe == 0);
    let report = build(&record);
    assert_eq!(
        (report.verdict, report.because.as_str()),
        (Outcome::Inconclusive, "no probe can decide this target")
    );
}

#[test]
fn an_aborted_run_is_aborted_and_an_undo_left_open_comes_first() {
    let aborted = |kind| match kind {
        EventKind::RunEnded { .. } => {
            Some(EventKind::RunEnded { ending: Ending::Aborted { by: "Ctrl-C".into() } })
        }
        kind => Some(kind),
    };
    let mut record = with(aborted);
    let report = build(&record);
    assert_eq!(
        (report.verdict, report.because.as_str(), exit_code(&report)),
        (Outcome::Aborted, "stopped by Ctrl-C", 4)
    );
    let prepared = EventKind::UndoPrepared {
        command: None,
        step: "fail over".into(),
        summary: "fail back".into(),
        undo: serde_json::Value::Null,
    };
    record.events.insert(4, event(10.0, prepared));
    let report = build(&record);
    assert_eq!(
        (report.undo.left.as_slice(), exit_code(&report)),
        (["fail over: fail back".to_owned()].as_slice(), 5)
    );
    let finished =
        |done| EventKind::UndoFinished { step: "fail over".into(), done, detail: "AccessDenied".into() };
    record.events.push(event(31.0, finished(false)));
    assert_eq!(build(&record).undo.left, ["fail over: fail back (AccessDenied)"]);
    record.events.push(event(32.0, finished(true)));
    let report = build(&record);
    assert!(report.undo.complete && exit_code(&report) == 4);
}

#[test]
fn a_step_that_sent_nothing_leaves_nothing_to_undo() {
    let record = with(|kind| match kind {
        EventKind::CallSent { step, .. } => Some(EventKind::UndoPrepared {
            step,
            summary: "fail back".into(),
            command: None,
            undo: serde_json::Value::Null,
        }),
        kind => Some(kind),
    });
    assert!(build(&record).undo.complete);
}

#[test]
fn a_dry_run_in_order_exits_with_zero_and_never_passes() {
    let mut record = with(|kind| match kind {
        EventKind::CallSent { .. } | EventKind::CallReturned { .. } | EventKind::EffectSeen { .. } => None,
        EventKind::StepFinished { step, .. } => Some(EventKind::StepFinished {
            step,
            outcome: StepOutcome::Skipped,
            detail: Some("dry run".into()),
        }),
        kind => Some(kind),
    });
    record.header.dry_run = true;
    record.header.objectives.latency[0].limit = 0.001;
    let report = build(&record);
    assert_eq!(
        (report.verdict, report.because.as_str()),
        (Outcome::Inconclusive, "dry run: nothing was changed")
    );
    assert!(rehearsed_ok(&report) && exit_code(&report) == 0);
    // A step that was never reached was not rehearsed.
    record.header.plan.push(step("never reached"));
    assert_eq!(exit_code(&build(&record)), 3);
}

#[test]
fn a_run_that_touched_nothing_says_why() {
    let mut record = drill();
    record.header.objectives.latency[0].limit = 0.001;
    let because = "the steady state did not hold: storefront showed 50 %".to_owned();
    record.events = vec![
        event(0.0, EventKind::PhaseEntered { phase: Phase::SteadyState }),
        event(10.0, EventKind::PhaseEntered { phase: Phase::Undo }),
        event(10.1, EventKind::RunEnded { ending: Ending::Untouched { because } }),
    ];
    let report = build(&record);
    assert_eq!(report.verdict, Outcome::Inconclusive);
    assert!(report.because.starts_with("nothing was touched: the steady state"), "{}", report.because);
    assert!(report.objectives.iter().all(|o| o.verdict == Verdict::Inconclusive), "{:#?}", report.objectives);
    assert!(report.fault.is_none());
    assert_eq!(report.steps[0].outcome, "skipped");
}

#[test]
fn first_errors_are_told_by_probe_and_not_among_the_notes() {
    let mut record = drill();
    let text = "storefront: first refused: 127.0.0.1:80: connection refused";
    record.events.push(event(11.0, EventKind::Noted { text: text.into() }));
    record.events.push(event(11.0, EventKind::Noted { text: "throttled twice".into() }));
    let report = build(&record);
    assert_eq!(
        report.probes[0].first_errors.get("refused").map(String::as_str),
        Some("127.0.0.1:80: connection refused")
    );
    assert_eq!(report.notes, ["throttled twice"]);
}
