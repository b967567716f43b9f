//! `redis.ledger`: numbered entries of a stream, written through a failover and read back after it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::deadline::within;
use super::http::Connection;
use super::kept::Kept;
use super::ledger::{Attempts, Entries, read_until_stable};
use super::redis::Dsn;
use super::redis::ask::enter;
use super::redis::reply::Reply;
use super::redis::session::{Door, Session, certainly_undone, classify};
use super::trouble::Trouble;
use super::{Answer, Ask, Opening};
use crate::clock::Clock;
use crate::journal::IntentSlot;
use crate::record;
use crate::run::event::Reading;
use crate::sample::{Cause, Class};

/// How many entries one read asks for.
const PAGE: usize = 2000;

/// How long the stream may take to be looked at before the run.
const PREPARE: Duration = Duration::from_secs(3);

record! {
    /// Appends numbered entries to a stream of the run's own (`XADD`) and reads them back from the master in the
    /// end (`XRANGE`): an acknowledged entry that is missing then is lost data.
    pub struct RedisLedger {
        /// Where to write: `redis://user:password@host:6379/0`, `rediss://…` over TLS, or `redis+sentinel://host:26379/mastername`.
        pub dsn: Dsn,
        /// The stream's key; without it, `firedrill:` and the run's id.
        pub stream: Option<String>,
        /// Replicas that must have an entry before it counts as written; without it, the master's word is enough.
        pub wait: Option<Wait>,
        /// How long the connection may take, the name's resolution and the sentinels included. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long a write may take before its outcome counts as unknown.
        pub timeout: Duration = Duration::from_secs(2),
        /// Which client the probe stands for: `fresh` resolves and connects every time, `kept` goes on with its
        /// connections as long as they live, `reconnect` drops them after any bad answer.
        pub connection: Connection = Connection::Fresh,
    }
}

record! {
    /// How many replicas must have an entry, and within which time (`WAIT`). An entry that fewer
    /// have is written but not safe: its outcome counts as unknown.
    pub struct Wait {
        /// How many.
        pub replicas: u32,
        /// Within which time.
        pub timeout: Duration = Duration::from_millis(900),
    }
}

impl RedisLedger {
    /// One line for people, without the password.
    pub fn summary(&self) -> String {
        let mut line = match &self.stream {
            Some(stream) => format!("numbered entries into {stream} at {}", self.dsn),
            None => format!("numbered entries at {}", self.dsn),
        };
        if let Some(wait) = &self.wait {
            line.push_str(&format!(", on {} replicas", wait.replicas));
        }
        if self.connection != Connection::Fresh {
            line.push_str(&format!(" ({} connection)", self.connection.word()));
        }
        line
    }
}

/// A `redis.ledger` probe, ready to write.
pub(crate) struct RedisLedgerAsk {
    door: Door,
    kept: Kept<Session>,
    wait: Option<Wait>,
    timeout: Duration,
    run: String,
    stream: String,
    /// Whether the stream is this run's alone, so that nothing else may be in it.
    own_stream: bool,
    attempts: Attempts,
}

impl RedisLedgerAsk {
    pub(crate) fn open(ledger: &RedisLedger, opening: &Opening) -> Result<RedisLedgerAsk, String> {
        if let Some(wait) = &ledger.wait {
            // To Redis, 0 is for ever.
            if wait.timeout < Duration::from_millis(1) || wait.timeout >= ledger.timeout {
                return Err(format!(
                    "a wait of {} ms for replicas does not fit: expected at least 1 ms and less than the timeout of {} ms",
                    wait.timeout.as_millis(),
                    ledger.timeout.as_millis()
                ));
            }
            if wait.replicas == 0 {
                return Err("a wait for 0 replicas waits for nothing: leave `wait` out".to_owned());
            }
        }
        let connect_timeout = ledger.connect_timeout.min(ledger.timeout);
        Ok(RedisLedgerAsk {
            door: Door::new(&ledger.dsn, opening.resolver.clone(), connect_timeout)?,
            kept: Kept::new(ledger.connection),
            wait: ledger.wait.clone(),
            timeout: ledger.timeout,
            run: opening.run_id.clone(),
            stream: ledger.stream.clone().unwrap_or_else(|| format!("firedrill:{}", opening.run_id)),
            own_stream: ledger.stream.is_none(),
            attempts: Attempts::default(),
        })
    }

    /// Writes one entry. `sent` is set as soon as it may have left.
    async fn write(&self, seq: u32, sent: &AtomicBool) -> Result<(Session, Result<(), Trouble>), Trouble> {
        let mut session = enter(&self.door, &self.kept).await?;
        let number = seq.to_string();
        // The server numbers the entries. Numbers of our own would have to grow, and of two writes
        // that are under way at once the second may well come first.
        let add = ["XADD", &self.stream, "*", "run", &self.run, "seq", &number];
        sent.store(true, Ordering::SeqCst);
        let replies = match &self.wait {
            None => session.exchange(&[&add]).await,
            Some(wait) => {
                let (replicas, millis) = (wait.replicas.to_string(), wait.timeout.as_millis().to_string());
                session.exchange(&[&add, &["WAIT", &replicas, &millis]]).await
            }
        };
        let replies = replies.map_err(Trouble::unknown)?;
        Ok((session, self.judge(&replies)))
    }

    fn judge(&self, replies: &[Reply]) -> Result<(), Trouble> {
        let unknown = |text: String| Err(Trouble::new(Class::Info, Cause::Protocol, text));
        match replies.first() {
            Some(Reply::Error(text)) if certainly_undone(text) => return Err(classify(text)),
            Some(Reply::Error(text)) => return Err(classify(text).unknown()),
            Some(Reply::Text(Some(_))) => {}
            other => return unknown(format!("the answer to XADD is no entry's id: {other:?}")),
        }
        let Some(wait) = &self.wait else { return Ok(()) };
        match replies.get(1) {
            Some(Reply::Number(count)) if *count >= i64::from(wait.replicas) => Ok(()),
            Some(Reply::Number(count)) => unknown(format!(
                "acknowledged by the master, but {count} of {} replicas had it within {} ms",
                wait.replicas,
                wait.timeout.as_millis()
            )),
            Some(Reply::Error(text)) => {
                unknown(format!("acknowledged by the master, but the wait failed: {text}"))
            }
            other => unknown(format!("the answer to WAIT is no number: {other:?}")),
        }
    }

    async fn check(&self) -> Result<(), Trouble> {
        let mut session = self.door.open().await?;
        if !session.is_master().await? {
            let text = "the server that answered is not the master";
            return Err(Trouble::new(Class::Wrong, Cause::ReadOnly, text));
        }
        let replies = session.exchange(&[&["TYPE", &self.stream]]).await?;
        match replies.first() {
            Some(Reply::Error(text)) => Err(classify(text)),
            Some(reply) if matches!(reply.text().as_deref(), Some("none" | "stream")) => Ok(()),
            other => {
                let found = other.and_then(Reply::text).unwrap_or_default();
                Err(Trouble::new(Class::Wrong, Cause::Content, format!("there is a {found} at this key")))
            }
        }
    }

    async fn read(&self) -> Result<Entries, String> {
        let mut session = self.door.open().await.map_err(|trouble| trouble.detail)?;
        if !session.is_master().await.map_err(|trouble| trouble.detail)? {
            return Err(
                "the server that answered is not the master; only the master's entries count".to_owned()
            );
        }
        let mut entries = Entries::default();
        let (mut from, count) = ("-".to_owned(), PAGE.to_string());
        loop {
            let question = ["XRANGE", &self.stream, &from, "+", "COUNT", &count];
            let replies = session.exchange(&[&question]).await.map_err(|trouble| trouble.detail)?;
            let page = match replies.first() {
                Some(Reply::List(page)) => page,
                Some(Reply::Error(text)) => return Err(text.clone()),
                other => return Err(format!("the answer to XRANGE is no list: {other:?}")),
            };
            for entry in page {
                self.take(entry, &mut entries)?;
            }
            match page.last().and_then(|entry| entry.list().first()).and_then(Reply::text) {
                Some(last) if page.len() == PAGE => from = after(&last)?,
                _ => return Ok(entries),
            }
        }
    }

    /// Counts one entry: `[id, [field, value, …]]`.
    fn take(&self, entry: &Reply, entries: &mut Entries) -> Result<(), String> {
        let fields = entry.list().get(1).map(Reply::list).unwrap_or_default();
        let value = |name: &str| {
            let pair =
                fields.chunks(2).find(|pair| pair.first().and_then(Reply::text).as_deref() == Some(name));
            pair.and_then(|pair| pair.get(1)).and_then(Reply::text)
        };
        match (value("run"), value("seq")) {
            (Some(run), Some(seq)) if run == self.run => {
                entries.seqs.push(seq.parse().map_err(|_| format!("`{seq}` is not an entry's number"))?);
            }
            _ if self.own_stream => entries.foreign += 1,
            _ => {}
        }
        Ok(())
    }
}

/// The smallest id above this one.
fn after(id: &str) -> Result<String, String> {
    let parts = id.split_once('-').and_then(|(time, number)| Some((time, number.parse::<u64>().ok()?)));
    match parts {
        Some((time, number)) => Ok(format!("{time}-{}", number.saturating_add(1))),
        None => Err(format!("`{id}` is not the id of a stream's entry")),
    }
}

#[async_trait]
impl Ask for RedisLedgerAsk {
    async fn ask(&self, seq: u32, clock: &Clock) -> Answer {
        self.attempts.note(seq);
        let left = AtomicBool::new(false);
        let sent = clock.now();
        let outcome = within(self.timeout, clock, self.write(seq, &left)).await;
        let done = clock.now();
        let (session, answer) = match outcome {
            Ok(Ok((mut session, outcome))) => {
                let answer = match outcome {
                    Ok(()) => Answer::good(sent, done, 0),
                    Err(trouble) => trouble.answer(sent, done),
                };
                let answer = session.signed(answer);
                (Some(session), answer)
            }
            Ok(Err(trouble)) => (None, trouble.answer(sent, done)),
            Err(over) => {
                let trouble = Trouble::late(format!("no answer within {} ms", self.timeout.as_millis()));
                let trouble = if left.load(Ordering::SeqCst) { trouble.unknown() } else { trouble };
                (None, trouble.answer(sent, over))
            }
        };
        drop(self.kept.end(session, answer.class.good()));
        self.attempts.decided(seq, &answer);
        answer
    }

    fn deadline(&self) -> Duration {
        self.timeout
    }

    fn writes(&self) -> bool {
        true
    }

    async fn prepare(&self) -> Result<(), String> {
        let checked = tokio::time::timeout(PREPARE, self.check()).await;
        let checked = checked.unwrap_or_else(|_| Err(Trouble::late("no answer in time")));
        checked.map_err(|trouble| {
            format!("the ledger's stream {} cannot be written: {}", self.stream, trouble.detail)
        })
    }

    fn journal(&self, intents: IntentSlot) {
        self.attempts.journal(intents);
    }

    async fn read_back(&self, clock: &Clock) -> Option<Reading> {
        Some(read_until_stable(clock, &self.attempts, || self.read()).await)
    }
}

#[cfg(test)]
mod tests;
