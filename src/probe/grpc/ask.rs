//! Asking a gRPC server for its health and judging what comes back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::{Authority, Uri};
use http::{HeaderMap, HeaderValue, Method, Request, Version};

use super::channel::{Channel, Reply, Way};
use super::{Grpc, message, status};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::http::{Connection, client};
use crate::probe::tls_check::handshake::{server_name, trust};
use crate::probe::trace::{Terms, Trace};
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening, tls};
use crate::sample::{Cause, Class};

const PATH: &str = "/grpc.health.v1.Health/Check";

/// A `grpc` probe, ready to ask.
pub(crate) struct GrpcAsk {
    way: Way,
    head: Request<()>,
    body: Bytes,
    service: String,
    terms: Terms,
    connection: Connection,
    /// The connection that is kept, if any is.
    kept: Mutex<Option<Channel>>,
}

impl GrpcAsk {
    pub(crate) fn open(grpc: &Grpc, opening: &Opening) -> Result<GrpcAsk, String> {
        let service = grpc.service.clone().unwrap_or_default();
        let way = Way {
            resolver: opening.resolver.clone(),
            address: grpc.address.clone(),
            tls: secured(grpc)?,
            connect_timeout: grpc.connect_timeout.min(grpc.timeout),
            tls_timeout: grpc.tls_timeout,
        };
        Ok(GrpcAsk {
            way,
            head: head(grpc)?,
            body: message::request(&service),
            service,
            terms: Terms { timeout: grpc.timeout, slower_than: grpc.slower_than },
            connection: grpc.connection,
            kept: Mutex::default(),
        })
    }

    async fn check(
        &self,
        used: &mut Option<Channel>,
        trace: &mut Trace,
        clock: &Clock,
    ) -> Result<u16, Trouble> {
        let channel = match self.keeping() {
            Some(channel) => {
                trace.who = Some(channel.peer.to_string().into());
                channel
            }
            None => {
                let channel = self.way.open(trace, clock).await?;
                if self.connection != Connection::Fresh {
                    *self.kept() = Some(channel.clone());
                }
                channel
            }
        };
        *used = Some(channel.clone());
        match channel.call(self.request(), self.body.clone(), trace).await {
            Ok(reply) => self.judge(&reply),
            Err(failed) => {
                if failed.for_good {
                    self.let_go(&channel);
                }
                Err(failed.trouble)
            }
        }
    }

    fn judge(&self, reply: &Reply) -> Result<u16, Trouble> {
        let Some(code) = reply.said("grpc-status") else {
            return Err(match reply.http_status {
                200 => Trouble::new(Class::FailFast, Cause::Protocol, "an answer without a grpc-status"),
                other => status::of_http(other),
            });
        };
        match code.parse() {
            Ok(0) => {}
            Ok(code) => return Err(status::of_call(code, reply.said("grpc-message").unwrap_or_default())),
            Err(_) => {
                return Err(Trouble::new(
                    Class::FailFast,
                    Cause::Protocol,
                    format!("grpc-status is `{code}`, expected a number"),
                ));
            }
        }
        let health = message::response(&reply.body)
            .map_err(|why| Trouble::new(Class::FailFast, Cause::Protocol, why))?;
        status::of_service(health, &self.service).map(|()| 0)
    }

    fn request(&self) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = self.head.method().clone();
        *request.uri_mut() = self.head.uri().clone();
        *request.version_mut() = self.head.version();
        *request.headers_mut() = self.head.headers().clone();
        request
    }

    /// The connection to go on with, unless it has ended meanwhile.
    fn keeping(&self) -> Option<Channel> {
        let mut kept = self.kept();
        if kept.as_ref().is_some_and(Channel::over_and_done) {
            *kept = None;
        }
        kept.clone()
    }

    /// Keeps this connection no longer. Others may have put a new one in its place meanwhile: that one stays.
    fn let_go(&self, channel: &Channel) {
        let mut kept = self.kept();
        if kept.as_ref().is_some_and(|kept| kept.same(channel)) {
            *kept = None;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<Channel>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secured(grpc: &Grpc) -> Result<super::channel::Secured, String> {
    let Some(settings) = &grpc.tls else { return Ok(None) };
    let mut config = tls::client(trust(settings.insecure, settings.ca_file.as_ref()))?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = server_name(settings.server_name.as_ref(), &grpc.address.host)?;
    Ok(Some((Arc::new(config), name)))
}

/// The request's head, the same each time.
fn head(grpc: &Grpc) -> Result<Request<()>, String> {
    let named = grpc.tls.as_ref().and_then(|tls| tls.server_name.clone());
    let authority = match named {
        Some(name) => format!("{name}:{}", grpc.address.port),
        None => grpc.address.to_string(),
    };
    let authority: Authority =
        authority.parse().map_err(|_| format!("`{authority}` cannot be asked for over HTTP/2"))?;
    let uri = Uri::builder()
        .scheme(if grpc.tls.is_some() { "https" } else { "http" })
        .authority(authority)
        .path_and_query(PATH)
        .build()
        .map_err(|error| format!("{}: {error}", grpc.address))?;
    let mut headers: HeaderMap = client::headers(grpc.metadata.as_ref())?;
    let fixed = [
        ("te", "trailers".to_owned()),
        ("content-type", "application/grpc".to_owned()),
        ("user-agent", concat!("firedrill/", env!("CARGO_PKG_VERSION")).to_owned()),
        ("grpc-timeout", grpc_timeout(grpc.timeout)),
    ];
    for (name, value) in fixed {
        let value = HeaderValue::from_str(&value).map_err(|_| format!("`{value}` cannot be a header"))?;
        headers.insert(name, value);
    }
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    *head.uri_mut() = uri;
    *head.version_mut() = Version::HTTP_2;
    *head.headers_mut() = headers;
    Ok(head)
}

/// At most eight digits and a unit: milliseconds, or seconds for what does not fit.
fn grpc_timeout(timeout: Duration) -> String {
    match timeout.as_millis() {
        millis @ ..100_000_000 => format!("{millis}m"),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    }
}

#[async_trait]
impl Ask for GrpcAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let (mut trace, mut used) = (Trace::default(), None);
        let sent = clock.now();
        let outcome = within(self.terms.timeout, clock, self.check(&mut used, &mut trace, clock)).await;
        let answer = trace.conclude(self.terms, sent, clock.now(), outcome);
        if let (Connection::Reconnect, false, Some(used)) = (self.connection, answer.class.good(), &used) {
            self.let_go(used);
        }
        answer
    }

    fn deadline(&self) -> Duration {
        self.terms.timeout
    }
}
