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
         objectives: {{ rto: 90s, rpo: 0s }}\nprobes:\n  orders:\n    postgres.ledger: {{ dsn: \"${{orders_dsn}}\" }}\n    every: {every}\n\
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
    assert!(found.acked.len() > 50, "only {} were acknowledged", found.acked.len());
}
