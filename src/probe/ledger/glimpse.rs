//! Light reads while the drill goes on: is what was just acknowledged there for who asks next?

use std::collections::HashSet;
use std::future::Future;
use std::time::Duration;

use super::{Attempts, ranges};
use crate::clock::Clock;
use crate::run::event::Glimpse;

/// What one light read saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Glance {
    /// The numbers that were there, from the one asked for on; more do no harm.
    pub(crate) seqs: Vec<i64>,
    /// Who answered.
    pub(crate) who: Option<String>,
}

/// Reads the newest entries again and again, until it is dropped. `read` gets the first number that
/// is asked for. What was acknowledged while a read was under way is not expected of it.
pub(crate) async fn glimpse_every<F>(
    clock: &Clock,
    attempts: &Attempts,
    every: Duration,
    limit: Duration,
    read: impl Fn(u32) -> F,
) where
    F: Future<Output = Result<Glance, String>>,
{
    let mut due = clock.now();
    loop {
        due = due.plus(every).max(clock.now());
        clock.sleep_until(due).await;
        let expected = attempts.recent();
        let Some(first) = expected.first() else { continue };
        let began_ns = clock.now();
        let Ok(Ok(Glance { seqs, who })) = tokio::time::timeout(limit, read(*first)).await else {
            attempts.glimpsed(None);
            continue;
        };
        let there: HashSet<i64> = seqs.into_iter().collect();
        let missing = ranges(expected.into_iter().filter(|seq| !there.contains(&i64::from(*seq))));
        attempts.glimpsed(Some(Glimpse { began_ns, done_ns: clock.now(), who, missing }));
    }
}
