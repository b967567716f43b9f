//! What the store does under a run: a disk that fills up, a folder that cannot be written, a journal that was changed.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::{firedrill, said};
use crate::support_lab::{ENVIRONMENT, Outside, bundled};

/// Runs a drill in a mount namespace of its own whose store is a file system made by `mount`; `None` where the system
/// lets nobody have one.
fn on_a_disk(outside: &Outside, mount: &str) -> Option<Output> {
    let store = outside.folder.path().join("disk");
    std::fs::create_dir_all(&store).expect("made");
    let probe = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !probe.is_ok_and(|status| status.success()) {
        assert!(std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_none(), "no mount namespace can be had");
        println!("skipped: no mount namespace can be had");
        return None;
    }
    let drill = outside.firedrill("run");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg(format!("mount {mount} '{}' && exec \"$@\"", store.display())).arg("sh");
    command.arg(drill.get_program()).arg("run").arg(bundled("flip-route53.yaml"));
    command.arg("--project").arg(outside.folder.path().join("firedrill.yaml")).args(["--env", ENVIRONMENT]);
    command.arg("--store").arg(&store);
    command.args(["--var", "steady=500ms", "--var", "confirm=500ms", "--var", "observe=1s"]);
    for (name, value) in drill.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(drill.get_current_dir().expect("a folder"));
    Some(command.output().expect("unshare runs"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fills_up_keeps_nothing_from_its_undo() {
    let mut full = 0;
    // From hardly a first line to nearly all of the run.
    for size in [16, 24, 32, 36, 40, 44, 48, 56] {
        let outside = Outside::start(9, "");
        let before = outside.standing().await;
        let Some(output) = on_a_disk(&outside, &format!("-t tmpfs -o size={size}k none")) else { return };
        let text = said(&output);
        let differs = outside.differs(&before, &[], Duration::from_secs(5)).await;
        assert_eq!(differs, None, "{size} KiB: {text}");
        if text.contains("No space left on device") {
            full += 1;
            assert_ne!(output.status.code(), Some(0), "{size} KiB: {text}");
            assert!(!text.contains("panicked"), "{size} KiB: {text}");
        }
    }
    println!("the disk was full in {full} runs");
    assert!(full >= 4, "the disk was full in {full} runs only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_written_lets_no_run_begin() {
    let outside = Outside::start(9, "");
    let before = outside.standing().await;
    let Some(output) = on_a_disk(&outside, "-t tmpfs -o ro none") else { return };
    let text = said(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("Read-only file system") && text.contains("nothing was changed"), "{text}");
    assert_eq!(outside.differs(&before, &[], Duration::ZERO).await, None);
}

fn reported(run: &Path) -> Output {
    firedrill().arg("report").arg(run).output().expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_was_changed_is_told_with_the_line() {
    let outside = Outside::start(9, "");
    let mut command = outside.firedrill("run");
    command.arg(bundled("flip-route53.yaml"));
    command.args(["--var", "steady=500ms", "--var", "confirm=500ms", "--var", "observe=1s"]);
    let ran = command.output().expect("it runs");
    let run = outside.runs().pop().unwrap_or_else(|| panic!("no run: {}", said(&ran)));
    let journal = run.join("journal.jsonl");
    let whole = std::fs::read_to_string(&journal).expect("a journal");
    assert_eq!(reported(&run).status.code(), Some(0));
    let lines: Vec<&str> = whole.lines().collect();
    let middle = lines.len() / 2;
    let changed = |lines: Vec<String>| {
        std::fs::write(&journal, lines.join("\n") + "\n").expect("written");
        said(&reported(&run))
    };
    let owned = || lines.iter().map(|line| (*line).to_owned()).collect::<Vec<String>>();
    let mut edited = owned();
    edited[middle] = edited[middle].replacen("at_ns\":", "at_ns\":1", 1);
    let text = changed(edited);
    assert!(text.contains(&format!("line {}", middle + 1)) && text.contains("it was changed"), "{text}");
    let mut removed = owned();
    removed.remove(middle);
    let text = changed(removed);
    assert!(text.contains("lines were removed, added or moved"), "{text}");
    // A journal without its end is one of a run that died, and says so.
    let mut short = owned();
    short.truncate(lines.len() - 1);
    let text = changed(short);
    assert!(text.contains("cut short"), "{text}");
}
