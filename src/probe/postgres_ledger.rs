//! `postgres.ledger`: numbered rows, written through a failover and read back after it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::deadline::within;
use super::http::Connection;
use super::ledger::{Attempts, Glance, glimpse_every, read_until_stable};
use super::postgres::Dsn;
use super::postgres::session::{Door, Session, certainly_undone, classify};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::journal::IntentSlot;
use crate::record;
use crate::run::event::Reading;
use crate::sample::{Cause, Class};

mod old;
mod table;

pub use old::OldPrimary;
use old::Watch;
use table::{Receipt, Table};

/// How often, how long and how far apart creating the table is tried.
const PREPARE_TRIES: u32 = 3;
const PREPARE_TRY: Duration = Duration::from_secs(3);
const PREPARE_PAUSE: Duration = Duration::from_millis(300);
/// How many connections are kept for the writes to come.
const MOST_KEPT: usize = 64;
/// How many writes that were acknowledged with a warning are asked about in the end.
const MOST_WARNED: usize = 1000;

record! {
    /// Writes numbered rows into a table of the run's own and reads them back from the writer in the end:
    /// an acknowledged row that is missing then is lost data. Each row is one statement, committed by
    /// itself, never repeated and never cancelled.
    pub struct PostgresLedger {
        /// Where to write: `postgres://user:password@host:5432/database`. The user must be
        /// allowed to create a table.
        pub dsn: Dsn,
        /// The table to create, perhaps with its schema; without it, `firedrill_` and the run's id.
        pub table: Option<String>,
        /// How long the connection may take, the name's resolution included. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// Which client the writes stand for: `fresh` connects for each, `kept` goes on with its connections as long
        /// as they live, `reconnect` drops them after any bad answer.
        pub connection: Connection = Connection::Fresh,
        /// How often the newest rows are read while the drill goes on, to find stale reads; 0s for never.
        pub reads: Duration = Duration::from_secs(1),
        /// From the last failed write to the final read; without it 30s, or 1s in the lab.
        pub settle: Option<Duration>,
        /// Between the repetitions of the final read, three of which must agree; without it 5s, or 500ms in the lab.
        pub read_every: Option<Duration>,
        /// The server that is the writer before the fault, by an address that stays its own: whether it is
        /// fenced, and what only it still holds in the end.
        pub old_primary: Option<OldPrimary>,
        /// Whether the table is left in place after the run.
        pub keep: bool = true,
    }
}

impl PostgresLedger {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        match &self.table {
            Some(table) => format!("numbered rows into {table} at {}", self.dsn),
            None => format!("numbered rows at {}", self.dsn),
        }
    }
}

/// A `postgres.ledger` probe, ready to write.
pub(crate) struct PostgresLedgerAsk {
    door: Door,
    settings: PostgresLedger,
    table: Table,
    old: Option<Watch>,
    attempts: Attempts,
    /// Whether the server tells its log's position; found out when the table is made.
    tells: AtomicBool,
    idle: Mutex<Vec<Session>>,
    /// Numbers and transactions that were acknowledged with a warning.
    warned: Mutex<Vec<(u32, u64)>>,
}

impl PostgresLedgerAsk {
    pub(crate) fn open(ledger: &PostgresLedger, opening: &Opening) -> Result<PostgresLedgerAsk, String> {
        let table = Table::new(ledger.table.as_deref(), opening)?;
        let connect_timeout = ledger.connect_timeout.min(ledger.timeout);
        let door = |dsn: &Dsn| Door::new(dsn, opening.resolver.clone(), connect_timeout);
        let old = ledger.old_primary.as_ref().map(|old| Watch::new(old, ledger, &table, door)).transpose()?;
        let rules = opening.rules(ledger.settle, ledger.read_every);
        Ok(PostgresLedgerAsk {
            door: door(&ledger.dsn)?,
            settings: ledger.clone(),
            table,
            old,
            attempts: Attempts::new(rules),
            tells: AtomicBool::new(true),
            idle: Mutex::default(),
            warned: Mutex::default(),
        })
    }

    /// A connection to write through.
    async fn session(&self) -> Result<Session, Trouble> {
        let kept = match self.settings.connection {
            Connection::Fresh => None,
            Connection::Kept | Connection::Reconnect => self.idle().pop(),
        };
        match kept {
            Some(session) => {
                session.forget_warning();
                Ok(session)
            }
            None => self.door.open().await,
        }
    }

    /// What becomes of a connection over which a write was acknowledged.
    fn put_back(&self, session: Session) {
        let mut idle = self.idle();
        if self.settings.connection != Connection::Fresh && idle.len() < MOST_KEPT {
            idle.push(session);
        } else {
            session.close();
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one row. `sent` is set as soon as the row may have left.
    async fn write(&self, seq: u32, sent: &AtomicBool) -> Result<(Session, Receipt), Trouble> {
        let session = self.session().await?;
        let sql = self.table.insert(seq, self.tells.load(Ordering::SeqCst));
        sent.store(true, Ordering::SeqCst);
        match session.rows(&sql).await {
            Ok(rows) if session.warned() => {
                let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
                if let (Some(xid), true) = (Receipt::of(&rows).xid, warned.len() < MOST_WARNED) {
                    warned.push((seq, xid));
                }
                let text = "acknowledged with a warning: it may not have been replicated";
                Err(Trouble::new(Class::Info, Cause::Protocol, text))
            }
            Ok(rows) => Ok((session, Receipt::of(&rows))),
            Err(error) if certainly_undone(&error) => {
                let trouble = classify(&error);
                // A refusal costs a kept connection nothing; that is what keeps pools at a demoted writer.
                if self.settings.connection == Connection::Kept && !error.is_closed() {
                    self.put_back(session);
                }
                Err(trouble)
            }
            Err(error) => Err(classify(&error).unknown()),
        }
    }

    /// Makes the table, and finds out what the server tells of each write.
    async fn create(&self) -> Result<(), Trouble> {
        let session = self.door.open().await?;
        session.rows(&self.table.create()).await.map_err(|error| classify(&error))?;
        // Aurora and poolers may know of no log positions: then there are none.
        let told = session.rows(&format!("select {}", table::RECEIPT)).await;
        self.tells.store(told.is_ok(), Ordering::SeqCst);
        session.close();
        Ok(())
    }

    /// The newest rows, by whoever answers: neither the writer nor anybody else is insisted on.
    async fn glance(&self, from: u32) -> Result<Glance, String> {
        let session = self.door.open().await.map_err(|trouble| trouble.detail)?;
        let seqs = self.table.read_from(&session, from).await?;
        let who = session.who();
        session.close();
        Ok(Glance { seqs, who: Some(who) })
    }

    /// What else the writer knows, once the table was read: how far it had followed, what became of the
    /// writes that carried a warning.
    async fn ask_around(&self, reading: &mut Reading) -> Result<(), String> {
        let session = self.door.open().await.map_err(|trouble| trouble.detail)?;
        reading.replayed = table::replayed(&session).await;
        let warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !warned.is_empty() {
            let committed = table::committed(&session, &warned).await;
            let count = warned.len();
            reading.notes.push(match committed {
                Some(committed) => format!(
                    "{count} writes were acknowledged with a warning that they may not have been replicated; \
                     txid_status says that {committed} of them are committed here"
                ),
                None => format!(
                    "{count} writes were acknowledged with a warning that they may not have been replicated"
                ),
            });
        }
        if self.settings.keep {
            reading.kept = Some(self.table.drop());
        } else if self.table.own {
            let dropped = session.rows(&self.table.drop()).await;
            if let Err(error) = dropped {
                let why = classify(&error).detail;
                reading.notes.push(format!("its table could not be dropped: {why}"));
                reading.kept = Some(self.table.drop());
            }
        }
        session.close();
        Ok(())
    }
}

#[async_trait]
impl Ask for PostgresLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let left = AtomicBool::new(false);
        let sent = clock.now();
        let outcome = within(self.settings.timeout, clock, self.write(seq, &left)).await;
        let done = clock.now();
        let answer = match outcome {
            Ok(Ok((session, receipt))) => {
                let answer = session.signed(Answer::good(sent, done, 0));
                let answer = match receipt.who {
                    Some(who) => answer.by(who),
                    None => answer,
                };
                self.put_back(session);
                self.attempts.placed(seq, &answer, receipt.byte);
                return answer;
            }
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("no answer within {} ms", self.settings.timeout.as_millis());
                let trouble = Trouble::late(text);
                let trouble = if left.load(Ordering::SeqCst) { trouble.unknown() } else { trouble };
                trouble.answer(sent, over)
            }
        };
        if self.settings.connection == Connection::Reconnect {
            self.idle().clear();
        }
        self.attempts.decided(seq, &answer);
        answer
    }

    fn deadline(&self) -> Duration {
        self.settings.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), String> {
        retried(|| self.create()).await.map_err(|trouble| {
            format!("the ledger's table {} could not be created: {}", self.table.name, trouble.detail)
        })
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn attend(&self, clock: &Clock) {
        let reads = async {
            if !self.settings.reads.is_zero() {
                let (every, limit) = (self.settings.reads, self.settings.timeout);
                glimpse_every(clock, &self.attempts, every, limit, |from| self.glance(from)).await;
            }
        };
        let looks = async {
            if let Some(old) = &self.old {
                old.look_on(clock, &self.attempts).await;
            }
        };
        tokio::join!(reads, looks);
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        self.idle().clear();
        let mut reading = read_until_stable(clock, &self.attempts, || self.table.read(&self.door)).await;
        if let Some(old) = &self.old {
            reading.old = Some(old.read().await);
        }
        if reading.error.is_none() {
            // Context: that it cannot be had takes nothing from what was read.
            let _ = tokio::time::timeout(Duration::from_secs(5), self.ask_around(&mut reading)).await;
        } else {
            reading.kept = Some(self.table.drop());
        }
        Some(reading)
    }

    fn read_within(&self) -> Duration {
        self.attempts.rules().all_within()
    }
}

/// Tries for a few seconds: what is asked before anything was broken may well be asked again.
async fn retried<F: Future<Output = Result<(), Trouble>>>(attempt: impl Fn() -> F) -> Result<(), Trouble> {
    let mut tries = PREPARE_TRIES;
    loop {
        let outcome = tokio::time::timeout(PREPARE_TRY, attempt()).await;
        let outcome = outcome.unwrap_or_else(|_| Err(Trouble::late("no answer in time")));
        tries -= 1;
        match outcome {
            // Credentials and rights do not come by waiting.
            Err(trouble) if tries > 0 && !matches!(trouble.cause, Cause::Denied | Cause::Protocol) => {
                tokio::time::sleep(PREPARE_PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}
