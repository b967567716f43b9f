//! The lab's databases: PostgreSQL's protocol over SQLite in memory, with synchronous standbys,
//! asynchronous replicas, crashes and promotions, and an exact account of what was lost.
//!
//! - `token`, `statement`, `translate`, `describe`, `types`, `functions`, `settings`: the part of
//!   PostgreSQL's language that ledgers and probes need;
//! - `engine`: one copy of a database; `replication`: the copies, the log and the losses;
//! - `session`, `handlers`, `client`, `server`: a client's way in.
//!
//! It knows nothing of RDS: names, statuses, events and timings are its callers'.

mod client;
mod describe;
mod engine;
mod fault;
mod functions;
mod handlers;
mod replication;
mod server;
mod session;
mod settings;
mod statement;
#[cfg(test)]
mod tests;
mod token;
mod translate;
mod types;

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

pub(crate) use self::fault::SqlFault;
pub(crate) use self::replication::{DatabaseId, Loss, Phase};
pub(crate) use self::server::PORT;

use self::replication::{Next, Seat, State};
use self::server::Server;
use crate::clock::{Clock, boottime_ns};

/// The one login of a lab's databases.
#[derive(Clone)]
pub(crate) struct Credentials {
    /// The user's name.
    pub(crate) user: String,
    /// The password, in the clear.
    pub(crate) password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// What every connection of a lab's databases shares.
struct Shared {
    state: Mutex<State>,
    /// A commit, a change of phase, of lag or of roles.
    changed: Notify,
    credentials: Credentials,
    commit_delay: Duration,
    clock: Clock,
}

/// All databases of a lab; a clone is the same databases.
#[derive(Clone)]
pub(crate) struct Databases {
    shared: Arc<Shared>,
    servers: Arc<Mutex<BTreeMap<(DatabaseId, usize), Server>>>,
}

impl Databases {
    /// No databases yet. A commit is answered `commit_delay` after it was made.
    pub(crate) fn new(credentials: Credentials, commit_delay: Duration) -> Databases {
        let state = Mutex::new(State::default());
        let (changed, clock) = (Notify::new(), Clock::start());
        let shared = Arc::new(Shared { state, changed, credentials, commit_delay, clock });
        Databases { shared, servers: Arc::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new, empty database with a copy at each address, all of them down; commits reach every
    /// copy before they are acknowledged. The first is the writer.
    pub(crate) fn add(&self, name: &str, addresses: &[Ipv4Addr]) -> Result<DatabaseId, SqlFault> {
        self.state().add(name, addresses)
    }

    /// Makes `replica` an asynchronous replica of `source`, `lag` behind. Both are still empty.
    pub(crate) fn follow(&self, replica: DatabaseId, source: DatabaseId, lag: Duration) {
        self.state().follow(replica, source, lag);
        let shared = Arc::clone(&self.shared);
        tokio::spawn(replicate(shared, replica));
    }

    /// Starts a node: it listens, and serves or (with [`Phase::Starting`]) refuses with 57P03.
    /// Gives the instant from which it listened.
    pub(crate) async fn start(&self, id: DatabaseId, member: usize, phase: Phase) -> io::Result<u64> {
        let (seat, address) = {
            let mut state = self.state();
            let node = &mut state.databases[id].members[member];
            node.incarnation += 1;
            (Seat { database: id, member, incarnation: node.incarnation }, node.address)
        };
        self.set_phase(id, member, phase);
        match Server::start(Arc::clone(&self.shared), seat, address).await {
            Ok(server) => {
                let now = boottime_ns();
                self.servers.lock().unwrap_or_else(PoisonError::into_inner).insert((id, member), server);
                Ok(now)
            }
            Err(error) => {
                self.set_phase(id, member, Phase::Down);
                Err(error)
            }
        }
    }

    /// Changes what a listening node does with its clients.
    pub(crate) fn set_phase(&self, id: DatabaseId, member: usize, phase: Phase) -> u64 {
        let mut state = self.state();
        let node = &mut state.databases[id].members[member];
        node.phase = phase;
        let now = boottime_ns();
        if phase == Phase::Open {
            node.started_ns = now;
        }
        drop(state);
        self.shared.changed.notify_waiters();
        now
    }

    /// Stops a node: from the instant that this gives (`CLOCK_BOOTTIME`) no commit is made or
    /// answered; when it returns, the listener and all connections are closed.
    pub(crate) async fn stop(&self, id: DatabaseId, member: usize, politely: bool) -> u64 {
        let now = self.set_phase(id, member, Phase::Down);
        let server = self.servers.lock().unwrap_or_else(PoisonError::into_inner).remove(&(id, member));
        if let Some(server) = server {
            server.stop(politely).await;
        }
        now
    }

    /// Makes `member` the writer, or nobody.
    pub(crate) fn set_writer(&self, id: DatabaseId, member: Option<usize>) {
        self.state().databases[id].writer = member;
        self.shared.changed.notify_waiters();
    }

    /// The writer.
    pub(crate) fn writer(&self, id: DatabaseId) -> Option<usize> {
        self.state().databases[id].writer
    }

    /// A node's address.
    pub(crate) fn address(&self, id: DatabaseId, member: usize) -> Ipv4Addr {
        self.state().databases[id].members[member].address
    }

    /// A node leaves the synchronous members.
    pub(crate) fn drop_out(&self, id: DatabaseId, member: usize) {
        self.state().drop_out(id, member);
    }

    /// A node catches up and is synchronous again.
    pub(crate) fn rejoin(&self, id: DatabaseId, member: usize) -> bool {
        self.state().rejoin(id, member)
    }

    /// Whether a node has every acknowledged commit.
    pub(crate) fn synchronous(&self, id: DatabaseId, member: usize) -> bool {
        self.state().synchronous(id, member)
    }

    /// Sets how far a replica is behind.
    pub(crate) fn set_lag(&self, replica: DatabaseId, lag: Duration) {
        if let Some(follow) = &mut self.state().databases[replica].follows {
            follow.lag = lag;
        }
        self.shared.changed.notify_waiters();
    }

    /// Stops a replica from receiving anything, or lets it go on.
    pub(crate) fn freeze(&self, replica: DatabaseId, frozen: bool) {
        if let Some(follow) = &mut self.state().databases[replica].follows {
            follow.frozen = frozen;
        }
        self.shared.changed.notify_waiters();
    }

    /// Ends a replica's replication for good and counts what it never received. `report` is told
    /// the count, and again each time it grows because the old source is still written to.
    pub(crate) fn sever(&self, replica: DatabaseId, report: impl Fn(&Loss) + Send + 'static) -> Option<Loss> {
        self.state().sever(replica, boottime_ns(), Box::new(report))
    }

    /// Whether a replica receives its source's commits.
    pub(crate) fn replicating(&self, replica: DatabaseId) -> bool {
        self.state().databases[replica].follows.as_ref().is_some_and(|follow| !follow.frozen)
    }
}

/// Keeps one replica `lag` behind its source.
async fn replicate(shared: Arc<Shared>, replica: DatabaseId) {
    loop {
        let changed = shared.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        let now = boottime_ns();
        let next = shared.state.lock().unwrap_or_else(PoisonError::into_inner).ship(replica, now);
        match next {
            Next::Never => return,
            Next::Change => changed.await,
            Next::At(due) => {
                let wait = Duration::from_nanos(due.saturating_sub(now));
                let _ = tokio::time::timeout(wait, changed).await;
            }
        }
    }
}
