use super::*;
use crate::journal::Record;
use crate::journal::fixture::{event, header, sample};
use crate::measure::Measures;
use crate::run::event::{Ending, EventKind};
use crate::sample::Class;

/// How one sample goes, by the instant it is sent: its class, and how long it takes.
type Service = fn(f64) -> (Class, f64);

/// A run of 60 s, ten samples a second, with the fault at 20 s; the confirmation time is 5 s.
fn measured(service: Service, detected: Option<(f64, f64)>) -> Recovery {
    let mut header = header();
    header.probes.truncate(1);
    let samples = (0..600).map(|seq| {
        let at = f64::from(seq) * 0.1;
        let (class, took) = service(at);
        sample(0, seq, at, at + took, class)
    });
    let call =
        EventKind::CallSent { step: "fail over".into(), operation: "op".into(), resource: "db".into() };
    let events = vec![event(20.0, call), event(60.0, EventKind::RunEnded { ending: Ending::Completed })];
    let record = Record { header, events, samples: samples.collect(), chain_head: String::new(), cut: false };
    let mut timeline = Timeline::of(&record);
    timeline.detected = detected.map(|(from, to)| (Moment::from_secs(from), Moment::from_secs(to)));
    Measures::of(&record, &timeline).services.remove(0).recovery.unwrap()
}

fn near(found: Interval, lo: f64, hi: f64) {
    let close = |a: f64, b: f64| (a - b).abs() < 0.02;
    assert!(
        close(found.lo, lo) && found.hi.is_some_and(|found| close(found, hi)),
        "{found:?} is not [{lo}, {hi}]"
    );
}

fn down_from_22_to_28(at: f64) -> (Class, f64) {
    if (22.0..28.0).contains(&at) { (Class::FailFast, 0.001) } else { (Class::Ok, 0.004) }
}

#[test]
fn each_definition_has_its_begin() {
    let found = measured(down_from_22_to_28, Some((23.0, 24.0)));
    near(found.from_injection, 7.9, 8.004);
    near(found.from_first_failure, 5.9, 6.104);
    near(found.from_detection.unwrap(), 3.9, 5.004);
    near(found.total_down, 5.9, 6.104);
    near(found.full.unwrap(), 7.9, 8.004);
    assert_eq!(measured(down_from_22_to_28, None).from_detection, None);
}

#[test]
fn two_outages_count_once_each_in_the_total() {
    let service: Service = |at| match at {
        22.0..24.0 | 35.0..38.0 => (Class::FailFast, 0.001),
        _ => (Class::Ok, 0.004),
    };
    let found = measured(service, None);
    near(found.from_injection, 17.9, 18.004);
    near(found.from_first_failure, 15.9, 16.104);
    near(found.total_down, 1.9 + 2.9, 2.104 + 3.104);
}

#[test]
fn full_recovery_is_the_end_of_the_brown_out() {
    let service: Service = |at| match at {
        22.0..28.0 => (Class::FailFast, 0.001),
        28.0..40.0 => (Class::Ok, 0.080),
        _ => (Class::Ok, 0.004),
    };
    let found = measured(service, None);
    near(found.from_injection, 7.9, 8.08);
    near(found.full.unwrap(), 19.9, 20.004);
    // Without an outage as well; and one slow answer alone is none.
    let slow: Service = |at| if (25.0..30.0).contains(&at) { (Class::Ok, 0.080) } else { (Class::Ok, 0.004) };
    let found = measured(slow, None);
    assert_eq!(found.from_injection.lo, 0.0);
    let once: Service =
        |at| if (25.0..25.05).contains(&at) { (Class::Ok, 0.080) } else { (Class::Ok, 0.004) };
    assert_eq!(measured(once, None).full, Some(measured(once, None).from_injection));
}

#[test]
fn what_never_gets_well_again_has_no_upper_bound() {
    let slow: Service = |at| if at >= 22.0 { (Class::Ok, 0.080) } else { (Class::Ok, 0.004) };
    let found = measured(slow, None);
    assert_eq!(found.from_injection.lo, 0.0);
    assert_eq!(found.full.unwrap().hi, None);
    let down: Service = |at| if at >= 22.0 { (Class::FailFast, 0.001) } else { (Class::Ok, 0.004) };
    let found = measured(down, None);
    for seconds in [found.from_injection, found.from_first_failure, found.total_down, found.full.unwrap()] {
        assert_eq!(seconds.hi, None, "{found:?}");
    }
}

#[test]
fn few_bad_samples_close_together_are_a_degradation_and_scattered_ones_are_chance() {
    let degraded: Service = |at| {
        let bad = [21.05, 21.55, 22.15].iter().any(|start| (start - 0.05..start + 0.05).contains(&at));
        if bad { (Class::FailFast, 0.001) } else { (Class::Ok, 0.004) }
    };
    let found = measured(degraded, None);
    assert!(found.from_injection.hi.is_some_and(|hi| hi > 2.0), "{found:?}");
    let chance: Service = |at| {
        let bad = [21.05, 24.55, 28.15].iter().any(|start| (start - 0.05..start + 0.05).contains(&at));
        if bad { (Class::FailFast, 0.001) } else { (Class::Ok, 0.004) }
    };
    let found = measured(chance, None);
    assert!(found.from_injection.hi.is_some_and(|hi| hi < 0.5), "{found:?}");
}
