use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::clock::Moment;
use crate::probe::Answer;
use crate::sample::{Cause, Class};

fn entries(seqs: &[i64]) -> Entries {
    Entries { seqs: seqs.to_vec(), foreign: 0 }
}

fn acked(at: f64, who: &str) -> Answer {
    Answer::good(Moment::from_secs(at - 0.001), Moment::from_secs(at), 0).by(who)
}

#[test]
fn entries_become_ranges() {
    let reading = digest(entries(&[5, 0, 1, 2, 2, 2, 7, 9, -1]), 9);
    assert_eq!(reading.present, [(0, 2), (5, 5), (7, 7)]);
    assert_eq!((reading.duplicated, reading.unexpected), (2, 2));
}

#[test]
fn another_runs_entries_are_unexpected() {
    let reading = digest(Entries { seqs: vec![0], foreign: 3 }, 1);
    assert_eq!((reading.present, reading.unexpected), (vec![(0, 0)], 3));
}

#[tokio::test]
async fn a_read_counts_when_the_next_two_agree() {
    let rules = Rules { every: Duration::from_millis(1), ..Rules::default() };
    let attempts = Attempts::new(rules);
    attempts.note(2);
    let reads = AtomicUsize::new(0);
    let read = || async {
        match reads.fetch_add(1, Ordering::SeqCst) {
            0 | 1 => Ok(entries(&[0])),
            2 => Err("gone".to_owned()),
            _ => Ok(entries(&[0, 2])),
        }
    };
    let reading = read_until_stable(&Clock::start(), &attempts, read).await;
    assert!(reading.stable);
    assert_eq!((reading.present, reading.reads), (vec![(0, 0), (2, 2)], 3));
    assert_eq!(reads.load(Ordering::SeqCst), 6);
}

#[tokio::test]
async fn the_final_read_waits_until_things_have_settled() {
    let rules = Rules { settle: Duration::from_millis(300), every: Duration::from_millis(1) };
    let attempts = Attempts::new(rules);
    let clock = Clock::start();
    let bad = Answer { class: Class::FailFast, cause: Cause::Refused, ..acked(0.0, "a") };
    attempts.decided(0, &Answer { done: clock.now(), ..bad });
    let reading = read_until_stable(&clock, &attempts, || async { Ok(entries(&[])) }).await;
    assert!(reading.began_ns.secs() >= 0.3, "{}", reading.began_ns);
}

#[test]
fn who_took_over_is_known_by_its_acknowledgements() {
    let attempts = Attempts::default();
    assert!(!attempts.superseded("old"));
    attempts.placed(0, &acked(1.0, "old"), Some(100));
    attempts.placed(1, &acked(1.1, "old"), Some(110));
    assert!(!attempts.superseded("old"));
    attempts.placed(2, &acked(2.0, "new"), Some(105));
    assert!(attempts.superseded("old") && !attempts.superseded("new"));
    let told = attempts.told(Reading::default());
    let places: Vec<(u32, u64)> = told.positions.iter().map(|place| (place.seq, place.byte)).collect();
    assert_eq!(places, [(1, 110), (2, 105)]);
}

#[tokio::test]
async fn a_light_read_that_misses_what_was_acknowledged_is_kept() {
    let attempts = Attempts::default();
    let clock = Clock::start();
    for seq in 0..3 {
        attempts.decided(seq, &Answer { done: clock.now(), ..acked(0.0, "a") });
    }
    let read = |first: u32| async move {
        assert_eq!(first, 0);
        Ok(Glance { seqs: vec![0, 2], who: Some("replica".to_owned()) })
    };
    let every = Duration::from_millis(20);
    let looking = glimpse_every(&clock, &attempts, every, Duration::from_secs(1), read);
    let over = tokio::time::timeout(Duration::from_millis(200), looking).await;
    assert!(over.is_err(), "it goes on until it is dropped");
    let glimpses = attempts.told(Reading::default()).glimpses;
    assert!(glimpses.reads >= 1 && glimpses.failed == 0, "{glimpses:?}");
    assert_eq!(glimpses.missed[0].missing, [(1, 1)]);
    assert_eq!(glimpses.missed[0].who.as_deref(), Some("replica"));
}
