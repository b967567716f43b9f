//! `firedrill report`: a stored run in another format, always computed from its journal.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure};
use crate::journal;
use crate::report::{self, Format, Style};

/// Arguments of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// The run: its id, the beginning of it, its folder, or `last`.
    #[arg(value_name = "RUN")]
    run: String,
    /// The format.
    #[arg(long, short, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where runs are stored; else the project file's `store:`, else `.firedrill/runs`.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The project file.
    #[arg(long, value_name = "FILE", default_value = "firedrill.yaml")]
    project: PathBuf,
}

/// Carries `report` out.
pub fn run(args: &ReportArgs, colour: bool) -> Result<Exit, Failure> {
    let store = super::surroundings::store(args.store.as_deref(), &args.project)?;
    let dir = find(&store, &args.run)?;
    let record = journal::read(&dir).map_err(|error| {
        Failure::usage(error.to_string())
            .help("the journal is the only truth: a report needs it whole up to its cut")
    })?;
    let report = report::build::build(&record);
    let style = Style { colour: colour && args.output.is_none(), ..Style::PLAIN };
    let rendered = report::render(&report, &record, args.format, style)
        .map_err(|error| Failure::not_started(error.to_string()))?;
    match &args.output {
        Some(path) => std::fs::write(path, rendered)
            .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", path.display())))?,
        // A reader that has gone away (`| head`) is no error.
        None => match std::io::stdout().write_all(rendered.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(Failure::usage(format!("the report cannot be written: {error}")));
            }
            _ => {}
        },
    }
    Ok(Exit::Pass)
}

/// The folder of the run that was meant.
fn find(store: &Path, run: &str) -> Result<PathBuf, Failure> {
    if Path::new(run).join("journal.jsonl").is_file() {
        return Ok(PathBuf::from(run));
    }
    let mut runs = stored(store);
    if run == "last" {
        return runs.pop().map(|name| store.join(name)).ok_or_else(|| nothing_stored(store));
    }
    runs.retain(|name| name.starts_with(run));
    match runs.as_slice() {
        [one] => Ok(store.join(one)),
        [] => Err(Failure::usage(format!("no run `{run}` in {}", store.display()))
            .help("name it by its id, the beginning of it, its folder, or `last`")),
        several => {
            let list = several.join("\n  ");
            Err(Failure::usage(format!("`{run}` could be any of these:\n  {list}")))
        }
    }
}

/// The ids of the stored runs, oldest first: they begin with the time.
fn stored(store: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(store)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("journal.jsonl").is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn nothing_stored(store: &Path) -> Failure {
    Failure::usage(format!("no run is stored in {}", store.display())).help("`firedrill run` stores one")
}
