//! `firedrill report`: a stored run in another format, always computed from its journal.

use std::fs::File;
use std::io::{self, BufWriter, Write};
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
    let unread = |error: journal::JournalError| {
        Failure::usage(error.to_string())
            .help("the journal is the only truth: a report needs it whole up to its cut")
    };
    if args.format.of_samples() {
        // Checked as a whole first, so that nothing is written of a damaged run; then one sample after the other.
        let outline = journal::outline(&dir).map_err(unread)?;
        export(args, &dir, &outline)?;
        return Ok(Exit::Pass);
    }
    let record = journal::read(&dir).map_err(unread)?;
    let report = report::build::build(&record);
    let style = Style { colour: colour && args.output.is_none(), ..Style::PLAIN };
    let rendered = report::render(&report, &record, args.format, style)
        .map_err(|error| Failure::not_started(error.to_string()))?;
    write(args, |out| out.write_all(rendered.as_bytes()))?;
    Ok(Exit::Pass)
}

fn export(args: &ReportArgs, dir: &Path, outline: &journal::Record) -> Result<(), Failure> {
    write(args, |out| {
        let begun = report::export::begin(args.format, &outline.header, &outline.events, out)?;
        let Some(mut export) = begun else { return Ok(()) };
        journal::each_sample(dir, &mut |sample| export.sample(sample))?;
        export.end()
    })
}

/// Writes to where the output was asked for.
fn write(args: &ReportArgs, what: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    match &args.output {
        Some(path) => {
            let written = File::create(path).and_then(|file| {
                let mut out = BufWriter::new(file);
                what(&mut out)?;
                out.flush()
            });
            written.map_err(|error| Failure::usage(format!("{} cannot be written: {error}", path.display())))
        }
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            // A reader that has gone away (`| head`) is no error.
            match what(&mut out).and_then(|()| out.flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(Failure::usage(format!("the report cannot be written: {error}")))
                }
                _ => Ok(()),
            }
        }
    }
}

/// The folder of the run that was meant.
pub fn find(store: &Path, run: &str) -> Result<PathBuf, Failure> {
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
