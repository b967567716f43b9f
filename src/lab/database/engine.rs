//! One copy of a database: SQLite in memory, and what its tables were declared as.
//!
//! It executes bound statements and knows nothing of sessions, replication or the network.

use std::collections::BTreeMap;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::fault::SqlFault;
use super::statement::{Table, Verb};

/// The tables by name.
pub(super) type Catalogue = BTreeMap<String, Table>;

/// What a statement changes in the catalogue.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Create(Table),
    Drop(Vec<String>),
}

/// A statement that gives the same result on every copy.
#[derive(Clone, Debug)]
pub(super) struct Bound {
    pub(super) verb: Verb,
    /// SQLite's statements, to be executed in order.
    pub(super) texts: Vec<String>,
    pub(super) parameters: Vec<Value>,
    pub(super) change: Option<Change>,
}

/// What a statement gave.
#[derive(Debug, Default)]
pub(super) struct Ran {
    /// The names of the columns, by SQLite.
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<Value>>,
    /// Rows written.
    pub(super) written: usize,
}

/// One copy of a database.
pub(super) struct Engine {
    connection: Connection,
    pub(super) catalogue: Catalogue,
}

impl Engine {
    /// An empty database.
    pub(super) fn new() -> Result<Engine, SqlFault> {
        let connection = Connection::open_in_memory()?;
        // A name in double quotes is a name, never a string.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        Ok(Engine { connection, catalogue: Catalogue::new() })
    }

    /// Executes `statements` as one transaction and commits it; gives the last one's result and
    /// the rows that INSERTs wrote.
    pub(super) fn commit(&mut self, statements: &[Bound]) -> Result<(Ran, u64), SqlFault> {
        self.transaction(statements, "commit")
    }

    /// Executes `before` and then `statement`, keeps nothing, and gives the statement's result.
    pub(super) fn attempt(&mut self, before: &[Bound], statement: &Bound) -> Result<Ran, SqlFault> {
        if before.is_empty() && !statement.verb.writes() {
            return self.run(statement);
        }
        let mut all = before.to_vec();
        all.push(statement.clone());
        self.transaction(&all, "rollback").map(|(ran, _)| ran)
    }

    /// The names of the columns that `statement` gives after `before`; an error if it cannot run.
    pub(super) fn check(&mut self, before: &[Bound], statement: &Bound) -> Result<Vec<String>, SqlFault> {
        let names = |engine: &Engine| -> Result<Vec<String>, SqlFault> {
            let Some(text) = statement.texts.last() else { return Ok(Vec::new()) };
            let prepared = engine.connection.prepare(text)?;
            Ok(prepared.column_names().into_iter().map(str::to_owned).collect())
        };
        if before.is_empty() {
            return names(self);
        }
        let catalogue = self.catalogue.clone();
        self.connection.execute_batch("begin")?;
        let mut found = Ok(Vec::new());
        for earlier in before {
            if let Err(fault) = self.run(earlier) {
                found = Err(fault);
            }
        }
        let found = found.and_then(|_: Vec<String>| names(self));
        self.connection.execute_batch("rollback")?;
        self.catalogue = catalogue;
        found
    }

    fn transaction(&mut self, statements: &[Bound], end: &str) -> Result<(Ran, u64), SqlFault> {
        let catalogue = self.catalogue.clone();
        self.connection.execute_batch("begin")?;
        let mut last = Ran::default();
        let mut inserted = 0;
        let mut outcome = Ok(());
        for statement in statements {
            match self.run(statement) {
                Ok(ran) => {
                    if statement.verb == Verb::Insert {
                        inserted += ran.written as u64;
                    }
                    last = ran;
                }
                Err(fault) => {
                    outcome = Err(fault);
                    break;
                }
            }
        }
        let end = if outcome.is_ok() { end } else { "rollback" };
        let ended = self.connection.execute_batch(end);
        if end == "rollback" || ended.is_err() {
            self.catalogue = catalogue;
        }
        outcome?;
        ended?;
        Ok((last, inserted))
    }

    fn run(&mut self, bound: &Bound) -> Result<Ran, SqlFault> {
        let mut ran = Ran::default();
        for text in &bound.texts {
            let mut statement = self.connection.prepare_cached(text)?;
            if !bound.verb.writes() && !statement.readonly() {
                return Err(SqlFault::unsupported("a writing statement in this place"));
            }
            ran.columns = statement.column_names().into_iter().map(str::to_owned).collect();
            let width = ran.columns.len();
            let mut rows = statement.query(params_from_iter(&bound.parameters))?;
            while let Some(row) = rows.next()? {
                let values: Result<Vec<Value>, _> = (0..width).map(|index| row.get(index)).collect();
                ran.rows.push(values?);
            }
        }
        if bound.verb.writes() && bound.verb.counts() && !bound.texts.is_empty() {
            ran.written = usize::try_from(self.connection.changes()).unwrap_or(usize::MAX);
        }
        match &bound.change {
            Some(Change::Create(table)) => {
                self.catalogue.insert(table.name.clone(), table.clone());
            }
            Some(Change::Drop(names)) => names.iter().for_each(|name| {
                self.catalogue.remove(name);
            }),
            None => {}
        }
        Ok(ran)
    }
}
