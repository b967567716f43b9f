//! `firedrill check`: every error of every file, with no network.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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
    let mut round = Round::default();
    let files = round.gather(&args.paths);
    if args.fix {
        files.iter().try_for_each(|file| fix::fix(&file.path, err))?;
    }
    let lists_all = matches!(args.format, Format::Junit | Format::Sarif);
    round.take(in_parallel(&files, |file| match examine(file) {
        // Of ten thousand files that are right, nothing is kept but their number.
        Finding::Sheet(sheet) if sheet.problems.is_empty() && !lists_all => Finding::Right,
        finding => finding,
    }));
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
    /// The files that were checked, with what is wrong with them.
    sheets: Vec<Diagnostics>,
    /// How many more are right.
    right: usize,
    notes: Vec<String>,
}

/// A file to check.
struct Asked {
    path: PathBuf,
    /// Whether it was named itself, and not only the folder that it is in.
    named: bool,
}

/// What became of a file: what is wrong with it, or why it was passed over.
enum Finding {
    Right,
    Sheet(Box<Diagnostics>),
    Note(String),
}

/// Checks one file. One that was named must be something that can be checked.
fn examine(file: &Asked) -> Finding {
    let path = &file.path;
    let checked = match is_project(path) {
        true => Project::read(path).map(|_| Checked::Experiment(Diagnostics::none(path))),
        false => spec::check(path),
    };
    match checked {
        Ok(
            Checked::Experiment(found)
            | Checked::Runbook(found)
            | Checked::GameDay(found)
            | Checked::Accepted(found),
        )
        | Err(found) => Finding::Sheet(Box::new(found.without_idle_text())),
        Ok(Checked::Other) if !file.named => {
            Finding::Note(format!("{}: skipped, since it has no `kind:`", path.display()))
        }
        Ok(Checked::Kubernetes(kind)) if !file.named => {
            Finding::Note(format!("{}: skipped, a {kind} of Kubernetes", path.display()))
        }
        Ok(Checked::Foreign(format)) if !file.named => {
            let (file, whose) = (path.display(), format.a_noun());
            Finding::Note(format!("{file}: skipped, {whose}: `firedrill import {file}` makes one of ours"))
        }
        Ok(Checked::Other | Checked::Kubernetes(_) | Checked::Foreign(_)) => {
            // Read again as what it was named for, so that it says what is missing.
            let read = spec::load(path, &spec::Given::default());
            Finding::Sheet(Box::new(read.err().unwrap_or_else(|| Diagnostics::none(path))))
        }
    }
}

impl Round {
    /// The files that the paths mean, in their order; the current folder's when there is no path.
    fn gather(&mut self, paths: &[PathBuf]) -> Vec<Asked> {
        let current = [PathBuf::from(".")];
        let paths = if paths.is_empty() { &current[..] } else { paths };
        let mut files = Vec::new();
        for path in paths {
            if !path.is_dir() {
                files.push(Asked { path: tidy(path), named: true });
                continue;
            }
            let inside = spec::yaml_files(path);
            if inside.is_empty() {
                self.notes.push(format!("{}: no .yaml files here", path.display()));
            }
            files.extend(inside.iter().map(|file| Asked { path: tidy(file), named: false }));
        }
        files
    }

    fn take(&mut self, findings: Vec<Finding>) {
        for finding in findings {
            match finding {
                Finding::Right => self.right += 1,
                Finding::Sheet(sheet) => self.sheets.push(*sheet),
                Finding::Note(note) => self.notes.push(note),
            }
        }
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
        let checked = count(self.sheets.len() + self.right, "file");
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

/// What `work` makes of each item, in their order, on as many threads as there are processors. Few items are not worth
/// a thread.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// As many as take longer than a thread takes to start.
    const WORTH_A_THREAD: usize = 16;
    let most = items.len().div_ceil(WORTH_A_THREAD);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(most);
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(item)));
        }
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(worker)).collect();
        let mut done = worker();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
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
            | Checked::GameDay(found)
            | Checked::Accepted(found),
        )
        | Err(found) => Some(found),
        Ok(_) => None,
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
