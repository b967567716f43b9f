//! A proxy between the AWS clients and a lab that does what networks and AWS do on a bad day: for each
//! call, by its number, it can answer in AWS's place, lose the answer, or bring either too late.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::support_moto::{Request, forward, read_request};

/// Longer than a client waits for one attempt (10 s).
const TOO_LONG: Duration = Duration::from_millis(10_700);
/// For how long a lagging answer is given again: a stand-in on this machine is looked at ten times as often as AWS, so that
/// this is six seconds of AWS's.
const LAG: Duration = Duration::from_millis(600);

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// Refused as too many, with the code of the service's protocol.
    Throttled,
    /// Status 500, without having been passed on.
    Internal,
    /// Status 503, without having been passed on.
    Unavailable,
    /// The connection is reset; the call was not passed on.
    ResetBefore,
    /// The call was passed on; the connection is reset instead of the answer.
    ResetAfter,
    /// The call was passed on; the answer comes when the client has given up.
    SlowAnswer,
    /// The call itself is passed on only when the client has given up.
    LateCall,
    /// The credentials expire with this call.
    Expired,
    /// Refused since this machine's clock is off.
    Skewed,
    /// The answer is given; looks that were made before are answered as they were then, for some seconds.
    Lagging,
    /// The answer is lost, and looks lag as well: the call happened, and nothing shows it yet.
    LostAndLagging,
}

/// Which calls something bad happens to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    /// None.
    Nothing,
    /// The mutating call of this number, from 0.
    Mutation(usize, Bad),
    /// Each mutating call, the first time it is sent.
    EachMutationOnce(Bad),
    /// The reading call of this number, from 0.
    Read(usize, Bad),
    /// One in so many reading calls, drawn with a seed; something different each time.
    Storm { seed: u64, one_in: u64 },
}

/// A call that came to the proxy.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// `rds:RebootDBInstance`, as the journal writes it.
    pub(crate) operation: String,
    pub(crate) mutates: bool,
    pub(crate) bad: Option<Bad>,
    /// The status that the lab answered with, if it was asked.
    pub(crate) status: Option<u16>,
}

struct State {
    plan: Plan,
    lab: SocketAddr,
    over: AtomicBool,
    reads: AtomicUsize,
    expired: AtomicBool,
    lagging: Mutex<Option<Instant>>,
    calls: Mutex<Vec<Call>>,
    /// The last answer to each request.
    last: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

/// The proxy; it stops accepting when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panicked with the lock")
}

impl Proxy {
    pub(crate) fn start(lab_url: &str, plan: Plan) -> Proxy {
        let lab = lab_url.trim_start_matches("http://").parse().expect("the lab's address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a loopback port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State {
            plan,
            lab,
            over: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            expired: AtomicBool::new(false),
            lagging: Mutex::default(),
            calls: Mutex::default(),
            last: Mutex::default(),
        });
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.over.load(Ordering::SeqCst) {
                    return;
                }
                let state = shared.clone();
                thread::spawn(move || serve(stream, &state));
            }
        });
        Proxy { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every call so far, in the order of arrival.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.state.calls).clone()
    }

    /// How many mutating calls of each operation came, those included that went no further.
    pub(crate) fn mutations(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.calls().into_iter().filter(|call| call.mutates) {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(mut stream: TcpStream, state: &State) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout can be set");
    stream.set_nodelay(true).expect("a socket option");
    while let Some(request) = read_request(&mut stream) {
        match state.answer(&request) {
            Some(bytes) if stream.write_all(&bytes).is_ok() => {}
            Some(_) => return,
            None => {
                // With nothing lingering, closing is a reset.
                let none = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&stream, none).expect("a socket option");
                return;
            }
        }
    }
}

impl State {
    /// The bytes to answer with; nothing means that the connection is reset.
    fn answer(&self, request: &Request) -> Option<Vec<u8>> {
        let service = service(&request.head);
        let operation = operation(request);
        let mutates = request.mutates();
        let (number, bad) = {
            let mut calls = lock(&self.calls);
            let name = format!("{service}:{operation}");
            let bad = self.bad(&calls, mutates, &name);
            calls.push(Call { operation: name, mutates, bad, status: None });
            (calls.len() - 1, bad)
        };
        if self.expired.load(Ordering::SeqCst) {
            return Some(refusal(&service, Bad::Expired));
        }
        match bad {
            None => Some(self.pass_on(number, request)),
            Some(Bad::ResetBefore) => None,
            Some(Bad::ResetAfter | Bad::LostAndLagging) => {
                self.pass_on(number, request);
                None
            }
            Some(Bad::SlowAnswer) => {
                let answer = self.pass_on(number, request);
                thread::sleep(TOO_LONG);
                Some(answer)
            }
            Some(Bad::LateCall) => {
                thread::sleep(TOO_LONG);
                Some(self.pass_on(number, request))
            }
            Some(Bad::Lagging) if mutates => Some(self.pass_on(number, request)),
            Some(Bad::Lagging) => {
                let old = lock(&self.last).get(&key(request)).cloned();
                Some(old.unwrap_or_else(|| self.pass_on(number, request)))
            }
            Some(bad) => {
                self.expired.fetch_or(bad == Bad::Expired, Ordering::SeqCst);
                Some(refusal(&service, bad))
            }
        }
    }

    fn bad(&self, calls: &[Call], mutates: bool, operation: &str) -> Option<Bad> {
        if mutates {
            let earlier = || calls.iter().filter(|call| call.mutates);
            return match self.plan {
                Plan::Mutation(nth, bad) if earlier().count() == nth => {
                    if matches!(bad, Bad::Lagging | Bad::LostAndLagging) {
                        *lock(&self.lagging) = Some(Instant::now());
                    }
                    Some(bad)
                }
                // A sequence like stop, start has an operation of its own for each.
                Plan::EachMutationOnce(bad) if earlier().all(|call| call.operation != operation) => Some(bad),
                _ => None,
            };
        }
        // Whose account it is comes first in every run; without an answer nothing begins at all.
        if operation.starts_with("sts:") {
            return None;
        }
        let nth = self.reads.fetch_add(1, Ordering::SeqCst);
        match self.plan {
            Plan::Mutation(..) => {
                lock(&self.lagging).is_some_and(|since| since.elapsed() < LAG).then_some(Bad::Lagging)
            }
            Plan::Read(at, bad) => (nth == at).then_some(bad),
            Plan::Storm { seed, one_in } => {
                let kinds =
                    [Bad::Throttled, Bad::Internal, Bad::Unavailable, Bad::ResetBefore, Bad::ResetAfter];
                let drawn = drawn(seed, nth as u64);
                let kind = kinds[usize::try_from(drawn >> 32).expect("64 bits") % kinds.len()];
                drawn.is_multiple_of(one_in).then_some(kind)
            }
            _ => None,
        }
    }

    /// Asks the lab, on a connection of its own.
    fn pass_on(&self, number: usize, request: &Request) -> Vec<u8> {
        let answer = kept_alive(&forward(self.lab, request).expect("the lab answers"));
        let status = String::from_utf8_lossy(&answer[..12.min(answer.len())])
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        lock(&self.calls)[number].status = status;
        lock(&self.last).insert(key(request), answer.clone());
        answer
    }
}

/// The answer without the lab's word that the connection ends.
fn kept_alive(answer: &[u8]) -> Vec<u8> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let head = String::from_utf8_lossy(&answer[..end]);
    let lines = head.split("\r\n").filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut kept = lines.collect::<Vec<_>>().join("\r\n").into_bytes();
    kept.extend_from_slice(&answer[end..]);
    kept
}

/// What makes two requests the same question.
fn key(request: &Request) -> Vec<u8> {
    let mut key = request.head.lines().next().unwrap_or_default().as_bytes().to_vec();
    let target = request.head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-amz-target"));
    key.extend_from_slice(target.unwrap_or_default().as_bytes());
    key.extend_from_slice(&request.body);
    key
}

/// The service that a request was signed for.
fn service(head: &str) -> String {
    let scope = head.split("Credential=").nth(1).unwrap_or_default();
    scope.split('/').nth(3).unwrap_or_default().to_owned()
}

fn operation(request: &Request) -> String {
    let named = request.operation();
    if let Some((_, operation)) = named.split_once("/operation/") {
        return operation.to_owned();
    }
    match named.split_once(' ') {
        Some(("POST", path)) if path.trim_end_matches('/').ends_with("/rrset") => {
            "ChangeResourceRecordSets".to_owned()
        }
        _ => named,
    }
}

/// 64 bits drawn from a seed and a number (splitmix64).
pub(crate) fn drawn(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// AWS's refusal, in the service's protocol.
fn refusal(service: &str, bad: Bad) -> Vec<u8> {
    let ec2 = service == "ec2";
    let (status, code, message) = match bad {
        Bad::Throttled if ec2 => {
            ("503 Service Unavailable", "RequestLimitExceeded", "Request limit exceeded.")
        }
        Bad::Throttled if matches!(service, "ecs" | "monitoring") => {
            ("400 Bad Request", "ThrottlingException", "Rate exceeded")
        }
        Bad::Throttled => ("400 Bad Request", "Throttling", "Rate exceeded"),
        Bad::Unavailable => ("503 Service Unavailable", "ServiceUnavailable", "Please try again."),
        Bad::Expired if ec2 => ("400 Bad Request", "RequestExpired", "Request has expired."),
        Bad::Expired if matches!(service, "ecs" | "monitoring") => (
            "400 Bad Request",
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ),
        Bad::Expired => {
            ("403 Forbidden", "ExpiredToken", "The security token included in the request is expired")
        }
        Bad::Skewed => (
            "403 Forbidden",
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
        ),
        _ => ("500 Internal Server Error", "InternalFailure", "An internal error has occurred"),
    };
    let (kind, body) = match service {
        "ecs" | "monitoring" => {
            ("application/x-amz-json-1.1", format!("{{\"__type\":\"{code}\",\"message\":\"{message}\"}}"))
        }
        "ec2" => (
            "text/xml",
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
                 <RequestID>r</RequestID></Response>"
            ),
        ),
        _ => (
            "text/xml",
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message>\
                 </Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        ),
    };
    // AWS's clock is an hour ahead of this machine's, where that is the matter.
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    let date = if bad == Bad::Skewed {
        now.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n")
    } else {
        now.strftime("")
    };
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{date}Content-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}
