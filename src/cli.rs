//! The command line: one verb per file, errors printed in one place, exit codes as documented.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub mod abort;
pub mod actions;
pub mod approve;
pub mod calibrate;
pub mod check;
mod claim;
pub mod confirm;
pub mod explain;
pub mod failure;
pub mod frozen;
pub mod iam_policy;
pub mod import;
pub mod init;
pub mod interlocks;
pub mod lab;
pub mod live;
pub mod plan;
pub mod probes;
mod prompt;
pub mod recover;
mod reference;
pub mod report;
pub mod run;
pub mod schema;
pub mod surroundings;
mod who;

pub use failure::{Exit, Failure};

/// Failover drills as code, with measured RTO, RPO and availability.
///
/// Exit codes: 0 pass, 1 fail (an objective was missed, or a runbook's step failed), 2 usage or
/// spec error, 3 inconclusive, 4 aborted, 5 undo incomplete.
#[derive(Debug, Parser)]
#[command(name = "firedrill", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    colour: Colour,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    /// Whether to colour what goes to this stream.
    fn on(self, terminal: bool) -> bool {
        match self {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Parse and lint experiments, runbooks and game days: no network, every error at once.
    Check(check::CheckArgs),
    /// Say what a problem's code means, with a wrong and a right example.
    Explain(explain::ExplainArgs),
    /// Resolve the targets, check what the steps rely on, print what would happen.
    Plan(plan::PlanArgs),
    /// Approve a frozen plan that another person is going to run.
    Approve(approve::ApproveArgs),
    /// Run experiments, one after the other, or a frozen plan, and report.
    Run(run::RunArgs),
    /// Stop a run that is under way, from another terminal, and wait until it is undone.
    Abort(abort::AbortArgs),
    /// Answer a run that waits for a person: a manual step is done, an approval is go or no-go.
    Confirm(confirm::ConfirmArgs),
    /// Put back what runs left whose process died.
    Recover(recover::RecoverArgs),
    /// Render the report of a stored run.
    Report(report::ReportArgs),
    /// Print the least-privilege IAM policy for an experiment in an environment.
    IamPolicy(iam_policy::IamPolicyArgs),
    /// Make firedrill files of a Chaos Toolkit experiment, an AWS FIS template, a ConfigMap runbook or SLOs.
    ///
    /// What cannot be carried over is listed on standard error and at the top of what is written, with its place, the
    /// reason, and firedrill's own way to do it. Nothing is called: no network, no AWS. An import that leaves things out
    /// is a success (0); a file that cannot be read as what it is said to be is an error (2), and then nothing is
    /// written. Files that are there already are not overwritten.
    ///
    /// Examples: firedrill import experiment.json -o experiments/ · aws fis get-experiment-template --id EXT… | firedrill
    /// import - · terraform show -json plan.out | firedrill import - -o experiments/ · firedrill import runbook.yaml -o
    /// runbooks/
    Import(import::ImportArgs),
    /// What a step can do.
    Actions(actions::ActionsArgs),
    /// What can be measured.
    Probes(probes::ProbesArgs),
    /// Print the JSON Schema of a kind of file, for editors that complete and explain.
    Schema(schema::SchemaArgs),
    /// Run the embedded region on its own, to point an environment at.
    Lab(lab::LabArgs),
    /// Hold the measuring against outages whose truth is known, on this machine.
    Calibrate(calibrate::CalibrateArgs),
    /// Write a project file and a first experiment.
    Init(init::InitArgs),
}

/// Where a drill runs.
#[derive(Args, Debug, Clone)]
pub struct Where {
    /// The environment: a name from firedrill.yaml, or `lab`.
    #[arg(long = "env", short = 'e', value_name = "NAME")]
    pub environment: Option<String>,
    /// The project file.
    #[arg(long, value_name = "FILE", default_value = "firedrill.yaml")]
    pub project: PathBuf,
    /// A variable's value; wins over the environment's.
    #[arg(long = "var", short = 'v', value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// Seeds the choice of victims and the probes' jitter.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Let the lab take as long as AWS does.
    #[arg(long, value_enum, default_value_t = LabTiming::Scaled)]
    pub lab_timing: LabTiming,
}

/// How long the lab takes for things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LabTiming {
    /// Seconds, in proportion to what AWS publishes.
    Scaled,
    /// What AWS publishes.
    Real,
}

/// Runs the command line: parses it, carries it out, prints an error if there is one.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let colour = cli.colour.on(terminal);
    match dispatch(cli, colour) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            show(&format!("{}\n", failure.render(colour)));
            failure.exit().into()
        }
    }
}

fn dispatch(cli: Cli, colour: bool) -> Result<Exit, Failure> {
    // The verbs that only read files write to these and say their exit code.
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    match cli.verb {
        Verb::Check(args) => simple(check::check(&args, colour, &mut out, &mut err)),
        Verb::Explain(args) => simple(explain::explain(args.code.as_deref(), &mut out, &mut err)),
        Verb::Plan(args) => plan::run(args, colour),
        Verb::Approve(args) => approve::run(&args),
        Verb::Run(args) => run::run(args, colour),
        Verb::Abort(args) => abort::run(&args, colour),
        Verb::Confirm(args) => confirm::run(&args),
        Verb::Recover(args) => recover::run(&args, colour),
        Verb::Report(args) => report::run(&args, colour),
        Verb::IamPolicy(args) => iam_policy::run(args, colour),
        Verb::Import(args) => simple(import::run(&args, colour, &mut out, &mut err)),
        Verb::Actions(args) => simple(actions::actions(args.name.as_deref(), &mut out, &mut err)),
        Verb::Probes(args) => simple(probes::probes(args.name.as_deref(), &mut out, &mut err)),
        Verb::Schema(args) => simple(schema::schema(&args, &mut out)),
        Verb::Lab(args) => lab::run(args),
        Verb::Calibrate(args) => calibrate::run(args),
        Verb::Init(args) => simple(init::init(&args.folder, &mut out, &mut err)),
    }
}

/// Tells people something, on standard error. What came from outside can steer no terminal.
fn say(text: &str) {
    show(&crate::report::facts::clean_lines(text));
}

/// Shows people, on standard error, what is drawn for them, colours included. Nobody may be listening any more (a
/// closed pipe, a closed terminal): a run, and above all its undo, goes on all the same.
fn show(text: &str) {
    use std::io::Write;
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// The end of a verb that writes text and gives an exit code of 0 or 2.
fn simple(written: std::io::Result<u8>) -> Result<Exit, Failure> {
    match written {
        Ok(0) => Ok(Exit::Pass),
        Ok(_) => Ok(Exit::Usage),
        // `| head` has read what it wanted.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Exit::Pass),
        Err(error) => Err(Failure::usage(format!("the output cannot be written: {error}"))),
    }
}

/// The runtime of the verbs that talk to anything.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::not_started(format!("no threads can be started: {error}")))
}
