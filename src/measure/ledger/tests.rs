//! Negative controls: each anomaly planted, each found, none found where there is none.

use super::*;
use crate::journal::fixture::{event, header, sample};
use crate::timeline::Timeline;

const FAULT: f64 = 10.0;

/// Writes every 0.05 s for 20 s: acknowledged but for a second after the fault, in which they fail.
fn samples() -> Vec<Sample> {
    (0..400)
        .map(|seq| {
            let sent = f64::from(seq) * 0.05;
            let down = (FAULT..FAULT + 1.0).contains(&sent);
            sample(1, seq, sent, sent + 0.004, if down { Class::FailFast } else { Class::Ok })
        })
        .collect()
}

fn record(samples: Vec<Sample>, reading: Option<Reading>) -> Record {
    let mut events = vec![event(
        FAULT,
        EventKind::CallSent { step: "fail over".into(), operation: "op".into(), resource: "db".into() },
    )];
    if let Some(reading) = reading {
        events.push(event(22.0, EventKind::LedgerRead { probe: "orders".to_owned(), reading }));
    }
    Record { header: header(), events, samples, chain_head: String::new(), cut: false }
}

fn reading(present: &[(u32, u32)]) -> Reading {
    Reading {
        began_ns: Moment::from_secs(21.0),
        done_ns: Moment::from_secs(21.5),
        present: present.to_vec(),
        stable: true,
        ..Reading::default()
    }
}

fn measured(record: &Record) -> Ledger {
    let timeline = Timeline::of(record);
    Ledger::of(&timeline.tracks[1], record, timeline.fault.as_ref().map(|fault| fault.sent))
}

fn found(present: &[(u32, u32)]) -> Ledger {
    measured(&record(samples(), Some(reading(present))))
}

/// Failed: 200 to 219.
const ALL: [(u32, u32); 2] = [(0, 199), (220, 399)];

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    let ledger = found(&ALL);
    let expected = Ledger {
        probe: "orders".to_owned(),
        attempted: 400,
        acked: 380,
        acked_before: 200,
        acked_after: 180,
        seconds: Some(Interval::new(0.0, 0.0)),
        stable: true,
        resolution: 0.05,
        pace: Pace { before: 100, before_due: 100, down: 20, down_due: 20, recovered: Some(180) },
        ..Ledger::default()
    };
    assert_eq!(ledger, expected);
}

#[test]
fn the_ranges_may_come_in_any_order_and_overlap() {
    assert_eq!(found(&[(220, 399), (100, 199), (0, 150), (5, 9)]), found(&ALL));
}

#[test]
fn a_lost_tail_is_counted_and_timed() {
    let ledger = found(&[(0, 193), (220, 399)]);
    assert_eq!((ledger.lost, ledger.lost_ranges.as_slice()), (6, [(194, 199)].as_slice()));
    assert_eq!(ledger.hole, None);
    // From the acknowledgement of 194 to that of 199; from the sending of 193 to the same.
    let seconds = ledger.seconds.unwrap();
    assert!((seconds.lo - 5.0 * 0.05).abs() < 1e-6, "{seconds:?}");
    assert!((seconds.hi.unwrap() - (6.0 * 0.05 + 0.004)).abs() < 1e-6, "{seconds:?}");
}

#[test]
fn one_lost_write_spans_up_to_a_spacing() {
    let seconds = found(&[(0, 198), (220, 399)]).seconds.unwrap();
    assert_eq!(seconds.lo, 0.0);
    assert!(seconds.hi.unwrap() > 0.05, "{seconds:?}");
}

#[test]
fn a_hole_is_no_tail() {
    let ledger = found(&[(0, 149), (151, 199), (220, 399)]);
    assert_eq!((ledger.lost, ledger.hole), (1, Some((150, 151))));
    // After the last outage only a sandwiched survivor is a hole: some always follow.
    let ledger = found(&[(0, 199), (220, 299), (310, 399)]);
    assert_eq!((ledger.lost, ledger.hole), (10, None));
    let ledger = found(&[(0, 199), (220, 299), (310, 319), (330, 399)]);
    assert_eq!((ledger.lost, ledger.hole), (20, Some((300, 310))));
}

#[test]
fn everything_lost_has_no_upper_bound() {
    let ledger = found(&[]);
    assert_eq!(ledger.lost, 380);
    assert_eq!(ledger.seconds.unwrap().hi, None);
}

#[test]
fn a_certain_failure_that_is_there_is_a_phantom() {
    assert_eq!(found(&[(0, 199), (205, 206), (220, 399)]).phantom, 2);
}

#[test]
fn what_was_never_written_is_unexpected() {
    assert_eq!(found(&[(0, 199), (220, 402)]).unexpected, 3);
    let mut strange = reading(&ALL);
    strange.unexpected = 2;
    strange.duplicated = 5;
    let ledger = measured(&record(samples(), Some(strange)));
    assert_eq!((ledger.unexpected, ledger.duplicated, ledger.lost), (2, 5, 0));
}

#[test]
fn in_a_cut_record_the_newest_numbers_are_not_unexpected() {
    let mut record = record(samples(), Some(reading(&[(0, 199), (220, 402)])));
    record.cut = true;
    assert_eq!(measured(&record).unexpected, 0);
}

#[test]
fn an_unknown_outcome_is_never_a_loss() {
    let mut samples = samples();
    samples[150].class = Class::Info;
    samples[151].class = Class::Timeout;
    samples[152].class = Class::Shed;
    let ledger = measured(&record(samples, Some(reading(&[(0, 150), (153, 199), (220, 399)]))));
    assert_eq!((ledger.recovered, ledger.indeterminate, ledger.lost), (1, 1, 0));
    assert_eq!((ledger.attempted, ledger.acked), (399, 377));
}

#[test]
fn a_late_acknowledgement_is_one() {
    let mut samples = samples();
    samples[399].class = Class::Slow;
    let ledger = measured(&record(samples, Some(reading(&[(0, 199), (220, 398)]))));
    assert_eq!((ledger.acked, ledger.lost), (380, 1));
}

#[test]
fn a_write_acknowledged_after_the_read_began_is_unread_and_not_lost() {
    let mut reading = reading(&[(0, 199), (220, 397)]);
    reading.began_ns = Moment::from_secs(19.9);
    let ledger = measured(&record(samples(), Some(reading)));
    assert_eq!((ledger.unread, ledger.lost), (2, 0));
}

#[test]
fn a_ledger_that_was_not_read_claims_nothing() {
    let ledger = measured(&record(samples(), None));
    assert_eq!((ledger.acked, ledger.seconds, ledger.lost), (380, None, 0));
    assert!(ledger.error.is_some());
    let failed = Reading { error: Some("connection refused".to_owned()), ..Reading::default() };
    let ledger = measured(&record(samples(), Some(failed)));
    assert_eq!((ledger.error.as_deref(), ledger.lost), (Some("connection refused"), 0));
}

#[test]
fn a_million_writes_are_compared_at_once() {
    let samples: Vec<Sample> = (0..1_000_000)
        .map(|seq| sample(1, seq, f64::from(seq) * 1e-3, f64::from(seq) * 1e-3 + 1e-4, Class::Ok))
        .collect();
    let mut reading = reading(&[(0, 499_999), (500_003, 999_999)]);
    reading.began_ns = Moment::from_secs(2000.0);
    let ledger = measured(&record(samples, Some(reading)));
    assert_eq!((ledger.acked, ledger.lost, ledger.lost_ranges), (1_000_000, 3, vec![(500_000, 500_002)]));
}
