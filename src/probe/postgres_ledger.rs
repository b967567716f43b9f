//! `postgres.ledger`: numbered rows, written through a failover and read back after it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::deadline::within;
use super::ledger::{Attempts, Entries, read_until_stable};
use super::postgres::Dsn;
use super::postgres::session::{Door, Session, certainly_undone, classify};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::record;
use crate::run::event::Reading;
use crate::sample::{Cause, Class};

/// How often, how long and how far apart creating the table is tried.
const PREPARE_TRIES: u32 = 3;
const PREPARE_TRY: Duration = Duration::from_secs(3);
const PREPARE_PAUSE: Duration = Duration::from_millis(300);

record! {
    /// Writes numbered rows into a table of the run's own, each through a connection of its
    /// own, and reads them back from the writer in the end: an acknowledged row that is
    /// missing then is lost data.
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
    timeout: Duration,
    run: String,
    table: String,
    /// Whether the table is this run's alone, so that nothing else may be in it.
    own_table: bool,
    attempts: Attempts,
}

impl PostgresLedgerAsk {
    pub(crate) fn open(ledger: &PostgresLedger, opening: &Opening) -> Result<PostgresLedgerAsk, String> {
        let table = match &ledger.table {
            Some(table) => quoted(table)?,
            None => quoted(&own_name(&opening.run_id))?,
        };
        let connect_timeout = ledger.connect_timeout.min(ledger.timeout);
        Ok(PostgresLedgerAsk {
            door: Door::new(&ledger.dsn, opening.resolver.clone(), connect_timeout)?,
            timeout: ledger.timeout,
            run: opening.run_id.replace('\'', "''"),
            table,
            own_table: ledger.table.is_none(),
            attempts: Attempts::default(),
        })
    }

    /// Writes one row. `sent` is set as soon as the row may have left.
    async fn write(&self, seq: u32, sent: &AtomicBool) -> Result<Session, Trouble> {
        let session = self.door.open().await?;
        let sql = format!("insert into {} (run, seq) values ('{}', {seq})", self.table, self.run);
        sent.store(true, Ordering::SeqCst);
        match session.rows(&sql).await {
            Ok(_) if session.warned() => {
                let text = "acknowledged with a warning: it may not have been replicated";
                Err(Trouble::new(Class::Info, Cause::Protocol, text))
            }
            Ok(_) => Ok(session),
            Err(error) if certainly_undone(&error) => Err(classify(&error)),
            Err(error) => Err(classify(&error).unknown()),
        }
    }

    async fn create(&self) -> Result<(), Trouble> {
        let session = self.door.open().await?;
        let sql = format!(
            "create table if not exists {} (run text not null, seq bigint not null, \
             written_at timestamptz not null default clock_timestamp(), primary key (run, seq))",
            self.table
        );
        session.rows(&sql).await.map_err(|error| classify(&error))?;
        session.close();
        Ok(())
    }

    async fn read(&self) -> Result<Entries, String> {
        let session = self.door.open().await.map_err(|trouble| trouble.detail)?;
        if !session.writable().await.map_err(|trouble| trouble.detail)? {
            return Err("the server that answered is not the writer; only the writer's rows count".to_owned());
        }
        let sql = format!("select run, seq from {}", self.table);
        let rows = session.rows(&sql).await.map_err(|error| classify(&error).detail)?;
        session.close();
        let mut entries = Entries::default();
        let mine = self.run.replace("''", "'");
        for row in rows {
            match (row.first(), row.get(1)) {
                (Some(Some(run)), Some(Some(seq))) if *run == mine => {
                    entries.seqs.push(seq.parse().map_err(|_| format!("`{seq}` is not a row's number"))?);
                }
                _ if self.own_table => entries.foreign += 1,
                _ => {}
            }
        }
        Ok(entries)
    }
}

/// The name of the table of a run: what PostgreSQL takes without a limit of 63 bytes cutting it.
fn own_name(run: &str) -> String {
    let name = run.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    name.collect::<String>().chars().take(50).fold("firedrill_".to_owned(), |mut table, c| {
        table.push(c);
        table
    })
}

fn quoted(table: &str) -> Result<String, String> {
    let parts: Vec<&str> = table.split('.').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.is_empty() || part.len() > 63 || part.contains('\0')) {
        return Err(format!("`{table}` is not a table's name: expected `table` or `schema.table`"));
    }
    let quoted = parts.iter().map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
    Ok(quoted.collect::<Vec<_>>().join("."))
}

#[async_trait]
impl Ask for PostgresLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let left = AtomicBool::new(false);
        let sent = clock.now();
        let outcome = within(self.timeout, clock, self.write(seq, &left)).await;
        let done = clock.now();
        match outcome {
            Ok(Ok(session)) => {
                let answer = session.signed(Answer::good(sent, done, 0));
                session.close();
                answer
            }
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let trouble = Trouble::late(format!("no answer within {} ms", self.timeout.as_millis()));
                let trouble = if left.load(Ordering::SeqCst) { trouble.unknown() } else { trouble };
                trouble.answer(sent, over)
            }
        }
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), String> {
        retried(|| self.create()).await.map_err(|trouble| {
            format!("the ledger's table {} could not be created: {}", self.table, trouble.detail)
        })
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        Some(read_until_stable(clock, &self.attempts, || self.read()).await)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runs_table_has_a_name_that_needs_no_cutting() {
        assert_eq!(own_name("2026-11-21T10-00 Übung"), "firedrill_2026_11_21t10_00__bung");
        assert!(own_name(&"x".repeat(200)).len() <= 63);
    }

    #[test]
    fn a_named_table_is_quoted() {
        assert_eq!(quoted("ops.ledger").as_deref(), Ok("\"ops\".\"ledger\""));
        assert_eq!(quoted("a\"b").as_deref(), Ok("\"a\"\"b\""));
        assert!(quoted("a.b.c").is_err() && quoted("").is_err() && quoted("a.").is_err());
    }
}
