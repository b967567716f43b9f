//! Names to addresses with no cache anywhere: what a fresh client would be told now.
//!
//! Resolver libraries cache (some even a TTL of 0), and a cached answer would hide the very
//! cut-over that a drill measures; so a question is sent for every fresh connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::trouble::Trouble;
use crate::sample::{Cause, Class};

/// The longest that a name may take, however long the connection may.
const LONGEST: Duration = Duration::from_millis(900);

/// How many CNAMEs are followed.
const MOST_ALIASES: usize = 8;

/// Whom to ask for names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolver {
    /// As the system's own programs do it (`getaddrinfo`).
    System,
    /// This DNS server, directly.
    Server(SocketAddr),
    /// Nobody: every name is at this address.
    Pinned(IpAddr),
}

/// Why there was no answer to a question.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{text}")]
pub(crate) struct DnsFailure {
    pub(crate) kind: FailureKind,
    /// The DNS response code, if one came.
    pub(crate) code: u16,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// A definite no: NXDOMAIN, SERVFAIL, no record of the type, the server's port is closed.
    Answered,
    /// Nothing came in time.
    Silent,
    /// This machine could not ask.
    Local,
}

impl DnsFailure {
    fn new(kind: FailureKind, text: impl Into<String>) -> DnsFailure {
        DnsFailure { kind, code: 0, text: text.into() }
    }

    fn io(server: SocketAddr, error: &io::Error) -> DnsFailure {
        let trouble = Trouble::io(error, &format!("DNS server {server}"));
        let kind = match trouble.class {
            Class::Void => FailureKind::Local,
            Class::Timeout => FailureKind::Silent,
            _ => FailureKind::Answered,
        };
        DnsFailure::new(kind, trouble.detail)
    }

    /// As a bad sample.
    pub(crate) fn trouble(&self) -> Trouble {
        let (class, cause) = match self.kind {
            FailureKind::Answered => (Class::FailFast, Cause::Dns),
            FailureKind::Silent => (Class::Timeout, Cause::Dns),
            FailureKind::Local => (Class::Void, Cause::Local),
        };
        Trouble::new(class, cause, self.text.clone()).code(self.code)
    }
}

impl fmt::Display for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resolver::System => f.write_str("the system's resolver"),
            Resolver::Server(server) => write!(f, "DNS server {server}"),
            Resolver::Pinned(ip) => write!(f, "the address {ip}"),
        }
    }
}

impl Resolver {
    /// The addresses of `host`, IPv4 first, else in the order of the answer; never empty. An IP
    /// address is its own.
    pub(crate) async fn addresses(&self, host: &str, budget: Duration) -> Result<Vec<IpAddr>, DnsFailure> {
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = literal.parse() {
            return Ok(vec![address]);
        }
        let budget = budget.min(LONGEST);
        let asking = async {
            match self {
                Resolver::System => system(host).await,
                // RFC 6761: never asked of a server.
                Resolver::Server(_) if is_localhost(host) => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
                Resolver::Server(server) => ask_server(*server, host).await,
                Resolver::Pinned(ip) => Ok(vec![*ip]),
            }
        };
        match tokio::time::timeout(budget, asking).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let text = format!("{host}: no answer from {self} within {} ms", budget.as_millis());
                Err(DnsFailure::new(FailureKind::Silent, text))
            }
        }
    }

    /// The server to send a question to: the system's first one, if no other is named.
    pub(crate) fn server(&self) -> Result<SocketAddr, String> {
        match self {
            Resolver::Server(server) => Ok(*server),
            Resolver::System | Resolver::Pinned(_) => {
                let path = "/etc/resolv.conf";
                let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
                nameserver(&text)
                    .ok_or_else(|| format!("{path} names no nameserver; give the probe a `server:`"))
            }
        }
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

fn nameserver(resolv_conf: &str) -> Option<SocketAddr> {
    resolv_conf.lines().find_map(|line| {
        let address = line.trim().strip_prefix("nameserver")?;
        address.trim().parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53))
    })
}

/// The addresses of `host` as this machine's programs are told them, asked on a thread of its own.
pub(crate) async fn system(host: &str) -> Result<Vec<IpAddr>, DnsFailure> {
    match tokio::net::lookup_host((host, 0)).await {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            // IPv4 first, as with a server of one's own: one address is tried, and `localhost`
            // is often `::1` to the system and `127.0.0.1` to the program that listens.
            addresses.sort_by_key(IpAddr::is_ipv6);
            match addresses.is_empty() {
                true => Err(DnsFailure::new(FailureKind::Answered, format!("{host} has no address"))),
                false => Ok(addresses),
            }
        }
        Err(error) => Err(DnsFailure::new(FailureKind::Answered, format!("{host}: {error}"))),
    }
}

async fn ask_server(server: SocketAddr, host: &str) -> Result<Vec<IpAddr>, DnsFailure> {
    let name = name(host)?;
    for wanted in [RecordType::A, RecordType::AAAA] {
        let found = lookup(server, &name, wanted).await?;
        let addresses: Vec<IpAddr> = found.iter().filter_map(|record| record.data.ip_addr()).collect();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
    }
    Err(DnsFailure::new(FailureKind::Answered, format!("{host} has no address at {server}")))
}

/// A host name as DNS writes it.
pub(crate) fn name(host: &str) -> Result<Name, DnsFailure> {
    let named = Name::from_utf8(host).map(|mut name| {
        name.set_fqdn(true);
        name
    });
    named.map_err(|error| {
        DnsFailure::new(FailureKind::Answered, format!("`{host}` is not a DNS name: {error}"))
    })
}

/// The records of a type that `name` leads to, CNAMEs followed; empty when there is none of it.
pub(crate) async fn lookup(
    server: SocketAddr,
    name: &Name,
    wanted: RecordType,
) -> Result<Vec<Record>, DnsFailure> {
    let mut owner = name.clone();
    for _ in 0..MOST_ALIASES {
        let answer = query(server, &owner, wanted, true).await?;
        let led = follow(&answer.answers, &owner, wanted);
        if !led.found.is_empty() || led.owner == owner {
            return Ok(led.found);
        }
        owner = led.owner;
    }
    Err(too_many_aliases(name))
}

/// Where one answer leads from a name.
pub(crate) struct Led {
    /// The last name of its chain of CNAMEs.
    pub(crate) owner: Name,
    /// The records of the wanted type that belong to that name.
    pub(crate) found: Vec<Record>,
    /// The longest that any record on the way may be cached, in seconds.
    pub(crate) ttl: u32,
}

/// Follows an answer's CNAMEs, which come in any order.
pub(crate) fn follow(records: &[Record], start: &Name, wanted: RecordType) -> Led {
    let (mut owner, mut ttl) = (start.clone(), 0);
    for _ in 0..MOST_ALIASES {
        let Some((next, lasts)) = alias(records, &owner).filter(|_| wanted != RecordType::CNAME) else {
            break;
        };
        if next == *start {
            break;
        }
        (owner, ttl) = (next, ttl.max(lasts));
    }
    let found = of_type(records, &owner, wanted);
    let ttl = found.iter().map(|record| record.ttl).fold(ttl, u32::max);
    Led { owner, found, ttl }
}

pub(crate) fn too_many_aliases(name: &Name) -> DnsFailure {
    let text = format!("{name}: more than {MOST_ALIASES} CNAMEs, or a circle of them");
    DnsFailure::new(FailureKind::Answered, text)
}

fn alias(records: &[Record], owner: &Name) -> Option<(Name, u32)> {
    records.iter().filter(|record| record.name == *owner).find_map(|record| match &record.data {
        RData::CNAME(target) => Some((target.0.clone(), record.ttl)),
        _ => None,
    })
}

/// The records of a type that belong to exactly this name.
pub(crate) fn of_type(records: &[Record], owner: &Name, wanted: RecordType) -> Vec<Record> {
    let matches = |record: &&Record| record.name == *owner && record.record_type() == wanted;
    records.iter().filter(matches).cloned().collect()
}

/// One question over UDP, and again over TCP when the answer did not fit. No retry.
pub(crate) async fn query(
    server: SocketAddr,
    name: &Name,
    wanted: RecordType,
    recursion: bool,
) -> Result<Message, DnsFailure> {
    let (question, bytes) = question(name, wanted, recursion)?;
    let io_failed = |error: io::Error| DnsFailure::io(server, &error);
    let mut answer = over_udp(server, &question, &bytes).await.map_err(io_failed)?;
    if answer.metadata.truncation {
        answer = over_tcp(server, &question, &bytes).await.map_err(io_failed)?;
    }
    without_error(server, name, answer)
}

/// One question over UDP, and again over TCP when the answer did not fit or none came within
/// `patience`; and why TCP was needed, if it was.
pub(crate) async fn query_either(
    server: SocketAddr,
    name: &Name,
    wanted: RecordType,
    recursion: bool,
    patience: Duration,
) -> Result<(Message, Option<String>), DnsFailure> {
    let (question, bytes) = question(name, wanted, recursion)?;
    let io_failed = |error: io::Error| DnsFailure::io(server, &error);
    let why = match tokio::time::timeout(patience, over_udp(server, &question, &bytes)).await {
        Ok(answer) => {
            let answer = answer.map_err(io_failed)?;
            if !answer.metadata.truncation {
                return without_error(server, name, answer).map(|answer| (answer, None));
            }
            "since the answer did not fit into UDP".to_owned()
        }
        Err(_) => format!("after no answer over UDP within {} ms", patience.as_millis()),
    };
    let answer = over_tcp(server, &question, &bytes).await.map_err(|error| {
        let failure = DnsFailure::io(server, &error);
        match failure.kind {
            FailureKind::Local => failure,
            // It was silence that led here: that TCP is refused as well is no answer either.
            _ => DnsFailure::new(FailureKind::Silent, format!("{}, over TCP {why}", failure.text)),
        }
    })?;
    without_error(server, name, answer)
        .map(|answer| (answer, Some(format!("{server} answered over TCP, {why}"))))
}

fn question(name: &Name, wanted: RecordType, recursion: bool) -> Result<(Message, Vec<u8>), DnsFailure> {
    let mut question = Message::new(rand::random(), MessageType::Query, OpCode::Query);
    question.metadata.recursion_desired = recursion;
    question.add_query(Query::query(name.clone(), wanted));
    let bytes = question.to_vec().map_err(|error| {
        DnsFailure::new(FailureKind::Answered, format!("{name} cannot be asked for: {error}"))
    })?;
    Ok((question, bytes))
}

fn without_error(server: SocketAddr, name: &Name, answer: Message) -> Result<Message, DnsFailure> {
    match answer.metadata.response_code {
        ResponseCode::NoError => Ok(answer),
        code => Err(DnsFailure {
            kind: FailureKind::Answered,
            code: code.into(),
            text: format!("{name}: {code} from DNS server {server}"),
        }),
    }
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Connected, so that a closed port is reported and no one else's packets are seen.
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let packet = buffer.get(..length).unwrap_or_default();
        // Anything else is a late or forged answer to another question.
        if let Some(answer) = Message::from_vec(packet).ok().filter(|answer| answers(answer, question)) {
            return Ok(answer);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(bytes);
    stream.write_all(&framed).await?;
    let length = stream.read_u16().await?;
    let mut packet = vec![0; usize::from(length)];
    stream.read_exact(&mut packet).await?;
    let answer = Message::from_vec(&packet).map_err(io::Error::other)?;
    match answers(&answer, question) {
        true => Ok(answer),
        false => Err(io::Error::other("the answer belongs to another question")),
    }
}

fn answers(answer: &Message, question: &Message) -> bool {
    answer.metadata.id == question.metadata.id
        && answer.metadata.message_type == MessageType::Response
        // A server that refuses to parse may leave the question out.
        && (answer.queries == question.queries
            || (answer.queries.is_empty() && answer.metadata.response_code != ResponseCode::NoError))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_first_nameserver_is_asked() {
        let text = "# generated\nsearch shop.test\nnameserver  10.0.0.2\nnameserver 10.0.0.3\n";
        assert_eq!(nameserver(text), "10.0.0.2:53".parse().ok());
        assert_eq!(nameserver("nameserver fd00::2"), "[fd00::2]:53".parse().ok());
        assert_eq!(nameserver("search shop.test"), None);
    }
}
