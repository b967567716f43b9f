use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::scripted::{Act, mysql};
use super::*;
use crate::clock::Clock;
use crate::probe::fixture::{ask, black_hole, closed_port, opening};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

fn probe(address: std::net::SocketAddr, settings: &str) -> Mysql {
    Mysql {
        dsn: format!("mysql://app:hunter2@{address}/orders{settings}").parse().unwrap(),
        role: Role::Writer,
        query: None,
        connect_timeout: Duration::from_millis(400),
        timeout: Duration::from_millis(700),
        connection: Connections(vec![Connection::Fresh]),
    }
}

fn kind(answer: &Answer) -> (Class, Cause) {
    (answer.class, answer.cause)
}

fn itself(sql: &str, about: &[(&str, &str)]) -> Act {
    if sql.starts_with("show global") { Act::rows(about) } else { Act::done() }
}

#[tokio::test]
async fn roles_are_told_apart_and_the_server_is_named() {
    let fine = (Class::Ok, Cause::None);
    let wrong = (Class::Wrong, Cause::ReadOnly);
    for (about, role, expected, who) in [
        (
            &[("server_uuid", "3e11"), ("read_only", "OFF"), ("super_read_only", "OFF")][..],
            Role::Writer,
            fine,
            "3e11",
        ),
        (&[("server_uuid", "3e11"), ("read_only", "ON")], Role::Writer, wrong, "3e11"),
        (&[("server_uuid", "3e11"), ("read_only", "ON")], Role::Any, fine, "3e11"),
        (
            &[("server_uuid", "3e11"), ("read_only", "OFF"), ("super_read_only", "ON")],
            Role::Writer,
            wrong,
            "3e11",
        ),
        (
            &[("aurora_server_id", "orders-2"), ("read_only", "OFF"), ("innodb_read_only", "ON")],
            Role::Writer,
            wrong,
            "orders-2",
        ),
        (
            &[("hostname", "db1"), ("port", "3307"), ("server_id", "2"), ("read_only", "OFF")],
            Role::Writer,
            fine,
            "db1:3307/2",
        ),
    ] {
        let server = mysql(move |sql| itself(sql, about)).await;
        let answer = ask(Probe::Mysql(Mysql { role, ..probe(server.address, "") })).await;
        assert_eq!(kind(&answer), expected, "{about:?} {role:?}: {answer:?}");
        assert_eq!(answer.who.as_deref(), Some(who));
        assert!(answer.phases.connect > 0 && answer.phases.first_byte > 0);
    }
}

#[tokio::test]
async fn each_failure_has_its_cause() {
    let failed = |cause| (Class::FailFast, cause);
    for (at, act, expected) in [
        ("connect", Act::Refuse(1040), failed(Cause::Unavailable)),
        ("connect", Act::Close, failed(Cause::Reset)),
        ("connect", Act::Reset, failed(Cause::Reset)),
        ("connect", Act::Silence, (Class::Timeout, Cause::ConnectTimeout)),
        ("login", Act::Refuse(1045), failed(Cause::Denied)),
        ("login", Act::Refuse(1049), failed(Cause::Denied)),
        ("login", Act::Silence, (Class::Timeout, Cause::ConnectTimeout)),
        ("show", Act::Refuse(1053), failed(Cause::Unavailable)),
        ("show", Act::Close, failed(Cause::Reset)),
        ("show", Act::Silence, (Class::Timeout, Cause::Timeout)),
        ("select 1", Act::Refuse(1290), failed(Cause::ReadOnly)),
        ("select 1", Act::Refuse(1146), failed(Cause::Protocol)),
        ("select 1", Act::Silence, (Class::Timeout, Cause::Timeout)),
    ] {
        let wanted = act.clone();
        let server = mysql(move |sql| match sql {
            sql if sql.starts_with(at) => wanted.clone(),
            sql if sql.starts_with("show") => Act::writer(),
            _ => Act::done(),
        })
        .await;
        let query = Some("select 1".to_owned());
        let answer = ask(Probe::Mysql(Mysql { query, ..probe(server.address, "") })).await;
        assert_eq!(kind(&answer), expected, "{at} {act:?}: {answer:?}");
        assert!(!answer.detail.unwrap().contains("hunter2"));
    }
    let refused = ask(Probe::Mysql(probe(closed_port().await, ""))).await;
    assert_eq!(kind(&refused), (Class::FailFast, Cause::Refused), "{refused:?}");
    let hole = black_hole().await;
    let dropped = ask(Probe::Mysql(probe(hole.address, ""))).await;
    assert_eq!(kind(&dropped), (Class::Timeout, Cause::ConnectTimeout));
}

#[tokio::test]
async fn tls_is_used_as_the_mode_says() {
    let connects = Arc::new(AtomicUsize::new(0));
    let counted = connects.clone();
    let server = mysql(move |sql| {
        counted.fetch_add(usize::from(sql == "connect"), Ordering::SeqCst);
        if sql.starts_with("show") { Act::writer() } else { Act::done() }
    })
    .await;
    let required = ask(Probe::Mysql(probe(server.address, "?ssl-mode=required"))).await;
    assert_eq!(kind(&required), (Class::FailFast, Cause::Tls), "{required:?}");
    assert_eq!(connects.swap(0, Ordering::SeqCst), 1);
    // Preferred: found out once, and remembered.
    let ready = Probe::Mysql(probe(server.address, "?ssl-mode=preferred"));
    let ready = ready.open(&opening(Resolver::System)).unwrap();
    for (seq, connections) in [(0, 2), (1, 1)] {
        assert!(ready.ask(seq, &Clock::start()).await.class.good());
        assert_eq!(connects.swap(0, Ordering::SeqCst), connections);
    }
}

#[tokio::test]
async fn each_kind_of_connection_stands_for_its_client() {
    for (connection, connections) in
        [(Connection::Fresh, 4), (Connection::Kept, 1), (Connection::Reconnect, 2)]
    {
        let (demoted, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (now, counted) = (demoted.clone(), count.clone());
        let server = mysql(move |sql| {
            counted.fetch_add(usize::from(sql == "connect"), Ordering::SeqCst);
            let read_only = if now.load(Ordering::SeqCst) { "ON" } else { "OFF" };
            itself(sql, &[("server_uuid", "3e11"), ("read_only", read_only)])
        })
        .await;
        let mysql = Mysql {
            connection: Connections(vec![connection]),
            ..probe(server.address, "?ssl-mode=disabled")
        };
        let ready = Probe::Mysql(mysql).open(&opening(Resolver::System)).unwrap();
        let clock = Clock::start();
        assert!(ready.ask(0, &clock).await.class.good());
        let second = ready.ask(1, &clock).await;
        assert_eq!(second.phases.connect == 0, connection != Connection::Fresh, "{connection:?}");
        demoted.store(true, Ordering::SeqCst);
        assert_eq!(kind(&ready.ask(2, &clock).await), (Class::Wrong, Cause::ReadOnly));
        ready.ask(3, &clock).await;
        assert_eq!(count.load(Ordering::SeqCst), connections, "{connection:?}");
    }
}

#[tokio::test]
async fn what_is_given_up_is_abandoned_without_a_word() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let server = mysql(move |sql| {
        heard.lock().unwrap().push(sql.to_owned());
        match sql {
            "select 1" => Act::Silence,
            sql if sql.starts_with("show") => Act::writer(),
            _ => Act::done(),
        }
    })
    .await;
    let query = Some("select 1".to_owned());
    let answer = ask(Probe::Mysql(Mysql { query, ..probe(server.address, "?ssl-mode=disabled") })).await;
    assert_eq!(answer.class, Class::Timeout);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let said = said.lock().unwrap().clone();
    assert_eq!(said.last().map(String::as_str), Some("select 1"), "{said:?}");
}
