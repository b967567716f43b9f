//! What people say in a run, and what a step says of the people who carry it out.

use serde::{Deserialize, Serialize};

/// What a person says of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is done.
    Done,
    /// It was left out.
    Skipped,
    /// It did not work.
    Failed,
    /// Go on.
    Go,
    /// Do not go on: stop, and undo.
    NoGo,
}

impl Answer {
    /// The answer as people say it, and as `report.json` has it with `_` for the hyphen.
    pub fn words(self) -> &'static str {
        match self {
            Answer::Done => "done",
            Answer::Skipped => "skipped",
            Answer::Failed => "failed",
            Answer::Go => "go",
            Answer::NoGo => "no-go",
        }
    }
}

/// Where a person gave an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// At the terminal of the run itself.
    Terminal,
    /// With `firedrill confirm`.
    Confirm,
}

/// What a step says of the people who carry it out, and of how long it should take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    /// Who owns it.
    pub owner: Option<String>,
    /// In which role.
    pub role: Option<String>,
    /// What it is about, for whoever carries it out.
    pub about: Option<String>,
    /// How long it should take, in seconds.
    pub expected: Option<f64>,
    /// Of an approval: in which roles people may say go; empty when anybody may.
    pub by: Vec<String>,
    /// Of an approval: how many people must say go.
    pub at_least: u8,
}

/// The kinds of step that wait for a person.
pub const BY_PEOPLE: [&str; 2] = ["manual", "approve"];

/// What kind of file a run was made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// An experiment: something is broken, and what it does is measured.
    #[default]
    Experiment,
    /// A runbook: a procedure that people follow.
    Runbook,
}

impl FileKind {
    /// The word after `kind:`.
    pub fn word(self) -> &'static str {
        match self {
            FileKind::Experiment => "Experiment",
            FileKind::Runbook => "Runbook",
        }
    }

    /// The noun: `experiment`, as `report.json` has it.
    pub fn noun(self) -> &'static str {
        match self {
            FileKind::Experiment => "experiment",
            FileKind::Runbook => "runbook",
        }
    }
}

/// A runbook whose steps are part of an experiment's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookFacts {
    /// What its steps' names begin with.
    pub name: String,
    /// The file's path as found.
    pub path: String,
    /// The file's text, secrets hidden.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal.
    pub sha256: String,
}
