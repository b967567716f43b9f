//! Asking name servers and comparing what they say.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use hickory_proto::rr::{self, Name, RData, Record};
use tokio::sync::OnceCell;

use super::lanes::{Source, find_zone};
use super::{Dns, RecordType, Recursor, Server, Servers};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::resolve;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// How long finding the zone's name servers may take, once, before the first sample.
pub(super) const DISCOVERY: Duration = Duration::from_secs(5);

/// How many answers are followed along a chain of CNAMEs.
const MOST_ANSWERS: usize = 8;

/// A `dns` probe, ready to ask.
pub(crate) struct DnsAsk {
    dns: Dns,
    name: Name,
    /// Whom to ask about the zone.
    server: Option<SocketAddr>,
    expected: Option<Vec<String>>,
    /// Whom to ask; the zone's own name servers are found once, since they are not what fails over.
    sources: OnceCell<Vec<Source>>,
}

/// What one server said.
struct Said {
    source: Source,
    /// Sorted, as they are compared.
    values: Vec<String>,
    /// The longest that it may be cached, as far as the server says.
    ttl: Option<u32>,
    /// Why it took more than one datagram, if it did.
    how: Option<String>,
}

impl DnsAsk {
    pub(crate) fn open(dns: &Dns, opening: &Opening) -> Result<DnsAsk, String> {
        dns.check()?;
        let server = match dns.server {
            Some(Server(server)) => Some(server),
            // Only who has to be asked has to be known.
            None if dns.names_its_servers() => None,
            None => Some(opening.resolver.server()?),
        };
        let name = resolve::name(&dns.name).map_err(|failure| failure.text)?;
        let expected = dns.expect.as_ref().map(|values| sorted(values.iter().map(|value| plain(value))));
        Ok(DnsAsk { dns: dns.clone(), name, server, expected, sources: OnceCell::new() })
    }

    /// Asks everybody at once. The first of several that does not answer well decides.
    async fn ask_all(&self) -> Result<Vec<Said>, (Trouble, Option<String>)> {
        let sources = self.sources().await.map_err(|failure| (failure.trouble(), None))?;
        let mut all = Vec::new();
        for outcome in join_all(sources.iter().map(|source| self.one(*source))).await {
            let said = outcome.map_err(|trouble| (trouble, None))?;
            self.judge(&said).map_err(|trouble| (trouble, shown_values(&said.values)))?;
            all.push(said);
        }
        Ok(all)
    }

    async fn one(&self, source: Source) -> Result<Said, Trouble> {
        match source {
            Source::Authority(server) => self.authority(source, server).await,
            Source::Recursive(server) => self.recursive(source, server).await,
            Source::System => self.system().await,
        }
    }

    async fn authority(&self, source: Source, server: SocketAddr) -> Result<Said, Trouble> {
        let wanted = self.dns.r#type.protocol();
        let asked = resolve::query_either(server, &self.name, wanted, false, self.dns.patience()).await;
        let (answer, how) = asked.map_err(|failure| failure.trouble())?;
        if !answer.metadata.authoritative {
            let text = format!("{server} is not authoritative for {}", self.dns.name);
            return Err(Trouble::new(Class::Wrong, Cause::Content, text));
        }
        let led = resolve::follow(&answer.answers, &self.name, wanted);
        if led.found.is_empty() && led.owner != self.name {
            // The name leads out of what this server knows: where to is its whole answer.
            return Ok(Said { source, values: vec![plain(&led.owner.to_string())], ttl: Some(led.ttl), how });
        }
        Ok(Said { source, values: values(&led.found), ttl: Some(led.ttl), how })
    }

    async fn recursive(&self, source: Source, server: SocketAddr) -> Result<Said, Trouble> {
        let wanted = self.dns.r#type.protocol();
        let (mut owner, mut ttl, mut how) = (self.name.clone(), 0, None);
        for _ in 0..MOST_ANSWERS {
            let asked = resolve::query_either(server, &owner, wanted, true, self.dns.patience()).await;
            let (answer, why) = asked.map_err(|failure| failure.trouble())?;
            let led = resolve::follow(&answer.answers, &owner, wanted);
            (ttl, how) = (led.ttl.max(ttl), why.or(how));
            if !led.found.is_empty() || led.owner == owner {
                return Ok(Said { source, values: values(&led.found), ttl: Some(ttl), how });
            }
            owner = led.owner;
        }
        Err(resolve::too_many_aliases(&self.name).trouble())
    }

    async fn system(&self) -> Result<Said, Trouble> {
        let found = resolve::system(&self.dns.name).await.map_err(|failure| failure.trouble())?;
        let wanted = |ip: &&IpAddr| ip.is_ipv6() == (self.dns.r#type == RecordType::Aaaa);
        let mut values = sorted(found.iter().filter(wanted).map(ToString::to_string));
        values.dedup();
        // getaddrinfo says nothing of TTLs.
        Ok(Said { source: Source::System, values, ttl: None, how: None })
    }

    fn judge(&self, said: &Said) -> Result<(), Trouble> {
        let good = match &self.expected {
            Some(expected) => said.values == *expected,
            None => !said.values.is_empty(),
        };
        if good {
            return Ok(());
        }
        let got = if said.values.is_empty() { "nothing".to_owned() } else { said.values.join(", ") };
        let wanted = match &self.expected {
            Some(expected) => expected.join(", "),
            None => format!("a record of type {}", self.dns.r#type.word()),
        };
        let ttl = said.ttl.map(|ttl| format!(" (TTL {ttl} s)")).unwrap_or_default();
        let text = format!("{} at {}: {got}{ttl}, expected {wanted}", self.dns.name, said.source);
        Err(Trouble::new(Class::Wrong, Cause::Content, text))
    }

    async fn sources(&self) -> Result<&Vec<Source>, resolve::DnsFailure> {
        self.sources.get_or_try_init(|| self.find_sources()).await
    }

    async fn find_sources(&self) -> Result<Vec<Source>, resolve::DnsFailure> {
        let mut sources = Vec::new();
        if self.dns.finds_its_zone()
            && let Some(server) = self.server
        {
            let zone = find_zone(server, self.name.clone()).await?;
            sources.extend(zone.into_iter().map(|(_, address)| Source::Authority(address)));
        }
        if let Some(Servers::At(servers)) = &self.dns.servers {
            sources.extend(servers.iter().map(|Server(server)| Source::Authority(*server)));
        }
        sources.extend(self.dns.resolvers.iter().flatten().map(|resolver| match resolver {
            Recursor::System => Source::System,
            Recursor::At(Server(server)) => Source::Recursive(*server),
        }));
        if self.dns.asks_one_server() {
            sources.extend(self.server.map(Source::Recursive));
        }
        Ok(sources)
    }
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

fn values(found: &[Record]) -> Vec<String> {
    sorted(found.iter().map(|record| shown(&record.data)))
}

fn shown(data: &RData) -> String {
    plain(&data.to_string())
}

/// What was answered, as one identity; nothing for an empty answer.
fn shown_values(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(", "))
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

/// The answer that all of these are: what they said, each thing once, and the longest TTL in
/// seconds in place of a code (a good answer's own is always 0).
fn good(sent: crate::clock::Moment, done: crate::clock::Moment, all: Vec<Said>) -> Answer {
    let ttl = all.iter().filter_map(|said| said.ttl).max().unwrap_or_default();
    let mut answers: Vec<String> = all.iter().filter_map(|said| shown_values(&said.values)).collect();
    answers.sort();
    answers.dedup();
    let detail = all.into_iter().find_map(|said| said.how);
    let answer = Answer { detail, ..Answer::good(sent, done, u16::try_from(ttl).unwrap_or(u16::MAX)) };
    if answers.is_empty() { answer } else { answer.by(answers.join(" | ")) }
}

#[async_trait]
impl Ask for DnsAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = within(self.dns.timeout, clock, self.ask_all()).await;
        let done = clock.now();
        match outcome {
            Ok(Ok(all)) => good(sent, done, all),
            Ok(Err((trouble, who))) => {
                let answer = trouble.answer(sent, done);
                match who {
                    Some(who) => answer.by(who),
                    None => answer,
                }
            }
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
        match tokio::time::timeout(DISCOVERY, self.sources()).await {
            Ok(Ok(sources)) if !sources.is_empty() => Ok(()),
            Ok(Ok(_)) => Err(format!("{}: its zone has no name servers", self.dns.name)),
            Ok(Err(failure)) => Err(format!("{}: its zone's name servers: {failure}", self.dns.name)),
            Err(_) => Err(format!("{}: its zone's name servers are not named in time", self.dns.name)),
        }
    }
}
