use std::sync::{Arc, Mutex};

use super::*;
use crate::probe::fixture::{ask, closed_port, opening};
use crate::probe::redis::scripted::{Act, healthy, redis, say};
use crate::probe::{Probe, Resolver};

fn ledger(address: std::net::SocketAddr) -> RedisLedger {
    RedisLedger {
        dsn: format!("redis://{address}").parse().unwrap(),
        stream: None,
        wait: None,
        connect_timeout: Duration::from_millis(300),
        timeout: Duration::from_millis(500),
        connection: Connection::Fresh,
    }
}

/// The answer to one write, to a server that does this about `XADD` and that about `WAIT`.
async fn written(add: Act, waited: Option<Act>) -> Answer {
    let wait = waited.is_some().then_some(Wait { replicas: 1, timeout: Duration::from_millis(50) });
    let server = redis(move |words| match (words[0].as_str(), &waited) {
        ("XADD", _) => add.clone(),
        ("WAIT", Some(act)) => act.clone(),
        _ => healthy("master", "0fa3", words),
    })
    .await;
    ask(Probe::RedisLedger(RedisLedger { wait, ..ledger(server.address) })).await
}

#[tokio::test]
async fn each_answer_to_a_write_has_one_outcome() {
    let (fine, unknown, failed) = (Class::Ok, Class::Info, Class::FailFast);
    for (act, class, cause) in [
        (say("$3\r\n1-1\r\n"), fine, Cause::None),
        (say("-LOADING Redis is loading the dataset in memory\r\n"), failed, Cause::Unavailable),
        (say("-READONLY You can't write against a read only replica.\r\n"), failed, Cause::ReadOnly),
        (say("-MASTERDOWN Link with MASTER is down\r\n"), failed, Cause::Unavailable),
        (say("-CLUSTERDOWN The cluster is down\r\n"), failed, Cause::Unavailable),
        (say("-MOVED 3999 127.0.0.1:6381\r\n"), failed, Cause::Protocol),
        (say("-NOREPLICAS Not enough good replicas to write.\r\n"), failed, Cause::Unavailable),
        (say("-NOPERM no right\r\n"), failed, Cause::Denied),
        (say("-ERR something else\r\n"), unknown, Cause::Protocol),
        (say("-UNKILLABLE what\r\n"), unknown, Cause::Protocol),
        (say("$-1\r\n"), unknown, Cause::Protocol),
        (say("gibberish\r\n"), unknown, Cause::Protocol),
        (Act::Close, unknown, Cause::Reset),
        (Act::Reset, unknown, Cause::Reset),
        (Act::Silence, unknown, Cause::Timeout),
    ] {
        let answer = written(act.clone(), None).await;
        assert_eq!((answer.class, answer.cause), (class, cause), "{act:?}: {answer:?}");
    }
}

#[tokio::test]
async fn what_replicas_do_not_have_is_not_safe() {
    let id = || say("$3\r\n1-1\r\n");
    for (waited, class, text) in [
        (say(":1\r\n"), Class::Ok, ""),
        (say(":2\r\n"), Class::Ok, ""),
        (say(":0\r\n"), Class::Info, "0 of 1 replicas"),
        (say("-UNBLOCKED force unblock\r\n"), Class::Info, "the wait failed"),
        (Act::Close, Class::Info, "closed"),
        (Act::Silence, Class::Info, "no answer"),
    ] {
        let answer = written(id(), Some(waited.clone())).await;
        assert_eq!(answer.class, class, "{waited:?}: {answer:?}");
        assert!(answer.detail.unwrap_or_default().contains(text), "{waited:?}");
    }
    // A write that was refused stays refused, whatever the wait says.
    let refused = written(say("-READONLY no\r\n"), Some(say(":0\r\n"))).await;
    assert_eq!(refused.class, Class::FailFast);
}

#[tokio::test]
async fn what_was_never_sent_failed_for_certain() {
    let refused = ask(Probe::RedisLedger(ledger(closed_port().await))).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused));
    let login = redis(|words| match words[0].as_str() {
        "INFO" => Act::Silence,
        _ => healthy("master", "0fa3", words),
    });
    let late = ask(Probe::RedisLedger(ledger(login.await.address))).await;
    assert_eq!((late.class, late.cause), (Class::Timeout, Cause::Timeout));
}

#[tokio::test]
async fn a_write_is_one_command_and_is_never_repeated() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = said.clone();
    let server = redis(move |words| {
        heard.lock().unwrap().push(words.join(" "));
        if words[0] == "XADD" { Act::Close } else { healthy("master", "0fa3", words) }
    })
    .await;
    assert_eq!(ask(Probe::RedisLedger(ledger(server.address))).await.class, Class::Info);
    assert_eq!(*said.lock().unwrap(), ["INFO server", "XADD firedrill:test-run * run test-run seq 0"]);
}

#[tokio::test]
async fn the_final_read_pages_and_tells_foreign_entries() {
    let fields = |run: &str, seq: usize| {
        let seq = seq.to_string();
        format!("*4\r\n$3\r\nrun\r\n${}\r\n{run}\r\n$3\r\nseq\r\n${}\r\n{seq}\r\n", run.len(), seq.len())
    };
    let entry = |id: String, fields: String| format!("*2\r\n${}\r\n{id}\r\n{fields}", id.len());
    let page: String = (0..PAGE).map(|seq| entry(format!("5-{seq}"), fields("test-run", seq))).collect();
    let rest =
        entry("5-9000".to_owned(), fields("another", 1)) + &entry("6-0".to_owned(), fields("test-run", 0));
    let next = format!("5-{PAGE}");
    let server = redis(move |words| match (words[0].as_str(), words.get(2)) {
        ("XRANGE", Some(from)) if from == "-" => say(format!("*{PAGE}\r\n{page}")),
        ("XRANGE", Some(from)) if *from == next => say(format!("*2\r\n{rest}")),
        _ => healthy("master", "0fa3", words),
    })
    .await;
    let ready = Probe::RedisLedger(ledger(server.address)).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    ready.prepare().await.unwrap();
    ready.ask(PAGE as u32 - 1, &clock).await;
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!(reading.error, None);
    assert_eq!(reading.present, [(0, PAGE as u32 - 1)]);
    assert_eq!((reading.duplicated, reading.unexpected, reading.stable), (1, 1, true));
}

#[tokio::test]
async fn only_the_masters_entries_count() {
    let server = redis(|words| healthy("slave", "0fa3", words)).await;
    let ready = Probe::RedisLedger(ledger(server.address)).open(&opening(Resolver::System)).unwrap();
    assert!(ready.prepare().await.unwrap_err().contains("not the master"));
    let reading = ready.read_back(&Clock::start()).await.unwrap();
    assert!(reading.error.unwrap().contains("not the master"));
}

#[tokio::test]
async fn a_wait_that_cannot_work_is_refused_before_the_run() {
    let base = ledger(closed_port().await);
    for (replicas, millis, why) in [(1, 0, "does not fit"), (1, 500, "does not fit"), (0, 100, "0 replicas")]
    {
        let wait = Some(Wait { replicas, timeout: Duration::from_millis(millis) });
        let probe = Probe::RedisLedger(RedisLedger { wait, ..base.clone() });
        let error = probe.open(&opening(Resolver::System)).err().unwrap();
        assert!(error.contains(why), "{error}");
    }
}

#[tokio::test]
async fn a_demoted_master_is_left_by_the_client_that_reconnects() {
    for (connection, logins) in [(Connection::Fresh, 3), (Connection::Kept, 1), (Connection::Reconnect, 2)] {
        let count = Arc::new(Mutex::new(0));
        let counted = count.clone();
        let server = redis(move |words| {
            *counted.lock().unwrap() += usize::from(words[0] == "INFO");
            match words.last().map(String::as_str) {
                Some("1") => say("-READONLY You can't write against a read only replica.\r\n"),
                _ => healthy("master", "0fa3", words),
            }
        })
        .await;
        let probe = Probe::RedisLedger(RedisLedger { connection, ..ledger(server.address) });
        let (ready, clock) = (probe.open(&opening(Resolver::System)).unwrap(), Clock::start());
        for (seq, class) in [(0, Class::Ok), (1, Class::FailFast), (2, Class::Ok)] {
            let answer = ready.ask(seq, &clock).await;
            assert_eq!((answer.class, answer.who.as_deref()), (class, Some("0fa3")), "{connection:?} {seq}");
        }
        assert_eq!(*count.lock().unwrap(), logins, "{connection:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_not_written_to() {
    let server = redis(|words| match words[0].as_str() {
        "XADD" => Act::Last("$3\r\n1-1\r\n".to_owned()),
        _ => healthy("master", "0fa3", words),
    })
    .await;
    let probe = RedisLedger { connection: Connection::Kept, ..ledger(server.address) };
    let ready = Probe::RedisLedger(probe).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    for seq in 0..3 {
        let answer = ready.ask(seq, &clock).await;
        assert_eq!(answer.class, Class::Ok, "{answer:?}");
        assert!(answer.phases.connect > 0, "a new connection");
        // Long enough for the end of the connection to arrive.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
