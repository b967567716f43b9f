//! One probe of a file as several lanes: one per kind of client, and one per address.
//!
//! Each answers another question after a failover, so each is asked on a schedule of its own and
//! measured on its own. This module knows nothing of schedules.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::http::{Connection, Connections};
use super::{Ask, Opening, Probe, Resolver};

/// How long the addresses of a name may take, once, before the run.
const NAME_BUDGET: Duration = Duration::from_millis(900);

/// A probe as one lane asks it.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What the lane's name has after the probe's: `kept`, `10.0.0.1`. `None` for a probe with one
    /// lane.
    pub name: Option<String>,
    /// The probe, with one kind of client.
    pub probe: Probe,
    /// Which client the lane stands for, where the kind knows any.
    pub client: Option<Connection>,
    /// The one address that it asks.
    pub pin: Option<IpAddr>,
}

impl Variant {
    /// A probe with one lane.
    pub fn alone(probe: Probe) -> Variant {
        Variant { name: None, probe, client: None, pin: None }
    }

    /// Makes it ready to be asked.
    ///
    /// # Errors
    /// As [`Probe::open`].
    pub fn open(&self, opening: &Opening) -> Result<Arc<dyn Ask>, String> {
        match self.pin {
            None => self.probe.open(opening),
            Some(ip) => {
                let resolver = Arc::new(Resolver::Pinned(ip));
                self.probe.open(&Opening { resolver, ..opening.clone() })
            }
        }
    }
}

impl Probe {
    /// The lanes of this probe; at least one. Asks the resolver when the probe is to watch each
    /// address of a name, or each name server of a zone.
    ///
    /// # Errors
    /// The name has no address now, or its zone's name servers cannot be found: a line for people.
    pub async fn variants(&self, opening: &Opening) -> Result<Vec<Variant>, String> {
        if let Probe::Dns(dns) = self {
            let lanes = dns.lanes(opening).await?.into_iter();
            let one = |(name, dns)| Variant { name, probe: Probe::Dns(dns), client: None, pin: None };
            return Ok(lanes.map(one).collect());
        }
        let clients = self.clients();
        let pins: Vec<Option<IpAddr>> = match self.host_per_ip() {
            None => vec![None],
            Some(host) => {
                let found = opening.resolver.addresses(host, NAME_BUDGET).await;
                let found = found.map_err(|failure| format!("`per_ip`: {failure}"))?;
                found.into_iter().map(Some).collect()
            }
        };
        let (many_clients, many_pins) = (clients.len() > 1, pins != [None]);
        let mut variants = Vec::new();
        for (client, probe) in clients {
            for pin in &pins {
                let words = client.filter(|_| many_clients).map(|client| client.word().to_owned());
                let address = pin.filter(|_| many_pins).map(|pin| pin.to_string());
                let name = [words, address].into_iter().flatten().collect::<Vec<_>>().join("@");
                variants.push(Variant {
                    name: (!name.is_empty()).then_some(name),
                    probe: probe.clone(),
                    client,
                    pin: *pin,
                });
            }
        }
        Ok(variants)
    }

    /// The probe once per kind of client that it is to stand for.
    fn clients(&self) -> Vec<(Option<Connection>, Probe)> {
        let connections = match self {
            Probe::Http(http) => &http.connection,
            Probe::Mysql(mysql) => &mysql.connection,
            Probe::Redis(redis) => &redis.connection,
            // A ledger stands for one client: two would write the same numbers.
            _ => return vec![(None, self.clone())],
        };
        let one = |client: &Connection| {
            let mut probe = self.clone();
            let alone = Connections(vec![*client]);
            match &mut probe {
                Probe::Http(http) => http.connection = alone,
                Probe::Mysql(mysql) => mysql.connection = alone,
                Probe::Redis(redis) => redis.connection = alone,
                _ => {}
            }
            (Some(*client), probe)
        };
        connections.0.iter().map(one).collect()
    }

    /// The name whose every address is a lane of its own.
    fn host_per_ip(&self) -> Option<&str> {
        match self {
            Probe::Http(http) if http.per_ip => http.url.0.host_str(),
            Probe::Tcp(tcp) if tcp.per_ip => Some(&tcp.address.host),
            _ => None,
        }
    }
}
