//! What a run takes before it begins: its environment, for as long as it lives.

use std::path::Path;

use super::surroundings::{Surroundings, locks};
use super::{Failure, Where};
use crate::aws::Aws;
use crate::journal::lock::{EnvironmentLock, LockError};
use crate::journal::open::{self, OpenRun};
use crate::run::event::EnvironmentFacts;
use crate::run::stop::parameter::{self, Said};

/// What a run holds while it lives.
pub struct Claim {
    /// Where; `None` for a run that leaves nothing behind.
    place: Option<EnvironmentFacts>,
    /// What was overridden, for the journal.
    pub remarks: Vec<String>,
    /// Let go of with the claim, or with the process.
    lock: Option<EnvironmentLock>,
}

impl Claim {
    /// The claim of a run that changes nothing, or nothing that outlives it.
    pub fn nothing() -> Claim {
        Claim { place: None, remarks: Vec::new(), lock: None }
    }

    /// Takes the environment for this run, unless another one has it or has left something there. `force` begins in spite
    /// of what was left.
    ///
    /// # Errors
    /// Another run is under way or was not put back, or a file says that no drill may run. Nothing was changed.
    pub fn make(
        place: &Where,
        store: &Path,
        environment: EnvironmentFacts,
        surroundings: &Surroundings,
        force: bool,
    ) -> Result<Claim, Failure> {
        // The embedded lab is this process's own, and ends with it.
        if surroundings.lab.is_some() {
            return Ok(Claim::nothing());
        }
        if let Some(stop) = surroundings.environment.stop_file.as_deref().filter(|file| file.exists()) {
            return Err(Failure::not_started(format!("{} is there, which stops every run", stop.display()))
                .help("remove it when drills may run again"));
        }
        let opened = OpenRun::new("", &environment);
        // Without an account there is nothing that two runs could both act on, as far as is known.
        let lock = opened.account.is_some().then(|| lock(store, &opened)).transpose()?;
        let mut remarks = Vec::new();
        let here = |one: &open::Unfinished| one.opened.same_place(&opened) && !one.alive;
        for left in open::unfinished(store).into_iter().filter(here) {
            let what =
                format!("run {} did not come to its end and may have left things changed", left.opened.run);
            if !force {
                let failure = Failure::not_started(format!("{what}; nothing was changed now"));
                return Err(failure.help(format!(
                    "put back what it left: {}; or say --force to begin all the same",
                    recover_command(&left.dir, place)
                )));
            }
            remarks.push(format!("begun with --force, although {what}"));
        }
        Ok(Claim { place: Some(environment), remarks, lock })
    }

    /// What says that the run is not over, until it is; the lock bears its name from here on.
    pub fn opened(&mut self, run: &str) -> Option<OpenRun> {
        let opened = OpenRun::new(run, self.place.as_ref()?);
        if let Some(lock) = &mut self.lock {
            // The name is a courtesy: that it is held is what counts.
            let _ = lock.name(&opened);
        }
        Some(opened)
    }
}

/// Asks the environment's stop parameter, if it names one, whether drills may run.
///
/// # Errors
/// It says that none may, or cannot be read: what nobody can read stops nothing.
pub async fn may_begin(aws: Option<&Aws>) -> Result<(), Failure> {
    let Some((aws, name)) = aws.and_then(|aws| Some((aws, aws.stop_parameter()?))) else { return Ok(()) };
    match parameter::ask(aws, name).await {
        Said::Go => Ok(()),
        Said::Stop(by) => {
            let failure = Failure::not_started(format!("every run is to stop, says {by}"));
            Err(failure.help(format!(
                "when drills may run again: `aws ssm delete-parameter --name {name}`, or give it the value `{}`",
                parameter::GO
            )))
        }
        Said::Unread(why) => {
            let what = format!("the parameter {name}, which is to stop runs, cannot be read: {why}");
            let failure = Failure::not_started(format!("{what}; nothing was changed"));
            Err(failure.help("allow ssm:GetParameter on it, or take `stop_parameter` out of the environment"))
        }
    }
}

/// Takes the lock on an environment.
///
/// # Errors
/// Another run holds it, or it cannot be had.
pub fn lock(store: &Path, opened: &OpenRun) -> Result<EnvironmentLock, Failure> {
    EnvironmentLock::take(&locks(store), opened).map_err(|error| {
        let failure = Failure::not_started(format!("{error}; nothing was changed"));
        match error {
            LockError::Held { .. } => {
                failure.help("wait until it is over, or stop it and undo what it did: `firedrill abort`")
            }
            LockError::Io { .. } => {
                failure.help("see to the folder's rights, or set XDG_STATE_HOME to another one")
            }
        }
    })
}

/// The command that puts back what a run left.
pub fn recover_command(dir: &Path, place: &Where) -> String {
    let mut line = format!("firedrill recover {}", dir.display());
    if let Some(environment) = &place.environment {
        line.push_str(&format!(" --env {environment}"));
    }
    if place.project != Path::new("firedrill.yaml") {
        line.push_str(&format!(" --project {}", place.project.display()));
    }
    line
}
