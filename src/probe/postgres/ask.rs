//! Asking PostgreSQL who it is.

use std::time::Duration;

use async_trait::async_trait;

use super::session::{Door, Session, classify};
use super::{Postgres, Role};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// A `postgres` probe, ready to ask.
pub(crate) struct PostgresAsk {
    postgres: Postgres,
    door: Door,
}

impl PostgresAsk {
    pub(crate) fn open(postgres: &Postgres, opening: &Opening) -> Result<PostgresAsk, String> {
        let connect_timeout = postgres.connect_timeout.min(postgres.timeout);
        let door = Door::new(&postgres.dsn, opening.resolver.clone(), connect_timeout)?;
        Ok(PostgresAsk { postgres: postgres.clone(), door })
    }

    async fn session(&self) -> Result<Session, Trouble> {
        let session = self.door.open().await?;
        // Asked of any server: an answer to a statement, not just to a login.
        let writable = session.writable().await?;
        if self.postgres.role == Role::Writer && !writable {
            let text = "it answers, but takes no writes: not the writer";
            return Err(Trouble::new(Class::Wrong, Cause::ReadOnly, text));
        }
        if let Some(query) = &self.postgres.query {
            session.rows(query).await.map_err(|error| classify(&error))?;
        }
        Ok(session)
    }
}

#[async_trait]
impl Ask for PostgresAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = within(self.postgres.timeout, clock, self.session()).await;
        let done = clock.now();
        match outcome {
            Ok(Ok(session)) => {
                let answer = session.signed(Answer::good(sent, done, 0));
                session.close();
                answer
            }
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("no answer within {} ms", self.postgres.timeout.as_millis());
                Trouble::late(text).answer(sent, over)
            }
        }
    }

    fn deadline(&self) -> Duration {
        self.postgres.timeout
    }
}
