//! What the watchers saw, held against the lab's own record of what its control plane said and when; and
//! detection, from an alarm that fires to one that does not exist.

use std::path::Path;

use serde_json::Value;

use firedrill::lab::{Lab, Provocation, Settings};

use crate::support::{Ran, firedrill, root, said};
use crate::support_lab::project;

/// The layers of which the lab keeps a record.
const RECORDED: [&str; 12] = [
    "alarm",
    "instance",
    "target_health",
    "scaling_activity",
    "db_status",
    "db_zone",
    "db_source",
    "db_writer",
    "db_event",
    "task",
    "service_event",
    "dns_change",
];

/// A change as the journal or the lab has it, in nanoseconds of the run's clock.
struct Change {
    layer: String,
    resource: String,
    state: String,
    what: String,
    after: f64,
    seen: f64,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What the watchers saw change, from the journal.
fn seen(ran: &Ran) -> Vec<Change> {
    let journal = std::fs::read_to_string(ran.dir.join("journal.jsonl")).expect("a journal");
    let lines = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = lines.filter_map(|line| line.get("event").cloned());
    events
        .filter(|event| event["kind"]["type"] == "layer_seen")
        .filter_map(|event| {
            let kind = &event["kind"];
            Some(Change {
                layer: text(&kind["layer"]),
                resource: text(&kind["resource"]),
                state: text(&kind["state"]),
                what: text(&kind["what"]),
                after: kind["after_ns"].as_f64()?,
                seen: event["at_ns"].as_f64()?,
            })
        })
        .collect()
}

/// What the lab says of the same, on the run's clock.
fn truth(ran: &Ran) -> Vec<(String, String, String, f64)> {
    let account = ran.json("lab-truth.json");
    let origin = ran.header()["header"]["origin_ns"].as_f64().expect("an origin");
    let layers = account["layers"].as_array().expect("layers").iter();
    layers
        .map(|change| {
            let at = change["at_ns"].as_f64().expect("a time") - origin;
            (text(&change["layer"]), text(&change["resource"]), text(&change["state"]), at)
        })
        .collect()
}

/// What is wrong with what was seen: a bracket without a truth in it. Gives how many brackets were held.
fn hold(ran: &Ran, wrong: &mut Vec<String>) -> usize {
    let truth = truth(ran);
    let mut held = 0;
    for change in seen(ran).iter().filter(|change| RECORDED.contains(&change.layer.as_str())) {
        let same = truth.iter().filter(|(layer, resource, state, _)| {
            *layer == change.layer
                && *state == change.state
                && (*resource == change.resource || change.what.contains(resource.as_str()))
        });
        // A microsecond: the nanoseconds have gone through floating point.
        let near = |at: f64| at >= change.after - 1e3 && at <= change.seen + 1e3;
        let times: Vec<f64> = same.map(|(.., at)| *at).collect();
        if times.iter().any(|at| near(*at)) {
            held += 1;
        } else {
            wrong.push(format!(
                "{} was seen between {:.4} and {:.4} s; the lab says {:?}",
                change.what,
                change.after / 1e9,
                change.seen / 1e9,
                times.iter().map(|at| at / 1e9).collect::<Vec<_>>(),
            ));
        }
    }
    held
}

/// A run that touched something: on a machine that is busy enough the steady state may not hold, and then the
/// drill is begun again.
fn run(file: &Path, store: &Path, arguments: &[&str]) -> Ran {
    let mut ran = Ran::run(file, store, arguments);
    for _ in 0..3 {
        if ran.phase("steps").is_some() {
            break;
        }
        println!("begun again: {}", ran.report["because"]);
        ran = Ran::run(file, store, arguments);
    }
    ran
}

fn point<'r>(ran: &'r Ran, name: &str) -> Option<&'r Value> {
    ran.report["breakdown"]["points"].as_array()?.iter().find(|point| point["name"] == name)
}

/// Runs a bundled experiment on the lab, and holds its layers against the lab, and its points against each other.
fn drill(file: &str, points: &[&str], orders: &[[&str; 2]], least: usize) {
    let store = tempfile::tempdir().expect("a folder");
    let path = root().join("experiments").join(file);
    let mut wrong = Vec::new();
    for seed in ["4", "9"] {
        let short = ["--var", "steady=2s", "--var", "confirm=2s", "--var", "observe=8s"];
        let ran = run(&path, store.path(), &[&["--env", "lab", "--seed", seed], &short[..]].concat());
        let held = hold(&ran, &mut wrong);
        if held < least {
            wrong.push(format!("seed {seed}: only {held} changes were seen: {}", said(&ran.output)));
        }
        for name in points.iter().filter(|name| point(&ran, name).is_none()) {
            wrong.push(format!("seed {seed}: no point `{name}`: {}", ran.report["breakdown"]["points"]));
        }
        for [before, after] in orders {
            let (Some(first), Some(second)) = (point(&ran, before), point(&ran, after)) else { continue };
            let (lo, hi) = (first["at"]["lo"].as_f64(), second["at"]["hi"].as_f64());
            if lo > hi {
                wrong.push(format!("seed {seed}: {before} cannot come before {after}: {first} {second}"));
            }
        }
        let ended = seen_notes(&ran);
        wrong.extend(ended.into_iter().map(|note| format!("seed {seed}: {note}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Complaints of the watchers: on the lab there is nothing to complain of.
fn seen_notes(ran: &Ran) -> Vec<String> {
    let notes = ran.list("notes").iter().filter_map(Value::as_str);
    notes.filter(|note| note.contains("watch")).map(str::to_owned).collect()
}

#[test]
fn a_terminated_instance_is_noticed_and_replaced() {
    drill(
        "terminate-instance.yaml",
        &["accepted", "effect", "detected", "replaced", "stable"],
        &[["accepted", "effect"], ["effect", "detected"], ["detected", "replaced"], ["effect", "stable"]],
        6,
    );
}

#[test]
fn a_failover_is_started_and_completed() {
    drill(
        "reboot-rds-failover.yaml",
        &["accepted", "effect", "detected", "replaced", "stable"],
        &[["accepted", "effect"], ["effect", "replaced"], ["detected", "replaced"], ["replaced", "stable"]],
        6,
    );
}

#[test]
fn a_replica_is_promoted_before_its_name_moves() {
    drill(
        "promote-replica.yaml",
        &["accepted", "effect", "replaced", "dns_moved", "stable"],
        &[["accepted", "effect"], ["effect", "replaced"], ["replaced", "dns_moved"], ["replaced", "stable"]],
        6,
    );
}

#[test]
fn the_plan_names_the_watchers_and_what_they_need() {
    let output = firedrill().args(["plan", "experiments/flip-route53.yaml", "--env", "lab"]).output();
    let text = said(&output.expect("it runs"));
    for part in
        ["target health in www-a", "elasticloadbalancing:DescribeTargetHealth", "changes of www.lab.test A"]
    {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_record_is_followed_until_it_is_in_sync() {
    drill(
        "flip-route53.yaml",
        &["accepted", "effect", "detected", "dns_moved", "stable"],
        &[["accepted", "effect"], ["effect", "detected"], ["effect", "dns_moved"], ["effect", "stable"]],
        6,
    );
}

#[test]
fn a_stopped_task_is_started_anew() {
    drill(
        "stop-ecs-task.yaml",
        &["accepted", "effect", "detected", "replaced", "stable"],
        &[["accepted", "effect"], ["effect", "detected"], ["effect", "replaced"], ["effect", "stable"]],
        8,
    );
}

/// A drill that terminates a web instance, with these alarms and this target for detection.
fn with_alarms(folder: &Path, alarms: &str, detection: &str) -> std::path::PathBuf {
    let path = folder.join("alarms.yaml");
    let text = format!(
        "kind: Experiment\nname: alarms\nalarms: {alarms}\nvariables:\n  storefront_url: {{ about: URL }}\n  \
         storefront_app: {{ about: tag }}\nobjectives: {{ detection: {detection} }}\n\
         targets:\n  victim:\n    ec2.instance: {{ tags: {{ app: \"${{storefront_app}}\" }}, pick: {{ count: 1 }} }}\n\
         probes:\n  storefront:\n    http: {{ url: \"${{storefront_url}}/health\" }}\n\
         steady_state: {{ for: 2s }}\nsteps:\n  - name: terminate one\n    irreversible: true\n    action:\n      \
         ec2.terminate_instances: {{ target: victim }}\nrecovery: {{ confirm: 1s, within: 60s, observe: 4s }}\n"
    );
    std::fs::write(&path, text).expect("written");
    path
}

fn detection(ran: &Ran) -> &Value {
    ran.list("objectives").iter().find(|o| o["name"] == "detection").expect("the objective")
}

#[test]
fn the_first_alarm_that_fires_is_the_detection() {
    let store = tempfile::tempdir().expect("a folder");
    let file = with_alarms(store.path(), "[storefront-unhealthy-hosts, storefront-5xx]", "20s");
    let ran = run(&file, store.path(), &["--env", "lab", "--seed", "3"]);
    let found = detection(&ran);
    assert_eq!((ran.code(), found["verdict"].as_str()), (0, Some("pass")), "{}", said(&ran.output));
    // Errors come at once; a target is unhealthy only after two failed checks.
    assert_eq!(found["observer"], "storefront-5xx");
    let mut wrong = Vec::new();
    assert!(hold(&ran, &mut wrong) > 0 && wrong.is_empty(), "{}", wrong.join("\n"));
    let fired = truth(&ran).into_iter().find(|(layer, _, state, _)| layer == "alarm" && state == "ALARM");
    let (.., fired) = fired.expect("the lab's alarm fired");
    let sent = ran.report["fault"]["injected_at"]["lo"].as_f64().expect("a fault");
    let took = fired / 1e9 - sent;
    let (lo, hi) = (found["observed"]["lo"].as_f64(), found["observed"]["hi"].as_f64());
    assert!(lo <= Some(took) && Some(took) <= hi, "{took} is not within {found}");
    let header = ran.header();
    let watchers = header["header"]["watchers"].as_array().expect("watchers");
    assert!(watchers.iter().any(|watcher| watcher["permissions"][0] == "cloudwatch:DescribeAlarms"));
}

#[test]
fn an_alarm_that_does_not_fire_is_a_miss() {
    let store = tempfile::tempdir().expect("a folder");
    let file = with_alarms(store.path(), "[checkout-5xx]", "1s");
    let ran = run(&file, store.path(), &["--env", "lab", "--seed", "3"]);
    let found = detection(&ran);
    assert_eq!((ran.code(), found["verdict"].as_str()), (1, Some("fail")), "{}", said(&ran.output));
    assert!(found["observed"]["hi"].is_null() && found["observed"]["lo"].as_f64() > Some(1.0), "{found}");
}

#[test]
fn an_unknown_alarm_is_found_out_by_the_plan() {
    let store = tempfile::tempdir().expect("a folder");
    let file = with_alarms(store.path(), "[storefront-5xxx]", "90s");
    let output = firedrill().arg("plan").arg(&file).args(["--env", "lab"]).output().expect("it runs");
    let text = said(&output);
    assert_ne!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("storefront-5xxx") && text.contains("there is: ") && text.contains("checkout-5xx"),
        "{text}"
    );
}

/// An environment that points at a lab of this process, with the values of the storefront.
fn outside(folder: &Path, lab: &Lab) -> std::path::PathBuf {
    let path = folder.join("firedrill.yaml");
    let text = project(lab, "outside", &lab.endpoint_url(), "");
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn what_cannot_be_watched_is_said_once_and_stops_nothing() {
    let store = tempfile::tempdir().expect("a folder");
    let lab = Lab::start(Settings { seed: 6, ..Settings::default() }).expect("a lab");
    let project = outside(store.path(), &lab);
    lab.provoke("DescribeTargetGroups", Provocation::AccessDenied);
    lab.provoke("DescribeScalingActivities", Provocation::Html500);
    lab.provoke("DescribeTargetHealth", Provocation::Throttle(3));
    let file = with_alarms(store.path(), "[storefront-5xx]", "20s");
    let project = project.to_string_lossy().into_owned();
    // The clients find the lab's keys in the environment of the process.
    let mut command = firedrill();
    command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
    command.arg("run").arg(&file).args(["--env", "outside", "--output", "json", "--project", &project]);
    let output = command.arg("--store").arg(store.path().join("runs")).output().expect("it runs");
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    // An alarm that fires within the look around the fault may leave the detection open; the run is whole.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", said(&output));
    assert_eq!(report["steps"][0]["outcome"], "done", "{}", said(&output));
    let about = |what: &str| {
        let notes = report["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
        notes.filter(|note| note.contains(what)).count()
    };
    assert_eq!(about("DescribeTargetGroups"), 1, "{}", report["notes"]);
    assert_eq!(about("watching Auto Scaling group storefront"), 1, "{}", report["notes"]);
    assert_eq!(about("watching target health"), 1, "{}", report["notes"]);
    // The group is not seen, and everything else is.
    let layers = report["breakdown"]["layers"].as_array().expect("layers");
    assert!(layers.iter().all(|layer| layer["layer"] != "scaling_activity"));
    assert!(layers.iter().any(|layer| layer["layer"] == "instance"));
}
