use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use tokio::net::TcpStream;

use super::*;
use crate::clock::Clock;
use crate::probe::fixture::{Server, ask, black_hole, closed_port, opening, reset, serve};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

/// How the scripted server answers each call.
#[derive(Clone, Debug)]
enum Play {
    /// A message with this status in it, and this grpc-status.
    Says(&'static [u8], u16),
    /// Headers alone, with this grpc-status.
    Status(u16),
    /// An HTTP status and nothing of gRPC.
    Http(u16),
    /// No grpc-status at all.
    Mute,
    Hang,
    Refuse,
}

const SERVING: Play = Play::Says(&[0, 0, 0, 0, 2, 8, 1], 0);

struct Scripted {
    server: Server,
    play: Arc<Mutex<Play>>,
    connections: Arc<AtomicUsize>,
}

async fn scripted(play: Play) -> Scripted {
    let (play, connections) = (Arc::new(Mutex::new(play)), Arc::new(AtomicUsize::new(0)));
    let (playing, counting) = (play.clone(), connections.clone());
    let server = serve(move |stream| {
        counting.fetch_add(1, Ordering::SeqCst);
        serve_h2(stream, playing.clone())
    })
    .await;
    Scripted { server, play, connections }
}

async fn serve_h2(stream: TcpStream, play: Arc<Mutex<Play>>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        assert_eq!(request.uri().path(), "/grpc.health.v1.Health/Check");
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["grpc-timeout"], "500m");
        let play = play.lock().unwrap().clone();
        let mut response = Response::new(());
        match play {
            Play::Says(message, status) => {
                let mut body = respond.send_response(response, false).unwrap();
                body.send_data(Bytes::from_static(message), false).unwrap();
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", HeaderValue::from(status));
                body.send_trailers(trailers).unwrap();
            }
            Play::Status(status) => {
                response.headers_mut().insert("grpc-status", HeaderValue::from(status));
                response.headers_mut().insert("grpc-message", HeaderValue::from_static("as told"));
                respond.send_response(response, true).unwrap();
            }
            Play::Http(status) => {
                *response.status_mut() = status.try_into().unwrap();
                respond.send_response(response, true).unwrap();
            }
            Play::Mute => drop(respond.send_response(response, true).unwrap()),
            Play::Hang => {
                // Held, so that the stream is not reset.
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_secs(5)).await;
                    drop(respond);
                });
            }
            Play::Refuse => respond.send_reset(h2::Reason::REFUSED_STREAM),
        }
    }
}

fn grpc(address: impl ToString, connection: Connection) -> Grpc {
    Grpc {
        address: Address::parse(&address.to_string()).unwrap(),
        service: Some("shop.Checkout".to_owned()),
        tls: None,
        metadata: None,
        connect_timeout: Duration::from_millis(400),
        tls_timeout: Duration::from_millis(400),
        timeout: Duration::from_millis(500),
        slower_than: None,
        connection,
    }
}

async fn answer(address: impl ToString) -> Answer {
    ask(Probe::Grpc(grpc(address, Connection::Fresh))).await
}

#[tokio::test]
async fn each_answer_has_its_class() {
    for (play, class, cause, code) in [
        (SERVING, Class::Ok, Cause::None, 0),
        (Play::Says(&[0, 0, 0, 0, 2, 8, 2], 0), Class::FailFast, Cause::Unavailable, 0),
        (Play::Says(&[0, 0, 0, 0, 2, 8, 3], 0), Class::Wrong, Cause::Content, 0),
        (Play::Says(&[0, 0, 0, 0, 0], 0), Class::Wrong, Cause::Content, 0),
        (Play::Says(&[0, 0, 0, 0, 2, 8, 1], 13), Class::FailFast, Cause::ServerError, 13),
        (Play::Says(&[0, 0, 0], 0), Class::FailFast, Cause::Protocol, 0),
        (Play::Status(5), Class::Wrong, Cause::Content, 5),
        (Play::Status(14), Class::FailFast, Cause::Unavailable, 14),
        (Play::Status(16), Class::FailFast, Cause::Denied, 16),
        (Play::Status(4), Class::Timeout, Cause::Timeout, 4),
        (Play::Http(503), Class::FailFast, Cause::Unavailable, 503),
        (Play::Http(404), Class::Wrong, Cause::Status, 404),
        (Play::Mute, Class::FailFast, Cause::Protocol, 0),
        (Play::Refuse, Class::FailFast, Cause::Unavailable, 0),
        (Play::Hang, Class::Timeout, Cause::Timeout, 0),
    ] {
        let scripted = scripted(play.clone()).await;
        let answer = answer(scripted.server.address).await;
        assert_eq!((answer.class, answer.cause, answer.code), (class, cause, code), "{play:?}: {answer:?}");
        assert_eq!(answer.who, Some(scripted.server.address.to_string().into()), "{play:?}");
        assert!(answer.phases.connect > 0, "{play:?}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_beneath_grpc_is_told_apart() {
    let refused = answer(closed_port().await).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused), "{refused:?}");
    let hole = black_hole().await;
    let late = answer(hole.address).await;
    assert_eq!((late.class, late.cause), (Class::Timeout, Cause::ConnectTimeout), "{late:?}");
    let rude = serve(|stream| async move { reset(stream) }).await;
    let broken = answer(rude.address).await;
    assert_eq!((broken.class, broken.cause), (Class::FailFast, Cause::Reset), "{broken:?}");
    let shy = serve(|stream| async move { drop(stream) }).await;
    let closed = answer(shy.address).await;
    assert_eq!((closed.class, closed.cause), (Class::FailFast, Cause::Reset), "{closed:?}");
    let http1 = crate::probe::fixture::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let other = answer(http1.address).await;
    assert_eq!(other.class, Class::FailFast, "{other:?}");
    assert!(matches!(other.cause, Cause::Protocol | Cause::Reset), "{other:?}");
}

#[tokio::test]
async fn each_kind_of_client_connects_as_often_as_it_should() {
    for (connection, connections) in
        [(Connection::Fresh, 4), (Connection::Kept, 1), (Connection::Reconnect, 2)]
    {
        let scripted = scripted(SERVING).await;
        let probe = Probe::Grpc(grpc(scripted.server.address, connection));
        let (ready, clock) = (probe.open(&opening(Resolver::System)).unwrap(), Clock::start());
        for (play, class) in [
            (SERVING, Class::Ok),
            (SERVING, Class::Ok),
            (Play::Status(14), Class::FailFast),
            (SERVING, Class::Ok),
        ] {
            *scripted.play.lock().unwrap() = play;
            assert_eq!(ready.ask(0, &clock).await.class, class, "{connection:?}");
        }
        assert_eq!(scripted.connections.load(Ordering::SeqCst), connections, "{connection:?}");
    }
}

#[tokio::test]
async fn late_failures_of_an_old_connection_leave_the_new_one_alone() {
    let scripted = scripted(SERVING).await;
    let probe = Probe::Grpc(grpc(scripted.server.address, Connection::Reconnect));
    let (ready, clock) = (probe.open(&opening(Resolver::System)).unwrap(), Clock::start());
    assert!(ready.ask(0, &clock).await.class.good());
    *scripted.play.lock().unwrap() = Play::Hang;
    let first = ready.ask(1, &clock);
    let second = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        ready.ask(2, &clock).await
    };
    // Between the two deadlines somebody connects anew.
    let third = async {
        tokio::time::sleep(Duration::from_millis(580)).await;
        *scripted.play.lock().unwrap() = SERVING;
        ready.ask(3, &clock).await
    };
    let (first, second, third) = tokio::join!(first, second, third);
    assert_eq!((first.class, second.class, third.class), (Class::Timeout, Class::Timeout, Class::Ok));
    assert!(ready.ask(4, &clock).await.class.good());
    assert_eq!(scripted.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_connection_that_ended_is_not_kept() {
    let once = serve(|stream| async move {
        let mut connection = h2::server::handshake(stream).await.unwrap();
        if let Some(Ok((_, mut respond))) = connection.accept().await {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            body.send_data(Bytes::from_static(&[0, 0, 0, 0, 2, 8, 1]), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from(0));
            body.send_trailers(trailers).unwrap();
        }
        connection.graceful_shutdown();
        while connection.accept().await.is_some() {}
    })
    .await;
    let probe = Probe::Grpc(grpc(once.address, Connection::Kept));
    let (ready, clock) = (probe.open(&opening(Resolver::System)).unwrap(), Clock::start());
    let mut good = 0;
    for _ in 0..6 {
        let answer = ready.ask(0, &clock).await;
        good += u32::from(answer.class.good());
        if !answer.class.good() {
            assert!(matches!(answer.cause, Cause::Unavailable | Cause::Reset), "{answer:?}");
        }
    }
    // One call may run into the good-bye; the one after it connects again.
    assert!(good >= 3, "{good}");
}

#[tokio::test]
async fn a_slow_answer_counts_as_slow() {
    let scripted = scripted(SERVING).await;
    let limit = Some(Duration::from_nanos(1));
    let probe = Grpc { slower_than: limit, ..grpc(scripted.server.address, Connection::Fresh) };
    let answer = ask(Probe::Grpc(probe)).await;
    assert_eq!(answer.class, Class::Slow, "{answer:?}");
}

#[test]
fn metadata_is_checked_before_the_run() {
    let metadata = Some(IndexMap::from([("bad name".to_owned(), "x".to_owned())]));
    let probe = Grpc { metadata, ..grpc("127.0.0.1:1", Connection::Fresh) };
    let error = Probe::Grpc(probe).open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("`bad name`"), "{error}");
}
