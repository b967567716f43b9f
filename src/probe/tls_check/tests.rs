use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::clock::{Clock, boottime_ns};
use crate::probe::fixture::{Server, ask, black_hole, closed_port, opening, serve};
use crate::probe::{Probe, Resolver};
use crate::sample::{Cause, Class};

const CERTIFICATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/probe/testdata/self_signed.pem");
const KEY: &[u8] = include_bytes!("../testdata/self_signed.key.der");

/// Serves the certificate of `shop.test` (serial 1, until 2120) to whoever offers one of the versions.
async fn server(versions: &[&'static rustls::SupportedProtocolVersion]) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_file(CERTIFICATE).unwrap()],
            PrivatePkcs8KeyDer::from(KEY.to_vec()).into(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    serve(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            // A client that does not trust us hangs up.
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 64]).await;
            }
        }
    })
    .await
}

fn tls(address: SocketAddr) -> Tls {
    Tls {
        address: Address { host: address.ip().to_string(), port: address.port() },
        server_name: Some("shop.test".to_owned()),
        ca_file: Some(CERTIFICATE.to_owned()),
        insecure: false,
        expires_in: None,
        version: None,
        connect_timeout: Duration::from_millis(900),
        tls_timeout: Duration::from_millis(400),
    }
}

#[tokio::test]
async fn each_outcome_has_its_class() {
    let server = server(&[&TLS12, &TLS13]).await;
    let old = server_of_12().await;
    let plain = serve(|mut stream| async move {
        let _ = stream.read(&mut [0; 4096]).await;
    })
    .await;
    let good = || tls(server.address);
    let (days, century) = (Duration::from_secs(14 * 86_400), Duration::from_secs(120 * 365 * 86_400));
    for (what, probe, class, cause) in [
        ("trusted", good(), Class::Ok, Cause::None),
        ("lasts", Tls { expires_in: Some(days), ..good() }, Class::Ok, Cause::None),
        ("expires", Tls { expires_in: Some(century), ..good() }, Class::Wrong, Cause::Content),
        ("other name", Tls { server_name: None, ..good() }, Class::FailFast, Cause::Tls),
        ("any", Tls { server_name: None, insecure: true, ca_file: None, ..good() }, Class::Ok, Cause::None),
        (
            "any, but it expires",
            Tls { insecure: true, expires_in: Some(century), ..good() },
            Class::Wrong,
            Cause::Content,
        ),
        ("pinned", Tls { version: Some(Version::Tls12), ..good() }, Class::Ok, Cause::None),
        ("only old", Tls { version: Some(Version::Tls13), ..tls(old.address) }, Class::FailFast, Cause::Tls),
        ("hangs up", tls(plain.address), Class::FailFast, Cause::Tls),
        ("closed", tls(closed_port().await), Class::FailFast, Cause::Refused),
    ] {
        let answer = ask(Probe::Tls(probe)).await;
        assert_eq!((answer.class, answer.cause), (class, cause), "{what}: {answer:?}");
    }
}

async fn server_of_12() -> Server {
    server(&[&TLS12]).await
}

#[tokio::test]
async fn the_serial_says_who_answered_and_each_part_has_its_time() {
    let server = server(&[&TLS13]).await;
    let answer = ask(Probe::Tls(tls(server.address))).await;
    assert_eq!(answer.who.as_deref(), Some("serial 01"));
    assert!(answer.phases.connect > 0 && answer.phases.tls > 0, "{answer:?}");
}

#[tokio::test]
async fn the_runs_own_clock_decides_what_has_expired() {
    let server = server(&[&TLS13]).await;
    let probe = Tls { expires_in: Some(Duration::from_secs(14 * 86_400)), ..tls(server.address) };
    let ready = Probe::Tls(probe.clone()).open(&opening(Resolver::System)).unwrap();
    // The certificate's last second is 2120-01-01T00:00:00Z.
    for (now, class, cause, words) in [
        ("2119-12-17T23:00:00Z", Class::Ok, Cause::None, ""),
        ("2119-12-30T00:00:00Z", Class::Wrong, Cause::Content, "expires in 4"),
        ("2120-01-02T00:00:00Z", Class::FailFast, Cause::Tls, "Expired"),
        ("2019-12-31T00:00:00Z", Class::FailFast, Cause::Tls, "NotValidYet"),
    ] {
        let clock = Clock::at(now.parse().unwrap(), boottime_ns());
        let answer = ready.ask(0, &clock).await;
        assert_eq!((answer.class, answer.cause), (class, cause), "{now}: {answer:?}");
        let said = answer.detail.unwrap_or_default().replace(' ', "").to_ascii_lowercase();
        assert!(said.contains(&words.replace(' ', "").to_ascii_lowercase()), "{now}: {said}");
    }
}

#[tokio::test]
async fn silence_is_told_from_a_black_hole() {
    let mute = serve(|stream| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    })
    .await;
    let answer = ask(Probe::Tls(tls(mute.address))).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Tls), "{answer:?}");
    assert!(answer.phases.connect > 0 && answer.phases.tls == 0, "{answer:?}");
    let hole = black_hole().await;
    let answer = ask(Probe::Tls(tls(hole.address))).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::ConnectTimeout), "{answer:?}");
}

#[test]
fn a_name_that_tls_cannot_ask_for_is_refused_before_the_run() {
    let probe = Tls { server_name: Some("not a name".to_owned()), ..tls(([127, 0, 0, 1], 1).into()) };
    let error = Probe::Tls(probe).open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("`not a name`"), "{error}");
}
