//! One connection's protocol state: pgwire's own, with everything that is sent kept in a buffer
//! until the connection decides to write it.
//!
//! The buffer is what makes "acknowledged" exact: an answer leaves in one place only.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use futures::Sink;
use pgwire::api::store::MemPortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, DefaultClient, PgWireConnectionState, SessionExtensions};
use pgwire::error::PgWireError;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::SecretKey;
use pgwire::messages::{DecodeContext, PgWireBackendMessage, PgWireFrontendMessage, ProtocolVersion};

use super::handlers::Stored;

/// The protocol state of one connection.
pub(super) struct Client {
    info: DefaultClient<Stored>,
    decoding: DecodeContext,
    /// What the client sent and was not read yet.
    pub(super) inbox: BytesMut,
    /// What is to be written to the client.
    pub(super) outbox: BytesMut,
}

impl Client {
    /// A connection that has said nothing yet.
    pub(super) fn new(peer: SocketAddr) -> Client {
        Client {
            info: DefaultClient::new(peer, false),
            decoding: DecodeContext::new(ProtocolVersion::default()),
            inbox: BytesMut::with_capacity(4096),
            outbox: BytesMut::with_capacity(4096),
        }
    }

    /// The next message in the inbox, when it is complete.
    pub(super) fn decode(&mut self) -> Result<Option<PgWireFrontendMessage>, PgWireError> {
        self.decoding.protocol_version = self.info.protocol_version;
        let state = self.info.state;
        self.decoding.awaiting_frontend_ssl = matches!(state, PgWireConnectionState::AwaitingSslRequest);
        self.decoding.awaiting_frontend_startup = matches!(
            state,
            PgWireConnectionState::AwaitingSslRequest | PgWireConnectionState::AwaitingStartup
        );
        PgWireFrontendMessage::decode(&mut self.inbox, &self.decoding)
    }

    /// Puts a message in the outbox.
    pub(super) fn put(&mut self, message: &PgWireBackendMessage) -> Result<(), PgWireError> {
        message.encode(&mut self.outbox)
    }
}

impl Sink<PgWireBackendMessage> for Client {
    type Error = PgWireError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PgWireError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: PgWireBackendMessage) -> Result<(), PgWireError> {
        self.get_mut().put(&message)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PgWireError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PgWireError>> {
        Poll::Ready(Ok(()))
    }
}

impl ClientPortalStore for Client {
    type PortalStore = MemPortalStore<Stored>;

    fn portal_store(&self) -> &Self::PortalStore {
        self.info.portal_store()
    }
}

impl ClientInfo for Client {
    fn socket_addr(&self) -> SocketAddr {
        self.info.socket_addr()
    }

    fn is_secure(&self) -> bool {
        self.info.is_secure()
    }

    fn protocol_version(&self) -> ProtocolVersion {
        self.info.protocol_version()
    }

    fn set_protocol_version(&mut self, version: ProtocolVersion) {
        self.info.set_protocol_version(version);
    }

    fn pid_and_secret_key(&self) -> (i32, SecretKey) {
        self.info.pid_and_secret_key()
    }

    fn set_pid_and_secret_key(&mut self, pid: i32, secret_key: SecretKey) {
        self.info.set_pid_and_secret_key(pid, secret_key);
    }

    fn state(&self) -> PgWireConnectionState {
        self.info.state()
    }

    fn set_state(&mut self, new_state: PgWireConnectionState) {
        self.info.set_state(new_state);
    }

    fn transaction_status(&self) -> TransactionStatus {
        self.info.transaction_status()
    }

    fn set_transaction_status(&mut self, new_status: TransactionStatus) {
        self.info.set_transaction_status(new_status);
    }

    fn metadata(&self) -> &HashMap<String, String> {
        self.info.metadata()
    }

    fn metadata_mut(&mut self) -> &mut HashMap<String, String> {
        self.info.metadata_mut()
    }

    fn session_extensions(&self) -> &SessionExtensions {
        self.info.session_extensions()
    }
}
