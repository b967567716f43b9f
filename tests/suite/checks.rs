//! `firedrill check` as machines and people use it: its SARIF against the standard's schema, its fixes on every bad file,
//! and what it asks the system for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use firedrill::notation::yaml;
use firedrill::spec;
use serde_json::Value;

use crate::support::{firedrill, root, said};

/// Validates its standard input against the schema; formats, such as that of URIs, are held too.
const VALIDATOR: &str = r#"
import json, sys
from jsonschema import Draft7Validator, FormatChecker
schema = json.load(open(sys.argv[1]))
errors = Draft7Validator(schema, format_checker=FormatChecker()).iter_errors(json.load(sys.stdin))
wrong = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in errors]
print("\n".join(wrong[:20]))
sys.exit(1 if wrong else 0)
"#;

/// The Python that has `jsonschema`, when `tests/run.sh` has installed it.
pub(crate) fn python() -> Option<PathBuf> {
    let python = root().join(".test/sarif/bin/python");
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_none_or(|set| set != "1"),
        "jsonschema for Python is missing: tests/run.sh installs it into .test/sarif"
    );
    eprintln!("skipped: jsonschema for Python is missing; tests/run.sh installs it into .test/sarif");
    None
}

/// What the schema says of a log.
fn validated(python: &Path, log: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = Command::new(python)
        .args(["-c", VALIDATOR])
        .arg(root().join("tests/schema/sarif-2.1.0.json"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("python starts");
    child.stdin.take().expect("a pipe").write_all(log).expect("written");
    child.wait_with_output().expect("python ends")
}

fn sarif(paths: &[&str]) -> (Output, Value) {
    let output = firedrill().arg("check").args(paths).args(["--format", "sarif"]).output().expect("it runs");
    let log =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    (output, log)
}

#[test]
fn sarif_is_what_the_standard_says() {
    let Some(python) = python() else { return };
    for paths in [&["tests/bad"][..], &["experiments"], &["/no/such/file.yaml", "tests/bad/not-utf8.yaml"]] {
        let (output, _) = sarif(paths);
        let verdict = validated(&python, &output.stdout);
        assert!(verdict.status.success(), "{paths:?}: {}", said(&verdict));
    }
    // The validator sees what is wrong.
    let (_, log) = sarif(&["tests/bad/cycle.yaml"]);
    let broken = log.to_string().replace("\"2.1.0\"", "\"2.1\"").replace("\"uri\":\"", "\"uri\":\"a b ");
    let verdict = validated(&python, broken.as_bytes());
    assert!(!verdict.status.success(), "{}", said(&verdict));
    assert!(said(&verdict).contains("version") && said(&verdict).contains("uri"), "{}", said(&verdict));
}

/// The character places of a region, as bytes of the text.
fn bytes_of(text: &str, region: &Value) -> std::ops::Range<usize> {
    let at = |line: &str, column: &str| {
        let (line, column) =
            (region[line].as_u64().expect("a line"), region[column].as_u64().expect("a column"));
        let start: usize = text.split_inclusive('\n').take(line as usize - 1).map(str::len).sum();
        let rest = &text[start..];
        start + rest.char_indices().nth(column as usize - 1).map_or(rest.len(), |(at, _)| at)
    };
    at("startLine", "startColumn")..at("endLine", "endColumn")
}

/// Whoever applies a log's fixes by its own words gets what `--fix` writes.
#[test]
fn the_fixes_of_a_log_are_those_that_fix_makes() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "kind: Experiment\nname: x\ntitle: ü 🔥 # ü\nownr: é\nprobes: { wéb: { http: { url: http://h/, redirects: yes } } }\n\
                objectives: { rto: 2m, detection: 90s }\nalarms: [a, b, b]\nsteps: [{ name: s, run: [\"true\"], rollback: [\"true\"] }]\n";
    let file = folder.path().join("x.yaml");
    std::fs::write(&file, text).expect("written");
    let (_, log) = sarif(&[&file.display().to_string()]);
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    for result in log["runs"][0]["results"].as_array().expect("results") {
        for fix in result["fixes"].as_array().into_iter().flatten() {
            let change = &fix["artifactChanges"][0]["replacements"][0];
            let with = change["insertedContent"]["text"].as_str().unwrap_or_default().to_owned();
            edits.push((bytes_of(text, &change["deletedRegion"]), with));
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut by_hand = text.to_owned();
    edits.into_iter().for_each(|(range, with)| by_hand.replace_range(range, &with));
    let output = firedrill().args(["check", "--fix"]).arg(&file).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let fixed = std::fs::read_to_string(&file).expect("read");
    assert_eq!(fixed, by_hand);
    assert_eq!(
        fixed,
        text.replace("ownr", "owner").replace("yes", "true").replace("b, b", "b").replace("rollback", "undo")
    );
}

/// Copies the bad files to a folder of their own.
fn bad_files(to: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let from = root().join("tests/bad");
    let mut all = BTreeMap::new();
    for file in spec::yaml_files(&from) {
        let copy = to.join(file.strip_prefix(&from).expect("below"));
        std::fs::create_dir_all(copy.parent().expect("a folder")).expect("made");
        std::fs::copy(&file, &copy).expect("copied");
        all.insert(copy, std::fs::read(&file).expect("read"));
    }
    all
}

#[test]
fn fixing_every_bad_file_keeps_every_comment_and_leaves_no_file_worse() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = bad_files(folder.path());
    let count = |arguments: &[&str]| {
        let output = firedrill()
            .args(["check", "--format", "json"])
            .args(arguments)
            .arg(folder.path())
            .output()
            .expect("it runs");
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let mut errors: BTreeMap<String, usize> = BTreeMap::new();
        for problem in found.iter().filter(|problem| problem["severity"] == "error") {
            *errors.entry(problem["file"].as_str().expect("a file").to_owned()).or_default() += 1;
        }
        (errors, String::from_utf8(output.stderr).expect("text"))
    };
    let (wrong, _) = count(&[]);
    let (less, said) = count(&["--fix"]);
    let fixed = said.lines().filter(|line| line.starts_with("fixed ")).count();
    assert!(fixed >= 15, "{said}");
    let mut changed = 0;
    for (file, old) in &before {
        let new = std::fs::read(file).expect("read");
        if new == *old {
            continue;
        }
        changed += 1;
        let name = file.display().to_string();
        assert!(said.contains(&name), "{name} was changed in silence");
        let (old, new) =
            (String::from_utf8(old.clone()).expect("text"), String::from_utf8(new).expect("text"));
        assert!(yaml::parse(new.as_bytes()).root.is_some(), "{name}: {new}");
        let was_yaml = yaml::parse(old.as_bytes()).root.is_some();
        if was_yaml {
            assert_eq!(yaml::comments(&old), yaml::comments(&new), "{name}");
            let errors = |found: &BTreeMap<String, usize>| found.get(&name).copied().unwrap_or_default();
            assert!(errors(&less) < errors(&wrong), "{name}");
        }
    }
    assert!(changed >= 8, "{said}");
    // What could be mended has been: a second time changes nothing.
    let (_, again) = count(&["--fix"]);
    assert!(!again.contains("fixed "), "{again}");
}

/// The calls that a command makes, as strace sees them; `None` where it may not look.
fn traced(command: &[&str], home: &Path) -> Option<String> {
    let trace = home.join("trace");
    let mut strace = Command::new("strace");
    strace.args([
        "-f",
        "-qq",
        "-e",
        "trace=%network,open,openat,openat2,stat,statx,newfstatat,access,faccessat2",
    ]);
    strace.arg("-o").arg(&trace).arg(env!("CARGO_BIN_EXE_firedrill")).args(command).current_dir(root());
    strace
        .env_remove("AWS_CONFIG_FILE")
        .env("HOME", home)
        .env("AWS_PROFILE", "poison")
        .env("AWS_REGION", "eu-west-1");
    strace.env("XDG_STATE_HOME", home).env("AWS_EC2_METADATA_DISABLED", "true");
    let output = strace.output().ok()?;
    let calls = std::fs::read_to_string(&trace).unwrap_or_default();
    match calls.contains("openat(") {
        true => Some(calls),
        false => {
            eprintln!("strace: {}", said(&output));
            None
        }
    }
}

/// The calls that open a socket, or look at AWS's settings.
fn outside(calls: &str) -> Vec<&str> {
    let network = ["socket(", "connect(", "sendto(", "sendmsg(", "bind(", "recvfrom(", "getsockopt("];
    let asked = |line: &&str| network.iter().any(|call| line.contains(call)) || line.contains(".aws");
    calls.lines().filter(asked).collect()
}

#[test]
fn a_check_opens_no_socket_and_reads_no_aws_settings() {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(home.path().join(".aws")).expect("made");
    let keys = "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";
    std::fs::write(home.path().join(".aws/config"), "[profile poison]\nregion = eu-west-1\n")
        .expect("written");
    std::fs::write(home.path().join(".aws/credentials"), format!("[poison]\n{keys}")).expect("written");
    let Some(check) = traced(&["check", "experiments", "tests/bad", "tests/kinds"], home.path()) else {
        assert!(
            std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_none_or(|set| set != "1"),
            "strace is missing, or may not trace"
        );
        eprintln!("skipped: strace is missing, or may not trace");
        return;
    };
    assert!(check.contains("tests/bad/cycle.yaml"), "the trace shows no file");
    assert_eq!(outside(&check), Vec::<&str>::new());
    // The same look at a plan sees both: what would be seen is seen.
    let project = home.path().join("firedrill.yaml");
    std::fs::write(
        &project,
        "environments:\n  staging: { region: eu-west-1, endpoint_url: http://127.0.0.1:9 }\n",
    )
    .expect("written");
    let project = project.display().to_string();
    let plan = ["plan", "experiments/terminate-instance.yaml", "--env", "staging", "--project", &project];
    let values = ["--var", "storefront_url=http://127.0.0.1:9", "--var", "storefront_app=shop"];
    let plan = traced(&[&plan[..], &values].concat(), home.path()).expect("a trace");
    assert!(outside(&plan).iter().any(|line| line.contains("socket(")), "{plan}");
    assert!(outside(&plan).iter().any(|line| line.contains(".aws")), "{plan}");
}
