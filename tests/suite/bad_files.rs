//! Every way to write a file wrong has a file in `tests/bad`, named for it, and the exact words that its
//! author gets.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firedrill::notation::code::Code;
use firedrill::notation::diagnostic::{Located, Region};
use firedrill::spec::lessons::lesson;
use firedrill::spec::{self, Checked, Diagnostics, Project};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad")
}

fn diagnostics(path: &Path) -> Diagnostics {
    if path.ends_with("firedrill.yaml") {
        return Project::read(path).expect_err("a wrong project file");
    }
    match spec::check(path) {
        Ok(
            Checked::Experiment(diagnostics)
            | Checked::Runbook(diagnostics)
            | Checked::GameDay(diagnostics)
            | Checked::Accepted(diagnostics),
        )
        | Err(diagnostics) => diagnostics,
        Ok(_) => spec::load(path, &spec::Given::default()).expect_err("not an experiment"),
    }
}

/// `file`, then a line for each problem: place, severity when it is a warning, message, and help.
fn outline() -> String {
    let mut files = spec::yaml_files(&folder());
    files.sort();
    let mut out = String::new();
    for file in files {
        let name = file.strip_prefix(folder()).expect("below the folder");
        out.push_str(&format!("{}\n", name.display()));
        for at in diagnostics(&file).located() {
            let Located {
                region: Region { line, column, .. },
                code,
                severity,
                message,
                label,
                help,
                fix,
                ..
            } = at;
            let warning = if severity == "warning" { "(warning) " } else { "" };
            let label = if label.is_empty() { label } else { format!(" ^ {label}") };
            let help = help.map(|help| format!(" | {help}")).unwrap_or_default();
            let fix = fix.map(|fix| format!(" | fix: {}", fix.what)).unwrap_or_default();
            out.push_str(&format!("  {line}:{column} {code} {warning}{message}{label}{help}{fix}\n"));
        }
    }
    out
}

/// After a change of words: run once with `FIREDRILL_BLESS=1`, and read the difference.
#[test]
fn every_bad_file_gets_the_words_written_for_it() {
    let expected = include_str!("../bad/expected.txt");
    let found = outline();
    if std::env::var_os("FIREDRILL_BLESS").is_some() {
        std::fs::write(folder().join("expected.txt"), &found).expect("written");
        return;
    }
    if let Some((line, (expected, found))) =
        expected.lines().zip(found.lines()).enumerate().find(|(_, (a, b))| a != b)
    {
        panic!("expected.txt:{}\nexpected: {expected}\n   found: {found}", line + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count());
}

#[test]
fn every_bad_file_is_refused_at_once() {
    for file in spec::yaml_files(&folder()) {
        let begun = Instant::now();
        let diagnostics = diagnostics(&file);
        assert!(begun.elapsed() < Duration::from_secs(1), "{}", file.display());
        let located = diagnostics.located();
        assert!(!located.is_empty(), "{}: nothing is wrong", file.display());
        let warns = |at: &Located| lesson(at.code).is_some_and(|lesson| lesson.warns);
        assert_eq!(diagnostics.failed(), !located.iter().all(warns), "{}", file.display());
        let places: BTreeSet<_> = diagnostics
            .located()
            .into_iter()
            .map(|at| (at.region.line, at.region.column, at.message))
            .collect();
        assert_eq!(places.len(), diagnostics.located().len(), "{}: said twice", file.display());
    }
}

#[test]
fn a_drawing_shows_the_place_and_the_way_out() {
    let drawn = diagnostics(&folder().join("cycle.yaml")).render(false);
    let drawn = drawn.replace(&format!("{}/", env!("CARGO_MANIFEST_DIR")), "");
    insta::assert_snapshot!(drawn, @r"
    error[FD0305]: steps wait for each other: `one` → `three` → `two` → `one`
      --> tests/bad/cycle.yaml:10:13
       |
    10 |     after: [three]
       |             ^^^^^ none of them could start
    11 |   - name: two
       |           --- waits for `one`, the step before it, having no `after`
    ...
    15 |     after: [two]
       |             --- waits here
       |
       = help: `after: []` makes a step start at once

    1 error in tests/bad/cycle.yaml
    ");
}

/// Each code has a file that shows its words, apart from those that need what no file here can be or say.
#[test]
fn every_code_has_a_bad_file() {
    let shown: BTreeSet<Code> = spec::yaml_files(&folder())
        .iter()
        .flat_map(|file| diagnostics(file).located())
        .map(|at| at.code)
        .collect();
    let elsewhere = [
        // No file at all.
        Code::FileUnreadable,
        Code::NoExperimentHere,
        // Said by `import`.
        Code::NotForeign,
        // Said by `plan` and `run`, which know what the drill is given.
        Code::NoValueGiven,
        Code::EnvironmentVariable,
        Code::FileReference,
        Code::UnknownEnvironment,
    ];
    let missing: Vec<&Code> =
        Code::ALL.iter().filter(|code| !shown.contains(code) && !elsewhere.contains(code)).collect();
    assert_eq!(missing, Vec::<&Code>::new());
    assert!(elsewhere.iter().all(|code| !shown.contains(code)));
}
