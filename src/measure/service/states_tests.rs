use super::*;
use crate::journal::Record;
use crate::journal::fixture::{event, header, sample};
use crate::measure::Measures;
use crate::run::event::{EventKind, LatencyObjective};
use crate::sample::{Class, Mark};
use crate::timeline::Timeline;

/// A run of ten samples a second with the fault at 5 s; each letter is a second: `.` up, `x` down, `d` degraded,
/// `s` slow, `?` void. Confirmed after 5 s.
fn seen(text: &str) -> States {
    let mut header = header();
    header.probes.truncate(1);
    header.objectives.latency = vec![LatencyObjective { percentile: 95.0, limit: 0.1 }];
    let mut samples = Vec::new();
    for (at, letter) in text.chars().enumerate() {
        for nth in 0..10 {
            let seq = at as u32 * 10 + nth;
            let due = f64::from(seq) * 0.1;
            let class = match (letter, nth) {
                ('x', _) | ('d', 3) => Class::FailFast,
                ('?', _) => Class::Void,
                _ => Class::Ok,
            };
            let took = if letter == 's' && nth == 7 { 0.2 } else { 0.002 };
            samples.push(sample(0, seq, due, due + took, class));
        }
    }
    let mut edge = sample(0, 1, 0.55, 0.56, Class::FailFast);
    edge.mark = Mark::Edge;
    samples.push(edge);
    let call =
        EventKind::CallSent { step: "fail over".into(), operation: "op".into(), resource: "db".into() };
    let end = EventKind::RunEnded { ending: crate::run::event::Ending::Completed };
    let events = vec![event(5.0, call), event(text.len() as f64, end)];
    let record = Record { header, events, samples, chain_head: String::new(), cut: false };
    let timeline = Timeline::of(&record);
    Measures::of(&record, &timeline).states.remove(0)
}

#[test]
fn each_second_has_its_state() {
    let states = seen("......xxd.s?........");
    let expected = [
        (0, 6, State::Up),
        (6, 8, State::Down),
        (8, 9, State::Degraded),
        (9, 10, State::Up),
        (10, 11, State::BrownOut),
        (11, 12, State::Unknown),
        (12, 20, State::Up),
    ];
    assert_eq!(states.spans, expected);
    assert_eq!(
        (states.count(State::Up), states.count(State::Down), states.count(State::BrownOut)),
        (15, 2, 1)
    );
    assert_eq!((states.falls, states.flapping), (1, false));
}

#[test]
fn falling_again_within_the_confirmation_time_is_flapping() {
    for (text, falls, flapping) in [
        (".....xx...xx........", 2, true),
        (".....xx..............xx.......", 2, false),
        // Never up in between: no second fall.
        (".....xxddxx..........", 1, false),
        // Before the fault: not its doing.
        (".xx.x...............", 0, false),
    ] {
        let states = seen(text);
        assert_eq!((states.falls, states.flapping), (falls, flapping), "{text}");
    }
}
