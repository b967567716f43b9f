//! Command lines of `aws`, `kubectl` and `terraform`: what is said of each, and whether the programs agree.
//!
//! `tests/commands/lines.txt` has a line for each, as a shell would get it, with what is found below it. The word
//! before it says how the program takes it: `ok`, `bad` (refused), `v2` (only version 2 of the AWS CLI has it), `odd`
//! (the program goes on, and what it does is not what was meant).

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use firedrill::command::{judge, split_command};

use crate::support_kinds::have;

fn file() -> PathBuf {
    root().join("tests/commands/lines.txt")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

struct Line {
    how: String,
    text: String,
    words: Vec<String>,
}

impl Line {
    /// Whether a firedrill file may not say it.
    fn refused(&self) -> bool {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        judge(&words).iter().any(|finding| !finding.warning)
    }
}

fn lines(text: &str) -> Vec<Line> {
    let commands = text.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']));
    commands
        .map(|line| {
            let (how, text) = line.split_once(' ').expect("a command");
            let words = split_command(text).unwrap_or_else(|| panic!("one command: {text}"));
            let words = words.into_iter().map(|(_, word)| word).collect();
            Line { how: how.to_owned(), text: text.to_owned(), words }
        })
        .collect()
}

/// What is found, a line for each: the index of the word, message, label, help.
fn found(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut out = String::new();
    for finding in judge(&words) {
        let warning = if finding.warning { "(warning) " } else { "" };
        let label = if finding.label.is_empty() { String::new() } else { format!(" | {}", finding.label) };
        // The lines of an offer are judged where it is made.
        let help =
            finding.help.filter(|_| !finding.offer).map(|help| format!(" | {help}")).unwrap_or_default();
        let _ = writeln!(out, "  {}: {warning}{}{label}{help}", finding.place.word, finding.message);
    }
    out
}

/// After a change of words: run once with `FIREDRILL_BLESS=1`, and read the difference.
#[test]
fn every_command_line_gets_the_words_written_for_it() {
    let expected = std::fs::read_to_string(file()).expect("the lines");
    let mut all = String::new();
    for line in expected.lines().filter(|line| !line.starts_with(' ')) {
        let _ = writeln!(all, "{line}");
        for line in lines(line) {
            all.push_str(&found(&line.words));
        }
    }
    if std::env::var_os("FIREDRILL_BLESS").is_some() {
        std::fs::write(file(), &all).expect("written");
        return;
    }
    if let Some((at, (expected, found))) =
        expected.lines().zip(all.lines()).enumerate().find(|(_, (expected, found))| expected != found)
    {
        panic!("lines.txt:{}\nexpected: {expected}\n   found: {found}", at + 1);
    }
    assert_eq!(expected.lines().count(), all.lines().count());
}

/// What is right has no error, what is wrong has one.
#[test]
fn what_a_program_refuses_is_an_error() {
    let text = std::fs::read_to_string(file()).expect("the lines");
    let lines = lines(&text);
    assert!(lines.len() > 200, "{}", lines.len());
    for line in lines {
        match line.how.as_str() {
            "ok" | "v2" => assert!(!line.refused(), "{}\n{}", line.text, found(&line.words)),
            "bad" => assert!(line.refused(), "{}", line.text),
            "odd" => assert!(!found(&line.words).is_empty(), "{}", line.text),
            other => panic!("{other}: {}", line.text),
        }
    }
}

/// Why version 1 of the AWS CLI itself refuses each command line, making no call. `None` when it is not there.
fn asked(lines: &[Line]) -> Option<Vec<Option<String>>> {
    let python = python();
    if !have("the AWS CLI", python.exists()) {
        return None;
    }
    let mut child = Command::new(python)
        .arg(root().join("tests/awscli_parse.py"))
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut input = child.stdin.take().expect("piped");
    let asked: String =
        lines.iter().map(|line| format!("{}\n", serde_json::json!(line.words))).collect::<Vec<_>>().concat();
    let writer = std::thread::spawn(move || input.write_all(asked.as_bytes()));
    let output = child.wait_with_output().expect("ended");
    writer.join().expect("joined").expect("written");
    let answers = String::from_utf8(output.stdout).expect("text");
    let answers: Vec<Option<String>> =
        answers.lines().map(|answer| serde_json::from_str(answer).expect("an answer")).collect();
    assert_eq!(answers.len(), lines.len());
    Some(answers)
}

fn python() -> PathBuf {
    root().join(".test/awscli/bin/python")
}

#[test]
fn the_aws_cli_agrees() {
    let text = std::fs::read_to_string(file()).expect("the lines");
    let known = |line: &Line| {
        let open = line.words.iter().any(|word| word.contains("${") || word == "help");
        line.words.first().is_some_and(|word| word == "aws") && !open
    };
    let lines: Vec<Line> = lines(&text).into_iter().filter(known).collect();
    let Some(answers) = asked(&lines) else { return };
    let expected = |line: &Line| matches!(line.how.as_str(), "ok" | "odd");
    let disagree: Vec<String> = lines
        .iter()
        .zip(answers)
        .filter(|(line, answer)| answer.is_none() != expected(line))
        .map(|(line, answer)| format!("{} {}: {answer:?}", line.how, line.text))
        .collect();
    assert_eq!(disagree, [""; 0]);
}

/// The command lines of the AWS CLI's own documentation, as far as they can be read.
fn examples() -> Vec<Line> {
    let installed = python().parent().and_then(Path::parent).expect("an environment").join("lib");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(installed)
        .expect("a folder")
        .map(|python| python.expect("a folder").path().join("site-packages/awscli/examples"))
        .collect();
    let mut lines = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            for (at, _) in text.match_indices("\n    aws ") {
                lines.extend(example(&text[at + 5..]));
            }
        }
    }
    lines
}

/// The command at the beginning of `text`: to the first line that neither ends in `\` nor leaves a quote open.
fn example(text: &str) -> Option<Line> {
    let ends = text.match_indices('\n').map(|(at, _)| at).filter(|at| !text[..*at].ends_with('\\'));
    ends.take(40).find_map(|end| {
        let words: Vec<String> = split_command(&text[..end])?.into_iter().map(|(_, word)| word).collect();
        Some(Line { how: String::new(), text: text[..end].to_owned(), words })
    })
}

/// What the documentation of the AWS CLI shows is right, unless the CLI itself refuses it; and the CLI takes what is
/// right here, of which every two hundredth is asked.
#[test]
fn the_examples_of_the_aws_cli_are_right() {
    if !have("the AWS CLI", python().exists()) {
        return;
    }
    let (refused, accepted): (Vec<Line>, Vec<Line>) = examples().into_iter().partition(Line::refused);
    assert!(refused.len() + accepted.len() > 3000, "{}", accepted.len());
    let asking: Vec<Line> = refused.into_iter().chain(accepted.into_iter().step_by(200)).collect();
    let Some(answers) = asked(&asking) else { return };
    let mut disagree = Vec::new();
    for (line, answer) in asking.iter().zip(&answers) {
        let said = found(&line.words);
        // What an enum does not have, the CLI sends all the same; an empty word, it forgets.
        let sent = said.contains("upper and lower case count")
            || said.contains("is no value for")
            || line.words.contains(&String::new());
        if line.refused() != answer.is_some() && !(sent && answer.is_none()) {
            disagree.push(format!("{}\n{said}{answer:?}\n", line.text));
        }
    }
    println!("asked for {} lines, {} refused", asking.len(), answers.iter().flatten().count());
    assert_eq!(disagree.len(), 0, "{}", disagree.join("\n"));
}

/// What the programs say when they do not know a word. What they say of a cluster or a configuration that is not
/// there is no refusal.
const REFUSALS: &[&str] = &[
    "unknown flag",
    "unknown shorthand flag",
    "unknown command",
    "invalid argument",
    "required flag",
    "flag needs an argument",
    "Invalid dry-run value",
    "flag provided but not defined",
    "has no command named",
    "invalid value",
    "invalid boolean value",
    "Too many command line arguments",
    "Usage: terraform",
    "COMMAND is",
    "must specify one of",
    "is required",
    "unrecognized condition",
];

/// A cluster that nobody can reach, whatever is configured on this machine.
const NO_CLUSTER: &str = r#"{
  "apiVersion": "v1", "kind": "Config", "current-context": "none",
  "clusters": [{ "name": "none", "cluster": { "server": "http://127.0.0.1:1" } }],
  "contexts": [
    { "name": "none", "context": { "cluster": "none" } }, { "name": "prod", "context": { "cluster": "none" } }
  ]
}"#;

fn refuses(line: &Line, folder: &Path) -> Option<String> {
    let (program, arguments) = line.words.split_first().expect("words");
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HOME", folder)
        .env("CHECKPOINT_DISABLE", "1")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let refused = !output.status.success() && REFUSALS.iter().any(|text| said.contains(text));
    refused.then_some(said)
}

#[test]
fn kubectl_and_terraform_agree() {
    let text = std::fs::read_to_string(file()).expect("the lines");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("kubeconfig"), NO_CLUSTER).expect("written");
    let mut disagree = Vec::new();
    for program in ["kubectl", "terraform"] {
        if Command::new(program).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err()
        {
            // No package of Debian's has it: where it is missing, nothing can be compared.
            continue;
        }
        for line in lines(&text).iter().filter(|line| line.words.first().is_some_and(|word| word == program))
        {
            // A plugin that is not installed.
            if line.words.contains(&"argo".to_owned()) {
                continue;
            }
            let refused = refuses(line, folder.path());
            if refused.is_some() != (line.how == "bad") {
                disagree.push(format!("{} {}: {refused:?}", line.how, line.text));
            }
        }
    }
    assert_eq!(disagree, [""; 0]);
}
