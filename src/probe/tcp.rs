//! `tcp`: a connection, and perhaps the first words of the server.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode};
use crate::notation::yaml::Node;
use crate::probe::{Ask, Opening, Resolver};
use crate::record;

pub(crate) mod ask;

record! {
    /// Opens a TCP connection; good when it stands and the server says what is expected.
    pub struct Tcp {
        /// Where to connect: `host:port`.
        pub address: Address,
        /// Whether every address of the name, as it resolves before the run, is asked and measured on its own.
        pub per_ip: bool = false,
        /// How long the connection may take, and again how long the banner may. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// Text that the server must send first, such as `SSH-2.0`.
        pub expect_banner: Option<String>,
    }
}

impl Tcp {
    /// A plain connection, with every setting as it is without being said.
    pub fn to(address: Address) -> Tcp {
        let connect_timeout = Duration::from_millis(900);
        Tcp { address, per_ip: false, connect_timeout, expect_banner: None }
    }

    /// Ready to be asked, without anything else.
    pub fn asking(&self, resolver: Arc<Resolver>) -> Arc<dyn Ask> {
        Arc::new(ask::TcpAsk::open(self, &Opening { resolver, ..Opening::new("", Resolver::System) }))
    }

    /// One line for people: `connect db.test:5432`.
    pub fn summary(&self) -> String {
        match &self.expect_banner {
            Some(banner) => format!("connect {}, banner contains `{banner}`", self.address),
            None => format!("connect {}", self.address),
        }
    }

    /// The longest that one asking can take.
    pub fn deadline(&self) -> Duration {
        match self.expect_banner {
            Some(_) => self.connect_timeout * 2,
            None => self.connect_timeout,
        }
    }
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq)]
pub struct Address {
    /// A name or an IP address (an IPv6 address without its brackets).
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl Decode for Address {
    fn expects() -> String {
        "host:port, such as db.example.com:5432".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let address = Address::parse(&text);
        if address.is_none() {
            cx.unexpected(Code::NotAnAddress, node, &Self::expects());
        }
        address
    }
}

impl Address {
    /// Reads `host:port`, `1.2.3.4:port` or `[::1]:port`.
    pub fn parse(text: &str) -> Option<Address> {
        let (host, port) = text.rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port != 0)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<std::net::Ipv6Addr>().ok()?.to_string(),
            None if host.is_empty() || host.contains([':', '/', ' ', '@']) => return None,
            None => host.to_owned(),
        };
        Some(Address { host, port })
    }
}

#[cfg(test)]
mod tests;
