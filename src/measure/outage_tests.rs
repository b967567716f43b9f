use super::*;
use crate::journal::Record;
use crate::journal::fixture::{event, header, sample};
use crate::measure::Measures;
use crate::measure::service::{Recovered, Rto};
use crate::run::event::EventKind;
use crate::timeline::Timeline;

/// Samples every 0.1 s, each answered within 5 ms; the storefront times out between the two instants.
fn drill(fault: f64, down: (f64, f64)) -> (Vec<Outage>, Rto) {
    let samples = (0..300)
        .map(|seq| {
            let at = f64::from(seq) * 0.1;
            let bad = (down.0..down.1).contains(&at);
            let (lasts, class) = if bad { (0.9, Class::Timeout) } else { (0.005, Class::Ok) };
            sample(0, seq, at, at + lasts, class)
        })
        .collect();
    let sent =
        EventKind::CallSent { step: "fail over".into(), operation: "op".into(), resource: "db".into() };
    let events = vec![event(fault, sent)];
    let record = Record { header: header(), events, samples, chain_head: String::new(), cut: false };
    let mut measures = Measures::of(&record, &Timeline::of(&record));
    let storefront = measures.services.swap_remove(0);
    (storefront.outages, storefront.rto.unwrap())
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found}, and {expected} was expected");
}

#[test]
fn an_outage_begins_with_its_cause_at_the_earliest() {
    let (outages, rto) = drill(10.07, (10.05, 14.05));
    // From the call, and not from the last good sample at 10.0, to the first timeout's end.
    near(outages[0].begin.lo, 10.07);
    near(outages[0].begin.hi.unwrap(), 11.0);
    // From the last timeout's sending to the first good answer.
    near(outages[0].end.lo, 14.0);
    near(outages[0].end.hi.unwrap(), 14.105);
    // Down by twice 5 ms after the first timeout was sent, and not only by its deadline.
    near(outages[0].duration.lo, 14.0 - 10.11);
    near(outages[0].duration.hi.unwrap(), 14.105 - 10.07);
    near(rto.seconds.lo, 14.0 - 10.07);
    near(rto.seconds.hi.unwrap(), 14.105 - 10.07);
}

#[test]
fn trouble_that_is_older_than_the_call_is_not_dated_after_it() {
    // Down for two seconds before the call, and decided so.
    let (outages, rto) = drill(12.0, (10.05, 14.05));
    near(outages[0].begin.lo, 10.0);
    near(rto.seconds.lo, 2.0);
    // The first timeout was still open at the call, but ought to have been answered before it.
    let (outages, _) = drill(10.5, (10.05, 14.05));
    near(outages[0].begin.lo, 10.0);
}

#[test]
fn an_outage_that_was_over_before_the_fault_is_no_recovery_from_it() {
    let (outages, rto) = drill(20.0, (10.05, 12.05));
    assert_eq!(outages.len(), 1);
    assert_eq!(rto.how, Recovered::NeverDown);
    assert_eq!(rto.seconds.lo, 0.0);
}

#[test]
fn what_has_no_begin_or_no_end_has_no_longest_length() {
    let (outages, _) = drill(1.0, (0.0, 4.05));
    assert_eq!((outages[0].begin.lo, outages[0].duration.hi), (0.0, None));
    assert_eq!(outages[0].proof.0, None);
    let (outages, rto) = drill(10.0, (10.05, 40.0));
    assert_eq!((outages[0].end.hi, outages[0].duration.hi), (None, None));
    near(outages[0].end.lo, 29.9);
    assert_eq!(rto.how, Recovered::Unconfirmed);
    near(rto.seconds.lo, 19.9);
}
