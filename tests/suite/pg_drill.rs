//! A real PostgreSQL pair: a `run` step freezes replication, kills the primary and promotes the
//! standby, and what the ledger says is lost is held against SQL.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use firedrill::journal;
use firedrill::sample::Class;

use crate::support::{Ran, said};
use crate::support_pg::{Cluster, Names, binaries, installed};

const NAME: &str = "orders.drill.test";

/// What the test itself found: the writes that were acknowledged, and those that are there.
struct Found {
    acked: BTreeSet<u32>,
    present: BTreeSet<u32>,
}

impl Found {
    fn lost(&self) -> u64 {
        self.acked.difference(&self.present).count() as u64
    }
}

/// Freezes the walsender for `freeze` seconds of writes, then kills the primary and promotes.
fn script(cluster: &Cluster, walsender: i32, freeze: u32, done: &Path) -> String {
    let standby = cluster.standby.as_ref().expect("a standby");
    let promote = format!(
        "{} promote -w -D {}",
        binaries().expect("PostgreSQL").join("pg_ctl").display(),
        standby.data.display()
    );
    let promote = match rustix::process::getuid().is_root() {
        true => format!("setpriv --reuid=postgres --regid=postgres --init-groups {promote}"),
        false => promote,
    };
    // A frozen process can be killed, and what it had not sent is gone.
    format!(
        "set -eu\nkill -STOP {walsender}\nsleep {freeze}\nkill -9 {}\nkill -9 {walsender}\ncd /\n{promote}\ntouch {}\n",
        cluster.primary.pid(),
        done.display()
    )
}

fn experiment(folder: &Path, script: &Path, every: &str) -> PathBuf {
    let text = format!(
        "kind: Experiment\nname: kill-and-promote\nvariables:\n  orders_dsn: {{ secret: true }}\n\
         objectives: {{ rto: 90s, rpo: 0s }}\nprobes:\n  orders:\n    postgres.ledger: {{ dsn: \"${{orders_dsn}}\", settle: 1s, read_every: 200ms }}\n    every: {every}\n\
         steady_state: {{ for: 2s }}\nsteps:\n  - name: kill the primary and promote\n    run: [bash, {:?}]\n\
         recovery: {{ confirm: 2s, within: 90s }}\n",
        script.display().to_string()
    );
    let path = folder.join("kill-and-promote.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

fn project(folder: &Path, names: &Names, dsn: &str) -> PathBuf {
    let text = format!(
        "environments:\n  pair:\n    resolver: \"{}\"\n    confirm: none\n    values:\n      orders_dsn: \"{dsn}\"\n",
        names.address
    );
    let path = folder.join("firedrill.yaml");
    std::fs::write(&path, text).expect("written");
    path
}

async fn drill(settings: &str, freeze: u32, every: &str) -> (Ran, Found, tempfile::TempDir) {
    let mut cluster = Cluster::pair().await;
    let primary = cluster.primary.session().await;
    if !settings.is_empty() {
        primary.batch_execute(settings).await.expect("set");
        primary.batch_execute("select pg_reload_conf()").await.expect("reloaded");
    }
    let streaming = "select pid from pg_stat_replication where state = 'streaming'";
    let walsender: i32 = until_some(|| async { primary.query_opt(streaming, &[]).await.ok()? }).await.get(0);
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::serve(NAME, cluster.primary.ip).await;
    let (path, done) = (folder.path().join("kill.sh"), folder.path().join("promoted"));
    std::fs::write(&path, script(&cluster, walsender, freeze, &done)).expect("written");
    let file = experiment(folder.path(), &path, every);
    let project = project(folder.path(), &names, &cluster.primary.dsn_at(NAME));

    let store = folder.path().to_owned();
    let running = tokio::task::spawn_blocking(move || {
        let project = project.display().to_string();
        Ran::run(&file, &store, &["--env", "pair", "--project", &project])
    });
    let ip = cluster.standby.as_ref().expect("a standby").ip;
    let flip = async {
        until_some(|| async { done.exists().then_some(()) }).await;
        names.flip(ip);
    };
    let (ran, ()) = tokio::join!(running, flip);
    let ran = ran.expect("ran");
    // Already dead: this only collects it.
    cluster.primary.kill();
    let found = found(&ran, &cluster).await;
    (ran, found, folder)
}

async fn found(ran: &Ran, cluster: &Cluster) -> Found {
    let table = format!("firedrill_{}", ran.report["run"].as_str().expect("an id"));
    let session = cluster.standby.as_ref().expect("a standby").session().await;
    let tables = "select relname from pg_class where relname like 'firedrill%' and relkind = 'r'";
    let all: Vec<String> =
        session.query(tables, &[]).await.expect("asked").iter().map(|row| row.get(0)).collect();
    let name = all
        .iter()
        .find(|name| name.replace('-', "_") == table.replace('-', "_"))
        .unwrap_or_else(|| panic!("{table} is not among {all:?}"));
    let rows = session.query(&format!("select seq from \"{name}\""), &[]).await.expect("read");
    let present = rows.iter().map(|row| row.get::<_, i64>(0) as u32).collect();
    let record = journal::read(&ran.dir).expect("a journal");
    let acked =
        record.samples.iter().filter(|s| matches!(s.class, Class::Ok | Class::Slow)).map(|s| s.seq).collect();
    Found { acked, present }
}

async fn until_some<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "it did not happen within two minutes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_replication_loses_what_sql_says_it_lost() {
    if !installed() {
        return;
    }
    let (ran, found, _folder) = drill("", 25, "10ms").await;
    assert_eq!(ran.code(), 1, "{}", said(&ran.output));
    let ledger = &ran.list("rpo")[0];
    assert_eq!(ledger["lost"].as_u64(), Some(found.lost()), "{ledger}");
    assert_eq!(ledger["acked"].as_u64(), Some(found.acked.len() as u64), "{ledger}");
    assert!(found.lost() > 1000, "only {} of {} were lost", found.lost(), found.acked.len());
    // Each of them is more than a byte of log that the standby never had.
    assert!(ledger["bytes"]["lo"].as_f64() > Some(found.lost() as f64), "{ledger}");
    assert_eq!(
        (&ledger["split_brain"], ledger["reads"].as_u64()),
        (&serde_json::Value::Null, Some(3)),
        "{ledger}"
    );
    assert!(!String::from_utf8_lossy(&ran.output.stderr).contains("hunter2"), "the password was shown");
    for name in ["journal.jsonl", "report.html", "report.json"] {
        let text = std::fs::read_to_string(ran.dir.join(name)).expect("read");
        assert!(!text.contains("hunter2"), "the password is in {name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn synchronous_replication_loses_nothing() {
    if !installed() {
        return;
    }
    let (ran, found, _folder) = drill("alter system set synchronous_standby_names = '*'", 4, "20ms").await;
    assert_eq!(ran.code(), 0, "{}", said(&ran.output));
    let ledger = &ran.list("rpo")[0];
    assert_eq!((ledger["lost"].as_u64(), found.lost()), (Some(0), 0), "{ledger}");
    assert_eq!(ledger["bytes"]["hi"].as_f64(), Some(0.0), "{ledger}");
    assert!(found.acked.len() > 50, "only {} were acknowledged", found.acked.len());
}

/// The standby is promoted while the old primary lives on, and a client keeps its connections to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_primary_that_goes_on_taking_writes_is_a_split_brain() {
    if !installed() {
        return;
    }
    let cluster = Cluster::pair().await;
    let (old, new) = (&cluster.primary, cluster.standby.as_ref().expect("a standby"));
    let folder = tempfile::tempdir().expect("a folder");
    let names = Names::serve(NAME, old.ip).await;
    let done = folder.path().join("promoted");
    let path = folder.path().join("promote.sh");
    let text = script(&cluster, 0, 0, &done);
    let promotion: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("kill") && !line.starts_with("sleep")).collect();
    std::fs::write(&path, promotion.join("\n") + "\nsleep 4\n").expect("written");
    let ledger = |name: &str, more: &str| {
        format!(
            "  {name}:\n    postgres.ledger: {{ dsn: \"${{orders_dsn}}\", settle: 1s, read_every: 200ms, old_primary: {{ address: \"{}:{}\", write_test: true }}{more} }}\n    every: 50ms\n",
            old.ip, old.port
        )
    };
    let text = format!(
        "kind: Experiment\nname: leave-it-alive\nvariables:\n  orders_dsn: {{ secret: true }}\nobjectives: {{ rpo: 0s }}\nprobes:\n{}{}\
         steady_state: {{ for: 3s }}\nsteps:\n  - name: promote\n    run: [bash, {:?}]\nrecovery: {{ confirm: 2s, within: 60s }}\n",
        ledger("orders", ""),
        ledger("pooled", ", connection: kept"),
        path.display().to_string()
    );
    let file = folder.path().join("leave-it-alive.yaml");
    std::fs::write(&file, text).expect("written");
    let project = project(folder.path(), &names, &old.dsn_at(NAME));
    let store = folder.path().to_owned();
    let running = tokio::task::spawn_blocking(move || {
        Ran::run(&file, &store, &["--env", "pair", "--project", &project.display().to_string()])
    });
    let flip = async {
        until_some(|| async { done.exists().then_some(()) }).await;
        names.flip(new.ip);
    };
    let (ran, ()) = tokio::join!(running, flip);
    let ran = ran.expect("ran");
    assert_eq!(ran.code(), 1, "{}", said(&ran.output));

    // What SQL says: how many rows of the client that kept its connections only the old one has.
    let table = format!("firedrill_{}", ran.report["run"].as_str().expect("an id").replace('-', "_"));
    let rows = |session: tokio_postgres::Client| async move {
        let sql = format!("select seq from {table} where run like '%-pooled'");
        let rows = session.query(&sql, &[]).await.expect("read");
        rows.iter().map(|row| row.get::<_, i64>(0)).collect::<BTreeSet<i64>>()
    };
    let (there, here) = (rows.clone()(old.session().await).await, rows(new.session().await).await);
    let only_old = there.difference(&here).count() as u64;
    let pooled = ran.list("rpo").iter().find(|ledger| ledger["probe"] == "pooled").expect("a ledger");
    assert!(only_old > 40, "{only_old}: {pooled}");
    assert_eq!(pooled["lost"].as_u64(), Some(only_old), "{pooled}");
    let salvage = &pooled["salvage"];
    assert_eq!(
        (salvage["on_old_only"].as_u64(), salvage["nowhere"].as_u64()),
        (Some(only_old), Some(0)),
        "{pooled}"
    );
    let who = format!("{}:{}", old.ip, old.port);
    let brain = &pooled["split_brain"];
    assert_eq!(
        (brain["old"].as_str(), brain["survived"].as_u64()),
        (Some(who.as_str()), Some(0)),
        "{pooled}"
    );
    assert!(brain["writes"].as_u64() > Some(40) && brain["writes"].as_u64() <= Some(only_old), "{pooled}");
    let fencing = &pooled["fencing"];
    assert_eq!(fencing["who"].as_str(), Some(who.as_str()), "{pooled}");
    let notes = ran.report["notes"].to_string();
    for word in ["split brain", "not fenced", "are still on the old primary", "drop table"] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    // The client that followed the name took nothing of this.
    let followed = ran.list("rpo").iter().find(|ledger| ledger["probe"] == "orders").expect("a ledger");
    assert!(followed["fencing"]["writable"].as_u64() > Some(0), "{followed}");
    assert!(followed["fencing"]["wrote"].as_u64() > Some(0), "{followed}");
    assert_eq!(followed["unexpected"].as_u64(), Some(0), "{followed}");
}
