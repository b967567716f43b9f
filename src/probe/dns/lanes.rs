//! One `dns` probe of a file as one lane per server: each flips at an instant of its own.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::{self, Name, RData};

use super::ask::DISCOVERY;
use super::{Decides, Dns, Observers, RecordType, Recursor, Server, Servers};
use crate::probe::Opening;
use crate::probe::resolve::{self, DnsFailure, Resolver};

/// Whom one question goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A name server of the zone, asked without recursion.
    Authority(SocketAddr),
    /// A resolver, which may cache.
    Recursive(SocketAddr),
    /// The system's own resolver, through `getaddrinfo`.
    System,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Authority(server) | Source::Recursive(server) => server.fmt(f),
            Source::System => f.write_str("the system's resolver"),
        }
    }
}

impl Dns {
    /// What no single key can say of itself.
    pub(super) fn check(&self) -> Result<(), String> {
        let several = [self.servers.is_some() || self.resolvers.is_some(), self.server.is_some()];
        if several == [true, true] && self.servers != Some(Servers::Authoritative) {
            return Err(
                "`server` names the only server to ask, beside `servers` or `resolvers`: put it among \
                        those"
                    .to_owned(),
            );
        }
        if self.resolvers.as_ref().is_some_and(Vec::is_empty) {
            return Err("`resolvers` names none".to_owned());
        }
        let system = self.resolvers.iter().flatten().any(|resolver| *resolver == Recursor::System);
        if system && !matches!(self.r#type, RecordType::A | RecordType::Aaaa) {
            return Err(format!(
                "the system's resolver gives addresses, and no record of type {}",
                self.r#type.word()
            ));
        }
        Ok(())
    }

    /// Whether the zone's name servers have to be found.
    pub(super) fn finds_its_zone(&self) -> bool {
        self.servers == Some(Servers::Authoritative) || (self.servers.is_none() && self.authoritative)
    }

    /// Whether every server is named by the file, so that nobody has to be asked for them.
    pub(super) fn names_its_servers(&self) -> bool {
        !self.finds_its_zone() && !self.asks_one_server()
    }

    /// Whether `server`, or the environment's resolver, is the only one asked.
    pub(super) fn asks_one_server(&self) -> bool {
        self.servers.is_none() && self.resolvers.is_none() && !self.authoritative
    }

    /// This probe as one lane per server: what tells the lane from its sisters, and the probe that
    /// asks that server alone. No name for a probe with one lane.
    ///
    /// # Errors
    /// The zone's name servers cannot be found: a line for people.
    pub(crate) async fn lanes(&self, opening: &Opening) -> Result<Vec<(Option<String>, Dns)>, String> {
        self.check()?;
        if self.decides == Decides::Cutover
            && self.observers == Observers::Everyone
            && self.servers.is_none()
            && !self.authoritative
        {
            return Err(
                "`decides: cutover` counts until everybody is led to the new values, and only the zone's \
                        own name servers can say that: add `servers: authoritative`, or `observers: \
                        this_resolver_only`"
                    .to_owned(),
            );
        }
        if self.servers.is_none() && self.resolvers.is_none() {
            return Ok(vec![(None, self.clone())]);
        }
        let mut lanes = Vec::new();
        for (name, address) in self.authorities(opening).await? {
            let servers = Some(Servers::At(vec![Server(address)]));
            let name = name.unwrap_or_else(|| Server(address).to_string());
            lanes.push((Some(name), Dns { servers, resolvers: None, server: None, ..self.clone() }));
        }
        for resolver in self.resolvers.iter().flatten() {
            let name = match resolver {
                Recursor::System => "system".to_owned(),
                Recursor::At(server) => server.to_string(),
            };
            let resolvers = Some(vec![*resolver]);
            let dns = Dns { servers: None, resolvers, server: None, authoritative: false, ..self.clone() };
            lanes.push((Some(name), dns));
        }
        Ok(lanes)
    }

    /// The zone's name servers, with their names where they were found by these.
    async fn authorities(&self, opening: &Opening) -> Result<Vec<(Option<String>, SocketAddr)>, String> {
        if let Some(Servers::At(servers)) = &self.servers {
            return Ok(servers.iter().map(|Server(server)| (None, *server)).collect());
        }
        if !self.finds_its_zone() {
            return Ok(Vec::new());
        }
        let server = match self.server {
            Some(Server(server)) => server,
            None => opening.resolver.server()?,
        };
        let name = resolve::name(&self.name).map_err(|failure| failure.text)?;
        let zone = match tokio::time::timeout(DISCOVERY, find_zone(server, name)).await {
            Ok(found) => found.map_err(|failure| format!("its zone's name servers: {failure}"))?,
            Err(_) => return Err(format!("{server} does not name its zone's servers in time")),
        };
        if zone.is_empty() {
            return Err(format!("its zone has no name servers at {server}"));
        }
        let alone = |host: &str| zone.iter().filter(|(other, _)| other == host).count() == 1;
        let named = |(host, address): &(String, SocketAddr)| match alone(host) {
            true => (Some(host.clone()), *address),
            false => (Some(format!("{host}@{}", Server(*address))), *address),
        };
        Ok(zone.iter().map(named).collect())
    }
}

/// The name servers of the zone that `name` is in, by name and address, each address once.
pub(super) async fn find_zone(
    server: SocketAddr,
    name: Name,
) -> Result<Vec<(String, SocketAddr)>, DnsFailure> {
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
    let mut servers: Vec<(String, SocketAddr)> = Vec::new();
    for record in names {
        if let RData::NS(host) = &record.data {
            let host = host.0.to_string();
            // The servers keep the port of the one that named them only when they are that one.
            let addresses = asked.addresses(&host, Duration::from_millis(900)).await?;
            let port = |ip: IpAddr| if ip == server.ip() { server.port() } else { 53 };
            for ip in addresses {
                let address = SocketAddr::new(ip, port(ip));
                if servers.iter().all(|(_, known)| *known != address) {
                    servers.push((host.trim_end_matches('.').to_ascii_lowercase(), address));
                }
            }
        }
    }
    servers.sort();
    Ok(servers)
}
