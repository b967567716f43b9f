//! Putting back what a run left whose process died, from its journal and from what is true now.
//!
//! The journal says what was about to be called; AWS says what came of it. Every undo looks before it calls, and again for a while
//! where it finds nothing to do, so that what was never done, was done in part, or was put back by somebody else is left as it
//! should be.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::event::{Ending, Event, EventKind, Header, Outstanding, Phase, outstanding};
use super::recorder::{Desk, Recorder};
use super::undo::{Stack, Undoing};
use crate::aws::Aws;
use crate::clock::{Clock, Moment};
use crate::journal::{self, JournalError, Writer};
use crate::redact::Redactor;

/// A run whose process died, taken over: nobody else can write its journal now.
pub struct Case {
    dir: PathBuf,
    writer: Writer,
    header: Header,
    events: Vec<Event>,
}

/// What a recovery needs besides the journal.
pub struct Means {
    /// The clients, when the run acted on AWS.
    pub aws: Option<Arc<Aws>>,
    /// Where the clients announce their calls.
    pub desk: Arc<Desk>,
    /// Hides secrets in everything that is written.
    pub redactor: Arc<Redactor>,
    /// Who recovers: `sre@bastion (process 4711)`.
    pub by: String,
}

/// What came of a recovery: the steps that are still not undone, each with how it would be.
pub type Left = Vec<(String, String)>;

impl Case {
    /// Takes over the run in folder `dir`; a torn last line of its journal is cut off.
    ///
    /// # Errors
    /// Its process lives, or the journal is damaged, or has no first line (then nothing was changed).
    pub fn open(dir: &Path) -> Result<Case, JournalError> {
        let writer = Writer::open(dir)?;
        let record = journal::outline(dir)?;
        Ok(Case { dir: dir.to_owned(), writer, header: record.header, events: record.events })
    }

    /// The first line of its journal.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What is still to be put back, by the journal.
    pub fn outstanding(&self) -> Vec<Outstanding> {
        outstanding(&self.events)
    }

    /// Puts back what is left: `undoing` is how, by step, with secrets in place; a step without one is left.
    ///
    /// # Errors
    /// The journal cannot be written. What was to be put back has been tried all the same.
    pub async fn put_back(self, undoing: Vec<(String, Undoing)>, means: Means) -> io::Result<Left> {
        let last = self.events.last().map_or(Moment::ZERO, |event| event.at_ns);
        let clock = Clock::resumed(self.header.began, last);
        let region = self.header.environment.region.as_deref();
        let (out, _nobody) = mpsc::unbounded_channel();
        let recorder = Arc::new(Recorder::new(clock, means.redactor, self.writer, out));
        means.desk.open(recorder.clone());
        recorder.record(EventKind::TakenOver { by: means.by.clone() })?;
        recorder.record(EventKind::PhaseEntered { phase: Phase::Undo })?;
        let known: Vec<String> = undoing.iter().map(|(step, _)| step.clone()).collect();
        let mut left: Left = outstanding(&self.events)
            .into_iter()
            .filter(|one| !known.contains(&one.step))
            .map(|one| (one.step, one.summary))
            .collect();
        let stack = Stack::resumed(recorder.clone(), region, undoing);
        stack.undo_all(means.aws.as_deref()).await;
        left.extend(stack.left());
        if !self.events.iter().any(|event| matches!(event.kind, EventKind::RunEnded { .. })) {
            let by = format!("the death of its process; put back by {}", means.by);
            recorder.record(EventKind::RunEnded { ending: Ending::Aborted { by } })?;
        }
        if left.is_empty() {
            journal::open::close(&self.dir)?;
        }
        Ok(left)
    }

    /// Notes that nothing is left to put back, since what the run acted on ended with its process.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn forget(self, by: &str) -> io::Result<()> {
        let last = self.events.last().map_or(Moment::ZERO, |event| event.at_ns);
        let clock = Clock::resumed(self.header.began, last);
        let (out, _nobody) = mpsc::unbounded_channel();
        let recorder = Recorder::new(clock, Arc::new(Redactor::default()), self.writer, out);
        recorder.record(EventKind::TakenOver { by: by.to_owned() })?;
        for one in outstanding(&self.events) {
            let detail = "the embedded lab ended with the process".to_owned();
            recorder.record(EventKind::UndoFinished { step: one.step, done: true, detail })?;
        }
        if !self.events.iter().any(|event| matches!(event.kind, EventKind::RunEnded { .. })) {
            let by = format!("the death of its process; taken over by {by}");
            recorder.record(EventKind::RunEnded { ending: Ending::Aborted { by } })?;
        }
        journal::open::close(&self.dir)
    }
}
