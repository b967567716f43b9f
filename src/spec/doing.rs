//! The steps of an experiment or a runbook: what is done, by whom, in which order, and how it is undone.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::outputs::Flow;
use super::people::Approval;
use crate::action::Action;
use crate::aws::find::Target;
use crate::notation::decode::{Spanned, SpannedName};
use crate::notation::yaml::Span;
use crate::probe::Probe;
use crate::words;

/// A step: one thing that is done, and what belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Its name: unique in the experiment.
    pub name: Spanned<String>,
    /// What it does.
    pub does: Does,
    /// What must be seen before the step counts as done.
    pub verify: Vec<Check>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// What happens to the run when it fails.
    pub on_failure: OnFailure,
    /// The steps that must have finished first; every one exists, and there is no cycle.
    pub after: Vec<String>,
    /// Whether its author knows that it cannot be undone.
    pub irreversible: bool,
    /// How it is undone.
    pub undo: Undo,
    /// Who owns it.
    pub owner: Option<String>,
    /// In which role a person carries it out.
    pub role: Option<String>,
    /// What it is about.
    pub about: Option<String>,
    /// How long it should take; what takes longer is shown, and is no failure.
    pub expected: Option<Duration>,
    /// What of its program's output is kept, and what it uses of others'.
    pub flow: Flow,
    /// The targets of the runbook that it stands in; without one, the experiment's are meant.
    pub targets: Option<Arc<Targets>>,
}

/// Whom actions are aimed at, by name.
pub type Targets = IndexMap<SpannedName, Target>;

impl Step {
    /// All that it asks of whom: its verification, and what it waits for.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        let conditions = match &self.does {
            Does::WaitUntil(conditions) => conditions.as_slice(),
            _ => &[],
        };
        conditions.iter().chain(&self.verify)
    }
}

/// How a step is undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Undo {
    /// As the action itself knows, if it does.
    #[default]
    Own,
    /// Not at all: what the step did is meant to stay (`undo: none`).
    Nothing,
    /// By a program, in place of what the action itself knows.
    Program(Program),
}

/// What a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    /// Calls AWS.
    Action(Action),
    /// Runs a program.
    Run(Program),
    /// Has a person carry out a sentence.
    Manual(String),
    /// Asks people whether to go on.
    Approve(Approval),
    /// Waits.
    Wait(Duration),
    /// Waits until each of these is good, one after the other.
    WaitUntil(Vec<Check>),
}

impl Does {
    /// The action's name, or the key of the step.
    pub fn kind(&self) -> &'static str {
        match self {
            Does::Action(action) => action.name(),
            Does::Run(_) => "run",
            Does::Manual(_) => "manual",
            Does::Approve(_) => "approve",
            Does::Wait(_) => "wait",
            Does::WaitUntil(_) => "wait_until",
        }
    }

    /// Whether it is the fault when nothing else is said to be: whether firedrill itself does anything.
    pub fn injects(&self) -> bool {
        matches!(self, Does::Action(_) | Does::Run(_))
    }
}

/// A program and its arguments: no shell in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program, then its arguments. Not empty.
    pub argv: Vec<String>,
    /// Environment variables added to those of this process.
    pub env: IndexMap<String, String>,
    /// Where its name stands in the file.
    pub place: Span,
}

/// Something that must be seen before a step counts as done.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What is asked of whom.
    pub probe: Probe,
    /// How long it may take until the answer is good.
    pub within: Duration,
}

words! {
    /// What happens to the run when a step fails.
    pub enum OnFailure {
        /// The run stops there and is undone.
        "stop" => Stop,
        /// The run goes on.
        "continue" => Continue,
    }
}
