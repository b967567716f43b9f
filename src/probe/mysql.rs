//! `mysql`: a connection, a role check, and perhaps a query. MySQL, MariaDB and Aurora.

use std::time::Duration;

pub use dsn::Dsn;

use super::http::{Connection, Connections};
pub use super::postgres::Role;
use crate::record;

pub(crate) mod ask;
mod dsn;
pub(crate) mod error;
pub(crate) mod session;

record! {
    /// Connects to MySQL or MariaDB and asks whether it takes writes (`read_only`, `super_read_only`); good when
    /// it is the expected server and the query, if any, succeeds.
    pub struct Mysql {
        /// Where to connect: `mysql://user:password@host:3306/database`. `ssl-mode` and `ssl-ca` are
        /// honoured as MySQL's own client does it.
        pub dsn: Dsn,
        /// Which server must answer: the `writer` accepts writes, `any` may be a replica.
        pub role: Role = Role::Writer,
        /// A query that must succeed too, once the role is right.
        pub query: Option<String>,
        /// How long the connection may take: name, TCP, TLS and login. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long all of it may take.
        pub timeout: Duration = Duration::from_secs(2),
        /// Which client the probe stands for: `fresh` resolves and connects every time, `kept` goes on with its
        /// connections as long as they live, `reconnect` drops them after any bad answer. A list, such as
        /// `[fresh, kept]`, stands for several clients side by side, each measured on its own.
        pub connection: Connections = Connections(vec![Connection::Fresh]),
    }
}

impl Mysql {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        let mut line = self.dsn.to_string();
        if self.role == Role::Writer {
            line.push_str(" is the writer");
        }
        if let Some(query) = &self.query {
            line.push_str(&format!(", answers `{query}`"));
        }
        if self.connection.0 != [Connection::Fresh] {
            let words: Vec<&str> = self.connection.0.iter().map(|one| one.word()).collect();
            line.push_str(&format!(" ({} connection)", words.join(" and ")));
        }
        line
    }
}

#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;
