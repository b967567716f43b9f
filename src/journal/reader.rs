//! Reads a stored run: accepts a cut tail, refuses anything else that does not add up.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::chain::{self, Body, GENESIS};
use super::intents;
use super::samples::{self, Seal};
use super::{JOURNAL_FILE, Record, SAMPLES_FILE, SCHEMA};
use crate::run::event::{Event, EventKind, Header};
use crate::sample::Sample;

/// Why a stored run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file could not be read (or, to go on with a run, written).
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not even the first line is whole.
    #[error("{}: the journal has no complete first line: the run died before it began, and changed nothing", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The journal is of another version.
    #[error("{}: this version reads {SCHEMA}, and the journal is `{found}`; read it with the version that wrote it", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says it is.
        found: String,
    },
    /// A line is not as it was written.
    #[error("{}, line {line}: {why}; the journal proves nothing from there on", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The samples are not as they were written.
    #[error("{}, record {record}: {why}; the samples prove nothing from there on", path.display())]
    Samples {
        /// The file.
        path: PathBuf,
        /// The record, from 1; 0 for the file's head.
        record: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads the run in folder `dir`.
///
/// # Errors
/// The files cannot be read, or were damaged in a way that a cut tail does not explain.
pub fn read(dir: &Path) -> Result<Record, JournalError> {
    let mut record = record(dir, samples::read)?;
    if record.cut {
        let begun = intents::read(dir, record.header.probes.len());
        intents::fill_in(&record.header.probes, &begun, &mut record.samples);
    }
    Ok(record)
}

/// Reads and checks the run in folder `dir` as [`read`] does, but leaves its samples on disk: for what looks at
/// one after the other, with [`each_sample`].
///
/// # Errors
/// As [`read`].
pub fn outline(dir: &Path) -> Result<Record, JournalError> {
    record(dir, |from| samples::scan(from, &mut |_| Ok(())))
}

/// Gives the samples of the run in folder `dir` to `each`, in the order they were decided, as far as the file is
/// whole. Whether it should be whole is what [`outline`] checks.
///
/// # Errors
/// The file cannot be read, or `each` failed.
pub fn each_sample(dir: &Path, each: &mut dyn FnMut(&Sample) -> io::Result<()>) -> io::Result<()> {
    let file = match File::open(dir.join(SAMPLES_FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    match samples::scan(BufReader::with_capacity(1 << 16, file), each)? {
        Ok(_) => Ok(()),
        Err((record, why)) => Err(io::Error::other(format!("record {record}: {why}"))),
    }
}

type Found = io::Result<Result<samples::Samples, (u64, String)>>;

fn record(dir: &Path, scan: impl FnOnce(Box<dyn Read>) -> Found) -> Result<Record, JournalError> {
    let path = dir.join(JOURNAL_FILE);
    let bytes = std::fs::read(&path).map_err(|source| JournalError::Io { path: path.clone(), source })?;
    let lines = Lines::read(&path, &bytes)?;
    // What another process wrote when it put things back ends no measuring: the samples stay as they were cut.
    let own = lines.events.iter().take_while(|event| !matches!(event.kind, EventKind::TakenOver { .. }));
    let ended = own.clone().any(|event| matches!(event.kind, EventKind::RunEnded { .. }));
    let found = read_samples(&dir.join(SAMPLES_FILE), ended, lines.seal.as_ref(), scan)?;
    let cut = !ended || lines.torn || found.torn;
    Ok(Record {
        header: lines.header,
        events: lines.events,
        samples: found.samples,
        chain_head: lines.head,
        cut,
    })
}

/// Reads the samples. Once the run has ended, or the journal says what they came to, they must be
/// whole.
fn read_samples(
    path: &Path,
    ended: bool,
    seal: Option<&Seal>,
    scan: impl FnOnce(Box<dyn Read>) -> Found,
) -> Result<samples::Samples, JournalError> {
    let whole = ended || seal.is_some();
    let failed = |source| JournalError::Io { path: path.to_owned(), source };
    let file: Box<dyn Read> = match File::open(path) {
        Ok(file) => Box::new(BufReader::with_capacity(1 << 16, file)),
        // The process died between making the journal and the samples.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !whole => Box::new(io::empty()),
        Err(source) => return Err(failed(source)),
    };
    let damaged = |(record, why)| JournalError::Samples { path: path.to_owned(), record, why };
    let found = scan(file).map_err(failed)?.map_err(damaged)?;
    let next = found.seal.count + 1;
    if found.torn && whole {
        return Err(damaged((
            next,
            "it is damaged or incomplete, though the run came to its end".to_owned(),
        )));
    }
    if let Some(seal) = seal
        && *seal != found.seal
    {
        let why = format!(
            "the journal says that there are {} samples with check {}, and the file has {} with {}",
            seal.count, seal.check, found.seal.count, found.seal.check
        );
        return Err(damaged((next, why)));
    }
    Ok(found)
}

/// The whole lines of a journal.
pub(super) struct Lines {
    header: Header,
    events: Vec<Event>,
    seal: Option<Seal>,
    torn: bool,
    /// The hash of the last whole line.
    pub(super) head: String,
    /// How many bytes the whole lines take, and how many lines they are.
    pub(super) len: u64,
    pub(super) count: u64,
}

impl Lines {
    /// Reads every whole line, checking the chain.
    pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Lines, JournalError> {
        let mut whole = Vec::new();
        let mut len = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if let Some(text) = line.strip_suffix(b"\n") {
                whole.push(text);
                len += line.len();
            }
        }
        let mut rest = whole.into_iter().enumerate();
        let Some((_, first)) = rest.next() else {
            return Err(JournalError::Empty { path: path.to_owned() });
        };
        let damaged =
            |index: usize, why| JournalError::Damaged { path: path.to_owned(), line: index + 1, why };
        let (body, mut head) = chain::open(GENESIS, first).map_err(|why| damaged(0, why))?;
        let Body::Header(header) = body else {
            return Err(damaged(0, "the first line is not the header".to_owned()));
        };
        if header.schema != SCHEMA {
            return Err(JournalError::Schema { path: path.to_owned(), found: header.schema });
        }
        let (mut events, mut seal) = (Vec::new(), None);
        let mut count = 1;
        for (index, line) in rest {
            count += 1;
            let (body, hash) = chain::open(&head, line).map_err(|why| damaged(index, why))?;
            match body {
                Body::Event(event) => events.push(event),
                Body::Samples(found) => seal = Some(found),
                Body::Header(_) => return Err(damaged(index, "a second header".to_owned())),
            }
            head = hash;
        }
        Ok(Lines { header: *header, events, seal, torn: len < bytes.len(), head, len: len as u64, count })
    }
}
