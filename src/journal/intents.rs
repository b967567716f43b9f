//! How many writes each ledger has begun: `intents.bin`.
//!
//! A sample is known only after its answer, and is on disk up to a second later. Of a process that was
//! killed, this file tells the writes in between: they are neither lost nor somebody else's, their
//! outcome is unknown. Eight bytes a probe, little-endian: the bound (all numbers below it were begun)
//! and its complement, so that a half-written one is found. Put in place before each write is sent: the
//! kernel keeps it when the process dies, and it is brought to disk together with the samples.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::INTENTS_FILE;
use crate::run::event::ProbeFacts;
use crate::sample::{Cause, Class, Sample};

const SLOT: usize = 8;

/// The begun writes of a run.
#[derive(Debug)]
pub struct Intents {
    file: Arc<File>,
}

/// Where one ledger's begun writes are put.
#[derive(Debug)]
pub struct IntentSlot {
    file: Arc<File>,
    at: u64,
    /// Keeps two attempts from overtaking each other on their way into the file.
    turn: Mutex<()>,
}

impl Intents {
    /// Starts the file of a new run in `dir`, with room for this many probes.
    ///
    /// # Errors
    /// The folder holds one already, or cannot be written.
    pub fn create(dir: &Path, probes: usize) -> io::Result<Intents> {
        let file = OpenOptions::new().write(true).create_new(true).open(dir.join(INTENTS_FILE))?;
        file.write_all_at(&encode(0).repeat(probes), 0)?;
        file.sync_all()?;
        Ok(Intents { file: Arc::new(file) })
    }

    /// Where the probe of this index puts what it begins.
    pub fn slot(&self, probe: usize) -> IntentSlot {
        IntentSlot { file: self.file.clone(), at: (probe * SLOT) as u64, turn: Mutex::default() }
    }

    /// Brings what was put to disk.
    ///
    /// # Errors
    /// The file could not be synced.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

impl IntentSlot {
    /// Puts the bound in place.
    pub(crate) fn put(&self, bound: impl FnOnce() -> u32) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // Eight bytes over eight that are there: when even that fails, so does the journal, which says so.
        let _ = self.file.write_all_at(&encode(bound()), self.at);
    }
}

fn encode(bound: u32) -> [u8; SLOT] {
    let mut slot = [0; SLOT];
    slot[..4].copy_from_slice(&bound.to_le_bytes());
    slot[4..].copy_from_slice(&(!bound).to_le_bytes());
    slot
}

/// The bounds in the folder of a run; 0 where nothing is known.
pub(super) fn read(dir: &Path, probes: usize) -> Vec<u32> {
    // Without the file nothing is claimed: a run of an older version has none.
    let bytes = std::fs::read(dir.join(INTENTS_FILE)).unwrap_or_default();
    let (slots, _) = bytes.as_chunks::<SLOT>();
    let mut bounds: Vec<u32> = slots
        .iter()
        .map(|[a, b, c, d, e, f, g, h]| {
            let bound = u32::from_le_bytes([*a, *b, *c, *d]);
            if u32::from_le_bytes([*e, *f, *g, *h]) == !bound { bound } else { 0 }
        })
        .collect();
    bounds.resize(probes, 0);
    bounds
}

/// Adds a sample of unknown outcome for each write that was begun and has none. When it was due is
/// known to within the pacer's jitter, from its number and those of its neighbours.
pub(super) fn fill_in(probes: &[ProbeFacts], bounds: &[u32], samples: &mut Vec<Sample>) {
    for (probe, (facts, bound)) in (0u16..).zip(probes.iter().zip(bounds)) {
        if !facts.ledger || *bound == 0 {
            continue;
        }
        let mut known = vec![false; *bound as usize];
        let mut newest: Option<Sample> = None;
        for sample in samples.iter().filter(|sample| sample.probe == probe) {
            if let Some(known) = known.get_mut(sample.seq as usize) {
                *known = true;
            }
            if newest.is_none_or(|newest| newest.seq < sample.seq) {
                newest = Some(*sample);
            }
        }
        let begun = known.iter().zip(0u32..).filter(|(known, _)| !**known).map(|(_, seq)| seq);
        let (first, from) = newest.map_or((0, crate::clock::Moment::ZERO), |s| (s.seq, s.scheduled));
        let spacing = |count: u32| Duration::try_from_secs_f64(facts.every * f64::from(count));
        let filled = begun.map(|seq| {
            let scheduled = match seq.checked_sub(first) {
                Some(later) => from.plus(spacing(later).unwrap_or_default()),
                None => from.minus(spacing(first - seq).unwrap_or_default()),
            };
            let (class, cause) = (Class::Info, Cause::Ended);
            Sample {
                probe,
                seq,
                scheduled,
                sent: scheduled,
                done: scheduled,
                class,
                cause,
                ..Sample::default()
            }
        });
        samples.extend(filled.collect::<Vec<_>>());
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{probe, sample};
    use super::*;

    #[test]
    fn what_was_begun_is_read_back_and_a_torn_slot_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let intents = Intents::create(dir.path(), 3).unwrap();
        intents.slot(1).put(|| 77);
        intents.slot(2).put(|| 9);
        intents.sync().unwrap();
        assert_eq!(read(dir.path(), 3), [0, 77, 9]);
        let path = dir.path().join(INTENTS_FILE);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[17] = 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(dir.path(), 4), [0, 77, 0, 0]);
        assert_eq!(read(&dir.path().join("nowhere"), 1), [0]);
    }

    #[test]
    fn a_write_that_was_begun_and_has_no_sample_is_unknown() {
        let probes = [probe("web", 0.1, false), probe("orders", 0.1, true)];
        let mut samples = vec![
            sample(0, 0, 1.0, 1.1, Class::Ok),
            sample(1, 0, 1.0, 1.1, Class::Ok),
            sample(1, 2, 1.2, 1.3, Class::Ok),
        ];
        fill_in(&probes, &[9, 5], &mut samples);
        let added: Vec<(u16, u32, Class, f64)> =
            samples[3..].iter().map(|s| (s.probe, s.seq, s.class, s.scheduled.secs())).collect();
        assert_eq!(added, [(1, 1, Class::Info, 1.1), (1, 3, Class::Info, 1.3), (1, 4, Class::Info, 1.4)]);
    }
}
