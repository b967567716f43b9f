//! One PostgreSQL connection over a socket of our own, so that its deadline and the cause of its
//! failure are ours too.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{AsyncMessage, Client, Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::Dsn;
use super::bounded::{Allowance, Bounded};
use super::dsn::Verify;
use crate::probe::Answer;
use crate::probe::connect::{Reached, connect};
use crate::probe::resolve::Resolver;
use crate::probe::tcp::Address;
use crate::probe::tls::{self, Trust};
use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class, Phases};

/// How long a good-bye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// How long the answer to a statement may be, in bytes: a row, or a few.
const ANSWER: u64 = 1 << 20;
/// How long the reading of a whole table may be: some millions of rows.
const TABLE: u64 = 256 << 20;

/// How to open sessions with one server.
pub(crate) struct Door {
    config: Config,
    address: Address,
    tls: MakeRustlsConnect,
    resolver: Arc<Resolver>,
    connect_timeout: Duration,
}

impl Door {
    pub(crate) fn new(dsn: &Dsn, resolver: Arc<Resolver>, connect_timeout: Duration) -> Result<Door, String> {
        let trust = match (dsn.tls.verify, &dsn.tls.roots) {
            (Verify::Nothing, _) => Trust::Anybody,
            (Verify::Full, Some(file)) => Trust::File(file),
            (Verify::Full, None) => Trust::System,
        };
        let mut config = dsn.config.clone();
        if config.get_application_name().is_none() {
            config.application_name("firedrill");
        }
        let address = Address { host: dsn.host.clone(), port: dsn.port };
        Ok(Door {
            config,
            address,
            tls: MakeRustlsConnect::new(tls::client(trust)?),
            resolver,
            connect_timeout,
        })
    }

    /// Resolves, connects and logs in.
    pub(crate) async fn open(&self) -> Result<Session, Trouble> {
        let Reached { stream, peer, phases } =
            connect(&self.resolver, &self.address, self.connect_timeout).await?;
        let allowance = Allowance::of(ANSWER);
        let stream = Bounded::new(stream, allowance.clone());
        let made = MakeTlsConnect::<Bounded<tokio::net::TcpStream>>::make_tls_connect(
            &mut self.tls.clone(),
            &self.address.host,
        );
        let Ok(tls) = made;
        let (client, mut connection) =
            self.config.connect_raw(stream, tls).await.map_err(|e| classify(&e))?;
        let warned = Arc::new(AtomicBool::new(false));
        let flag = warned.clone();
        let driving = async move {
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message
                    && notice.parsed_severity().is_none_or(|severity| severity == Severity::Warning)
                {
                    // Stored before the answer that follows it is passed on.
                    flag.store(true, Ordering::SeqCst);
                }
            }
        };
        let driver = Some(tokio::spawn(driving));
        Ok(Session { client: Some(client), driver, allowance, warned, peer, phases })
    }
}

/// An open connection. Dropping it abandons the socket, with no good-bye and no cancel: a cancelled
/// wait for replication would turn into a success.
pub(crate) struct Session {
    client: Option<Client>,
    driver: Option<JoinHandle<()>>,
    allowance: Allowance,
    warned: Arc<AtomicBool>,
    peer: SocketAddr,
    phases: Phases,
}

impl Session {
    /// Runs a statement in one round trip; the rows' columns as text. An answer of over a mebibyte is an error.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        self.ask(sql, ANSWER).await
    }

    /// The same for a statement that reads a table.
    pub(crate) async fn table(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        self.ask(sql, TABLE).await
    }

    async fn ask(&self, sql: &str, most: u64) -> Result<Vec<Vec<Option<String>>>, tokio_postgres::Error> {
        self.allowance.set(most);
        let mut rows = Vec::new();
        if let Some(client) = &self.client {
            for message in client.simple_query(sql).await? {
                if let SimpleQueryMessage::Row(row) = message {
                    rows.push((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect());
                }
            }
        }
        Ok(rows)
    }

    /// Whether the server takes writes: neither a standby nor set to read-only.
    pub(crate) async fn writable(&self) -> Result<bool, Trouble> {
        let rows = self.rows("show transaction_read_only").await.map_err(|error| classify(&error))?;
        let value = rows.first().and_then(|row| row.first()).cloned().flatten();
        match value.as_deref() {
            Some("off") => Ok(true),
            Some("on") => Ok(false),
            other => {
                let text = format!("transaction_read_only is {other:?}, expected on or off");
                Err(Trouble::new(Class::FailFast, Cause::Protocol, text))
            }
        }
    }

    /// An answer that came over this connection: by whom, and how long the connection took.
    pub(crate) fn signed(&self, answer: Answer) -> Answer {
        Answer { phases: self.phases, ..answer }.by(self.peer.to_string())
    }

    /// Whether the server sent a warning: with synchronous replication, that a commit may not
    /// have been replicated.
    pub(crate) fn warned(&self) -> bool {
        self.warned.load(Ordering::SeqCst)
    }

    /// Whoever is at the other end, by its address.
    pub(crate) fn who(&self) -> String {
        self.peer.to_string()
    }

    /// From here on only a new warning counts.
    pub(crate) fn forget_warning(&self) {
        self.warned.store(false, Ordering::SeqCst);
    }

    /// Says good-bye, in the background.
    pub(crate) fn close(mut self) {
        self.client = None;
        if let Some(driver) = self.driver.take() {
            tokio::spawn(async move {
                let abort = driver.abort_handle();
                if tokio::time::timeout(GOODBYE, driver).await.is_err() {
                    abort.abort();
                }
            });
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

/// Why a session or a statement failed.
pub(crate) fn classify(error: &tokio_postgres::Error) -> Trouble {
    if let Some(db) = error.as_db_error() {
        let cause = cause_of(db.code());
        return Trouble::new(Class::FailFast, cause, spoken(db));
    }
    let text = trouble::line(error);
    if trouble::find::<rustls::Error>(error).is_some() {
        return Trouble::new(Class::FailFast, Cause::Tls, text);
    }
    if let Some(io) = trouble::find::<std::io::Error>(error) {
        return Trouble { detail: text, ..Trouble::io(io, "") };
    }
    let cause = match () {
        () if error.is_closed() => Cause::Reset,
        // The kinds have no accessors of their own.
        () if text.starts_with("error performing TLS handshake") => Cause::Tls,
        () if text.starts_with("authentication error") || text.contains("password missing") => Cause::Denied,
        () => Cause::Protocol,
    };
    Trouble::new(Class::FailFast, cause, text)
}

/// An error of the server, in one line.
fn spoken(db: &DbError) -> String {
    format!("{} (SQLSTATE {})", db.message().replace('\n', " "), db.code().code())
}

fn cause_of(code: &SqlState) -> Cause {
    match code.code() {
        "57P01" | "57P02" | "57P03" | "57P05" => Cause::Unavailable,
        "25006" => Cause::ReadOnly,
        "3D000" => Cause::Denied,
        code if code.starts_with("28") => Cause::Denied,
        code if code.starts_with("53") => Cause::Unavailable,
        _ => Cause::Protocol,
    }
}

/// Whether an error after a statement was sent proves that it took no effect.
///
/// A server that ends the session (FATAL, PANIC) may do so after the commit. An ERROR of these
/// classes is raised while the statement runs, and rolls it back. All else stays unknown.
pub(crate) fn certainly_undone(error: &tokio_postgres::Error) -> bool {
    let Some(db) = error.as_db_error() else { return false };
    if db.parsed_severity() != Some(Severity::Error) {
        return matches!(db.code().code(), "57P03" | "53300" | "3D000") || db.code().code().starts_with("28");
    }
    // Class 23 but for 23505: a row that is there already says nothing of who put it there.
    let code = db.code().code();
    let classes = ["0A", "22", "23", "25", "28", "3D", "3F", "42", "53", "55"];
    code != "23505" && classes.iter().any(|class| code.starts_with(class))
}
