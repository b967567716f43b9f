//! The ledger's checker on a long history: acknowledged, failed and unknown writes, an outage, a lost tail,
//! a hole, and a final read in ranges.

use std::path::Path;
use std::time::{Duration, Instant};

use firedrill::clock::Moment;
use firedrill::journal::{self, Record};
use firedrill::measure::ledger::Ledger;
use firedrill::run::event::{Event, EventKind, Reading};
use firedrill::sample::{Cause, Class, Sample};
use firedrill::timeline::Timeline;
use serde_json::json;

use super::Outcome;

const EVERY: u64 = 1_000_000;

/// Judges `operations` writes; the template is a stored run.
pub(crate) fn run(template: &Path, operations: u32) -> Outcome {
    let mut record = journal::read(template)?;
    let lost = plant(&mut record, operations)?;
    let began = Instant::now();
    let timeline = Timeline::of(&record);
    let ordered = began.elapsed();
    let track = timeline.tracks.first().ok_or("the template has no probe")?;
    let fault = Some(at(operations / 2));
    let mut times = Vec::new();
    let mut found = Ledger::default();
    for _ in 0..3 {
        let began = Instant::now();
        found = Ledger::of(track, &record, fault);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    if found.lost != lost {
        return Err(format!("{} lost writes were planted, and {} found", lost, found.lost).into());
    }
    Ok(json!({
        "operations": operations,
        "checker_s": times.get(1).map(Duration::as_secs_f64),
        "timeline_s": ordered.as_secs_f64(),
        "acked": found.acked, "lost": found.lost, "recovered": found.recovered,
        "indeterminate": found.indeterminate,
    }))
}

/// Puts the history into the record; how many acknowledged writes are lost in it.
fn plant(record: &mut Record, operations: u32) -> Result<u64, Box<dyn std::error::Error>> {
    let probe = record.header.probes.first_mut().ok_or("the template has no probe")?;
    probe.ledger = true;
    probe.every = EVERY as f64 / 1e9;
    let name = probe.name.clone();
    // The last hundredth before the outage is the lost tail; a thousand more are lost one by one.
    let outage = operations / 2..operations / 2 + operations / 100;
    let tail = outage.start - operations / 100..outage.start;
    let hole = |seq: u32| seq % (operations / 1000).max(2) == 1;
    let samples = (0..operations).map(|seq| write(seq, outage.contains(&seq)));
    record.samples = samples.collect();
    let gone = |sample: &Sample| match sample.class {
        Class::Ok => tail.contains(&sample.seq) || hole(sample.seq),
        Class::Info => sample.seq.is_multiple_of(2),
        _ => true,
    };
    let mut present: Vec<(u32, u32)> = Vec::new();
    let mut lost = 0;
    for sample in &record.samples {
        let there = !gone(sample);
        lost += u64::from(sample.class == Class::Ok && !there);
        match present.last_mut() {
            Some((_, last)) if there && *last + 1 == sample.seq => *last = sample.seq,
            _ if there => present.push((sample.seq, sample.seq)),
            _ => {}
        }
    }
    let end = at(operations + 1000);
    let reading = Reading { began_ns: end, done_ns: end, present, stable: true, ..Reading::default() };
    record.events.retain(|event| !matches!(event.kind, EventKind::LedgerRead { .. }));
    record.events.push(Event { at_ns: end, kind: EventKind::LedgerRead { probe: name, reading } });
    Ok(lost)
}

fn at(seq: u32) -> Moment {
    Moment(u64::from(seq) * EVERY)
}

fn write(seq: u32, down: bool) -> Sample {
    let sent = at(seq);
    let (class, cause, took) = match (down, seq % 3) {
        (false, _) => (Class::Ok, Cause::None, 700),
        (true, 0) => (Class::Info, Cause::Timeout, 900_000),
        (true, _) => (Class::FailFast, Cause::Refused, 300),
    };
    let done = sent.plus(Duration::from_micros(took));
    Sample { seq, scheduled: sent, sent, done, class, cause, ..Sample::default() }
}
