//! `firedrill lab`: the embedded region as a process of its own, until a signal.

use clap::Args;

use super::{Exit, Failure, LabTiming};
use crate::run::signals::Signals;

/// Arguments of `lab`.
#[derive(Args, Debug)]
pub struct LabArgs {
    /// Seeds everything that is left to chance.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How long things take.
    #[arg(long, value_enum, default_value_t = LabTiming::Scaled)]
    timing: LabTiming,
    /// Print a firedrill.yaml with an environment that points at it, on standard output.
    #[arg(long)]
    print_environment: bool,
}

/// Carries `lab` out.
pub fn run(args: LabArgs) -> Result<Exit, Failure> {
    let lab = super::surroundings::start_lab(args.timing, args.seed.unwrap_or_else(rand::random))?;
    super::say(&format!("{}\n", lab.describe()));
    if args.print_environment {
        println!("{}", super::surroundings::project_file(&lab));
    }
    super::runtime()?.block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::not_started(format!("signals cannot be listened for: {error}")))?;
        let name = signals.next().await;
        super::say(&format!("{name}: the lab is gone\n"));
        Ok(Exit::Pass)
    })
}
