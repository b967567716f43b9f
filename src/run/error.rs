//! Why a run could not be carried through.

use std::io;
use std::path::PathBuf;

/// Why a run could not be carried through.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's folder or journal.
    #[error(
        "the run's journal in {dir} cannot be written, so the drill does not begin; nothing was changed: {source}"
    )]
    Journal {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The prober's thread or runtime.
    #[error("the prober cannot be started: {0}")]
    Prober(io::Error),
    /// A probe that could not be made ready.
    #[error("probe `{probe}` cannot start: {why}")]
    Probe {
        /// Its name.
        probe: String,
        /// Why, for people.
        why: String,
    },
    /// The journal could not be written any more; what had been prepared was undone.
    #[error("the run was stopped, since its journal cannot be written any more: {source}{}", left_over(left))]
    Broken {
        /// Why.
        source: io::Error,
        /// What is not undone, each with why.
        left: Vec<(String, String)>,
    },
}

fn left_over(left: &[(String, String)]) -> String {
    let lines = left.iter().map(|(step, why)| format!("\n  not undone: {step}: {why}"));
    if left.is_empty() { "; everything was undone".to_owned() } else { lines.collect() }
}
