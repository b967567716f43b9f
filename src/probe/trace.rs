//! What an asking finds out on its way, and how it ends: one rule for the kinds that need no other.

use std::sync::Arc;
use std::time::Duration;

use super::Answer;
use super::trouble::Trouble;
use crate::clock::Moment;
use crate::sample::{Cause, Class, Phases};

/// Who was met and how long the parts took, kept also when the rest fails.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) who: Option<Arc<str>>,
    pub(crate) phases: Phases,
}

/// The times that an answer must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) timeout: Duration,
    pub(crate) slower_than: Option<Duration>,
}

impl Trace {
    /// The answer that an outcome is; the error of the outer result is the instant of the deadline.
    pub(crate) fn conclude(
        self,
        terms: Terms,
        sent: Moment,
        done: Moment,
        outcome: Result<Result<u16, Trouble>, Moment>,
    ) -> Answer {
        let took = done.since(sent);
        let answer = match outcome {
            Ok(Ok(code)) => match terms.slower_than {
                Some(limit) if took > limit => {
                    let text = format!("{} ms, limit {} ms", took.as_millis(), limit.as_millis());
                    Trouble::new(Class::Slow, Cause::Timeout, text).code(code).answer(sent, done)
                }
                _ => Answer::good(sent, done, code),
            },
            Ok(Err(trouble)) => trouble.answer(sent, done),
            Err(over) => {
                let text = format!("no complete answer within {} ms", terms.timeout.as_millis());
                Trouble::late(text).answer(sent, over)
            }
        };
        Answer { who: self.who, phases: self.phases, ..answer }
    }
}
