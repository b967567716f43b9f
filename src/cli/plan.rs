//! `firedrill plan`: what would happen, with the targets as they are now. Only reads.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::frozen::Made;
use super::interlocks::Gate;
use super::surroundings::Surroundings;
use super::{Exit, Failure, Where, run};
use crate::clock::Clock;
use crate::plan;
use crate::report::facts::clean_lines;
use crate::run::recorder::clean_header;
use crate::run::script::Circumstances;

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The experiment.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    #[command(flatten)]
    place: Where,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Freezes the plan in this file, which `firedrill run` runs exactly so, or not at all.
    #[arg(short, long, value_name = "FILE.json")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Carries `plan` out.
pub fn run(args: PlanArgs, colour: bool) -> Result<Exit, Failure> {
    if let Some(output) = args.output.as_ref().filter(|path| path.extension().is_none_or(|ext| ext != "json"))
    {
        return Err(Failure::usage(format!("`--output {}` does not end in .json", output.display()))
            .help("`firedrill run` knows a frozen plan by that: -o plan.json"));
    }
    super::runtime()?.block_on(make(&args, colour))
}

async fn make(args: &PlanArgs, colour: bool) -> Result<Exit, Failure> {
    let seed = args.place.seed.unwrap_or_else(rand::random);
    let surroundings = Surroundings::prepare(&args.place, seed)?;
    let loaded = surroundings.load(&args.path, colour)?;
    // A plan is always dry: the clients refuse to change anything.
    let aws = run::connect(&loaded, &surroundings, true, Arc::new(run::desk())).await?;
    let clock = Clock::start();
    let means = plan::Means { aws: aws.as_deref(), resolver: surroundings.resolver(), seed, clock };
    let mut plan = plan::make(&loaded, &means)
        .await
        .map_err(|error| run::cannot_begin(&loaded, &error.to_string(), error.help()))?;
    run::check_permissions(&mut plan, &loaded, aws.as_deref()).await?;
    let environment = surroundings.facts(&loaded, aws.as_deref()).await?;
    let circumstances = Circumstances { clock, seed, dry_run: true, environment: environment.clone() };
    let mut header = plan.header(&loaded, circumstances);
    clean_header(&mut header, &loaded.redactor);
    let text = match args.format {
        Format::Text => clean_lines(&plan.text(&header)),
        Format::Json => serde_json::to_string_pretty(&header).unwrap_or_default() + "\n",
    };
    // A reader that has gone away (`| head`) is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    if let Some(unmet) = plan.unmet() {
        return Err(run::cannot_begin(&loaded, &unmet, run::unmet_help(&plan)));
    }
    let now = clock.began();
    let gate = Gate { loaded: &loaded, surroundings: &surroundings, aws: aws.as_deref(), now };
    for lacking in gate.rehearse(&plan).await? {
        super::say(&format!("note: {lacking}\n"));
    }
    if let Some(path) = &args.output {
        Made { loaded: &loaded, surroundings: &surroundings, environment, seed, now }.write(path, &plan)?;
        super::say(&format!("frozen in {}; run it: firedrill run {}\n", path.display(), path.display()));
    }
    Ok(Exit::Pass)
}
