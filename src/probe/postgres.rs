//! `postgres`: a connection, a role check, and perhaps a query.

use std::time::Duration;

pub use dsn::Dsn;

use crate::{record, words};

pub(crate) mod ask;
mod bounded;
mod dsn;
pub(crate) mod session;

record! {
    /// Connects to PostgreSQL and asks for its role; good when it is the expected one and
    /// the query, if any, succeeds.
    pub struct Postgres {
        /// Where to connect: `postgres://user:password@host:5432/database`. `sslmode` is
        /// honoured as libpq does it.
        pub dsn: Dsn,
        /// Which server must answer: the `writer` accepts writes, `any` may be a standby.
        pub role: Role = Role::Writer,
        /// How long the connection may take, the name's resolution included. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_secs(2),
        /// A query that must succeed too, once the role is right.
        pub query: Option<String>,
    }
}

words! {
    /// Which server must answer.
    pub enum Role {
        /// The one that accepts writes.
        "writer" => Writer,
        /// Any that answers.
        "any" => Any,
    }
}

impl Postgres {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        let mut line = self.dsn.to_string();
        if self.role == Role::Writer {
            line.push_str(" is the writer");
        }
        if let Some(query) = &self.query {
            line.push_str(&format!(", answers `{query}`"));
        }
        line
    }
}
