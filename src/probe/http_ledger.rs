//! `http.ledger`: numbered entries, posted to a service and read back from it.

use std::time::Duration;

use indexmap::IndexMap;

use super::http::{Tls, Url};
use crate::record;

record! {
    /// Posts numbered entries, `{"run": "…", "seq": 7}` with an `Idempotency-Key`, and reads
    /// them back with `GET …?run=…`, which answers `{"seqs": [0, 1, …]}`: an acknowledged entry that is missing then is lost data.
    pub struct HttpLedger {
        /// Where entries are posted and read.
        pub url: Url,
        /// Headers to send, by name.
        pub headers: Option<IndexMap<String, String>>,
        /// How long the connection may take: name, TCP and TLS. Keep it below 1s, when TCP
        /// repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// How the server's certificate is checked.
        pub tls: Option<Tls>,
    }
}

impl HttpLedger {
    /// One line for people: `numbered entries to http://checkout.test/entries`.
    pub fn summary(&self) -> String {
        format!("numbered entries to {}", self.url)
    }
}
