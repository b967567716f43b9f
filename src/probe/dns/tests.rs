use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, TXT};
use hickory_proto::rr::{Name, RData, Record};

use super::*;
use crate::probe::fixture::{
    LOOPBACK, Server as Running, ask_with, closed_port, dns, dns_code, opening, silent_dns,
};
use crate::probe::{Answer, Probe, Resolver};
use crate::sample::{Cause, Class};

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

fn a(last: u8) -> RData {
    RData::A(A(Ipv4Addr::new(10, 0, 0, last)))
}

/// A zone of fixed records; a CNAME is answered alone, as an authoritative server of another zone's name does.
async fn zone(records: Vec<(&'static str, RData)>) -> Running {
    dns(move |question, response| {
        let asked = &question.queries[0];
        response.metadata.authoritative = true;
        let named: Vec<&(&str, RData)> =
            records.iter().filter(|(owner, _)| name(owner) == *asked.name()).collect();
        if named.is_empty() {
            response.metadata.response_code = ResponseCode::NXDomain;
        }
        for (owner, data) in named {
            if data.record_type() == asked.query_type() || matches!(data, RData::CNAME(_)) {
                response.add_answer(Record::from_rdata(name(owner), 1, data.clone()));
            }
        }
    })
    .await
}

async fn lookup(server: &Running, probe: Dns) -> Answer {
    ask_with(Probe::Dns(probe), Resolver::Server(server.address)).await
}

fn probe(name: &str, r#type: RecordType, expect: &[&str]) -> Dns {
    let expect = (!expect.is_empty()).then(|| expect.iter().map(|value| (*value).to_owned()).collect());
    let timeout = Duration::from_millis(900);
    Dns { name: name.to_owned(), r#type, server: None, authoritative: false, expect, timeout }
}

#[tokio::test]
async fn values_are_compared_as_a_set() {
    let server = zone(vec![
        ("www.shop.test.", a(2)),
        ("www.shop.test.", a(1)),
        ("shop.test.", RData::MX(MX::new(10, name("mail.shop.test.")))),
        ("shop.test.", RData::TXT(TXT::new(vec!["v=spf1 -all".to_owned()]))),
    ])
    .await;
    for (probe, class) in [
        (probe("www.shop.test", RecordType::A, &["10.0.0.1", "10.0.0.2"]), Class::Ok),
        (probe("www.shop.test.", RecordType::A, &[]), Class::Ok),
        (probe("www.shop.test", RecordType::A, &["10.0.0.1"]), Class::Wrong),
        (probe("www.shop.test", RecordType::A, &["10.0.0.1", "10.0.0.2", "10.0.0.3"]), Class::Wrong),
        (probe("www.shop.test", RecordType::Aaaa, &[]), Class::Wrong),
        (probe("shop.test", RecordType::Mx, &["10 MAIL.shop.test"]), Class::Ok),
        (probe("shop.test", RecordType::Txt, &["v=spf1 -all"]), Class::Ok),
    ] {
        let summary = probe.summary();
        let answer = lookup(&server, probe).await;
        assert_eq!(answer.class, class, "{summary}: {answer:?}");
    }
}

#[tokio::test]
async fn aliases_are_followed_over_several_answers() {
    let server = zone(vec![
        ("db.shop.test.", RData::CNAME(CNAME(name("one.shop.test.")))),
        ("one.shop.test.", RData::CNAME(CNAME(name("two.shop.test.")))),
        ("two.shop.test.", a(7)),
        ("round.shop.test.", RData::CNAME(CNAME(name("about.shop.test.")))),
        ("about.shop.test.", RData::CNAME(CNAME(name("round.shop.test.")))),
    ])
    .await;
    let answer = lookup(&server, probe("db.shop.test", RecordType::A, &["10.0.0.7"])).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
    let alias = lookup(&server, probe("db.shop.test", RecordType::Cname, &["one.shop.test"])).await;
    assert_eq!(alias.class, Class::Ok, "{alias:?}");
    let circle = lookup(&server, probe("round.shop.test", RecordType::A, &[])).await;
    assert_eq!((circle.class, circle.cause), (Class::FailFast, Cause::Dns), "{circle:?}");

    let resolver = Resolver::Server(server.address);
    let found = resolver.addresses("db.shop.test", Duration::from_millis(900)).await.unwrap();
    assert_eq!(found, ["10.0.0.7".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn a_truncated_answer_is_asked_for_again_over_tcp() {
    let server = dns(|question, response| {
        response.metadata.truncation = true;
        response.add_answer(Record::from_rdata(question.queries[0].name().clone(), 1, a(9)));
    })
    .await;
    let answer = lookup(&server, probe("www.shop.test", RecordType::A, &["10.0.0.9"])).await;
    assert_eq!(answer.class, Class::Ok, "{answer:?}");
}

#[tokio::test]
async fn what_is_not_an_answer_is_a_failure() {
    for (code, number) in
        [(ResponseCode::NXDomain, 3), (ResponseCode::ServFail, 2), (ResponseCode::Refused, 5)]
    {
        let server = dns_code(code).await;
        let answer = lookup(&server, probe("www.shop.test", RecordType::A, &[])).await;
        assert_eq!(
            (answer.class, answer.cause, answer.code),
            (Class::FailFast, Cause::Dns, number),
            "{answer:?}"
        );
    }
    let (address, _open) = silent_dns().await;
    let wanted = || Probe::Dns(probe("www.shop.test", RecordType::A, &[]));
    let answer = ask_with(wanted(), Resolver::Server(address)).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Dns), "{answer:?}");
    let took = answer.done.since(answer.sent);
    assert!(took >= Duration::from_millis(900) && took < Duration::from_millis(1300), "{took:?}");
    let answer = ask_with(wanted(), Resolver::Server(closed_port().await)).await;
    assert_eq!((answer.class, answer.cause), (Class::FailFast, Cause::Dns), "{answer:?}");
}

#[tokio::test]
async fn an_answer_to_another_question_is_not_taken() {
    // Another id, or another name: both are what a forger or a late packet looks like.
    let spoil: [fn(&mut Message); 2] = [
        |response| response.metadata.id ^= 1,
        |response| {
            response.queries[0].set_name(Name::from_ascii("bank.test.").unwrap());
        },
    ];
    for spoil in spoil {
        let server = dns(move |question, response| {
            response.add_answer(Record::from_rdata(question.queries[0].name().clone(), 1, a(6)));
            spoil(response);
        })
        .await;
        let answer = lookup(&server, probe("www.shop.test", RecordType::A, &[])).await;
        assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Dns), "{answer:?}");
    }
}

#[tokio::test]
async fn each_name_server_of_the_zone_must_agree() {
    let records = |value| {
        vec![
            ("shop.test.", RData::NS(NS(name("ns1.shop.test.")))),
            ("ns1.shop.test.", RData::A(A(Ipv4Addr::LOCALHOST))),
            ("www.shop.test.", a(value)),
        ]
    };
    let server = zone(records(4)).await;
    for (expect, class) in [("10.0.0.4", Class::Ok), ("10.0.0.5", Class::Wrong)] {
        let probe = Dns { authoritative: true, ..probe("www.shop.test", RecordType::A, &[expect]) };
        let answer = lookup(&server, probe).await;
        assert_eq!(answer.class, class, "{answer:?}");
    }
    let nowhere = Dns { authoritative: true, ..probe("www.other.test", RecordType::A, &[]) };
    let ready = Probe::Dns(nowhere).open(&opening(Resolver::Server(server.address))).unwrap();
    let error = ready.prepare().await.unwrap_err();
    assert!(error.contains("www.other.test"), "{error}");
}

#[tokio::test]
async fn addresses_need_no_server() {
    let nobody = Resolver::Server(closed_port().await);
    for (host, address) in [("10.1.2.3", "10.1.2.3"), ("[::1]", "::1"), ("localhost", "127.0.0.1")] {
        let found = nobody.addresses(host, Duration::from_millis(100)).await.unwrap();
        assert_eq!(found, [address.parse::<IpAddr>().unwrap()]);
    }
    let found = Resolver::System.addresses("localhost", Duration::from_millis(900)).await.unwrap();
    assert!(found[0] == LOOPBACK || !found.contains(&LOOPBACK), "{found:?}");
}
