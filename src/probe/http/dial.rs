//! One HTTP connection over a socket of our own: each part has a budget and a time of its own, and
//! what went wrong has a cause.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Version;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::Budgets;
use crate::probe::connect::{self, first, micros};
use crate::probe::resolve::{DnsFailure, Resolver};
use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class, Phases};

/// What a request's body is made of.
pub(super) type Body = Full<bytes::Bytes>;

/// What is known of an asking so far, also when it is given up.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<Known>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub(super) phases: Phases,
    /// Whom it reached, as samples name them: made once for each connection.
    pub(super) peer: Option<Arc<str>>,
    /// Whether the request may have left.
    pub(super) requested: bool,
}

impl Progress {
    pub(super) fn known(&self) -> Known {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// How to reach one server.
pub(super) struct Dialler {
    pub(super) resolver: Arc<Resolver>,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(super) version: Version,
    pub(super) budgets: Budgets,
}

/// An open connection.
pub(super) struct Wire {
    sender: Sender,
    pub(super) peer: Arc<str>,
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Dialler {
    /// Resolves, connects, shakes hands; each within its budget.
    pub(super) async fn dial(&self, progress: &Progress) -> Result<Wire, Trouble> {
        let begun = Instant::now();
        let found = self.resolver.addresses(&self.host, self.budgets.dns).await;
        let found = found.map_err(|failure: DnsFailure| failure.trouble())?;
        let peer = SocketAddr::new(first(&found, &self.host)?, self.port);
        let literal = self.host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        progress.note(|known| known.phases.dns = if literal { 0 } else { micros(begun) });
        let budget = self.budgets.connect;
        let (stream, took) = connect::dial(peer, Instant::now() + budget, budget).await?;
        progress.note(|known| {
            known.peer = Some(peer.to_string().into());
            known.phases.connect = took;
        });
        match &self.tls {
            None => self.speak(stream, peer).await,
            Some((connector, name)) => {
                let begun = Instant::now();
                let shaking = connector.connect(name.clone(), stream);
                let shaken = match tokio::time::timeout(self.budgets.tls, shaking).await {
                    Ok(Ok(stream)) => stream,
                    Ok(Err(error)) => return Err(handshake(&error)),
                    Err(_) => {
                        let text =
                            format!("TLS with {peer}: no answer within {} ms", millis(self.budgets.tls));
                        return Err(Trouble::new(Class::Timeout, Cause::Tls, text));
                    }
                };
                progress.note(|known| known.phases.tls = micros(begun));
                let agreed = shaken.get_ref().1.alpn_protocol() == Some(b"h2");
                if self.version == Version::HTTP_2 && !agreed {
                    let text =
                        format!("{peer} does not speak HTTP/2: it did not choose `h2` in the TLS handshake");
                    return Err(Trouble::new(Class::FailFast, Cause::Protocol, text));
                }
                self.speak(shaken, peer).await
            }
        }
    }

    /// Starts HTTP on a connection; its own task moves the bytes and ends with the last sender.
    async fn speak<S>(&self, stream: S, peer: SocketAddr) -> Result<Wire, Trouble>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let io = TokioIo::new(stream);
        let sender = if self.version == Version::HTTP_2 {
            let (sender, driver) =
                http2::handshake(TokioExecutor::new(), io).await.map_err(|error| classify(&error))?;
            // What ends the connection also ends the requests on it, and is told there.
            tokio::spawn(async move { drop(driver.await) });
            Sender::Http2(sender)
        } else {
            let (sender, driver) = http1::handshake(io).await.map_err(|error| classify(&error))?;
            tokio::spawn(async move { drop(driver.await) });
            Sender::Http1(sender)
        };
        Ok(Wire { sender, peer: peer.to_string().into() })
    }
}

impl Wire {
    /// Whether a request can still be sent over it, as far as is known.
    pub(super) fn alive(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Another handle on the same connection, where several requests fit on one.
    pub(super) fn shared(&self) -> Option<Wire> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => {
                Some(Wire { sender: Sender::Http2(sender.clone()), peer: self.peer.clone() })
            }
        }
    }

    /// Sends a request; gives the answer's head.
    pub(super) async fn send(&mut self, request: Request<Body>) -> Result<Response<Incoming>, Trouble> {
        let outcome = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        outcome.map_err(|error| classify(&error))
    }

    /// Waits until another request can be sent; false when the connection is over.
    pub(super) async fn ready(&mut self) -> bool {
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }
}

pub(super) fn millis(time: Duration) -> u128 {
    time.as_millis()
}

/// Why a handshake failed.
fn handshake(error: &std::io::Error) -> Trouble {
    let text = format!("TLS: {}", trouble::line(error));
    let eof = error.to_string().contains("tls handshake eof");
    match trouble::find::<rustls::Error>(error).is_some() || eof {
        true => Trouble::new(Class::FailFast, Cause::Tls, text),
        false => Trouble { detail: text, ..Trouble::io(error, "") },
    }
}

/// Why a request failed.
pub(super) fn classify(error: &hyper::Error) -> Trouble {
    let text = trouble::line(error);
    if trouble::find::<rustls::Error>(error).is_some() {
        return Trouble::new(Class::FailFast, Cause::Tls, text);
    }
    if let Some(io) = trouble::find::<std::io::Error>(error) {
        return Trouble { detail: text, ..Trouble::io(io, "") };
    }
    if let Some(h2) = trouble::find::<h2::Error>(error) {
        if let Some(io) = h2.get_io() {
            return Trouble { detail: text, ..Trouble::io(io, "") };
        }
        let cause = if h2.is_go_away() || h2.is_reset() { Cause::Reset } else { Cause::Protocol };
        return Trouble::new(Class::FailFast, cause, text);
    }
    let closed = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    Trouble::new(Class::FailFast, if closed { Cause::Reset } else { Cause::Protocol }, text)
}
