//! Asking over HTTP and judging what comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use http::response::Parts;
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{HeaderName, HeaderValue};
use tokio::time::Instant;

use super::client;
use super::dial::{Known, Progress, Wire, classify, millis};
use super::request::Requests;
use super::{Connection, Http, Statuses};
use crate::clock::Clock;
use crate::probe::connect::micros;
use crate::probe::deadline::within;
use crate::probe::prober::sentinel::Post;
use crate::probe::tcp::Address;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening, Rest};
use crate::sample::{Cause, Class};

/// How much of a body is read.
const MOST_BODY: usize = 1 << 20;
/// How many redirects are followed.
const MOST_REDIRECTS: usize = 10;

/// An `http` probe, ready to ask.
pub(crate) struct HttpAsk {
    inner: Arc<Inner>,
    timeout: Duration,
    slower_than: Option<Duration>,
}

struct Inner {
    requests: Requests,
    redirects: bool,
    statuses: Statuses,
    expected_headers: Vec<(HeaderName, HeaderValue)>,
    body_contains: Option<String>,
    identity_header: Option<HeaderName>,
    first_byte: Option<Duration>,
    connection: Connection,
    /// Connections that no request is using, newest last.
    idle: Mutex<Vec<Wire>>,
}

/// A good answer.
struct Good {
    status: u16,
    who: Option<String>,
}

impl HttpAsk {
    pub(crate) fn open(http: &Http, opening: &Opening) -> Result<HttpAsk, String> {
        let expect = http.expect.as_ref();
        let expected = client::headers(expect.and_then(|expect| expect.headers.as_ref()))?;
        let statuses = expect.and_then(|expect| expect.status.clone());
        let identity_header = http.identity_header.as_deref().map(client::header_name).transpose()?;
        Ok(HttpAsk {
            inner: Arc::new(Inner {
                requests: Requests::new(http, opening)?,
                redirects: http.redirects,
                statuses: statuses.unwrap_or(Statuses(vec![(200, 299)])),
                expected_headers: expected
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
                body_contains: expect.and_then(|expect| expect.body_contains.clone()),
                identity_header,
                first_byte: http.first_byte_timeout,
                connection: http.connection.first(),
                idle: Mutex::default(),
            }),
            timeout: http.timeout,
            slower_than: http.slower_than,
        })
    }

    /// What the prober asks itself over, to know whether it runs.
    pub(crate) fn control(address: std::net::SocketAddr) -> Result<HttpAsk, String> {
        let url = format!("http://{address}/").parse().map_err(|error| format!("{error}"))?;
        HttpAsk::open(&Http::get(url), &Opening::new("", crate::probe::Resolver::System))
    }

    fn answered(&self, clock: &Clock, sent: crate::clock::Moment, good: Good) -> Answer {
        let done = clock.now();
        let mut answer = match self.slower_than {
            Some(limit) if done.since(sent) > limit => {
                let text = format!("{} ms, limit {} ms", done.since(sent).as_millis(), limit.as_millis());
                Trouble::new(Class::Slow, Cause::Timeout, text).code(good.status).answer(sent, done)
            }
            _ => Answer::good(sent, done, good.status),
        };
        answer.who = good.who.map(Into::into);
        answer
    }
}

impl Inner {
    /// One request, and the answer's judgement.
    async fn exchange(self: Arc<Self>, progress: Progress) -> Result<Good, Trouble> {
        let mut requests = &self.requests;
        let mut moved;
        for _ in 0..=MOST_REDIRECTS {
            let mut wire = self.wire(requests, &progress).await?;
            progress.note(|known| {
                known.peer = Some(wire.peer.clone());
                known.requested = true;
            });
            let response = self.head(&mut wire, requests, &progress).await?;
            if let Some(next) = self.redirects.then(|| requests.redirected(&response)).transpose()?.flatten()
            {
                moved = next;
                requests = &moved;
                continue;
            }
            let (head, body) = whole(response).await?;
            if body.len() < MOST_BODY {
                self.keep(wire).await;
            }
            return self.judge(&head, &body);
        }
        let text = format!("more than {MOST_REDIRECTS} redirects");
        Err(Trouble::new(Class::Wrong, Cause::Protocol, text))
    }

    /// An idle connection that lives, or a new one.
    async fn wire(&self, requests: &Requests, progress: &Progress) -> Result<Wire, Trouble> {
        if std::ptr::eq(requests, &raw const self.requests) {
            while let Some(mut wire) = self.take_idle() {
                if wire.alive() && wire.ready().await {
                    return Ok(wire);
                }
            }
        }
        let wire = requests.dialler.dial(progress).await?;
        if let (Some(shared), true) = (wire.shared(), self.keeps()) {
            // Further requests go over the same connection while this one is under way.
            self.idle().push(shared);
        }
        Ok(wire)
    }

    fn take_idle(&self) -> Option<Wire> {
        let mut idle = self.idle();
        match idle.last().and_then(Wire::shared) {
            Some(shared) if shared.alive() => Some(shared),
            _ => idle.pop(),
        }
    }

    async fn head(
        &self,
        wire: &mut Wire,
        requests: &Requests,
        progress: &Progress,
    ) -> Result<Response<Incoming>, Trouble> {
        let begun = Instant::now();
        let sending = wire.send(requests.request()?);
        let response = match self.first_byte {
            None => sending.await?,
            Some(limit) => tokio::time::timeout(limit, sending)
                .await
                .map_err(|_| Trouble::late(format!("no first byte within {} ms", millis(limit))))??,
        };
        progress.note(|known| known.phases.first_byte = micros(begun));
        Ok(response)
    }

    fn judge(&self, head: &Parts, body: &[u8]) -> Result<Good, Trouble> {
        let status = head.status.as_u16();
        if !self.statuses.contain(status) {
            let text = format!("status {status}, expected {}", self.statuses);
            let (class, cause) = match status {
                500.. => (Class::FailFast, Cause::ServerError),
                _ => (Class::Wrong, Cause::Status),
            };
            return Err(Trouble::new(class, cause, text).code(status));
        }
        let wrong = |text: String| Trouble::new(Class::Wrong, Cause::Content, text).code(status);
        for (name, expected) in &self.expected_headers {
            let found = head.headers.get_all(name);
            if !found.iter().any(|value| value == expected) {
                let got = found.iter().map(shown).collect::<Vec<_>>().join(", ");
                let got = if got.is_empty() { "it is missing".to_owned() } else { format!("it is `{got}`") };
                return Err(wrong(format!("header `{name}`: expected `{}`, {got}", shown(expected))));
            }
        }
        let named = self.identity_header.as_ref().and_then(|name| head.headers.get(name));
        let who = named.map(shown);
        match &self.body_contains {
            Some(text) if !holds(body, text.as_bytes()) => {
                Err(wrong(format!("the body ({} bytes) does not contain `{text}`", body.len())))
            }
            _ => Ok(Good { status, who }),
        }
    }

    fn keeps(&self) -> bool {
        self.connection != Connection::Fresh
    }

    /// Puts a connection back, once it can carry another request.
    async fn keep(&self, mut wire: Wire) {
        // One that several requests share has stayed where it was.
        if self.keeps() && wire.shared().is_none() && wire.alive() && wire.ready().await {
            self.idle().push(wire);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Wire>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The answer with its body, up to the most that is read of it.
async fn whole(response: Response<Incoming>) -> Result<(Parts, Vec<u8>), Trouble> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| classify(&error).code(head.status.as_u16()))?;
        let Ok(chunk) = frame.into_data() else { continue };
        let room = MOST_BODY.saturating_sub(body.len());
        body.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
        if body.len() >= MOST_BODY {
            break;
        }
    }
    Ok((head, body))
}

fn shown(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[async_trait]
impl Ask for HttpAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let progress = Progress::default();
        let mut work = Box::pin(self.inner.clone().exchange(progress.clone()));
        let sent = clock.now();
        let outcome = within(self.timeout, clock, &mut work).await;
        let mut answer = match outcome {
            Ok(Ok(good)) => self.answered(clock, sent, good),
            Ok(Err(trouble)) => trouble.answer(sent, clock.now()),
            Err(over) => {
                let text = format!("no complete answer within {} ms", self.timeout.as_millis());
                let mut answer = Trouble::late(text).answer(sent, over);
                if progress.known().requested {
                    answer.rest = Rest::of(work.map(|outcome| outcome.is_ok()));
                }
                answer
            }
        };
        let Known { phases, peer, .. } = progress.known();
        answer.phases = phases;
        answer.who = answer.who.or(peer);
        if self.inner.connection == Connection::Reconnect && !answer.class.good() {
            // Lets go of every connection: the next sample resolves and connects again.
            self.inner.idle().clear();
        }
        answer
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn light(&self) -> bool {
        self.inner.requests.dialler.tls.is_none() && !self.inner.redirects
    }

    fn post(&self) -> Option<Post> {
        let dialler = &self.inner.requests.dialler;
        let address = Address { host: dialler.host.clone(), port: dialler.port };
        Some(Post { address, resolver: dialler.resolver.clone() })
    }
}
