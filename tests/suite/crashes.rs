//! Death at every event: each bundled experiment is killed (SIGKILL) when a line of its journal is on disk, and when half of
//! it is, for every line; then `recover` puts back what is left, and the lab must stand as it did before.

use std::process::Output;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::said;
use crate::support_lab::{Outside, bundled, lines};

/// How many runs are under way at once: they wait more than they compute.
const AT_ONCE: usize = 6;
/// As short as a drill can be on the lab.
const SHORT: [&str; 6] = ["--var", "steady=500ms", "--var", "confirm=500ms", "--var", "observe=1s"];

/// How a crash went.
enum Went {
    /// The process was killed, and what it left was put back.
    Recovered,
    /// The run had no such line.
    Ended,
}

fn drill(outside: &Outside, file: &str, crash: Option<&str>) -> Output {
    let mut command = outside.firedrill("run");
    command.arg(bundled(file)).args(SHORT).args(["--seed", "5"]);
    if let Some(crash) = crash {
        command.env("FIREDRILL_CRASH", crash);
    }
    command.output().expect("the binary runs")
}

fn killed(output: &Output) -> bool {
    use std::os::unix::process::ExitStatusExt;
    output.status.signal() == Some(9)
}

/// Kills a run at one place and recovers it; what is wrong with how that went. `lasting` is what the experiment changes for
/// good, by the beginning of its name in [`Outside::standing`].
async fn one(file: &str, crash: &str, lasting: &[&str]) -> Result<Went, String> {
    let outside = Outside::start(5, "");
    let before = outside.standing().await;
    let died = drill(&outside, file, Some(crash));
    if !killed(&died) {
        return Ok(Went::Ended);
    }
    let runs = outside.runs();
    let [run] = runs.as_slice() else { return Err(format!("{} folders of runs", runs.len())) };
    // A dead run is in the way of the next one, unless it is known to have changed nothing.
    let next = drill(&outside, file, None);
    let text = said(&next);
    if next.status.code() != Some(3) || !text.contains("firedrill recover") {
        return Err(format!("the next run was not refused: {text}"));
    }
    let recovered = outside.firedrill("recover").output().expect("the binary runs");
    if recovered.status.code() != Some(0) {
        return Err(format!("recover: {}", said(&recovered)));
    }
    let again = outside.firedrill("recover").output().expect("the binary runs");
    if again.status.code() != Some(0) || !said(&again).contains("nothing to put back") {
        return Err(format!("a second recover: {}", said(&again)));
    }
    // What nobody puts back comes back by itself, and takes its time.
    let differs = outside.differs(&before, lasting, Duration::from_secs(20)).await;
    if let Some(differs) = differs {
        return Err(format!("not as before: {differs}\n{}", said(&recovered)));
    }
    if lines(run) > 1 {
        let report = outside.firedrill("report").arg(run).output().expect("the binary runs");
        if report.status.code() != Some(0) {
            return Err(format!("report: {}", said(&report)));
        }
    }
    Ok(Went::Recovered)
}

/// Every place of one experiment. `undone` says whether any of its steps has an undo.
fn matrix(file: &'static str, undone: bool, lasting: &'static [&'static str]) {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    };
    let whole = runtime().block_on(async {
        let outside = Outside::start(5, "");
        let ended = drill(&outside, file, None);
        let runs = outside.runs();
        assert_eq!(runs.len(), 1, "{}", said(&ended));
        lines(&runs[0])
    });
    // A line cut in half is also the line before it, whole. Where nothing is to be put back every fourth line has to do, so
    // that the whole stays within minutes; `FIREDRILL_CRASHES=all` kills at each, both ways.
    let all = undone || std::env::var("FIREDRILL_CRASHES").is_ok_and(|value| value == "all");
    let places: Vec<String> = (1..=whole)
        .flat_map(|line| {
            let cut = (all || line % 4 == 2).then(|| format!("{line}:cut"));
            [cut, (all || line % 8 == 1).then(|| line.to_string())]
        })
        .flatten()
        .collect();
    let next = AtomicUsize::new(0);
    let (recovered, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime = runtime();
                while let Some(place) = places.get(next.fetch_add(1, Ordering::SeqCst)) {
                    match runtime.block_on(one(file, place, lasting)) {
                        Ok(Went::Recovered) => recovered.fetch_add(1, Ordering::SeqCst),
                        Ok(Went::Ended) => ended.fetch_add(1, Ordering::SeqCst),
                        Err(why) => {
                            wrong.lock().expect("no panic").push(format!("line {place}: {why}"));
                            0
                        }
                    };
                }
            });
        }
    });
    let (recovered, ended) = (recovered.into_inner(), ended.into_inner());
    // What README quotes: seen with `--no-capture`.
    println!("{file}: {whole} events, killed and recovered at {recovered} places ({ended} were not reached)");
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} places:\n{}", wrong.len(), wrong.join("\n"));
    // A run's watchers do not always see as much; but nearly all of the places are there.
    assert!(recovered * 10 >= places.len() * 8, "{recovered} of {} places were reached", places.len());
}

#[test]
fn flip_route53() {
    matrix("flip-route53.yaml", true, &[]);
}

#[test]
fn stop_ecs_task() {
    matrix("stop-ecs-task.yaml", false, &[]);
}

#[test]
fn terminate_instance() {
    matrix("terminate-instance.yaml", false, &[]);
}

#[test]
fn reboot_rds_failover() {
    matrix("reboot-rds-failover.yaml", false, &[]);
}

#[test]
fn promote_replica() {
    // A promotion cannot be taken back, and its record is meant to stay where it was moved to.
    matrix("promote-replica.yaml", false, &["db ", "record "]);
}
