//! Asking Redis who it is.

use std::time::Duration;

use async_trait::async_trait;

use super::reply::Reply;
use super::session::{Door, Session, classify, role};
use super::{Redis, Role};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::kept::Kept;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// A `redis` probe, ready to ask.
pub(crate) struct RedisAsk {
    redis: Redis,
    door: Door,
    kept: Kept<Session>,
}

impl RedisAsk {
    pub(crate) fn open(redis: &Redis, opening: &Opening) -> Result<RedisAsk, String> {
        let connect_timeout = redis.connect_timeout.min(redis.timeout);
        let door = Door::new(&redis.dsn, opening.resolver.clone(), connect_timeout)?;
        Ok(RedisAsk { redis: redis.clone(), door, kept: Kept::new(redis.connection.first()) })
    }

    /// The session that answered, if it still works, and what its answer was worth.
    async fn look(&self) -> Result<(Session, Result<(), Trouble>), Trouble> {
        let mut session = enter(&self.door, &self.kept).await?;
        // ROLE answers while the data is still being loaded, so that a second command has to say
        // whether the server serves.
        let second: &[&str] = match &self.redis.key {
            Some(key) => &["EXISTS", key],
            None => &["PING"],
        };
        let replies = session.exchange(&[&["ROLE"], second]).await?;
        Ok((session, self.judge(&replies)))
    }

    fn judge(&self, replies: &[Reply]) -> Result<(), Trouble> {
        for reply in replies.iter().rev() {
            if let Reply::Error(text) = reply {
                return Err(classify(text));
            }
        }
        let role = replies.first().and_then(role).unwrap_or_default();
        let wrong = |cause, text: &str| Err(Trouble::new(Class::Wrong, cause, text));
        match (self.redis.role, role.as_str()) {
            (Role::Any, "master" | "slave") | (Role::Master, "master") | (Role::Replica, "slave") => Ok(()),
            (_, "sentinel") => wrong(Cause::Content, "it is a sentinel; write redis+sentinel://…/mastername"),
            (Role::Master, _) => wrong(Cause::ReadOnly, "it answers, but takes no writes: not the master"),
            (Role::Replica, _) => wrong(Cause::Content, "it answers, but it is not a replica"),
            (Role::Any, _) => wrong(Cause::Protocol, "its answer to ROLE names no role"),
        }
    }
}

/// A connection to go on with, or a new one. One that the server has closed meanwhile is none.
pub(crate) async fn enter(door: &Door, kept: &Kept<Session>) -> Result<Session, Trouble> {
    while let Some(session) = kept.take() {
        if !session.is_closed().await {
            return Ok(session);
        }
    }
    door.open().await
}

#[async_trait]
impl Ask for RedisAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = within(self.redis.timeout, clock, self.look()).await;
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
                let text = format!("no answer within {} ms", self.redis.timeout.as_millis());
                (None, Trouble::late(text).answer(sent, over))
            }
        };
        drop(self.kept.end(session, answer.class.good()));
        answer
    }

    fn deadline(&self) -> Duration {
        self.redis.timeout
    }
}
