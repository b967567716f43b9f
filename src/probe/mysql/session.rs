//! One connection to MySQL, to an address that our own resolver gave: no pool, no reconnect.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, Row, SslOpts, Value};
use rustls::RootCertStore;
use tokio::time::Instant;

use super::Dsn;
use super::dsn::TlsMode;
use super::error::classify;
use crate::probe::Answer;
use crate::probe::connect::{first, micros, name_budget};
use crate::probe::resolve::Resolver;
use crate::probe::tcp::Address;
use crate::probe::trouble::Trouble;
use crate::sample::{Cause, Class, Phases};

/// How long a good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a server is asked about itself. Not every product has all of these.
const ITSELF: &str = "show global variables where variable_name in \
    ('server_uuid','hostname','port','server_id','aurora_server_id','read_only','super_read_only','innodb_read_only')";

/// How to open sessions with one server.
pub(crate) struct Door {
    plain: Opts,
    secured: Option<Opts>,
    /// Whether a server without TLS will do, and whether this one has been found to be one.
    preferred: bool,
    without_tls: AtomicBool,
    address: Address,
    resolver: Arc<Resolver>,
    connect_timeout: Duration,
}

/// An open connection. Dropping it abandons the socket.
pub(crate) struct Session {
    conn: Option<Conn>,
    who: Arc<str>,
    /// Whether it takes writes, by its own word when last asked.
    writable: bool,
    /// Of the connection until it has answered once, then of the last statement alone.
    phases: Phases,
}

impl Door {
    pub(crate) fn new(dsn: &Dsn, resolver: Arc<Resolver>, connect_timeout: Duration) -> Result<Door, String> {
        let plain = OptsBuilder::default()
            .ip_or_hostname(dsn.address.host.clone())
            .tcp_port(dsn.address.port)
            .user(dsn.url.user.clone())
            .pass(dsn.url.password.clone())
            .db_name(dsn.database.clone())
            .prefer_socket(false)
            .stmt_cache_size(0)
            // Named here, they need not be asked for at every connection.
            .max_allowed_packet(Some(16 << 20))
            .wait_timeout(Some(28_800));
        let ssl = match &dsn.tls {
            TlsMode::Disabled => None,
            TlsMode::Preferred | TlsMode::Required => {
                Some(SslOpts::default().with_danger_accept_invalid_certs(true))
            }
            TlsMode::Verified { name, roots } => {
                let roots = match roots {
                    Some(path) => pem(path)?,
                    None => system()?,
                };
                let ssl = SslOpts::default().with_root_certs(roots.into_iter().map(Into::into).collect());
                Some(ssl.with_disable_built_in_roots(true).with_danger_skip_domain_validation(!name))
            }
        };
        Ok(Door {
            secured: ssl.map(|ssl| plain.clone().ssl_opts(ssl).into()),
            plain: plain.into(),
            preferred: dsn.tls == TlsMode::Preferred,
            without_tls: AtomicBool::new(false),
            address: dsn.address.clone(),
            resolver,
            connect_timeout,
        })
    }

    /// Resolves, connects, logs in, and asks the server who it is.
    pub(crate) async fn open(&self) -> Result<Session, Trouble> {
        let begun = Instant::now();
        let until = begun + self.connect_timeout;
        let host = &self.address.host;
        let found = self.resolver.addresses(host, name_budget(self.connect_timeout)).await;
        let ip = first(&found.map_err(|dns| dns.trouble())?, host)?;
        let dns = if host.parse::<std::net::IpAddr>().is_ok() { 0 } else { micros(begun) };
        let peer = SocketAddr::new(ip, self.address.port);
        let dialled = Instant::now();
        let late = |_| {
            let budget = self.connect_timeout.as_millis();
            Trouble::connect_late(format!("connect {peer}: no session within {budget} ms"))
        };
        let conn = tokio::time::timeout_at(until, self.dial(peer)).await.map_err(late)??;
        // The client does not say when the socket stood: this is all of TCP, TLS and login.
        let phases = Phases { dns, connect: micros(dialled), ..Phases::default() };
        let who = peer.to_string().into();
        let mut session = Session { conn: Some(conn), who, writable: false, phases };
        session.ask_itself().await?;
        Ok(session)
    }

    async fn dial(&self, peer: SocketAddr) -> Result<Conn, Trouble> {
        let with = |opts: &Opts| -> Opts {
            OptsBuilder::from_opts(opts.clone()).resolved_ips(Some(vec![peer.ip()])).into()
        };
        let secured = self.secured.as_ref().filter(|_| !self.without_tls.load(Ordering::SeqCst));
        let dialled = Dialling(Some(Conn::new(with(secured.unwrap_or(&self.plain))))).await;
        let dialled = match dialled {
            Err(Error::Driver(DriverError::NoClientSslFlagFromServer)) if self.preferred => {
                self.without_tls.store(true, Ordering::SeqCst);
                Dialling(Some(Conn::new(with(&self.plain)))).await
            }
            dialled => dialled,
        };
        dialled.map_err(|error| {
            let trouble = classify(&error);
            Trouble { detail: format!("connect {peer}: {}", trouble.detail), ..trouble }
        })
    }
}

/// A connection that is being made. Given up, it is dropped where no runtime is: the client would
/// go on with the half-made connection to say good-bye, and it cannot do that in a TLS handshake.
struct Dialling(Option<BoxFuture<'static, Result<Conn, Error>>>);

impl Future for Dialling {
    type Output = Result<Conn, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(dialling) = &mut self.0 else { return Poll::Pending };
        let outcome = std::task::ready!(dialling.as_mut().poll(cx));
        if outcome.is_ok() {
            self.0 = None;
        }
        Poll::Ready(outcome)
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if let Some(dialling) = self.0.take() {
            drop_elsewhere(dialling);
        }
    }
}

fn drop_elsewhere(what: impl Send + 'static) {
    // Without a thread to be had, it is dropped here after all.
    let _ = std::thread::Builder::new().name("hang-up".to_owned()).spawn(move || drop(what));
}

fn pem(path: &Path) -> Result<Vec<Vec<u8>>, String> {
    let refused = |why: String| format!("{}: {why}", path.display());
    let text = std::fs::read(path).map_err(|error| refused(format!("cannot be read: {error}")))?;
    // The same check as for every other probe, before anything is connected to.
    crate::probe::tls::client(crate::probe::tls::Trust::File(path))?;
    Ok(vec![text])
}

fn system() -> Result<Vec<Vec<u8>>, String> {
    let found = rustls_native_certs::load_native_certs();
    let usable = found.certs.iter().filter(|one| RootCertStore::empty().add((*one).clone()).is_ok());
    let usable: Vec<Vec<u8>> = usable.map(|one| one.to_vec()).collect();
    match usable.is_empty() {
        true => Err("the system has no certificate authorities to trust; name an ssl-ca".to_owned()),
        false => Ok(usable),
    }
}

impl Session {
    /// Runs a statement in one round trip.
    pub(crate) async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, Error> {
        let Some(conn) = &mut self.conn else { return Err(Error::Driver(DriverError::ConnectionClosed)) };
        let begun = Instant::now();
        let rows = conn.query(sql).await;
        self.phases.first_byte = micros(begun);
        rows
    }

    /// Whether the connection is of no more use: any error but one that the server itself told.
    pub(crate) fn is_broken(error: &Error) -> bool {
        !matches!(error, Error::Server(_))
    }

    /// Asks the server for its identity and its role.
    pub(crate) async fn ask_itself(&mut self) -> Result<(), Trouble> {
        let rows = self.rows(ITSELF).await.map_err(|error| classify(&error))?;
        let values: Vec<(String, String)> =
            rows.iter().filter_map(|row| Some((column(row, 0)?, column(row, 1)?))).collect();
        let value = |name: &str| {
            let found = values.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        // MariaDB has no UUID of its own.
        let named = || {
            let (host, port) = value("hostname").zip(value("port"))?;
            Some(format!("{host}:{port}/{}", value("server_id").unwrap_or("0")))
        };
        let own = value("aurora_server_id").or(value("server_uuid")).map(str::to_owned);
        if let Some(who) = own.or_else(named) {
            self.who = who.into();
        }
        let off = |name: &str| matches!(value(name), None | Some("OFF" | "0"));
        if value("read_only").is_none() {
            let text = "the server does not say whether it is read-only";
            return Err(Trouble::new(Class::FailFast, Cause::Protocol, text));
        }
        self.writable = off("read_only") && off("super_read_only") && off("innodb_read_only");
        Ok(())
    }

    /// Whether the server takes writes, by its own word when it was last asked.
    pub(crate) fn writable(&self) -> bool {
        self.writable
    }

    /// What is wrong with the acknowledgement of the last write, if anything.
    pub(crate) fn doubt(&self) -> Option<&'static str> {
        let conn = self.conn.as_ref()?;
        if conn.get_warnings() > 0 {
            return Some("acknowledged with a warning");
        }
        let flags = conn.last_ok_packet().map(|ok| ok.status_flags()).unwrap_or(StatusFlags::empty());
        match flags.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT) {
            true => None,
            false => Some("written, but not committed: the server's autocommit is off"),
        }
    }

    /// An answer that came over this connection: by whom, and how long its parts took. What the
    /// connection took counts for its first answer alone.
    pub(crate) fn signed(&mut self, answer: Answer) -> Answer {
        let phases = std::mem::take(&mut self.phases);
        Answer { phases, ..answer }.by(self.who.clone())
    }

    /// Says good-bye, in the background.
    pub(crate) fn close(mut self) {
        if let Some(conn) = self.conn.take() {
            tokio::spawn(async move {
                let _ = tokio::time::timeout(GOODBYE, conn.disconnect()).await;
            });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(conn) = self.conn.take() {
            drop_elsewhere(conn);
        }
    }
}

/// A column as text.
pub(crate) fn column(row: &Row, index: usize) -> Option<String> {
    match row.as_ref(index)? {
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::NULL => None,
        other => Some(other.as_sql(true).trim_matches('\'').to_owned()),
    }
}
