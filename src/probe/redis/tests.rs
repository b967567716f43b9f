use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::scripted::{Act, healthy, redis, say};
use super::*;
use crate::clock::Clock;
use crate::probe::fixture::{ask, black_hole, closed_port, opening, serve};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

fn probe(dsn: &str) -> Redis {
    Redis {
        dsn: dsn.parse().unwrap(),
        role: Role::Master,
        key: None,
        connect_timeout: Duration::from_millis(400),
        timeout: Duration::from_millis(600),
        connection: Connections(vec![Connection::Fresh]),
    }
}

fn kind(answer: &Answer) -> (Class, Cause) {
    (answer.class, answer.cause)
}

#[tokio::test]
async fn roles_are_told_apart_and_the_server_is_named() {
    for (role, wanted, kind) in [
        ("master", Role::Master, (Class::Ok, Cause::None)),
        ("slave", Role::Replica, (Class::Ok, Cause::None)),
        ("slave", Role::Any, (Class::Ok, Cause::None)),
        ("slave", Role::Master, (Class::Wrong, Cause::ReadOnly)),
        ("master", Role::Replica, (Class::Wrong, Cause::Content)),
        ("sentinel", Role::Any, (Class::Wrong, Cause::Content)),
    ] {
        let server = redis(move |words| healthy(role, "0fa3", words)).await;
        let dsn = format!("redis://{}", server.address);
        let answer = ask(Probe::Redis(Redis { role: wanted, ..probe(&dsn) })).await;
        assert_eq!(self::kind(&answer), kind, "{role} {wanted:?}");
        assert_eq!(answer.who.as_deref(), Some("0fa3"));
        assert!(answer.phases.connect > 0 && answer.phases.first_byte > 0, "{:?}", answer.phases);
        assert_eq!((answer.phases.dns, answer.phases.tls), (0, 0));
    }
}

#[tokio::test]
async fn credentials_the_database_and_the_key_are_sent() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let server = redis(move |words| {
        heard.lock().unwrap().push(words.join(" "));
        healthy("master", "0fa3", words)
    })
    .await;
    let dsn = format!("redis://app:p%40ss@{}/3", server.address);
    let answer = ask(Probe::Redis(Redis { key: Some("a b".to_owned()), ..probe(&dsn) })).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
    let said = said.lock().unwrap().clone();
    assert_eq!(said, ["AUTH app p@ss", "SELECT 3", "INFO server", "ROLE", "EXISTS a b"]);
}

#[tokio::test]
async fn each_failure_has_its_cause() {
    let at = |command: &'static str, act: Act| {
        redis(move |words| match words[0] == command {
            true => act.clone(),
            false => healthy("master", "0fa3", words),
        })
    };
    for (command, act, expected) in [
        (
            "PING",
            say("-LOADING Redis is loading the dataset in memory\r\n"),
            (Class::FailFast, Cause::Unavailable),
        ),
        ("PING", say("-MASTERDOWN Link with MASTER is down\r\n"), (Class::FailFast, Cause::Unavailable)),
        ("INFO", say("-NOAUTH Authentication required.\r\n"), (Class::FailFast, Cause::Denied)),
        ("INFO", say("-NOPERM no right\r\n"), (Class::Ok, Cause::None)),
        ("INFO", say("-ERR max number of clients reached\r\n"), (Class::FailFast, Cause::Unavailable)),
        ("INFO", say("HTTP/1.1 400 Bad Request\r\n"), (Class::FailFast, Cause::Protocol)),
        ("INFO", Act::Close, (Class::FailFast, Cause::Reset)),
        ("ROLE", Act::Reset, (Class::FailFast, Cause::Reset)),
        ("ROLE", Act::Silence, (Class::Timeout, Cause::Timeout)),
    ] {
        let server = at(command, act.clone()).await;
        let answer = ask(Probe::Redis(probe(&format!("redis://{}", server.address)))).await;
        assert_eq!(kind(&answer), expected, "{command} {act:?}: {answer:?}");
    }
    let refused = ask(Probe::Redis(probe(&format!("redis://{}", closed_port().await)))).await;
    assert_eq!(kind(&refused), (Class::FailFast, Cause::Refused));
    let hole = black_hole().await;
    let dropped = ask(Probe::Redis(probe(&format!("redis://{}", hole.address)))).await;
    assert_eq!(kind(&dropped), (Class::Timeout, Cause::ConnectTimeout));
    let turned_away = serve(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        stream.write_all(b"-ERR max number of clients reached\r\n").await.ok();
        stream.shutdown().await.ok();
    })
    .await;
    let answer = ask(Probe::Redis(probe(&format!("redis://:hunter2@{}", turned_away.address)))).await;
    assert_eq!(kind(&answer), (Class::FailFast, Cause::Unavailable), "{answer:?}");
}

#[tokio::test]
async fn the_sentinels_lead_to_the_master_of_the_moment() {
    let servers =
        [redis(|w| healthy("master", "first", w)).await, redis(|w| healthy("master", "second", w)).await];
    let ports = [servers[0].address.port(), servers[1].address.port()];
    let moved = Arc::new(AtomicUsize::new(0));
    let now = moved.clone();
    let sentinel = redis(move |words| match words[0].as_str() {
        "SENTINEL" if words[2] == "orders" => {
            let port = ports[now.load(Ordering::SeqCst)].to_string();
            say(format!("*2\r\n$9\r\n127.0.0.1\r\n${}\r\n{port}\r\n", port.len()))
        }
        "SENTINEL" => say("*-1\r\n"),
        _ => healthy("sentinel", "guard", words),
    })
    .await;
    // The first sentinel is dead and the second does not answer: the third one's word counts.
    let hole = black_hole().await;
    let sentinels = format!("{},{},{}", closed_port().await, hole.address, sentinel.address);
    let dsn = format!("redis+sentinel://{sentinels}/orders");
    let first = ask(Probe::Redis(probe(&dsn))).await;
    assert_eq!((first.class, first.who.as_deref()), (Class::Ok, Some("first")), "{first:?}");
    assert!(first.phases.dns > 0);
    moved.store(1, Ordering::SeqCst);
    let second = ask(Probe::Redis(probe(&dsn))).await;
    assert_eq!(second.who.as_deref(), Some("second"));

    let unknown = ask(Probe::Redis(probe(&format!("redis+sentinel://{}/carts", sentinel.address)))).await;
    assert_eq!(kind(&unknown), (Class::FailFast, Cause::Dns));
    assert!(unknown.detail.unwrap().contains("knows no master `carts`"));
    let nobody = ask(Probe::Redis(probe(&format!("redis+sentinel://{}/orders", closed_port().await)))).await;
    assert_eq!(kind(&nobody), (Class::FailFast, Cause::Refused));
}

#[tokio::test]
async fn each_kind_of_connection_stands_for_its_client() {
    for (connection, logins, dropped) in
        [(Connection::Fresh, 4, false), (Connection::Kept, 1, false), (Connection::Reconnect, 2, true)]
    {
        let (demoted, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (now, counted) = (demoted.clone(), count.clone());
        let server = redis(move |words| {
            counted.fetch_add(usize::from(words[0] == "INFO"), Ordering::SeqCst);
            healthy(if now.load(Ordering::SeqCst) { "slave" } else { "master" }, "0fa3", words)
        })
        .await;
        let redis = Redis {
            connection: Connections(vec![connection]),
            ..probe(&format!("redis://{}", server.address))
        };
        let ready = Probe::Redis(redis).open(&opening(Resolver::System)).unwrap();
        let clock = Clock::start();
        let first = ready.ask(0, &clock).await;
        assert!(first.class.good() && first.phases.connect > 0);
        let second = ready.ask(1, &clock).await;
        assert_eq!(second.phases.connect == 0, connection != Connection::Fresh, "{connection:?}");
        assert_eq!(second.who.as_deref(), Some("0fa3"));
        demoted.store(true, Ordering::SeqCst);
        assert_eq!(kind(&ready.ask(2, &clock).await), (Class::Wrong, Cause::ReadOnly));
        let after = ready.ask(3, &clock).await;
        assert_eq!(after.phases.connect > 0, dropped || connection == Connection::Fresh, "{connection:?}");
        assert_eq!(count.load(Ordering::SeqCst), logins, "{connection:?}");
    }
}
