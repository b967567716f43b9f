//! The samples of a run, exported in each format, against each other: what the interval log holds, read by
//! another implementation (PyPI `hdrhistogram`), is what the JSON lines say.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Ran, firedrill, root, said};

/// Reads an interval log: per tag how many, p50, p99 and the largest, and the first line's start.
const READER: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
reader = HistogramLogReader(sys.argv[1], HdrHistogram(1, 60000000, 3))
merged, lines, first = {}, 0, None
while True:
    one = reader.get_next_interval_histogram()
    if one is None:
        break
    first = one.get_start_time_stamp() if first is None else first
    lines += 1
    merged.setdefault(one.get_tag(), HdrHistogram(1, 60000000, 3)).add(one)
tags = {t: [h.get_total_count(), h.get_value_at_percentile(50), h.get_value_at_percentile(99), h.get_max_value()]
        for t, h in merged.items()}
print(json.dumps({"tags": tags, "lines": lines, "first": first, "start": reader.get_start_time_sec()}))
"#;

/// The Python that has `hdrhistogram`, when `tests/run.sh` has installed it.
fn python() -> Option<PathBuf> {
    let python = root().join(".test/hdr/bin/python");
    if python.exists() {
        return Some(python);
    }
    assert!(
        std::env::var_os("FIREDRILL_REQUIRE_TESTBEDS").is_none_or(|set| set != "1"),
        "hdrhistogram for Python is missing: tests/run.sh installs it into .test/hdr"
    );
    eprintln!("skipped: hdrhistogram for Python is missing; tests/run.sh installs it into .test/hdr");
    None
}

/// Answers 200 after a while that grows with each request, so that percentiles differ.
fn service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for (nth, mut stream) in listener.incoming().flatten().enumerate() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 2048]);
            std::thread::sleep(Duration::from_micros(200 * (nth as u64 % 10)));
            let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    format!("http://{address}/")
}

/// A drill that breaks nothing.
fn drill(folder: &Path) -> Ran {
    let file = folder.join("drill.yaml");
    let text = format!(
        "kind: Experiment\nname: drill\nobjectives:\n  rto: {{ within: 10s, measured: total_down }}\n  availability: {{ slo: 99.9%, \
         spend_at_most: 10% }}\nprobes:\n  web:\n    http: {{ url: \"{}\" }}\n    every: 20ms\nsteady_state: {{ for: 2s }}\n\
         steps:\n  - name: nothing\n    run: [\"true\"]\nrecovery: {{ confirm: 1s, within: 20s, observe: 2s }}\n",
        service()
    );
    std::fs::write(&file, text).expect("written");
    Ran::run(&file, folder, &["--seed", "1"])
}

fn export(ran: &Ran, format: &str) -> PathBuf {
    let path = ran.dir.join(format!("out.{format}"));
    let output = firedrill()
        .args(["report", "--format", format, "--output"])
        .arg(&path)
        .arg(&ran.dir)
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", said(&output));
    path
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("an export").lines().map(str::to_owned).collect()
}

#[test]
fn the_exports_of_a_run_hold_the_same_samples() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let ran = drill(folder.path());
    assert_eq!(ran.report["rto"]["measured"], "total_down", "{}", said(&ran.output));
    let spent = &ran.probe("web")["error_budget"]["spent"];
    assert_eq!(spent["lo"], 0.0, "{}", said(&ran.output));

    let rows: Vec<Value> = lines(&export(&ran, "jsonl"))
        .iter()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    assert_eq!(rows.len() as u64, ran.report["evidence"]["samples"].as_u64().expect("a count"));
    assert_eq!(lines(&export(&ran, "csv")).len(), rows.len() + 1);

    let mut latencies: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row["class"] == "ok" && row["mark"] == "base") {
        let at = |name: &str| row[name].as_f64().expect("an instant");
        let tag = format!("web.{}", row["phase"].as_str().expect("a phase"));
        latencies.entry(tag).or_default().push((at("done_s") - at("scheduled_s")) * 1e6);
    }
    let log = export(&ran, "hlog");
    let output = Command::new(python).args(["-c", READER]).arg(&log).output().expect("Python runs");
    assert!(output.status.success(), "{}", said(&output));
    let read: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let tags = read["tags"].as_object().expect("tags");
    let named: std::collections::BTreeSet<&String> = tags.keys().collect();
    assert_eq!(named, latencies.keys().collect());
    for (tag, own) in &mut latencies {
        own.sort_by(f64::total_cmp);
        let found = |at: usize| tags[tag][at].as_f64().expect("a number");
        assert_eq!(found(0), own.len() as f64, "{tag}: how many");
        for (at, share) in [(1, 0.5), (2, 0.99), (3, 1.0)] {
            // The reader takes the nearest rank, as HdrHistogram does.
            let rank = ((own.len() as f64 * share + 0.5) as usize).clamp(1, own.len());
            let exact = own[rank - 1];
            // Three digits, and the microsecond it was rounded to.
            assert!(
                (found(at) - exact).abs() <= exact * 2e-3 + 2.0,
                "{tag} at {share}: {} for {exact}",
                found(at)
            );
        }
    }
    // A line a second and phase; stamps count from the run's zero, whoever adds the base to them.
    let seconds = rows.iter().filter_map(|row| row["scheduled_s"].as_f64()).fold(0.0, f64::max);
    let lines = read["lines"].as_f64().expect("a count");
    assert!(lines >= seconds.floor() && lines <= seconds.ceil() + tags.len() as f64, "{lines} lines");
    let (first, start) = (read["first"].as_f64(), read["start"].as_f64());
    assert!((first.expect("a stamp") / 1e3 - start.expect("a start")).abs() < 1.0, "{read}");
}

#[test]
fn nothing_is_exported_of_damaged_samples() {
    let folder = tempfile::tempdir().expect("a folder");
    let ran = drill(folder.path());
    let path = ran.dir.join("samples.bin");
    let mut bytes = std::fs::read(&path).expect("samples");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let output =
        firedrill().args(["report", "--format", "jsonl"]).arg(&ran.dir).output().expect("the binary runs");
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(output.stdout.is_empty(), "{}", said(&output));
}
