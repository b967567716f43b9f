//! The bundled drills with AWS misbehaving in the middle of them: whatever happens to a call, the run ends by
//! itself and tells the truth, nothing is done twice, and what it changed is put back or listed.
//!
//! `FIREDRILL_STRESS_DRILL` names the one drill to run. `FIREDRILL_STRESS=all` injects every fault at every mutating call instead of a choice of them;
//! `FIREDRILL_STRESS_SEED` draws the reading calls that fail.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use firedrill::lab::{Lab, Settings};
use serde_json::Value;

use crate::support::{firedrill, root};
use crate::support_lab::project;
use crate::support_proxy::{Bad, Call, Plan, Proxy, drawn};

/// How many runs are under way at once.
const AT_ONCE: usize = 3;
/// A run that takes longer has not ended by itself.
const LONGEST: Duration = Duration::from_secs(120);

/// The drills, with the number of mutating calls that each makes when nothing goes wrong.
const DRILLS: [(&str, usize); 5] = [
    ("flip-route53", 4),
    ("promote-replica", 3),
    ("reboot-rds-failover", 1),
    ("stop-ecs-task", 1),
    ("terminate-instance", 1),
];

/// The calls that leave the same state when they are made twice.
const IDEMPOTENT: [&str; 2] = ["ec2:StartInstances", "route53:ChangeResourceRecordSets"];

#[derive(Clone, Copy, Debug)]
struct Case {
    drill: &'static str,
    plan: Plan,
}

fn seed() -> u64 {
    std::env::var("FIREDRILL_STRESS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(7)
}

/// Every fault at every mutating call, or for each call those that differ most.
fn cases() -> Vec<Case> {
    let all = std::env::var("FIREDRILL_STRESS").is_ok_and(|value| value == "all");
    let mut cases = Vec::new();
    for (drill, mutations) in DRILLS {
        let mut add = |plan| cases.push(Case { drill, plan });
        add(Plan::Nothing);
        add(Plan::EachMutationOnce(Bad::Throttled));
        // Any of the reading calls of which the plan is made.
        if all || mutations > 1 {
            let read = usize::try_from(drawn(seed(), mutations as u64) % 6).expect("a small number");
            add(Plan::Read(read, Bad::Skewed));
        }
        for storm in 0..if all { 4 } else { 1 } {
            add(Plan::Storm { seed: seed() + storm, one_in: 4 });
        }
        for nth in 0..mutations {
            let bad: Vec<Bad> = if all {
                vec![
                    Bad::Internal,
                    Bad::Unavailable,
                    Bad::ResetBefore,
                    Bad::ResetAfter,
                    Bad::SlowAnswer,
                    Bad::LateCall,
                    Bad::Expired,
                    Bad::Skewed,
                    Bad::Lagging,
                    Bad::LostAndLagging,
                ]
            } else if drill == "flip-route53" {
                // Both its actions are undone: what comes late is worst there, where an undo may have been before it.
                let refused = [Bad::Internal, Bad::ResetBefore, Bad::Unavailable];
                let late = [Bad::LateCall, Bad::SlowAnswer, Bad::LateCall, Bad::Skewed];
                vec![Bad::LostAndLagging, Bad::Expired, refused[nth % refused.len()], late[nth % late.len()]]
            } else {
                let others = [Bad::Internal, Bad::Expired, Bad::ResetBefore, Bad::Skewed, Bad::SlowAnswer];
                vec![Bad::LostAndLagging, others[(drill.len() + nth) % others.len()]]
            };
            for bad in bad {
                add(Plan::Mutation(nth, bad));
            }
        }
    }
    if let Ok(only) = std::env::var("FIREDRILL_STRESS_DRILL") {
        cases.retain(|case| case.drill == only);
        assert!(!cases.is_empty(), "no bundled drill is called {only}");
    }
    // The longest first, so that none of them is left for the end.
    cases.sort_by_key(|case| !matches!(case.plan, Plan::Mutation(_, Bad::LateCall | Bad::SlowAnswer)));
    cases
}

#[test]
fn whatever_happens_to_a_call_nothing_is_done_twice_and_all_is_put_back() {
    let cases = cases();
    let (next, runs, faults) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let wrong = Mutex::new(Vec::new());
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    // On a machine that is busy enough the steady state may not hold: then the drill is begun again.
                    for attempt in 0..3 {
                        let ran = Stressed::run(*case);
                        runs.fetch_add(1, Ordering::SeqCst);
                        faults.fetch_add(ran.faults(), Ordering::SeqCst);
                        let mut found = ran.wrong();
                        if ran.untouched() && matches!(case.plan, Plan::Storm { .. }) && found.is_empty() {
                            break;
                        }
                        if ran.untouched() && attempt == 2 {
                            found.push("it never began".to_owned());
                        }
                        println!(
                            "{:?} took {:.1?}, {:?}, {} faults",
                            case,
                            ran.took,
                            ran.code(),
                            ran.faults()
                        );
                        if !found.is_empty() {
                            found.push(ran.told());
                        }
                        let found = found.into_iter().map(|what| format!("{case:?}: {what}"));
                        wrong.lock().expect("no panic").extend(found);
                        if !ran.untouched() {
                            break;
                        }
                    }
                }
            });
        }
    });
    println!(
        "stress: {} runs, {} faults, in {:.0?}",
        runs.load(Ordering::SeqCst),
        faults.load(Ordering::SeqCst),
        began.elapsed()
    );
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(faults.load(Ordering::SeqCst) >= cases.len() - DRILLS.len(), "faults were planned and not met");
}

/// A run, and all there is to know of it.
struct Stressed {
    case: Case,
    took: Duration,
    status: Option<ExitStatus>,
    report: Option<Value>,
    events: Vec<Value>,
    calls: Vec<Call>,
    sent: BTreeMap<String, usize>,
    before: BTreeMap<String, String>,
    after: BTreeMap<String, String>,
    stderr: String,
}

impl Stressed {
    fn run(case: Case) -> Stressed {
        let lab = Lab::start(Settings { seed: seed(), ..Settings::default() }).expect("a lab");
        let proxy = Proxy::start(&lab.endpoint_url(), case.plan);
        let folder = tempfile::tempdir().expect("a folder");
        write_project(&lab, &proxy, folder.path());
        let before = state(&lab);
        let began = Instant::now();
        let status = drill(case.drill, folder.path());
        let took = began.elapsed();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("its output");
        let report: Option<Value> = serde_json::from_str(&read("stdout")).ok();
        let journal = report
            .as_ref()
            .and_then(|report| report["run"].as_str())
            .map(|run| folder.path().join("runs").join(run).join("journal.jsonl"))
            .map(|path| std::fs::read_to_string(path).expect("a journal"))
            .unwrap_or_default();
        let events = journal
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|line| line.get("event").map(|event| event["kind"].clone()))
            .collect();
        let mut ran = Stressed {
            case,
            took,
            status,
            report,
            events,
            calls: proxy.calls(),
            sent: proxy.mutations(),
            before,
            after: BTreeMap::new(),
            stderr: read("stderr"),
        };
        ran.settle(&lab);
        ran
    }

    /// Looks at the lab until it is as it should be, or has had the time to be.
    fn settle(&mut self, lab: &Lab) {
        let began = Instant::now();
        loop {
            self.after = state(lab);
            if self.differences().is_empty() || began.elapsed() > Duration::from_secs(15) {
                return;
            }
            std::thread::sleep(Duration::from_millis(250));
        }
    }

    fn code(&self) -> Option<i32> {
        self.status.and_then(|status| status.code())
    }

    fn faults(&self) -> usize {
        self.calls.iter().filter(|call| call.bad.is_some()).count()
    }

    /// Whether it ended before it sent anything, so that nothing was put to the test.
    fn untouched(&self) -> bool {
        self.sent.is_empty()
    }

    fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.events.iter().filter(move |event| event["type"] == kind)
    }

    fn verdict(&self) -> &str {
        self.report.as_ref().and_then(|report| report["verdict"].as_str()).unwrap_or("none")
    }

    fn told(&self) -> String {
        let calls = self.events.iter().filter(|event| {
            [
                "call_sent",
                "call_returned",
                "undo_started",
                "undo_finished",
                "run_ended",
                "noted",
                "step_finished",
            ]
            .iter()
            .any(|kind| event["type"] == *kind)
        });
        let calls: Vec<String> = calls.map(Value::to_string).collect();
        let mutations: Vec<String> =
            self.calls.iter().filter(|call| call.mutates).map(|call| format!("{call:?}")).collect();
        format!("{}\n{}\n{}", self.stderr, calls.join("\n"), mutations.join("\n"))
    }

    /// Everything that does not hold.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let code = self.code();
        if !code.is_some_and(|code| [0, 1, 3, 4, 5].contains(&code)) {
            wrong.push(format!("it did not end by itself with a code of its own: {:?}", self.status));
        }
        if self.report.is_none() && (code != Some(3) || !self.sent.is_empty()) {
            wrong.push(format!("no report, exit {code:?}, and these were sent: {:?}", self.sent));
        }
        wrong.extend(self.twice());
        wrong.extend(self.unwritten());
        wrong.extend(self.overstated());
        wrong.extend(self.left(code));
        wrong.extend(self.silent());
        let left = code == Some(5);
        wrong.extend(self.differences().into_iter().filter(|_| !left));
        wrong
    }

    /// What was done, or sent, more than once without a reason.
    fn twice(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut done: BTreeMap<&str, usize> = BTreeMap::new();
        for call in self.calls.iter().filter(|call| call.mutates) {
            let accepted = call.status.is_some_and(|status| (200..300).contains(&status));
            *done.entry(&call.operation).or_default() += usize::from(accepted);
        }
        let twice = done.iter().filter(|(operation, times)| !IDEMPOTENT.contains(operation) && **times > 1);
        wrong.extend(twice.map(|(operation, times)| format!("{operation} was done {times} times")));

        let mut last: BTreeMap<String, String> = BTreeMap::new();
        let mut undoing = false;
        for event in &self.events {
            let key = format!("{} {} {}", event["step"], event["operation"], event["resource"]);
            if event["type"] == "undo_started" {
                undoing = true;
            } else if event["type"] == "call_sent" {
                let before = last.insert(key.clone(), "sent".to_owned());
                if !undoing && before.as_deref().is_some_and(|outcome| outcome != "refused") {
                    wrong.push(format!("{key} was sent again after `{before:?}`"));
                }
            } else if event["type"] == "call_returned" {
                last.insert(key, event["outcome"].as_str().unwrap_or_default().to_owned());
            }
        }
        wrong
    }

    /// Where the journal and the wire differ about what was sent.
    fn unwritten(&self) -> Vec<String> {
        let count = |kind: &str| {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for event in self.of(kind) {
                *counts.entry(event["operation"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
            counts
        };
        let (sent, returned) = (count("call_sent"), count("call_returned"));
        let mut wrong = Vec::new();
        if sent != self.sent {
            wrong.push(format!("the journal says that {sent:?} were sent, and {:?} came", self.sent));
        }
        if sent != returned {
            wrong.push(format!("{sent:?} were sent, and {returned:?} returned"));
        }
        wrong
    }

    /// A verdict better than what is known.
    fn overstated(&self) -> Vec<String> {
        let undo = self.events.iter().position(|event| event["type"] == "undo_started");
        let acted = self.events.get(..undo.unwrap_or(self.events.len())).unwrap_or_default();
        let unclear = acted.iter().any(|event| event["outcome"] == "unclear");
        let failed = acted.iter().any(|event| {
            event["type"] == "step_finished"
                && ["failed", "indeterminate"].iter().any(|o| event["outcome"] == *o)
        });
        let mut wrong = Vec::new();
        if (unclear || failed) && self.verdict() == "pass" {
            wrong.push("it passed, though a call's outcome is unclear or a step failed".to_owned());
        }
        let survives = matches!(
            self.case.plan,
            Plan::Nothing
                | Plan::EachMutationOnce(Bad::Throttled)
                | Plan::Read(..)
                | Plan::Mutation(_, Bad::Skewed | Bad::Lagging)
        );
        if survives && (unclear || failed) {
            wrong.push("it did not survive what can be survived".to_owned());
        }
        wrong
    }

    /// Where the undo, the exit code and the report differ.
    fn left(&self, code: Option<i32>) -> Vec<String> {
        let Some(report) = &self.report else { return Vec::new() };
        let left = report["undo"]["left"].as_array().map_or(0, Vec::len);
        let complete = report["undo"]["complete"] == true;
        let mut wrong = Vec::new();
        if complete != (left == 0) || complete == (code == Some(5)) {
            wrong.push(format!("exit {code:?} with an undo of {}", report["undo"]));
        }
        // Only credentials that are gone for good are a reason not to have put everything back.
        if !complete && !matches!(self.case.plan, Plan::Mutation(_, Bad::Expired)) {
            wrong.push(format!("not put back: {}", report["undo"]));
        }
        wrong
    }

    /// What happened and is not in the journal.
    fn silent(&self) -> Vec<String> {
        let noted = |words: &[&str]| {
            self.of("noted")
                .filter_map(|event| event["text"].as_str())
                .any(|text| words.iter().any(|word| text.contains(word)))
        };
        let told = match self.case.plan {
            _ if self.untouched() => true,
            Plan::EachMutationOnce(Bad::Throttled) => noted(&["was throttled; sending it again"]),
            Plan::Mutation(_, Bad::Skewed) => noted(&["clock"]),
            Plan::Storm { .. } => noted(&["at attempt"]),
            _ => true,
        };
        if told { Vec::new() } else { vec!["the journal does not tell what happened".to_owned()] }
    }

    /// Where the lab is not as it was, though nothing that was accepted explains it.
    fn differences(&self) -> Vec<String> {
        let accepted = |operation: &str| {
            self.calls.iter().any(|call| call.operation == operation && call.status == Some(200))
        };
        let mut explained = Vec::new();
        if accepted("ec2:TerminateInstances") {
            explained.push("ec2 ");
        }
        if accepted("rds:PromoteReadReplica") {
            explained.push("rds orders-db-replica");
        }
        if self.case.drill == "promote-replica" && accepted("route53:ChangeResourceRecordSets") {
            explained.push("record db.lab.test.");
        }
        let mut budget = 1;
        let mut wrong = Vec::new();
        for (name, was) in &self.before {
            let is = self.after.get(name).map_or("gone", String::as_str);
            if was == is {
                continue;
            }
            let irreversible = explained.iter().any(|prefix| name.starts_with(prefix));
            // One instance, and no more than one, may be terminated.
            if irreversible && (!name.starts_with("ec2 ") || std::mem::take(&mut budget) > 0) {
                continue;
            }
            wrong.push(format!("{name} was {was}, and is {is}"));
        }
        wrong
    }
}

fn write_project(lab: &Lab, proxy: &Proxy, folder: &Path) {
    let text = project(lab, "stress", &proxy.url(), "");
    std::fs::write(folder.join("firedrill.yaml"), text).expect("written");
}

/// Runs a drill, its output going to files; nothing when it had to be killed.
fn drill(name: &str, folder: &Path) -> Option<ExitStatus> {
    let file = |name: &str| std::fs::File::create(folder.join(name)).expect("a file");
    let text = std::fs::read_to_string(root().join("experiments").join(name).with_extension("yaml"));
    let copy = folder.join(name).with_extension("yaml");
    std::fs::write(&copy, impatient(&text.expect("a bundled drill"))).expect("written");
    let mut child = firedrill()
        .arg("run")
        .arg(&copy)
        .args(["--env", "stress", "--seed", "7", "--output", "json"])
        .args(["--var", "steady=1s", "--var", "confirm=1s", "--var", "observe=2s"])
        .arg("--project")
        .arg(folder.join("firedrill.yaml"))
        .arg("--store")
        .arg(folder.join("runs"))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .spawn()
        .expect("the binary runs");
    let began = Instant::now();
    while began.elapsed() < LONGEST {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(child.kill());
    drop(child.wait());
    None
}

/// The drill with ledgers that wait less before they are read: outside the embedded lab it is 30 s.
fn impatient(text: &str) -> String {
    let line = |line: &str| match line.contains(".ledger: {") {
        true => line.replace("\" }", "\", settle: 1s, read_every: 500ms }"),
        false => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// What there is in a lab, and how it is.
fn state(lab: &Lab) -> BTreeMap<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(looked(lab))
}

async fn looked(lab: &Lab) -> BTreeMap<String, String> {
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .region("eu-west-1")
        .endpoint_url(lab.endpoint_url())
        .credentials_provider(aws_credential_types::Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .load()
        .await;
    let mut state = BTreeMap::new();
    let instances = aws_sdk_ec2::Client::new(&config).describe_instances().send().await.expect("instances");
    for instance in instances.reservations().iter().flat_map(|reservation| reservation.instances()) {
        let standing = instance.state().and_then(|state| state.name()).map_or("?", |name| name.as_str());
        state.insert(format!("ec2 {}", instance.instance_id().unwrap_or("?")), standing.to_owned());
    }
    let databases =
        aws_sdk_rds::Client::new(&config).describe_db_instances().send().await.expect("databases");
    for database in databases.db_instances() {
        let source = database.read_replica_source_db_instance_identifier().unwrap_or("nobody");
        let status = database.db_instance_status().unwrap_or("?");
        let name = database.db_instance_identifier().unwrap_or("?");
        state.insert(format!("rds {name}"), format!("{status}, replica of {source}"));
    }
    let values = lab.values();
    let services = aws_sdk_ecs::Client::new(&config)
        .describe_services()
        .cluster(&values["ecs_cluster"])
        .services(&values["ecs_service"])
        .send()
        .await
        .expect("services");
    for service in services.services() {
        let counts = format!("{} of {} run", service.running_count(), service.desired_count());
        state.insert(format!("ecs {}", service.service_name().unwrap_or("?")), counts);
    }
    let records = aws_sdk_route53::Client::new(&config)
        .list_resource_record_sets()
        .hosted_zone_id(&values["zone_id"])
        .send()
        .await
        .expect("records");
    for set in records.resource_record_sets() {
        let name = format!("record {} {}", set.name(), set.r#type().as_str());
        state.insert(name, format!("{:?} {:?}", set.ttl(), set.resource_records()));
    }
    state
}
