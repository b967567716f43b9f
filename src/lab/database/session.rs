//! One client's session: its transaction, and its statements from text to result.
//!
//! A transaction keeps its writing statements and executes them again before each further
//! statement and at COMMIT. Nothing is locked between statements, so no client can make
//! another one wait.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use pgwire::api::Type;
use rand::RngExt;
use rusqlite::types::Value;

use super::Shared;
use super::describe::{self, Field};
use super::engine::{Bound, Ran};
use super::fault::SqlFault;
use super::functions::Context;
use super::replication::{Receipt, Seat, State};
use super::settings;
use super::statement::Verb;
use super::token::Token;
use super::translate;
use crate::clock::boottime_ns;

/// A statement that was parsed and described.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) tokens: Vec<Token>,
    pub(super) verb: Verb,
    pub(super) parameters: Vec<Type>,
    pub(super) fields: Vec<Field>,
}

/// What a statement answers.
pub(super) enum Answer {
    Rows { fields: Vec<Field>, rows: Vec<Vec<Value>>, tag: &'static str },
    Done { tag: &'static str, rows: Option<usize> },
    Began,
    Ended { tag: &'static str },
}

enum Transaction {
    None,
    Open { writes: Vec<Bound>, read_only: bool },
    Failed,
}

/// A client's session.
pub(super) struct Session {
    shared: Arc<Shared>,
    pub(super) seat: Seat,
    peer: SocketAddr,
    pub(super) user: String,
    pub(super) database: String,
    pid: i32,
    transaction: Transaction,
    unacknowledged: Vec<Receipt>,
}

impl Session {
    /// A session at a node.
    pub(super) fn new(shared: Arc<Shared>, seat: Seat, peer: SocketAddr) -> Session {
        let pid = rand::rng().random_range(1000..30_000);
        let (user, database) = (String::new(), String::new());
        let (transaction, unacknowledged) = (Transaction::None, Vec::new());
        Session { shared, seat, peer, user, database, pid, transaction, unacknowledged }
    }

    /// Commits whose answer has not gone out yet.
    pub(super) fn unacknowledged(&self) -> &[Receipt] {
        &self.unacknowledged
    }

    /// The answers went out.
    pub(super) fn acknowledged(&mut self) {
        self.unacknowledged.clear();
    }

    /// Describes a statement without executing it.
    pub(super) fn prepare(
        &mut self,
        tokens: Vec<Token>,
        given: &[Option<Type>],
    ) -> Result<Prepared, SqlFault> {
        let prepared = self.described(tokens, given);
        self.failed_if(prepared.is_err());
        prepared
    }

    /// An error fails an open transaction.
    fn failed_if(&mut self, failed: bool) {
        if failed && self.in_transaction() {
            self.transaction = Transaction::Failed;
        }
    }

    fn described(&mut self, tokens: Vec<Token>, given: &[Option<Type>]) -> Result<Prepared, SqlFault> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let verb = self.verb(&tokens)?;
        let context = self.context(&state);
        let member = state.member(self.seat).ok_or_else(SqlFault::terminated)?;
        let catalogue = &member.engine.catalogue;
        let mut parameters = describe::parameters(&tokens, verb, catalogue);
        for (index, ty) in given.iter().enumerate() {
            match (ty, parameters.get_mut(index)) {
                (Some(ty), Some(slot)) if *ty != Type::UNKNOWN => *slot = ty.clone(),
                (ty, None) => parameters.push(ty.clone().unwrap_or(Type::TEXT)),
                _ => {}
            }
        }
        let mut fields = describe::columns(&tokens, verb, catalogue);
        if matches!(verb, Verb::Select | Verb::Insert | Verb::Update | Verb::Delete) {
            let bound = translate::bind(&tokens, verb, Vec::new(), catalogue, &context)?;
            let names = member.engine.check(self.writes(), &bound)?;
            fields = matched(fields, &names);
        }
        Ok(Prepared { tokens, verb, parameters, fields: fields.unwrap_or_default() })
    }

    /// Executes a statement.
    pub(super) fn execute(
        &mut self,
        prepared: &Prepared,
        parameters: Vec<Value>,
    ) -> Result<Answer, SqlFault> {
        let answer = self.dispatch(prepared, parameters);
        self.failed_if(answer.is_err());
        answer
    }

    /// Starts a transaction that the client did not ask for: several statements in one message.
    pub(super) fn begin(&mut self) {
        self.transaction = Transaction::Open { writes: Vec::new(), read_only: false };
    }

    /// Whether a transaction is open, failed or not.
    pub(super) fn in_transaction(&self) -> bool {
        !matches!(self.transaction, Transaction::None)
    }

    /// Ends the transaction and keeps what it wrote.
    pub(super) fn commit(&mut self) -> Result<&'static str, SqlFault> {
        match std::mem::replace(&mut self.transaction, Transaction::None) {
            Transaction::Open { writes, .. } if !writes.is_empty() => {
                self.write(writes)?;
                Ok("COMMIT")
            }
            Transaction::Failed => Ok("ROLLBACK"),
            _ => Ok("COMMIT"),
        }
    }

    /// Ends the transaction and drops what it wrote.
    pub(super) fn roll_back(&mut self) {
        self.transaction = Transaction::None;
    }

    fn verb(&self, tokens: &[Token]) -> Result<Verb, SqlFault> {
        let verb = Verb::of(tokens)?;
        let ends = matches!(verb, Verb::Commit | Verb::Rollback);
        if matches!(self.transaction, Transaction::Failed) && !ends {
            return Err(SqlFault::aborted());
        }
        Ok(verb)
    }

    fn dispatch(&mut self, prepared: &Prepared, parameters: Vec<Value>) -> Result<Answer, SqlFault> {
        let verb = self.verb(&prepared.tokens)?;
        // Whatever is asked of a node that is down gets no answer, not even a SHOW.
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.member(self.seat).ok_or_else(SqlFault::terminated)?;
        drop(state);
        let tag = verb.name();
        match verb {
            Verb::Begin => {
                let read_only =
                    prepared.tokens.windows(2).any(|pair| pair[0].is("read") && pair[1].is("only"));
                if !self.in_transaction() {
                    self.transaction = Transaction::Open { writes: Vec::new(), read_only };
                }
                Ok(Answer::Began)
            }
            Verb::Commit => Ok(Answer::Ended { tag: self.commit()? }),
            Verb::Rollback => {
                self.roll_back();
                Ok(Answer::Ended { tag })
            }
            Verb::Set | Verb::Deallocate => {
                let reset = prepared.tokens.first().is_some_and(|token| token.is("reset"));
                Ok(Answer::Done { tag: if reset { "RESET" } else { tag }, rows: None })
            }
            Verb::Show => self.show(prepared),
            verb if verb.writes() => self.written(prepared, parameters),
            _ => self.read(prepared, parameters),
        }
    }

    fn show(&mut self, prepared: &Prepared) -> Result<Answer, SqlFault> {
        let name = describe::setting(&prepared.tokens);
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = matches!(self.transaction, Transaction::Open { read_only: true, .. });
        let read_only = state.in_recovery(self.seat) || (own && name == "transaction_read_only");
        let value = settings::shown(&name, read_only).ok_or_else(|| {
            SqlFault::new("42704", format!("unrecognized configuration parameter \"{name}\""))
        })?;
        Ok(Answer::Rows {
            fields: vec![Field::text(&name)],
            rows: vec![vec![Value::Text(value)]],
            tag: "SHOW",
        })
    }

    fn read(&mut self, prepared: &Prepared, parameters: Vec<Value>) -> Result<Answer, SqlFault> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let context = self.context(&state);
        let member = state.member(self.seat).ok_or_else(SqlFault::terminated)?;
        let catalogue = &member.engine.catalogue;
        let bound = translate::bind(&prepared.tokens, prepared.verb, parameters, catalogue, &context)?;
        let ran = member.engine.attempt(self.writes(), &bound)?;
        Ok(rows(prepared, ran))
    }

    fn written(&mut self, prepared: &Prepared, parameters: Vec<Value>) -> Result<Answer, SqlFault> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let verb = prepared.verb;
        let read_only = matches!(self.transaction, Transaction::Open { read_only: true, .. });
        if read_only || state.in_recovery(self.seat) {
            state.member(self.seat).ok_or_else(SqlFault::terminated)?;
            return Err(SqlFault::read_only(verb.name()));
        }
        let mut context = self.context(&state);
        context.xid = state.next_xid(self.seat.database);
        let member = state.member(self.seat).ok_or_else(SqlFault::terminated)?;
        let bound = translate::bind(&prepared.tokens, verb, parameters, &member.engine.catalogue, &context)?;
        let ran = if let Transaction::Open { writes, .. } = &mut self.transaction {
            let ran = member.engine.attempt(writes, &bound)?;
            writes.push(bound);
            ran
        } else {
            let (ran, receipt) = state.commit(self.seat, vec![bound], boottime_ns())?;
            self.unacknowledged.extend(receipt);
            shared.changed.notify_waiters();
            ran
        };
        Ok(rows(prepared, ran))
    }

    fn write(&mut self, writes: Vec<Bound>) -> Result<(), SqlFault> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.in_recovery(self.seat) {
            return Err(SqlFault::read_only("COMMIT"));
        }
        let (_, receipt) = state.commit(self.seat, writes, boottime_ns())?;
        self.unacknowledged.extend(receipt);
        self.shared.changed.notify_waiters();
        Ok(())
    }

    fn writes(&self) -> &[Bound] {
        match &self.transaction {
            Transaction::Open { writes, .. } => writes,
            _ => &[],
        }
    }

    fn context(&self, state: &State) -> Context {
        let database = &state.databases[self.seat.database];
        let member = &database.members[self.seat.member];
        let clock = &self.shared.clock;
        let micros = |ns: u64| clock.wall(clock.moment(ns)).as_microsecond();
        Context {
            now: micros(boottime_ns()),
            started: micros(member.started_ns),
            address: member.address,
            peer: self.peer,
            user: self.user.clone(),
            database: self.database.clone(),
            pid: self.pid,
            in_recovery: state.in_recovery(self.seat),
            xid: 0,
            lsn: database.position(),
            random: rand::rng().random(),
        }
    }
}

/// The described columns if they are as many as the executed ones; else columns of text.
fn matched(fields: Option<Vec<Field>>, names: &[String]) -> Option<Vec<Field>> {
    match fields {
        Some(fields) if fields.len() == names.len() => Some(fields),
        _ => Some(names.iter().map(|name| Field::text(name)).collect()),
    }
}

fn rows(prepared: &Prepared, ran: Ran) -> Answer {
    let verb = prepared.verb;
    if verb == Verb::Select || !ran.columns.is_empty() {
        let tag = if verb == Verb::Insert { "INSERT 0" } else { verb.name() };
        let fields = matched(Some(prepared.fields.clone()), &ran.columns).unwrap_or_default();
        return Answer::Rows { fields, rows: ran.rows, tag };
    }
    Answer::Done { tag: verb.name(), rows: verb.counts().then_some(ran.written) }
}
