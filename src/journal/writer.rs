//! Appends to a journal; when an append returns, it is on disk.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use super::chain::{self, Body, GENESIS};
use super::reader::{JournalError, Lines};
use super::samples::Seal;
use super::{JOURNAL_FILE, SCHEMA};
use crate::run::event::{Event, Header};

/// A journal that is being written. Holds a lock, so that no second process writes to it.
#[derive(Debug)]
pub struct Writer {
    file: File,
    head: String,
    len: u64,
    /// How many lines there are.
    lines: u64,
    broken: bool,
}

impl Writer {
    /// Starts the journal of a new run in `dir`, which is made when missing.
    ///
    /// # Errors
    /// The folder holds a journal already, or cannot be written.
    pub fn create(dir: &Path, header: &Header) -> io::Result<Writer> {
        if header.schema != SCHEMA {
            let message = format!("this version writes {SCHEMA}, not `{}`", header.schema);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        std::fs::create_dir_all(dir)?;
        let file = OpenOptions::new().append(true).create_new(true).open(dir.join(JOURNAL_FILE))?;
        lock(&file)?;
        let mut writer = Writer { file, head: GENESIS.to_owned(), len: 0, lines: 0, broken: false };
        writer.write(&Body::Header(Box::new(header.clone())))?;
        sync_dir(dir)?;
        Ok(writer)
    }

    /// Opens the journal of a run whose process died, to go on with it. A torn last line is cut off.
    ///
    /// # Errors
    /// The run is still being written by a process, or its journal is damaged.
    pub fn open(dir: &Path) -> Result<Writer, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let failed = |source| JournalError::Io { path: path.clone(), source };
        let file = OpenOptions::new().read(true).append(true).open(&path).map_err(failed)?;
        lock(&file).map_err(failed)?;
        let bytes = std::fs::read(&path).map_err(failed)?;
        let lines = Lines::read(&path, &bytes)?;
        file.set_len(lines.len).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(Writer { file, head: lines.head, len: lines.len, lines: lines.count, broken: false })
    }

    /// Writes an event; when this returns, it is on disk.
    ///
    /// # Errors
    /// It could not be written; the journal is as it was before.
    pub fn append(&mut self, event: &Event) -> io::Result<()> {
        self.write(&Body::Event(event.clone()))
    }

    /// Writes down what the samples file came to, once it is complete: a sample that is changed,
    /// added or removed afterwards is then found out.
    ///
    /// # Errors
    /// As [`Writer::append`].
    pub fn seal(&mut self, samples: &Seal) -> io::Result<()> {
        self.write(&Body::Samples(samples.clone()))
    }

    /// The hash of the last line.
    pub fn head(&self) -> &str {
        &self.head
    }

    fn write(&mut self, body: &Body) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier line could only be written in part"));
        }
        let (mut line, hash) = chain::seal(&self.head, body).map_err(io::Error::other)?;
        line.push('\n');
        #[cfg(debug_assertions)]
        if let Some(part) = super::crash::allowed(self.lines + 1, line.len()) {
            self.file.write_all(line.as_bytes().get(..part).unwrap_or_default())?;
            self.file.sync_data()?;
            super::crash::after(self.lines + 1);
        }
        match self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_data()) {
            Ok(()) => {
                self.head = hash;
                self.len += line.len() as u64;
                self.lines += 1;
                #[cfg(debug_assertions)]
                super::crash::after(self.lines);
                Ok(())
            }
            Err(error) => {
                // Half a line in the middle would damage all that follows it.
                self.broken = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process is writing this run: it is still alive",
        ),
        TryLockError::Error(error) => error,
    })
}

/// Syncs a folder, so that a file made in it survives a power cut.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
