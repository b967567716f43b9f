//! Asking over HTTP and judging what comes back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::{Client, Response};

use super::client::{self, Settings, classify};
use super::{Connection, Http, Statuses};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// How much of a body is read.
const MOST_BODY: usize = 1 << 20;

/// An `http` probe, ready to ask.
pub(crate) struct HttpAsk {
    settings: Settings,
    client: Mutex<Client>,
    url: reqwest::Url,
    method: reqwest::Method,
    body: Option<bytes::Bytes>,
    statuses: Statuses,
    expected_headers: Vec<(HeaderName, HeaderValue)>,
    body_contains: Option<String>,
    timeout: Duration,
    slower_than: Option<Duration>,
    drops_connections: bool,
}

impl HttpAsk {
    pub(crate) fn open(http: &Http, opening: &Opening) -> Result<HttpAsk, String> {
        let settings = Settings {
            url: http.url.clone(),
            headers: client::headers(http.headers.as_ref())?,
            tls: http.tls.clone(),
            connect_timeout: http.connect_timeout.min(http.timeout),
            redirects: http.redirects,
            keep: http.connection.first() != Connection::Fresh,
            resolver: opening.resolver.clone(),
        };
        let expect = http.expect.as_ref();
        let expected = client::headers(expect.and_then(|expect| expect.headers.as_ref()))?;
        let statuses = expect.and_then(|expect| expect.status.clone());
        Ok(HttpAsk {
            client: Mutex::new(settings.client()?),
            url: settings.target()?,
            settings,
            method: http.method.0.clone(),
            body: http.body.clone().map(bytes::Bytes::from),
            statuses: statuses.unwrap_or(Statuses(vec![(200, 299)])),
            expected_headers: expected.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            body_contains: expect.and_then(|expect| expect.body_contains.clone()),
            timeout: http.timeout,
            slower_than: http.slower_than,
            drops_connections: http.connection.first() == Connection::Reconnect,
        })
    }

    async fn request(&self, client: &Client) -> Result<u16, Trouble> {
        let mut request = client.request(self.method.clone(), self.url.clone());
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(|error| classify(&error))?;
        self.judge(response).await
    }

    async fn judge(&self, mut response: Response) -> Result<u16, Trouble> {
        let status = response.status().as_u16();
        if !self.statuses.contain(status) {
            let text = format!("status {status}, expected {}", self.statuses);
            let (class, cause) = match status {
                500.. => (Class::FailFast, Cause::ServerError),
                _ => (Class::Wrong, Cause::Status),
            };
            return Err(Trouble::new(class, cause, text).code(status));
        }
        let wrong = |text: String| Trouble::new(Class::Wrong, Cause::Content, text).code(status);
        for (name, expected) in &self.expected_headers {
            let found = response.headers().get_all(name);
            if !found.iter().any(|value| value == expected) {
                let shown = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
                let got = found.iter().map(shown).collect::<Vec<_>>().join(", ");
                let got = if got.is_empty() { "it is missing".to_owned() } else { format!("it is `{got}`") };
                return Err(wrong(format!("header `{name}`: expected `{}`, {got}", shown(expected))));
            }
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error).code(status))? {
            let room = MOST_BODY.saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room.min(chunk.len())).unwrap_or_default());
            if body.len() >= MOST_BODY {
                break;
            }
        }
        match &self.body_contains {
            Some(text) if !holds(&body, text.as_bytes()) => {
                Err(wrong(format!("the body ({} bytes) does not contain `{text}`", body.len())))
            }
            _ => Ok(status),
        }
    }

    fn client(&self) -> Client {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of every connection: the next sample resolves and connects again.
    fn drop_connections(&self) {
        // It could be built before with the same settings, so it can be built now.
        if let Ok(fresh) = self.settings.client() {
            *self.client.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
    }
}

fn holds(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}

#[async_trait]
impl Ask for HttpAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let client = self.client();
        let sent = clock.now();
        let outcome = within(self.timeout, clock, self.request(&client)).await;
        let done = clock.now();
        let answer = match outcome {
            Ok(Ok(status)) => match self.slower_than {
                Some(limit) if done.since(sent) > limit => {
                    let text = format!("{} ms, limit {} ms", done.since(sent).as_millis(), limit.as_millis());
                    Trouble::new(Class::Slow, Cause::Timeout, text).code(status).answer(sent, done)
                }
                _ => Answer::good(sent, done, status),
            },
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("no complete answer within {} ms", self.timeout.as_millis());
                Trouble::late(text).answer(sent, over)
            }
        };
        if self.drops_connections && !answer.class.good() {
            self.drop_connections();
        }
        answer
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }
}
