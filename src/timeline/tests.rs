use super::*;
use crate::journal::fixture::{event, header, sample, step};
use crate::sample::{Class, Sample};

fn record(events: Vec<Event>, samples: Vec<Sample>) -> Record {
    Record { header: header(), events, samples, chain_head: String::new(), cut: false }
}

fn call(at: f64, step: &str, outcome: Option<CallOutcome>) -> Vec<Event> {
    let (operation, resource) = ("op".to_owned(), "db".to_owned());
    let sent =
        EventKind::CallSent { step: step.into(), operation: operation.clone(), resource: resource.clone() };
    let mut events = vec![event(at, sent)];
    if let Some(outcome) = outcome {
        let back = EventKind::CallReturned { step: step.into(), operation, resource, outcome, detail: None };
        events.push(event(at + 0.5, back));
    }
    events
}

/// Samples of the storefront every 0.1 s: `.` good, `x` bad, `t` timeout, `v` void.
fn seen(text: &str) -> Vec<Sample> {
    let class = |letter| match letter {
        'x' => Class::FailFast,
        't' => Class::Timeout,
        'v' => Class::Void,
        _ => Class::Ok,
    };
    let lasts = |letter| if letter == 't' { 0.9 } else { 0.005 };
    text.chars()
        .enumerate()
        .map(|(n, letter)| {
            let at = n as f64 * 0.1;
            sample(0, n as u32, at, at + lasts(letter), class(letter))
        })
        .collect()
}

/// The outages of a text of samples: first bad, last bad, first good.
fn spans(text: &str) -> Vec<(usize, usize, Option<usize>)> {
    let timeline = Timeline::of(&record(Vec::new(), seen(text)));
    timeline.tracks[0].spans.iter().map(|span| (span.first_bad, span.last_bad, span.first_good)).collect()
}

fn good(count: usize) -> String {
    ".".repeat(count)
}

#[test]
fn the_clock_starts_with_the_first_call_that_may_have_changed_something() {
    let mut events = call(1.0, "fail over", Some(CallOutcome::Refused));
    events.extend(call(3.0, "fail over", Some(CallOutcome::Accepted)));
    let fault = Timeline::of(&record(events, Vec::new())).fault.unwrap();
    assert_eq!((fault.sent, fault.returned), (Moment::from_secs(3.0), Some(Moment::from_secs(3.5))));
    let refused = call(1.0, "fail over", Some(CallOutcome::Refused));
    assert_eq!(Timeline::of(&record(refused, Vec::new())).fault, None);
    let unanswered = Timeline::of(&record(call(2.0, "fail over", None), Vec::new())).fault.unwrap();
    assert_eq!((unanswered.sent, unanswered.returned), (Moment::from_secs(2.0), None));
}

#[test]
fn measure_from_names_the_step_that_starts_the_clock() {
    let mut events = call(1.0, "drain", Some(CallOutcome::Accepted));
    events.extend(call(4.0, "fail over", Some(CallOutcome::Accepted)));
    events.push(event(6.0, EventKind::StepStarted { step: "pull the plug".into() }));
    let finished = |outcome| EventKind::StepFinished { step: "pull the plug".into(), outcome, detail: None };
    events.push(event(7.0, finished(StepOutcome::Done)));
    let mut record = record(events, Vec::new());
    let mut by_hand = step("pull the plug");
    by_hand.kind = "manual".to_owned();
    record.header.plan = vec![step("drain"), step("fail over"), by_hand];
    let sent = |record: &Record| Timeline::of(record).fault.map(|fault| fault.sent.secs());
    assert_eq!(sent(&record), Some(1.0));
    record.header.measure_from = Some("fail over".to_owned());
    assert_eq!(sent(&record), Some(4.0));
    assert_eq!(Timeline::of(&record).touched, Some(Moment::from_secs(1.0)));
    record.header.measure_from = Some("pull the plug".to_owned());
    assert_eq!(sent(&record), Some(6.0));
    record.events.pop();
    record.events.push(event(7.0, finished(StepOutcome::Skipped)));
    assert_eq!(sent(&record), None);
}

#[test]
fn without_measure_from_the_clock_starts_with_the_first_call_in_time() {
    // First in the file, but it waits for the other.
    let mut events = call(1.0, "fail over", Some(CallOutcome::Accepted));
    events.extend(call(4.0, "drain", Some(CallOutcome::Accepted)));
    let mut drained = record(events, Vec::new());
    drained.header.plan = vec![step("drain"), step("fail over")];
    let fault = Timeline::of(&drained).fault.unwrap();
    assert_eq!((fault.step.as_str(), fault.sent), ("fail over", Moment::from_secs(1.0)));
}

#[test]
fn what_an_undo_calls_is_no_fault() {
    let undoing =
        [EventKind::UndoStarted { step: "fail over".into() }, EventKind::PhaseEntered { phase: Phase::Undo }];
    for begin in undoing {
        let mut events = call(1.0, "fail over", Some(CallOutcome::Refused));
        events.push(event(3.0, begin.clone()));
        events.extend(call(4.0, "fail over", Some(CallOutcome::Accepted)));
        let mut refused = record(events, Vec::new());
        for named in [None, Some("fail over".to_owned())] {
            refused.header.measure_from = named;
            let timeline = Timeline::of(&refused);
            assert_eq!((timeline.fault, timeline.touched), (None, None), "{begin:?}");
        }
        // A call that never came back may have changed something, whatever became of its undo.
        let mut events = call(1.0, "fail over", None);
        events.push(event(3.0, begin));
        events.extend(call(4.0, "fail over", Some(CallOutcome::Refused)));
        let fault = Timeline::of(&record(events, Vec::new())).fault.unwrap();
        assert_eq!((fault.sent, fault.returned), (Moment::from_secs(1.0), None));
    }
}

#[test]
fn two_bad_samples_are_a_blip_and_three_an_outage() {
    assert_eq!(spans(&format!("{}xx{}", good(20), good(60))), []);
    assert_eq!(spans(&format!("{}xxx{}", good(20), good(60))), [(20, 22, Some(23))]);
    let timeline = Timeline::of(&record(Vec::new(), seen(&format!("{}xx{}", good(20), good(60)))));
    assert_eq!(timeline.tracks[0].blips().count(), 2);
}

#[test]
fn half_of_a_second_is_an_outage_too() {
    // Every second sample; the proof that it is over takes more good ones than chance explains.
    let text = format!("{}{}{}", good(20), "x.".repeat(15), good(100));
    assert_eq!(spans(&text), [(20, 48, Some(49))]);
    assert_eq!(spans(&format!("{}{}{}", good(20), "x....".repeat(15), good(100))), []);
}

#[test]
fn a_partial_outage_begins_before_its_entry_rule_is_met() {
    // A quarter of the samples bad for two hours, then three in a row.
    let text = format!("{}{}xxx{}", good(20), "x...".repeat(18_000), good(200));
    assert_eq!(spans(&text), [(20, 72_022, Some(72_023))]);
    // A lost packet more than a second before a full outage is no part of it.
    assert_eq!(spans(&format!("{}x{}xxxx{}", good(20), good(15), good(60))), [(36, 39, Some(40))]);
}

#[test]
fn recovery_is_confirmed_and_backdated() {
    // Ten good samples, then bad again: one outage. S is 5 s, so 50 samples.
    let text = format!("{}xxxx{}xxxx{}", good(20), good(10), good(60));
    assert_eq!(spans(&text), [(20, 37, Some(38))]);
    // Good for less than the confirmation time when the record ends: not recovered.
    assert_eq!(spans(&format!("{}xxxx{}", good(20), good(40))), [(20, 23, None)]);
    assert_eq!(spans(&format!("{}xxxx{}", good(20), good(50))), [(20, 23, Some(24))]);
    // Good for the whole confirmation time, then bad again: two.
    let text = format!("{}xxxx{}xxxx{}", good(20), good(60), good(60));
    assert_eq!(spans(&text), [(20, 23, Some(24)), (84, 87, Some(88))]);
}

#[test]
fn an_outage_may_be_there_from_the_start() {
    assert_eq!(spans(&format!("xxxx{}", good(60))), [(0, 3, Some(4))]);
    assert_eq!(spans("xxxx"), [(0, 3, None)]);
    assert_eq!(spans(""), []);
}

#[test]
fn void_samples_are_neither_up_nor_down() {
    let text = format!("{}xvxvx{}", good(20), good(60));
    assert_eq!(spans(&text), [(20, 22, Some(23))]);
    assert_eq!(spans(&format!("{}vvvvvv{}", good(20), good(60))), []);
}

#[test]
fn a_bad_sample_that_a_stall_may_explain_is_void() {
    let samples = seen(&format!("{}tttttttt{}", good(20), good(60)));
    let stall = |from: f64, to: f64| {
        let (from_ns, to_ns) = (Moment::from_secs(from), Moment::from_secs(to));
        event(to, EventKind::ProberStalled { from_ns, to_ns, witness: "heartbeat".into() })
    };
    let timeline = Timeline::of(&record(vec![stall(2.5, 2.85)], samples.clone()));
    assert_eq!((timeline.tracks[0].spoilt, timeline.tracks[0].spans.len()), (8, 0));
    // Good answers stay, also those from within the stall.
    assert_eq!(timeline.tracks[0].valid.len(), 80);
    let timeline = Timeline::of(&record(vec![stall(5.0, 5.4)], samples));
    assert_eq!((timeline.tracks[0].spoilt, timeline.tracks[0].spans.len()), (0, 1));
}

#[test]
fn samples_are_put_in_the_order_they_were_sent() {
    let mut samples = seen(&format!("{}tttt{}", good(20), good(60)));
    samples.sort_by_key(|sample| sample.done);
    let timeline = Timeline::of(&record(Vec::new(), samples));
    assert_eq!(timeline.tracks[0].spans.len(), 1);
    assert!(timeline.tracks[0].valid.is_sorted_by_key(|sample| sample.sent));
}

#[test]
fn a_missing_sample_was_due_all_the_same() {
    let mut samples = seen(&good(20));
    samples.remove(7);
    samples[18].cause = crate::sample::Cause::Ended;
    samples[18].class = Class::Void;
    let timeline = Timeline::of(&record(Vec::new(), samples));
    assert_eq!((timeline.tracks[0].due(), timeline.tracks[0].valid.len()), (19, 18));
}

#[test]
fn samples_off_the_schedule_are_not_due_and_late_answers_are_no_evidence() {
    let mut samples = seen(&format!("{}xxxxxxxxxx{}", good(40), good(60)));
    let mut edge = sample(0, 3, 4.95, 4.955, Class::FailFast);
    edge.mark = crate::sample::Mark::Edge;
    let mut late = sample(0, 45, 4.5, 8.0, Class::Ok);
    late.mark = crate::sample::Mark::Late;
    samples.extend([edge, late]);
    let timeline = Timeline::of(&record(Vec::new(), samples));
    let track = &timeline.tracks[0];
    assert_eq!((track.due(), track.base().count(), track.valid.len(), track.late.len()), (110, 110, 111, 1));
    // The edge sample dates the end more closely than the schedule alone.
    assert_eq!(track.spans.len(), 1);
    assert_eq!(track.valid[track.spans[0].last_bad].mark, crate::sample::Mark::Edge);
}
