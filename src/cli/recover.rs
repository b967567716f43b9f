//! `firedrill recover`: puts back what runs left whose process died.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::claim::lock;
use super::report::find;
use super::surroundings::Surroundings;
use super::{Exit, Failure, Where, run as drill, who};
use crate::aws::{Aws, Fault};
use crate::journal::{JournalError, open};
use crate::plan;
use crate::redact::Redactor;
use crate::run::event::{Outstanding, RunbookFacts};
use crate::run::recover::{Case, Means};
use crate::run::undo::Undoing;
use crate::spec::Loaded;
use crate::spec::environment::LAB;

/// Arguments of `recover`.
#[derive(Args, Debug)]
pub struct RecoverArgs {
    /// The run: its id, the beginning of it, its folder; without it, every run whose process died.
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Only say what there is to put back.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    place: Where,
    /// Where runs are stored; else the project file's `store:`, else `.firedrill/runs`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

/// Carries `recover` out.
pub fn run(args: &RecoverArgs, colour: bool) -> Result<Exit, Failure> {
    let store = super::surroundings::store(args.store.as_deref(), &args.place.project)?;
    let dirs = match &args.run {
        Some(run) => vec![find(&store, run)?],
        None => dead(&store),
    };
    if dirs.is_empty() {
        super::say(&format!("nothing to put back: every run in {} came to its end\n", store.display()));
        return Ok(Exit::Pass);
    }
    let runtime = super::runtime()?;
    let mut exit = Exit::Pass;
    for dir in &dirs {
        let recovered = Recovery { args, store: &store, dir, colour };
        match runtime.block_on(recovered.carry_out()) {
            Ok(ended) => exit = exit.worst(ended),
            // One that cannot be taken over must not keep the others from being put back.
            Err(failure) if dirs.len() > 1 => {
                super::show(&format!("{}\n", failure.render(colour)));
                exit = exit.worst(failure.exit());
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(exit)
}

/// The runs that are not over and whose process is gone; those that live are named.
fn dead(store: &Path) -> Vec<PathBuf> {
    let (alive, dead): (Vec<_>, Vec<_>) = open::unfinished(store).into_iter().partition(|one| one.alive);
    for one in alive {
        let (run, pid) = (&one.opened.run, one.opened.pid);
        super::say(&format!("{run} is under way (process {pid}): `firedrill abort {run}` stops it\n"));
    }
    dead.into_iter().map(|one| one.dir).collect()
}

struct Recovery<'a> {
    args: &'a RecoverArgs,
    store: &'a Path,
    dir: &'a Path,
    colour: bool,
}

impl Recovery<'_> {
    async fn carry_out(&self) -> Result<Exit, Failure> {
        let case = match Case::open(self.dir) {
            Ok(case) => case,
            Err(JournalError::Empty { .. }) => return self.never_began(),
            Err(error) => return Err(unreadable(&error)),
        };
        let left = case.outstanding();
        self.announce(&case, &left);
        if self.args.list {
            return Ok(if left.is_empty() { Exit::Pass } else { Exit::UndoIncomplete });
        }
        let failed = |error: std::io::Error| {
            Failure::not_started(format!("{}: the journal cannot be written: {error}", self.dir.display()))
                .help("make room on the disk that holds the runs, then say it again")
                .exiting(Exit::UndoIncomplete)
        };
        if case.header().environment.name == LAB {
            // A region in the memory of a process that is gone.
            case.forget(&who::am_i()).map_err(failed)?;
            return self.concluded(true);
        }
        let (means, loaded, _lock) = self.means(&case, &left).await?;
        let undoing = left.iter().filter_map(|one| self.undoing(one, loaded.as_ref())).collect();
        let left = case.put_back(undoing, means).await.map_err(failed)?;
        self.concluded(left.is_empty())
    }

    fn never_began(&self) -> Result<Exit, Failure> {
        let run = self.dir.display();
        super::say(&format!("{run}: the run died before its first line was written, and changed nothing\n"));
        if !self.args.list {
            open::close(self.dir).map_err(|error| {
                Failure::not_started(format!("{run}: {} cannot be removed: {error}", open::OPEN_FILE))
            })?;
        }
        Ok(Exit::Pass)
    }

    fn announce(&self, case: &Case, left: &[Outstanding]) {
        let run = &case.header().run;
        if left.is_empty() {
            super::say(&format!("{run}: nothing is left to put back\n"));
        }
        for one in left {
            let unclear = if one.unclear { " (whether it was done is not known)" } else { "" };
            super::say(&format!("{run}: step `{}`{unclear}: {}\n", one.step, one.summary));
        }
    }

    /// The clients of the run's own environment and account, the experiment with its secrets as far as it can be
    /// read, and the lock on the environment.
    async fn means(
        &self,
        case: &Case,
        left: &[Outstanding],
    ) -> Result<(Means, Option<Loaded>, Option<crate::journal::lock::EnvironmentLock>), Failure> {
        let facts = &case.header().environment;
        let desk = Arc::new(drill::desk());
        let by = who::am_i();
        let mut means = Means { aws: None, desk: desk.clone(), redactor: Arc::new(Redactor::default()), by };
        let place = self.place(&facts.name)?;
        let surroundings = Surroundings::prepare(&place, case.header().seed)?;
        let loaded = self.experiment(case, &surroundings);
        if let Some(loaded) = &loaded {
            means.redactor = Arc::new(loaded.redactor.clone());
        }
        let Some(account) = &facts.account else { return Ok((means, loaded, None)) };
        let lock = lock(self.store, &open::OpenRun::new(&case.header().run, facts))?;
        if left.is_empty() {
            return Ok((means, loaded, Some(lock)));
        }
        let failed = |fault: Fault| {
            Failure::not_started(format!("{}: {fault}", self.dir.display()))
                .help(fault.help)
                .exiting(Exit::UndoIncomplete)
        };
        let aws = Aws::connect(surroundings.aws_settings(false)?, desk).await.map_err(failed)?;
        let identity = aws.allowed_identity().await.map_err(failed)?;
        if identity.account != *account {
            return Err(Failure::not_started(format!(
                "{} acted on account {account}, and these credentials are for {}; nothing was changed",
                self.dir.display(),
                identity.account
            ))
            .help("use the profile or role that the run used")
            .exiting(Exit::UndoIncomplete));
        }
        means.aws = Some(Arc::new(aws));
        Ok((means, loaded, Some(lock)))
    }

    /// Where the run took place: it need not be said again.
    fn place(&self, environment: &str) -> Result<Where, Failure> {
        let mut place = self.args.place.clone();
        if let Some(named) = place.environment.as_ref().filter(|named| *named != environment) {
            return Err(Failure::usage(format!(
                "{} took place in `{environment}`, not in `{named}`",
                self.dir.display()
            )));
        }
        // What has no environment is written as `none`.
        place.environment = (environment != "none").then(|| environment.to_owned());
        Ok(place)
    }

    /// The experiment as its file says it now, if that is what the run was made of.
    fn experiment(&self, case: &Case, surroundings: &Surroundings) -> Option<Loaded> {
        let facts = &case.header().experiment;
        let loaded = surroundings.load(Path::new(&facts.path), false).ok()?;
        let texts = |runbooks: &[RunbookFacts]| -> Vec<String> {
            runbooks.iter().map(|runbook| runbook.sha256.clone()).collect()
        };
        let same =
            loaded.source.sha256() == facts.sha256 && texts(&loaded.runbooks) == texts(&facts.runbooks);
        same.then_some(loaded)
    }

    /// How a step is put back. Programs are taken from the experiment's file, as the journal hides their secrets.
    fn undoing(&self, left: &Outstanding, loaded: Option<&Loaded>) -> Option<(String, Undoing)> {
        let step = left.step.clone();
        match serde_json::from_value(left.undo.clone()) {
            Ok(Undoing::Action(undo)) => Some((step, Undoing::Action(undo))),
            Ok(Undoing::Program(journalled)) => {
                let current = loaded.and_then(|loaded| plan::undo_program(loaded, &step));
                let whole = !left.undo.to_string().contains("***");
                match current.or(whole.then_some(journalled)) {
                    Some(program) => Some((step, Undoing::Program(program))),
                    None => {
                        super::say(&format!(
                            "step `{step}`: its undo holds secrets, which the journal does not, and the experiment's file is \
                             not what it was: run it by hand\n"
                        ));
                        None
                    }
                }
            }
            Err(error) => {
                super::say(&format!("step `{step}`: this version cannot read its undo: {error}\n"));
                None
            }
        }
    }

    /// Shows the run's report, which is made anew.
    fn concluded(&self, complete: bool) -> Result<Exit, Failure> {
        drill::conclude(self.dir, self.colour, false)?;
        Ok(if complete { Exit::Pass } else { Exit::UndoIncomplete })
    }
}

fn unreadable(error: &JournalError) -> Failure {
    let failure = Failure::not_started(error.to_string());
    match error {
        JournalError::Io { source, .. } if source.kind() == std::io::ErrorKind::WouldBlock => {
            failure.help("stop it with `firedrill abort` if it is to end")
        }
        JournalError::Schema { .. } => failure,
        _ => failure
            .help("what it prepared to put back stands in the lines with `undo_prepared`: do that by hand")
            .exiting(Exit::UndoIncomplete),
    }
}
