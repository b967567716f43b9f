use std::sync::{Arc, Mutex};

use tokio::io::AsyncWriteExt;

use super::*;
use crate::probe::fixture::{Server, ask, black_hole, closed_port, opening, read_request, reset, serve};
use crate::probe::{Probe, Resolver};

fn ledger(url: &str) -> Probe {
    Probe::HttpLedger(HttpLedger {
        url: Url(url.parse().unwrap()),
        headers: None,
        connect_timeout: Duration::from_millis(400),
        timeout: Duration::from_millis(600),
        tls: None,
        acknowledged: Statuses(vec![(200, 299)]),
        applied: Statuses(vec![(409, 409)]),
        refused: None,
        read_url: None,
        read_back: true,
        reads: None,
        settle: Some(Duration::ZERO),
        read_every: Some(Duration::from_millis(10)),
    })
}

/// A ledger that answers each write with the next of `statuses` and stores those that `stores` says.
async fn service(statuses: Vec<u16>, stores: fn(u16) -> bool) -> Server {
    let stored: Arc<Mutex<Vec<i64>>> = Arc::default();
    let statuses = Arc::new(Mutex::new(statuses.into_iter()));
    serve(move |mut stream| {
        let (stored, statuses) = (stored.clone(), statuses.clone());
        async move {
            let request = read_request(&mut stream).await;
            let (status, body) = if request.starts_with("GET /entries?run=test-run ") {
                (200, serde_json::json!({ "seqs": *stored.lock().unwrap() }).to_string())
            } else {
                let body = request.split_once("\r\n\r\n").unwrap().1;
                let entry: serde_json::Value = serde_json::from_str(body).unwrap();
                assert_eq!(entry["run"], "test-run");
                let seq = entry["seq"].as_i64().unwrap();
                assert!(request.contains(&format!("idempotency-key: test-run-{seq}\r\n")), "{request}");
                let status = statuses.lock().unwrap().next().unwrap();
                if stores(status) {
                    stored.lock().unwrap().push(seq);
                }
                (status, String::new())
            };
            let length = body.len();
            let response = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    })
    .await
}

#[tokio::test]
async fn a_write_is_done_undone_or_unknown() {
    use Class::{FailFast, Info, Ok};
    let expected = [
        (201, Ok, Cause::None),
        (200, Ok, Cause::None),
        (409, Ok, Cause::None),
        (400, FailFast, Cause::Status),
        (404, FailFast, Cause::Status),
        (429, FailFast, Cause::Status),
        (408, Info, Cause::Status),
        (503, FailFast, Cause::ServerError),
        (500, Info, Cause::ServerError),
        (502, Info, Cause::ServerError),
        (504, Info, Cause::ServerError),
    ];
    let server = service(expected.iter().map(|(status, ..)| *status).collect(), |status| status < 300).await;
    let ready = ledger(&server.url("/entries")).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    for (seq, (status, class, cause)) in (0u32..).zip(expected) {
        let answer = ready.ask(seq, &clock).await;
        assert_eq!((answer.class, answer.cause, answer.code), (class, cause, status), "{answer:?}");
    }
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!((reading.present, reading.stable, reading.unexpected), (vec![(0, 1)], true, 0));
}

#[tokio::test]
async fn a_write_that_was_never_sent_is_certainly_not_done() {
    let refused = ask(ledger(&format!("http://{}/", closed_port().await))).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused));
    let hole = black_hole().await;
    let dropped = ask(ledger(&format!("http://{}/", hole.address))).await;
    assert_eq!((dropped.class, dropped.cause), (Class::Timeout, Cause::ConnectTimeout));
}

#[tokio::test]
async fn a_write_with_no_answer_is_unknown() {
    let resets = serve(|mut stream| async move {
        read_request(&mut stream).await;
        reset(stream);
    })
    .await;
    let hangs = serve(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    for (server, cause) in [(&resets, Cause::Reset), (&hangs, Cause::Timeout)] {
        let answer = ask(ledger(&server.url("/"))).await;
        assert_eq!((answer.class, answer.cause), (Class::Info, cause), "{answer:?}");
    }
}

#[tokio::test]
async fn what_nobody_wrote_is_unexpected() {
    let server = serve(|mut stream| async move {
        read_request(&mut stream).await;
        let body = r#"{"seqs": [0, 0, 1, 2, 77]}"#;
        let response = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(response.as_bytes()).await.unwrap();
    })
    .await;
    let ready = ledger(&server.url("/")).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    for seq in 0..2 {
        ready.ask(seq, &clock).await;
    }
    let reading = ready.read_back(&clock).await.unwrap();
    assert_eq!(reading.present, [(0, 1)]);
    assert_eq!((reading.duplicated, reading.unexpected, reading.stable), (1, 2, true));
}
