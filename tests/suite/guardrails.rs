//! Guardrails on the lab: each kind stops a run that goes on and has it undone; what blocks a start; and a dry run,
//! which looks at all of them and changes nothing.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use firedrill::lab::{AlarmState, Lab, Settings};
use serde_json::Value;

use crate::support::{Ran, firedrill, mutations, said};
use crate::support_lab::project;
use crate::support_moto::{Endpoint, answer};

/// A drill that stops both instances of the website, which nobody starts again but the undo.
fn drill(folder: &Path, more: &str) -> PathBuf {
    write(
        folder,
        "ec2.instance: { tags: { app: www, site: a }, at_most: 2 }",
        "action: { ec2.stop_instances: { target: it } }",
        more,
    )
}

fn write(folder: &Path, target: &str, step: &str, more: &str) -> PathBuf {
    let path = folder.join("drill.yaml");
    let text = format!(
        "kind: Experiment\nname: rails\nvariables:\n  www_url: {{ about: URL }}\nobjectives: {{ rto: 60s }}\n\
         targets:\n  it: {{ {target} }}\nprobes:\n  www:\n    http: {{ url: \"${{www_url}}/health\" }}\n    every: 50ms\n\
         steady_state: {{ for: 2s, availability: 90% }}\nsteps:\n  - name: break it\n    {step}\n\
         recovery: {{ confirm: 1s, within: 60s }}\n{more}\n"
    );
    std::fs::write(&path, text).expect("written");
    path
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The guardrails that tripped: each rule, and what was seen.
fn trips(ran: &Ran) -> Vec<(String, String)> {
    let journal = std::fs::read_to_string(ran.dir.join("journal.jsonl")).expect("a journal");
    let lines = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let kinds = lines.filter_map(|line| line.get("event").map(|event| event["kind"].clone()));
    kinds
        .filter(|kind| kind["type"] == "guardrail_tripped")
        .map(|kind| (text(&kind["rule"]), text(&kind["because"])))
        .collect()
}

/// Runs the drill with this guardrail, and holds that it was stopped by it and undone.
fn stopped_by(rule: &str, seen: &str) -> Ran {
    let store = tempfile::tempdir().expect("a folder");
    let file = drill(store.path(), &format!("stop_when:\n  - {rule}"));
    let mut ran = Ran::run(&file, store.path(), &["--env", "lab", "--seed", "3"]);
    // On a machine that is busy enough the steady state may not hold: then the drill is begun again.
    for _ in 0..2 {
        if ran.phase("steps").is_some() {
            break;
        }
        println!("begun again: {}", ran.report["because"]);
        ran = Ran::run(&file, store.path(), &["--env", "lab", "--seed", "3"]);
    }
    let text = said(&ran.output);
    assert_eq!((ran.code(), ran.report["verdict"].as_str()), (4, Some("aborted")), "{text}");
    let trips = trips(&ran);
    assert!(matches!(trips.as_slice(), [(_, because)] if because.contains(seen)), "{trips:?}: {text}");
    let because = ran.report["because"].as_str().unwrap_or_default();
    assert!(because.contains("guardrail") && because.contains(seen), "{because}");
    assert_eq!(ran.report["undo"]["complete"], true, "{text}");
    let done = ran.report["undo"]["done"].as_array().expect("what was undone");
    assert!(done.iter().any(|line| line.to_string().contains("running again")), "{text}");
    ran
}

#[test]
fn a_share_of_bad_answers_stops_the_run() {
    stopped_by("{ probe: www, availability_below: 70%, over: 2s }", "% good");
}

#[test]
fn an_alarm_stops_the_run() {
    stopped_by("alarm: www-a-5xx", "it is in ALARM: Threshold: 1 datapoint");
}

#[test]
fn a_run_is_stopped_while_its_undo_fits() {
    stopped_by("{ elapsed: 25s, undo_within: 17s }", "the undo may take 17s");
    // Starting instances takes up to a second and a half in the lab.
    stopped_by("{ elapsed: 9s }", "the undo usually takes up to 1.5s");
}

fn prometheus(value: impl Fn(u32) -> f64 + Send + Sync + 'static) -> Endpoint {
    let asked = AtomicU32::new(0);
    Endpoint::start(move |_| {
        let value = value(asked.fetch_add(1, Ordering::SeqCst));
        let body = format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{"job":"shop"}},"value":[1,"{value}"]}}]}}}}"#
        );
        answer("200 OK", "application/json", &body)
    })
}

#[test]
fn a_value_of_prometheus_stops_the_run() {
    let server = prometheus(|asked| if asked < 6 { 0.01 } else { 0.25 });
    let rule = format!(
        "prometheus: {{ url: \"{}\", query: error_rate, above: 0.05, headers: {{ Authorization: \"Bearer t0ken\" }} }}",
        server.url()
    );
    stopped_by(&rule, r#"{job="shop"} is 0.25"#);
    let request = &server.requests()[0];
    assert!(request.head.starts_with("GET /api/v1/query?query=error_rate "), "{}", request.head);
    assert!(request.head.to_lowercase().contains("authorization: bearer t0ken"), "{}", request.head);
}

#[test]
fn slow_answers_stop_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = folder.path().join("slow");
    let flag = slow.clone();
    let server = Endpoint::start(move |_| {
        if flag.exists() {
            std::thread::sleep(Duration::from_millis(300));
        }
        answer("200 OK", "text/plain", "well")
    });
    let file = folder.path().join("drill.yaml");
    let text = format!(
        "kind: Experiment\nname: slow\nobjectives: {{ latency: {{ p90: 200ms }} }}\nprobes:\n  web:\n    \
         http: {{ url: \"{}\" }}\n    every: 50ms\nsteady_state: {{ for: 1s }}\nsteps:\n  - name: slow it down\n    \
         run: [touch, {slow:?}]\n    undo: [rm, {slow:?}]\nrecovery: {{ confirm: 20s, within: 60s }}\nstop_when:\n  \
         - {{ probe: web, latency_above: 200ms, percentile: 90, over: 2s }}\n",
        server.url()
    );
    std::fs::write(&file, text).expect("written");
    let ran = Ran::run(&file, folder.path(), &["--seed", "1"]);
    assert_eq!(ran.code(), 4, "{}", said(&ran.output));
    let trips = trips(&ran);
    assert!(matches!(trips.as_slice(), [(_, seen)] if seen.contains("p90 is 0.")), "{trips:?}");
    assert!(!slow.exists(), "not undone: {}", said(&ran.output));
}

#[test]
fn a_guardrail_that_nobody_can_read_keeps_the_run_from_beginning() {
    let folder = tempfile::tempdir().expect("a folder");
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port");
    let rule = format!("stop_when:\n  - prometheus: {{ url: \"http://{closed}\", query: up, below: 1 }}");
    let ran = Ran::run(&drill(folder.path(), &rule), folder.path(), &["--env", "lab", "--seed", "3"]);
    assert_eq!(ran.code(), 3, "{}", said(&ran.output));
    let because = ran.report["because"].as_str().unwrap_or_default();
    assert!(because.contains("nothing was touched") && because.contains("cannot be read"), "{because}");
    assert!(ran.phase("steps").is_none());
}

/// A lab of this process, and firedrill pointed at it.
struct Outside {
    lab: Lab,
    folder: tempfile::TempDir,
}

impl Outside {
    fn start() -> Outside {
        let lab = Lab::start(Settings { seed: 6, ..Settings::default() }).expect("a lab");
        let folder = tempfile::tempdir().expect("a folder");
        let text = project(&lab, "outside", &lab.endpoint_url(), "");
        std::fs::write(folder.path().join("firedrill.yaml"), text).expect("written");
        Outside { lab, folder }
    }

    fn firedrill(&self, arguments: &[&str], file: &Path) -> Output {
        let mut command = firedrill();
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        command.args(arguments).arg(file).args(["--env", "outside", "--seed", "5", "--project"]);
        command.arg(self.folder.path().join("firedrill.yaml")).output().expect("it runs")
    }

    fn run(&self, more: &[&str], file: &Path) -> Output {
        let store = self.folder.path().join("runs").display().to_string();
        self.firedrill(&[&["run", "--store", &store], more].concat(), file)
    }

    /// Holds that the run does not begin for this reason, which the plan and the dry run tell as well.
    fn blocked(&self, file: &Path, reason: &str) {
        for output in [self.firedrill(&["plan"], file), self.run(&["--dry-run"], file), self.run(&[], file)] {
            let text = said(&output);
            assert_eq!(output.status.code(), Some(3), "{text}");
            assert!(String::from_utf8_lossy(&output.stderr).contains(reason), "{reason} is not in: {text}");
        }
        self.untouched();
    }

    fn untouched(&self) {
        assert_eq!(mutations(&self.lab), Vec::<String>::new());
    }
}

#[test]
fn an_alarm_that_fires_already_blocks_the_start() {
    let outside = Outside::start();
    let folder = outside.folder.path();
    outside.lab.hold_alarm("checkout-5xx", Some(AlarmState::Alarm));
    outside.lab.hold_alarm("storefront-5xx", Some(AlarmState::Alarm));
    let rail = drill(folder, "stop_when: [{ alarm: checkout-5xx }]");
    outside.blocked(&rail, "the guardrail alarm checkout-5xx is not firing: it is in ALARM");
    // A composite of the other.
    let rail = drill(folder, "stop_when: [{ alarm: storefront-suffers }]");
    outside.blocked(&rail, "the guardrail alarm storefront-suffers is not firing: it is in ALARM");
    let expected = drill(folder, "alarms: [checkout-5xx]");
    outside.blocked(&expected, "the alarm checkout-5xx has still to fire: it is in ALARM already");
    let unknown = drill(folder, "stop_when: [{ alarm: checkout-5x }]");
    outside.blocked(&unknown, "there is no alarm of this name");

    outside.lab.hold_alarm("checkout-5xx", Some(AlarmState::InsufficientData));
    let rail = drill(folder, "stop_when: [{ alarm: checkout-5xx }]");
    let plan = outside.firedrill(&["plan"], &rail);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    assert!(String::from_utf8_lossy(&plan.stdout).contains("it is in INSUFFICIENT_DATA"), "{}", said(&plan));
}

#[test]
fn what_is_changing_anyhow_blocks_the_start() {
    let outside = Outside::start();
    let folder = outside.folder.path();
    let terminate = write(
        folder,
        "ec2.instance: { tags: { app: storefront }, pick: { count: 1 } }",
        "action: { ec2.terminate_instances: { target: it } }\n    irreversible: true",
        "",
    );
    let plan = outside.firedrill(&["plan"], &terminate);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(text.contains("storefront has no instance refresh under way: none"), "{text}");
    assert!(text.contains("autoscaling:DescribeInstanceRefreshes"), "{text}");
    outside.lab.begin_instance_refresh();
    outside.blocked(&terminate, "storefront has no instance refresh under way");

    let reboot = write(
        folder,
        "rds.instance: { id: orders-db }",
        "action: { rds.reboot_db_instance: { target: it, force_failover: true } }",
        "",
    );
    let plan = outside.firedrill(&["plan"], &reboot);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    outside.lab.leave_change_pending();
    outside.blocked(&reboot, "orders-db has no change pending: pending: DBInstanceClass db.m6g.xlarge");

    let stop = write(
        folder,
        "ecs.task: { cluster: shop, service: checkout, pick: { count: 1 } }",
        "action: { ecs.stop_task: { target: it } }",
        "",
    );
    let plan = outside.firedrill(&["plan"], &stop);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
    let text = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(text.contains("service checkout has no deployment under way: one deployment"), "{text}");
}

#[test]
fn an_undo_that_cannot_fit_blocks_the_start() {
    let outside = Outside::start();
    // This environment is not the embedded lab: starting instances usually takes up to a minute.
    let file = drill(outside.folder.path(), "stop_when: [{ elapsed: 62s }]");
    outside.blocked(&file, "1m2s leave time for the drill and its undo");
    let file = drill(outside.folder.path(), "stop_when: [{ elapsed: 62s, undo_within: 20s }]");
    let plan = outside.firedrill(&["plan"], &file);
    assert_eq!(plan.status.code(), Some(0), "{}", said(&plan));
}

#[test]
fn a_dry_run_shows_the_timeline_looks_at_the_guardrails_and_changes_nothing() {
    let outside = Outside::start();
    let server = prometheus(|_| 0.01);
    let rails = format!(
        "stop_when:\n  - elapsed: 20m\n  - alarm: checkout-5xx\n  - {{ probe: www, availability_below: 50%, over: 2s }}\n  \
         - prometheus: {{ url: \"{}\", query: error_rate, above: 0.05 }}",
        server.url()
    );
    let file = drill(outside.folder.path(), &rails);
    let output = outside.run(&["--dry-run", "--output", "json"], &file);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "dry run: nothing will be changed",
        "What would happen when",
        &format!("{:<18} 1. break it: stop i-", "2s"),
        "usually takes 20s to 1m",
        "which usually takes 10s to 1m",
        &format!("{:<18} recovery is waited for", "22s to 1m2s"),
        "dry run: nothing was changed",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["because"], "dry run: nothing was changed");
    let detail = report["steps"][0]["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("usually takes 20s to 1m; undo: start i-"), "{detail}");
    assert!(server.requests().len() >= 2, "the guardrail was not asked");
    outside.untouched();

    // A guardrail that is broken in the steady state is told, and nothing was touched either.
    let server = prometheus(|_| 0.25);
    let rails =
        format!("stop_when: [{{ prometheus: {{ url: \"{}\", query: e, above: 0.05 }} }}]", server.url());
    let output = outside.run(&["--dry-run"], &drill(outside.folder.path(), &rails));
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("is 0.25"), "{}", said(&output));
}
