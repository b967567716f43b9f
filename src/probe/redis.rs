//! `redis`: a connection, a role check, and perhaps a key. Redis, Valkey and what speaks like them.

use std::time::Duration;

pub use dsn::Dsn;

use super::http::{Connection, Connections};
use crate::{record, words};

pub(crate) mod ask;
mod dsn;
pub(crate) mod reply;
pub(crate) mod session;

record! {
    /// Connects to Redis or Valkey and asks for its role; good when it is the expected one and
    /// the server answers commands. A server that is still loading its data does not.
    pub struct Redis {
        /// Where to connect: `redis://user:password@host:6379/0`, `rediss://…` over TLS (`?ca=FILE`, `?insecure=true`), or
        /// `redis+sentinel://host:26379/mastername`, which asks the sentinels for the master at every new connection.
        pub dsn: Dsn,
        /// Which server must answer: the `master`, a `replica`, or `any`.
        pub role: Role = Role::Master,
        /// A key to look up, which the server must do without an error. It need not be there.
        pub key: Option<String>,
        /// How long the connection may take, the name's resolution and the sentinels included. Keep it below
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

words! {
    /// Which server must answer.
    pub enum Role {
        /// The one that accepts writes.
        "master" => Master,
        /// One that follows a master.
        "replica" => Replica,
        /// Any that answers.
        "any" => Any,
    }
}

impl Redis {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        let mut line = self.dsn.to_string();
        match self.role {
            Role::Master => line.push_str(" is the master"),
            Role::Replica => line.push_str(" is a replica"),
            Role::Any => {}
        }
        if let Some(key) = &self.key {
            line.push_str(&format!(", looks up `{key}`"));
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
