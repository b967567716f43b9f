use std::path::Path;

use super::*;
use crate::notation::decode::Problem;
use crate::spec::{Checked, Given, Project, check, load};

/// What the examples leave out.
const REST: &[(&str, &str)] = &[
    ("kind", "kind: Experiment\n"),
    ("name", "name: example\n"),
    ("objectives", "objectives: { rto: 2m }\n"),
    ("targets", "targets: { web: { ec2.instance: { tags: { app: web } } } }\n"),
    ("probes", "probes: { shop: { http: { url: http://shop.test/health } } }\n"),
    ("steps", "steps: [{ name: stop it, action: { ec2.stop_instances: { target: web } } }]\n"),
];

/// What the examples of game days leave out.
const REST_OF_DAY: &[(&str, &str)] = &[
    ("name", "name: example\n"),
    ("participants", "participants: [{ name: Anna, role: scribe, about: takes notes }]\n"),
    ("drills", "drills: [{ runbook: runbooks/restore.yaml }]\n"),
];

/// The example as a whole file. One with `kind:`, or of a project, is whole already.
fn whole(example: &str) -> (&'static str, String) {
    let example = example.trim_start_matches('\n');
    let has = |key: &str| example.lines().any(|line| line.starts_with(&format!("{key}:")));
    if example.starts_with("kind: GameDay") {
        let rest: String = REST_OF_DAY.iter().filter(|(key, _)| !has(key)).map(|(_, text)| *text).collect();
        return ("gameday.yaml", format!("{example}{rest}"));
    }
    if has("environments") || has("store") {
        return ("firedrill.yaml", example.to_owned());
    }
    if has("kind") || example.is_empty() || example.starts_with(['-', '#']) {
        return ("example.yaml", example.to_owned());
    }
    let rest: String = REST.iter().filter(|(key, _)| !has(key)).map(|(_, text)| *text).collect();
    ("example.yaml", format!("{rest}{example}"))
}

/// The files that examples name.
fn files(folder: &Path) {
    let step = "steps: [{ name: call, manual: Call the owner }]\n";
    let files = [
        ("runbooks/restore.yaml", format!("kind: Runbook\nname: restore\n{step}")),
        ("runbooks/broken.yaml", format!("kind: Runbook\nname: Broken!\n{step}")),
        (
            "runbooks/fence.yaml",
            format!("kind: Runbook\nname: fence\n{}", step.replace(" }", ", role: database-owner }")),
        ),
        ("runbooks/drill.yaml", drill("example")),
        ("experiments/drill.yaml", drill("drill")),
        ("experiments/broken.yaml", drill("Broken!")),
        ("../elsewhere/drill.yaml", drill("drill")),
    ];
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, text).expect("written");
    }
}

fn drill(name: &str) -> String {
    let drill: String = REST.iter().map(|(_, text)| *text).collect();
    drill.replace("name: example", &format!("name: {name}"))
}

/// What is wrong with a file: as `check` says it, else as `plan` would.
fn problems(folder: &Path, example: &str) -> Vec<Problem> {
    let (name, text) = whole(example);
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    if name == "firedrill.yaml" {
        return match Project::read(&path) {
            Err(wrong) => wrong.problems,
            Ok(project) => project.environment("staging").err().map_or(Vec::new(), |wrong| wrong.problems),
        };
    }
    if name == "gameday.yaml" {
        // Where the project begins, and an environment of it.
        let project = "environments:\n  staging: { region: eu-west-1 }\n";
        std::fs::write(folder.join("firedrill.yaml"), project).expect("written");
        return check(&path).expect("YAML").problems();
    }
    let given = Given { complete: true, ..Given::default() };
    match check(&path) {
        Ok(Checked::Experiment(found) | Checked::Runbook(found)) | Err(found)
            if !found.problems.is_empty() =>
        {
            found.problems
        }
        Ok(Checked::Experiment(_) | Checked::Runbook(_)) => {
            load(&path, &given).err().map_or(Vec::new(), |wrong| wrong.problems)
        }
        _ => load(&path, &Given::default()).err().map_or(Vec::new(), |wrong| wrong.problems),
    }
}

#[test]
fn every_code_is_explained_once_and_in_order() {
    let told: Vec<Code> = ALL.iter().flat_map(|part| part.iter()).map(|lesson| lesson.code).collect();
    assert_eq!(told, Code::ALL);
    for code in Code::ALL {
        let lesson = lesson(*code).expect("a lesson");
        assert!(lesson.about.len() > 60 && lesson.about.ends_with('.'), "{code}: {}", lesson.about);
    }
}

#[test]
fn every_wrong_example_is_wrong_in_the_way_it_shows_and_every_right_one_is_right() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = temporary.path().join("project");
    std::fs::create_dir(&folder).expect("made");
    files(&folder);
    let mut slips = Vec::new();
    for lesson in ALL.iter().flat_map(|part| part.iter()).filter(|lesson| lesson.yaml) {
        let code = lesson.code;
        let wrong = problems(&folder, lesson.wrong);
        match wrong.iter().find(|problem| problem.code == code) {
            Some(found) if found.warning != lesson.warns => slips.push(format!("{code}: warns? {found:?}")),
            Some(_) => {}
            None => slips.push(format!("{code}: the wrong example gives {wrong:?}")),
        }
        let beside: Vec<_> =
            wrong.iter().filter(|problem| problem.code != code && !problem.warning).collect();
        if !beside.is_empty() && code != Code::FileUnreadable {
            slips.push(format!("{code}: the wrong example is wrong in other ways: {beside:?}"));
        }
        let right = problems(&folder, lesson.right);
        let bad: Vec<_> = right.iter().filter(|problem| problem.code == code || !problem.warning).collect();
        if !bad.is_empty() {
            slips.push(format!("{code}: the right example gives {bad:?}"));
        }
    }
    assert!(slips.is_empty(), "{}", slips.join("\n"));
}

/// What no example shows must be reported all the same: each of these has a file or a test of its own.
#[test]
fn few_codes_are_told_in_words_alone() {
    let in_words = ALL.iter().flat_map(|part| part.iter()).filter(|lesson| !lesson.yaml);
    assert_eq!(
        in_words.map(|lesson| lesson.code).collect::<Vec<_>>(),
        [
            Code::FileUnreadable,
            Code::TooMuch,
            Code::NotUtf8,
            Code::ControlCharacter,
            Code::NoExperimentHere,
            Code::NotForeign,
            Code::ForPeople,
            Code::OfAnSlo
        ]
    );
}
