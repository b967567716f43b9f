//! `firedrill approve`: says yes to a frozen plan, in a file beside it.

use std::path::PathBuf;

use clap::Args;

use super::frozen::Opened;
use super::{Exit, Failure};
use crate::clock::Clock;
use crate::interlock::approval::{self, Approval, Person};

/// Arguments of `approve`.
#[derive(Args, Debug)]
pub struct ApproveArgs {
    /// The frozen plan: what `firedrill plan FILE -o plan.json` wrote.
    #[arg(value_name = "PLAN")]
    path: PathBuf,
    /// Who approves: another person than the one who will run it.
    #[arg(long, value_name = "NAME")]
    by: String,
}

/// Carries `approve` out: shows what is approved, and writes the approval.
pub fn run(args: &ApproveArgs) -> Result<Exit, Failure> {
    if args.by.trim().is_empty() || args.by.chars().any(char::is_control) {
        return Err(Failure::usage("`--by` needs a name").help("say who you are: --by \"Anna Example\""));
    }
    let opened = Opened::read(&args.path)?;
    let approval = Approval {
        plan: opened.sha256.clone(),
        by: Person::here(Some(&args.by)),
        at: Clock::start().began(),
    };
    super::say(&opened.summary());
    let path = approval::write(&args.path, &approval).map_err(|error| {
        Failure::usage(format!("the approval of {} cannot be written: {error}", args.path.display()))
            .help("a name approves a plan once; take the old file away to approve it again")
    })?;
    super::say(&format!("approved by {}: {}\n", approval.by, path.display()));
    Ok(Exit::Pass)
}
