//! Databases, their copies and what has reached which copy.
//!
//! One lock guards all of it, so that "committed", "received by the replica" and "acknowledged"
//! have one order. A commit is applied by the writer and by every synchronous member in one
//! critical section; it is *acknowledged* later, in the critical section in which the last byte
//! of its CommandComplete is handed to the kernel. A crash is a critical section too: what was
//! not acknowledged before it never is. Hence the count of lost rows is exact.
//!
//! Nothing here touches a socket.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::engine::{Bound, Engine, Ran};
use super::fault::SqlFault;

/// Which database.
pub(crate) type DatabaseId = usize;

/// A place at a node: a session holds it, and it is void once the node went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) database: DatabaseId,
    pub(super) member: usize,
    pub(super) incarnation: u64,
}

/// What a node does with its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No listener, no connection.
    Down,
    /// Listening, and refusing every session with 57P03.
    Starting,
    /// Serving.
    Open,
}

/// A commit that a client has not been told of yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    position: u64,
    rows: u64,
}

/// One node and its copy of the database.
pub(super) struct Member {
    pub(super) address: Ipv4Addr,
    pub(super) phase: Phase,
    pub(super) incarnation: u64,
    pub(super) started_ns: u64,
    pub(super) engine: Engine,
    /// Receives every commit before it is acknowledged.
    synchronous: bool,
    /// Commits that it did not receive while it was not synchronous.
    missed: Vec<Arc<[Bound]>>,
}

/// A committed transaction.
struct Entry {
    statements: Arc<[Bound]>,
    /// Rows that its INSERTs wrote.
    rows: u64,
    committed_ns: u64,
    acknowledged: bool,
}

/// An asynchronous replica's view of its source.
pub(super) struct Follow {
    pub(super) source: DatabaseId,
    pub(super) lag: Duration,
    pub(super) frozen: bool,
    /// Everything before this position has been applied.
    applied: u64,
}

/// A replica that was promoted: what it never received is lost when it was, or ever is, acknowledged.
struct Severed {
    source: DatabaseId,
    cut: u64,
    loss: Loss,
    report: Report,
}

/// Is told a loss, and again when its count grew.
pub(super) type Report = Box<dyn Fn(&Loss) + Send>;

/// Acknowledged rows that a promoted replica does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loss {
    /// Rows written by acknowledged INSERTs that it never received.
    pub(crate) count: u64,
    /// When it stopped receiving, in nanoseconds of `CLOCK_BOOTTIME`.
    pub(crate) at_ns: u64,
}

/// A database: its nodes and its log.
pub(super) struct Database {
    pub(super) name: String,
    pub(super) members: Vec<Member>,
    /// The member that accepts writes.
    pub(super) writer: Option<usize>,
    pub(super) follows: Option<Follow>,
    log: VecDeque<Entry>,
    /// The position of the log's first entry.
    base: u64,
    xid: u64,
}

impl Database {
    fn end(&self) -> u64 {
        self.base + self.log.len() as u64
    }

    /// The position up to which this database has everything.
    pub(super) fn position(&self) -> u64 {
        self.follows.as_ref().map_or_else(|| self.end(), |follow| follow.applied)
    }

    /// Whether its writer can be written to.
    pub(super) fn writable(&self) -> bool {
        self.writer.is_some_and(|writer| self.members[writer].phase == Phase::Open)
    }
}

/// When a replica should look at its source's log again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At this boot time.
    At(u64),
    /// When something changes.
    Change,
    /// Never: it no longer follows.
    Never,
}

/// All databases of a lab.
#[derive(Default)]
pub(super) struct State {
    pub(super) databases: Vec<Database>,
    severed: Vec<Severed>,
}

impl State {
    /// A new, empty database with a node per address; the first is its writer.
    pub(super) fn add(&mut self, name: &str, addresses: &[Ipv4Addr]) -> Result<DatabaseId, SqlFault> {
        let mut members = Vec::new();
        for address in addresses {
            members.push(Member {
                address: *address,
                phase: Phase::Down,
                incarnation: 0,
                started_ns: 0,
                engine: Engine::new()?,
                synchronous: true,
                missed: Vec::new(),
            });
        }
        let database = Database {
            name: name.to_owned(),
            members,
            writer: Some(0),
            follows: None,
            log: VecDeque::new(),
            base: 0,
            xid: 1000,
        };
        self.databases.push(database);
        Ok(self.databases.len() - 1)
    }

    /// Makes an empty database an asynchronous replica of another empty one.
    pub(super) fn follow(&mut self, replica: DatabaseId, source: DatabaseId, lag: Duration) {
        let applied = self.databases[source].end();
        let database = &mut self.databases[replica];
        database.writer = None;
        database.follows = Some(Follow { source, lag, frozen: false, applied });
    }

    /// The node of a seat, unless it went down since.
    pub(super) fn member(&mut self, seat: Seat) -> Option<&mut Member> {
        let member = self.databases.get_mut(seat.database)?.members.get_mut(seat.member)?;
        (member.phase == Phase::Open && member.incarnation == seat.incarnation).then_some(member)
    }

    /// Whether the seat's node refuses writes.
    pub(super) fn in_recovery(&self, seat: Seat) -> bool {
        self.databases[seat.database].writer != Some(seat.member)
    }

    /// The number of the next transaction.
    pub(super) fn next_xid(&mut self, database: DatabaseId) -> u64 {
        self.databases[database].xid += 1;
        self.databases[database].xid
    }

    /// Commits on the writer and on every synchronous member.
    pub(super) fn commit(
        &mut self,
        seat: Seat,
        statements: Vec<Bound>,
        now: u64,
    ) -> Result<(Ran, Option<Receipt>), SqlFault> {
        let member = self.member(seat).ok_or_else(SqlFault::terminated)?;
        let (ran, rows) = member.engine.commit(&statements)?;
        if statements.iter().all(|statement| statement.texts.is_empty()) {
            return Ok((ran, None));
        }
        let statements: Arc<[Bound]> = statements.into();
        let database = &mut self.databases[seat.database];
        for (index, other) in database.members.iter_mut().enumerate() {
            if index == seat.member {
                continue;
            }
            if other.synchronous {
                // A copy that cannot follow is out, as a standby would be.
                other.synchronous = other.engine.commit(&statements).is_ok();
            } else {
                other.missed.push(Arc::clone(&statements));
            }
        }
        let position = database.end();
        database.log.push_back(Entry { statements, rows, committed_ns: now, acknowledged: false });
        Ok((ran, Some(Receipt { position, rows })))
    }

    /// The last byte of these commits' answers went out to a living client of a living node.
    pub(super) fn acknowledge(&mut self, seat: Seat, receipts: &[Receipt]) {
        for receipt in receipts {
            let database = &mut self.databases[seat.database];
            let index =
                receipt.position.checked_sub(database.base).and_then(|index| usize::try_from(index).ok());
            if let Some(entry) = index.and_then(|index| database.log.get_mut(index)) {
                entry.acknowledged = true;
            }
            for severed in &mut self.severed {
                if severed.source == seat.database && receipt.position >= severed.cut && receipt.rows > 0 {
                    severed.loss.count += receipt.rows;
                    (severed.report)(&severed.loss);
                }
            }
        }
        self.trim(seat.database);
    }

    /// Drops the part of the log that every replica has and whose commits were answered.
    fn trim(&mut self, source: DatabaseId) {
        let followers = self.databases.iter().filter_map(|database| database.follows.as_ref());
        let needed = followers.filter(|follow| follow.source == source).map(|follow| follow.applied).min();
        let database = &mut self.databases[source];
        let needed = needed.unwrap_or_else(|| database.end());
        while database.base < needed && database.log.front().is_some_and(|entry| entry.acknowledged) {
            database.log.pop_front();
            database.base += 1;
        }
    }

    /// Applies what is due on a replica, and says when to look again.
    pub(super) fn ship(&mut self, replica: DatabaseId, now: u64) -> Next {
        loop {
            let Some(follow) = &self.databases[replica].follows else { return Next::Never };
            let source = &self.databases[follow.source];
            let up = self.databases[replica].members.iter().all(|member| member.phase == Phase::Open);
            if follow.frozen || !up || !source.writable() {
                return Next::Change;
            }
            let Some(index) = follow.applied.checked_sub(source.base) else { return Next::Never };
            let entry = usize::try_from(index).ok().and_then(|index| source.log.get(index));
            let Some(entry) = entry else { return Next::Change };
            let lag = u64::try_from(follow.lag.as_nanos()).unwrap_or(u64::MAX);
            let due = entry.committed_ns.saturating_add(lag);
            if due > now {
                return Next::At(due);
            }
            let statements = Arc::clone(&entry.statements);
            let source = follow.source;
            let database = &mut self.databases[replica];
            let applied = database.members.iter_mut().all(|member| member.engine.commit(&statements).is_ok());
            if let Some(follow) = &mut database.follows {
                // A replica that cannot apply stops, as replication does on an error.
                follow.frozen = !applied;
                follow.applied += u64::from(applied);
            }
            self.trim(source);
        }
    }

    /// Cuts a replica from its source for good; what it never received counts as lost from now on.
    pub(super) fn sever(&mut self, replica: DatabaseId, now: u64, report: Report) -> Option<Loss> {
        let follow = self.databases[replica].follows.take()?;
        let source = &self.databases[follow.source];
        let cut = follow.applied;
        let skip = usize::try_from(cut.saturating_sub(source.base)).unwrap_or(usize::MAX);
        let unreceived = source.log.iter().skip(skip).filter(|entry| entry.acknowledged);
        let count = unreceived.map(|entry| entry.rows).sum();
        let loss = Loss { count, at_ns: now };
        report(&loss);
        self.severed.push(Severed { source: follow.source, cut, loss, report });
        let database = &mut self.databases[replica];
        database.base = cut;
        database.log.clear();
        self.trim(follow.source);
        Some(loss)
    }

    /// A member stops receiving commits.
    pub(super) fn drop_out(&mut self, id: DatabaseId, member: usize) {
        self.databases[id].members[member].synchronous = false;
    }

    /// A member receives what it missed, and every commit from now on.
    pub(super) fn rejoin(&mut self, id: DatabaseId, member: usize) -> bool {
        let member = &mut self.databases[id].members[member];
        let missed = std::mem::take(&mut member.missed);
        member.synchronous = missed.iter().all(|statements| member.engine.commit(statements).is_ok());
        member.synchronous
    }

    /// Whether a member has every acknowledged commit.
    pub(super) fn synchronous(&self, id: DatabaseId, member: usize) -> bool {
        self.databases[id].members.get(member).is_some_and(|member| member.synchronous)
    }
}
