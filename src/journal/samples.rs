//! The samples file: `samples.bin`.
//!
//! Sixteen bytes of head (`FDSAMPLE`, version, record size), then records of 48 bytes,
//! little-endian:
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 2 | probe |
//! | 2 | 4 | seq |
//! | 6 | 8 | scheduled, ns |
//! | 14 | 8 | sent, ns |
//! | 22 | 8 | done, ns |
//! | 30 | 1 | class |
//! | 31 | 1 | cause |
//! | 32 | 2 | code |
//! | 34 | 14 | check: the first bytes of SHA-256(check of the record before ‖ the 34 bytes above) |
//!
//! The checks are a chain, like the journal's lines: a torn or changed record is found by its own
//! check, a removed or moved one by the next, and the last one stands for the whole file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SAMPLES_FILE;
use super::chain::hex;
use super::writer::sync_dir;
use crate::clock::Moment;
use crate::sample::{Cause, Class, Sample};

const HEAD: &[u8; HEAD_LEN] = b"FDSAMPLE\x01\0\0\0\x30\0\0\0";
const HEAD_LEN: usize = 16;
const RECORD: usize = 48;
const DATA: usize = 34;
const CHECK: usize = RECORD - DATA;

type Check = [u8; CHECK];

/// What a complete samples file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// How many samples.
    pub count: u64,
    /// The last record's check.
    pub check: String,
}

/// Writes the samples of a run.
#[derive(Debug)]
pub struct SampleWriter {
    file: BufWriter<File>,
    count: u64,
    check: Check,
}

impl SampleWriter {
    /// Starts the samples file of a new run in `dir`.
    ///
    /// # Errors
    /// The folder holds one already, or cannot be written.
    pub fn create(dir: &Path) -> io::Result<SampleWriter> {
        let mut file = OpenOptions::new().append(true).create_new(true).open(dir.join(SAMPLES_FILE))?;
        file.write_all(HEAD)?;
        file.sync_all()?;
        sync_dir(dir)?;
        Ok(SampleWriter { file: BufWriter::with_capacity(64 * 1024, file), count: 0, check: [0; CHECK] })
    }

    /// Adds a sample; it is on disk after the next [`SampleWriter::flush`].
    ///
    /// # Errors
    /// The file could not be written.
    pub fn append(&mut self, sample: &Sample) -> io::Result<()> {
        let data = encode(sample);
        let check = next(&self.check, &data);
        self.file.write_all(&data)?;
        self.file.write_all(&check)?;
        self.check = check;
        self.count += 1;
        Ok(())
    }

    /// Brings every sample so far to disk.
    ///
    /// # Errors
    /// The file could not be written or synced.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_data()
    }

    /// What the file comes to, with every sample so far: for [`super::Writer::seal`].
    pub fn seal(&self) -> Seal {
        Seal { count: self.count, check: hex(&self.check) }
    }
}

/// What a samples file holds.
#[derive(Debug)]
pub(super) struct Samples {
    /// The samples up to where the file is whole.
    pub(super) samples: Vec<Sample>,
    /// What the whole part comes to.
    pub(super) seal: Seal,
    /// Whether something unusable follows it.
    pub(super) torn: bool,
}

/// Reads a samples file as far as it is whole. The error is for damage that a cut cannot explain:
/// the record's number (from 1) and why.
pub(super) fn read(bytes: &[u8]) -> Result<Samples, (u64, String)> {
    let (samples, seal) = (Vec::new(), Seal { count: 0, check: hex(&[0; CHECK]) });
    let Some((head, rest)) = bytes.split_at_checked(HEAD_LEN) else {
        return Ok(Samples { samples, seal, torn: true });
    };
    if head != HEAD {
        return Err((0, "its head is not that of a samples file of this version".to_owned()));
    }
    let (records, tail) = rest.as_chunks::<RECORD>();
    let mut read = Samples { samples, seal, torn: !tail.is_empty() };
    read.samples.reserve(records.len());
    let mut check: Check = [0; CHECK];
    for (index, record) in records.iter().enumerate() {
        let number = index as u64 + 1;
        let (data, own) = split(record);
        if next(&check, &data) != own {
            if whole_after(records.get(index..).unwrap_or_default()) {
                return Err((number, "it was changed, or records were removed or moved".to_owned()));
            }
            read.torn = true;
            break;
        }
        let sample = decode(&data)
            .ok_or_else(|| (number, "its class or cause is unknown: a newer version wrote it".to_owned()))?;
        read.samples.push(sample);
        read.seal.count = number;
        check = own;
    }
    read.seal.check = hex(&check);
    Ok(read)
}

/// Whether a record after the first of these follows from the one before it: then the damage is
/// in the middle, and no torn tail.
fn whole_after(records: &[[u8; RECORD]]) -> bool {
    records.windows(2).any(|pair| {
        let [before, after] = pair else { return false };
        let (data, own) = split(after);
        next(&split(before).1, &data) == own
    })
}

fn split(record: &[u8; RECORD]) -> ([u8; DATA], Check) {
    let (mut data, mut check) = ([0; DATA], [0; CHECK]);
    data.copy_from_slice(&record[..DATA]);
    check.copy_from_slice(&record[DATA..]);
    (data, check)
}

fn next(check: &Check, data: &[u8; DATA]) -> Check {
    let mut hash = Sha256::new();
    hash.update(check);
    hash.update(data);
    let mut out = [0; CHECK];
    out.copy_from_slice(&hash.finalize()[..CHECK]);
    out
}

fn encode(sample: &Sample) -> [u8; DATA] {
    let mut data = [0; DATA];
    data[0..2].copy_from_slice(&sample.probe.to_le_bytes());
    data[2..6].copy_from_slice(&sample.seq.to_le_bytes());
    data[6..14].copy_from_slice(&sample.scheduled.0.to_le_bytes());
    data[14..22].copy_from_slice(&sample.sent.0.to_le_bytes());
    data[22..30].copy_from_slice(&sample.done.0.to_le_bytes());
    data[30] = sample.class as u8;
    data[31] = sample.cause as u8;
    data[32..34].copy_from_slice(&sample.code.to_le_bytes());
    data
}

fn decode(data: &[u8; DATA]) -> Option<Sample> {
    let short = |at: usize| u16::from_le_bytes([data[at], data[at + 1]]);
    let long = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&data[at..at + 8]);
        Moment(u64::from_le_bytes(bytes))
    };
    Some(Sample {
        probe: short(0),
        seq: u32::from_le_bytes([data[2], data[3], data[4], data[5]]),
        scheduled: long(6),
        sent: long(14),
        done: long(22),
        class: *Class::ALL.get(usize::from(data[30]))?,
        cause: *Cause::ALL.get(usize::from(data[31]))?,
        code: short(32),
    })
}
