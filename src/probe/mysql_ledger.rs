//! `mysql.ledger`: numbered rows, written through a failover and read back after it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::deadline::within;
use super::http::Connection;
use super::kept::Kept;
use super::ledger::{Attempts, Entries, read_until_stable};
use super::mysql::Dsn;
use super::mysql::error::{certainly_undone, classify};
use super::mysql::session::{Door, Session, column};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::journal::IntentSlot;
use crate::record;
use crate::run::event::Reading;
use crate::sample::{Cause, Class};

/// How often, how long and how far apart creating the table is tried.
const PREPARE_TRIES: u32 = 3;
const PREPARE_TRY: Duration = Duration::from_secs(3);
const PREPARE_PAUSE: Duration = Duration::from_millis(300);

record! {
    /// Writes numbered rows into a table of the run's own and reads them back from the writer in the end: an
    /// acknowledged row that is missing then is lost data.
    pub struct MysqlLedger {
        /// Where to write: `mysql://user:password@host:3306/database`. The user must be
        /// allowed to create a table.
        pub dsn: Dsn,
        /// The table to create, perhaps with its database; without it, `firedrill_` and the run's id.
        pub table: Option<String>,
        /// How long the connection may take: name, TCP, TLS and login. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// Which client the probe stands for: `fresh` resolves and connects every time, `kept` goes on with its
        /// connections as long as they live, `reconnect` drops them after any bad answer.
        pub connection: Connection = Connection::Fresh,
    }
}

impl MysqlLedger {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        let mut line = match &self.table {
            Some(table) => format!("numbered rows into {table} at {}", self.dsn),
            None => format!("numbered rows at {}", self.dsn),
        };
        if self.connection != Connection::Fresh {
            line.push_str(&format!(" ({} connection)", self.connection.word()));
        }
        line
    }
}

/// A `mysql.ledger` probe, ready to write.
pub(crate) struct MysqlLedgerAsk {
    door: Door,
    kept: Kept<Session>,
    timeout: Duration,
    run: String,
    table: String,
    /// Whether the table is this run's alone, so that nothing else may be in it.
    own_table: bool,
    attempts: Attempts,
}

impl MysqlLedgerAsk {
    pub(crate) fn open(ledger: &MysqlLedger, opening: &Opening) -> Result<MysqlLedgerAsk, String> {
        let table = match &ledger.table {
            Some(table) => quoted(table)?,
            None if ledger.dsn.database.is_none() => {
                return Err("the DSN names no database to create the ledger's table in: expected `…host:3306/database`".to_owned());
            }
            None => quoted(&own_name(&opening.run_id))?,
        };
        let connect_timeout = ledger.connect_timeout.min(ledger.timeout);
        Ok(MysqlLedgerAsk {
            door: Door::new(&ledger.dsn, opening.resolver.clone(), connect_timeout)?,
            kept: Kept::new(ledger.connection),
            timeout: ledger.timeout,
            run: opening.run_id.clone(),
            table,
            own_table: ledger.table.is_none(),
            attempts: Attempts::default(),
        })
    }

    /// Writes one row. `sent` is set as soon as the row may have left.
    async fn write(&self, seq: u32, sent: &AtomicBool) -> Result<(Session, Result<(), Trouble>), Trouble> {
        let mut session = match self.kept.take() {
            Some(session) => session,
            None => self.door.open().await?,
        };
        let sql = format!("insert into {} (run, seq) values ({}, {seq})", self.table, text(&self.run));
        sent.store(true, Ordering::SeqCst);
        match session.rows(&sql).await {
            Ok(_) => {
                let doubt = session.doubt();
                let unknown = |text| Err(Trouble::new(Class::Info, Cause::Protocol, text));
                Ok((session, doubt.map_or(Ok(()), unknown)))
            }
            Err(error) if certainly_undone(&error) => Ok((session, Err(classify(&error)))),
            Err(error) if Session::is_broken(&error) => Err(classify(&error).unknown()),
            Err(error) => Ok((session, Err(classify(&error).unknown()))),
        }
    }

    async fn create(&self) -> Result<(), Trouble> {
        let mut session = self.door.open().await?;
        // A table that was there already is a warning, not an error.
        let sql = format!(
            "create table if not exists {} (run varchar(191) not null, seq bigint not null, \
             written_at timestamp(6) not null default current_timestamp(6), primary key (run, seq)) \
             engine=InnoDB default charset=utf8mb4 collate=utf8mb4_bin",
            self.table
        );
        session.rows(&sql).await.map_err(|error| classify(&error))?;
        session.close();
        Ok(())
    }

    async fn read(&self) -> Result<Entries, String> {
        let mut session = self.door.open().await.map_err(|trouble| trouble.detail)?;
        if !session.writable() {
            return Err("the server that answered is not the writer; only the writer's rows count".to_owned());
        }
        let sql = format!("select run, seq from {}", self.table);
        let rows = session.rows(&sql).await.map_err(|error| classify(&error).detail)?;
        session.close();
        let mut entries = Entries::default();
        for row in rows {
            match (column(&row, 0), column(&row, 1)) {
                (Some(run), Some(seq)) if run == self.run => {
                    entries.seqs.push(seq.parse().map_err(|_| format!("`{seq}` is not a row's number"))?);
                }
                _ if self.own_table => entries.foreign += 1,
                _ => {}
            }
        }
        Ok(entries)
    }

    /// Tries for a few seconds: what is asked before anything was broken may well be asked again.
    async fn created(&self) -> Result<(), Trouble> {
        let mut tries = PREPARE_TRIES;
        loop {
            let outcome = tokio::time::timeout(PREPARE_TRY, self.create()).await;
            let outcome = outcome.unwrap_or_else(|_| Err(Trouble::late("no answer in time")));
            tries -= 1;
            match outcome {
                // Credentials and rights do not come by waiting.
                Err(trouble)
                    if tries > 0
                        && !matches!(trouble.cause, Cause::Denied | Cause::Protocol | Cause::ReadOnly) =>
                {
                    tokio::time::sleep(PREPARE_PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }
}

/// The name of the table of a run: what MySQL takes, whose limit is 64 characters.
fn own_name(run: &str) -> String {
    let name = run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    let name: String = name.take(50).collect();
    format!("firedrill_{name}")
}

fn quoted(table: &str) -> Result<String, String> {
    let parts: Vec<&str> = table.split('.').collect();
    let unfit = |part: &&str| part.is_empty() || part.chars().count() > 64 || part.contains('\0');
    if parts.len() > 2 || parts.iter().any(unfit) {
        return Err(format!("`{table}` is not a table's name: expected `table` or `database.table`"));
    }
    let quoted = parts.iter().map(|part| format!("`{}`", part.replace('`', "``")));
    Ok(quoted.collect::<Vec<_>>().join("."))
}

/// A text as a literal that means the same in every SQL mode.
fn text(text: &str) -> String {
    let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("_utf8mb4 x'{digits}'")
}

#[async_trait]
impl Ask for MysqlLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let left = AtomicBool::new(false);
        let sent = clock.now();
        let outcome = within(self.timeout, clock, self.write(seq, &left)).await;
        let done = clock.now();
        let (session, answer) = match outcome {
            Ok(Ok((mut session, outcome))) => {
                let answer = match outcome {
                    Ok(()) => Answer::good(sent, done, 0),
                    Err(trouble) => trouble.answer(sent, done),
                };
                let answer = session.signed(answer);
                (Some(session), answer)
            }
            Ok(Err(trouble)) => (None, trouble.answer(sent, done)),
            Err(over) => {
                let trouble = Trouble::late(format!("no answer within {} ms", self.timeout.as_millis()));
                let trouble = if left.load(Ordering::SeqCst) { trouble.unknown() } else { trouble };
                (None, trouble.answer(sent, over))
            }
        };
        self.kept.end(session, answer.class.good()).into_iter().for_each(Session::close);
        self.attempts.decided(seq, &answer);
        answer
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), String> {
        self.created().await.map_err(|trouble| {
            format!("the ledger's table {} could not be created: {}", self.table, trouble.detail)
        })
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        Some(read_until_stable(clock, &self.attempts, || self.read()).await)
    }
}

#[cfg(test)]
mod tests;
