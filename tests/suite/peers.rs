//! The mistakes that `benches/check.sh` shows to firedrill and its peers: each is found, at its place, and the file
//! without it has none. No peer is run here.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::support::{firedrill, root};

#[derive(Deserialize)]
struct Mistake {
    drill: Option<Side>,
}

/// A file with a mistake; `benches/check/mistakes.py` says what the parts are.
#[derive(Deserialize)]
struct Side {
    file: String,
    mend: Vec<Change>,
    at: Vec<Vec<usize>>,
}

#[derive(Deserialize)]
struct Change {
    line: usize,
    lines: usize,
    right: Vec<String>,
}

#[derive(Deserialize)]
struct Found {
    file: String,
    line: usize,
    message: String,
}

/// The folders that hold a mistake in firedrill's language.
fn mistakes() -> Vec<(PathBuf, Side)> {
    let folders = root().join("benches/check/mistakes").read_dir().expect("the mistakes");
    let mut all: Vec<(PathBuf, Side)> = folders
        .map(|folder| folder.expect("a folder").path())
        .filter_map(|folder| {
            let text = std::fs::read(folder.join("mistake.json")).expect("what is wrong");
            let mistake: Mistake = serde_json::from_slice(&text).expect("as the harness reads it");
            Some((folder, mistake.drill?))
        })
        .collect();
    all.sort_by(|(a, _), (b, _)| a.cmp(b));
    all
}

/// What is said of the files, on a machine that has the programs which they run.
fn checked(files: &[PathBuf], scratch: &Path) -> Vec<Found> {
    let programs = scratch.join("bin");
    std::fs::create_dir(&programs).expect("a folder");
    for name in ["aws", "kubectl", "terraform"] {
        let program = programs.join(name);
        std::fs::write(&program, "#!/bin/sh\n").expect("written");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    }
    let output = firedrill()
        .args(["check", "--format", "json"])
        .args(files)
        .env("PATH", &programs)
        .output()
        .expect("firedrill runs");
    serde_json::from_slice(&output.stdout).expect("a list of problems")
}

#[test]
fn each_mistake_is_found_at_its_place() {
    let scratch = tempfile::tempdir().expect("a folder");
    let all = mistakes();
    assert!(all.len() >= 70, "{} mistakes", all.len());
    let files: Vec<PathBuf> = all.iter().map(|(folder, side)| folder.join(&side.file)).collect();
    let found = checked(&files, scratch.path());
    let missed: Vec<String> = all
        .iter()
        .zip(&files)
        .flat_map(|((_, side), file)| side.at.iter().map(move |lines| (file, lines)))
        .filter(|(file, lines)| {
            !found.iter().any(|found| Path::new(&found.file) == *file && lines.contains(&found.line))
        })
        .map(|(file, lines)| format!("{}: none of lines {lines:?}", file.display()))
        .collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn without_its_mistake_each_file_is_right() {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    for (folder, side) in mistakes() {
        let text = std::fs::read_to_string(folder.join(&side.file)).expect("the file");
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for change in side.mend.iter().rev() {
            let first = change.line - 1;
            lines.splice(first..first + change.lines, change.right.iter().cloned());
        }
        let mended = scratch.path().join(folder.file_name().expect("a name"));
        std::fs::create_dir(&mended).expect("a folder");
        std::fs::write(mended.join(&side.file), lines.join("\n") + "\n").expect("written");
        files.push(mended.join(&side.file));
    }
    let found = checked(&files, scratch.path());
    let said: Vec<String> =
        found.iter().map(|found| format!("{}:{}: {}", found.file, found.line, found.message)).collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}
