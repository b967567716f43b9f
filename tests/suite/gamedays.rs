//! Game days with the real binary: checked with all their drills, and refused where one would have to be held.

use crate::support::{firedrill, root, said};

const DAY: &str = "experiments/quarterly-gameday.yaml";

fn at_home(arguments: &[&str]) -> std::process::Output {
    firedrill().current_dir(root()).args(arguments).output().expect("it runs")
}

#[test]
fn the_bundled_game_day_is_checked() {
    let output = at_home(&["check", DAY, "--deny", "warnings"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("1 file checked: no errors"), "{}", said(&output));
}

/// Each verb that would have to hold it says so, and how its drills are held until then; nothing begins.
#[test]
fn a_game_day_is_not_held_as_a_whole_yet() {
    let store = tempfile::tempdir().expect("a folder");
    let dir = store.path().display().to_string();
    for arguments in [
        &["run", DAY, "--env", "lab", "--store", &dir][..],
        &["run", DAY, "--tabletop", "--store", &dir],
        &["plan", DAY, "--env", "lab"],
        &["iam-policy", DAY, "--env", "lab"],
    ] {
        let output = at_home(arguments);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains("error[FD0123]: `quarterly-gameday` is a game day"), "{arguments:?}: {said}");
        for line in [
            "firedrill run experiments/reboot-rds-failover.yaml --env lab\n",
            "firedrill run runbooks/region-failover.yaml --tabletop\n",
        ] {
            assert!(said.contains(line), "{arguments:?}: {said}");
        }
    }
    assert_eq!(store.path().read_dir().expect("the folder").count(), 0);
}

/// Code scanning and a build's tests are told of a game day's problems as of any other's.
#[test]
fn every_format_tells_of_a_game_day() {
    let bad = "tests/bad/gamedays/frozen-for-a-year.yaml";
    for format in ["text", "json", "sarif", "github", "junit"] {
        let output = at_home(&["check", bad, "--format", format, "--deny", "warnings"]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        assert!(said(&output).contains("FD0712"), "{format}: {}", said(&output));
    }
}
