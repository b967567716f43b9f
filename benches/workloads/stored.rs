//! A large stored run: the template's, with as many samples as are wanted and an outage in the middle.

use std::path::Path;
use std::time::{Duration, Instant};

use firedrill::clock::Moment;
use firedrill::journal::{self, SampleWriter, Writer};
use firedrill::run::event::{Event, EventKind};
use firedrill::sample::{Cause, Class, Sample};
use serde_json::json;

use super::Outcome;

/// The least spacing of one probe.
const EVERY: u64 = 10_000_000;

/// Writes the run into `dir`.
pub(crate) fn run(template: &Path, dir: &Path, samples: u32) -> Outcome {
    let record = journal::read(template)?;
    let probes = u16::try_from(record.header.probes.len())?.max(1);
    let mut header = record.header.clone();
    header.probes.iter_mut().for_each(|probe| probe.every = EVERY as f64 / 1e9);
    std::fs::create_dir_all(dir)?;
    let mut journal = Writer::create(dir, &header)?;
    let mut store = SampleWriter::create(dir)?;
    let rounds = samples / u32::from(probes);
    let began = Instant::now();
    for seq in 0..rounds {
        for probe in 0..probes {
            store.append(&sample(probe, probes, seq, rounds))?;
        }
    }
    store.flush()?;
    let written = began.elapsed();
    let end = Moment(u64::from(rounds) * EVERY).plus(Duration::from_secs(1));
    for event in record.events {
        journal.append(&moved(event, rounds, end))?;
    }
    // The end is the last event: the seal stands before it in a run, and anywhere for a reader.
    journal.seal(&store.seal())?;
    let bytes = std::fs::metadata(dir.join(journal::SAMPLES_FILE))?.len();
    let count = u64::from(rounds) * u64::from(probes);
    Ok(json!({
        "samples": count, "probes": probes, "bytes": bytes,
        "bytes_per_sample": bytes as f64 / count as f64, "written_s": written.as_secs_f64(),
    }))
}

/// The steady state begins at once, the fault comes in the middle, the rest at the end.
fn moved(event: Event, rounds: u32, end: Moment) -> Event {
    let middle = Moment(u64::from(rounds) / 2 * EVERY);
    let at_ns = match &event.kind {
        EventKind::PhaseEntered { phase: firedrill::run::event::Phase::SteadyState } => Moment::ZERO,
        EventKind::PhaseEntered { phase: firedrill::run::event::Phase::Steps }
        | EventKind::StepStarted { .. }
        | EventKind::CallSent { .. }
        | EventKind::CallReturned { .. }
        | EventKind::StepFinished { .. } => middle,
        _ => end,
    };
    Event { at_ns, ..event }
}

/// Good, but for the outage after the middle: a thousand spacings long for every probe.
fn sample(probe: u16, probes: u16, seq: u32, rounds: u32) -> Sample {
    let offset = EVERY * u64::from(probe) / u64::from(probes);
    let scheduled = Moment(u64::from(seq) * EVERY + offset);
    let sent = scheduled.plus(Duration::from_micros(80 + u64::from(seq % 64)));
    let took = 300 + u64::from(seq.wrapping_mul(2_654_435_761) % 1000);
    let down = (rounds / 2 + 10..rounds / 2 + 1010).contains(&seq);
    let (class, cause, code) = match down {
        true => (Class::FailFast, Cause::Refused, 0),
        false => (Class::Ok, Cause::None, 200),
    };
    let done = sent.plus(Duration::from_micros(took));
    Sample { probe, seq, scheduled, sent, done, class, cause, code, ..Sample::default() }
}
