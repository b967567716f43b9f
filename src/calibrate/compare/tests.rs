use std::time::Duration;

use super::*;
use crate::clock::Moment;
use crate::journal::Record;
use crate::journal::fixture::{event, header, probe};
use crate::probe::http::Connection;
use crate::run::event::{Ending, EventKind};
use crate::sample::{Cause, Class};

const EVERY: f64 = 0.02;

fn settings(mode: Mode) -> Settings {
    Settings {
        modes: vec![mode],
        outages: 1,
        every: Duration::from_millis(20),
        timeout: Duration::from_millis(16),
        connection: Connection::Fresh,
        seed: 1,
    }
}

/// Ten seconds of samples, refused between these instants, and what the truth server said.
fn trial(mode: Mode, refused: &[(f64, f64)], said: Vec<Line>) -> Trial {
    let mut header = header();
    header.probes = vec![probe(mode.name(), EVERY, false)];
    header.recovery.confirm = 0.5;
    let samples = (0..500_u32).map(|seq| {
        let sent = f64::from(seq) * EVERY;
        let bad = refused.iter().any(|(from, to)| (*from..*to).contains(&sent));
        Sample {
            seq,
            scheduled: Moment::from_secs(sent),
            sent: Moment::from_secs(sent),
            done: Moment::from_secs(sent + 0.001),
            class: if bad { Class::FailFast } else { Class::Ok },
            cause: if bad { Cause::Refused } else { Cause::None },
            ..Sample::default()
        }
    });
    let record = Record {
        header,
        events: vec![event(10.1, EventKind::RunEnded { ending: Ending::Completed })],
        samples: samples.collect(),
        chain_head: String::new(),
        cut: false,
    };
    let clock = Clock::at(jiff::Timestamp::UNIX_EPOCH, 0);
    Trial { said: vec![said], record, clock, floor: vec![0.0001, 0.0002, 0.0003] }
}

fn edge(at: f64) -> Edge {
    Edge { lo: Moment::from_secs(at).0, hi: Moment::from_secs(at + 0.00005).0 }
}

fn played(outage: u32, down: f64, up: f64) -> Line {
    Line::Outage { outage, span: super::super::Down { down: edge(down), up: edge(up) }, flaps: Vec::new() }
}

fn compared(mode: Mode, refused: &[(f64, f64)], said: Vec<Line>) -> Calibration {
    compare(&settings(mode), &trial(mode, refused, said))
}

#[test]
fn an_outage_as_it_was_is_inside() {
    let found = compared(Mode::Refuse, &[(4.0, 5.0)], vec![played(0, 3.99, 4.99)]);
    let row = &found.modes[0];
    assert!(found.holds && found.offences.is_empty(), "{found:#?}");
    assert_eq!((row.outages, row.as_outage, row.as_blips), (1, 1, 0));
    assert_eq!((row.begin_inside, row.end_inside, row.duration_inside), (1, 1, 1));
    let width = row.width_p50.unwrap();
    assert!((0.04..=row.promised.unwrap()).contains(&width), "{width}");
    assert!(row.bias.unwrap().abs() < 0.02, "{row:?}");
}

#[test]
fn a_truth_outside_its_interval_is_an_offence_with_its_samples() {
    for (down, up, what) in
        [(3.9, 4.99, "begin"), (3.99, 5.2, "end"), (3.9, 5.2, "begin and the end and the duration")]
    {
        let found = compared(Mode::Refuse, &[(4.0, 5.0)], vec![played(0, down, up)]);
        assert!(!found.holds, "{what}: {found:#?}");
        assert!(found.offences[0].what.contains(what), "{what}: {:#?}", found.offences);
        assert!(found.offences[0].samples.len() > AROUND, "{:#?}", found.offences);
    }
}

#[test]
fn an_outage_that_nobody_saw_and_one_that_never_was_are_offences() {
    let found = compared(Mode::Refuse, &[], vec![played(0, 4.0, 4.5)]);
    assert_eq!((found.holds, found.modes[0].missed), (false, 1), "{found:#?}");
    let found = compared(Mode::Refuse, &[(4.0, 5.0)], Vec::new());
    assert_eq!((found.holds, found.modes[0].false_outages), (false, 1), "{found:#?}");
    // Shorter than what any sample must meet.
    let found = compared(Mode::Refuse, &[], vec![played(0, 4.001, 4.015)]);
    assert_eq!((found.holds, found.modes[0].outages), (true, 0), "{found:#?}");
}

#[test]
fn two_bad_samples_are_seen_as_blips() {
    let found = compared(Mode::Unavailable, &[(4.0, 4.03)], vec![played(0, 3.99, 4.03)]);
    let row = &found.modes[0];
    assert_eq!((found.holds, row.as_outage, row.as_blips), (true, 0, 1), "{found:#?}");
}

#[test]
fn what_a_starved_server_played_is_not_judged() {
    let starved = || Line::Starved { starved: Edge { lo: edge(4.9).lo, hi: edge(5.3).hi } };
    let found = compared(Mode::Hang, &[(4.0, 5.4)], vec![played(0, 3.99, 4.99), starved()]);
    assert_eq!((found.modes[0].outages, found.modes[0].disturbed), (0, 1), "{found:#?}");
    let found = compared(Mode::Hang, &[(5.0, 5.3)], vec![starved()]);
    assert_eq!((found.holds, found.modes[0].false_outages), (true, 0), "{found:#?}");
    // Stopping the server is how that mode goes down.
    let found = compared(Mode::BlackHole, &[(4.9, 5.3)], vec![played(0, 4.89, 5.29), starved()]);
    assert_eq!((found.modes[0].outages, found.modes[0].disturbed), (1, 0), "{found:#?}");
}
