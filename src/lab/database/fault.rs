//! An error of the database: a SQLSTATE, a sentence and a hint, and what SQLite's errors are
//! called in PostgreSQL.

use pgwire::error::{ErrorInfo, PgWireError};

/// An error with PostgreSQL's code for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (SQLSTATE {code})")]
pub(crate) struct SqlFault {
    /// SQLSTATE.
    pub(crate) code: &'static str,
    /// PostgreSQL's own wording where it has one.
    pub(crate) message: String,
    /// What to do instead.
    pub(crate) hint: Option<String>,
    /// The session ends with it.
    pub(crate) fatal: bool,
}

impl SqlFault {
    /// An error that the session survives.
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> SqlFault {
        SqlFault { code, message: message.into(), hint: None, fatal: false }
    }

    /// An error that ends the session.
    pub(crate) fn fatal(code: &'static str, message: impl Into<String>) -> SqlFault {
        SqlFault { fatal: true, ..SqlFault::new(code, message) }
    }

    /// The same with advice.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> SqlFault {
        self.hint = Some(hint.into());
        self
    }

    /// 42601 in its own words.
    pub(super) fn syntax(message: &str) -> SqlFault {
        SqlFault::new("42601", message)
    }

    /// 42601 at a token.
    pub(super) fn near(token: &str) -> SqlFault {
        SqlFault::new("42601", format!("syntax error at or near \"{token}\""))
    }

    /// 42601 where something is missing.
    pub(super) fn end_of_input() -> SqlFault {
        SqlFault::syntax("syntax error at end of input")
    }

    /// 0A000: PostgreSQL has it, the lab's database has not.
    pub(super) fn unsupported(what: &str) -> SqlFault {
        SqlFault::new("0A000", format!("{what} is not supported by the lab's database"))
            .hint("the lab speaks the part of PostgreSQL that ledgers and probes need")
    }

    /// 25006 for `command`.
    pub(super) fn read_only(command: &str) -> SqlFault {
        SqlFault::new("25006", format!("cannot execute {command} in a read-only transaction"))
    }

    /// 25P02: the transaction failed before.
    pub(super) fn aborted() -> SqlFault {
        SqlFault::new(
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        )
    }

    /// 57P01: told to leave.
    pub(super) fn terminated() -> SqlFault {
        SqlFault::fatal("57P01", "terminating connection due to administrator command")
    }

    /// 57P03: up, but not yet open.
    pub(super) fn starting() -> SqlFault {
        SqlFault::fatal("57P03", "the database system is starting up")
    }
}

impl From<SqlFault> for ErrorInfo {
    fn from(fault: SqlFault) -> ErrorInfo {
        let severity = if fault.fatal { "FATAL" } else { "ERROR" };
        let mut info = ErrorInfo::new(severity.to_owned(), fault.code.to_owned(), fault.message);
        info.severity_nonlocalized = Some(severity.to_owned());
        info.hint = fault.hint;
        info
    }
}

impl From<SqlFault> for PgWireError {
    fn from(fault: SqlFault) -> PgWireError {
        PgWireError::UserError(Box::new(fault.into()))
    }
}

impl From<rusqlite::Error> for SqlFault {
    fn from(error: rusqlite::Error) -> SqlFault {
        let (extended, message) = match &error {
            rusqlite::Error::SqliteFailure(code, message) => {
                (code.extended_code, message.clone().unwrap_or_else(|| error.to_string()))
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => (error.extended_code, msg.clone()),
            rusqlite::Error::InvalidParameterCount(given, wanted) => {
                let message =
                    format!("bind message supplies {given} parameters, but the statement requires {wanted}");
                return SqlFault::new("08P01", message);
            }
            _ => (0, error.to_string()),
        };
        constraint(extended, &message)
            .or_else(|| missing(&message))
            .unwrap_or_else(|| SqlFault::new("XX000", message))
    }
}

/// SQLite's extended codes of broken constraints.
fn constraint(extended: i32, message: &str) -> Option<SqlFault> {
    let place = message.split_once("constraint failed: ").map_or("", |(_, place)| place);
    let table = place.split('.').next().unwrap_or_default();
    let column = place.split('.').nth(1).unwrap_or_default();
    let (code, text) = match extended {
        rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY | rusqlite::ffi::SQLITE_CONSTRAINT_ROWID => {
            ("23505", format!("duplicate key value violates unique constraint \"{table}_pkey\""))
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => {
            ("23505", format!("duplicate key value violates unique constraint \"{table}_{column}_key\""))
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_NOTNULL => (
            "23502",
            format!("null value in column \"{column}\" of relation \"{table}\" violates not-null constraint"),
        ),
        rusqlite::ffi::SQLITE_CONSTRAINT_CHECK => {
            ("23514", format!("new row violates check constraint \"{place}\""))
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
            ("23503", "insert or update violates foreign key constraint".into())
        }
        rusqlite::ffi::SQLITE_CONSTRAINT_DATATYPE => ("22P02", format!("invalid input syntax: {message}")),
        _ => return None,
    };
    Some(SqlFault::new(code, text))
}

/// SQLite's sentences about things that do not exist or cannot be read.
fn missing(message: &str) -> Option<SqlFault> {
    let after = |mark: &str| message.split_once(mark).map(|(_, rest)| rest.trim().to_owned());
    if let Some(table) = after("no such table: ") {
        return Some(SqlFault::new("42P01", format!("relation \"{table}\" does not exist")));
    }
    if let Some(column) = after("no such column: ").or_else(|| after("has no column named ")) {
        return Some(SqlFault::new("42703", format!("column \"{column}\" does not exist")));
    }
    if let Some(function) = after("no such function: ") {
        let fault = SqlFault::new("42883", format!("function {function} does not exist"));
        return Some(fault.hint("the lab's database knows only the functions that ledgers and probes need"));
    }
    if message.contains("already exists") {
        let name = message.split_whitespace().nth(1).unwrap_or_default().trim_matches('"').to_owned();
        return Some(SqlFault::new("42P07", format!("relation \"{name}\" already exists")));
    }
    if message.contains("syntax error") {
        let token = message.split('"').nth(1).unwrap_or_default();
        return Some(SqlFault::near(token));
    }
    if message.contains("incomplete input") {
        return Some(SqlFault::end_of_input());
    }
    let shape = message.contains("values were supplied")
        || message.contains("values for")
        || message.contains("wrong number of arguments");
    shape.then(|| SqlFault::new("42601", message.to_owned()))
}
