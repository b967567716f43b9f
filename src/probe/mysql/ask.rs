//! Asking MySQL who it is.

use std::time::Duration;

use async_trait::async_trait;

use super::error::classify;
use super::session::{Door, Session};
use super::{Mysql, Role};
use crate::clock::Clock;
use crate::probe::deadline::within;
use crate::probe::kept::Kept;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// A `mysql` probe, ready to ask.
pub(crate) struct MysqlAsk {
    mysql: Mysql,
    door: Door,
    kept: Kept<Session>,
}

impl MysqlAsk {
    pub(crate) fn open(mysql: &Mysql, opening: &Opening) -> Result<MysqlAsk, String> {
        let connect_timeout = mysql.connect_timeout.min(mysql.timeout);
        let door = Door::new(&mysql.dsn, opening.resolver.clone(), connect_timeout)?;
        Ok(MysqlAsk { mysql: mysql.clone(), door, kept: Kept::new(mysql.connection.first()) })
    }

    /// The session that answered, if it still works, and what its answer was worth.
    async fn look(&self) -> Result<(Session, Result<(), Trouble>), Trouble> {
        let mut session = match self.kept.take() {
            Some(mut session) => {
                session.ask_itself().await?;
                session
            }
            // A new one has just been asked.
            None => self.door.open().await?,
        };
        if self.mysql.role == Role::Writer && !session.writable() {
            let text = "it answers, but takes no writes: not the writer";
            return Ok((session, Err(Trouble::new(Class::Wrong, Cause::ReadOnly, text))));
        }
        if let Some(query) = &self.mysql.query
            && let Err(error) = session.rows(query).await
        {
            return match Session::is_broken(&error) {
                true => Err(classify(&error)),
                false => Ok((session, Err(classify(&error)))),
            };
        }
        Ok((session, Ok(())))
    }
}

#[async_trait]
impl Ask for MysqlAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = within(self.mysql.timeout, clock, self.look()).await;
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
                let text = format!("no answer within {} ms", self.mysql.timeout.as_millis());
                (None, Trouble::late(text).answer(sent, over))
            }
        };
        self.kept.end(session, answer.class.good()).into_iter().for_each(Session::close);
        answer
    }

    fn deadline(&self) -> Duration {
        self.mysql.timeout
    }
}
