//! What a ledger remembers of its writes while it is probed: little, whatever the length of the drill.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::READ_WITHIN;
use crate::clock::{Clock, Moment};
use crate::journal::IntentSlot;
use crate::probe::Answer;
use crate::run::event::{Glimpse, Glimpses, Position, Reading};
use crate::sample::Class;

/// How far back light reads look, from the newest acknowledgement.
const RECENT: Duration = Duration::from_secs(5);
/// How many recent acknowledgements are remembered at most.
const MOST_RECENT: usize = 10_000;
/// How many light reads with something missing are kept.
const MOST_GLIMPSES: usize = 500;
/// How many servers are told apart.
const MOST_SERVERS: usize = 64;

/// When the final read may begin, and how far apart its repetitions are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// From the last write that failed until the final read: what is still being applied shows by then.
    pub(crate) settle: Duration,
    /// Between two reads.
    pub(crate) every: Duration,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules { settle: Duration::ZERO, every: Duration::from_millis(500) }
    }
}

impl Rules {
    /// How long reading may take until enough reads agree.
    pub(crate) fn read_within(self) -> Duration {
        READ_WITHIN.max(self.every.saturating_mul(12))
    }

    /// The same with everything around it: what a run has to wait for.
    pub(crate) fn all_within(self) -> Duration {
        self.settle.saturating_add(self.read_within()).saturating_add(Duration::from_secs(30))
    }
}

/// Which numbers have been attempted (all below a bound), and what is remembered of the newest.
#[derive(Default)]
pub(crate) struct Attempts {
    bound: AtomicU32,
    rules: Rules,
    intents: OnceLock<IntentSlot>,
    board: Mutex<Board>,
}

#[derive(Default)]
struct Board {
    /// When the last write ended that was not acknowledged.
    failed: Option<Moment>,
    /// The newest acknowledged numbers and when they were, in the order they came in.
    recent: VecDeque<(u32, Moment)>,
    /// Who acknowledged, in the order of their first acknowledgement, and where in their log the last was.
    servers: Vec<(Arc<str>, Option<Position>)>,
    glimpses: Glimpses,
}

impl Attempts {
    /// Attempts whose final read follows these rules.
    pub(crate) fn new(rules: Rules) -> Attempts {
        Attempts { rules, ..Attempts::default() }
    }

    /// Has every attempt written down before it is made, so that a process that dies leaves no write
    /// that nobody knows of.
    pub(crate) fn journal(&self, intents: IntentSlot) {
        // A ledger belongs to one run: a second journal would be a mistake, and the first one stays.
        let _ = self.intents.set(intents);
    }

    /// Notes an attempt, before it is made.
    pub(crate) fn note(&self, seq: u32) {
        self.bound.fetch_max(seq.saturating_add(1), Ordering::SeqCst);
        if let Some(intents) = self.intents.get() {
            intents.put(|| self.bound());
        }
    }

    /// Notes what came of an attempt.
    pub(crate) fn decided(&self, seq: u32, answer: &Answer) {
        self.placed(seq, answer, None);
    }

    /// The same, with where in the server's log the write was.
    pub(crate) fn placed(&self, seq: u32, answer: &Answer, byte: Option<u64>) {
        let mut board = self.board();
        match answer.class {
            Class::Ok | Class::Slow => {}
            Class::Shed | Class::Void => return,
            Class::FailFast | Class::Timeout | Class::Wrong | Class::Info => {
                board.failed = board.failed.max(Some(answer.done));
                return;
            }
        }
        board.recent.push_back((seq, answer.done));
        let old = answer.done.minus(RECENT);
        while board.recent.len() > MOST_RECENT || board.recent.front().is_some_and(|(_, at)| *at < old) {
            board.recent.pop_front();
        }
        let Some(who) = &answer.who else { return };
        let place = byte.map(|byte| Position { who: who.to_string(), seq, byte });
        let servers = &mut board.servers;
        let room = servers.len() < MOST_SERVERS;
        let known = servers.iter().position(|(server, _)| server == who);
        match known.and_then(|at| servers.get_mut(at)).map(|(_, last)| last) {
            Some(last) => {
                let before = last.as_ref().map(|last| last.seq);
                if place.as_ref().is_some_and(|place| before.is_none_or(|before| place.seq > before)) {
                    *last = place;
                }
            }
            None if room => servers.push((who.clone(), place)),
            None => {}
        }
    }

    /// Whether another server than this one has acknowledged a write, after this one or without it.
    pub(crate) fn superseded(&self, who: &str) -> bool {
        let board = self.board();
        let own = board.servers.iter().position(|(server, _)| &**server == who);
        match own {
            Some(own) => own + 1 < board.servers.len(),
            None => !board.servers.is_empty(),
        }
    }

    /// The first server that acknowledged anything.
    pub(crate) fn first_server(&self) -> Option<String> {
        self.board().servers.first().map(|(who, _)| who.to_string())
    }

    /// The newest acknowledged numbers, ascending.
    pub(super) fn recent(&self) -> Vec<u32> {
        let mut recent: Vec<u32> = self.board().recent.iter().map(|(seq, _)| *seq).collect();
        recent.sort_unstable();
        recent
    }

    /// Notes a light read; `None` for one that was not answered.
    pub(super) fn glimpsed(&self, glimpse: Option<Glimpse>) {
        let mut board = self.board();
        let Some(glimpse) = glimpse else {
            board.glimpses.failed += 1;
            return;
        };
        board.glimpses.reads += 1;
        if !glimpse.missing.is_empty() && board.glimpses.missed.len() < MOST_GLIMPSES {
            board.glimpses.missed.push(glimpse);
        }
    }

    pub(crate) fn bound(&self) -> u32 {
        self.bound.load(Ordering::SeqCst)
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    /// Waits until enough time has gone by since the last write that failed.
    pub(super) async fn settle(&self, clock: &Clock) {
        let failed = self.board().failed;
        if let Some(failed) = failed {
            clock.sleep_until(failed.plus(self.rules.settle)).await;
        }
    }

    /// The reading with what is remembered of the drill.
    pub(super) fn told(&self, mut reading: Reading) -> Reading {
        let board = self.board();
        reading.glimpses = board.glimpses.clone();
        reading.positions = board.servers.iter().filter_map(|(_, place)| place.clone()).collect();
        reading
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ascending numbers as inclusive ranges.
pub(crate) fn ranges(seqs: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for seq in seqs {
        match out.last_mut() {
            Some((_, last)) if *last == seq => {}
            Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
            _ => out.push((seq, seq)),
        }
    }
    out
}
