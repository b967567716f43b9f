//! Each guardrail, tripping and not tripping, at the edges of its window.

use super::*;
use crate::run::guardrail::{Measure, Window};

/// A script with one step and this guardrail, called `the rule`.
fn with(watch: Watch) -> Script {
    let mut script = script(&["break it"]);
    script.steady_state.availability = 0.0;
    script.guardrails = vec![Guardrail { rule: "the rule".to_owned(), watch }];
    script
}

fn window(measure: Measure, over: u64) -> Watch {
    Watch::Window(Window::new(0, measure, Duration::from_secs(over), Duration::from_millis(100), 10))
}

fn available(below: f64, over: u64) -> Watch {
    window(Measure::Availability { below }, over)
}

/// When it tripped, in milliseconds, and what it had seen.
fn trip(drive: &Drive) -> Option<(u64, String)> {
    drive.log.iter().find_map(|(at, decision)| match decision {
        Decision::Record(EventKind::GuardrailTripped { because, .. }) => Some((*at, because.clone())),
        _ => None,
    })
}

fn ended(drive: &mut Drive) -> Ending {
    drive.push(Input::LedgersRead);
    drive.push(Input::UndoFinished);
    drive.ending().cloned().expect("it is over")
}

impl Drive {
    /// Into the steps, with the fault sent at 2.5 s.
    fn broken(script: Script) -> Drive {
        let mut drive = Drive::new(script);
        drive.samples(2500, Class::Ok);
        drive.push(Input::FaultSent { step: 0 });
        drive
    }

    /// Samples that take `took` milliseconds until `until`; good unless they never came.
    fn slow(&mut self, until: u64, took: u64, class: Class) {
        while self.now < until {
            let due = Moment(self.now.saturating_sub(took) * 1_000_000);
            let done = Moment(self.now * 1_000_000);
            self.push(Input::Sample(Sample { scheduled: due, sent: due, done, class, ..Sample::default() }));
            self.push(Input::Tick);
            self.now += 100;
        }
    }

    fn tell(&mut self, signal: Signal) {
        self.push(Input::Outside { source: 0, signal });
    }

    fn ticks(&mut self, until: u64) {
        while self.now < until {
            self.push(Input::Tick);
            self.now += 100;
        }
    }
}

#[test]
fn a_share_of_bad_answers_in_a_full_window_trips() {
    // 90 % over 2 s of 20 samples: two may be bad, the third trips.
    let mut drive = Drive::broken(with(available(0.9, 2)));
    drive.samples(2700, Class::FailFast);
    assert_eq!(trip(&drive), None, "exactly 90 % is not below it");
    drive.samples(2800, Class::FailFast);
    let (at, seen) = trip(&drive).expect("the third bad one");
    assert_eq!(at, 2700);
    assert_eq!(seen, "85.0 % good (3 of 20 samples bad) in the last 2s");
    let by = "guardrail `the rule`: 85.0 % good (3 of 20 samples bad) in the last 2s".to_owned();
    assert_eq!(ended(&mut drive), Ending::Aborted { by });
}

#[test]
fn what_has_left_the_window_counts_no_more() {
    let mut drive = Drive::broken(with(available(0.9, 2)));
    drive.samples(2700, Class::FailFast);
    // The bad ones of 2.5 and 2.6 s are out of the window at 4.5 and 4.6 s.
    drive.samples(4600, Class::Ok);
    drive.samples(4700, Class::FailFast);
    assert_eq!(trip(&drive), None);
    drive.samples(4800, Class::FailFast);
    assert_eq!(trip(&drive), None);
    drive.samples(4900, Class::FailFast);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(4800));
}

#[test]
fn a_window_that_is_not_full_counts_the_rest_as_good() {
    // 90 % over 10 s: ten bad samples may be, and not one of the first ten.
    let mut script = with(available(0.9, 10));
    script.steady_state.watch = 1.0;
    let mut drive = Drive::new(script);
    drive.samples(1500, Class::Ok);
    drive.samples(2500, Class::FailFast);
    assert_eq!(trip(&drive), None, "ten of a hundred");
    drive.samples(2600, Class::FailFast);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(2500));
}

#[test]
fn fewer_samples_than_the_least_say_nothing() {
    let mut script = with(available(0.99, 1));
    script.steady_state.watch = 0.3;
    let mut drive = Drive::new(script);
    drive.samples(900, Class::FailFast);
    assert_eq!(trip(&drive), None, "nine samples");
    drive.samples(1000, Class::FailFast);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(900));
}

#[test]
fn a_percentile_trips_when_too_many_are_late_and_not_before() {
    // p90 over 2 s of 20 samples: two may be late.
    let late = Measure::Latency { above: Duration::from_millis(800), percentile: 90.0 };
    let mut drive = Drive::broken(with(window(late, 2)));
    drive.slow(2700, 900, Class::Ok);
    drive.samples(4000, Class::Ok);
    assert_eq!(trip(&drive), None);
    let mut drive = Drive::broken(with(window(late, 2)));
    drive.slow(3000, 800, Class::Ok);
    assert_eq!(trip(&drive), None, "800 ms are not above 800 ms");
    drive.slow(3300, 900, Class::Ok);
    let (at, seen) = trip(&drive).expect("three of twenty");
    assert_eq!(at, 3200);
    assert_eq!(seen, "p90 is 0.900 s (3 of 20 samples above 800ms) in the last 2s");
}

#[test]
fn an_answer_that_never_came_is_late_and_one_refused_at_once_is_not() {
    let late = Measure::Latency { above: Duration::from_millis(800), percentile: 90.0 };
    let mut drive = Drive::broken(with(window(late, 2)));
    drive.samples(6000, Class::FailFast);
    assert_eq!(trip(&drive), None);
    let mut drive = Drive::broken(with(window(late, 2)));
    drive.slow(3000, 2000, Class::Timeout);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(2700));
}

#[test]
fn a_lookout_that_alarms_stops_the_run_whatever_the_steps_do() {
    let mut drive = Drive::new(with(Watch::Outside { source: 0 }));
    drive.tell(Signal::Calm("it is OK".to_owned()));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.tell(Signal::Calm("it is INSUFFICIENT_DATA".to_owned()));
    assert_eq!(trip(&drive), None);
    drive.tell(Signal::Alert("it is in ALARM".to_owned()));
    assert_eq!(trip(&drive), Some((2500, "it is in ALARM".to_owned())));
    assert!(drive.at(&Decision::StopSteps).is_some(), "the step is still under way");
    assert!(matches!(ended(&mut drive), Ending::Aborted { .. }));
}

#[test]
fn a_lookout_that_cannot_be_read_stops_the_run_after_a_while_and_says_so() {
    let mut drive = Drive::new(with(Watch::Outside { source: 0 }));
    drive.samples(1500, Class::Ok);
    drive.tell(Signal::Calm("fine".to_owned()));
    drive.samples(2500, Class::Ok);
    drive.push(Input::FaultSent { step: 0 });
    drive.ticks(5000);
    drive.tell(Signal::Unread("connection refused".to_owned()));
    drive.tell(Signal::Unread("connection refused".to_owned()));
    let notes = drive
        .log
        .iter()
        .filter(|(_, decision)| matches!(decision, Decision::Record(EventKind::Noted { .. })));
    assert_eq!(notes.count(), 1, "it is said once");
    drive.ticks(16_500);
    assert_eq!(trip(&drive), None, "15 s since the last word at 1.5 s are not over");
    drive.ticks(16_600);
    let seen = "it could not be read for 15 s: connection refused".to_owned();
    assert_eq!(trip(&drive), Some((16_500, seen)));
}

#[test]
fn a_run_does_not_begin_while_a_guardrail_cannot_be_read() {
    let mut drive = Drive::new(with(Watch::Outside { source: 0 }));
    drive.samples(3000, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), None, "nothing was told yet");
    drive.tell(Signal::Unread("denied".to_owned()));
    drive.samples(20_000, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), None);
    let Ending::Untouched { because } = ended(&mut drive) else { panic!("nothing was touched") };
    assert!(because.contains("guardrail `the rule` cannot be read: denied"), "{because}");

    let mut drive = Drive::new(with(Watch::Outside { source: 0 }));
    drive.samples(3000, Class::Ok);
    drive.tell(Signal::Calm("fine".to_owned()));
    drive.samples(3100, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), Some(3000), "it begins as soon as it is told");
}

#[test]
fn a_guardrail_that_trips_before_the_first_step_leaves_everything_untouched() {
    let mut drive = Drive::new(with(Watch::Outside { source: 0 }));
    drive.samples(1000, Class::Ok);
    drive.tell(Signal::Alert("it is in ALARM".to_owned()));
    drive.samples(5000, Class::Ok);
    assert_eq!(drive.at(&Decision::Start(0)), None);
    let because = "guardrail `the rule`: it is in ALARM".to_owned();
    assert_eq!(ended(&mut drive), Ending::Untouched { because });
}

#[test]
fn a_run_stops_while_its_undo_still_fits() {
    // Nothing to undo: the limit is the limit.
    let mut drive = Drive::broken(with(elapsed(20, None)));
    drive.ticks(20_000);
    assert_eq!(trip(&drive), None);
    drive.ticks(20_100);
    assert_eq!(trip(&drive), Some((20_000, "20.0 s have passed".to_owned())));

    // Two steps that take 4 s to undo in all.
    let mut drive = Drive::broken(with(elapsed(20, None)));
    drive.push(Input::UndoPrepared { takes: Duration::from_secs(3) });
    drive.push(Input::UndoPrepared { takes: Duration::from_secs(1) });
    drive.ticks(16_000);
    assert_eq!(trip(&drive), None);
    drive.ticks(16_100);
    let (at, seen) = trip(&drive).expect("it would no longer fit");
    assert_eq!(at, 16_000);
    assert_eq!(seen, "16.0 s have passed, and the undo usually takes up to 4s: later it would no longer fit");
}

#[test]
fn what_the_file_says_of_the_undo_goes_before_what_is_usual() {
    let mut drive = Drive::broken(with(elapsed(20, Some(12))));
    drive.ticks(10_000);
    assert_eq!(trip(&drive), None, "nothing to undo yet");
    let mut drive = Drive::broken(with(elapsed(20, Some(12))));
    // A program, of which nobody knows how long it takes.
    drive.push(Input::UndoPrepared { takes: Duration::ZERO });
    drive.ticks(8000);
    assert_eq!(trip(&drive), None);
    drive.ticks(8100);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(8000));
}

#[test]
fn while_the_ledgers_are_read_a_deadline_and_an_alarm_still_count() {
    let mut script = with(elapsed(15, None));
    script.guardrails.push(Guardrail { rule: "of a probe".to_owned(), watch: available(0.9, 2) });
    let mut drive = Drive::broken(script);
    drive.step_done(0);
    drive.samples(9000, Class::Ok);
    assert!(drive.at(&Decision::ReadLedgers).is_some());
    drive.samples(14_900, Class::FailFast);
    assert_eq!(trip(&drive), None, "samples that come after the end of probing judge nothing");
    drive.ticks(15_100);
    assert_eq!(trip(&drive).map(|(at, _)| at), Some(15_000));
    assert!(drive.at(&Decision::Undo).is_some());
}
