//! `firedrill calibrate`: how well this machine measures, against a truth that is known.

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::calibrate::Mode;
use crate::calibrate::compare::{Calibration, compare};
use crate::calibrate::trial::{self, Settings};
use crate::calibrate::truth::{self, Play};
use crate::notation::units;
use crate::probe::http::Connection;
use crate::run::signals::Signals;

/// The least deadline that is chosen by itself: below it, a busy machine's own delays are what is measured.
const LEAST_TIMEOUT: Duration = Duration::from_millis(16);

/// Arguments of `calibrate`.
#[derive(Args, Debug)]
pub struct CalibrateArgs {
    /// Seeds lengths, pauses and phases.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// How many outages of each mode.
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    outages: u32,
    /// The probes' spacing.
    #[arg(long, value_name = "DURATION", default_value = "20ms", value_parser = duration)]
    every: Duration,
    /// The probes' deadline [default: four fifths of the spacing, but at least 16ms].
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    timeout: Option<Duration>,
    /// Only these ways to go down, all at the same time.
    #[arg(long, value_enum, value_name = "MODE", value_delimiter = ',')]
    mode: Vec<Mode>,
    /// Which client the probes stand for.
    #[arg(long, value_enum, default_value_t = Client::Fresh)]
    connection: Client,
    /// How the outcome is printed, on standard output.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
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

/// Which client the probes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Client {
    /// Connects every time.
    Fresh,
    /// Goes on with its connections.
    Kept,
}

/// How the outcome is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table.
    Text,
    /// One JSON object.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a duration such as 20ms or 1s".to_owned();
    let found = units::duration(text).ok_or_else(expected)?;
    match found >= Duration::from_millis(1) && found <= Duration::from_secs(60) {
        true => Ok(found),
        false => Err("expected between 1ms and 60s".to_owned()),
    }
}

/// Carries `calibrate` out.
pub fn run(args: CalibrateArgs) -> Result<Exit, Failure> {
    let seed = args.seed.unwrap_or_else(rand::random);
    match args.truth_server {
        Some(mode) => serve(&args, mode, seed),
        None => calibrate(&args, seed),
    }
}

fn serve(args: &CalibrateArgs, mode: Mode, seed: u64) -> Result<Exit, Failure> {
    let millis = Duration::from_millis;
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
    truth::run(&play).map(|()| Exit::Pass).map_err(failed)
}

fn calibrate(args: &CalibrateArgs, seed: u64) -> Result<Exit, Failure> {
    if args.mode.contains(&Mode::Plain) {
        return Err(Failure::usage("`plain` never goes down: there is nothing to compare"));
    }
    let modes = if args.mode.is_empty() { Mode::FAULTS.to_vec() } else { args.mode.clone() };
    let settings = Settings {
        modes,
        outages: args.outages,
        every: args.every,
        timeout: args.timeout.unwrap_or_else(|| LEAST_TIMEOUT.max(args.every.mul_f64(0.8))),
        connection: match args.connection {
            Client::Fresh => Connection::Fresh,
            Client::Kept => Connection::Kept,
        },
        seed,
    };
    let outages = settings.outages as usize * settings.modes.len();
    super::say(&format!("{outages} outages, in about {} s\n", settings.takes().as_secs()));
    let trial = super::runtime()?.block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::not_started(format!("signals cannot be listened for: {error}")))?;
        tokio::select! {
            trial = trial::run(&settings) => trial.map_err(Failure::not_started),
            name = signals.next() => Err(Failure::not_started(format!("{name}: stopped before the end")).exiting(Exit::Aborted)),
        }
    })?;
    print(&compare(&settings, &trial), args.output)
}

fn print(calibration: &Calibration, output: Output) -> Result<Exit, Failure> {
    let text = match output {
        Output::Text => crate::calibrate::text::text(calibration),
        Output::Json => serde_json::to_string_pretty(calibration)
            .map(|json| json + "\n")
            .map_err(|error| Failure::not_started(error.to_string()))?,
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    super::simple(written.map(|()| 0))?;
    Ok(if calibration.holds { Exit::Pass } else { Exit::Fail })
}
