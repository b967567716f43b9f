//! Asking name servers and comparing what they say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::try_join_all;
use hickory_proto::rr::{self, Name, RData, Record};
use tokio::sync::OnceCell;

use super::{Dns, RecordType, Server};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::resolve::{self, DnsFailure, Resolver};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// How long finding the zone's name servers may take, once, before the first sample.
const DISCOVERY: Duration = Duration::from_secs(5);

/// A `dns` probe, ready to ask.
pub(crate) struct DnsAsk {
    dns: Dns,
    name: Name,
    server: SocketAddr,
    expected: Option<Vec<String>>,
    /// The zone's own name servers; found once, since they are not what fails over.
    zone: OnceCell<Vec<SocketAddr>>,
}

impl DnsAsk {
    pub(crate) fn open(dns: &Dns, opening: &Opening) -> Result<DnsAsk, String> {
        let server = match dns.server {
            Some(Server(server)) => server,
            None => opening.resolver.server()?,
        };
        let name = resolve::name(&dns.name).map_err(|failure| failure.text)?;
        let expected = dns.expect.as_ref().map(|values| sorted(values.iter().map(|value| plain(value))));
        Ok(DnsAsk { dns: dns.clone(), name, server, expected, zone: OnceCell::new() })
    }

    async fn values(&self) -> Result<(), Trouble> {
        if !self.dns.authoritative {
            let found = resolve::lookup(self.server, &self.name, self.dns.r#type.protocol()).await;
            return self.judge(self.server, &found.map_err(|failure| failure.trouble())?);
        }
        let servers = self.zone_servers().await.map_err(|failure| failure.trouble())?;
        try_join_all(servers.iter().map(|server| self.authority(*server))).await.map(|_| ())
    }

    async fn authority(&self, server: SocketAddr) -> Result<(), Trouble> {
        let wanted = self.dns.r#type.protocol();
        let answer = resolve::query(server, &self.name, wanted, false).await;
        let answer = answer.map_err(|failure| failure.trouble())?;
        if !answer.metadata.authoritative {
            let text = format!("{server} is not authoritative for {}", self.dns.name);
            return Err(Trouble::new(Class::Wrong, Cause::Content, text));
        }
        self.judge(server, &resolve::of_type(&answer.answers, &self.name, wanted))
    }

    fn judge(&self, server: SocketAddr, found: &[Record]) -> Result<(), Trouble> {
        let found = sorted(found.iter().map(|record| shown(&record.data)));
        let good = match &self.expected {
            Some(expected) => found == *expected,
            None => !found.is_empty(),
        };
        if good {
            return Ok(());
        }
        let got = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        let wanted = match &self.expected {
            Some(expected) => expected.join(", "),
            None => format!("a record of type {}", self.dns.r#type.word()),
        };
        let text = format!("{} at {server}: {got}, expected {wanted}", self.dns.name);
        Err(Trouble::new(Class::Wrong, Cause::Content, text))
    }

    async fn zone_servers(&self) -> Result<&Vec<SocketAddr>, DnsFailure> {
        self.zone.get_or_try_init(|| find_zone(self.server, self.name.clone())).await
    }
}

/// The addresses of the name servers of the zone that `name` is in.
async fn find_zone(server: SocketAddr, name: Name) -> Result<Vec<SocketAddr>, DnsFailure> {
    let mut zone = name;
    let names = loop {
        let answer = resolve::query(server, &zone, rr::RecordType::NS, true).await?;
        let found = resolve::of_type(&answer.answers, &zone, rr::RecordType::NS);
        if !found.is_empty() || zone.is_root() {
            break found;
        }
        zone = zone.base_name();
    };
    let asked = Resolver::Server(server);
    let mut servers = Vec::new();
    for record in names {
        if let RData::NS(host) = &record.data {
            // The servers keep the port of the one that named them only when they are that one.
            let addresses = asked.addresses(&host.0.to_string(), Duration::from_millis(900)).await?;
            let port = |ip: IpAddr| if ip == server.ip() { server.port() } else { 53 };
            servers.extend(addresses.into_iter().map(|ip| SocketAddr::new(ip, port(ip))));
        }
    }
    Ok(servers)
}

impl RecordType {
    fn protocol(self) -> rr::RecordType {
        match self {
            RecordType::A => rr::RecordType::A,
            RecordType::Aaaa => rr::RecordType::AAAA,
            RecordType::Cname => rr::RecordType::CNAME,
            RecordType::Mx => rr::RecordType::MX,
            RecordType::Ns => rr::RecordType::NS,
            RecordType::Soa => rr::RecordType::SOA,
            RecordType::Srv => rr::RecordType::SRV,
            RecordType::Txt => rr::RecordType::TXT,
        }
    }
}

fn shown(data: &RData) -> String {
    plain(&data.to_string())
}

/// A value as it is compared: case, quotes and the root's dot say nothing.
fn plain(value: &str) -> String {
    let words = value.split_whitespace().map(|word| word.trim_matches('"').trim_end_matches('.'));
    words.collect::<Vec<_>>().join(" ").to_ascii_lowercase()
}

fn sorted(values: impl Iterator<Item = String>) -> Vec<String> {
    let mut values: Vec<String> = values.collect();
    values.sort();
    values
}

#[async_trait]
impl Ask for DnsAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = within(self.dns.timeout, clock, self.values()).await;
        let done = clock.now();
        match outcome {
            Ok(Ok(())) => Answer::good(sent, done, 0),
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("{}: no answer within {} ms", self.dns.name, self.dns.timeout.as_millis());
                Trouble::new(Class::Timeout, Cause::Dns, text).answer(sent, over)
            }
        }
    }

    fn deadline(&self) -> Duration {
        self.dns.timeout
    }

    async fn prepare(&self) -> Result<(), String> {
        if !self.dns.authoritative {
            return Ok(());
        }
        match tokio::time::timeout(DISCOVERY, self.zone_servers()).await {
            Ok(Ok(servers)) if !servers.is_empty() => Ok(()),
            Ok(Ok(_)) => Err(format!("{}: its zone has no name servers at {}", self.dns.name, self.server)),
            Ok(Err(failure)) => Err(format!("{}: its zone's name servers: {failure}", self.dns.name)),
            Err(_) => {
                Err(format!("{}: {} does not name its zone's servers in time", self.dns.name, self.server))
            }
        }
    }
}
