//! `firedrill iam-policy`: the least-privilege policy for one experiment in one environment. Only reads.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::surroundings::Surroundings;
use super::{Exit, Failure, Where, run};
use crate::aws::policy::{self, document};
use crate::clock::Clock;
use crate::plan;

/// Arguments of `iam-policy`.
#[derive(Args, Debug)]
pub struct IamPolicyArgs {
    /// The experiment. Its targets are looked up, which takes the permissions of the part `plan`.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    #[command(flatten)]
    place: Where,
    /// Which permissions.
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
}

/// Which permissions of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// To look: planning, the permission check, watching, measuring.
    Plan,
    /// To change: the actions, their undo, a ledger's writes.
    Run,
    /// Both.
    All,
}

/// Carries `iam-policy` out.
pub fn run(args: IamPolicyArgs, colour: bool) -> Result<Exit, Failure> {
    super::runtime()?.block_on(print(&args, colour))
}

async fn print(args: &IamPolicyArgs, colour: bool) -> Result<Exit, Failure> {
    let seed = args.place.seed.unwrap_or_else(rand::random);
    let surroundings = Surroundings::prepare(&args.place, seed)?;
    let loaded = surroundings.load(&args.path, colour)?;
    let aws = run::connect(&loaded, &surroundings, true, Arc::new(run::desk())).await?;
    let Some(aws) = aws else {
        return Err(Failure::usage(format!(
            "{} asks nothing of AWS: it needs no policy",
            loaded.source.path
        )));
    };
    let clock = Clock::start();
    let means = plan::Means { aws: Some(&aws), resolver: surroundings.resolver(), seed, clock };
    let failed = |why: String, help: Option<&str>| run::cannot_begin(&loaded, &why, help);
    let plan = plan::make(&loaded, &means).await.map_err(|error| failed(error.to_string(), error.help()))?;
    let identity = aws.identity().await.map_err(|fault| failed(fault.to_string(), Some(&fault.help)))?;
    let part = match args.part {
        Part::Plan => Some(policy::Part::Plan),
        Part::Run => Some(policy::Part::Run),
        Part::All => None,
    };
    for missing in &plan.unwatched {
        super::say(&format!(
            "{}; the policy may lack what watching it takes\n",
            loaded.redactor.clean(missing)
        ));
    }
    let document = document(&plan.all_needs(&loaded.experiment, &identity, &aws), part);
    let text = serde_json::to_string_pretty(&document).unwrap_or_default() + "\n";
    // A reader that has gone away (`| head`) is no error.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(Exit::Pass)
}
