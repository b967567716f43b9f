use std::sync::{Arc, Mutex};

use super::*;
use crate::probe::fixture::{ask, closed_port, opening};
use crate::probe::mysql::scripted::{Act, mysql};
use crate::probe::{Probe, Resolver};

fn ledger(address: std::net::SocketAddr) -> MysqlLedger {
    MysqlLedger {
        dsn: format!("mysql://app:hunter2@{address}/orders?ssl-mode=disabled").parse().unwrap(),
        table: None,
        connect_timeout: Duration::from_millis(400),
        timeout: Duration::from_millis(600),
        connection: Connection::Fresh,
    }
}

/// A server that does this about a statement that begins so.
fn doing(begin: &'static str, act: Act) -> impl Fn(&str) -> Act + Send + Sync + 'static {
    move |sql| match sql {
        sql if sql.starts_with(begin) => act.clone(),
        sql if sql.starts_with("show") => Act::writer(),
        _ => Act::done(),
    }
}

#[tokio::test]
async fn each_answer_to_a_write_has_one_outcome() {
    let (unknown, failed) = (Class::Info, Class::FailFast);
    for (act, class, cause) in [
        (Act::done(), Class::Ok, Cause::None),
        (Act::Done { warnings: 1, autocommit: true }, unknown, Cause::Protocol),
        (Act::Done { warnings: 0, autocommit: false }, unknown, Cause::Protocol),
        (Act::Refuse(1290), failed, Cause::ReadOnly),
        (Act::Refuse(1836), failed, Cause::ReadOnly),
        (Act::Refuse(1792), failed, Cause::ReadOnly),
        (Act::Refuse(1040), failed, Cause::Unavailable),
        (Act::Refuse(1045), failed, Cause::Denied),
        (Act::Refuse(2003), failed, Cause::Protocol),
        (Act::Refuse(1146), failed, Cause::Protocol),
        (Act::Refuse(1205), unknown, Cause::Protocol),
        (Act::Refuse(1062), unknown, Cause::Protocol),
        (Act::Refuse(1053), unknown, Cause::Unavailable),
        (Act::Refuse(1317), unknown, Cause::Protocol),
        (Act::Refuse(2006), unknown, Cause::Protocol),
        (Act::Refuse(2013), unknown, Cause::Protocol),
        (Act::Close, unknown, Cause::Reset),
        (Act::Reset, unknown, Cause::Reset),
        (Act::Silence, unknown, Cause::Timeout),
    ] {
        let server = mysql(doing("insert", act.clone())).await;
        let answer = ask(Probe::MysqlLedger(ledger(server.address))).await;
        assert_eq!((answer.class, answer.cause), (class, cause), "{act:?}: {answer:?}");
    }
}

#[tokio::test]
async fn what_was_never_sent_failed_for_certain() {
    let refused = ask(Probe::MysqlLedger(ledger(closed_port().await))).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused));
    for (begin, act, class) in [
        ("connect", Act::Refuse(1040), Class::FailFast),
        ("connect", Act::Silence, Class::Timeout),
        ("login", Act::Refuse(1045), Class::FailFast),
        ("show", Act::Silence, Class::Timeout),
    ] {
        let server = mysql(doing(begin, act.clone())).await;
        let answer = ask(Probe::MysqlLedger(ledger(server.address))).await;
        assert_eq!(answer.class, class, "{begin} {act:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_write_is_one_statement_and_is_never_repeated() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let server = mysql(move |sql| {
        heard.lock().unwrap().push(sql.to_owned());
        doing("insert", Act::Close)(sql)
    })
    .await;
    assert_eq!(ask(Probe::MysqlLedger(ledger(server.address))).await.class, Class::Info);
    let said = said.lock().unwrap().clone();
    let run: String = "test-run".bytes().map(|byte| format!("{byte:02x}")).collect();
    let insert = format!("insert into `firedrill_test_run` (run, seq) values (_utf8mb4 x'{run}', 0)");
    assert_eq!((said.len(), &said[3]), (4, &insert), "{said:?}");
}

#[tokio::test]
async fn the_final_read_tells_foreign_rows_and_comes_from_the_writer() {
    let rows = Act::rows(&[("test-run", "0"), ("test-run", "2"), ("another", "1"), ("test-run", "7")]);
    let server = mysql(doing("select", rows)).await;
    let ready = Probe::MysqlLedger(ledger(server.address)).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    ready.prepare().await.unwrap();
    ready.ask(2, &clock).await;
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!((reading.error, reading.present), (None, vec![(0, 0), (2, 2)]));
    assert_eq!((reading.unexpected, reading.stable), (2, true));

    let replica = Act::rows(&[("server_uuid", "3e11"), ("read_only", "ON")]);
    let server = mysql(doing("show", replica)).await;
    let ready = Probe::MysqlLedger(ledger(server.address)).open(&opening(Resolver::System)).unwrap();
    let reading = ready.read_back(&clock).await.unwrap();
    assert!(reading.error.unwrap().contains("not the writer"));
}

#[test]
fn tables_have_names_that_need_no_cutting() {
    assert_eq!(own_name("2026-11-21T10-00 Übung"), "firedrill_2026_11_21t10_00__bung");
    assert!(own_name(&"x".repeat(200)).len() <= 64);
    assert_eq!(quoted("ops.ledger").as_deref(), Ok("`ops`.`ledger`"));
    assert_eq!(quoted("a`b").as_deref(), Ok("`a``b`"));
    assert!(quoted("a.b.c").is_err() && quoted("").is_err() && quoted("a.").is_err());
}

#[tokio::test]
async fn a_demoted_writer_is_left_by_the_client_that_reconnects() {
    for (connection, connections) in
        [(Connection::Fresh, 3), (Connection::Kept, 1), (Connection::Reconnect, 2)]
    {
        let connects = Arc::new(Mutex::new(0));
        let counted = connects.clone();
        let server = mysql(move |sql| {
            *counted.lock().unwrap() += usize::from(sql == "connect");
            doing(", 1)", Act::Refuse(1290))(if sql.ends_with(", 1)") { ", 1)" } else { sql })
        })
        .await;
        let probe = Probe::MysqlLedger(MysqlLedger { connection, ..ledger(server.address) });
        let (ready, clock) = (probe.open(&opening(Resolver::System)).unwrap(), Clock::start());
        for (seq, class) in [(0, Class::Ok), (1, Class::FailFast), (2, Class::Ok)] {
            let answer = ready.ask(seq, &clock).await;
            assert_eq!(
                (answer.class, answer.who.as_deref()),
                (class, Some("3e11-fa47")),
                "{connection:?} {seq}"
            );
        }
        assert_eq!(*connects.lock().unwrap(), connections, "{connection:?}");
    }
}
