//! `postgres.ledger`: numbered rows, written through a failover and read back after it.

use std::time::Duration;

use super::postgres::Dsn;
use crate::record;

record! {
    /// Writes numbered rows into a table of the run's own, each through a connection of its own, and reads them back
    /// from the writer in the end: an acknowledged row that is missing then is lost data.
    pub struct PostgresLedger {
        /// Where to write: `postgres://user:password@host:5432/database`. The user must be allowed to create a table.
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
