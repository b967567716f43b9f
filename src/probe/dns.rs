//! `dns`: what a name resolves to, asked of servers that are named, with no cache of its own.
//!
//! What was answered is who answered: the sorted values are the sample's identity, so that a
//! change of the record is a change of identity. A probe that watches several servers is one lane
//! for each (`dns/lanes.rs`).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode};
use crate::notation::shape::{self, Shapes};
use crate::notation::yaml::{Node, Value};
use crate::run::event::{DnsFacts, DnsRole};
use crate::{record, words};

pub(crate) mod ask;
pub(crate) mod lanes;

/// The longest that an answer over UDP is waited for.
const UDP: Duration = Duration::from_millis(900);

record! {
    /// Asks DNS servers for a record, with no cache of its own; good when the values are the expected ones. The
    /// report shows what each server answered when.
    pub struct Dns {
        /// The name to ask for.
        pub name: String,
        /// The record's type.
        pub r#type: RecordType = RecordType::A,
        /// The zone's own name servers, each asked apart and without recursion: `authoritative` for those that
        /// the zone names, found once before the run, or a list of their addresses.
        pub servers: Option<Servers>,
        /// Resolvers, each asked apart; they may cache, and what is left of the TTL is kept. `system` stands for
        /// what the programs of this machine are told.
        pub resolvers: Option<Vec<Recursor>>,
        /// The one server to ask, `ip:port`; without any, the environment's resolver or else the system's.
        pub server: Option<Server>,
        /// Whether each of the zone's own name servers is asked every time; good when all of them answer as
        /// expected. `servers: authoritative` measures each of them on its own instead.
        pub authoritative: bool = false,
        /// The values that must come, all of them and no others, in any order; without it, any value is good.
        pub expect: Option<Vec<String>>,
        /// What the RTO counts for this probe: `service`, until its answers are good again, or `cutover`, until the
        /// name leads everybody to the new values.
        pub decides: Decides = Decides::Service,
        /// For whom a cut-over counts: `everyone` whose cache may hold the old answer for as long as its TTL
        /// allows, or `this_resolver_only`, what the servers asked here were seen to answer.
        pub observers: Observers = Observers::Everyone,
        /// How long all of it may take: an answer over UDP within half of it (at most 900ms), else over TCP.
        pub timeout: Duration = Duration::from_millis(1800),
    }
}

words! {
    /// What a probe's RTO counts.
    pub enum Decides {
        /// Until the answers are good again.
        "service" => Service,
        /// Until the name leads everybody to the new values.
        "cutover" => Cutover,
    }
}

words! {
    /// For whom a cut-over counts.
    pub enum Observers {
        /// For everybody, whatever their caches hold.
        "everyone" => Everyone,
        /// For those who ask the servers asked here.
        "this_resolver_only" => ThisResolverOnly,
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
        let mut places = Vec::new();
        match &self.servers {
            Some(Servers::Authoritative) => places.push("each of its zone's name servers".to_owned()),
            Some(Servers::At(servers)) => {
                places.extend(servers.iter().map(|Server(server)| format!("name server {server}")));
            }
            None if self.authoritative => places.push("each of its zone's name servers".to_owned()),
            None => places.extend(self.server.iter().map(|Server(server)| server.to_string())),
        }
        places.extend(self.resolvers.iter().flatten().map(ToString::to_string));
        if !places.is_empty() {
            line.push_str(&format!(" at {}", places.join(", ")));
        }
        if let Some(expect) = &self.expect {
            line.push_str(&format!(" expects {}", expect.join(", ")));
        }
        line
    }

    /// The longest that an answer over UDP is waited for.
    pub fn patience(&self) -> Duration {
        UDP.min(self.timeout / 2)
    }

    /// What the journal keeps of a lane: how to read its answers.
    pub fn facts(&self) -> DnsFacts {
        let role = match &self.resolvers {
            _ if self.servers.is_some() || self.authoritative => DnsRole::Authoritative,
            Some(resolvers) if resolvers.contains(&Recursor::System) => DnsRole::System,
            _ => DnsRole::Resolver,
        };
        DnsFacts {
            role,
            decides_cutover: self.decides == Decides::Cutover,
            this_resolver_only: self.observers == Observers::ThisResolverOnly,
        }
    }
}

/// The name servers of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Those that the zone itself names.
    Authoritative,
    /// These.
    At(Vec<Server>),
}

impl Decode for Servers {
    fn expects() -> String {
        "authoritative, or a list of name servers' addresses".to_owned()
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        shape::any_of(vec![shape::words(&[("authoritative", "")]), Vec::<Server>::schema(shapes)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        if let Value::List(nodes) = &node.value
            && !nodes.is_empty()
        {
            return Vec::decode(node, cx).map(Servers::At);
        }
        let found = matches!(&node.value, Value::Scalar { .. }).then(|| cx.text_for::<Self>(node));
        match found {
            Some(Some(text)) if text == "authoritative" => Some(Servers::Authoritative),
            // Reported, or not known yet.
            Some(None) => None,
            _ => {
                cx.unexpected(Code::NotAnArgument, node, &Self::expects());
                None
            }
        }
    }
}

/// Whoever looks names up for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recursor {
    /// As this machine's programs do it.
    System,
    /// This one.
    At(Server),
}

impl fmt::Display for Recursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Recursor::System => f.write_str("the system's resolver"),
            Recursor::At(Server(server)) => write!(f, "resolver {server}"),
        }
    }
}

impl Decode for Recursor {
    fn expects() -> String {
        "a resolver's IP address, with a port if it is not 53, or system".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        match cx.text_for::<Self>(node)?.as_str() {
            "system" => Some(Recursor::System),
            text => match Server::read(text) {
                Some(server) => Some(Recursor::At(server)),
                None => {
                    cx.unexpected(Code::NotAnAddress, node, &Self::expects());
                    None
                }
            },
        }
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
        let text = cx.text_for::<Self>(node)?;
        let server = Server::read(&text);
        if server.is_none() {
            cx.unexpected(Code::NotAnAddress, node, &Self::expects());
        }
        server
    }
}

impl Server {
    fn read(text: &str) -> Option<Server> {
        let bare = || text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
        text.parse::<SocketAddr>().or_else(|_| bare()).ok().map(Server)
    }
}

impl fmt::Display for Server {
    /// The address, and the port unless it is 53.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.port() {
            53 => self.0.ip().fmt(f),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
