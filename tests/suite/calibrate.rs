//! `firedrill calibrate` as a user runs it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{firedrill, said};

fn count(row: &Value, name: &str) -> u64 {
    row[name].as_u64().unwrap_or_else(|| panic!("no number `{name}` in {row}"))
}

#[test]
fn every_truth_is_within_what_was_measured() {
    let output = firedrill()
        .args(["calibrate", "--outages", "4", "--seed", "5", "--every", "25ms", "--output", "json"])
        .output()
        .expect("the binary runs");
    let calibration: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let all = said(&output);
    assert_eq!(calibration["schema"], "firedrill/calibration/v1", "{all}");
    let rows = calibration["modes"].as_array().expect("rows");
    assert_eq!(rows.len(), 6, "{all}");
    for row in rows {
        // On a machine that is busy with other tests the server may be starved: those are not judged.
        assert_eq!(count(row, "outages") + count(row, "disturbed"), 4, "{all}");
        assert_eq!(count(row, "missed"), 0, "{all}");
        assert_eq!(count(row, "false_outages"), 0, "{all}");
        assert_eq!(count(row, "as_outage") + count(row, "as_blips"), count(row, "outages"), "{all}");
        for inside in ["begin_inside", "end_inside", "duration_inside"] {
            assert_eq!(count(row, inside), count(row, "as_outage"), "{inside}: {all}");
        }
    }
    assert!(
        rows.iter().map(|row| count(row, "as_outage")).sum::<u64>() >= 6,
        "too few to say anything: {all}"
    );
    assert_eq!(output.status.code(), Some(0), "{all}");
}

/// The processes whose command line holds this text.
fn with_arguments(text: &str) -> Vec<String> {
    let lines = std::fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(text)).collect()
}

#[test]
fn ctrl_c_ends_it_and_its_children() {
    // Each server's seed is a little above this one: they share all but its last two digits.
    let own = format!("77{}", std::process::id());
    let seed = format!("{own}00");
    let mut child = firedrill()
        .args(["calibrate", "--mode", "blackhole,hang", "--seed", &seed])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("the binary runs");
    let mut said = String::new();
    BufReader::new(child.stderr.as_mut().expect("piped")).read_line(&mut said).expect("a line");
    let mine = || with_arguments("--truth-server").into_iter().filter(|line| line.contains(&own)).count();
    let began = Instant::now();
    while mine() < 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "the truth servers do not start: {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
    kill_process(Pid::from_child(&child), Signal::INT).expect("it lives");
    assert_eq!(child.wait().expect("it ends").code(), Some(4));
    let began = Instant::now();
    while mine() > 0 {
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "left behind: {:?}",
            with_arguments("--truth-server")
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}
