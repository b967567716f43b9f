//! A run is stopped from each source, in each of its phases: it undoes what it did, within five seconds plus what the
//! undo's own calls take, and the lab stands as it did before.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firedrill::lab::Provocation;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::said;
use crate::support_lab::{Outside, bundled};

const AT_ONCE: usize = 5;
/// What the stopping itself may take, without the undo's calls.
const BOUND: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    CtrlC,
    Terminate,
    HangUp,
    Verb,
    StopFile,
    Parameter,
}

const SOURCES: [Source; 6] =
    [Source::CtrlC, Source::Terminate, Source::HangUp, Source::Verb, Source::StopFile, Source::Parameter];
/// In all of them but the steps and the undo the drill stays until it is stopped.
const PHASES: [&str; 6] = ["steady_state", "steps", "recovery", "observation", "final_read", "undo"];
const PARAMETER: &str = "/drills/stop";
const STOPPABLE: &str = "    stop_file: halt\n    stop_parameter: /drills/stop\n";

fn events(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line.get("event").cloned()).collect()
}

fn entered(run: &Path, phase: &str) -> bool {
    events(run).iter().any(|event| event["kind"]["phase"] == phase)
}

/// The bundled flip of a record, with a ledger that is read back for a minute: three readings must agree.
fn reads_for_long(outside: &Outside) -> PathBuf {
    let text = std::fs::read_to_string(bundled("flip-route53.yaml")).expect("a bundled drill");
    let with = |text: String, place: &str, more: &str| {
        assert!(text.contains(place), "{place}");
        text.replacen(place, &format!("{place}{more}"), 1)
    };
    let text = with(text, "\nvariables:\n", "  orders_endpoint_dsn: { about: a database, secret: true }\n");
    let text = with(text, "\nobjectives:\n", "  rpo: 0s\n");
    let ledger = "{ dsn: \"${orders_endpoint_dsn}\", read_every: 30s }";
    let text =
        with(text, "\nprobes:\n", &format!("  orders:\n    postgres.ledger: {ledger}\n    every: 100ms\n"));
    let path = outside.folder.path().join("reads-for-long.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

fn begin(outside: &Outside, phase: &str) -> Child {
    let mut command = outside.firedrill("run");
    command.arg(match phase {
        "final_read" => reads_for_long(outside),
        _ => bundled("flip-route53.yaml"),
    });
    // Long where it is to be stopped.
    let long = |one: &str, time: &str| if one == phase { "60s".to_owned() } else { time.to_owned() };
    command.arg("--var").arg(format!("steady={}", long("steady_state", "500ms")));
    command.arg("--var").arg(format!("confirm={}", long("recovery", "500ms")));
    command.arg("--var").arg(format!("observe={}", long("observation", "1s")));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs")
}

/// Waits for the run's folder and for its phase.
fn reached(outside: &Outside, child: &mut Child, phase: &str) -> Result<PathBuf, String> {
    let began = Instant::now();
    loop {
        if let Some(run) = outside.runs().into_iter().next()
            && entered(&run, phase)
        {
            return Ok(run);
        }
        if child.try_wait().expect("it can be asked").is_some() || began.elapsed() > Duration::from_secs(60) {
            return Err(format!("`{phase}` was never reached"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

async fn stop(outside: &Outside, child: &Child, run: &Path, source: Source) -> Option<std::process::Output> {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    let signal = |signal| kill_process(pid, signal).expect("it lives");
    match source {
        Source::CtrlC => signal(Signal::INT),
        Source::Terminate => signal(Signal::TERM),
        Source::HangUp => signal(Signal::HUP),
        Source::StopFile => {
            std::fs::write(outside.folder.path().join("halt"), "the pager\n").expect("written")
        }
        Source::Parameter => set(outside, "the pager, 3 am").await,
        Source::Verb => {
            let mut command = outside.firedrill("abort");
            return Some(command.arg(run).args(["--reason", "drill of drills"]).output().expect("it runs"));
        }
    }
    None
}

/// Gives the environment's parameter a value.
async fn set(outside: &Outside, value: &str) {
    let call = aws_sdk_ssm::Client::new(outside.config()).put_parameter().name(PARAMETER).value(value);
    let call = call.r#type(aws_sdk_ssm::types::ParameterType::String).overwrite(true);
    call.send().await.expect("the lab keeps it");
}

/// Waits until the run's journal holds an event of this kind.
fn happened(run: &Path, kind: &str) -> Result<(), String> {
    let began = Instant::now();
    while !events(run).iter().any(|event| event["kind"]["type"] == kind) {
        if began.elapsed() > Duration::from_secs(20) {
            return Err(format!("`{kind}` never happened"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// How long the undo's own work took, in seconds.
fn undoing(run: &Path) -> f64 {
    let events = events(run);
    let at = |event: &Value| event["at_ns"].as_f64().unwrap_or_default() / 1e9;
    let of =
        |kind: &str| events.iter().filter(|event| event["kind"]["type"] == kind).map(at).collect::<Vec<_>>();
    let (starts, ends) = (of("undo_started"), of("undo_finished"));
    ends.last().copied().unwrap_or_default() - starts.first().copied().unwrap_or_default()
}

async fn one(source: Source, phase: &str) -> Result<f64, String> {
    let outside = Outside::start(9, STOPPABLE);
    let before = outside.standing().await;
    let mut child = begin(&outside, phase);
    let run = reached(&outside, &mut child, phase)?;
    match phase {
        // In the middle of the first step, once its call is out.
        "steps" => happened(&run, "call_sent")?,
        "undo" => happened(&run, "undo_started")?,
        _ => {}
    }
    let asked = Instant::now();
    let verb = stop(&outside, &child, &run, source).await;
    let output = child.wait_with_output().expect("it ends");
    let took = asked.elapsed().as_secs_f64() - undoing(&run);
    let text = said(&output);
    // In the steady state nothing was touched: it is an abort all the same. Once all is measured and being put back,
    // there is nothing left to abort: the drill ends as it would have.
    let expected: &[i32] = if phase == "undo" { &[0, 1] } else { &[4] };
    if !output.status.code().is_some_and(|code| expected.contains(&code)) {
        return Err(format!("exit is not one of {expected:?}: {text}"));
    }
    if phase == "undo" && !text.contains("already undoing") {
        return Err(format!("it does not say that it is undoing: {text}"));
    }
    if let Some(verb) = verb
        && (verb.status.code() != Some(0) || !said(&verb).contains("drill of drills"))
    {
        return Err(format!("abort: {}", said(&verb)));
    }
    if run.join("open.json").exists() {
        return Err("it is still open".to_owned());
    }
    if took > BOUND {
        return Err(format!("stopping took {took:.1} s beside the undo's own calls"));
    }
    match outside.differs(&before, &[], Duration::from_secs(5)).await {
        Some(differs) => Err(format!("not as before: {differs}\n{text}")),
        None => Ok(took),
    }
}

#[test]
fn every_source_stops_and_undoes_in_every_phase() {
    let places: Vec<(Source, &str)> =
        SOURCES.iter().flat_map(|source| PHASES.map(|phase| (*source, phase))).collect();
    let next = AtomicUsize::new(0);
    let (wrong, longest) = (Mutex::new(Vec::new()), Mutex::new(0.0_f64));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let runtime =
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
                let runtime = runtime.expect("a runtime");
                while let Some((source, phase)) = places.get(next.fetch_add(1, Ordering::SeqCst)) {
                    match runtime.block_on(one(*source, phase)) {
                        Ok(took) => {
                            let mut longest = longest.lock().expect("no panic");
                            *longest = longest.max(took);
                        }
                        Err(why) => {
                            wrong.lock().expect("no panic").push(format!("{source:?} in {phase}: {why}"))
                        }
                    }
                }
            });
        }
    });
    println!(
        "{} aborts; the slowest took {:.2} s beside its undo's calls",
        places.len(),
        longest.into_inner().unwrap()
    );
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_parameter_lets_no_run_begin_until_it_says_go_or_is_gone() {
    let outside = Outside::start(9, STOPPABLE);
    let run = |more: &[&str]| {
        let mut command = outside.firedrill("run");
        command.arg(bundled("flip-route53.yaml")).args(["--var", "steady=500ms", "--var", "confirm=500ms"]);
        command.args(["--var", "observe=1s"]).args(more).output().expect("it runs")
    };
    set(&outside, "freeze until Monday").await;
    let refused = run(&[]);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("freeze until Monday"), "{}", said(&refused));
    assert!(said(&refused).contains("aws ssm delete-parameter --name /drills/stop"), "{}", said(&refused));
    assert!(outside.runs().is_empty());
    // A stop that cannot be read is none.
    outside.lab.provoke("GetParameter", Provocation::AccessDenied);
    let refused = run(&[]);
    outside.lab.provoke("GetParameter", Provocation::None);
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("cannot be read"), "{}", said(&refused));
    set(&outside, "go").await;
    let went = run(&["--dry-run"]);
    assert_eq!(went.status.code(), Some(0), "{}", said(&went));
    let policy = outside.firedrill("iam-policy").arg(bundled("flip-route53.yaml")).output();
    let policy = said(&policy.expect("it runs"));
    assert!(policy.contains("ssm:GetParameter") && policy.contains(":parameter/drills/stop"), "{policy}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_do_not_share_an_environment() {
    let outside = Outside::start(9, "");
    let mut first = begin(&outside, "steady_state");
    let run = reached(&outside, &mut first, "steady_state").expect("it begins");
    let second = outside.firedrill("run").arg(bundled("flip-route53.yaml")).output().expect("it runs");
    let text = said(&second);
    assert_eq!(second.status.code(), Some(3), "{text}");
    assert!(text.contains("is under way in `outside`") && text.contains("firedrill abort"), "{text}");
    // Nor is what is under way taken over.
    let recover = outside.firedrill("recover").arg(&run).output().expect("it runs");
    assert_eq!(recover.status.code(), Some(3), "{}", said(&recover));
    let abort = outside.firedrill("abort").output().expect("it runs");
    assert_eq!(abort.status.code(), Some(0), "{}", said(&abort));
    let ended = first.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(4));
    let none = outside.firedrill("abort").arg(&run).output().expect("it runs");
    assert_eq!(none.status.code(), Some(2), "{}", said(&none));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_file_lets_no_run_begin_and_force_begins_over_what_was_left() {
    let outside = Outside::start(9, "    stop_file: halt\n");
    let run = |more: &[&str], crash: &str| {
        let mut command = outside.firedrill("run");
        command.arg(bundled("flip-route53.yaml")).args(["--var", "steady=500ms", "--var", "confirm=500ms"]);
        command.args(["--var", "observe=1s"]).args(more);
        if !crash.is_empty() {
            command.env("FIREDRILL_CRASH", crash);
        }
        command.output().expect("it runs")
    };
    std::fs::write(outside.folder.path().join("halt"), "").expect("written");
    let refused = run(&[], "");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(said(&refused).contains("stops every run") && outside.runs().is_empty(), "{}", said(&refused));
    std::fs::remove_file(outside.folder.path().join("halt")).expect("removed");
    run(&[], "3");
    let refused = run(&[], "");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    let forced = run(&["--force"], "");
    assert!(said(&forced).contains("begun with --force"), "{}", said(&forced));
    assert_eq!(outside.runs().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_closing_of_its_window_stops_and_undoes() {
    let now = jiff::Zoned::now().with_time_zone(jiff::tz::TimeZone::UTC);
    // Late enough that the drill is under way by then.
    let least = now.checked_add(jiff::Span::new().seconds(20)).expect("a time");
    let closes =
        least.round(jiff::ZonedRound::new().smallest(jiff::Unit::Minute).mode(jiff::RoundMode::Ceil));
    let closes = closes.expect("a minute");
    let opened = now.checked_sub(jiff::Span::new().hours(2)).expect("a time");
    let window = format!(
        "    windows: [{{ from: \"{}\", to: \"{}\" }}]\n",
        opened.strftime("%H:%M"),
        closes.strftime("%H:%M")
    );
    let outside = Outside::start(9, &window);
    let before = outside.standing().await;
    let mut command = outside.firedrill("run");
    command.arg(bundled("flip-route53.yaml")).args(["--var", "steady=500ms", "--var", "confirm=500ms"]);
    command.args(["--var", "observe=120s"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let output = command.spawn().expect("the binary runs").wait_with_output().expect("it ends");
    let late = jiff::Timestamp::now().duration_since(closes.timestamp()).as_secs_f64();
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(text.contains("window"), "{text}");
    let runs = outside.runs();
    let [run] = runs.as_slice() else { panic!("{} runs", runs.len()) };
    assert!(late >= 0.0 && late - undoing(run) < BOUND, "ended {late} s after the window had closed");
    assert!(happened(run, "call_sent").is_ok(), "nothing was changed that could be undone");
    assert_eq!(outside.differs(&before, &[], Duration::from_secs(5)).await, None, "{text}");
}
