//! `firedrill check`: every error of every file, with no network.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::notation::diagnostic::{Located, count, printable};
use crate::spec::{self, Checked, Diagnostics, Project};

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
    /// Commands that GitHub Actions shows beside the lines.
    Github,
}

/// What to check, and how to say it.
#[derive(Args, Clone, Debug, Default)]
pub struct CheckArgs {
    /// Files and folders; the current folder when none is given.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How problems are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
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
            files.iter().for_each(|file| round.file(file, false));
        } else {
            round.file(path, true);
        }
    }
    round.write(args.format, color, out)?;
    for note in &round.notes {
        writeln!(err, "note: {}", printable(note))?;
    }
    let wrong = round.sheets.iter().filter(|sheet| sheet.failed()).count();
    if args.format == Format::Text {
        let verdict = match wrong {
            0 => "no errors".to_owned(),
            _ => format!("{} with errors", count(wrong, "file")),
        };
        writeln!(err, "{} checked: {verdict}", count(round.checked, "file"))?;
    }
    Ok(if wrong == 0 { 0 } else { 2 })
}

/// What has been found so far.
#[derive(Default)]
struct Round {
    checked: usize,
    sheets: Vec<Diagnostics>,
    notes: Vec<String>,
}

impl Round {
    /// Checks one file. One that was `named` must be something that can be checked.
    fn file(&mut self, path: &Path, named: bool) {
        let shown = tidy(path);
        if path.file_name().is_some_and(|name| name == PROJECT_FILE) {
            self.checked += 1;
            self.sheets.extend(Project::read(&shown).err());
            return;
        }
        match spec::check(&shown) {
            Ok(Checked::Experiment(diagnostics) | Checked::Runbook(diagnostics)) => {
                self.checked += 1;
                self.sheets.push(diagnostics);
            }
            Ok(Checked::Later(kind)) => {
                self.notes.push(format!("{}: a {kind} is not checked by this version", shown.display()));
            }
            Ok(Checked::Other) if !named => {
                self.notes.push(format!("{}: skipped, since it has no `kind:`", shown.display()));
            }
            Ok(Checked::Other) => {
                self.checked += 1;
                // Read again as what it was named for, so that it says what is missing.
                self.sheets.extend(spec::load(&shown, &spec::Given::default()).err());
            }
            Err(diagnostics) => {
                self.checked += 1;
                self.sheets.push(diagnostics);
            }
        }
    }

    fn write(&self, format: Format, color: bool, out: &mut dyn Write) -> io::Result<()> {
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
            Format::Github => {
                self.sheets.iter().try_for_each(|sheet| out.write_all(sheet.sheet().github().as_bytes()))
            }
        }
    }
}

/// The path without a leading `./`.
fn tidy(path: &Path) -> PathBuf {
    path.strip_prefix(".").unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "kind: Experiment\nname: x\nobjectives: { rto: 1m }\nprobes: { web: { http: { url: http://h/ } } }\nsteps: [{ name: s, run: [\"true\"] }]\n";

    fn run(paths: Vec<PathBuf>, format: Format) -> (u8, String, String) {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = check(&CheckArgs { paths, format }, false, &mut out, &mut err).expect("written");
        (code, String::from_utf8(out).expect("text"), String::from_utf8(err).expect("text"))
    }

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        folder
    }

    #[test]
    fn a_folder_is_checked_file_by_file() {
        let here = folder(&[
            ("a.yaml", GOOD),
            ("b/c.yml", "kind: Experiment\nname: Bad Name\n"),
            ("b/d.yaml", "services: {}\n"),
            ("e.yaml", "kind: GameDay\nname: r\n"),
            ("f.yaml", "kind: Runbook\nname: r\nsteps: [{ name: s, manual: Look }]\n"),
            (".hidden/f.yaml", "kind: Experiment\n"),
            ("firedrill.yaml", "environments: { staging: { region: eu-west-1 } }\n"),
            ("g.txt", "kind: Experiment\n"),
        ]);
        let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
        assert_eq!(code, 2);
        assert!(out.contains("c.yml") && out.contains("missing key `steps`"), "{out}");
        assert!(err.contains("d.yaml: skipped, since it has no `kind:`"), "{err}");
        assert!(err.contains("e.yaml: a GameDay is not checked by this version"), "{err}");
        assert!(err.ends_with("4 files checked: 1 file with errors\n"), "{err}");
    }

    #[test]
    fn a_good_folder_passes_silently_on_stdout() {
        let here = folder(&[("a.yaml", GOOD), ("e.yaml", "kind: GameDay\n")]);
        let (code, out, err) = run(vec![here.path().to_owned()], Format::Text);
        assert_eq!((code, out.as_str()), (0, ""));
        assert!(err.ends_with("1 file checked: no errors\n"), "{err}");
        assert_eq!(
            run(vec![here.path().to_owned()], Format::Json),
            (0, "[]\n".to_owned(), err.lines().next().map(|note| format!("{note}\n")).expect("a note"))
        );
    }

    #[test]
    fn a_file_that_was_named_must_be_an_experiment() {
        let here = folder(&[("d.yaml", "services: {}\n")]);
        let (code, out, _) = run(vec![here.path().join("d.yaml")], Format::Text);
        assert_eq!(code, 2);
        assert!(out.contains("missing key `kind`"), "{out}");
        let (code, out, _) = run(vec![here.path().join("none.yaml")], Format::Text);
        assert_eq!(code, 2);
        assert!(out.contains("the file cannot be read: No such file or directory"), "{out}");
    }

    #[test]
    fn machines_get_lines_and_columns() {
        let here = folder(&[("c.yaml", "kind: Experiment\nname: x\nsteps:\n  - wait: 5\n")]);
        let (code, out, _) = run(vec![here.path().to_owned()], Format::Json);
        assert_eq!(code, 2);
        let all: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        let wait =
            all.as_array().expect("an array").iter().find(|p| p["column"] == 11).expect("the duration");
        assert_eq!((&wait["line"], &wait["severity"]), (&serde_json::json!(4), &serde_json::json!("error")));
        assert_eq!(wait["help"], "give it a unit: 5s, 5ms or 5m");
        let (_, out, _) = run(vec![here.path().to_owned()], Format::Github);
        assert!(out.lines().all(|line| line.starts_with("::")), "{out}");
    }
}
