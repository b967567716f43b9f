//! A prober that is stopped, frozen, starved or killed says so, and blames nobody else for it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use firedrill::clock::boottime_ns;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::firedrill;

/// How far a stall's reported length may be from the true one, in seconds: a beat to each side.
const EXACT: f64 = 0.02;
/// How long a run may take beyond what it is made of, on a busy machine.
const SLACK: Duration = Duration::from_secs(40);

/// A truth server of this test's own.
struct Truth {
    child: Child,
    input: ChildStdin,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Truth {
    fn start(arguments: &[&str]) -> Truth {
        let mut child = firedrill()
            .args(["calibrate", "--linger", "120000", "--truth-server"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let input = child.stdin.take().expect("piped");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let first: Value = serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON");
        let address = first["listening"].as_str().expect("an address").to_owned();
        Truth { child, input, lines, address }
    }

    /// The next outage that was played: its edges, in nanoseconds of the boot clock.
    fn outage(&mut self) -> (f64, f64) {
        for line in self.lines.by_ref() {
            let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
            if line.get("outage").is_some() {
                let middle = |edge: &Value| {
                    (edge["lo"].as_u64().expect("ns") + edge["hi"].as_u64().expect("ns")) as f64 / 2.0
                };
                return (middle(&line["down"]), middle(&line["up"]));
            }
        }
        panic!("the truth server ended before its outage");
    }
}

impl Drop for Truth {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that watches the truth server and changes nothing.
struct Run {
    child: Child,
    store: tempfile::TempDir,
    dir: PathBuf,
}

impl Run {
    /// Starts it, and returns when its steps have begun.
    fn start(truth: &Truth, seconds: u32) -> Run {
        let store = tempfile::tempdir().expect("a folder");
        let file = store.path().join("watch.yaml");
        let text = format!(
            "kind: Experiment\nname: watch\nobjectives: {{ rto: 20s }}\nprobes:\n  site:\n    http: {{ url: \"http://{}/\", timeout: 900ms }}\n    \
             every: 20ms\nsteady_state: {{ for: 1s, availability: 1% }}\nsteps:\n  - {{ name: nothing, run: [\"true\"] }}\n  \
             - {{ name: watch, wait: {seconds}s }}\nrecovery: {{ confirm: 1s, within: 30s, observe: 1s }}\n",
            truth.address
        );
        std::fs::write(&file, text).expect("written");
        let child = firedrill()
            .arg("run")
            .arg(&file)
            .args(["--yes", "--output", "json", "--store"])
            .arg(store.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let mut run = Run { child, store, dir: PathBuf::new() };
        let began = Instant::now();
        while !run.begun() {
            if let Some(status) = run.child.try_wait().expect("a child") {
                let words = std::io::read_to_string(run.child.stderr.take().expect("piped")).expect("text");
                panic!("ended with {status}: {words}");
            }
            assert!(began.elapsed() < SLACK, "the run does not begin");
            std::thread::sleep(Duration::from_millis(20));
        }
        run
    }

    fn begun(&mut self) -> bool {
        let entries = std::fs::read_dir(self.store.path()).expect("the store").flatten();
        let Some(dir) = entries.map(|entry| entry.path()).find(|path| path.join("journal.jsonl").exists())
        else {
            return false;
        };
        self.dir = dir;
        self.journal().contains("step_finished")
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.dir.join("journal.jsonl")).unwrap_or_default()
    }

    fn origin(&self) -> f64 {
        let header: Value =
            serde_json::from_str(self.journal().lines().next().expect("a line")).expect("JSON");
        header["header"]["origin_ns"].as_u64().expect("ns") as f64
    }

    fn signal(&self, signal: Signal) -> f64 {
        kill_process(Pid::from_child(&self.child), signal).expect("it lives");
        boottime_ns() as f64
    }

    /// Stops it for so long; when that was, in seconds of the run.
    fn stopped_for(&self, length: Duration) -> (f64, f64) {
        let from = self.signal(Signal::STOP);
        std::thread::sleep(length);
        let to = self.signal(Signal::CONT);
        ((from - self.origin()) / 1e9, (to - self.origin()) / 1e9)
    }

    /// Waits for its end: the report.
    fn report(mut self) -> Value {
        let began = Instant::now();
        let out = self.child.stdout.take().expect("piped");
        let reader = std::thread::spawn(move || std::io::read_to_string(out).expect("text"));
        while self.child.try_wait().expect("a child").is_none() {
            assert!(began.elapsed() < SLACK, "the run does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        let text = reader.join().expect("the reader");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("no report ({error}): {text}"))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn outages(report: &Value) -> &[Value] {
    list(&list(report, "probes")[0], "outages")
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// One stall is reported that is this one, to the beat.
fn reported(report: &Value, (from, to): (f64, f64)) {
    let stalls = list(&report["prober"], "stalls");
    let close = |stall: &&Value| {
        let (a, b) = (number(&stall["from"]), number(&stall["to"]));
        a < to && from < b && ((b - a) - (to - from)).abs() <= EXACT
    };
    assert!(
        stalls.iter().any(|stall| close(&stall)),
        "stopped from {from:.3} s to {to:.3} s ({:.3} s), and reported was {stalls:#?}",
        to - from
    );
}

#[test]
fn a_stopped_prober_reports_its_stall_and_no_outage() {
    let truth = Truth::start(&["plain"]);
    let run = Run::start(&truth, 12);
    let lengths = [200, 700, 1500, 5000];
    let stopped: Vec<_> = lengths
        .iter()
        .map(|length| {
            let stopped = run.stopped_for(Duration::from_millis(*length));
            std::thread::sleep(Duration::from_millis(700));
            stopped
        })
        .collect();
    let report = run.report();
    assert!(outages(&report).is_empty(), "a stall was taken for an outage: {:#?}", outages(&report));
    for stall in stopped {
        reported(&report, stall);
    }
    assert_eq!(number(&list(&report, "probes")[0]["bad"]), 0.0);
}

#[test]
fn a_frozen_prober_reports_its_stall_and_no_outage() {
    let root = Path::new("/sys/fs/cgroup/unified");
    let root = if root.join("cgroup.procs").exists() { root } else { Path::new("/sys/fs/cgroup") };
    let group = root.join(format!("firedrill-test-{}", std::process::id()));
    if !root.join("cgroup.procs").exists() || std::fs::create_dir(&group).is_err() {
        println!("skipped: no cgroup v2 can be made here");
        return;
    }
    let truth = Truth::start(&["plain"]);
    let run = Run::start(&truth, 6);
    let write = |file: &str, text: &str| std::fs::write(group.join(file), text);
    if write("cgroup.procs", &run.child.id().to_string()).is_err() || write("cgroup.freeze", "0").is_err() {
        println!("skipped: this cgroup cannot be frozen");
        drop(run);
        let _ = std::fs::remove_dir(&group);
        return;
    }
    std::thread::sleep(Duration::from_millis(300));
    write("cgroup.freeze", "1").expect("frozen");
    let frozen =
        || std::fs::read_to_string(group.join("cgroup.events")).unwrap_or_default().contains("frozen 1");
    let began = Instant::now();
    while !frozen() && began.elapsed() < Duration::from_secs(2) {
        std::thread::yield_now();
    }
    let from = boottime_ns() as f64;
    std::thread::sleep(Duration::from_millis(1800));
    write("cgroup.freeze", "0").expect("thawed");
    let to = boottime_ns() as f64;
    let origin = run.origin();
    let report = run.report();
    let removed = std::fs::remove_dir(&group);
    assert!(outages(&report).is_empty(), "{:#?}", outages(&report));
    reported(&report, ((from - origin) / 1e9, (to - origin) / 1e9));
    removed.expect("nothing is left in the group");
}

/// A process that uses a processor, until it is dropped.
struct Burner(Child);

impl Burner {
    fn start() -> Burner {
        // Bounded in time, should nobody be left to drop it.
        let child = Command::new("timeout").args(["30", "sh", "-c", "while :; do :; done"]).spawn();
        Burner(child.expect("a shell"))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        // It passes this on to the shell; killing it would not.
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}

#[test]
fn a_starved_prober_reports_no_outage() {
    let truth = Truth::start(&["plain"]);
    let run = Run::start(&truth, 8);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let burners: Vec<Burner> = (0..2 * cores).map(|_| Burner::start()).collect();
    std::thread::sleep(Duration::from_secs(7));
    drop(burners);
    let report = run.report();
    assert!(outages(&report).is_empty(), "{:#?}", outages(&report));
    assert!(number(&list(&report, "probes")[0]["coverage"]) > 0.5, "{:#?}", list(&report, "probes")[0]);
}

#[test]
fn an_outage_that_meets_a_stall_is_held_by_a_wider_interval() {
    // Down 1.0 to 1.2 s after the word, for 1.2 to 1.8 s.
    let mut truth =
        Truth::start(&["refuse", "--outages", "1", "--length", "1500", "--pause", "1000", "--seed", "9"]);
    let run = Run::start(&truth, 7);
    writeln!(truth.input, "go").and_then(|()| truth.input.flush()).expect("it listens");
    std::thread::sleep(Duration::from_millis(850));
    let stopped = run.stopped_for(Duration::from_millis(650));
    let (down, up) = truth.outage();
    let origin = run.origin();
    let (down, up) = ((down - origin) / 1e9, (up - origin) / 1e9);
    assert!(stopped.0 < down && down < stopped.1, "the stall {stopped:?} misses the begin at {down}");
    let report = run.report();
    reported(&report, stopped);
    let [outage] = outages(&report) else { panic!("one outage was expected: {:#?}", outages(&report)) };
    let holds = |interval: &Value, truth: f64| {
        let (lo, hi) = (number(&interval["lo"]), number(&interval["hi"]));
        assert!(lo <= truth && truth <= hi, "{truth} is not in {interval}: {outage:#?}");
        hi - lo
    };
    let width = holds(&outage["begin"], down);
    assert!(width > 0.5, "the begin was not seen, and is dated to {width} s");
    assert!(holds(&outage["end"], up) < 0.3, "{outage:#?}");
    holds(&outage["duration"], up - down);
}

#[test]
fn a_killed_run_leaves_what_it_saw_and_says_that_it_was_cut() {
    let truth = Truth::start(&["plain"]);
    let run = Run::start(&truth, 20);
    std::thread::sleep(Duration::from_secs(3));
    let killed = (run.signal(Signal::KILL) - run.origin()) / 1e9;
    let record = {
        let mut waited = 0;
        while waited < 100 && Path::new(&format!("/proc/{}/exe", run.child.id())).exists() {
            waited += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        firedrill::journal::read(&run.dir).expect("what is left can be read")
    };
    assert!(record.cut);
    let last = record.samples.iter().map(|sample| sample.done.secs()).fold(0.0, f64::max);
    assert!(killed - last < 1.3, "killed at {killed:.3} s, and the samples end at {last:.3} s");
    assert!(record.samples.len() as f64 > last * 50.0 * 0.5, "{} samples", record.samples.len());
    let output = firedrill()
        .args(["report", run.dir.to_str().expect("a path"), "--format", "json"])
        .output()
        .expect("the binary runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["evidence"]["cut"], true, "{report:#}");
    assert!(outages(&report).is_empty());
    assert_ne!(report["verdict"], "pass");
}
