//! The reusable workflow of GitHub Actions: its shape by another's word, and its scripts run as a runner would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firedrill::notation::yaml::{self, Node, Value};

use crate::support::{root, said};

const FILE: &str = ".github/workflows/check.yaml";

fn text() -> String {
    std::fs::read_to_string(root().join(FILE)).expect("the workflow")
}

fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(name, _)| name.text == key).map(|(_, value)| value)
}

fn scalar<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &get(node, key)?.value {
        Value::Scalar { text, .. } => Some(text),
        _ => None,
    }
}

fn entries(node: &Node) -> Vec<(String, String)> {
    let Value::Map(entries) = &node.value else { panic!("no mapping: {node:?}") };
    let text = |node: &Node| match &node.value {
        Value::Scalar { text, .. } => text.clone(),
        other => format!("{other:?}"),
    };
    entries.iter().map(|(key, value)| (key.text.clone(), text(value))).collect()
}

fn steps(job: &str) -> Vec<Node> {
    let root = yaml::parse(text().as_bytes()).root.expect("YAML");
    let steps = get(&root, "jobs").and_then(|jobs| get(jobs, job)).and_then(|job| get(job, "steps")).cloned();
    let Some(Node { value: Value::List(steps), .. }) = steps else { panic!("no steps of {job}") };
    steps
}

/// A checkout on a runner, with a home of its own.
struct Runner {
    folder: tempfile::TempDir,
}

impl Runner {
    fn new(files: &[(&str, &str)]) -> Runner {
        let folder = tempfile::tempdir().expect("a folder");
        for part in ["work", "home/.firedrill-check/bin", "fake"] {
            std::fs::create_dir_all(folder.path().join(part)).expect("a folder");
        }
        let runner = Runner { folder };
        files.iter().for_each(|(name, text)| runner.write(&format!("work/{name}"), text));
        runner
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    /// Runs the script of a step as a runner does for `shell: bash`.
    fn run(&self, step: &str, env: &[(&str, &str)]) -> Output {
        self.run_with(step, env, &[])
    }

    /// The same, with what belongs to this machine.
    fn run_with(&self, step: &str, env: &[(&str, &str)], machine: &[(&str, &str)]) -> Output {
        let steps = steps("check");
        let step = steps.iter().find(|found| scalar(found, "name") == Some(step)).expect(step);
        assert_eq!(scalar(step, "shell"), Some("bash"), "only then is pipefail set");
        self.write("script.sh", scalar(step, "run").expect("a script"));
        let asked = get(step, "env").map(entries).unwrap_or_default();
        let (mut asked, mut given): (Vec<&str>, Vec<&str>) = (
            asked.iter().map(|(name, _)| name.as_str()).collect(),
            env.iter().map(|(name, _)| *name).collect(),
        );
        given.retain(|name| !name.starts_with("GITHUB_"));
        asked.sort_unstable();
        given.sort_unstable();
        assert_eq!(asked, given, "the step's environment");
        let path = std::env::var("PATH").expect("a PATH");
        Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail"])
            .arg(self.path("script.sh"))
            .current_dir(self.path("work"))
            .env("HOME", self.path("home"))
            .env("PATH", format!("{}:{path}", self.path("fake").display()))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_REPOSITORY", "shop/drills")
            .env("GITHUB_SERVER_URL", format!("file://{}", self.path("server").display()))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .envs(env.iter().chain(machine).copied())
            .output()
            .expect("bash starts")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "-c",
                "init.defaultBranch=main",
                "-C",
            ])
            .arg(self.path("server/ops/firedrill"))
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git starts");
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A repository `ops/firedrill` on the server: a tag that says who made it, a plain one, and a commit after both.
    fn serve(&self) -> [String; 3] {
        self.write(
            "server/ops/firedrill/Cargo.toml",
            "[package]\nname = \"firedrill\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
        );
        self.write(
            "server/ops/firedrill/Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"firedrill\"\nversion = \"0.1.0\"\n",
        );
        self.write("server/ops/firedrill/src/main.rs", "fn main() { println!(\"first\") }\n");
        self.git(&["init", "-q"]);
        let commit = || {
            self.git(&["add", "."]);
            self.git(&["commit", "-q", "-m", "one more"]);
            self.git(&["rev-parse", "HEAD"])
        };
        let first = commit();
        self.git(&["tag", "-a", "v1.0.0", "-m", "the first"]);
        self.write("server/ops/firedrill/src/main.rs", "fn main() { println!(\"second\") }\n");
        let second = commit();
        self.git(&["tag", "v1.1.0"]);
        self.git(&["checkout", "-q", "-b", "next"]);
        self.write("server/ops/firedrill/src/main.rs", "fn main() { println!(\"third\") }\n");
        let third = commit();
        self.git(&["checkout", "-q", "main"]);
        [first, second, third]
    }

    fn find(&self, repository: &str, reference: &str) -> Output {
        std::fs::remove_file(self.path("output")).unwrap_or_default();
        self.run("Find firedrill's commit", &[("REPOSITORY", repository), ("REF", reference)])
    }

    fn check(&self, paths: &str, deny: &str, sarif: &str) -> (Option<i32>, String, String) {
        let link = self.path("home/.firedrill-check/bin/firedrill");
        if !link.exists() {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_firedrill"), link).expect("a link");
        }
        let output = self.run("Check", &[("PATHS", paths), ("DENY_WARNINGS", deny), ("SARIF", sarif)]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

const DEFAULT: &str = "experiments runbooks";
const GOOD: &str = "kind: Runbook\nname: r\nsteps: [{ name: s, manual: Look }]\n";
const WARNS: &str = "kind: Experiment\nname: x\nprobes: { web: { http: { url: http://h/ } } }\nsteps: [{ name: s, run: [\"true\"] }]\n";
const WRONG: &str = "kind: Experiment\nname: x\nhypotesis: y\nsteps: []\n";

#[test]
fn another_validator_takes_the_workflow() {
    let python = root().join(".test/actions/bin/check-jsonschema");
    if !python.exists() {
        let required = std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_some_and(|set| set == "1");
        assert!(!required, "check-jsonschema is missing: tests/run.sh installs it into .test/actions");
        eprintln!("skipped: check-jsonschema is missing; tests/run.sh installs it into .test/actions");
        return;
    }
    let validated = |file: &Path| {
        let mut command = Command::new(&python);
        command.args(["--builtin-schema", "vendor.github-workflows"]).arg(file).output().expect("it starts")
    };
    let verdict = validated(&root().join(FILE));
    assert!(verdict.status.success(), "{}", said(&verdict));
    // It sees what is wrong.
    let folder = tempfile::tempdir().expect("a folder");
    for (right, wrong) in [("timeout-minutes:", "timeout-minuts:"), ("type: boolean", "type: bool")] {
        let broken = folder.path().join("check.yaml");
        std::fs::write(&broken, text().replacen(right, wrong, 1)).expect("written");
        assert!(!validated(&broken).status.success(), "{wrong}");
    }
}

#[test]
fn it_may_do_no_more_than_it_must() {
    let root = yaml::parse(text().as_bytes()).root.expect("YAML");
    // Named for the whole file, they would be taken from the job that writes to code scanning.
    assert!(get(&root, "permissions").is_none());
    let jobs = get(&root, "jobs").expect("jobs");
    let check = get(get(jobs, "check").expect("check"), "permissions").expect("permissions");
    assert_eq!(entries(check), [("contents".to_owned(), "read".to_owned())]);
    assert!(get(get(jobs, "scanning").expect("scanning"), "permissions").is_none());
    for job in ["check", "scanning"] {
        for step in steps(job) {
            // What a caller gives reaches a script as a variable, never as a part of the script.
            let script = scalar(&step, "run").unwrap_or_default();
            assert!(!script.contains("${{"), "{script}");
            assert!(job == "check" || script.is_empty(), "{job} runs nothing of its own: {script}");
            let Some(action) = scalar(&step, "uses") else { continue };
            let (_, version) = action.split_once('@').expect(action);
            let major = version.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
            assert!(major || version.len() == 40, "{action}");
            if action.starts_with("actions/checkout@") {
                let kept = get(&step, "with").and_then(|with| scalar(with, "persist-credentials"));
                assert_eq!(kept, Some("false"), "the token stays nowhere");
            }
        }
    }
}

/// The names that follow `prefix` in the file, each up to what can be no part of it.
fn named_after<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    let part = |rest: &'t str| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        rest.split_at(end.unwrap_or(rest.len())).0
    };
    text.split(prefix).skip(1).map(part).collect()
}

/// What no schema sees: a name that GitHub would take for an empty text.
#[test]
fn every_expression_names_what_there_is() {
    let text = text();
    let root = yaml::parse(text.as_bytes()).root.expect("YAML");
    let on = get(&root, "on").and_then(|on| get(on, "workflow_call")).and_then(|call| get(call, "inputs"));
    let inputs: Vec<String> = entries(on.expect("inputs")).into_iter().map(|(name, _)| name).collect();
    let used = named_after(&text, "inputs.");
    assert!(used.iter().all(|name| inputs.iter().any(|input| input == name)), "{used:?}");
    assert!(inputs.iter().all(|input| used.contains(&input.as_str())), "{inputs:?}");

    let steps = steps("check");
    let script = |id: &str| {
        let step = steps
            .iter()
            .find(|step| scalar(step, "id") == Some(id))
            .unwrap_or_else(|| panic!("no step {id}"));
        (scalar(step, "run").unwrap_or_default(), scalar(step, "uses").unwrap_or_default())
    };
    let used = named_after(&text, "steps.");
    assert!(used.len() > 5, "{used:?}");
    for name in used {
        let [id, "outputs", output] = name.split('.').collect::<Vec<_>>()[..] else { panic!("{name}") };
        let (run, uses) = script(id);
        let written = run.contains(&format!("{output}=")) && run.contains("GITHUB_OUTPUT");
        assert!(written || (uses.starts_with("actions/cache@") && output == "cache-hit"), "{name}");
    }
    let handed = get(&root, "jobs").and_then(|jobs| get(jobs, "check")).and_then(|job| get(job, "outputs"));
    let handed = entries(handed.expect("outputs"));
    for name in named_after(&text, "needs.check.outputs.") {
        assert!(handed.iter().any(|(known, _)| known == name), "{name}");
    }
}

#[test]
fn a_tag_a_branch_and_a_commit_are_found() {
    let runner = Runner::new(&[]);
    let [first, second, third] = runner.serve();
    let server = runner.path("server").display().to_string();
    let url = format!("file://{server}/ops/firedrill");
    for (repository, reference, wanted) in [
        ("ops/firedrill", "v1.0.0", &first),
        ("ops/firedrill", "v1.1.0", &second),
        ("ops/firedrill", "HEAD", &second),
        ("ops/firedrill", "next", &third),
        (url.as_str(), "main", &second),
        ("ops/firedrill", first.as_str(), &first),
    ] {
        let output = runner.find(repository, reference);
        assert!(output.status.success(), "{reference}: {}", said(&output));
        let written = std::fs::read_to_string(runner.path("output")).expect("an output");
        assert_eq!(written, format!("url={url}\nrev={wanted}\n"), "{reference}");
    }
    for (repository, reference, wanted) in [
        ("ops/firedrill", "v9", "has no tag, branch or commit `v9`"),
        ("ops/firedrill", "", "has no tag, branch or commit ``"),
        ("", "HEAD", "::error::firedrill is not kept in shop/drills: say where"),
    ] {
        let output = runner.find(repository, reference);
        assert_eq!(output.status.code(), Some(2), "{reference}: {}", said(&output));
        assert!(said(&output).contains(wanted), "{}", said(&output));
        assert!(!runner.path("output").exists());
    }
    assert!(!runner.find("ops/nothing", "HEAD").status.success());
    // Called from its own repository, it is that one.
    std::fs::copy(root().join("Cargo.toml"), runner.path("work/Cargo.toml")).expect("copied");
    let own = [("REPOSITORY", ""), ("REF", "HEAD"), ("GITHUB_REPOSITORY", "ops/firedrill")];
    let output = runner.run("Find firedrill's commit", &own);
    assert!(output.status.success(), "{}", said(&output));
}

/// With a program of the same name that is built in a second.
#[test]
fn cargo_builds_the_commit_that_was_found() {
    let runner = Runner::new(&[]);
    let [first, ..] = runner.serve();
    let url = format!("file://{}", runner.path("server/ops/firedrill").display());
    let home = std::env::var("HOME").unwrap_or_default();
    // The toolchain stays where it is; what cargo fetches goes into the home of this test.
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    let cargo = runner.path("home/.cargo").display().to_string();
    let machine = [("RUSTUP_HOME", rustup.as_str()), ("CARGO_HOME", &cargo)];
    let output = runner.run_with("Build firedrill", &[("URL", &url), ("REV", &first)], &machine);
    assert!(output.status.success(), "{}", said(&output));
    let built = Command::new(runner.path("home/.firedrill-check/bin/firedrill")).output().expect("it runs");
    assert_eq!(String::from_utf8_lossy(&built.stdout), "first\n");
}

#[test]
fn annotations_appear_and_the_exit_code_decides() {
    let runner = Runner::new(&[("experiments/wrong.yaml", WRONG), ("experiments/warns.yaml", WARNS)]);
    for sarif in ["false", "true"] {
        let (code, out, err) = runner.check(DEFAULT, "false", sarif);
        assert_eq!(code, Some(2), "{out}{err}");
        assert!(out.contains("::error file=experiments/wrong.yaml,line=3"), "{out}");
        assert!(out.contains("::warning file=experiments/warns.yaml"), "{out}");
        assert_eq!(runner.path("work/firedrill.sarif").exists(), sarif == "true");
        // What the log is called, where there is one.
        assert_eq!(runner.path("output").exists(), sarif == "true");
    }
    let log = std::fs::read(runner.path("work/firedrill.sarif")).expect("a log");
    let log: serde_json::Value = serde_json::from_slice(&log).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    assert!(log["runs"][0]["results"].as_array().is_some_and(|results| results.len() > 2), "{log}");

    let runner = Runner::new(&[("runbooks/r.yaml", GOOD), ("experiments/warns.yaml", WARNS)]);
    for (deny, sarif, wanted) in [("false", "true", 0), ("true", "true", 2), ("true", "false", 2)] {
        let (code, out, err) = runner.check(DEFAULT, deny, sarif);
        assert_eq!(code, Some(wanted), "{out}{err}");
        assert!(out.contains("::warning file=experiments/warns.yaml"), "{out}");
    }
}

#[test]
fn what_is_named_must_be_there_and_of_the_default_something() {
    let runner = Runner::new(&[("runbooks/r.yaml", GOOD), ("more drills.yaml", WARNS), ("a/b.yaml", WRONG)]);
    let (code, out, err) = runner.check(DEFAULT, "false", "true");
    assert_eq!(code, Some(0), "{out}{err}");
    let (code, out, _) = runner.check("runbooks a", "false", "false");
    assert!(code == Some(2) && out.contains("file=a/b.yaml"), "{out}");
    let (code, out, _) = runner.check("runbooks\na\n", "false", "false");
    assert!(code == Some(2) && out.contains("file=a/b.yaml"), "{out}");
    let (code, out, _) = runner.check("runbooks experments", "false", "false");
    assert!(code == Some(2) && out.contains("file=experments") && out.contains("No such file"), "{out}");
    // No pattern is spread, and no word is an option.
    let (code, out, err) = runner.check("a/*.yaml --fix", "false", "false");
    assert!(code == Some(2) && out.contains("a/*.yaml") && out.contains("--fix"), "{out}{err}");
    let (code, out, err) = Runner::new(&[("x.txt", "")]).check(DEFAULT, "false", "true");
    assert!(code == Some(2) && out.contains("::error::there is neither"), "{out}{err}");
}

/// A program that does not even start is no check that passed.
#[test]
fn a_firedrill_that_does_not_work_fails_the_job() {
    let runner = Runner::new(&[("runbooks/r.yaml", GOOD)]);
    runner.write("home/.firedrill-check/bin/firedrill", "#!/bin/sh\nexit 127\n");
    use std::os::unix::fs::PermissionsExt as _;
    let program = runner.path("home/.firedrill-check/bin/firedrill");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("set");
    for sarif in ["true", "false"] {
        let (code, out, err) = runner.check(DEFAULT, "false", sarif);
        assert!(code.is_some_and(|code| code != 0), "{out}{err}");
    }
}
