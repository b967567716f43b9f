//! `dns`: what a name resolves to, asked of a server that is named, with no cache between.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::notation::decode::{Context, Decode};
use crate::notation::yaml::Node;
use crate::{record, words};

pub(crate) mod ask;

record! {
    /// Asks a DNS server for a record, with no cache; good when the values are the expected ones.
    pub struct Dns {
        /// The name to ask for.
        pub name: String,
        /// The record's type.
        pub r#type: RecordType = RecordType::A,
        /// The server to ask, `ip:port`; without it, the environment's resolver or else the system's.
        pub server: Option<Server>,
        /// Whether each of the zone's own name servers is asked; good when all of them answer as expected.
        pub authoritative: bool = false,
        /// The values that must come, all of them and no others, in any order; without it, any value is good.
        pub expect: Option<Vec<String>>,
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_millis(900),
    }
}

words! {
    /// A DNS record's type.
    pub enum RecordType {
        "A" => A,
        "AAAA" => Aaaa,
        "CNAME" => Cname,
        "MX" => Mx,
        "NS" => Ns,
        "SOA" => Soa,
        "SRV" => Srv,
        "TXT" => Txt,
    }
}

impl Dns {
    /// One line for people: `www.shop.test A at 127.0.0.53:53 expects 10.0.0.1`.
    pub fn summary(&self) -> String {
        let mut line = format!("{} {}", self.name, self.r#type.word());
        if self.authoritative {
            line.push_str(" at each of its zone's name servers");
        } else if let Some(Server(server)) = self.server {
            line.push_str(&format!(" at {server}"));
        }
        if let Some(expect) = &self.expect {
            line.push_str(&format!(" expects {}", expect.join(", ")));
        }
        line
    }
}

/// A DNS server's address; port 53 when none is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server(pub SocketAddr);

impl Decode for Server {
    fn expects() -> String {
        "an IP address and port, such as 10.0.0.2:53".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text(node, &Self::expects())?;
        let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        match text.parse::<SocketAddr>().or_else(|_| bare()) {
            Ok(server) => Some(Server(server)),
            Err(_) => {
                cx.unexpected(node, &Self::expects());
                None
            }
        }
    }
}

#[cfg(test)]
mod tests;
