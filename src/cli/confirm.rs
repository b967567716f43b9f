//! `firedrill confirm`: a person's answer to a run that waits for it, from another terminal.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::report::find;
use super::{Exit, Failure};
use crate::interlock::approval::Person;
use crate::journal::{self, open};
use crate::notation::decode::nearest;
use crate::run::event::{Answer, BY_PEOPLE, Header, PlannedStep};
use crate::run::mail::{self, Heard, Letter};

/// How long a run has to take an answer in; it looks ten times a second.
const PATIENCE: Duration = Duration::from_secs(10);

/// Arguments of `confirm`.
#[derive(Args, Debug)]
pub struct ConfirmArgs {
    /// The run: its id, the beginning of it, its folder, or `last`.
    #[arg(value_name = "RUN")]
    run: String,
    /// The step, by its name.
    #[arg(value_name = "STEP")]
    step: String,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// In which role, where an approval asks for one.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Do not go on: the run stops and undoes what it did.
    #[arg(long, requires = "because", conflicts_with_all = ["failed", "skip"])]
    no_go: bool,
    /// It was tried, and did not work.
    #[arg(long, requires = "because", conflicts_with = "skip")]
    failed: bool,
    /// It is left out.
    #[arg(long, requires = "because")]
    skip: bool,
    /// Why, for the journal and the report.
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,
    /// Where runs are stored; else the project file's `store:`, else `.firedrill/runs`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The project file.
    #[arg(long, value_name = "FILE", default_value = "firedrill.yaml")]
    project: PathBuf,
}

/// Carries `confirm` out.
pub fn run(args: &ConfirmArgs) -> Result<Exit, Failure> {
    if args.by.trim().is_empty() || args.by.chars().any(char::is_control) {
        return Err(Failure::usage("`--by` needs a name").help("say who you are: --by \"Anna Example\""));
    }
    let store = super::surroundings::store(args.store.as_deref(), &args.project)?;
    let dir = find(&store, &args.run)?;
    if !open::alive(&dir) {
        let failure =
            Failure::usage(format!("{} is not under way: nobody waits for an answer", dir.display()));
        return Err(match open::look(&dir) {
            Some(_) => failure.help(format!("its process died: `firedrill recover {}`", dir.display())),
            None => failure.help(format!("see how it ended: `firedrill report {}`", dir.display())),
        });
    }
    let record = journal::outline(&dir).map_err(|error| Failure::not_started(error.to_string()))?;
    let step = step(&record.header, &args.step)?;
    let letter = Letter {
        step: step.name.clone(),
        by: Person::here(Some(&args.by)),
        role: args.role.clone(),
        answer: args.answer(step),
        because: args.because.clone(),
    };
    let heard = mail::send(&dir, &letter, PATIENCE, &|| open::alive(&dir));
    let heard = heard.map_err(|error| {
        Failure::not_started(format!(
            "{} cannot be written, so the run hears nothing: {error}",
            dir.display()
        ))
        .help("the answer can be typed where it runs, too")
    })?;
    told(&dir, &letter, heard)
}

impl ConfirmArgs {
    fn answer(&self, step: &PlannedStep) -> Answer {
        match () {
            () if self.no_go => Answer::NoGo,
            () if self.failed => Answer::Failed,
            () if self.skip => Answer::Skipped,
            () if step.kind == "approve" => Answer::Go,
            () => Answer::Done,
        }
    }
}

/// The step that is meant, if a person can answer for it.
fn step<'h>(header: &'h Header, named: &str) -> Result<&'h PlannedStep, Failure> {
    let asked = |step: &&PlannedStep| header.tabletop || BY_PEOPLE.contains(&step.kind.as_str());
    if let Some(step) = header.plan.iter().find(|step| step.name == named) {
        return match asked(&step) {
            true => Ok(step),
            false => Err(Failure::usage(format!("step `{named}` is no person's: it is `{}`", step.kind))),
        };
    }
    let names: Vec<&str> = header.plan.iter().filter(asked).map(|step| step.name.as_str()).collect();
    let failure = Failure::usage(format!("no step of run {} is called `{named}`", header.run));
    Err(match nearest(named, &names) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => failure.help("none of its steps waits for a person"),
        None => failure.help(format!("people answer for: {}", names.join(", "))),
    })
}

fn told(dir: &Path, letter: &Letter, heard: Heard) -> Result<Exit, Failure> {
    match heard {
        Heard::Taken => {
            let (step, by) = (&letter.step, &letter.by);
            super::say(&format!(
                "step `{step}`: {}, says {by}; it is in the journal\n",
                letter.answer.words()
            ));
            Ok(Exit::Pass)
        }
        Heard::Refused(why) => Err(Failure::usage(format!("the answer does not count: {why}"))),
        Heard::Nothing => Err(Failure::not_started(format!(
            "{} did not take the answer in; it was taken back",
            dir.display()
        ))
        .help("say it again, or type it where it runs")),
    }
}
