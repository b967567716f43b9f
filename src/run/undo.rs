//! Putting things back: what was prepared before each step acted, in a safe order.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::event::EventKind;
use super::recorder::Recorder;
use crate::action::{Pace, Undo};
use crate::aws::Aws;
use crate::program::{Ended, Program};

/// How one step is undone: stored in the journal before the step acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undoing {
    /// By the action's own inverse, with the prior state.
    Action(Undo),
    /// By the program that the step names.
    Program(Program),
}

impl Undoing {
    /// One line for people.
    pub fn summary(&self) -> String {
        match self {
            Undoing::Action(undo) => undo.summary(),
            Undoing::Program(program) => format!("run {}", program.line()),
        }
    }

    /// What a person would type to do the same.
    pub fn command(&self, region: &str) -> String {
        match self {
            Undoing::Action(undo) => undo.command(region),
            Undoing::Program(program) => program.line(),
        }
    }

    /// How long it may take before the next one is gone on to.
    fn limit(&self) -> Duration {
        match self {
            // Twice: it may first have to wait for what is still under way.
            Undoing::Action(undo) => undo.limit().saturating_mul(2),
            // It ends the program at its own deadline; a little more for that to be done.
            Undoing::Program(program) => program.timeout.saturating_add(Duration::from_secs(10)),
        }
    }

    /// How long it usually takes at the worst; nothing for a program, of which nobody knows.
    pub fn usual(&self, pace: Pace) -> Duration {
        match self {
            Undoing::Action(undo) => Duration::try_from_secs_f64(undo.usual(pace).to).unwrap_or_default(),
            Undoing::Program(_) => Duration::ZERO,
        }
    }

    fn moves_traffic(&self) -> bool {
        matches!(self, Undoing::Action(undo) if undo.moves_traffic())
    }
}

/// The order in which to undo: the last step first, but whatever moves traffic at the very end, so
/// that customers are not sent back to what is not there yet.
pub fn order(mut prepared: Vec<(String, Undoing)>) -> Vec<(String, Undoing)> {
    prepared.reverse();
    let (traffic, capacity): (Vec<_>, Vec<_>) =
        prepared.into_iter().partition(|(_, undo)| undo.moves_traffic());
    capacity.into_iter().chain(traffic).collect()
}

/// What is to be undone, as far as the run has got.
pub struct Stack {
    recorder: Arc<Recorder>,
    region: String,
    prepared: Mutex<Vec<(String, Undoing)>>,
}

impl Stack {
    /// Nothing to undo yet. `region` is named in the commands that people are given.
    pub fn new(recorder: Arc<Recorder>, region: Option<&str>) -> Stack {
        Stack { recorder, region: region.unwrap_or_default().to_owned(), prepared: Mutex::default() }
    }

    /// What a run left that died, in the order of its steps.
    pub fn resumed(recorder: Arc<Recorder>, region: Option<&str>, left: Vec<(String, Undoing)>) -> Stack {
        Stack { prepared: Mutex::new(left), ..Stack::new(recorder, region) }
    }

    /// Writes down how a step will be undone; when this returns, it is on disk.
    ///
    /// # Errors
    /// The journal could not be written: the step must not act.
    pub fn prepare(&self, step: &str, undoing: Undoing) -> io::Result<()> {
        let undo = serde_json::to_value(&undoing).map_err(io::Error::other)?;
        let (summary, command) = (undoing.summary(), Some(undoing.command(&self.region)));
        self.recorder.record(EventKind::UndoPrepared { step: step.to_owned(), summary, command, undo })?;
        self.lock().push((step.to_owned(), undoing));
        Ok(())
    }

    /// The steps that are not undone, each with how it would be, and by which command.
    pub fn left(&self) -> Vec<(String, String)> {
        let line = |undoing: &Undoing| match undoing {
            Undoing::Action(_) => {
                format!("{}; by hand: {}", undoing.summary(), undoing.command(&self.region))
            }
            Undoing::Program(_) => undoing.summary(),
        };
        self.lock().iter().map(|(step, undoing)| (step.clone(), line(undoing))).collect()
    }

    /// Undoes everything, in a safe order; goes on past a failure. What could not be undone stays.
    pub async fn undo_all(&self, aws: Option<&Aws>) {
        let prepared = self.lock().clone();
        for (step, undoing) in order(prepared) {
            // The journal may be what failed; putting things back matters more than writing it down.
            let _ = self.recorder.record(EventKind::UndoStarted { step: step.clone() });
            let result = tokio::time::timeout(undoing.limit(), undo_one(&step, &undoing, aws)).await;
            let (done, detail) = match result {
                Ok(Ok(detail)) => (true, detail),
                Ok(Err(why)) => (false, why),
                Err(_) => {
                    let limit = crate::notation::units::show(undoing.limit());
                    (false, format!("not done within {limit}: {}", undoing.summary()))
                }
            };
            if done {
                self.lock().retain(|(name, _)| *name != step);
            }
            let _ = self.recorder.record(EventKind::UndoFinished { step, done, detail });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Undoing)>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn undo_one(step: &str, undoing: &Undoing, aws: Option<&Aws>) -> Result<String, String> {
    match (undoing, aws) {
        (Undoing::Action(undo), Some(aws)) => undo.apply(aws, step).await.map_err(|fault| fault.to_string()),
        (Undoing::Action(undo), None) => Err(format!("no AWS clients: {}", undo.summary())),
        // What it does twice is not known, so it is run once.
        (Undoing::Program(program), _) => {
            // An undo is never stopped: that would leave the fault in place.
            let (_keep, stop) = watch::channel(false);
            match program.run(stop).await {
                Ended::Success(said) => Ok(format!("{}: {said}", program.line())),
                Ended::Failure(said) | Ended::NotStarted(said) => Err(format!("{}: {said}", program.line())),
            }
        }
    }
}
