//! `firedrill check`: every error of every file, with no network.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::notation::diagnostic::{Located, count, printable};
use crate::spec::{self, Checked, Diagnostics, Project};

mod fix;
mod junit;
mod sarif;

/// The project file's name.
pub const PROJECT_FILE: &str = "firedrill.yaml";

/// How problems are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One array of problems.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Commands that GitHub Actions shows beside the lines.
    Github,
    /// JUnit XML: a test case for each file.
    Junit,
}

/// What makes a check fail beside errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    /// Any warning.
    Warnings,
}

/// What to check, and how to say it.
#[derive(Args, Clone, Debug, Default)]
#[command(
    after_help = "`firedrill explain CODE` says what a problem's code means. Exit codes: 0 no errors, 2 errors \
                        (or warnings, with --deny warnings)."
)]
pub struct CheckArgs {
    /// Files and folders; the current folder when none is given.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Fail on warnings too.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub deny: Option<Deny>,
    /// Mend what is certain, such as a misspelt key or `yes` for `true`, in the files themselves; nothing else in them
    /// changes. What is left is reported.
    #[arg(long)]
    pub fix: bool,
}

/// Checks the files; the problems go to `out`, what people want to know beside them to `err`. Gives the exit
/// code: 0, or 2 when a file is wrong.
pub fn check(args: &CheckArgs, color: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<u8> {
    let current = [PathBuf::from(".")];
    let paths = if args.paths.is_empty() { &current[..] } else { &args.paths[..] };
    let mut round = Round::default();
    for path in paths {
        if path.is_dir() {
            let files = spec::yaml_files(path);
            if files.is_empty() {
                round.notes.push(format!("{}: no .yaml files here", path.display()));
            }
            files.iter().try_for_each(|file| round.file(file, false, args.fix, err))?;
        } else {
            round.file(path, true, args.fix, err)?;
        }
    }
    let denied = args.deny == Some(Deny::Warnings);
    let exit = if round.wrong() > 0 || (denied && round.warned() > 0) { 2 } else { 0 };
    round.write(args.format, color, (denied, exit), out)?;
    for note in &round.notes {
        writeln!(err, "note: {}", printable(note))?;
    }
    if args.format == Format::Text {
        round.sum_up(denied, err)?;
    }
    Ok(exit)
}

/// What has been found so far.
#[derive(Default)]
struct Round {
    /// Every file that was checked, with what is wrong with it.
    sheets: Vec<Diagnostics>,
    notes: Vec<String>,
}

impl Round {
    /// Checks one file, after mending it if that is asked for. One that was `named` must be something that can be checked.
    fn file(&mut self, path: &Path, named: bool, mend: bool, err: &mut dyn Write) -> io::Result<()> {
        let shown = tidy(path);
        if mend {
            fix::fix(&shown, err)?;
        }
        let checked = match is_project(&shown) {
            true => Project::read(&shown).map(|_| Checked::Experiment(Diagnostics::none(&shown))),
            false => spec::check(&shown),
        };
        match checked {
            Ok(
                Checked::Experiment(diagnostics)
                | Checked::Runbook(diagnostics)
                | Checked::ConfigMap(diagnostics)
                | Checked::GameDay(diagnostics),
            )
            | Err(diagnostics) => {
                self.sheets.push(diagnostics);
            }
            Ok(Checked::Other) if !named => {
                self.notes.push(format!("{}: skipped, since it has no `kind:`", shown.display()));
            }
            Ok(Checked::Other) => {
                // Read again as what it was named for, so that it says what is missing.
                let read = spec::load(&shown, &spec::Given::default());
                self.sheets.push(read.err().unwrap_or_else(|| Diagnostics::none(&shown)));
            }
        }
        Ok(())
    }

    /// How many files have errors.
    fn wrong(&self) -> usize {
        self.sheets.iter().filter(|sheet| sheet.failed()).count()
    }

    /// How many warnings there are.
    fn warned(&self) -> usize {
        self.sheets.iter().map(|sheet| sheet.sheet().counts().1).sum()
    }

    fn write(
        &self,
        format: Format,
        color: bool,
        (denied, exit): (bool, u8),
        out: &mut dyn Write,
    ) -> io::Result<()> {
        match format {
            Format::Text => {
                for sheet in &self.sheets {
                    let drawn = sheet.render(color);
                    if !drawn.is_empty() {
                        writeln!(out, "{drawn}")?;
                    }
                }
                Ok(())
            }
            Format::Json => {
                let all: Vec<Located> = self.sheets.iter().flat_map(Diagnostics::located).collect();
                serde_json::to_writer_pretty(&mut *out, &all)?;
                writeln!(out)
            }
            Format::Sarif => {
                serde_json::to_writer_pretty(&mut *out, &sarif::log(&self.sheets, exit))?;
                writeln!(out)
            }
            Format::Github => {
                self.sheets.iter().try_for_each(|sheet| out.write_all(sheet.sheet().github().as_bytes()))
            }
            Format::Junit => out.write_all(junit::xml(&self.sheets, denied)?.as_bytes()),
        }
    }

    /// The closing line.
    fn sum_up(&self, denied: bool, err: &mut dyn Write) -> io::Result<()> {
        let checked = count(self.sheets.len(), "file");
        let verdict = match self.wrong() {
            0 => "no errors".to_owned(),
            wrong => format!("{} with errors", count(wrong, "file")),
        };
        writeln!(err, "{checked} checked: {verdict}")?;
        match self.warned() {
            warned if denied && warned > 0 => {
                writeln!(err, "{}: denied by --deny warnings", count(warned, "warning"))
            }
            _ => Ok(()),
        }
    }
}

/// What is wrong with a text that stands in the file at `path`; `None` for a file that is not checked.
fn diagnose(path: &Path, text: &[u8]) -> Option<Diagnostics> {
    if is_project(path) {
        return Project::read_text(path, text).err();
    }
    match spec::check_text(path, text) {
        Ok(
            Checked::Experiment(found)
            | Checked::Runbook(found)
            | Checked::ConfigMap(found)
            | Checked::GameDay(found),
        )
        | Err(found) => Some(found),
        Ok(Checked::Other) => None,
    }
}

fn is_project(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == PROJECT_FILE)
}

/// The path without a leading `./`.
fn tidy(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests;
