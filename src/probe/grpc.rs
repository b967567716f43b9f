//! `grpc`: the health check that gRPC servers offer.

use std::time::Duration;

use indexmap::IndexMap;

use super::http::{Connection, Tls};
use super::tcp::Address;
use crate::notation::units;
use crate::record;

pub(crate) mod ask;
mod channel;
mod message;
mod status;

record! {
    /// Calls `grpc.health.v1.Health/Check` over HTTP/2; good when the service is `SERVING`. Any
    /// other status is bad: `NOT_SERVING` is a failure, an unknown service a wrong answer.
    pub struct Grpc {
        /// Where to connect: `host:port`.
        pub address: Address,
        /// The service that is asked about, as its server knows it; none asks about the server as a whole.
        pub service: Option<String>,
        /// Speaks TLS, with ALPN `h2`, and how the certificate is checked; `{}` trusts as the system does.
        pub tls: Option<Tls>,
        /// Metadata to send, by name, such as a token.
        pub metadata: Option<IndexMap<String, String>>,
        /// How long the connection may take, the name's resolution included. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long the TLS handshake may take after that.
        pub tls_timeout: Duration = Duration::from_secs(1),
        /// How long all of it may take. The server is told, as `grpc-timeout`.
        pub timeout: Duration = Duration::from_secs(2),
        /// A good answer that takes longer than this counts as slow, and so as bad.
        pub slower_than: Option<Duration>,
        /// Which client the probe stands for: `fresh` resolves and connects every time, `kept` goes on with its
        /// connection as long as it lives, `reconnect` drops it after any bad answer.
        pub connection: Connection = Connection::Fresh,
    }
}

impl Grpc {
    /// One line for people: `gRPC health of shop.Checkout at shop.test:50051`.
    pub fn summary(&self) -> String {
        let what = self.service.as_deref().filter(|name| !name.is_empty()).unwrap_or("the server");
        let mut line = format!("gRPC health of {what} at {}", self.address);
        if self.tls.is_some() {
            line.push_str(" over TLS");
        }
        if let Some(limit) = self.slower_than {
            line.push_str(&format!(", within {}", units::show(limit)));
        }
        if self.connection != Connection::Fresh {
            line.push_str(&format!(" ({} connection)", self.connection.word()));
        }
        line
    }
}

#[cfg(test)]
mod tests;
