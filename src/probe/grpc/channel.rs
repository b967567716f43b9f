//! An HTTP/2 connection of one's own, and one call over it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::status;
use crate::clock::Clock;
use crate::probe::connect::{Reached, connect, micros};
use crate::probe::resolve::Resolver;
use crate::probe::tcp::Address;
use crate::probe::tls_check::handshake::handshake;
use crate::probe::trace::Trace;
use crate::probe::trouble::Trouble;
use crate::sample::{Cause, Class};

/// How long a connection that nobody needs may take to say good-bye.
const GOODBYE: Duration = Duration::from_secs(1);

/// How much of an answer is read: a health status takes seven bytes.
const MOST_BODY: usize = 64 * 1024;

/// TLS settings and the name to ask for; none for cleartext.
pub(super) type Secured = Option<(Arc<ClientConfig>, ServerName<'static>)>;

/// How to reach the server.
pub(super) struct Way {
    pub(super) resolver: Arc<Resolver>,
    pub(super) address: Address,
    pub(super) tls: Secured,
    pub(super) connect_timeout: Duration,
    pub(super) tls_timeout: Duration,
}

/// An open connection; it ends when the last copy is dropped.
#[derive(Clone)]
pub(super) struct Channel {
    sender: SendRequest<Bytes>,
    pub(super) peer: SocketAddr,
    needed: Arc<oneshot::Sender<()>>,
}

/// What came back, as far as it came.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) http_status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

/// Why there was no answer.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) trouble: Trouble,
    /// Whether the connection ended with it; else this call alone.
    pub(super) for_good: bool,
}

impl Way {
    /// Resolves, connects, and shakes hands.
    pub(super) async fn open(&self, trace: &mut Trace, clock: &Clock) -> Result<Channel, Trouble> {
        let Reached { stream, peer, phases } =
            connect(&self.resolver, &self.address, self.connect_timeout).await?;
        trace.phases = phases;
        trace.who = Some(peer.to_string().into());
        let Some((config, name)) = &self.tls else { return Channel::over(stream, peer).await };
        let (stream, took) = handshake(config.clone(), name.clone(), stream, self.tls_timeout, clock).await?;
        trace.phases.tls = took;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            let text = "the server does not agree to HTTP/2 (ALPN `h2`)";
            return Err(Trouble::new(Class::FailFast, Cause::Protocol, text));
        }
        Channel::over(stream, peer).await
    }
}

impl Channel {
    async fn over<S>(stream: S, peer: SocketAddr) -> Result<Channel, Trouble>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, mut connection) =
            h2::client::handshake(stream).await.map_err(|error| status::of_transport(&error))?;
        let (needed, unneeded) = oneshot::channel::<()>();
        tokio::spawn(async move {
            tokio::select! {
                // Its errors reach the call that was under way.
                _ = &mut connection => {}
                _ = unneeded => drop(tokio::time::timeout(GOODBYE, connection).await),
            }
        });
        Ok(Channel { sender, peer, needed: Arc::new(needed) })
    }

    /// Whether it is the same connection.
    pub(super) fn same(&self, other: &Channel) -> bool {
        Arc::ptr_eq(&self.needed, &other.needed)
    }

    /// Whether the server has ended it, as far as is known here.
    pub(super) fn over_and_done(&self) -> bool {
        self.needed.is_closed()
    }

    /// One call: a request with a body, and all of the answer.
    pub(super) async fn call(
        &self,
        request: Request<()>,
        body: Bytes,
        trace: &mut Trace,
    ) -> Result<Reply, Failed> {
        let failed =
            |error: h2::Error| Failed { trouble: status::of_transport(&error), for_good: !error.is_reset() };
        let mut sender = self.sender.clone().ready().await.map_err(failed)?;
        let begun = Instant::now();
        let (response, mut sending) = sender.send_request(request, false).map_err(failed)?;
        sending.send_data(body, true).map_err(failed)?;
        let (head, incoming) = response.await.map_err(failed)?.into_parts();
        trace.phases.first_byte = micros(begun);
        let mut reply = Reply {
            http_status: head.status.as_u16(),
            headers: head.headers,
            body: Vec::new(),
            trailers: HeaderMap::new(),
        };
        reply.read(incoming).await.map_err(failed)?;
        Ok(reply)
    }
}

impl Reply {
    async fn read(&mut self, mut incoming: RecvStream) -> Result<(), h2::Error> {
        while let Some(chunk) = incoming.data().await {
            let chunk = chunk?;
            incoming.flow_control().release_capacity(chunk.len())?;
            let room = MOST_BODY.saturating_sub(self.body.len());
            self.body.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
        }
        if let Some(trailers) = poll_fn(|cx| incoming.poll_trailers(cx)).await? {
            self.trailers = trailers;
        }
        Ok(())
    }

    /// A value of the trailers, or of the headers of an answer that has nothing else.
    pub(super) fn said(&self, name: &str) -> Option<&str> {
        self.trailers.get(name).or_else(|| self.headers.get(name))?.to_str().ok()
    }
}
