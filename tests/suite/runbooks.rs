//! Runbooks, and what people do in a run: carried out with the real binary, confirmed from other processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{firedrill, mutates, root, said};
use crate::support_lab::Outside;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(90);

fn events(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("journal.jsonl")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter_map(|line| line.get("event").map(|event| event["kind"].clone())).collect()
}

/// A run under way, and who is at hand for it.
struct Watched {
    child: Child,
    store: PathBuf,
}

impl Watched {
    fn begin(command: &mut Command, store: &Path) -> Watched {
        let child = command
            .arg("--store")
            .arg(store)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        Watched { child, store: store.to_owned() }
    }

    /// The run's folder, once its journal is there.
    fn dir(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(&self.store).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).find(|dir| dir.join("journal.jsonl").is_file())
    }

    /// Waits until the journal shows it.
    fn until(&mut self, what: &str, shown: impl Fn(&Value) -> bool) -> PathBuf {
        let began = Instant::now();
        loop {
            if let Some(dir) = self.dir()
                && events(&dir).iter().any(&shown)
            {
                return dir;
            }
            let over = self.child.try_wait().expect("it can be asked").is_some();
            assert!(!over && began.elapsed() < PATIENCE, "{what}: never seen");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Answers for a step once it is asked; what the answer came to.
    fn answer(&mut self, step: &str, arguments: &[&str]) -> Output {
        let dir = self.until(step, |event| event["type"] == "asked" && event["step"] == step);
        let mut confirm = firedrill();
        confirm.arg("confirm").arg(&dir).arg(step).args(["--by", "Anna"]).args(arguments);
        confirm.output().expect("the binary runs")
    }

    /// Answers, and must be heard.
    fn confirm(&mut self, step: &str, arguments: &[&str]) {
        let output = self.answer(step, arguments);
        assert_eq!(output.status.code(), Some(0), "{step}: {}", said(&output));
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it lives");
    }

    /// The end: exit code, report and output.
    fn end(self) -> (i32, Value, Output) {
        let dir = self.dir();
        let output = self.child.wait_with_output().expect("it ends");
        let report = dir.and_then(|dir| std::fs::read(dir.join("report.json")).ok());
        let report = report.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        (output.status.code().unwrap_or(-1), report, output)
    }
}

fn step<'r>(report: &'r Value, name: &str) -> &'r Value {
    let steps = report["steps"].as_array().expect("steps");
    steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("{name} is not in {steps:?}"))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

/// Stops site a, with a person before and after it: what a no-go has to undo.
const EVACUATE: &str = r#"
kind: Runbook
name: evacuate
title: Leave site a
owner: edge-sre
objectives: { rto: 10m }
variables:
  app: { about: "the tag" }
  url: { about: "where customers are" }
targets:
  site_a: { ec2.instance: { tags: { app: "${app}", site: a }, at_most: 10 } }
steps:
  - name: stop it
    action: { ec2.stop_instances: { target: site_a } }
    owner: compute
  - name: look around
    manual: Look at the dashboard
    role: on-call
    expected: 10ms
  - name: go on
    approve: { question: "Leave it like this?", by: [incident-commander] }
  - name: the site is there
    run: ["true"]
    verify: [{ tcp: { address: "${url}" }, within: 20s }]
"#;

fn evacuate(outside: &Outside) -> (tempfile::TempDir, Watched) {
    let here = folder(&[("runbooks/evacuate.yaml", EVACUATE)]);
    let mut command = outside.firedrill("run");
    command.arg(here.path().join("runbooks/evacuate.yaml"));
    command.args(["--var", "app=www", "--var", &format!("url={}", endpoint(outside))]);
    // `Outside` names its own store.
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let watched = Watched { child: child.expect("the binary runs"), store: outside.store() };
    (here, watched)
}

/// What surely listens.
fn endpoint(outside: &Outside) -> String {
    outside.lab.endpoint_url().trim_start_matches("http://").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runbook_alone_is_timed_confirmed_and_passes() {
    let outside = Outside::start(7, "");
    let before = outside.standing().await;
    let (_here, mut run) = evacuate(&outside);
    run.confirm("look around", &["--because", "all\u{1b}[2J quiet\n"]);
    let refused = run.answer("go on", &[]);
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("incident-commander"), "{}", said(&refused));
    run.confirm("go on", &["--role", "incident-commander"]);
    let (code, report, output) = run.end();
    assert_eq!(code, 0, "{}", said(&output));
    assert_eq!((&report["verdict"], &report["kind"]), (&json!("pass"), &json!("runbook")));
    assert_eq!(report["procedure"]["declared"]["rto"], 600.0);
    assert!(
        report["procedure"]["took"].as_f64() > Some(0.0) && report["objectives"] == json!([]),
        "{report}"
    );
    let looked = step(&report, "look around");
    assert_eq!(
        (&looked["outcome"], &looked["role"], &looked["owner"]),
        (&json!("done"), &json!("on-call"), &json!(null))
    );
    assert_eq!((&looked["expected"], &looked["slower"]), (&json!(0.01), &json!(true)));
    assert!(looked["took"].as_f64() > Some(0.01), "{looked}");
    let said_so = &looked["confirmations"][0];
    assert!(said_so["by"].as_str().is_some_and(|by| by.starts_with("Anna (")), "{looked}");
    assert_eq!((&said_so["answer"], &said_so["via"]), (&json!("done"), &json!("confirm")));
    assert_eq!(said_so["because"], "all [2J quiet");
    assert_eq!(step(&report, "go on")["confirmations"][0]["role"], "incident-commander");
    assert_eq!(step(&report, "stop it")["owner"], "compute");
    let text = said(&output);
    for shown in ["RTO 10 min: declared", "SLOWER", "done: Anna", "go: Anna", "owner compute"] {
        assert!(text.contains(shown), "`{shown}` is not in {text}");
    }
    let dir = outside.runs().pop().expect("a run");
    let page = std::fs::read_to_string(dir.join("report.html")).expect("a page");
    for shown in
        ["done, says Anna", "go, says Anna", "as incident-commander", "it took longer", "compute", "on-call"]
    {
        assert!(page.contains(shown), "`{shown}` is not in the page");
    }
    let markdown = firedrill().arg("report").arg(&dir).args(["-f", "md"]).output().expect("it runs");
    let markdown = String::from_utf8_lossy(&markdown.stdout).into_owned();
    for shown in ["Who said so", "done: Anna", "SLOWER", "compute", "RTO 10 min: declared"] {
        assert!(markdown.contains(shown), "`{shown}` is not in {markdown}");
    }
    // What it stopped is put back at its end, as after any drill.
    assert_eq!(outside.differs(&before, &[], Duration::from_secs(20)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_no_go_aborts_and_undoes() {
    let outside = Outside::start(7, "");
    let before = outside.standing().await;
    let (_here, mut run) = evacuate(&outside);
    run.confirm("look around", &[]);
    run.confirm("go on", &["--no-go", "--because", "the pager is down"]);
    let (code, report, output) = run.end();
    assert_eq!(code, 4, "{}", said(&output));
    let because = report["because"].as_str().unwrap_or_default();
    assert!(
        because.contains("no-go") && because.contains("Anna") && because.contains("the pager is down"),
        "{because}"
    );
    assert_eq!(report["undo"]["complete"], true);
    assert_eq!(step(&report, "the site is there")["outcome"], "skipped");
    assert_eq!(outside.differs(&before, &[], Duration::from_secs(20)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_died_while_it_waited_for_a_person_is_recovered() {
    let outside = Outside::start(7, "");
    let before = outside.standing().await;
    let (_here, mut run) = evacuate(&outside);
    let dir = run.until("look around", |event| event["type"] == "asked" && event["step"] == "look around");
    run.signal(Signal::KILL);
    run.child.wait().expect("it is dead");
    assert!(outside.differs(&before, &[], Duration::from_millis(500)).await.is_some(), "nothing was stopped");
    let late =
        firedrill().arg("confirm").arg(&dir).args(["look around", "--by", "Anna"]).output().expect("it runs");
    assert_eq!(late.status.code(), Some(2), "{}", said(&late));
    assert!(said(&late).contains("firedrill recover"), "{}", said(&late));
    let mut recover = outside.firedrill("recover");
    recover.arg(&dir).args(["--var", "app=www", "--var", &format!("url={}", endpoint(&outside))]);
    let recovered = recover.output().expect("it runs");
    assert_eq!(recovered.status.code(), Some(0), "{}", said(&recovered));
    assert_eq!(outside.differs(&before, &[], Duration::from_secs(20)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_works_while_a_person_is_waited_for() {
    let outside = Outside::start(7, "");
    let before = outside.standing().await;
    let (_here, mut run) = evacuate(&outside);
    run.until("look around", |event| event["type"] == "asked" && event["step"] == "look around");
    run.signal(Signal::INT);
    let (code, report, output) = run.end();
    assert_eq!(code, 4, "{}", said(&output));
    assert_eq!(step(&report, "look around")["outcome"], "indeterminate");
    assert_eq!(outside.differs(&before, &[], Duration::from_secs(20)).await, None);
}

/// An experiment that a person and a runbook have a part in; it needs no cloud.
const DRILL: &str = r#"
kind: Experiment
name: drill
objectives: { rto: 20s }
variables:
  url: { about: "what is watched" }
probes:
  web: { tcp: { address: "${url}" } }
steady_state: { for: 300ms }
steps:
  - name: break it
    run: ["true"]
    verify: [{ command: { run: ["true"] } }]
  - runbook: repair
    with: { note: "from ${url}" }
  - name: after it
    run: ["true"]
recovery: { confirm: 300ms, within: 30s }
"#;
const REPAIR: &str = r#"
kind: Runbook
name: repair
owner: sre
variables:
  note: { about: "a word" }
steps:
  - name: ask
    approve: "Repair it (${note})?"
  - name: left
    manual: Turn the left key
    after: [ask]
  - name: right
    manual: Turn the right key
    after: [ask]
"#;

#[test]
fn a_runbook_in_an_experiment_is_steps_of_it_and_several_may_be_open() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let here = folder(&[("experiments/drill.yaml", DRILL), ("runbooks/repair.yaml", REPAIR)]);
    let url = listener.local_addr().expect("an address").to_string();
    let mut command = firedrill();
    command.arg("run").arg(here.path().join("experiments/drill.yaml"));
    // That nobody is asked for what is not confirmed does not confirm it.
    command.args(["--yes", "--var", &format!("url={url}")]);
    let mut run = Watched::begin(&mut command, &here.path().join("store"));
    run.confirm("repair / ask", &[]);
    // Both are open: the second is answered first.
    run.confirm("repair / right", &[]);
    run.confirm("repair / left", &["--skip", "--because", "it was turned already"]);
    let (code, report, output) = run.end();
    drop(listener);
    // What shows that the fault took hold is not the matter here.
    assert!([0, 3].contains(&code), "{}", said(&output));
    let names: Vec<&str> =
        report["steps"].as_array().expect("steps").iter().filter_map(|step| step["name"].as_str()).collect();
    assert_eq!(names, ["break it", "repair / ask", "repair / left", "repair / right", "after it"]);
    let asked = step(&report, "repair / ask");
    assert_eq!(asked["summary"], format!("Repair it (from {url})?"));
    assert_eq!((&asked["owner"], &asked["confirmations"][0]["answer"]), (&json!("sre"), &json!("go")));
    assert_eq!(step(&report, "repair / left")["outcome"], "skipped");
    assert!(report["notes"].to_string().contains("was skipped by Anna"), "{}", report["notes"]);
    let ended = |name: &str| step(&report, name)["finished"].as_f64().expect("an end");
    let after = step(&report, "after it")["started"].as_f64().expect("a begin");
    assert!(after >= ended("repair / left") && after >= ended("repair / right"));
}

#[test]
fn without_an_answer_the_time_ends_it_as_failed_and_on_failure_decides() {
    let text = |on_failure: &str| {
        format!(
            "kind: Runbook\nname: slow\nsteps:\n  - name: ask\n    manual: Wake somebody\n    timeout: 300ms\n    \
             on_failure: {on_failure}\n  - name: then\n    run: [\"true\"]\n"
        )
    };
    for (on_failure, then) in [("stop", "skipped"), ("continue", "done")] {
        let here = folder(&[("slow.yaml", &text(on_failure))]);
        let mut command = firedrill();
        command.args(["run", "--yes"]).arg(here.path().join("slow.yaml"));
        let (code, report, output) = Watched::begin(&mut command, &here.path().join("store")).end_later();
        assert_eq!(code, 1, "{}", said(&output));
        let ask = step(&report, "ask");
        assert_eq!(ask["outcome"], "failed", "{ask}");
        assert_eq!(ask["detail"], "nobody confirmed it within 300ms");
        assert_eq!(step(&report, "then")["outcome"], then);
        assert!(said(&output).contains("firedrill confirm"), "{}", said(&output));
    }
}

#[test]
fn what_a_person_calls_failed_is_a_failed_step() {
    let text = "kind: Runbook\nname: broken\nsteps:\n  - name: ask\n    manual: Turn the key\n";
    let here = folder(&[("broken.yaml", text)]);
    let mut command = firedrill();
    command.arg("run").arg(here.path().join("broken.yaml"));
    let mut run = Watched::begin(&mut command, &here.path().join("store"));
    let needs = run.answer("ask", &["--failed"]);
    assert_eq!(needs.status.code(), Some(2), "a reason is needed: {}", said(&needs));
    run.confirm("ask", &["--failed", "--because", "the key broke"]);
    let (code, report, output) = run.end();
    assert_eq!(code, 1, "{}", said(&output));
    assert!(report["because"].as_str().is_some_and(|why| why.contains("the key broke")), "{report}");
}

impl Watched {
    /// The end of a run that nobody looked at meanwhile.
    fn end_later(self) -> (i32, Value, Output) {
        let store = self.store.clone();
        let output = self.child.wait_with_output().expect("it ends");
        let entries = std::fs::read_dir(&store).into_iter().flatten().flatten();
        let report = entries.map(|entry| entry.path().join("report.json")).find(|path| path.is_file());
        let report = report.and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (output.status.code().unwrap_or(-1), serde_json::from_slice(&report).unwrap_or_default(), output)
    }
}

#[test]
fn a_dry_run_lists_what_people_would_be_asked_and_asks_nobody() {
    let here = folder(&[("experiments/drill.yaml", DRILL), ("runbooks/repair.yaml", REPAIR)]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = listener.local_addr().expect("an address").to_string();
    let output = firedrill()
        .args(["run", "--dry-run", "--var", &format!("url={url}")])
        .arg(here.path().join("experiments/drill.yaml"))
        .arg("--store")
        .arg(here.path().join("store"))
        .output()
        .expect("it runs");
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("repair / left: Turn the left key") && text.contains("nobody is asked"), "{text}");
    assert!(!text.contains("firedrill confirm"), "{text}");
}

/// Reads aloud on a lab that counts its calls, with programs and probes that would leave traces.
#[tokio::test(flavor = "multi_thread")]
async fn a_tabletop_calls_nothing() {
    let outside = Outside::start(7, "");
    let trace = outside.folder.path().join("trace");
    let text = EVACUATE.replace("run: [\"true\"]", &format!("run: [touch, {}]", trace.display()));
    let here = folder(&[("evacuate.yaml", &text)]);
    let calls = outside.lab.calls();
    let mut command = outside.firedrill("run");
    command.arg(here.path().join("evacuate.yaml")).args(["--tabletop", "--var", "app=www"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut run = Watched { child: child.expect("the binary runs"), store: outside.store() };
    for name in ["stop it", "look around", "go on", "the site is there"] {
        run.confirm(name, &[]);
    }
    let (code, report, output) = run.end();
    assert_eq!(code, 3, "{}", said(&output));
    assert_eq!((&report["tabletop"], &report["verdict"]), (&json!(true), &json!("inconclusive")));
    assert!(report["because"].as_str().is_some_and(|why| why.starts_with("tabletop:")), "{report}");
    assert_eq!(outside.lab.calls(), calls, "the lab was called");
    assert!(!trace.exists(), "a program was run");
    assert!(said(&output).contains("TABLETOP"), "{}", said(&output));
    for name in ["stop it", "go on"] {
        assert!(
            step(&report, name)["took"].as_f64() > Some(0.0)
                && !step(&report, name)["confirmations"].is_null()
        );
    }
    let mutations: Vec<String> = outside.lab.calls().into_keys().filter(|call| mutates(call)).collect();
    assert_eq!(mutations, Vec::<String>::new());
}

/// Each bundled runbook on the embedded lab, with a person who says yes to everything.
#[test]
fn the_bundled_runbooks_pass_on_the_lab() {
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for file in firedrill::spec::yaml_files(&root().join("runbooks")) {
            let wrong = &wrong;
            scope.spawn(move || {
                let store = tempfile::tempdir().expect("a folder");
                let mut command = firedrill();
                command.args(["run", "--env", "lab", "--seed", "3"]).arg(&file);
                let mut run = Watched::begin(&mut command, store.path());
                let said_yes = run.agree();
                let (code, report, output) = run.end();
                if code != 0 || report["verdict"] != "pass" || said_yes == 0 {
                    wrong.lock().expect("no panic").push(format!("{}: {}", file.display(), said(&output)));
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Watched {
    /// Answers everything that is asked, in any of the roles, until the run is over. How many answers counted.
    fn agree(&mut self) -> usize {
        let began = Instant::now();
        let mut taken = 0;
        while self.child.try_wait().expect("it can be asked").is_none() {
            assert!(began.elapsed() < PATIENCE * 2, "it does not end");
            std::thread::sleep(Duration::from_millis(50));
            let Some(dir) = self.dir() else { continue };
            let events = events(&dir);
            let is = |kind: &str, step: &Value| {
                events.iter().any(|event| event["type"] == kind && event["step"] == *step)
            };
            let begun = events.iter().filter(|event| event["type"] == "asked");
            for step in begun.filter_map(|event| event["step"].as_str()) {
                let name = json!(step);
                if is("step_finished", &name) || is("answered", &name) {
                    continue;
                }
                let mut confirm = firedrill();
                confirm.arg("confirm").arg(&dir).arg(step).args([
                    "--by",
                    "Anna",
                    "--role",
                    "incident-commander",
                ]);
                // It may be over in the meantime: then it does not count.
                taken += usize::from(confirm.output().expect("it runs").status.success());
            }
        }
        taken
    }
}

/// A program's output goes on into a program, a question and a text, also within a runbook of its own.
const OUTPUTS: &str = r#"
kind: Runbook
name: outer
steps:
  - name: make
    run: [sh, -c, "echo working >&2; echo noise; echo 'snap 1; rm -rf /'"]
    output: id
  - name: describe
    run: [echo, '{"db": {"port": 5432}}']
    outputs: { port: /db/port }
  - name: ask
    approve: "Restore ${output:id} at ${output:port}?"
  - runbook: inner
  - name: use
    run: [sh, -c, 'test "$1" = "snap 1; rm -rf /"', sh, "${output:id}"]
  - name: with it
    run: { program: [sh, -c, 'test "$PORT" = 5432'], env: { PORT: "${output:port}" } }
"#;
const INNER: &str = r#"
kind: Runbook
name: inner
steps:
  - name: make
    run: [echo, other]
    output: id
  - name: look
    manual: Look at ${output:id}
"#;

#[test]
fn what_a_program_prints_is_used_by_later_steps() {
    let here = folder(&[("runbooks/outer.yaml", OUTPUTS), ("runbooks/inner.yaml", INNER)]);
    let mut command = firedrill();
    command.arg("run").arg(here.path().join("runbooks/outer.yaml"));
    let mut run = Watched::begin(&mut command, &here.path().join("store"));
    let asked = |name: &'static str| move |event: &Value| event["type"] == "asked" && event["step"] == name;
    let dir = run.until("ask", asked("ask"));
    let texts = || -> Vec<String> {
        let asked = events(&dir).into_iter().filter(|event| event["type"] == "asked");
        asked.filter_map(|event| event["text"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(texts(), ["Restore snap 1; rm -rf / at 5432?"]);
    run.confirm("ask", &[]);
    run.until("inner / look", asked("inner / look"));
    assert_eq!(texts()[1], "Look at other", "a runbook's outputs are its own");
    run.confirm("inner / look", &[]);
    let (code, report, output) = run.end();
    assert_eq!(code, 0, "{}", said(&output));
    assert!(report["notes"].to_string().contains("output `port` is `5432`"), "{}", report["notes"]);
}

#[test]
fn an_output_that_is_not_there_fails_the_step_that_needs_it() {
    let text = "kind: Runbook\nname: broken\nsteps:\n  - name: make\n    run: [\"true\"]\n    output: id\n    \
                on_failure: continue\n  - name: use\n    manual: Look at ${output:id}\n";
    let here = folder(&[("broken.yaml", text)]);
    let mut command = firedrill();
    command.arg("run").arg(here.path().join("broken.yaml"));
    let (code, report, output) = Watched::begin(&mut command, &here.path().join("store")).end_later();
    assert_eq!(code, 1, "{}", said(&output));
    assert!(step(&report, "make")["detail"].to_string().contains("printed nothing"), "{report}");
    assert!(step(&report, "use")["detail"].to_string().contains("the output `id` is not there"), "{report}");
}

/// A person breaks it: RTO counts from some time between being asked and saying so.
#[test]
fn a_person_may_be_the_fault_and_the_interval_says_how_exactly_that_is_known() {
    let text = r#"
kind: Experiment
name: by-hand
objectives: { rto: 60s }
variables: { url: { about: "what is watched" } }
probes:
  web: { tcp: { address: "${url}", connect_timeout: 300ms }, every: 50ms }
steady_state: { for: 500ms }
steps:
  - name: pull the plug
    manual: Pull the plug
measure_from: pull the plug
recovery: { confirm: 500ms, within: 60s }
"#;
    let here = folder(&[("by-hand.yaml", text)]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut command = firedrill();
    command.arg("run").arg(here.path().join("by-hand.yaml")).args(["--var", &format!("url={address}")]);
    let mut run = Watched::begin(&mut command, &here.path().join("store"));
    run.until("the question", |event| event["type"] == "asked");
    // The person thinks, acts, and takes a while to say so.
    std::thread::sleep(Duration::from_millis(600));
    drop(listener);
    let broken = Instant::now();
    std::thread::sleep(Duration::from_millis(700));
    let listener = std::net::TcpListener::bind(address).expect("the same port");
    let took = broken.elapsed().as_secs_f64();
    run.confirm("pull the plug", &[]);
    let (code, report, output) = run.end();
    drop(listener);
    assert_eq!(code, 0, "{}", said(&output));
    let rto = &report["objectives"][0]["observed"];
    let (lo, hi) = (rto["lo"].as_f64().expect("lo"), rto["hi"].as_f64().expect("hi"));
    assert!(lo <= took && took <= hi, "{took} is not in {rto}");
    assert!(hi - lo >= 0.5, "as uncertain as the person was slow: {rto}");
    let injected = &report["fault"]["injected_at"];
    assert!(injected["hi"].as_f64() > injected["lo"].as_f64(), "{injected}");
    assert!(report["notes"].to_string().contains("carried out by a person"), "{}", report["notes"]);
}

#[test]
fn check_finds_nothing_in_the_bundled_runbooks() {
    let output = firedrill().args(["check", "runbooks"]).output().expect("it runs");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{}", said(&output));
    assert!(said(&output).contains("4 files checked: no errors"), "{}", said(&output));
    for file in firedrill::spec::yaml_files(&root().join("runbooks")) {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let given = firedrill::spec::Given { aloud: true, ..Default::default() };
        let loaded = firedrill::spec::load(&file, &given).expect("a runbook");
        assert_eq!(loaded.experiment.name.value, stem);
        assert_eq!(loaded.warnings, [], "{stem}");
    }
}

#[test]
fn a_condition_is_waited_for_and_given_up_in_time() {
    let here = folder(&[]);
    let flag = here.path().join("flag");
    let text = format!(
        "kind: Runbook\nname: waits\nsteps:\n  - name: until it is there\n    wait_until:\n      - command: {{ run: [test, -e, {0}] }}\n        \
         within: 20s\n      - command: {{ run: [\"true\"] }}\n  - name: in vain\n    wait_until: {{ command: {{ run: [test, -e, {0}-too] }}, \
         within: 400ms }}\n",
        flag.display()
    );
    let path = here.path().join("waits.yaml");
    std::fs::write(&path, text).expect("written");
    let mut command = firedrill();
    command.arg("run").arg(&path);
    let mut run = Watched::begin(&mut command, &here.path().join("store"));
    run.until("the first wait", |event| event["type"] == "step_started");
    std::thread::sleep(Duration::from_millis(600));
    std::fs::write(&flag, "").expect("written");
    let (code, report, output) = run.end();
    assert_eq!(code, 1, "{}", said(&output));
    let first = step(&report, "until it is there");
    assert_eq!(first["outcome"], "done", "{first}");
    assert!(first["took"].as_f64() >= Some(0.5), "{first}");
    let second = step(&report, "in vain");
    assert_eq!(second["outcome"], "failed", "{second}");
    assert!(second["detail"].as_str().is_some_and(|why| why.starts_with("not so within 400ms")), "{second}");
}
