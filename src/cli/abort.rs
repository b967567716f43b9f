//! `firedrill abort`: stops a run that is under way in another process, and waits until it is undone.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::report::find;
use super::{Exit, Failure, who};
use crate::journal::{self, open};
use crate::notation::units;
use crate::report::{self, Report};
use crate::run::stop;

/// How often it is looked whether the run is over.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `abort`.
#[derive(Args, Debug)]
pub struct AbortArgs {
    /// The run: its id, the beginning of it, its folder; without it, the one that is under way.
    #[arg(value_name = "RUN")]
    run: Option<String>,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// How long to wait for the undo; the run goes on undoing afterwards.
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = patience)]
    wait: Duration,
    /// Where runs are stored; else the project file's `store:`, else `.firedrill/runs`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The project file.
    #[arg(long, value_name = "FILE", default_value = "firedrill.yaml")]
    project: PathBuf,
}

fn patience(text: &str) -> Result<Duration, String> {
    units::duration(text).ok_or_else(|| "expected a duration such as 90s or 30m".to_owned())
}

/// Carries `abort` out.
pub fn run(args: &AbortArgs, colour: bool) -> Result<Exit, Failure> {
    let store = super::surroundings::store(args.store.as_deref(), &args.project)?;
    let dir = match &args.run {
        Some(run) => find(&store, run)?,
        None => only_one(&store)?,
    };
    if !open::alive(&dir) {
        let failure = Failure::usage(format!("{} is not under way", dir.display()));
        return Err(match open::look(&dir) {
            Some(_) => failure.help(format!("its process died: `firedrill recover {}`", dir.display())),
            None => failure.help(format!("see how it ended: `firedrill report {}`", dir.display())),
        });
    }
    let by = format!("firedrill abort by {}", who::am_i());
    let by = if args.reason.is_empty() { by } else { format!("{by}: {}", args.reason) };
    stop::ask(&dir, &by).map_err(|error| {
        Failure::not_started(format!("{} cannot be written, so the run goes on: {error}", dir.display()))
            .help("press Ctrl-C where it runs, or send its process SIGTERM")
    })?;
    super::say(&format!("{} is told to stop and to undo what it did\n", dir.display()));
    let began = Instant::now();
    while open::alive(&dir) {
        if began.elapsed() > args.wait {
            let waited = units::show(args.wait);
            return Err(Failure::not_started(format!("it is still undoing after {waited}"))
                .help("it goes on by itself; see its own terminal")
                .exiting(Exit::UndoIncomplete));
        }
        std::thread::sleep(LOOK);
    }
    ended(&dir, colour)
}

/// How the run ended, as its journal says.
fn ended(dir: &Path, colour: bool) -> Result<Exit, Failure> {
    let record = journal::read(dir).map_err(|error| Failure::not_started(error.to_string()))?;
    let report: Report = report::build::build(&record);
    let style = report::Style { colour, ..report::Style::PLAIN };
    super::show(&format!("{}\n", report::text::render(&report, &record, style, &[])));
    Ok(if report.undo.complete { Exit::Pass } else { Exit::UndoIncomplete })
}

fn only_one(store: &Path) -> Result<PathBuf, Failure> {
    let alive: Vec<PathBuf> =
        open::unfinished(store).into_iter().filter(|one| one.alive).map(|one| one.dir).collect();
    match alive.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::usage(format!("no run is under way in {}", store.display()))
            .help("a run in the embedded lab, or a dry run, changes nothing that lasts: name it by its id")),
        several => {
            let list: Vec<String> = several.iter().map(|dir| dir.display().to_string()).collect();
            Err(Failure::usage(format!("several runs are under way; say which:\n  {}", list.join("\n  "))))
        }
    }
}
