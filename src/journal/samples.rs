//! The samples file: `samples.bin`.
//!
//! Sixteen bytes of head (`FDSAMPLE`, version, record size), then blocks: the number of records
//! (4 bytes), the records, and 32 bytes of check, SHA-256(check of the block before ‖ number ‖
//! records). A record is 48 bytes, everything little-endian:
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 2 | probe |
//! | 2 | 4 | seq |
//! | 6 | 8 | scheduled, ns |
//! | 14 | 4 | from scheduled to sent, µs, rounded down |
//! | 18 | 4 | from sent to done, µs, rounded up |
//! | 22 | 16 | name, connection, TLS, first byte: 4 bytes each, µs |
//! | 38 | 2 | identity |
//! | 40 | 2 | code |
//! | 42 | 1 | class |
//! | 43 | 1 | cause |
//! | 44 | 1 | mark |
//! | 45 | 3 | zero |
//!
//! Rounding only ever widens what is measured: a sample is sent no later, and done no earlier,
//! than it was. A block is written once a second, so that is what a crash can cost. The checks are
//! a chain, like the journal's lines: a torn or changed block is found by its own check, a removed
//! or moved one by the next, and the last one stands for the whole file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SAMPLES_FILE;
use super::chain::hex;
use super::writer::sync_dir;
use crate::clock::Moment;
use crate::sample::{Cause, Class, Mark, Phases, Sample};

const HEAD: &[u8; HEAD_LEN] = b"FDSAMPLE\x02\0\0\0\x30\0\0\0";
const HEAD_LEN: usize = 16;
const RECORD: usize = 48;
/// Records of a block at most: bounds what is held in memory, on both sides.
const BLOCK: usize = 1024;
const COUNT: usize = 4;
const CHECK: usize = 32;

type Check = [u8; CHECK];

/// What a complete samples file came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// How many samples.
    pub count: u64,
    /// The last block's check.
    pub check: String,
}

/// Writes the samples of a run.
#[derive(Debug)]
pub struct SampleWriter {
    file: File,
    /// The block under way: room for its count, then its records.
    block: Vec<u8>,
    count: u64,
    check: Check,
    /// What the whole file came to when it was last in order.
    len: u64,
    broken: bool,
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
        let block = Vec::with_capacity(COUNT + BLOCK * RECORD + CHECK);
        Ok(SampleWriter { file, block, count: 0, check: [0; CHECK], len: HEAD_LEN as u64, broken: false })
    }

    /// Adds a sample; it is on disk after the next [`SampleWriter::flush`].
    ///
    /// # Errors
    /// The file could not be written.
    pub fn append(&mut self, sample: &Sample) -> io::Result<()> {
        if self.block.is_empty() {
            self.block.extend_from_slice(&[0; COUNT]);
        }
        self.block.extend_from_slice(&encode(sample));
        self.count += 1;
        if self.block.len() >= COUNT + BLOCK * RECORD { self.write_block() } else { Ok(()) }
    }

    /// Brings every sample so far to disk.
    ///
    /// # Errors
    /// The file could not be written or synced.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write_block()?;
        self.file.sync_data()
    }

    /// What the file comes to, with every sample that was flushed: for [`super::Writer::seal`].
    pub fn seal(&self) -> Seal {
        Seal { count: self.count, check: hex(&self.check) }
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        if self.broken {
            return Err(io::Error::other("an earlier block could only be written in part"));
        }
        let records = (self.block.len() - COUNT) / RECORD;
        self.block[..COUNT].copy_from_slice(&(records as u32).to_le_bytes());
        let check = next(&self.check, &self.block);
        let data = self.block.len();
        self.block.extend_from_slice(&check);
        match self.file.write_all(&self.block) {
            Ok(()) => {
                self.check = check;
                self.len += self.block.len() as u64;
                self.block.clear();
                Ok(())
            }
            Err(error) => {
                // Half a block in the middle would damage all that follows it. The samples stay in
                // memory: a disk that has room again gets them.
                self.block.truncate(data);
                self.broken = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
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

/// Reads a samples file as far as it is whole. The inner error is for damage that a cut cannot
/// explain: the record's number (from 1) and why.
pub(super) fn read(from: impl Read) -> io::Result<Result<Samples, (u64, String)>> {
    let mut samples = Vec::new();
    let found = scan(from, &mut |sample| {
        samples.push(*sample);
        Ok(())
    })?;
    Ok(found.map(|found| Samples { samples, ..found }))
}

/// The same, one sample after the other, holding none of them: the samples of what it gives are empty.
pub(super) fn scan(
    mut from: impl Read,
    each: &mut dyn FnMut(&Sample) -> io::Result<()>,
) -> io::Result<Result<Samples, (u64, String)>> {
    let mut read =
        Samples { samples: Vec::new(), seal: Seal { count: 0, check: hex(&[0; CHECK]) }, torn: false };
    let mut head = [0; HEAD_LEN];
    if fill(&mut from, &mut head)? < HEAD_LEN {
        read.torn = true;
        return Ok(Ok(read));
    }
    if head != *HEAD {
        return Ok(Err((0, "its head is not that of a samples file of this version".to_owned())));
    }
    let mut check: Check = [0; CHECK];
    let mut block = Vec::new();
    loop {
        match next_block(&mut from, &mut block)? {
            Block::End => break,
            Block::Torn => {
                read.torn = true;
                break;
            }
            Block::Whole(own) => {
                let number = read.seal.count + 1;
                if next(&check, &block) != own {
                    if whole_after(&mut from, own)? {
                        let why =
                            "it or one of the records after it was changed, or records were removed or moved";
                        return Ok(Err((number, why.to_owned())));
                    }
                    read.torn = true;
                    break;
                }
                for record in block.get(COUNT..).unwrap_or_default().as_chunks::<RECORD>().0 {
                    read.seal.count += 1;
                    match decode(record) {
                        Some(sample) => each(&sample)?,
                        None => {
                            let why = "its class, cause or mark is unknown: a newer version wrote it";
                            return Ok(Err((read.seal.count, why.to_owned())));
                        }
                    }
                }
                check = own;
            }
        }
    }
    read.seal.check = hex(&check);
    Ok(Ok(read))
}

enum Block {
    /// Nothing more.
    End,
    /// Less than a block, or what cannot be one.
    Torn,
    /// Its number and records are in the buffer; this is its check.
    Whole(Check),
}

fn next_block(from: &mut impl Read, block: &mut Vec<u8>) -> io::Result<Block> {
    block.resize(COUNT, 0);
    match fill(from, block)? {
        0 => return Ok(Block::End),
        COUNT => {}
        _ => return Ok(Block::Torn),
    }
    let mut count = [0; COUNT];
    count.copy_from_slice(block);
    let count = u32::from_le_bytes(count) as usize;
    if count == 0 || count > BLOCK {
        return Ok(Block::Torn);
    }
    block.resize(COUNT + count * RECORD, 0);
    let mut check = [0; CHECK];
    if fill(from, &mut block[COUNT..])? < count * RECORD || fill(from, &mut check)? < CHECK {
        return Ok(Block::Torn);
    }
    Ok(Block::Whole(check))
}

/// Whether a later block follows from the one before it: then the damage is in the middle, and no
/// torn tail.
fn whole_after(from: &mut impl Read, mut before: Check) -> io::Result<bool> {
    let mut block = Vec::new();
    while let Block::Whole(own) = next_block(from, &mut block)? {
        if next(&before, &block) == own {
            return Ok(true);
        }
        before = own;
    }
    Ok(false)
}

/// Reads as much as there is, up to the buffer's length; how much that was.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => len += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

fn next(check: &Check, block: &[u8]) -> Check {
    let mut hash = Sha256::new();
    hash.update(check);
    hash.update(block);
    let mut out = [0; CHECK];
    out.copy_from_slice(&hash.finalize());
    out
}

fn encode(sample: &Sample) -> [u8; RECORD] {
    let mut data = [0; RECORD];
    let mut put = |at: usize, bytes: &[u8]| data[at..at + bytes.len()].copy_from_slice(bytes);
    let (lag, total) = sample.micros();
    put(0, &sample.probe.to_le_bytes());
    put(2, &sample.seq.to_le_bytes());
    put(6, &sample.scheduled.0.to_le_bytes());
    put(14, &lag.to_le_bytes());
    put(18, &total.to_le_bytes());
    let Phases { dns, connect, tls, first_byte } = sample.phases;
    for (index, part) in [dns, connect, tls, first_byte].iter().enumerate() {
        put(22 + 4 * index, &part.to_le_bytes());
    }
    put(38, &sample.identity.to_le_bytes());
    put(40, &sample.code.to_le_bytes());
    put(42, &[sample.class as u8, sample.cause as u8, sample.mark as u8]);
    data
}

fn decode(data: &[u8; RECORD]) -> Option<Sample> {
    let short = |at: usize| u16::from_le_bytes([data[at], data[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([data[at], data[at + 1], data[at + 2], data[at + 3]]);
    let scheduled = Moment(u64::from(word(6)) | u64::from(word(10)) << 32);
    let sent = scheduled.plus(Duration::from_micros(u64::from(word(14))));
    Some(Sample {
        probe: short(0),
        seq: word(2),
        scheduled,
        sent,
        done: sent.plus(Duration::from_micros(u64::from(word(18)))),
        class: *Class::ALL.get(usize::from(data[42]))?,
        cause: *Cause::ALL.get(usize::from(data[43]))?,
        code: short(40),
        identity: short(38),
        mark: *Mark::ALL.get(usize::from(data[44]))?,
        phases: Phases { dns: word(22), connect: word(26), tls: word(30), first_byte: word(34) },
    })
}
