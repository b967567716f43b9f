use std::net::Ipv4Addr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, MX, NS, TXT};
use hickory_proto::rr::{Name, RData, Record};

use super::*;
use crate::probe::fixture::{
    LOOPBACK, Server as Running, ask_with, closed_port, dns, dns_code, opening, serve, silent_dns,
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

/// A name server that takes questions over UDP and TCP and says nothing.
async fn mute() -> (std::net::SocketAddr, (Running, tokio::net::UdpSocket)) {
    loop {
        let tcp = serve(|stream| async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            drop(stream);
        })
        .await;
        if let Ok(udp) = tokio::net::UdpSocket::bind(tcp.address).await {
            return (tcp.address, (tcp, udp));
        }
    }
}

fn probe(name: &str, r#type: RecordType, expect: &[&str]) -> Dns {
    let expect = (!expect.is_empty()).then(|| expect.iter().map(|value| (*value).to_owned()).collect());
    Dns {
        name: name.to_owned(),
        r#type,
        servers: None,
        resolvers: None,
        server: None,
        authoritative: false,
        expect,
        decides: Decides::Service,
        observers: Observers::Everyone,
        timeout: Duration::from_millis(900),
    }
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
    let (address, _open) = mute().await;
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

#[tokio::test]
async fn silence_over_udp_is_asked_again_over_tcp_and_said() {
    let server = dns(|question, response| {
        response.add_answer(Record::from_rdata(question.queries[0].name().clone(), 7, a(9)));
    })
    .await;
    // The same port on another address: there TCP answers and UDP does not.
    let tcp = tokio::net::TcpListener::bind(("127.0.0.2", server.address.port())).await.unwrap();
    let address = tcp.local_addr().unwrap();
    let _silent = tokio::net::UdpSocket::bind(address).await.unwrap();
    let behind = server.address;
    let _relay = tokio::spawn(async move {
        let (mut near, _) = tcp.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(behind).await.unwrap();
        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok();
    });
    let patient = Dns { timeout: Duration::from_millis(1800), ..probe("www.shop.test", RecordType::A, &[]) };
    let answer = ask_with(Probe::Dns(patient), Resolver::Server(address)).await;
    assert_eq!((answer.class, answer.who.as_deref()), (Class::Ok, Some("10.0.0.9")), "{answer:?}");
    assert!(answer.detail.as_deref().unwrap().contains("over TCP, after no answer over UDP"), "{answer:?}");
    assert!(answer.done.since(answer.sent) >= Duration::from_millis(900), "{answer:?}");
    // Where TCP is refused too, it is the silence that counts.
    let (address, _open) = silent_dns().await;
    let answer =
        ask_with(Probe::Dns(probe("www.shop.test", RecordType::A, &[])), Resolver::Server(address)).await;
    assert_eq!((answer.class, answer.cause), (Class::Timeout, Cause::Dns), "{answer:?}");
}

#[tokio::test]
async fn the_sorted_values_are_who_answered_and_the_longest_ttl_is_the_code() {
    let server = dns(|question, response| {
        response.metadata.authoritative = true;
        let asked = question.queries[0].name().clone();
        response.add_answer(Record::from_rdata(asked, 300, RData::CNAME(CNAME(name("one.shop.test.")))));
        response.add_answer(Record::from_rdata(name("one.shop.test."), 60, a(2)));
        response.add_answer(Record::from_rdata(name("one.shop.test."), 60, a(1)));
    })
    .await;
    let at = Server(server.address);
    for (servers, resolvers) in [(Some(Servers::At(vec![at])), None), (None, Some(vec![Recursor::At(at)]))] {
        for (expect, class, code) in [(&[][..], Class::Ok, 300), (&["10.0.0.3"][..], Class::Wrong, 0)] {
            let servers = servers.clone();
            let resolvers = resolvers.clone();
            let probe = Dns { servers, resolvers, ..probe("www.shop.test", RecordType::A, expect) };
            let answer = ask_with(Probe::Dns(probe), Resolver::System).await;
            // Also a wrong answer is somebody's.
            assert_eq!((answer.class, answer.code), (class, code), "{answer:?}");
            assert_eq!(answer.who.as_deref(), Some("10.0.0.1, 10.0.0.2"), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_systems_resolver_is_asked_as_programs_ask_it() {
    let system = |r#type, expect: &[&str]| Dns {
        resolvers: Some(vec![Recursor::System]),
        ..probe("localhost", r#type, expect)
    };
    let answer = ask_with(Probe::Dns(system(RecordType::A, &["127.0.0.1"])), Resolver::System).await;
    assert_eq!((answer.class, answer.who.as_deref()), (Class::Ok, Some("127.0.0.1")), "{answer:?}");
    let error = Probe::Dns(system(RecordType::Mx, &[])).open(&opening(Resolver::System)).err().unwrap();
    assert!(error.contains("gives addresses"), "{error}");
}

#[tokio::test]
async fn each_server_is_a_lane_of_its_own() {
    let zone = zone(vec![
        ("shop.test.", RData::NS(NS(name("ns1.shop.test.")))),
        ("shop.test.", RData::NS(NS(name("ns2.shop.test.")))),
        ("ns1.shop.test.", RData::A(A(Ipv4Addr::LOCALHOST))),
        ("ns2.shop.test.", RData::A(A(Ipv4Addr::new(127, 0, 0, 9)))),
        ("www.shop.test.", a(4)),
    ])
    .await;
    let opening = opening(Resolver::Server(zone.address));
    let read = |text: &str| text.parse().map(Server).unwrap();
    let several = Dns {
        servers: Some(Servers::Authoritative),
        resolvers: Some(vec![
            Recursor::At(Server(zone.address)),
            Recursor::At(read("10.0.0.2:53")),
            Recursor::System,
        ]),
        ..probe("www.shop.test", RecordType::A, &[])
    };
    let variants = Probe::Dns(several.clone()).variants(&opening).await.unwrap();
    let names: Vec<&str> = variants.iter().map(|variant| variant.name.as_deref().unwrap()).collect();
    let own = zone.address.to_string();
    assert_eq!(names, ["ns1.shop.test", "ns2.shop.test", own.as_str(), "10.0.0.2", "system"]);
    let roles: Vec<DnsRole> = variants.iter().map(|v| v.probe.dns_facts().unwrap().role).collect();
    let (authoritative, resolver) = (DnsRole::Authoritative, DnsRole::Resolver);
    assert_eq!(roles, [authoritative, authoritative, resolver, resolver, DnsRole::System]);
    // The first asks the zone's server without recursion, and no one else.
    let ready = variants[0].open(&opening).unwrap();
    ready.prepare().await.unwrap();
    let answer = ready.ask(0, &crate::clock::Clock::start()).await;
    assert_eq!((answer.class, answer.who.as_deref()), (Class::Ok, Some("10.0.0.4")), "{answer:?}");
    // One with one server is one lane, by the probe's own name.
    let alone = Probe::Dns(probe("www.shop.test", RecordType::A, &[]));
    assert_eq!(alone.variants(&opening).await.unwrap()[0].name, None);
}

#[tokio::test]
async fn what_no_lane_can_decide_is_refused() {
    let opening = opening(Resolver::Server(closed_port().await));
    let at = Recursor::At(Server("10.0.0.2:53".parse().unwrap()));
    let cutover = Dns {
        resolvers: Some(vec![at]),
        decides: Decides::Cutover,
        ..probe("www.shop.test", RecordType::A, &[])
    };
    let error = Probe::Dns(cutover.clone()).variants(&opening).await.unwrap_err();
    assert!(error.contains("servers: authoritative"), "{error}");
    let here = Dns { observers: Observers::ThisResolverOnly, ..cutover.clone() };
    assert_eq!(Probe::Dns(here).variants(&opening).await.unwrap().len(), 1);
    let both = Dns { server: Some(Server("10.0.0.3:53".parse().unwrap())), ..cutover };
    let error = Probe::Dns(both).variants(&opening).await.unwrap_err();
    assert!(error.contains("`server`"), "{error}");
}
