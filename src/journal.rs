//! A run on disk: the journal and the samples, which are the only truth.

use crate::run::event::{Event, Header};
use crate::sample::Sample;

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
    /// Whether the journal was cut short (the run's process died) or a line was damaged.
    pub cut: bool,
}
