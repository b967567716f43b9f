//! The MySQL probes against a real MariaDB: roles, refusals, writes whose fate is known, and a primary that
//! is killed and whose replica is promoted, held against the servers' own rows.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use firedrill::clock::Clock;
use firedrill::journal;
use firedrill::probe::http::{Connection, Connections};
use firedrill::probe::mysql::{Mysql, Role};
use firedrill::probe::mysql_ledger::MysqlLedger;
use firedrill::probe::{Answer, Ask, Opening, Probe, Resolver};
use firedrill::sample::{Cause, Class};
use serde_json::Value;

use crate::support::{Ran, said};
use crate::support_mariadb::{Node, PASSWORD, Pair, installed};
use crate::support_pg::Names;

const NAME: &str = "orders.drill.test";

fn open(probe: &Probe) -> Arc<dyn Ask> {
    probe.open(&Opening::new("test-run", Resolver::System)).expect("opened")
}

async fn role(dsn: &str, role: Role) -> Answer {
    let probe = Mysql {
        dsn: dsn.parse().expect("a DSN"),
        role,
        query: None,
        connect_timeout: Duration::from_millis(900),
        timeout: Duration::from_secs(2),
        connection: Connections(vec![Connection::Fresh]),
    };
    open(&Probe::Mysql(probe)).ask(0, &Clock::start()).await
}

fn ledger(dsn: &str) -> Arc<dyn Ask> {
    open(&Probe::MysqlLedger(MysqlLedger {
        dsn: dsn.parse().expect("a DSN"),
        table: None,
        connect_timeout: Duration::from_millis(900),
        timeout: Duration::from_millis(1200),
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
    let pair = Pair::primary();
    let primary = &pair.primary;
    let good = role(&primary.dsn(), Role::Writer).await;
    assert_eq!(kind(&good), (Class::Ok, Cause::None), "{good:?}");
    assert!(good.who.expect("somebody").ends_with(&format!(":{}/1", primary.port)));
    for (dsn, cause) in [
        (primary.dsn().replace(PASSWORD, "wrong"), Cause::Denied),
        (primary.dsn().replace("/drill", "/nowhere"), Cause::Denied),
        (format!("{}?ssl-mode=required", primary.dsn()), Cause::Tls),
    ] {
        let answer = role(&dsn, Role::Writer).await;
        assert_eq!(kind(&answer), (Class::FailFast, cause), "{answer:?}");
        assert!(!answer.detail.expect("why").contains(PASSWORD));
    }

    let clock = Clock::start();
    let write = ledger(&primary.dsn());
    write.prepare().await.expect("created");
    assert_eq!(kind(&write.ask(0, &clock).await), (Class::Ok, Cause::None));
    // Behind a lock the row waits longer than the probe does, and comes all the same.
    let locking = primary.script("begin; select * from drill.firedrill_test_run for update; select sleep(3)");
    let mut lock = std::process::Command::new("sh")
        .args(["-c", &format!("exec {locking}")])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("a client");
    until(|| primary.sql("show processlist").contains("sleep(3)")).await;
    let late = write.ask(1, &clock).await;
    assert_eq!(kind(&late), (Class::Info, Cause::Timeout), "{late:?}");
    lock.wait().expect("ended");
    until(|| primary.sql("select count(*) from drill.firedrill_test_run").trim() == "2").await;

    primary.sql("set global read_only = 1");
    assert_eq!(kind(&role(&primary.dsn(), Role::Writer).await), (Class::Wrong, Cause::ReadOnly));
    assert_eq!(kind(&role(&primary.dsn(), Role::Any).await), (Class::Ok, Cause::None));
    let refused = write.ask(2, &clock).await;
    assert_eq!(kind(&refused), (Class::FailFast, Cause::ReadOnly), "{refused:?}");
    let error = write.read_back(&clock).await.expect("a ledger").error.expect("an error");
    assert!(error.contains("not the writer"), "{error}");
    primary.sql("set global read_only = 0");

    // With autocommit off, what is acknowledged is not there.
    primary.sql("set global autocommit = 0");
    let open = write.ask(3, &clock).await;
    assert_eq!(kind(&open), (Class::Info, Cause::Protocol), "{open:?}");
    primary.sql("set global autocommit = 1");
    primary.sql("insert into drill.firedrill_test_run (run, seq) values ('another', 1)");
    let reading = write.read_back(&clock).await.expect("a ledger");
    assert_eq!((reading.error.as_deref(), reading.present.as_slice()), (None, &[(0, 1)][..]));
    assert_eq!(reading.unexpected, 1);
}

async fn until(mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < end, "it did not happen within two minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn wall() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

fn experiment(folder: &Path, script: &Path) -> PathBuf {
    let text = format!(
        "kind: Experiment\nname: kill-and-promote\nvariables:\n  orders_dsn: {{ secret: true }}\n\
         objectives: {{ rto: 90s, rpo: 0s }}\nprobes:\n  orders:\n    mysql.ledger: {{ dsn: \"${{orders_dsn}}\" }}\n    every: 20ms\n\
         \x20 client:\n    mysql: {{ dsn: \"${{orders_dsn}}\", connection: reconnect }}\n    every: 20ms\n\
         steady_state: {{ for: 2s }}\nsteps:\n  - name: kill the primary and promote\n    run: [bash, {:?}]\n\
         recovery: {{ confirm: 2s, within: 90s }}\n",
        script.display().to_string()
    );
    let path = folder.join("kill-and-promote.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

/// What became of a drill: the run, the servers, and by the wall clock when the kill and the move of the name were.
struct Seen {
    ran: Ran,
    pair: Pair,
    killed: (f64, f64),
    moved: (f64, f64),
    _folder: tempfile::TempDir,
}

/// Kills the primary, after so many seconds of stopped replication, and promotes the replica.
async fn drill(semi_sync: bool, stopped: Option<f64>) -> Seen {
    let pair = Pair::replicated(semi_sync);
    let replica = pair.replica.as_ref().expect("a replica");
    let names = Names::serve(NAME, pair.primary.ip).await;
    let folder = tempfile::tempdir().expect("a folder");
    let (script, stamps, done) =
        (folder.path().join("kill.sh"), folder.path().join("stamps"), folder.path().join("promoted"));
    let mut text = "set -eu\n".to_owned();
    if let Some(seconds) = stopped {
        text.push_str(&format!("{}\nsleep {seconds}\n", replica.script("stop slave")));
    }
    // Somebody has to notice first: three bad samples make an outage, fewer are blips.
    let promote = replica.script("stop slave; reset slave all; set global read_only=0");
    text.push_str(&format!(
        "a=$(date +%s.%N); kill -9 {}; b=$(date +%s.%N); echo $a $b > {}\nsleep 1\n{promote}\ntouch {}\n",
        pair.primary.pid(),
        stamps.display(),
        done.display()
    ));
    std::fs::write(&script, text).expect("written");
    let file = experiment(folder.path(), &script);
    let project = folder.path().join("firedrill.yaml");
    let values = format!(
        "environments:\n  pair:\n    resolver: \"{}\"\n    confirm: none\n    values:\n      orders_dsn: \"{}\"\n",
        names.address,
        pair.primary.dsn_at(NAME)
    );
    std::fs::write(&project, values).expect("written");
    let store = folder.path().to_owned();
    let running = tokio::task::spawn_blocking(move || {
        Ran::run(&file, &store, &["--env", "pair", "--project", &project.display().to_string()])
    });
    let moving = async {
        until(|| done.exists()).await;
        let before = wall();
        names.flip(replica.ip);
        (before, wall())
    };
    let (ran, moved) = tokio::join!(running, moving);
    let stamps = std::fs::read_to_string(&stamps).expect("killed");
    let mut stamps = stamps.split_whitespace().map(|stamp| stamp.parse().expect("a stamp"));
    let killed = (stamps.next().expect("before"), stamps.next().expect("after"));
    Seen { ran: ran.expect("ran"), pair, killed, moved, _folder: folder }
}

impl Seen {
    fn replica(&self) -> &Node {
        self.pair.replica.as_ref().expect("a replica")
    }

    /// The writes that were acknowledged and are not there, by SQL alone.
    fn lost(&self) -> BTreeSet<u32> {
        let rows = self.replica().sql(&format!("select seq from drill.{}", self.table()));
        let present: BTreeSet<u32> = rows.lines().map(|row| row.parse().expect("a number")).collect();
        let record = journal::read(&self.ran.dir).expect("a journal");
        let index =
            record.header.probes.iter().position(|probe| probe.name == "orders").expect("a ledger") as u16;
        let acked = record.samples.iter().filter(|s| s.probe == index && s.class == Class::Ok).map(|s| s.seq);
        acked.filter(|seq| !present.contains(seq)).collect()
    }

    fn table(&self) -> String {
        format!("firedrill_{}", self.ran.report["run"].as_str().expect("an id").replace('-', "_"))
    }

    /// The one outage that a probe saw must hold the kill and the move of the name; the first row that
    /// the promoted server stamped itself must not be from before its end, nor the last replicated one from after its begin.
    fn hold(&self, probe: &str) {
        let began: jiff::Timestamp =
            self.ran.report["started_at"].as_str().expect("a time").parse().expect("a time");
        let run = |wall: f64| wall - began.as_nanosecond() as f64 / 1e9;
        let outages = self.ran.probe(probe)["outages"].as_array().expect("outages").clone();
        assert_eq!(outages.len(), 1, "{probe}: {outages:?}");
        let (begin, end) = (ends(&outages[0]["begin"]), ends(&outages[0]["end"]));
        let first = run(self.stamp("min", ">", self.killed.1));
        let last = run(self.stamp("max", "<", self.killed.1));
        println!(
            "{probe}: last row {last:.4}, begin {begin:?}, killed {:.4}; moved {:.4}, end {end:?}, first row {first:.4}",
            run(self.killed.0),
            run(self.moved.0)
        );
        assert!(begin.0 <= run(self.killed.1) && run(self.killed.0) <= begin.1, "{probe}: {}", outages[0]);
        assert!(end.0 <= run(self.moved.1) && run(self.moved.0) <= end.1, "{probe}: {}", outages[0]);
        assert!(last <= begin.1 && first >= run(self.moved.0), "{probe}: {last} {first}");
        if probe == "orders" {
            // The row was stamped while the first good write was under way.
            assert!(first <= end.1, "{probe}: first row {first} after {end:?}");
        }
    }

    /// The wall-clock stamp of the first or last row on one side of an instant, as the server gave it.
    fn stamp(&self, which: &str, side: &str, than: f64) -> f64 {
        let sql = format!(
            "select unix_timestamp({which}(written_at)) from drill.{} where unix_timestamp(written_at) {side} {than}",
            self.table()
        );
        self.replica().sql(&sql).trim().parse().expect("a stamp")
    }
}

fn ends(interval: &Value) -> (f64, f64) {
    (interval["lo"].as_f64().expect("lo"), interval["hi"].as_f64().expect("hi"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_replication_loses_what_sql_says_it_lost() {
    if !installed() {
        return;
    }
    let seen = drill(false, Some(1.5)).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn semi_synchronous_replication_loses_nothing() {
    if !installed() {
        return;
    }
    let seen = drill(true, None).await;
    let (lost, ledger) = (seen.lost(), &seen.ran.list("rpo")[0]);
    assert_eq!((ledger["lost"].as_u64(), lost.len()), (Some(0), 0), "{ledger}\n{}", said(&seen.ran.output));
    assert!(ledger["acked"].as_u64() > Some(50), "{ledger}");
    assert_eq!(seen.ran.code(), 0, "{}", said(&seen.ran.output));
    seen.hold("orders");
}
