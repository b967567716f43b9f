//! The authoritative DNS server of the zone, over UDP and TCP.
//!
//! Every answer reads the live zone. It knows nothing of who changes it.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::timing::Pace;
use super::world::DOMAIN;
use super::zone::{Found, RecordSet, Zone, within};

/// The port that the server listens on: 53 needs a privilege, and 5353 belongs to multicast DNS.
pub(crate) const PORT: u16 = 5300;
/// How long a client may keep a TCP connection without asking anything.
const IDLE: Duration = Duration::from_secs(10);
/// What fits into a UDP answer unless the client says otherwise.
const SMALLEST_PAYLOAD: usize = 512;

/// Answers questions about the zone.
pub(crate) struct Resolver {
    zone: Zone,
    pace: Pace,
    asked: AtomicU64,
}

impl Resolver {
    pub(crate) fn new(zone: Zone, pace: Pace) -> Arc<Resolver> {
        Arc::new(Resolver { zone, pace, asked: AtomicU64::new(0) })
    }

    /// Serves datagrams until the future is dropped.
    pub(crate) async fn serve_udp(self: Arc<Resolver>, socket: UdpSocket) {
        let mut buffer = [0_u8; 4096];
        loop {
            // An error belongs to one datagram (a client that went away), not to the socket.
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else { continue };
            if let Some(answer) = self.respond(&buffer[..length], true) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    }

    /// Serves connections until the future is dropped.
    pub(crate) async fn serve_tcp(self: Arc<Resolver>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let resolver = Arc::clone(&self);
                    tokio::spawn(async move { resolver.converse(stream).await });
                }
                // Out of descriptors, say: others may be freed meanwhile.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    async fn converse(&self, mut stream: TcpStream) -> Option<()> {
        loop {
            let length = tokio::time::timeout(IDLE, stream.read_u16()).await.ok()?.ok()?;
            let mut question = vec![0; usize::from(length)];
            tokio::time::timeout(IDLE, stream.read_exact(&mut question)).await.ok()?.ok()?;
            let answer = self.respond(&question, false)?;
            let mut framed = u16::try_from(answer.len()).ok()?.to_be_bytes().to_vec();
            framed.extend(answer);
            stream.write_all(&framed).await.ok()?;
        }
    }

    /// The answer's bytes; nothing for what is no question.
    fn respond(&self, bytes: &[u8], datagram: bool) -> Option<Vec<u8>> {
        let Ok(question) = Message::from_vec(bytes) else {
            let id = u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?]);
            let refusal = Message::error_msg(id, OpCode::Query, ResponseCode::FormErr);
            return refusal.to_vec().ok();
        };
        if question.metadata.message_type != MessageType::Query {
            return None;
        }
        let answer = self.answer(&question);
        let bytes = answer.to_vec().ok()?;
        let room = usize::from(question.max_payload()).max(SMALLEST_PAYLOAD);
        if datagram && bytes.len() > room {
            return answer.truncate().to_vec().ok();
        }
        Some(bytes)
    }

    fn answer(&self, question: &Message) -> Message {
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.add_queries(question.queries.iter().cloned());
        if question.metadata.op_code != OpCode::Query {
            answer.metadata.response_code = ResponseCode::NotImp;
            return answer;
        }
        let [query] = question.queries.as_slice() else {
            answer.metadata.response_code = ResponseCode::FormErr;
            return answer;
        };
        let name = query.name().to_ascii().to_ascii_lowercase();
        if query.query_class() != DNSClass::IN || !within(&name, DOMAIN) {
            answer.metadata.response_code = ResponseCode::Refused;
            return answer;
        }
        answer.metadata.authoritative = true;
        let own = if within(DOMAIN, &name) { apex(query.query_type()) } else { None };
        if let Some(record) = own {
            answer.add_answer(record);
            return answer;
        }
        let drawn = self.pace.fraction("dns", &self.asked.fetch_add(1, Ordering::Relaxed).to_string());
        let (sets, code) = match self.zone.find(&name, &query.query_type().to_string(), drawn) {
            Found::Records(sets) => (sets, None),
            Found::NoData(chain) => (chain, Some(ResponseCode::NoError)),
            // The apex exists whatever the zone holds.
            Found::NoName(chain) if within(DOMAIN, &name) => (chain, Some(ResponseCode::NoError)),
            Found::NoName(chain) => (chain, Some(ResponseCode::NXDomain)),
        };
        answer.add_answers(sets.iter().flat_map(records));
        if let Some(code) = code {
            answer.metadata.response_code = code;
            answer.add_authorities(apex(RecordType::SOA));
        }
        answer
    }
}

/// The records of the apex itself.
fn apex(kind: RecordType) -> Option<Record> {
    let domain = name(DOMAIN)?;
    let server = name(&format!("ns.{DOMAIN}"))?;
    let data = match kind {
        // The last number is how long "no such name" may be remembered.
        RecordType::SOA => {
            RData::SOA(SOA::new(server, name(&format!("hostmaster.{DOMAIN}"))?, 1, 3600, 600, 86400, 1))
        }
        RecordType::NS => RData::NS(NS(server)),
        _ => return None,
    };
    Some(Record::from_rdata(domain, 1, data))
}

/// The records of a set; a value that its type cannot hold is left out.
fn records(set: &RecordSet) -> Vec<Record> {
    let Some(owner) = name(&set.name) else { return Vec::new() };
    let data = set.values.iter().filter_map(|value| match set.kind.as_str() {
        "A" => value.parse::<Ipv4Addr>().ok().map(|address| RData::A(A(address))),
        "CNAME" => name(value).map(|target| RData::CNAME(CNAME(target))),
        "NS" => name(value).map(|target| RData::NS(NS(target))),
        "TXT" => Some(RData::TXT(TXT::new(vec![value.trim_matches('"').to_owned()]))),
        _ => None,
    });
    data.map(|data| Record::from_rdata(owner.clone(), set.ttl, data)).collect()
}

fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;

    use super::*;
    use crate::lab::timing::Timing;
    use crate::lab::truth::Truth;
    use crate::lab::zone::Change;

    fn resolver() -> Arc<Resolver> {
        let zone = Zone::new(Truth::default());
        zone.apply(vec![
            Change::Put(RecordSet::simple("www.lab.test", "A", 1, "127.9.9.1")),
            Change::Put(RecordSet::simple("db.lab.test", "CNAME", 7, "www.lab.test")),
            Change::Put(RecordSet::simple("note.lab.test", "TXT", 1, "\"hello there\"")),
        ]);
        Resolver::new(zone, Pace::new(1, Timing::Scaled))
    }

    fn ask(resolver: &Resolver, name: &str, kind: RecordType) -> Message {
        let mut question = Message::query();
        question.add_query(Query::query(Name::from_ascii(name).expect("name"), kind));
        let bytes = resolver.respond(&question.to_vec().expect("bytes"), true).expect("an answer");
        let answer = Message::from_vec(&bytes).expect("a message");
        assert_eq!(answer.metadata.id, question.metadata.id);
        answer
    }

    #[test]
    fn answers_carry_the_authoritative_bit_and_the_ttl() {
        let answer = ask(&resolver(), "DB.lab.test.", RecordType::A);
        assert!(answer.metadata.authoritative);
        let seen: Vec<_> = answer.answers.iter().map(|r| (r.record_type(), r.ttl)).collect();
        assert_eq!(seen, [(RecordType::CNAME, 7), (RecordType::A, 1)]);
    }

    #[test]
    fn absence_is_told_with_the_right_code() {
        let resolver = resolver();
        let code = |name, kind| ask(&resolver, name, kind).metadata.response_code;
        assert_eq!(code("nope.lab.test.", RecordType::A), ResponseCode::NXDomain);
        assert_eq!(code("www.lab.test.", RecordType::AAAA), ResponseCode::NoError);
        assert_eq!(code("lab.test.", RecordType::A), ResponseCode::NoError);
        assert_eq!(code("example.com.", RecordType::A), ResponseCode::Refused);
        assert_eq!(ask(&resolver, "nope.lab.test.", RecordType::A).authorities.len(), 1);
        assert_eq!(ask(&resolver, "lab.test.", RecordType::SOA).answers.len(), 1);
        assert_eq!(ask(&resolver, "note.lab.test.", RecordType::TXT).answers.len(), 1);
    }

    #[test]
    fn garbage_is_answered_or_ignored_never_a_panic() {
        let resolver = resolver();
        assert_eq!(resolver.respond(&[], true), None);
        let answer = resolver.respond(&[0xab, 0xcd, 1, 2, 3], true).expect("a refusal");
        assert_eq!(
            Message::from_vec(&answer).expect("message").metadata.response_code,
            ResponseCode::FormErr
        );
    }
}
