//! Latency as an HdrHistogram interval log (`.hlog`, format 1.3): a line per second, probe and phase of
//! the run, with the tag `probe.phase`, in microseconds from the instant at which each sample was due.
//!
//! Correct answers on the schedule only: a sample that was not answered has no latency, and one that was
//! asked in between would count an outage's end more often than the rest. `StartTime` and `BaseTime`
//! are both the run's zero, so that a line's stamp is seconds since then for every reader.
//! A second's lines are written once its answers can no longer come; one that is later still gets a second
//! line, which readers add up.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::{Export, Names, phase_name};
use crate::run::event::{Header, Phase};
use crate::sample::{Class, Mark, Sample};

/// The longest latency that is told apart, in microseconds; a longer one is recorded as this.
const LONGEST: u64 = 60_000_000;
/// For how many seconds a second's lines are kept open.
const OPEN: u64 = 5;

/// An interval log under way.
pub(super) struct Hlog<'a> {
    out: &'a mut dyn Write,
    names: Names,
    serializer: V2DeflateSerializer,
    open: BTreeMap<(u64, u16, u8), Histogram<u64>>,
    newest: u64,
}

impl<'a> Hlog<'a> {
    /// Writes the head.
    pub(super) fn begin(header: &Header, names: Names, mut out: &'a mut dyn Write) -> io::Result<Hlog<'a>> {
        let mut serializer = V2DeflateSerializer::new();
        let began = SystemTime::from(header.began);
        IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(&format!("[firedrill {}, run {}]", header.firedrill, header.run))
            .add_comment("[latency in microseconds of correct answers, from the instant each was due]")
            .with_start_time(began)
            .with_base_time(began)
            .begin_log_with(&mut out, &mut serializer)?;
        out.write_all(
            b"\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        )?;
        Ok(Hlog { out, names, serializer, open: BTreeMap::new(), newest: 0 })
    }

    /// Writes the seconds before this one.
    fn write(&mut self, before: u64) -> io::Result<()> {
        while let Some(entry) = self.open.first_entry() {
            let (second, probe, phase) = *entry.key();
            if second >= before {
                break;
            }
            let histogram = entry.remove();
            let name = self.names.probes.get(usize::from(probe)).map_or("", String::as_str);
            let phase = PHASES.get(usize::from(phase)).copied().unwrap_or(Phase::SteadyState);
            let tag = format!("{}.{}", plain(name), phase_name(phase));
            let mut out = &mut *self.out;
            IntervalLogWriterBuilder::new()
                .begin_log_with(&mut out, &mut self.serializer)?
                .write_histogram(
                    &histogram,
                    Duration::from_secs(second),
                    Duration::from_secs(1),
                    Tag::new(&tag),
                )
                .map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(())
    }
}

/// The phases, so that one fits a byte of a key.
const PHASES: [Phase; 6] =
    [Phase::SteadyState, Phase::Steps, Phase::Recovery, Phase::Observation, Phase::FinalRead, Phase::Undo];

/// A name without what ends a tag.
fn plain(name: &str) -> String {
    name.chars().map(|c| if matches!(c, ',' | ' ' | '\r' | '\n') { '_' } else { c }).collect()
}

impl Export for Hlog<'_> {
    fn sample(&mut self, sample: &Sample) -> io::Result<()> {
        if sample.mark != Mark::Base || !matches!(sample.class, Class::Ok | Class::Slow) {
            return Ok(());
        }
        let second = sample.scheduled.secs() as u64;
        let phase = self.names.phase(sample);
        let phase = PHASES.iter().position(|known| *known == phase).unwrap_or_default() as u8;
        let histogram = match self.open.entry((second, sample.probe, phase)) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(Histogram::new_with_bounds(1, LONGEST, 3).map_err(io::Error::other)?)
            }
        };
        histogram.saturating_record((sample.response_time().max(0.0) * 1e6).round() as u64);
        if second > self.newest {
            self.newest = second;
            self.write(second.saturating_sub(OPEN))?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        self.write(u64::MAX)?;
        self.out.flush()
    }
}
