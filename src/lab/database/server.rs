//! A node's listener and its connections.
//!
//! An answer leaves a connection in [`Connection::deliver`] only, and an answer to a commit
//! leaves it under the databases' lock.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Buf;
use pgwire::api::auth::StartupHandler;
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::{ClientInfo, METADATA_DATABASE, METADATA_USER, PgWireConnectionState};
use pgwire::error::{ErrorInfo, PgWireError};
use pgwire::messages::response::{GssEncResponse, ReadyForQuery, SslResponse};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage, SslNegotiationMetaMessage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::Shared;
use super::client::Client;
use super::fault::SqlFault;
use super::handlers::{self, Handlers};
use super::replication::{Phase, Seat};
use super::session::Session;

/// PostgreSQL's port, on every node's own address.
pub(crate) const PORT: u16 = 5432;
const MAX_CONNECTIONS: usize = 200;
/// How long a client may take over logging in.
const LOGIN: Duration = Duration::from_secs(10);
/// How long sessions have to say goodbye when a node is shut down.
const FAREWELL: Duration = Duration::from_millis(40);

/// A node that listens.
pub(super) struct Server {
    stop: oneshot::Sender<()>,
    farewell: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Listens on a node's address.
    pub(super) async fn start(shared: Arc<Shared>, seat: Seat, address: Ipv4Addr) -> io::Result<Server> {
        let listener = TcpListener::bind((address, PORT)).await?;
        let (stop, stopped) = oneshot::channel();
        let (farewell, told) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, shared, seat, stopped, told));
        Ok(Server { stop, farewell, accepting })
    }

    /// Closes the listener and every connection, and returns when they are closed. With
    /// `politely`, idle sessions are told 57P01 first.
    pub(super) async fn stop(self, politely: bool) {
        if politely {
            let _ = self.farewell.send(true);
            tokio::time::sleep(FAREWELL).await;
        }
        let _ = self.stop.send(());
        let _ = self.accepting.await;
    }
}

async fn accept(
    listener: TcpListener,
    shared: Arc<Shared>,
    seat: Seat,
    mut stopped: oneshot::Receiver<()>,
    told: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let full = connections.len() >= MAX_CONNECTIONS;
                    let connection = Connection::new(stream, peer, Arc::clone(&shared), seat);
                    connections.spawn(connection.run(told.clone(), full));
                }
                // Out of descriptors, say: the next accept may do.
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            },
        }
    }
    drop(listener);
    connections.shutdown().await;
}

struct Connection {
    stream: TcpStream,
    client: Client,
    shared: Arc<Shared>,
    seat: Seat,
    handlers: Handlers,
}

/// Why a connection ends; nobody is told.
#[derive(Debug)]
struct Closed;

impl From<io::Error> for Closed {
    fn from(_: io::Error) -> Closed {
        Closed
    }
}

impl Connection {
    fn new(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>, seat: Seat) -> Connection {
        let session = Session::new(Arc::clone(&shared), seat, peer);
        let handlers = Handlers::new(session, shared.commit_delay);
        Connection { stream, client: Client::new(peer), shared, seat, handlers }
    }

    async fn run(mut self, mut told: watch::Receiver<bool>, full: bool) {
        let _ = self.stream.set_nodelay(true);
        let login = tokio::time::timeout(LOGIN, self.log_in(full)).await;
        if !matches!(login, Ok(Ok(()))) {
            return;
        }
        let _ = self.converse(&mut told).await;
    }

    /// The next message; an error when the client is gone or does not speak the protocol.
    async fn message(&mut self) -> Result<PgWireFrontendMessage, Closed> {
        loop {
            match self.client.decode() {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => {}
                Err(error) => {
                    self.refuse(error, false).await?;
                    return Err(Closed);
                }
            }
            if self.stream.read_buf(&mut self.client.inbox).await? == 0 {
                return Err(Closed);
            }
        }
    }

    /// From the first byte to the first ReadyForQuery.
    async fn log_in(&mut self, full: bool) -> Result<(), Closed> {
        loop {
            let message = self.message().await?;
            let put = match &message {
                PgWireFrontendMessage::SslNegotiation(SslNegotiationMetaMessage::PostgresSsl(_)) => {
                    self.client.put(&PgWireBackendMessage::SslResponse(SslResponse::Refuse))
                }
                PgWireFrontendMessage::SslNegotiation(SslNegotiationMetaMessage::PostgresGss(_)) => {
                    self.client.put(&PgWireBackendMessage::GssEncResponse(GssEncResponse::Refuse))
                }
                PgWireFrontendMessage::SslNegotiation(SslNegotiationMetaMessage::None) => {
                    self.client.set_state(PgWireConnectionState::AwaitingStartup);
                    Ok(())
                }
                PgWireFrontendMessage::Startup(_) | PgWireFrontendMessage::PasswordMessageFamily(_) => {
                    self.authenticate(message, full).await
                }
                // A request to cancel a statement: none runs long enough to be cancelled.
                _ => return Err(Closed),
            };
            if let Err(error) = put {
                self.refuse(error, false).await?;
                return Err(Closed);
            }
            self.deliver().await?;
            if matches!(self.client.state(), PgWireConnectionState::ReadyForQuery) {
                return Ok(());
            }
        }
    }

    async fn authenticate(&mut self, message: PgWireFrontendMessage, full: bool) -> Result<(), PgWireError> {
        let (name, in_recovery, phase) = {
            let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            let database = &state.databases[self.seat.database];
            (database.name.clone(), state.in_recovery(self.seat), database.members[self.seat.member].phase)
        };
        match phase {
            Phase::Open => {}
            Phase::Starting => return Err(SqlFault::starting().into()),
            Phase::Down => return Err(SqlFault::terminated().into()),
        }
        if full {
            return Err(SqlFault::fatal("53300", "sorry, too many clients already").into());
        }
        let startup = handlers::startup(&self.shared.credentials, &name, in_recovery);
        startup.on_startup(&mut self.client, message).await?;
        let get = |key: &str| self.client.metadata().get(key).cloned();
        let user = get(METADATA_USER).unwrap_or_default();
        let mut session = self.handlers.session();
        session.database = get(METADATA_DATABASE).unwrap_or_else(|| user.clone());
        session.user = user;
        Ok(())
    }

    async fn converse(&mut self, told: &mut watch::Receiver<bool>) -> Result<(), Closed> {
        loop {
            let message = tokio::select! {
                biased;
                () = farewell(told) => None,
                message = self.message() => Some(message?),
            };
            let Some(message) = message else {
                return self.refuse(SqlFault::terminated().into(), false).await;
            };
            if matches!(message, PgWireFrontendMessage::Terminate(_)) {
                return Ok(());
            }
            let extended = message.is_extended_query();
            let ends = !extended
                || matches!(message, PgWireFrontendMessage::Sync(_) | PgWireFrontendMessage::Flush(_));
            if let Err(error) = self.handle(message).await {
                let fatal = error.is_fatal();
                // A node that crashed says nothing; one that shuts down does.
                if fatal && self.left() && !*told.borrow() {
                    return Err(Closed);
                }
                self.refuse(error, extended).await?;
                if fatal {
                    return Err(Closed);
                }
            } else if ends {
                self.deliver().await?;
            }
        }
    }

    /// Whether the node went down under this connection.
    fn left(&self) -> bool {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).member(self.seat).is_none()
    }

    async fn handle(&mut self, message: PgWireFrontendMessage) -> Result<(), PgWireError> {
        let (client, handlers) = (&mut self.client, &self.handlers);
        if matches!(client.state(), PgWireConnectionState::AwaitingSync) {
            // After an error everything up to Sync is skipped.
            if let PgWireFrontendMessage::Sync(sync) = message {
                handlers.on_sync(client, sync).await?;
                client.set_state(PgWireConnectionState::ReadyForQuery);
            }
            return Ok(());
        }
        match message {
            PgWireFrontendMessage::Query(query) => handlers.on_query(client, query).await,
            PgWireFrontendMessage::Parse(parse) => handlers.on_parse(client, parse).await,
            PgWireFrontendMessage::Bind(bind) => handlers.on_bind(client, bind).await,
            PgWireFrontendMessage::Execute(execute) => handlers.on_execute(client, execute).await,
            PgWireFrontendMessage::Describe(describe) => handlers.on_describe(client, describe).await,
            PgWireFrontendMessage::Flush(flush) => handlers.on_flush(client, flush).await,
            PgWireFrontendMessage::Sync(sync) => handlers.on_sync(client, sync).await,
            PgWireFrontendMessage::Close(close) => handlers.on_close(client, close).await,
            _ => Err(SqlFault::fatal("08P01", "unexpected message").into()),
        }
    }

    /// Sends an error and what the protocol wants after one.
    async fn refuse(&mut self, error: PgWireError, extended: bool) -> Result<(), Closed> {
        let fatal = error.is_fatal();
        let info: ErrorInfo = error.into();
        let _ = self.client.put(&PgWireBackendMessage::ErrorResponse(info.into()));
        let status = self.client.transaction_status().to_error_state();
        self.client.set_transaction_status(status);
        if extended {
            self.client.set_state(PgWireConnectionState::AwaitingSync);
        } else if !fatal {
            self.client.set_state(PgWireConnectionState::ReadyForQuery);
            let _ = self.client.put(&PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status)));
        }
        self.deliver().await
    }

    /// Writes the outbox. Answers to commits go out under the lock, and count as acknowledged
    /// in the same breath; once the node is down nothing goes out.
    async fn deliver(&mut self) -> Result<(), Closed> {
        if self.handlers.session().unacknowledged().is_empty() {
            let outbox = self.client.outbox.split();
            self.stream.write_all(&outbox).await?;
            return Ok(());
        }
        loop {
            {
                let mut session = self.handlers.session();
                let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.member(self.seat).is_none() {
                    return Err(Closed);
                }
                match self.stream.try_write(&self.client.outbox) {
                    Ok(written) => self.client.outbox.advance(written),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return Err(Closed),
                }
                if self.client.outbox.is_empty() {
                    state.acknowledge(self.seat, session.unacknowledged());
                    session.acknowledged();
                    return Ok(());
                }
            }
            self.stream.writable().await?;
        }
    }
}

/// Waits until the sessions are told to leave.
async fn farewell(told: &mut watch::Receiver<bool>) {
    if told.wait_for(|told| *told).await.is_err() {
        std::future::pending::<()>().await;
    }
}
