//! What all ledgers share: counting attempts, and reads that can be trusted.
//!
//! A ledger notes each number before it is sent and what came of it after; it is read lightly while
//! the drill goes on and as a whole in the end. This module knows no store and judges nothing: what
//! was found goes into the [`Reading`].

mod attempts;
mod glimpse;

use std::future::Future;
use std::time::Duration;

pub(crate) use attempts::{Attempts, Rules, ranges};
pub(crate) use glimpse::{Glance, glimpse_every};

use crate::clock::Clock;
use crate::run::event::Reading;

/// How many reads in a row must agree.
const ALIKE: u32 = 3;

/// The least time in which the final read must come to an end.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// One read of a whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    /// The numbers that were there, as often as they were there, in any order.
    pub(crate) seqs: Vec<i64>,
    /// Entries that carry another run's mark, or none.
    pub(crate) foreign: u64,
}

/// Reads, once things have settled, until three reads in a row are the same or time is over.
pub(crate) async fn read_until_stable<F>(clock: &Clock, attempts: &Attempts, read: impl Fn() -> F) -> Reading
where
    F: Future<Output = Result<Entries, String>>,
{
    attempts.settle(clock).await;
    let pause = attempts.rules().every;
    let until = clock.now().plus(attempts.rules().read_within());
    let mut last: Option<Reading> = None;
    let mut error = None;
    loop {
        let began = clock.now();
        let left = until.since(began).max(Duration::from_secs(1));
        match tokio::time::timeout(left, read()).await {
            Ok(Ok(entries)) => {
                let mut reading = digest(entries, attempts.bound());
                (reading.began_ns, reading.done_ns) = (began, clock.now());
                reading.reads = 1 + last.as_ref().filter(|last| agree(last, &reading)).map_or(0, |l| l.reads);
                if reading.reads >= ALIKE {
                    reading.stable = true;
                    return attempts.told(reading);
                }
                last = Some(reading);
            }
            Ok(Err(text)) => (error, last) = (Some(text), None),
            Err(_) => (error, last) = (Some(format!("no complete read within {} s", left.as_secs())), None),
        }
        if clock.now().plus(pause) >= until {
            break;
        }
        tokio::time::sleep(pause).await;
    }
    let unread = |error: Option<String>| Reading {
        done_ns: clock.now(),
        error: Some(error.unwrap_or_else(|| "it was never read".to_owned())),
        ..Reading::default()
    };
    attempts.told(last.unwrap_or_else(|| unread(error)))
}

fn agree(one: &Reading, other: &Reading) -> bool {
    one.present == other.present && one.duplicated == other.duplicated && one.unexpected == other.unexpected
}

/// The numbers as ranges, and what else was there.
fn digest(entries: Entries, attempted: u32) -> Reading {
    let mut reading = Reading { unexpected: entries.foreign, ..Reading::default() };
    let mut seqs = entries.seqs;
    seqs.sort_unstable();
    for seq in seqs {
        let Some(seq) = u32::try_from(seq).ok().filter(|seq| *seq < attempted) else {
            reading.unexpected += 1;
            continue;
        };
        match reading.present.last_mut() {
            Some((_, last)) if *last == seq => reading.duplicated += 1,
            Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
            _ => reading.present.push((seq, seq)),
        }
    }
    reading
}

#[cfg(test)]
mod tests;
