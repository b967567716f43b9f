//! The Redis probes against real Redis: writes whose fate is known, and masters that are killed under a
//! client who follows the sentinel, held against the servers' own logs and streams.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use firedrill::clock::Clock;
use firedrill::journal;
use firedrill::probe::http::{Connection, Connections};
use firedrill::probe::redis::{Redis, Role};
use firedrill::probe::redis_ledger::{RedisLedger, Wait};
use firedrill::probe::{Answer, Ask, Opening, Probe, Resolver};
use firedrill::sample::{Cause, Class};
use serde_json::Value;

use crate::support::{Ran, said};
use crate::support_redis::{Group, PASSWORD, installed};

fn open(probe: &Probe) -> Arc<dyn Ask> {
    probe.open(&Opening::new("test-run", Resolver::System)).expect("opened")
}

async fn role(dsn: &str, role: Role) -> Answer {
    let probe = Redis {
        dsn: dsn.parse().expect("a DSN"),
        role,
        key: Some("cart:1".to_owned()),
        connect_timeout: Duration::from_millis(900),
        timeout: Duration::from_secs(2),
        connection: Connections(vec![Connection::Fresh]),
    };
    open(&Probe::Redis(probe)).ask(0, &Clock::start()).await
}

fn ledger(dsn: &str, wait: Option<Wait>) -> Arc<dyn Ask> {
    open(&Probe::RedisLedger(RedisLedger {
        dsn: dsn.parse().expect("a DSN"),
        stream: None,
        wait,
        connect_timeout: Duration::from_millis(900),
        timeout: Duration::from_millis(1500),
        connection: Connection::Fresh,
    }))
}

fn kind(answer: &Answer) -> (Class, Cause) {
    (answer.class, answer.cause)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_writes_and_their_doubts() {
    if !installed() {
        return;
    }
    let group = Group::start(1, &[]);
    let (master, replica) = (&group.servers[0], &group.servers[1]);
    let good = role(&master.dsn(), Role::Master).await;
    assert_eq!(kind(&good), (Class::Ok, Cause::None), "{good:?}");
    let info = master.cli(&["info", "server"]);
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:")).expect("a run id");
    assert_eq!(good.who.as_deref(), Some(id.trim()));
    assert_eq!(kind(&role(&replica.dsn(), Role::Replica).await), (Class::Ok, Cause::None));
    assert_eq!(kind(&role(&replica.dsn(), Role::Master).await), (Class::Wrong, Cause::ReadOnly));
    let denied = role(&master.dsn().replace(PASSWORD, "wrong"), Role::Any).await;
    assert_eq!(kind(&denied), (Class::FailFast, Cause::Denied), "{denied:?}");

    let clock = Clock::start();
    let write = ledger(&master.dsn(), None);
    write.prepare().await.expect("ready");
    assert_eq!(kind(&write.ask(0, &clock).await), (Class::Ok, Cause::None));
    // A write to a replica is certainly not done.
    let refused = ledger(&replica.dsn(), None).ask(1, &clock).await;
    assert_eq!(kind(&refused), (Class::FailFast, Cause::ReadOnly), "{refused:?}");
    // A write that is answered too late may or may not be done. This one is not: Redis forgets what a client
    // that has gone was still waiting for.
    master.cli(&["client", "pause", "2500", "write"]);
    let late = write.ask(2, &clock).await;
    assert_eq!(kind(&late), (Class::Info, Cause::Timeout), "{late:?}");
    master.cli(&["client", "unpause"]);
    let reading = write.read_back(&clock).await.expect("a ledger");
    assert_eq!((reading.error.as_deref(), reading.present.as_slice()), (None, &[(0, 0)][..]));

    // Two replicas cannot have it when there is one.
    let wait = |replicas| Some(Wait { replicas, timeout: Duration::from_millis(300) });
    assert_eq!(kind(&ledger(&master.dsn(), wait(1)).ask(3, &clock).await), (Class::Ok, Cause::None));
    let unsafe_ = ledger(&master.dsn(), wait(2)).ask(4, &clock).await;
    assert_eq!(kind(&unsafe_), (Class::Info, Cause::Protocol));
    assert!(unsafe_.detail.expect("why").contains("1 of 2 replicas"));
    master.cli(&["xadd", "firedrill:test-run", "*", "run", "another", "seq", "0"]);
    write.ask(5, &clock).await;
    let reading = write.read_back(&clock).await.expect("a ledger");
    // Written, but not on two replicas: number 4 is there.
    assert_eq!(reading.present, [(0, 0), (3, 5)]);
    assert_eq!(reading.unexpected, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_used_and_checked() {
    if !installed() {
        return;
    }
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/testdata");
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("server.key");
    let der = std::fs::read(format!("{testdata}/self_signed.key.der")).expect("a key");
    std::fs::write(&key, crate::postgres::pem("PRIVATE KEY", &der)).expect("written");
    let port = crate::support_redis::free_port().to_string();
    let (certificate, key) = (format!("{testdata}/self_signed.pem"), key.display().to_string());
    let group = Group::start(
        0,
        &[
            "--tls-port",
            &port,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-auth-clients",
            "no",
        ],
    );
    let at = format!("rediss://:{PASSWORD}@{}:{port}", group.servers[0].ip);
    let good = role(&format!("{at}?insecure=true"), Role::Master).await;
    assert_eq!(kind(&good), (Class::Ok, Cause::None), "{good:?}");
    assert!(good.phases.tls > 0);
    // The certificate is another name's.
    let other = role(&format!("{at}?ca={certificate}"), Role::Master).await;
    assert_eq!(kind(&other), (Class::FailFast, Cause::Tls), "{other:?}");
}

/// One drill: the master is killed, and the sentinel sees to the rest.
struct Drill {
    replicas: u8,
    /// More of the ledger's arguments.
    ledger: &'static str,
    /// How long replication stands still before the kill.
    severed: Option<f64>,
}

fn experiment(folder: &Path, script: &Path, more: &str) -> std::path::PathBuf {
    let text = format!(
        "kind: Experiment\nname: kill-the-master\nvariables:\n  orders_dsn: {{ secret: true }}\n\
         objectives: {{ rto: 60s, rpo: 0s }}\nprobes:\n  orders:\n    redis.ledger: {{ dsn: \"${{orders_dsn}}\"{more} }}\n    every: 20ms\n\
         \x20 client:\n    redis: {{ dsn: \"${{orders_dsn}}\" }}\n    every: 20ms\n\
         steady_state: {{ for: 2s }}\nsteps:\n  - name: kill the master\n    run: [bash, {:?}]\n\
         recovery: {{ confirm: 2s, within: 60s }}\n",
        script.display().to_string()
    );
    let path = folder.join("kill-the-master.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

/// What became of it: the run, the servers, and when the kill was, by the wall clock.
struct Seen {
    ran: Ran,
    group: Group,
    killed: (f64, f64),
    _folder: tempfile::TempDir,
}

fn run(drill: &Drill) -> Seen {
    let group = Group::guarded(drill.replicas);
    let folder = tempfile::tempdir().expect("a folder");
    let (script, stamps) = (folder.path().join("kill.sh"), folder.path().join("stamps"));
    let mut text = "set -eu\n".to_owned();
    if let Some(seconds) = drill.severed {
        for replica in &group.servers[1..] {
            // It cannot log in again, so what is written from now on is the master's alone.
            text.push_str(&format!("{} >&2\n", replica.script("config set masterauth wrong")));
            text.push_str(&format!("{} >&2\n", replica.script("client kill type master")));
        }
        text.push_str(&format!("sleep {seconds}\n"));
    }
    let pid = group.servers[0].pid();
    text.push_str(&format!(
        "a=$(date +%s.%N); kill -9 {pid}; b=$(date +%s.%N); echo $a $b > {}\n",
        stamps.display()
    ));
    std::fs::write(&script, text).expect("written");
    let file = experiment(folder.path(), &script, drill.ledger);
    let project = folder.path().join("firedrill.yaml");
    let values = format!(
        "environments:\n  group:\n    confirm: none\n    values:\n      orders_dsn: \"{}\"\n",
        group.dsn()
    );
    std::fs::write(&project, values).expect("written");
    let ran =
        Ran::run(&file, folder.path(), &["--env", "group", "--project", &project.display().to_string()]);
    let stamps =
        std::fs::read_to_string(&stamps).unwrap_or_else(|_| panic!("never killed: {}", said(&ran.output)));
    let mut stamps = stamps.split_whitespace().map(|stamp| stamp.parse().expect("a stamp"));
    let killed = (stamps.next().expect("before"), stamps.next().expect("after"));
    Seen { ran, group, killed, _folder: folder }
}

impl Seen {
    /// The writes that were acknowledged and are not there, by `redis-cli` alone.
    fn lost(&self) -> BTreeSet<u32> {
        let stream = format!("firedrill:{}", self.ran.report["run"].as_str().expect("an id"));
        let text = self.master().cli(&["xrange", &stream, "-", "+"]);
        let lines: Vec<&str> = text.lines().collect();
        let present: BTreeSet<u32> = lines
            .windows(2)
            .filter(|pair| pair[0] == "seq")
            .map(|pair| pair[1].parse().expect("a number"))
            .collect();
        let record = journal::read(&self.ran.dir).expect("a journal");
        let index =
            record.header.probes.iter().position(|probe| probe.name == "orders").expect("a ledger") as u16;
        let acked = record.samples.iter().filter(|s| s.probe == index && s.class == Class::Ok).map(|s| s.seq);
        acked.filter(|seq| !present.contains(seq)).collect()
    }

    fn master(&self) -> &crate::support_redis::Node {
        let after = &self.group.servers[1..];
        after.iter().find(|node| node.cli(&["role"]).starts_with("master")).expect("a new master")
    }

    /// The one outage that a probe saw must hold the kill, and the instant from which the sentinel names
    /// the new master, by its log. Its stamps are cut to milliseconds.
    fn hold(&self, probe: &str) {
        let began: jiff::Timestamp =
            self.ran.report["started_at"].as_str().expect("a time").parse().expect("a time");
        let run = |wall: f64| wall - began.as_nanosecond() as f64 / 1e9;
        let sentinel = self.group.sentinel.as_ref().expect("a sentinel");
        let named = run(sentinel.logged("+failover-state-reconf-slaves").expect("a failover"));
        let switched = run(sentinel.logged("+switch-master").expect("a switch"));
        let promoted = run(self.master().logged("MASTER MODE enabled").expect("a promotion"));
        let outages = self.ran.probe(probe)["outages"].as_array().expect("outages").clone();
        assert_eq!(outages.len(), 1, "{probe}: {outages:?}");
        let (begin, end) = (ends(&outages[0]["begin"]), ends(&outages[0]["end"]));
        println!(
            "{probe}: begin {begin:?}, killed {:.4} to {:.4}; promoted {promoted:.3}, named {named:.3}, \
             end {end:?}, switched {switched:.3}",
            run(self.killed.0),
            run(self.killed.1)
        );
        assert!(begin.0 <= run(self.killed.1) && run(self.killed.0) <= begin.1, "{probe}: {}", outages[0]);
        assert!(end.0 <= named + 0.001 && named <= end.1, "{probe}: named at {named}: {}", outages[0]);
        assert!(promoted <= end.1 && switched >= named, "{probe}: {promoted} {switched}");
        let duration = ends(&outages[0]["duration"]);
        let truth = named - run(self.killed.0);
        assert!(
            duration.0 <= truth + 0.001 && truth - 0.001 <= duration.1,
            "{probe}: {truth} in {duration:?}"
        );
    }
}

fn ends(interval: &Value) -> (f64, f64) {
    (interval["lo"].as_f64().expect("lo"), interval["hi"].as_f64().expect("hi"))
}

#[test]
fn a_master_that_is_killed_loses_what_its_replica_never_got() {
    if !installed() {
        return;
    }
    let seen = run(&Drill { replicas: 1, ledger: "", severed: Some(1.5) });
    assert_eq!(seen.ran.code(), 1, "{}", said(&seen.ran.output));
    let (lost, ledger) = (seen.lost(), &seen.ran.list("rpo")[0]);
    println!("{} lost: {ledger}", lost.len());
    assert_eq!(ledger["lost"].as_u64(), Some(lost.len() as u64), "{ledger}");
    assert!(lost.len() > 20, "only {} were lost", lost.len());
    seen.hold("orders");
    seen.hold("client");
    assert!(!String::from_utf8_lossy(&seen.ran.output.stderr).contains(PASSWORD), "the password was shown");
    for name in ["journal.jsonl", "report.html", "report.json"] {
        let text = std::fs::read_to_string(seen.ran.dir.join(name)).expect("read");
        assert!(!text.contains(PASSWORD), "the password is in {name}");
    }
}

#[test]
fn what_a_replica_has_is_not_lost() {
    if !installed() {
        return;
    }
    let seen = run(&Drill { replicas: 2, ledger: ", wait: { replicas: 1, timeout: 900ms }", severed: None });
    let (lost, ledger) = (seen.lost(), &seen.ran.list("rpo")[0]);
    assert_eq!((ledger["lost"].as_u64(), lost.len()), (Some(0), 0), "{ledger}\n{}", said(&seen.ran.output));
    assert!(ledger["acked"].as_u64() > Some(50), "{ledger}");
    assert_eq!(seen.ran.code(), 0, "{}", said(&seen.ran.output));
    seen.hold("client");
}
