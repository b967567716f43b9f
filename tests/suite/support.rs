//! The binary under test, run as a user would, and what it leaves on disk.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The binary, to be run in the repository's root with nothing of this machine's AWS settings.
pub(crate) fn firedrill() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_firedrill"));
    command.current_dir(root()).env("NO_COLOR", "1").env("CI", "true");
    for name in
        ["AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    {
        command.env_remove(name);
    }
    // Locks beside nobody else's.
    command.env("XDG_STATE_HOME", std::env::temp_dir().join("firedrill-tests"));
    // No instance metadata to be asked for credentials: that address is not on loopback.
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command
}

/// Whether an operation, as a server counts it, could change anything. What EC2 only rehearses could not.
pub(crate) fn mutates(operation: &str) -> bool {
    let reads = ["Describe", "List", "Get", "Simulate", "GET "];
    !reads.iter().any(|verb| operation.starts_with(verb)) && !operation.ends_with("(DryRun)")
}

/// The calls that reached a lab and could change something.
pub(crate) fn mutations(lab: &firedrill::lab::Lab) -> Vec<String> {
    lab.calls().into_keys().filter(|operation| mutates(operation)).collect()
}

/// What a command said, as text, for messages.
pub(crate) fn said(output: &Output) -> String {
    format!(
        "exit {:?}\n-- stdout\n{}\n-- stderr\n{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// One run of `firedrill run … --output json`: its report and its folder.
pub(crate) struct Ran {
    pub(crate) report: Value,
    pub(crate) dir: PathBuf,
    pub(crate) output: Output,
}

impl Ran {
    /// Runs one experiment; panics when there is no report.
    pub(crate) fn run(file: &Path, store: &Path, arguments: &[&str]) -> Ran {
        let output = firedrill()
            .arg("run")
            .arg(file)
            .args(["--output", "json", "--store"])
            .arg(store)
            .args(arguments)
            .output()
            .expect("the binary runs");
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("no report on stdout ({error}): {}", said(&output)));
        let dir = store.join(report["run"].as_str().expect("a run id"));
        Ran { report, dir, output }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// What one probe saw.
    pub(crate) fn probe(&self, name: &str) -> &Value {
        self.list("probes").iter().find(|probe| probe["name"] == name).expect("the probe is in the report")
    }

    /// One list of the report.
    pub(crate) fn list(&self, name: &str) -> &[Value] {
        self.report[name].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// A file of the run as JSON.
    pub(crate) fn json(&self, name: &str) -> Value {
        let path = self.dir.join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The journal's first line.
    pub(crate) fn header(&self) -> Value {
        let text = std::fs::read_to_string(self.dir.join("journal.jsonl")).expect("a journal");
        let line = text.lines().next().expect("a first line");
        serde_json::from_str(line).expect("JSON")
    }

    /// When the run entered a phase, in seconds of the run.
    pub(crate) fn phase(&self, phase: &str) -> Option<f64> {
        let text = std::fs::read_to_string(self.dir.join("journal.jsonl")).expect("a journal");
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut events = lines.filter_map(|line| line.get("event").cloned());
        events
            .find(|event| event["kind"]["phase"] == phase)
            .and_then(|event| Some(event["at_ns"].as_u64()? as f64 / 1e9))
    }
}
