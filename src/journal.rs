//! A run on disk: the journal and the samples, which are the only truth.
//!
//! `journal.jsonl` is one JSON object a line, each with `prev` (the line before's `sha256`) first
//! and its own `sha256` last:
//!
//! ```text
//! {"prev":"000…0","header":{…},"sha256":"1f3…"}
//! {"prev":"1f3…","event":{…},"sha256":"a07…"}
//! ```
//!
//! `sha256` is taken over the line's own bytes up to the comma before it, and these hold `prev`: so
//! the last line's hash, the *head* of the chain, stands for every byte above it, and
//! `sha256sum` is enough to check a run by hand. Each append is synced before it returns. A last
//! line without a newline was being written when the process died, and is left out; anything else
//! that does not add up is an error, never skipped.
//!
//! What a power cut leaves: `open.json` is written and synced, then its folder; then the journal's first line, and its folder;
//! after that a line is written with one `write` and `fdatasync`ed before what it announces is done. When a line cannot be
//! written whole (a full disk), the file is cut back to the line before, and nothing more is begun; an undo goes on
//! without being written down. Samples are synced once a second and before each event of the run's own making. At the
//! end the samples' check is chained to the journal, then the last event is written, then `open.json` is
//! removed. Nothing is ever rewritten in place; reports are computed from these files and can be made again.
//!
//! While a run is not over, `open.json` says so (`journal/open.rs`). `samples.bin` is described in `journal/samples.rs`, and `intents.bin`, which says how many writes were
//! begun when a process died, in `journal/intents.rs`. This module knows nothing of what the events mean.

mod chain;
#[cfg(debug_assertions)]
mod crash;
mod intents;
pub mod lock;
pub mod open;
mod reader;
mod samples;
mod writer;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use crate::run::event::{Event, Header};
use crate::sample::Sample;

pub use intents::{IntentSlot, Intents};
pub use reader::{JournalError, each_sample, outline, read};
pub use samples::{SampleWriter, Seal};
pub use writer::Writer;

/// The file of events in a run's folder.
pub const JOURNAL_FILE: &str = "journal.jsonl";
/// The file of samples in a run's folder.
pub const SAMPLES_FILE: &str = "samples.bin";
/// The file of begun writes in a run's folder.
pub const INTENTS_FILE: &str = "intents.bin";
/// The format that this version writes and reads: [`Header::schema`].
pub const SCHEMA: &str = "firedrill/journal/v1";

/// A run as it was recorded: all that measuring, judging and reporting may look at.
#[derive(Clone, Debug)]
pub struct Record {
    /// The journal's first line.
    pub header: Header,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// What the probes saw, in the order they were decided.
    pub samples: Vec<Sample>,
    /// SHA-256 that the journal's last line carries: the head of its hash chain.
    pub chain_head: String,
    /// Whether the journal was cut short: it has no end, a last line or sample was torn, or another process had to take
    /// the run over to put things back.
    pub cut: bool,
}
