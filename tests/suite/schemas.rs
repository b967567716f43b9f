//! The editors' schemas and the parser agree: what is right passes both, and a slip that a schema can see is seen by it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use firedrill::notation::code::Code;
use firedrill::spec;
use serde_json::Value;

use crate::checks::python;
use crate::support::{firedrill, root, said};

/// The mistakes that a schema sees wherever they are made.
const SEEN: &[Code] = &[
    Code::UnknownKey,
    Code::MissingKey,
    Code::NoValue,
    Code::NotABoolean,
    Code::NotADuration,
    Code::NoUnit,
    Code::UnknownAction,
    Code::UnknownProbeKind,
    Code::UnknownTargetKind,
    Code::NothingDone,
    Code::TwoThingsDone,
];

/// The files of a folder, each with the schema of what it says it is.
fn files(folder: &str) -> Vec<(PathBuf, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).expect("the folder").flatten() {
        let path = entry.path();
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let kind = |kind: &str| text.lines().any(|line| line.trim_end() == format!("kind: {kind}"));
        let schema = match () {
            () if path.extension().is_none_or(|extension| extension != "yaml") => continue,
            () if path.file_name().is_some_and(|name| name == "firedrill.yaml") => "project.v1.json",
            () if kind("Runbook") => "runbook.v1.json",
            () if kind("GameDay") => "gameday.v1.json",
            () if kind("Experiment") => "experiment.v1.json",
            () => continue,
        };
        found.push((root().join("schema").join(schema), path));
    }
    assert!(!found.is_empty(), "{folder} has no files");
    found
}

/// What an independent validator says of each file: what it found first, or nothing. Files that are no YAML are left out.
fn judged(python: &PathBuf, files: &[(PathBuf, PathBuf)]) -> BTreeMap<PathBuf, Option<String>> {
    let mut child = Command::new(python)
        .arg(root().join("tests/schema_agree.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python starts");
    let asked = serde_json::to_vec(files).expect("JSON");
    child.stdin.take().expect("a pipe").write_all(&asked).expect("written");
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "{}", said(&output));
    let lines = String::from_utf8(output.stdout).expect("text");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let read = lines.filter(|line| line["yaml"] == true);
    read.map(|line| {
        let first = line["first"].as_str().map(str::to_owned);
        (PathBuf::from(line["file"].as_str().expect("a file")), first)
    })
    .collect()
}

#[test]
fn what_is_bundled_is_right_by_its_schema() {
    let Some(python) = python() else { return };
    let all: Vec<(PathBuf, PathBuf)> = [files("experiments"), files("runbooks")].concat();
    let judged = judged(&python, &all);
    assert_eq!(judged.len(), all.len());
    for (file, first) in judged {
        assert_eq!(first, None, "{}", file.display());
    }
}

#[test]
fn schema_and_parser_agree_on_what_is_bad() {
    let Some(python) = python() else { return };
    let all = [files("tests/bad"), files("tests/bad/gamedays")].concat();
    let (mut missed, mut refused) = (Vec::new(), Vec::new());
    for (file, first) in judged(&python, &all) {
        let problems = match file.file_name().is_some_and(|name| name == "firedrill.yaml") {
            true => spec::Project::read(&file).err().map(|wrong| wrong.problems).unwrap_or_default(),
            false => match spec::check(&file) {
                Ok(checked) => checked.problems(),
                Err(wrong) => wrong.problems,
            },
        };
        let errors: Vec<_> = problems.iter().filter(|problem| !problem.warning).collect();
        let plain = errors.iter().find(|problem| SEEN.contains(&problem.code));
        match (plain, &first) {
            (Some(problem), None) => missed.push(format!("{}: {}", file.display(), problem.message)),
            (None, Some(first)) if errors.is_empty() => refused.push(format!("{}: {first}", file.display())),
            _ => {}
        }
    }
    assert!(missed.is_empty(), "the schema takes what is wrong:\n{}", missed.join("\n"));
    assert!(refused.is_empty(), "the schema refuses what is right:\n{}", refused.join("\n"));
}

#[test]
fn the_verb_prints_what_is_stored() {
    for kind in spec::schema::Kind::ALL {
        let output = firedrill().args(["schema", kind.word()]).output().expect("it runs");
        let stored = std::fs::read(root().join("schema").join(kind.file_name())).expect("stored");
        assert!(output.stdout == stored, "{}", kind.word());
    }
}
