use std::time::Duration;

use super::fixture::opening;
use super::*;
use crate::notation::decode::{Context, Decode, Unresolved};
use crate::notation::yaml::{Key, Node, Span, Value};

fn scalar(text: &str) -> Node {
    Node { span: Span::default(), value: Value::Scalar { text: text.to_owned(), plain: true } }
}

fn list(texts: &[&str]) -> Node {
    Node { span: Span::default(), value: Value::List(texts.iter().map(|text| scalar(text)).collect()) }
}

fn map(entries: &[(&str, Node)]) -> Node {
    let entries = entries
        .iter()
        .map(|(key, node)| (Key { text: (*key).to_owned(), span: Span::default() }, node.clone()))
        .collect();
    Node { span: Span::default(), value: Value::Map(entries) }
}

fn read(kind: &str, entries: &[(&str, Node)]) -> Result<Probe, Vec<String>> {
    let mut cx = Context::new(&Unresolved);
    let probe = Probe::decode(&map(&[(kind, map(entries))]), &mut cx);
    probe.ok_or_else(|| cx.problems.into_iter().map(|problem| problem.message).collect())
}

#[test]
fn every_kind_is_read_with_its_defaults_and_summed_up() {
    let url = || ("url", scalar("http://shop.test:8080/health"));
    let dsn = || ("dsn", scalar("postgres://app:hunter2@db.test/orders"));
    let expect = map(&[("status", list(&["2xx", "304"])), ("body_contains", scalar("ok"))]);
    for (kind, entries, summary, deadline, ledger) in [
        ("http", vec![url()], "GET http://shop.test:8080/health", 2000, false),
        (
            "http",
            vec![url(), ("expect", expect), ("slower_than", scalar("300ms")), ("connection", scalar("kept"))],
            "GET http://shop.test:8080/health expects 2xx or 304, body contains `ok`, within 300ms (kept connection)",
            2000,
            false,
        ),
        ("tcp", vec![("address", scalar("db.test:5432"))], "connect db.test:5432", 900, false),
        (
            "dns",
            vec![
                ("name", scalar("www.test")),
                ("server", scalar("10.0.0.2")),
                ("expect", list(&["10.0.0.9"])),
            ],
            "www.test A at 10.0.0.2:53 expects 10.0.0.9",
            1800,
            false,
        ),
        (
            "grpc",
            vec![
                ("address", scalar("shop.test:50051")),
                ("service", scalar("shop.Checkout")),
                ("connection", scalar("kept")),
            ],
            "gRPC health of shop.Checkout at shop.test:50051 (kept connection)",
            2000,
            false,
        ),
        (
            "tls",
            vec![
                ("address", scalar("10.0.0.1:443")),
                ("insecure", scalar("true")),
                ("expires_in", scalar("14d")),
            ],
            "TLS handshake with 10.0.0.1:443, valid for 14d more",
            1900,
            false,
        ),
        ("command", vec![("run", list(&["sh", "-c", "true"]))], "run sh -c true", 5000, false),
        (
            "prometheus",
            vec![
                ("url", scalar("http://ops:hunter2@prom.test:9090")),
                ("query", scalar("up")),
                ("expect", map(&[("above", scalar("50%"))])),
            ],
            "`up` at http://ops:***@prom.test:9090/ is above 0.5",
            5000,
            false,
        ),
        ("postgres", vec![dsn()], "postgres://app:***@db.test:5432/orders is the writer", 2000, false),
        (
            "postgres.ledger",
            vec![dsn()],
            "numbered rows at postgres://app:***@db.test:5432/orders",
            2000,
            true,
        ),
        ("http.ledger", vec![url()], "numbered entries to http://shop.test:8080/health", 2000, true),
        (
            "mysql",
            vec![("dsn", scalar("mysql://app:hunter2@db.test/orders")), ("connection", scalar("kept"))],
            "mysql://app:***@db.test:3306/orders is the writer (kept connection)",
            2000,
            false,
        ),
        (
            "mysql.ledger",
            vec![("dsn", scalar("mysql://app:hunter2@db.test/orders"))],
            "numbered rows at mysql://app:***@db.test:3306/orders",
            2000,
            true,
        ),
        (
            "redis",
            vec![("dsn", scalar("redis://:hunter2@cache.test")), ("role", scalar("replica"))],
            "redis://:***@cache.test:6379 is a replica",
            2000,
            false,
        ),
        (
            "redis.ledger",
            vec![
                ("dsn", scalar("redis+sentinel://app:hunter2@s1.test,s2.test/orders")),
                ("wait", map(&[("replicas", scalar("2"))])),
            ],
            "numbered entries at redis+sentinel://app:***@s1.test:26379,s2.test:26379/orders, on 2 replicas",
            2000,
            true,
        ),
    ] {
        let probe = read(kind, &entries).unwrap();
        assert_eq!(probe.name(), kind);
        assert_eq!(probe.summary(), summary);
        assert_eq!(probe.deadline(), Duration::from_millis(deadline), "{kind}");
        assert_eq!(probe.is_ledger(), ledger, "{kind}");
        let ready = probe.open(&opening(Resolver::System)).unwrap();
        assert_eq!((ready.deadline(), ready.writes()), (probe.deadline(), ledger), "{kind}");
        assert!(!format!("{probe:?}").contains("hunter2"));
    }
}

#[test]
fn ledgers_in_aws_need_an_environment() {
    for (kind, entries, summary) in [
        (
            "dynamodb.ledger",
            vec![("table", scalar("orders")), ("read_from", scalar("eu-central-1"))],
            "numbered items into table orders, read back in eu-central-1",
        ),
        ("s3.ledger", vec![("bucket", scalar("up"))], "numbered objects into bucket up"),
    ] {
        let probe = read(kind, &entries).unwrap();
        assert_eq!((probe.summary().as_str(), probe.is_ledger(), probe.asks_aws()), (summary, true, true));
        let error = probe.open(&opening(Resolver::System)).err().unwrap();
        assert!(error.contains("no environment was given"), "{error}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_is_expected() {
    for (kind, entries, message) in [
        (
            "http",
            vec![("url", scalar("shop.test/health"))],
            "expected a URL such as http://shop.example.com/health, found `shop.test/health`",
        ),
        (
            "http",
            vec![("url", scalar("ftp://shop.test/"))],
            "expected a URL such as http://shop.example.com/health, found `ftp://shop.test/`",
        ),
        (
            "tcp",
            vec![("address", scalar("db.test"))],
            "expected host:port, such as db.example.com:5432, found `db.test`",
        ),
        (
            "postgres",
            vec![("dsn", scalar("postgres:///orders?user=hunter2"))],
            "not a usable PostgreSQL DSN: it names no host",
        ),
        ("htpp", vec![], "unknown probe kind `htpp`"),
    ] {
        assert_eq!(read(kind, &entries).unwrap_err(), [message]);
    }
}

#[test]
fn a_time_that_no_answer_can_keep_is_refused() {
    let entries = [("dsn", scalar("postgres://db.test/orders")), ("timeout", scalar("0"))];
    let error = read("postgres", &entries).unwrap().open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("timeout of 0"), "{error}");
}

#[test]
fn headers_and_files_are_checked_before_the_run() {
    let url = || ("url", scalar("https://shop.test/"));
    for (entries, why) in [
        (vec![url(), ("headers", map(&[("bad name", scalar("x"))]))], "`bad name` is not a header's name"),
        (vec![url(), ("tls", map(&[("ca_file", scalar("/nowhere/ca.pem"))]))], "/nowhere/ca.pem"),
    ] {
        let error = read("http", &entries).unwrap().open(&opening(Resolver::System)).err().unwrap();
        assert!(error.contains(why), "{error}");
    }
}

/// A resolver that gives every name these addresses.
async fn several(addresses: &'static [&'static str]) -> super::fixture::Server {
    use hickory_proto::rr::{RData, Record, RecordType};
    super::fixture::dns(move |question, response| {
        let query = &question.queries[0];
        for address in addresses.iter().filter(|_| query.query_type() == RecordType::A) {
            let data = RData::A(address.parse::<std::net::Ipv4Addr>().unwrap().into());
            response.add_answer(Record::from_rdata(query.name().clone(), 5, data));
        }
    })
    .await
}

#[tokio::test]
async fn each_client_and_each_address_is_a_lane_of_its_own() {
    let server = several(&["127.0.0.1", "127.0.0.2"]).await;
    let opening = opening(Resolver::Server(server.address));
    let url = || ("url", scalar("http://shop.test/"));
    for (entries, expected) in [
        (vec![url()], vec![""]),
        (vec![url(), ("connection", list(&["kept"]))], vec![""]),
        (vec![url(), ("connection", list(&["fresh", "kept"]))], vec!["fresh", "kept"]),
        (vec![url(), ("per_ip", scalar("true"))], vec!["127.0.0.1", "127.0.0.2"]),
        (
            vec![url(), ("connection", list(&["kept", "reconnect"])), ("per_ip", scalar("true"))],
            vec!["kept@127.0.0.1", "kept@127.0.0.2", "reconnect@127.0.0.1", "reconnect@127.0.0.2"],
        ),
    ] {
        let variants = read("http", &entries).unwrap().variants(&opening).await.unwrap();
        let names: Vec<&str> = variants.iter().map(|v| v.name.as_deref().unwrap_or_default()).collect();
        assert_eq!(names, expected);
        assert!(variants.iter().all(|variant| variant.open(&opening).is_ok()));
    }
    for (kind, dsn) in [("mysql", "mysql://db.test/orders"), ("redis", "redis://cache.test")] {
        let clients = [("dsn", scalar(dsn)), ("connection", list(&["fresh", "reconnect"]))];
        let variants = read(kind, &clients).unwrap().variants(&opening).await.unwrap();
        let words: Vec<_> = variants.iter().map(|v| v.client.unwrap().word()).collect();
        assert_eq!(words, ["fresh", "reconnect"], "{kind}");
        assert!(variants[1].probe.summary().contains("reconnect connection"));
    }
    assert!(read("http", &[url(), ("connection", list(&["kept", "kept"]))]).is_err());
    assert!(read("http", &[url(), ("connection", list(&[]))]).is_err());
}

#[tokio::test]
async fn a_lane_for_one_address_asks_that_one() {
    use tokio::io::AsyncWriteExt;
    let names = several(&["127.0.0.1", "127.0.0.2"]).await;
    let served = super::fixture::serve(|mut stream| async move {
        super::fixture::read_request(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    })
    .await;
    let opening = opening(Resolver::Server(names.address));
    let url = format!("http://shop.test:{}/", served.address.port());
    let probe = read("http", &[("url", scalar(&url)), ("per_ip", scalar("true"))]).unwrap();
    let mut classes = Vec::new();
    for variant in probe.variants(&opening).await.unwrap() {
        let ready = variant.open(&opening).unwrap();
        classes.push(ready.ask(0, &Clock::start()).await.class);
    }
    // Only the first address has a server.
    assert_eq!(classes, [Class::Ok, Class::FailFast]);
}
