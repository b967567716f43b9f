use super::*;
use crate::journal::Record;
use crate::journal::fixture::{event, header, sample};
use crate::measure::Measures;
use crate::run::event::EventKind;
use crate::sample::Class;

const DAY: f64 = 86_400.0;

/// Seconds of which those in `down` failed altogether.
fn seconds(count: usize, down: std::ops::Range<usize>) -> Vec<Second> {
    let second = |at| if down.contains(&at) { (0, 10) } else { (10, 0) };
    (0..count).map(|at| Second { good: second(at).0, bad: second(at).1, slow: 0 }).collect()
}

fn needs(slo: f64) -> [f64; 3] {
    let pages = pages(&[], slo);
    [0, 1, 2].map(|at| (pages[at].needs * 10.0).round() / 10.0)
}

#[test]
fn the_time_of_full_outage_that_a_page_takes_is_that_of_the_reference() {
    assert_eq!(needs(0.99), [518.4, 1296.0, 2592.0]);
    assert_eq!(needs(0.999), [51.8, 129.6, 259.2]);
    assert_eq!(needs(0.9995), [25.9, 64.8, 129.6]);
    assert_eq!(needs(0.9999), [5.2, 13.0, 25.9]);
}

#[test]
fn a_page_fires_with_the_second_that_completes_its_time() {
    let fired = |down: std::ops::Range<usize>| pages(&seconds(600, down), 0.999).map_fired();
    assert_eq!(fired(100..151), [None, None, None]);
    assert_eq!(fired(100..152), [Some(152.0), None, None]);
    assert_eq!(fired(100..400), [Some(152.0), Some(230.0), Some(360.0)]);
    // Half of the requests take twice the time.
    let half: Vec<Second> = (0..600).map(|_| Second { good: 5, bad: 5, slow: 0 }).collect();
    assert_eq!(pages(&half, 0.999).map_fired(), [Some(104.0), Some(260.0), Some(519.0)]);
}

#[test]
fn both_windows_must_burn() {
    // Over the hour there was enough, but the five minutes before were good again.
    let mut long_ago = seconds(2000, 0..52);
    long_ago[0..52].iter_mut().for_each(|second| *second = Second { good: 1, bad: 1, slow: 0 });
    long_ago.splice(1000..1020, seconds(20, 0..0));
    assert_eq!(pages(&long_ago, 0.999)[0].fired, None);
    // The last second needed comes when the first are no longer in the short window, and it alone is too little there.
    let mut apart = seconds(2000, 0..51);
    apart[1000] = Second { good: 0, bad: 10, slow: 0 };
    assert!(pages(&apart, 0.999)[0].highest >= 14.4);
    assert_eq!(pages(&apart, 0.999)[0].fired, None);
    // A second without a sample adds nothing.
    let mut gap = seconds(600, 100..152);
    gap[120] = Second::default();
    assert_eq!(pages(&gap, 0.999)[0].fired, None);
}

trait MapFired {
    fn map_fired(&self) -> [Option<f64>; 3];
}

impl MapFired for Vec<Page> {
    fn map_fired(&self) -> [Option<f64>; 3] {
        [self[0].fired, self[1].fired, self[2].fired]
    }
}

/// A drill with the fault at 10 s: down from there for `down` seconds, then good up to `until`.
fn budget(down: f64, until: f64, slo: f64, time_slice: Option<TimeSlice>) -> Budget {
    let mut header = header();
    header.probes.truncate(1);
    header.objectives.error_budget =
        Some(ErrorBudget { slo, over: 30.0 * DAY, spend_at_most: 0.1, time_slice });
    let samples = (0..(until * 10.0) as u32).map(|seq| {
        let at = f64::from(seq) * 0.1;
        let class = if (10.0..10.0 + down).contains(&at) { Class::FailFast } else { Class::Ok };
        sample(0, seq, at, at + 0.001, class)
    });
    let call =
        EventKind::CallSent { step: "fail over".into(), operation: "op".into(), resource: "db".into() };
    let events = vec![
        event(10.0, call),
        event(until, EventKind::RunEnded { ending: crate::run::event::Ending::Completed }),
    ];
    let record = Record { header, events, samples: samples.collect(), chain_head: String::new(), cut: false };
    let timeline = Timeline::of(&record);
    Measures::of(&record, &timeline).budgets.remove(0).unwrap()
}

fn per_cent(interval: Interval) -> f64 {
    assert!(interval.hi.unwrap() - interval.lo < 1e-9, "{interval:?}");
    (interval.lo * 1000.0).round() / 10.0
}

#[test]
fn what_an_outage_spends_is_that_of_the_reference() {
    assert_eq!(per_cent(budget(90.0, 110.0, 0.999, None).spent), 3.5);
    assert_eq!(per_cent(budget(90.0, 110.0, 0.9999, None).spent), 34.7);
    assert_eq!(per_cent(budget(30.0, 50.0, 0.999, None).spent), 1.2);
    assert_eq!(per_cent(budget(30.0, 50.0, 0.9999, None).spent), 11.6);
    // However long was watched after it.
    assert_eq!(per_cent(budget(90.0, 300.0, 0.999, None).spent), 3.5);
    assert_eq!(budget(90.0, 110.0, 0.999, None).pages[0].fired, Some(62.0));
}

#[test]
fn a_slice_is_good_bad_or_unknown() {
    let slice = |target| Some(TimeSlice { window: 60.0, target });
    let found = budget(90.0, 250.0, 0.999, slice(0.95));
    assert_eq!(found.slices, Some(Slices { good: 2, bad: 2, unknown: 0 }));
    assert_eq!(per_cent(found.spent), 4.6, "120 s of 2592 s");
    // Half served is enough for the second slice.
    let found = budget(90.0, 250.0, 0.999, slice(0.5));
    assert_eq!(found.slices, Some(Slices { good: 3, bad: 1, unknown: 0 }));
}
