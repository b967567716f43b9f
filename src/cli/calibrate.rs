//! `firedrill calibrate`: how well this machine measures, against a truth that is known.

use std::time::Duration;

use clap::Args;

use super::{Exit, Failure};
use crate::calibrate::Mode;
use crate::calibrate::truth::{self, Play};

/// Arguments of `calibrate`.
#[derive(Args, Debug)]
pub struct CalibrateArgs {
    /// Seeds lengths, pauses and phases.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many outages of each mode.
    #[arg(long, value_name = "N", default_value_t = 30)]
    outages: u32,
    /// Be the truth server: serve, and after a line on standard input go down and up.
    #[arg(long, hide = true, value_enum, value_name = "MODE")]
    truth_server: Option<Mode>,
    /// How long the truth server's outages are, in milliseconds.
    #[arg(long, hide = true, value_name = "MS", default_value_t = 1000)]
    length: u64,
    /// How long the shortest is, when they are to be spread.
    #[arg(long, hide = true, value_name = "MS")]
    least: Option<u64>,
    /// How long the truth server is well between outages, in milliseconds.
    #[arg(long, hide = true, value_name = "MS", default_value_t = 1000)]
    pause: u64,
    /// How long the truth server lives at most beside the outages and pauses, in milliseconds.
    #[arg(long, hide = true, value_name = "MS", default_value_t = 600_000)]
    linger: u64,
    /// Be killed when the thread that started the truth server ends.
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Carries `calibrate` out.
pub fn run(args: CalibrateArgs) -> Result<Exit, Failure> {
    let seed = args.seed.unwrap_or_else(rand::random);
    let millis = Duration::from_millis;
    if let Some(mode) = args.truth_server {
        let play = Play {
            mode,
            outages: if mode == Mode::Plain { 0 } else { args.outages },
            length: millis(args.length),
            least: args.least.map(millis),
            pause: millis(args.pause),
            seed,
            linger: millis(args.linger),
        };
        let failed = |error| Failure::not_started(format!("the truth server: {error}"));
        if args.end_with_parent {
            truth::end_with_parent().map_err(failed)?;
        }
        return truth::run(&play).map(|()| Exit::Pass).map_err(failed);
    }
    Ok(Exit::Pass)
}
