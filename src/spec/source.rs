//! A file as it was read, and what is wrong with it.

use std::fmt;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::values::read_at_most;
use crate::notation::code::Code;
use crate::notation::decode::Problem;
use crate::notation::diagnostic::{Located, Sheet};
use crate::notation::yaml::{self, MAX_BYTES, Node, Span};

/// A file's text and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path as given.
    pub path: String,
    /// The text.
    pub text: String,
}

impl Source {
    /// SHA-256 of the text, in hexadecimal.
    pub fn sha256(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What is wrong with a file. Displays as people read it, without colour.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Diagnostics {
    /// The path as given.
    pub path: String,
    /// The text that the problems' places refer to; empty when the file could not be read.
    pub text: String,
    /// Errors and warnings, in no order.
    pub problems: Vec<Problem>,
}

impl Diagnostics {
    /// One problem with a file that could not be read.
    pub fn unreadable(code: Code, path: &Path, message: impl Into<String>) -> Diagnostics {
        Diagnostics {
            path: path.display().to_string(),
            text: String::new(),
            problems: vec![Problem::new(code, Span::default(), message)],
        }
    }

    /// Nothing wrong with a file.
    pub fn none(path: &Path) -> Diagnostics {
        Diagnostics { path: path.display().to_string(), text: String::new(), problems: Vec::new() }
    }

    /// Without the text when no problem refers to it: of ten thousand files that are right, only the paths are kept.
    #[must_use]
    pub fn without_idle_text(mut self) -> Diagnostics {
        if self.problems.is_empty() {
            self.text = String::new();
        }
        self
    }

    /// The problems, sorted by place.
    pub fn sheet(&self) -> Sheet<'_> {
        Sheet::new(&self.path, &self.text, &self.problems)
    }

    /// The problems drawn with the lines they stand in, and a last line that counts them.
    pub fn render(&self, color: bool) -> String {
        self.sheet().render(color)
    }

    /// The problems in lines and columns, for machines.
    pub fn located(&self) -> Vec<Located> {
        self.sheet().located()
    }

    /// Whether any of the problems is an error.
    pub fn failed(&self) -> bool {
        self.problems.iter().any(|problem| !problem.warning)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.render(false).trim_end())
    }
}

/// Reads a file into a tree. What the tree may not hold is returned beside it; a file that is no tree
/// at all is an error.
pub(super) fn read(path: &Path) -> Result<(Source, Node, Vec<Problem>), Diagnostics> {
    of(path, &bytes(path)?)
}

/// A file's bytes, one more than may be read at most.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Diagnostics> {
    read_at_most(path, MAX_BYTES).map_err(|error| {
        Diagnostics::unreadable(Code::FileUnreadable, path, format!("the file cannot be read: {error}"))
    })
}

/// The bytes of the file at `path` as a tree.
pub(super) fn of(path: &Path, bytes: &[u8]) -> Result<(Source, Node, Vec<Problem>), Diagnostics> {
    let parsed = yaml::parse(bytes);
    let path = path.display().to_string();
    match parsed.root {
        Some(root) => Ok((Source { path, text: parsed.text }, root, parsed.problems)),
        None => Err(Diagnostics { path, text: parsed.text, problems: parsed.problems }),
    }
}
