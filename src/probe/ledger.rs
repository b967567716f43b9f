//! What both ledgers share: counting attempts, and a final read that can be trusted.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::run::event::Reading;

/// How long the final read may take until two reads agree.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The pause between two reads: long enough for what is still being applied to show.
const BETWEEN_READS: Duration = Duration::from_millis(500);

/// Which numbers have been attempted: all below a bound.
#[derive(Default)]
pub(crate) struct Attempts(AtomicU32);

impl Attempts {
    /// Notes an attempt, before it is made.
    pub(crate) fn note(&self, seq: u32) {
        self.0.fetch_max(seq.saturating_add(1), Ordering::SeqCst);
    }

    fn bound(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

/// One read of a whole ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    /// The numbers that were there, as often as they were there, in any order.
    pub(crate) seqs: Vec<i64>,
    /// Entries that carry another run's mark, or none.
    pub(crate) foreign: u64,
}

/// Reads until two reads in a row are the same, or time is over.
pub(crate) async fn read_until_stable<F>(clock: &Clock, attempts: &Attempts, read: impl Fn() -> F) -> Reading
where
    F: Future<Output = Result<Entries, String>>,
{
    let until = clock.now().plus(READ_WITHIN);
    let mut last: Option<Reading> = None;
    let mut error = None;
    loop {
        let began = clock.now();
        let left = until.since(began).max(Duration::from_secs(1));
        match tokio::time::timeout(left, read()).await {
            Ok(Ok(entries)) => {
                let mut reading = digest(entries, attempts.bound());
                (reading.began_ns, reading.done_ns) = (began, clock.now());
                let same = last.as_ref().is_some_and(|last| agree(last, &reading));
                if same {
                    reading.stable = true;
                    return reading;
                }
                last = Some(reading);
            }
            Ok(Err(text)) => (error, last) = (Some(text), None),
            Err(_) => (error, last) = (Some(format!("no complete read within {} s", left.as_secs())), None),
        }
        if clock.now().plus(BETWEEN_READS) >= until {
            break;
        }
        tokio::time::sleep(BETWEEN_READS).await;
    }
    let unread = |error: Option<String>| Reading {
        done_ns: clock.now(),
        error: Some(error.unwrap_or_else(|| "it was never read".to_owned())),
        ..Reading::default()
    };
    last.unwrap_or_else(|| unread(error))
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
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn entries(seqs: &[i64]) -> Entries {
        Entries { seqs: seqs.to_vec(), foreign: 0 }
    }

    #[test]
    fn entries_become_ranges() {
        let reading = digest(entries(&[5, 0, 1, 2, 2, 2, 7, 9, -1]), 9);
        assert_eq!(reading.present, [(0, 2), (5, 5), (7, 7)]);
        assert_eq!((reading.duplicated, reading.unexpected), (2, 2));
    }

    #[test]
    fn another_runs_entries_are_unexpected() {
        let reading = digest(Entries { seqs: vec![0], foreign: 3 }, 1);
        assert_eq!((reading.present, reading.unexpected), (vec![(0, 0)], 3));
    }

    #[tokio::test]
    async fn a_read_counts_when_the_next_one_agrees() {
        let attempts = Attempts::default();
        attempts.note(2);
        let reads = AtomicUsize::new(0);
        let read = || async {
            match reads.fetch_add(1, Ordering::SeqCst) {
                0 => Ok(entries(&[0])),
                1 => Err("gone".to_owned()),
                _ => Ok(entries(&[0, 2])),
            }
        };
        let reading = read_until_stable(&Clock::start(), &attempts, read).await;
        assert!(reading.stable);
        assert_eq!(reading.present, [(0, 0), (2, 2)]);
        assert_eq!(reads.load(Ordering::SeqCst), 4);
    }
}
