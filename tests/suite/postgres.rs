//! The PostgreSQL probes against a real PostgreSQL: roles, refusals, and writes whose fate is known.

// Helpers of tests fail as tests do.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use firedrill::clock::Clock;
use firedrill::probe::http::Connection;
use firedrill::probe::postgres::{Postgres, Role};
use firedrill::probe::postgres_ledger::PostgresLedger;
use firedrill::probe::{Answer, Ask, Opening, Probe, Resolver};
use firedrill::sample::{Cause, Class};

use super::support_pg::{Cluster, Names, PASSWORD, installed};

const CONNECT: Duration = Duration::from_millis(900);
const TIMEOUT: Duration = Duration::from_secs(2);

fn open(probe: &Probe, resolver: Resolver) -> Arc<dyn Ask> {
    let opening = Opening::new("test-run", resolver);
    probe.open(&opening).unwrap()
}

async fn ask_role(dsn: &str, role: Role) -> Answer {
    ask_query(dsn, role, None, Resolver::System).await
}

async fn ask_query(dsn: &str, role: Role, query: Option<&str>, resolver: Resolver) -> Answer {
    let query = query.map(str::to_owned);
    let probe =
        Postgres { dsn: dsn.parse().unwrap(), role, connect_timeout: CONNECT, timeout: TIMEOUT, query };
    open(&Probe::Postgres(probe), resolver).ask(0, &Clock::start()).await
}

fn ledger(dsn: &str, timeout: Duration) -> Probe {
    Probe::PostgresLedger(PostgresLedger {
        dsn: dsn.parse().unwrap(),
        table: None,
        connect_timeout: CONNECT,
        timeout,
        connection: Connection::Fresh,
        reads: Duration::ZERO,
        settle: Some(Duration::ZERO),
        read_every: Some(Duration::from_millis(50)),
        old_primary: None,
        keep: true,
    })
}

fn kind(answer: &Answer) -> (Class, Cause) {
    (answer.class, answer.cause)
}

#[tokio::test]
async fn a_role_is_told_apart_and_a_refusal_is_classed() {
    if !installed() {
        return;
    }
    let cluster = Cluster::pair().await;
    let standby = cluster.standby.as_ref().unwrap();
    let (writer, reader) = (cluster.primary.dsn(), standby.dsn());

    assert_eq!(kind(&ask_role(&writer, Role::Writer).await), (Class::Ok, Cause::None));
    assert_eq!(kind(&ask_role(&reader, Role::Writer).await), (Class::Wrong, Cause::ReadOnly));
    assert_eq!(kind(&ask_role(&reader, Role::Any).await), (Class::Ok, Cause::None));

    let query = |text: &'static str| ask_query(&writer, Role::Writer, Some(text), Resolver::System);
    assert_eq!(kind(&query("select count(*) from pg_class").await), (Class::Ok, Cause::None));
    assert_eq!(kind(&query("select 1/0").await), (Class::FailFast, Cause::Protocol));

    let session = cluster.primary.session().await;
    session.batch_execute("create role busy login password 'hunter2' connection limit 0").await.unwrap();
    let at = |user: &str, database: &str| {
        writer.replace("postgres:hunter2", user).replace("/postgres", &format!("/{database}"))
    };
    for (dsn, cause) in [
        (writer.replace(PASSWORD, "wrong"), Cause::Denied),
        (at("postgres:hunter2", "nowhere"), Cause::Denied),
        (at("busy:hunter2", "postgres"), Cause::Unavailable),
        (format!("{writer}?sslmode=require"), Cause::Tls),
    ] {
        let answer = ask_role(&dsn, Role::Writer).await;
        assert_eq!(kind(&answer), (Class::FailFast, cause), "{answer:?}");
        assert!(!answer.detail.unwrap().contains(PASSWORD));
    }

    // A write to a standby is certainly not done.
    let reading = ledger(&reader, TIMEOUT);
    let write = open(&reading, Resolver::System);
    open(&ledger(&writer, TIMEOUT), Resolver::System).prepare().await.unwrap();
    until_there(&standby.session().await, "select 'firedrill_test_run'::regclass").await;
    assert_eq!(kind(&write.ask(0, &Clock::start()).await), (Class::FailFast, Cause::ReadOnly));
    let error = write.read_back(&Clock::start()).await.unwrap().error.unwrap();
    assert!(error.contains("not the writer"), "{error}");
    let error = write.prepare().await.unwrap_err();
    assert!(error.contains("read-only"), "{error}");
}

#[tokio::test]
async fn a_ledger_survives_a_failover_and_reads_back_what_is_there() {
    if !installed() {
        return;
    }
    let mut cluster = Cluster::pair().await;
    let names = Names::serve("db.test", cluster.primary.ip).await;
    let ready = open(&ledger(&cluster.primary.dsn_at("db.test"), TIMEOUT), Resolver::Server(names.address));
    let clock = Clock::start();
    ready.prepare().await.unwrap();

    let mut answers = Vec::new();
    for seq in 0..30 {
        answers.push(ready.ask(seq, &clock).await);
    }
    assert!(answers.iter().all(|answer| answer.class == Class::Ok), "{answers:?}");
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!((reading.present, reading.stable), (vec![(0, 29)], true));

    cluster.primary.kill();
    for seq in 30..33 {
        answers.push(ready.ask(seq, &clock).await);
        assert_eq!(kind(&answers[seq as usize]), (Class::FailFast, Cause::Refused));
    }
    cluster.promote();
    let standby = cluster.standby.as_ref().unwrap();
    names.flip(standby.ip);
    for seq in 33..40 {
        answers.push(ready.ask(seq, &clock).await);
        assert_eq!(kind(&answers[seq as usize]), (Class::Ok, Cause::None));
    }

    // A row that nobody wrote, and one with another run's mark.
    let session = standby.session().await;
    session
        .batch_execute("insert into firedrill_test_run values ('test-run', 99), ('other', 1)")
        .await
        .unwrap();
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!((reading.stable, reading.unexpected, reading.error.clone()), (true, 2, None));
    let rows =
        session.query("select seq from firedrill_test_run where run = 'test-run' and seq < 40", &[]).await;
    let mut seqs: Vec<u32> = rows.unwrap().iter().map(|row| row.get::<_, i64>(0) as u32).collect();
    seqs.sort_unstable();
    let read: Vec<u32> = reading.present.iter().flat_map(|(first, last)| *first..=*last).collect();
    assert_eq!(read, seqs);
    assert!((33..40).all(|seq| seqs.contains(&seq)) && (30..33).all(|seq| !seqs.contains(&seq)));
}

#[tokio::test]
async fn a_write_that_is_not_answered_is_unknown_and_may_still_happen() {
    if !installed() {
        return;
    }
    let cluster = Cluster::primary("").await;
    let ready = open(&ledger(&cluster.primary.dsn(), Duration::from_millis(700)), Resolver::System);
    let clock = Clock::start();
    ready.prepare().await.unwrap();

    let session = cluster.primary.session().await;
    session.batch_execute("begin; lock table firedrill_test_run in access exclusive mode").await.unwrap();
    let answer = ready.ask(0, &clock).await;
    assert_eq!(kind(&answer), (Class::Info, Cause::Timeout), "{answer:?}");
    let took = answer.done.since(answer.sent);
    assert!(took >= Duration::from_millis(700) && took < Duration::from_millis(1100), "{took:?}");
    session.batch_execute("commit").await.unwrap();
    until_there(&session, "select 1 / count(*) from firedrill_test_run").await;
    assert_eq!(ready.read_back(&clock).await.unwrap().present, [(0, 0)]);

    // Ended by an administrator after it was sent: unknown as well.
    session.batch_execute("begin; lock table firedrill_test_run in access exclusive mode").await.unwrap();
    // Another session: inside the transaction above, pg_stat_activity would stand still.
    let administrator = cluster.primary.session().await;
    let ended = tokio::join!(ready.ask(1, &clock), async {
        let waiting = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'";
        for _ in 0..60 {
            if !administrator.query(waiting, &[]).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(kind(&ended.0), (Class::Info, Cause::Unavailable), "{ended:?}");
}

#[tokio::test]
async fn an_acknowledgement_with_a_warning_is_not_trusted() {
    if !installed() {
        return;
    }
    let cluster = Cluster::primary("").await;
    let ready = open(&ledger(&cluster.primary.dsn(), TIMEOUT), Resolver::System);
    let clock = Clock::start();
    ready.prepare().await.unwrap();
    let session = cluster.primary.session().await;
    session.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    session.batch_execute("select pg_reload_conf()").await.unwrap();
    until_there(&session, "select 1 / (current_setting('synchronous_standby_names') = 'nobody')::int").await;

    // The commit waits for a standby that does not exist; cancelling the wait makes it a success.
    let (answer, ()) = tokio::join!(ready.ask(0, &clock), async {
        let waiting = "select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
        for _ in 0..100 {
            if !session.query(waiting, &[]).await.unwrap().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(kind(&answer), (Class::Info, Cause::Protocol), "{answer:?}");
    assert!(answer.detail.unwrap().contains("warning"));
}

#[tokio::test]
async fn a_server_that_says_nothing_leaves_no_write_in_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dsn = format!("postgres://u:p@{}/db", listener.local_addr().unwrap());
    let holding = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let answer =
        open(&ledger(&dsn, Duration::from_millis(500)), Resolver::System).ask(0, &Clock::start()).await;
    assert_eq!(kind(&answer), (Class::Timeout, Cause::Timeout), "{answer:?}");
    holding.abort();
}

#[tokio::test]
async fn tls_is_used_and_checked_as_sslmode_says() {
    if !installed() {
        return;
    }
    let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/testdata");
    let certificate = std::fs::read(format!("{testdata}/self_signed.pem")).unwrap();
    let key = std::fs::read(format!("{testdata}/self_signed.key.der")).unwrap();
    let cluster = Cluster::primary("").await;
    let certificate_file = cluster.file("server.crt", &certificate);
    let key_file = cluster.file("server.key", pem("PRIVATE KEY", &key).as_bytes());
    let session = cluster.primary.session().await;
    for setting in [
        format!("alter system set ssl_cert_file = '{certificate_file}'"),
        format!("alter system set ssl_key_file = '{key_file}'"),
        "alter system set ssl = on".to_owned(),
        "select pg_reload_conf()".to_owned(),
    ] {
        session.batch_execute(&setting).await.unwrap();
    }
    until_there(&session, "select 1 / (current_setting('ssl') = 'on')::int").await;

    let names = Names::serve("shop.test", cluster.primary.ip).await;
    let resolver = Resolver::Server(names.address);
    let named = cluster.primary.dsn_at("shop.test");
    let encrypted = Some("select 1 / ssl::int from pg_stat_ssl where pid = pg_backend_pid()");
    let trusted = format!("sslmode=verify-full&sslrootcert={testdata}/self_signed.pem");
    for (dsn, good) in [
        (format!("{named}?sslmode=require"), true),
        (named.clone(), true),
        (format!("{named}?{trusted}"), true),
        (format!("{}?{trusted}", cluster.primary.dsn()), false),
    ] {
        let answer = ask_query(&dsn, Role::Writer, encrypted, resolver.clone()).await;
        let expected = if good { (Class::Ok, Cause::None) } else { (Class::FailFast, Cause::Tls) };
        assert_eq!(kind(&answer), expected, "{dsn}: {answer:?}");
    }
    let plain = ask_query(&format!("{named}?sslmode=disable"), Role::Writer, encrypted, resolver).await;
    assert_eq!(kind(&plain), (Class::FailFast, Cause::Protocol), "{plain:?}");
}

/// Waits until a statement succeeds.
async fn until_there(session: &tokio_postgres::Client, sql: &str) {
    for _ in 0..200 {
        if session.simple_query(sql).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never succeeded: {sql}");
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for (group, bytes) in der.chunks(3).enumerate() {
        if group > 0 && group % 16 == 0 {
            text.push('\n');
        }
        let bits =
            bytes.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - bytes.len()));
        for digit in 0..4 {
            let value = DIGITS[(bits >> (18 - 6 * digit) & 63) as usize] as char;
            text.push(if digit <= bytes.len() { value } else { '=' });
        }
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
