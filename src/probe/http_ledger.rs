//! `http.ledger`: numbered entries, posted to a service and read back from it.

use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response};
use serde::Deserialize;

use super::deadline::within;
use super::http::client::{self, Settings, classify};
use super::http::{Tls, Url};
use super::ledger::{Attempts, Entries, read_until_stable};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::record;
use crate::run::event::Reading;
use crate::sample::{Cause, Class};

/// How much of a final read is accepted: some millions of numbers.
const MOST_READ: usize = 64 << 20;

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

/// An `http.ledger` probe, ready to write.
pub(crate) struct HttpLedgerAsk {
    client: Client,
    url: reqwest::Url,
    timeout: Duration,
    run: String,
    attempts: Attempts,
}

/// What a ledger answers to a read.
#[derive(Deserialize)]
struct Stored {
    seqs: Vec<i64>,
}

impl HttpLedgerAsk {
    pub(crate) fn open(ledger: &HttpLedger, opening: &Opening) -> Result<HttpLedgerAsk, String> {
        let settings = Settings {
            url: ledger.url.clone(),
            headers: client::headers(ledger.headers.as_ref())?,
            tls: ledger.tls.clone(),
            connect_timeout: ledger.connect_timeout.min(ledger.timeout),
            redirects: false,
            keep: false,
            resolver: opening.resolver.clone(),
        };
        Ok(HttpLedgerAsk {
            client: settings.client()?,
            url: settings.target()?,
            timeout: ledger.timeout,
            run: opening.run_id.clone(),
            attempts: Attempts::default(),
        })
    }

    async fn write(&self, seq: u32) -> Result<u16, Trouble> {
        let entry = serde_json::json!({ "run": self.run, "seq": seq });
        let request = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", format!("{}-{seq}", self.run))
            .body(entry.to_string());
        match request.send().await {
            Ok(response) => outcome(response.status().as_u16()),
            // Nothing is sent before the connection stands.
            Err(error) if error.is_connect() => Err(classify(&error)),
            Err(error) => Err(classify(&error).unknown()),
        }
    }

    async fn read(&self) -> Result<Entries, String> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("run", &self.run);
        let response = self.client.get(url).send().await.map_err(|error| classify(&error).detail)?;
        match response.status().as_u16() {
            200 => {}
            status => return Err(format!("status {status} to the read, expected 200")),
        }
        let body = whole(response).await?;
        let stored: Stored = serde_json::from_slice(&body)
            .map_err(|error| format!("the read's body is not {{\"seqs\": [0, 1, …]}}: {error}"))?;
        Ok(Entries { seqs: stored.seqs, foreign: 0 })
    }
}

/// What a status says of a write: done, certainly not done, or unknown.
fn outcome(status: u16) -> Result<u16, Trouble> {
    let said =
        |class, cause| Err(Trouble::new(class, cause, format!("status {status} to a write")).code(status));
    match status {
        // 409: this very entry was applied before, so something on the way sent it twice.
        200..=299 | 409 => Ok(status),
        408 => said(Class::Info, Cause::Status),
        // A load balancer with no healthy target passes nothing on.
        503 => said(Class::FailFast, Cause::ServerError),
        500.. => said(Class::Info, Cause::ServerError),
        _ => said(Class::FailFast, Cause::Status),
    }
}

async fn whole(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error).detail)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_READ {
            return Err(format!("the read's body is longer than {} MiB", MOST_READ >> 20));
        }
    }
    Ok(body)
}

#[async_trait]
impl Ask for HttpLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let sent = clock.now();
        let outcome = within(self.timeout, clock, self.write(seq)).await;
        let done = clock.now();
        match outcome {
            Ok(Ok(status)) => Answer::good(sent, done, status),
            Ok(Err(trouble)) => trouble.answer(sent, done),
            // The connection has a shorter deadline of its own, so the entry may have left.
            Err(over) => {
                let text = format!("no answer within {} ms", self.timeout.as_millis());
                Trouble::late(text).unknown().answer(sent, over)
            }
        }
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        Some(read_until_stable(clock, &self.attempts, || self.read()).await)
    }
}

#[cfg(test)]
mod tests;
