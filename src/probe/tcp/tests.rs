use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::*;
use crate::probe::Probe;
use crate::probe::fixture::{ask, black_hole, closed_port, reset, serve};
use crate::sample::{Cause, Class};

fn tcp(address: impl ToString, banner: Option<&str>) -> Probe {
    Probe::Tcp(Tcp {
        per_ip: false,
        address: Address::parse(&address.to_string()).unwrap(),
        connect_timeout: Duration::from_millis(900),
        expect_banner: banner.map(str::to_owned),
    })
}

#[tokio::test]
async fn a_connection_is_enough_without_a_banner() {
    let server = serve(|stream| async move { drop(stream) }).await;
    assert_eq!(ask(tcp(server.address, None)).await.class, Class::Ok);
    let refused = ask(tcp(closed_port().await, None)).await;
    assert_eq!((refused.class, refused.cause), (Class::FailFast, Cause::Refused));
}

#[tokio::test]
async fn a_black_hole_takes_exactly_the_connect_deadline() {
    let hole = black_hole().await;
    let answer = ask(tcp(hole.address, None)).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::ConnectTimeout));
    let took = answer.done.since(answer.sent);
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(1300), "{took:?}");
}

#[tokio::test]
async fn a_banner_is_compared() {
    let ssh = serve(|mut stream| async move {
        // In two pieces: a banner is not a packet.
        stream.write_all(b"SSH-").await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        stream.write_all(b"2.0-OpenSSH\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
    })
    .await;
    assert_eq!(ask(tcp(ssh.address, Some("SSH-2.0"))).await.class, Class::Ok);
    let other = ask(tcp(ssh.address, Some("220 "))).await;
    assert_eq!((other.class, other.cause), (Class::Wrong, Cause::Content), "{other:?}");

    let mute = serve(|stream| async move {
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    })
    .await;
    let answer = ask(tcp(mute.address, Some("SSH"))).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Timeout), "{answer:?}");

    let rude = serve(|stream| async move { reset(stream) }).await;
    let answer = ask(tcp(rude.address, Some("SSH"))).await;
    assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Reset), "{answer:?}");
}

#[test]
fn addresses_are_read_and_shown_alike() {
    for (text, host) in [("db.test:5432", "db.test"), ("10.0.0.1:80", "10.0.0.1"), ("[::1]:80", "::1")] {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.host.as_str(), address.to_string().as_str()), (host, text));
    }
    for text in ["db.test", ":80", "db.test:0", "db.test:x", "::1:80", "http://db:80", "[db]:80"] {
        assert_eq!(Address::parse(text), None, "{text}");
    }
}
