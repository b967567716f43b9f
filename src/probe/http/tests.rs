use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use tokio::io::AsyncWriteExt;

use super::*;
use crate::clock::Clock;
use crate::probe::fixture::{
    answering, ask, ask_with, black_hole, closed_port, dns_code, opening, read_request, reset, serve,
    silent_dns,
};
use crate::probe::{Probe, Resolver};
use crate::sample::{Cause, Class};

const OK: &str = "HTTP/1.1 200 OK\r\nx-site: a\r\ncontent-length: 5\r\n\r\nhello";

fn http(url: &str) -> Http {
    Http::get(url.parse().unwrap())
}

fn expecting(status: &[(u16, u16)], headers: &[(&str, &str)], body: Option<&str>) -> Option<Expect> {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Some(Expect {
        status: Some(Statuses(status.to_vec())),
        headers: Some(headers),
        body_contains: body.map(str::to_owned),
    })
}

#[tokio::test]
async fn a_good_answer_is_ok() {
    let server = answering(OK).await;
    let expect = expecting(&[(200, 200)], &[("x-site", "a")], Some("ell"));
    let answer = ask(Probe::Http(Http { expect, ..http(&server.url("/health")) })).await;
    assert_eq!((answer.class, answer.cause, answer.code), (Class::Ok, Cause::None, 200));
}

#[tokio::test]
async fn an_unexpected_answer_is_wrong_or_a_server_error() {
    let page = |status: &str| format!("HTTP/1.1 {status}\r\nx-site: b\r\ncontent-length: 2\r\n\r\nno");
    for (status, expect, class, cause, code) in [
        ("404 Not Found", None, Class::Wrong, Cause::Status, 404),
        ("503 Service Unavailable", None, Class::FailFast, Cause::ServerError, 503),
        ("200 OK", expecting(&[(204, 204)], &[], None), Class::Wrong, Cause::Status, 200),
        ("200 OK", expecting(&[(200, 299)], &[("x-site", "a")], None), Class::Wrong, Cause::Content, 200),
        ("200 OK", expecting(&[(200, 299)], &[("x-zone", "a")], None), Class::Wrong, Cause::Content, 200),
        ("200 OK", expecting(&[(200, 299)], &[], Some("yes")), Class::Wrong, Cause::Content, 200),
        ("503 Planned", expecting(&[(503, 503)], &[], None), Class::Ok, Cause::None, 503),
    ] {
        let server = answering(page(status)).await;
        let answer = ask(Probe::Http(Http { expect, ..http(&server.url("/")) })).await;
        assert_eq!((answer.class, answer.cause, answer.code), (class, cause, code), "{status}: {answer:?}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_unless_it_is_followed() {
    let target = answering(OK).await;
    let location = target.url("/new");
    let server =
        answering(format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")).await;
    let stays = ask(Probe::Http(http(&server.url("/")))).await;
    assert_eq!((stays.class, stays.cause, stays.code), (Class::Wrong, Cause::Status, 302));
    // Following may lead to https, for which the authorities of `tls` are trusted.
    let tls = Some(Tls { ca_file: None, insecure: true, server_name: None });
    let goes = ask(Probe::Http(Http { redirects: true, tls, ..http(&server.url("/")) })).await;
    assert_eq!((goes.class, goes.code), (Class::Ok, 200), "{goes:?}");
}

#[tokio::test]
async fn a_closed_port_is_refused() {
    let address = closed_port().await;
    let answer = ask(Probe::Http(http(&format!("http://{address}/")))).await;
    assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Refused), "{answer:?}");
    assert!(answer.done.since(answer.sent) < Duration::from_millis(500));
}

#[tokio::test]
async fn a_black_hole_is_given_up_before_the_kernel_repeats_its_syn() {
    let hole = black_hole().await;
    let answer = ask(Probe::Http(http(&format!("http://{}/", hole.address)))).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::ConnectTimeout), "{answer:?}");
    let took = answer.done.since(answer.sent);
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(1300), "{took:?}");
}

#[tokio::test]
async fn a_server_that_accepts_and_hangs_times_out() {
    let server = serve(|stream| async move {
        tokio::time::sleep(Duration::from_secs(10)).await;
        drop(stream);
    })
    .await;
    let timeout = Duration::from_millis(950);
    let answer = ask(Probe::Http(Http { timeout, ..http(&server.url("/")) })).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Timeout), "{answer:?}");
    let took = answer.done.since(answer.sent);
    assert!(took >= timeout && took < timeout + Duration::from_millis(300), "{took:?}");
}

#[tokio::test]
async fn a_body_that_never_ends_times_out() {
    let server = serve(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel").await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    let timeout = Duration::from_millis(950);
    let answer = ask(Probe::Http(Http { timeout, ..http(&server.url("/")) })).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Timeout), "{answer:?}");
}

#[tokio::test]
async fn a_connection_that_ends_early_is_reset() {
    let hangs_up = serve(|mut stream| async move {
        read_request(&mut stream).await;
    })
    .await;
    let resets = serve(|mut stream| async move {
        read_request(&mut stream).await;
        reset(stream);
    })
    .await;
    let cut = serve(|mut stream| async move {
        read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhel").await.unwrap();
    })
    .await;
    for server in [&hangs_up, &resets, &cut] {
        let answer = ask(Probe::Http(http(&server.url("/")))).await;
        assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Reset), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_protocol_error() {
    let server = answering("SSH-2.0-OpenSSH_9.9\r\n").await;
    let answer = ask(Probe::Http(http(&server.url("/")))).await;
    assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Protocol), "{answer:?}");
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_failure() {
    let server = dns_code(ResponseCode::NXDomain).await;
    let probe = || Probe::Http(http("http://shop.test/"));
    let answer = ask_with(probe(), Resolver::Server(server.address)).await;
    assert_eq!((answer.class, answer.cause, answer.code), (Class::FailFast, Cause::Dns, 3), "{answer:?}");

    let (address, _open) = silent_dns().await;
    let answer = ask_with(probe(), Resolver::Server(address)).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Dns), "{answer:?}");
}

#[tokio::test]
async fn slow_is_not_ok() {
    let server = serve(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    for (limit, class) in [(50, Class::Slow), (1500, Class::Ok)] {
        let slower_than = Some(Duration::from_millis(limit));
        let answer = ask(Probe::Http(Http { slower_than, ..http(&server.url("/")) })).await;
        assert_eq!(answer.class, class, "{answer:?}");
    }
}

#[tokio::test]
async fn the_request_is_sent_as_written() {
    let heard = Arc::new(Mutex::new(String::new()));
    let hearing = heard.clone();
    let server = serve(move |mut stream| {
        let hearing = hearing.clone();
        async move {
            let request = read_request(&mut stream).await;
            *hearing.lock().unwrap() = request;
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let headers = [("X-Drill".to_owned(), "yes".to_owned())].into_iter().collect();
    let answer = ask(Probe::Http(Http {
        method: Method(reqwest::Method::POST),
        headers: Some(headers),
        body: Some("ping".to_owned()),
        ..http(&server.url("/buy?x=1"))
    }))
    .await;
    assert_eq!(answer.class, Class::Ok);
    let request = heard.lock().unwrap().clone();
    assert!(request.starts_with("POST /buy?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("x-drill: yes\r\n") && request.ends_with("\r\n\r\nping"), "{request}");
}

/// How many connections three requests take, the second of which is answered with 503.
async fn connections_of_three(connection: Connection) -> usize {
    let connections = Arc::new(AtomicUsize::new(0));
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    let server = serve(move |mut stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let requests = requests.clone();
        async move {
            while !read_request(&mut stream).await.is_empty() {
                let response = match requests.fetch_add(1, Ordering::SeqCst) {
                    1 => "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
                    _ => OK,
                };
                stream.write_all(response.as_bytes()).await.unwrap();
            }
        }
    })
    .await;
    let probe = Probe::Http(Http { connection: Connections(vec![connection]), ..http(&server.url("/")) });
    let ready = probe.open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    for (seq, class) in [Class::Ok, Class::FailFast, Class::Ok].into_iter().enumerate() {
        assert_eq!(ready.ask(seq as u32, &clock).await.class, class);
        // Let the connection's own task put it back into the pool.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn each_kind_of_client_connects_as_it_says() {
    assert_eq!(connections_of_three(Connection::Fresh).await, 3);
    assert_eq!(connections_of_three(Connection::Kept).await, 1);
    assert_eq!(connections_of_three(Connection::Reconnect).await, 2);
}

#[tokio::test]
async fn a_sample_says_who_answered_and_how_long_each_part_took() {
    let server = answering("HTTP/1.1 200 OK\r\nx-served-by: web-1\r\ncontent-length: 0\r\n\r\n").await;
    let named = Some("x-served-by".to_owned());
    let probe = |header: &Option<String>| {
        Probe::Http(Http { identity_header: header.clone(), ..http(&server.url("/")) })
    };
    let answer = ask(probe(&named)).await;
    assert_eq!(answer.who.as_deref(), Some("web-1"));
    let answer = ask(probe(&None)).await;
    assert_eq!(answer.who.as_deref(), Some(server.address.to_string().as_str()));
    assert!(answer.phases.connect > 0 && answer.phases.first_byte > 0, "{:?}", answer.phases);
    assert_eq!((answer.phases.dns, answer.phases.tls), (0, 0), "an address and no TLS");
    let refused = ask(Probe::Http(http(&format!("http://{}/", closed_port().await)))).await;
    assert_eq!(refused.who, None);
}

#[tokio::test]
async fn a_kept_connection_has_no_connecting() {
    let server = serve(|mut stream| async move {
        while !read_request(&mut stream).await.is_empty() {
            stream.write_all(OK.as_bytes()).await.unwrap();
        }
    })
    .await;
    let connection = Connections(vec![Connection::Kept]);
    let ready =
        Probe::Http(Http { connection, ..http(&server.url("/")) }).open(&opening(Resolver::System)).unwrap();
    let clock = Clock::start();
    let first = ready.ask(0, &clock).await;
    let second = ready.ask(1, &clock).await;
    assert!(first.phases.connect > 0 && second.phases.connect == 0, "{first:?}, {second:?}");
    assert!(second.phases.first_byte > 0 && second.class == Class::Ok);
}

#[tokio::test]
async fn the_first_byte_has_a_budget_of_its_own() {
    let server = serve(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    let first_byte_timeout = Some(Duration::from_millis(200));
    let answer = ask(Probe::Http(Http { first_byte_timeout, ..http(&server.url("/")) })).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Timeout), "{answer:?}");
    assert!(answer.detail.as_ref().unwrap().contains("no first byte within 200 ms"), "{answer:?}");
}

#[tokio::test]
async fn an_answer_that_comes_late_is_still_heard() {
    let server = serve(|mut stream| async move {
        read_request(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        stream.write_all(OK.as_bytes()).await.unwrap();
    })
    .await;
    let timeout = Duration::from_millis(200);
    let answer = ask(Probe::Http(Http { timeout, ..http(&server.url("/")) })).await;
    assert_eq!(answer.class, Class::Timeout);
    let rest = answer.rest.work().expect("the socket is kept");
    assert!(rest.await, "a good answer, only late");
    // Nothing was asked where there is no connection: nothing can come late.
    let hole = black_hole().await;
    let answer = ask(Probe::Http(http(&format!("http://{}/", hole.address)))).await;
    assert!(answer.rest.work().is_none());
}

mod http2 {
    use std::convert::Infallible;

    use http_body_util::Full;
    use hyper::service::service_fn;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that speaks HTTP/2 from the first byte on; how many connections it took.
    async fn server() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answering = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                    let status = if request.uri().path() == "/gone" { 503 } else { 200 };
                    let named = hyper::Response::builder().status(status).header("x-site", "b");
                    Ok::<_, Infallible>(named.body(Full::new(bytes::Bytes::from("hello"))).unwrap())
                });
                let io = TokioIo::new(stream);
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(io, answering),
                );
            }
        });
        (address, connections)
    }

    #[tokio::test]
    async fn is_spoken_and_shares_one_connection() {
        let (address, connections) = server().await;
        let probe = |path: &str, connection| {
            let version = HttpVersion::Http2;
            let identity_header = Some("x-site".to_owned());
            let connection = Connections(vec![connection]);
            let url = format!("http://{address}{path}");
            Probe::Http(Http { version, identity_header, connection, ..http(&url) })
        };
        let answer = ask(probe("/", Connection::Fresh)).await;
        assert_eq!(
            (answer.class, answer.code, answer.who.as_deref()),
            (Class::Ok, 200, Some("b")),
            "{answer:?}"
        );
        let answer = ask(probe("/gone", Connection::Fresh)).await;
        assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::ServerError), "{answer:?}");
        let before = connections.load(Ordering::SeqCst);
        let kept = probe("/", Connection::Kept).open(&opening(Resolver::System)).unwrap();
        let clock = Clock::start();
        for seq in 0..3 {
            assert_eq!(kept.ask(seq, &clock).await.class, Class::Ok);
        }
        assert_eq!(connections.load(Ordering::SeqCst) - before, 1);
    }

    #[tokio::test]
    async fn a_server_that_does_not_speak_it_is_a_protocol_error() {
        let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        let answer = ask(Probe::Http(Http { version: HttpVersion::Http2, ..http(&server.url("/")) })).await;
        assert_eq!(answer.class, Class::FailFast, "{answer:?}");
    }
}

mod tls {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};

    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;

    const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/testdata/self_signed.pem");
    const KEY: &[u8] = include_bytes!("../testdata/self_signed.key.der");

    /// Serves `connections` TLS connections with a self-signed certificate for `shop.test`.
    fn tls_server(connections: usize) -> SocketAddr {
        let certificate = CertificateDer::from_pem_file(CERTIFICATE).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(KEY.to_vec()).into())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(connections) {
                let connection = ServerConnection::new(config.clone()).unwrap();
                let mut stream = StreamOwned::new(connection, stream.unwrap());
                let mut request = [0; 4096];
                // A client that does not trust us hangs up.
                if stream.read(&mut request).is_ok_and(|length| length > 0) {
                    stream.write_all(OK.as_bytes()).unwrap();
                    stream.conn.send_close_notify();
                    stream.flush().unwrap();
                }
            }
        });
        address
    }

    fn https(address: SocketAddr, tls: Tls) -> Probe {
        Probe::Http(Http { tls: Some(tls), ..http(&format!("https://{address}/")) })
    }

    #[tokio::test]
    async fn a_certificate_is_accepted_by_the_settings_that_trust_it() {
        let trusted = || Some(CERTIFICATE.to_owned());
        let named = || Some("shop.test".to_owned());
        let address = tls_server(3);
        for (tls, class, cause) in [
            (Tls { ca_file: None, insecure: true, server_name: None }, Class::Ok, Cause::None),
            (Tls { ca_file: trusted(), insecure: false, server_name: named() }, Class::Ok, Cause::None),
            // Trusted, but for another name.
            (Tls { ca_file: trusted(), insecure: false, server_name: None }, Class::FailFast, Cause::Tls),
        ] {
            let answer = ask(https(address, tls.clone())).await;
            assert_eq!((answer.class, answer.cause), (class, cause), "{tls:?}: {answer:?}");
        }
    }

    #[tokio::test]
    async fn a_self_signed_certificate_is_not_trusted_by_itself() {
        let address = tls_server(1);
        let probe = Probe::Http(http(&format!("https://{address}/")));
        // A machine without authorities refuses to open such a probe at all.
        if probe.open(&opening(Resolver::System)).is_ok() {
            let answer = ask(probe).await;
            assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Tls), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn a_server_that_speaks_no_tls_fails_the_handshake() {
        let server = serve(|mut stream| async move {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        })
        .await;
        let insecure = Tls { ca_file: None, insecure: true, server_name: None };
        let answer = ask(https(server.address, insecure.clone())).await;
        assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Tls), "{answer:?}");
        let hangs_up = serve(|mut stream| async move {
            let mut hello = [0; 512];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut hello).await;
        })
        .await;
        let answer = ask(https(hangs_up.address, insecure)).await;
        assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Tls), "{answer:?}");
    }
}

#[test]
fn passwords_in_urls_are_hidden() {
    let url = Url("http://user:hunter2@shop.test/".parse().unwrap());
    assert!(!format!("{url} {url:?}").contains("hunter2"));
    assert!(!http("http://user:hunter2@shop.test/").summary().contains("hunter2"));
}

#[tokio::test]
async fn errors_do_not_repeat_the_password() {
    let address = closed_port().await;
    let answer = ask(Probe::Http(http(&format!("http://user:hunter2@{address}/")))).await;
    let detail = answer.detail.unwrap();
    assert!(!detail.contains("hunter2") && detail.contains("refused"), "{detail}");
}
