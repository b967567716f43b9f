//! One connection to Redis over a socket of our own, so that its deadline and the cause of its
//! failure are ours too.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Dsn;
use super::dsn::{Login, Place};
use super::reply::{Reply, command, parse};
use crate::probe::Answer;
use crate::probe::connect::{Reached, connect, micros};
use crate::probe::resolve::Resolver;
use crate::probe::tcp::Address;
use crate::probe::tls::{self, Trust};
use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class, Phases};

/// How to open sessions with one server, or with whichever is the master.
pub(crate) struct Door {
    place: Place,
    login: Login,
    database: u32,
    tls: Option<TlsConnector>,
    resolver: Arc<Resolver>,
    connect_timeout: Duration,
}

/// An open connection. Dropping it abandons the socket.
pub(crate) struct Session {
    wire: Wire,
    /// What came after the last reply.
    unread: Vec<u8>,
    who: Arc<str>,
    /// Of the connection until it has answered once, then of the last exchange alone.
    phases: Phases,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

impl Wire {
    fn duplex(&mut self) -> &mut dyn Duplex {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.as_mut(),
        }
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.get_ref().0,
        }
    }
}

impl Door {
    pub(crate) fn new(dsn: &Dsn, resolver: Arc<Resolver>, connect_timeout: Duration) -> Result<Door, String> {
        let tls = dsn.tls.as_ref().map(|mode| {
            let trust = match (mode.insecure, &mode.roots) {
                (true, _) => Trust::Anybody,
                (false, Some(file)) => Trust::File(file),
                (false, None) => Trust::System,
            };
            tls::client(trust).map(|client| TlsConnector::from(Arc::new(client)))
        });
        Ok(Door {
            place: dsn.place.clone(),
            login: dsn.login.clone(),
            database: dsn.database,
            tls: tls.transpose()?,
            resolver,
            connect_timeout,
        })
    }

    /// Finds the server, connects and logs in.
    pub(crate) async fn open(&self) -> Result<Session, Trouble> {
        let begun = Instant::now();
        let until = begun + self.connect_timeout;
        let (address, finding) = match &self.place {
            Place::Server(address) => (address.clone(), 0),
            Place::Sentinels { addresses, master, login } => {
                let address = self.find(addresses, master, login, until).await?;
                // To this client the sentinels are what a name server is to others.
                (address, micros(begun))
            }
        };
        let mut session = self.connect(&address, until.duration_since(Instant::now())).await?;
        session.phases.dns = session.phases.dns.saturating_add(finding);
        session.log_in(&self.login, self.database).await?;
        Ok(session)
    }

    /// Where the sentinels say the master is: the word of the first one that has one.
    async fn find(
        &self,
        sentinels: &[Address],
        master: &str,
        login: &Login,
        until: Instant,
    ) -> Result<Address, Trouble> {
        let mut last = Trouble::new(Class::FailFast, Cause::Dns, "there is no sentinel to ask");
        for (index, sentinel) in sentinels.iter().enumerate() {
            // A silent sentinel may not use up the time of the others and of the master.
            let share = until.duration_since(Instant::now()) / (sentinels.len() - index + 1) as u32;
            let asking = async {
                let mut session = self.connect(sentinel, share).await?;
                session.log_in(login, 0).await?;
                let question = ["SENTINEL", "get-master-addr-by-name", master];
                let replies = session.exchange(&[&question]).await?;
                named(replies.first(), master, sentinel)
            };
            match tokio::time::timeout(share, asking).await {
                Ok(Ok(address)) => return Ok(address),
                Ok(Err(trouble)) => {
                    last = Trouble { detail: format!("sentinel {sentinel}: {}", trouble.detail), ..trouble };
                }
                Err(_) => {
                    let text = format!("sentinel {sentinel}: no answer within {} ms", share.as_millis());
                    last = Trouble::connect_late(text);
                }
            }
        }
        Err(last)
    }

    async fn connect(&self, address: &Address, budget: Duration) -> Result<Session, Trouble> {
        let Reached { stream, peer, mut phases } = connect(&self.resolver, address, budget).await?;
        let wire = match &self.tls {
            None => Wire::Plain(stream),
            Some(connector) => {
                let begun = Instant::now();
                let name = ServerName::try_from(address.host.clone()).map_err(|error| {
                    Trouble::new(Class::FailFast, Cause::Tls, format!("`{}`: {error}", address.host))
                })?;
                let secured = connector.connect(name, stream).await.map_err(|error| secure(&error))?;
                phases.tls = micros(begun);
                Wire::Tls(Box::new(secured))
            }
        };
        Ok(Session { wire, unread: Vec::new(), who: named_after(peer), phases })
    }
}

fn named_after(peer: SocketAddr) -> Arc<str> {
    peer.to_string().into()
}

fn secure(error: &std::io::Error) -> Trouble {
    let trouble = Trouble::io(error, "TLS handshake");
    match trouble.class {
        Class::Void | Class::Timeout => trouble,
        _ => Trouble {
            cause: Cause::Tls,
            detail: format!("TLS handshake: {}", trouble::line(error)),
            ..trouble
        },
    }
}

/// A sentinel's answer as an address.
fn named(reply: Option<&Reply>, master: &str, sentinel: &Address) -> Result<Address, Trouble> {
    match reply {
        Some(Reply::Error(text)) => Err(classify(text)),
        Some(Reply::List(parts)) if !parts.is_empty() => {
            let host = parts.first().and_then(Reply::text);
            let port = parts.get(1).and_then(Reply::text).and_then(|port| port.parse().ok());
            host.zip(port).map(|(host, port)| Address { host, port }).ok_or_else(|| {
                Trouble::new(Class::FailFast, Cause::Protocol, "its answer is not an address and a port")
            })
        }
        _ => {
            let text = format!("{sentinel} knows no master `{master}`");
            Err(Trouble::new(Class::FailFast, Cause::Dns, text))
        }
    }
}

impl Session {
    async fn log_in(&mut self, login: &Login, database: u32) -> Result<(), Trouble> {
        let number = database.to_string();
        let mut commands: Vec<Vec<&str>> = Vec::new();
        match (&login.user, &login.password) {
            (Some(user), Some(password)) => commands.push(vec!["AUTH", user, password]),
            (None, Some(password)) => commands.push(vec!["AUTH", password]),
            _ => {}
        }
        if database != 0 {
            commands.push(vec!["SELECT", &number]);
        }
        commands.push(vec!["INFO", "server"]);
        let commands: Vec<&[&str]> = commands.iter().map(Vec::as_slice).collect();
        let replies = self.exchange(&commands).await?;
        let Some((info, before)) = replies.split_last() else { return Ok(()) };
        for reply in before {
            if let Reply::Error(text) = reply {
                return Err(classify(text));
            }
        }
        match info {
            // A user without this right, or a proxy: then the address must do.
            Reply::Error(text) if text.starts_with("NOPERM") || text.starts_with("ERR unknown command") => {}
            Reply::Error(text) => return Err(classify(text)),
            other => {
                let text = other.text().unwrap_or_default();
                if let Some(id) = text.lines().find_map(|line| line.strip_prefix("run_id:")) {
                    self.who = id.trim().into();
                }
            }
        }
        Ok(())
    }

    /// Sends the commands in one go and waits for all their replies.
    pub(crate) async fn exchange(&mut self, commands: &[&[&str]]) -> Result<Vec<Reply>, Trouble> {
        let mut bytes = Vec::new();
        for words in commands {
            command(words, &mut bytes);
        }
        let begun = Instant::now();
        let written = async {
            self.wire.duplex().write_all(&bytes).await?;
            self.wire.duplex().flush().await
        };
        if let Err(error) = written.await {
            // What the server said before it hung up says more than the broken pipe.
            let _ = self.wire.duplex().read_buf(&mut self.unread).await;
            if let Ok(Some((Reply::Error(text), _))) = parse(&self.unread) {
                return Err(classify(&text));
            }
            return Err(Trouble::io(&error, "write"));
        }
        let mut replies = Vec::with_capacity(commands.len());
        while replies.len() < commands.len() {
            let protocol = |why| Trouble::new(Class::FailFast, Cause::Protocol, why);
            if let Some((reply, length)) = parse(&self.unread).map_err(protocol)? {
                self.unread.drain(..length);
                replies.push(reply);
                continue;
            }
            let count = self.wire.duplex().read_buf(&mut self.unread).await;
            if replies.is_empty() && self.unread.len() == *count.as_ref().unwrap_or(&0) {
                self.phases.first_byte = micros(begun);
            }
            let ended = match count {
                Ok(0) => Trouble::new(Class::FailFast, Cause::Reset, "closed before the answer"),
                Ok(_) => continue,
                Err(error) => Trouble::io(&error, "read"),
            };
            // A server that turns a connection away says so unasked, and hangs up.
            return Err(match replies.first() {
                Some(Reply::Error(text)) => classify(text),
                _ => ended,
            });
        }
        Ok(replies)
    }

    /// Whether the server is known to have hung up.
    pub(crate) async fn is_closed(&self) -> bool {
        let mut byte = [0];
        let looking = self.wire.socket().peek(&mut byte);
        matches!(tokio::time::timeout(Duration::ZERO, looking).await, Ok(Ok(0) | Err(_)))
    }

    /// Whether the server says that it is the master.
    pub(crate) async fn is_master(&mut self) -> Result<bool, Trouble> {
        let replies = self.exchange(&[&["ROLE"]]).await?;
        match replies.first() {
            Some(Reply::Error(text)) => Err(classify(text)),
            reply => Ok(reply.and_then(role).as_deref() == Some("master")),
        }
    }

    /// An answer that came over this connection: by whom, and how long its parts took. What the
    /// connection took counts for its first answer alone.
    pub(crate) fn signed(&mut self, answer: Answer) -> Answer {
        let phases = std::mem::take(&mut self.phases);
        Answer { phases, ..answer }.by(self.who.clone())
    }
}

/// The role in an answer to `ROLE`: `master`, `slave` or `sentinel`.
pub(crate) fn role(reply: &Reply) -> Option<String> {
    reply.list().first().and_then(Reply::text)
}

/// What an error of the server means.
pub(crate) fn classify(text: &str) -> Trouble {
    let code = text.split(' ').next().unwrap_or_default();
    let cause = match code {
        "READONLY" => Cause::ReadOnly,
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" | "TRYAGAIN" | "BUSY" | "OOM" | "MISCONF" | "NOREPLICAS" => {
            Cause::Unavailable
        }
        "NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED" => Cause::Denied,
        "ERR" if text.contains("max number of clients") => Cause::Unavailable,
        "ERR" if text.contains("invalid password") || text.contains("AUTH") => Cause::Denied,
        _ => Cause::Protocol,
    };
    Trouble::new(Class::FailFast, cause, text.replace(['\r', '\n'], " "))
}

/// Whether an error proves that the command it answers took no effect: the server turned it away
/// before it ran. All else stays unknown.
pub(crate) fn certainly_undone(text: &str) -> bool {
    let code = text.split(' ').next().unwrap_or_default();
    let refused = [
        "LOADING",
        "READONLY",
        "MASTERDOWN",
        "CLUSTERDOWN",
        "MOVED",
        "ASK",
        "TRYAGAIN",
        "NOAUTH",
        "NOPERM",
        "DENIED",
        "OOM",
        "MISCONF",
        "NOREPLICAS",
        "BUSY",
        "WRONGTYPE",
    ];
    refused.contains(&code)
        || (code == "ERR" && (text.contains("unknown command") || text.contains("max number of clients")))
}
