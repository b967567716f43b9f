//! `http.ledger`: numbered entries, posted to a service and read back from it.

use std::time::Duration;

use async_trait::async_trait;
use indexmap::IndexMap;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response};
use serde::Deserialize;

use super::deadline::within;
use super::http::client::{self, Settings, classify};
use super::http::{Statuses, Tls, Url};
use super::ledger::{Attempts, Entries, Glance, glimpse_every, read_until_stable};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::journal::IntentSlot;
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
        /// The statuses that acknowledge a write.
        pub acknowledged: Statuses = Statuses(vec![(200, 299)]),
        /// The statuses that say that this very entry was applied before: something on the way sent it twice.
        pub applied: Statuses = Statuses(vec![(409, 409)]),
        /// The statuses after which the write certainly took no effect; without it 503 and all below 500 but 408.
        /// All others leave it unknown.
        pub refused: Option<Statuses>,
        /// Where entries are read, when it is not where they are posted.
        pub read_url: Option<Url>,
        /// Whether the service can be read at all; without that no loss can be measured.
        pub read_back: bool = true,
        /// How often all is read while the drill goes on, with `from=` for a service that can give less, to find
        /// stale reads; without it never.
        pub reads: Option<Duration>,
        /// From the last failed write to the final read; without it 30s, or 1s in the lab.
        pub settle: Option<Duration>,
        /// Between the repetitions of the final read, three of which must agree; without it 5s, or 500ms in the lab.
        pub read_every: Option<Duration>,
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
    settings: HttpLedger,
    url: reqwest::Url,
    read_url: reqwest::Url,
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
        let url = settings.target()?;
        Ok(HttpLedgerAsk {
            client: settings.client()?,
            settings: ledger.clone(),
            read_url: ledger.read_url.as_ref().map_or_else(|| url.clone(), |url| url.0.clone()),
            url,
            timeout: ledger.timeout,
            run: opening.mark(),
            attempts: Attempts::new(opening.rules(ledger.settle, ledger.read_every)),
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
            Ok(response) => self.outcome(response.status().as_u16()),
            // Nothing is sent before the connection stands.
            Err(error) if error.is_connect() => Err(classify(&error)),
            Err(error) => Err(classify(&error).unknown()),
        }
    }

    /// What a status says of a write: done, certainly not done, or unknown.
    fn outcome(&self, status: u16) -> Result<u16, Trouble> {
        let HttpLedger { acknowledged, applied, refused, .. } = &self.settings;
        if acknowledged.contain(status) || applied.contain(status) {
            return Ok(status);
        }
        let undone = match refused {
            Some(refused) => refused.contain(status),
            // A load balancer with no healthy target passes nothing on.
            None => status == 503 || (status < 500 && status != 408),
        };
        let class = if undone { Class::FailFast } else { Class::Info };
        let cause = if status < 500 { Cause::Status } else { Cause::ServerError };
        Err(Trouble::new(class, cause, format!("status {status} to a write")).code(status))
    }

    async fn read(&self, from: Option<u32>) -> Result<Entries, String> {
        let mut url = self.read_url.clone();
        url.query_pairs_mut().append_pair("run", &self.run);
        if let Some(from) = from {
            url.query_pairs_mut().append_pair("from", &from.to_string());
        }
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
        let answer = match outcome {
            Ok(Ok(status)) => Answer::good(sent, done, status),
            Ok(Err(trouble)) => trouble.answer(sent, done),
            // The connection has a shorter deadline of its own, so the entry may have left.
            Err(over) => {
                let text = format!("no answer within {} ms", self.timeout.as_millis());
                Trouble::late(text).unknown().answer(sent, over)
            }
        };
        self.attempts.decided(seq, &answer);
        answer
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn attend(&self, clock: &Clock) {
        let Some(every) = self.settings.reads.filter(|every| self.settings.read_back && !every.is_zero())
        else {
            return;
        };
        let glance = |from| async move {
            let entries = self.read(Some(from)).await?;
            Ok(Glance { seqs: entries.seqs, who: None })
        };
        glimpse_every(clock, &self.attempts, every, self.timeout, glance).await;
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        if !self.settings.read_back {
            let error = "not measurable: the service has no way to read entries back (`read_back: false`)";
            return Some(Reading {
                done_ns: clock.now(),
                error: Some(error.to_owned()),
                ..Reading::default()
            });
        }
        Some(read_until_stable(clock, &self.attempts, || self.read(None)).await)
    }

    fn read_within(&self) -> Duration {
        self.attempts.rules().all_within()
    }
}

#[cfg(test)]
mod tests;
