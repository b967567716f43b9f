//! The samples that are under way, and the one place where each is decided, once.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedSender;

use super::{Seen, stall_threshold};
use crate::clock::{Clock, Moment};
use crate::probe::{Answer, Lane};
use crate::sample::{Cause, Class, Mark, Sample};

/// How much longer than its deadline a probe is waited for before it is given up.
const SLACK: Duration = Duration::from_millis(100);

/// Samples in flight beyond those that the deadline explains.
const SPARE: u32 = 8;

pub(super) struct Flights {
    pub(super) lanes: Vec<Lane>,
    pub(super) clock: Clock,
    pub(super) stall_threshold: Duration,
    out: UnboundedSender<Seen>,
    board: Mutex<Board>,
    landed: Notify,
}

#[derive(Default)]
struct Board {
    /// When each sample in flight was due.
    flying: HashMap<(u16, u32), Moment>,
    /// How many of each lane.
    count: HashMap<u16, u32>,
    /// Errors whose text has been reported.
    said: HashSet<(u16, Cause)>,
    /// Who has answered so far.
    identities: HashMap<Arc<str>, u16>,
}

impl Board {
    /// The number of whoever answered, and their name if this is the first time.
    fn identity(&mut self, who: Arc<str>) -> (u16, Option<Arc<str>>) {
        if let Some(identity) = self.identities.get(&who) {
            return (*identity, None);
        }
        // Whoever comes after 65535 others stays nobody.
        let Ok(identity) = u16::try_from(self.identities.len() + 1) else { return (0, None) };
        self.identities.insert(who.clone(), identity);
        (identity, Some(who))
    }
}

impl Flights {
    pub(super) fn new(lanes: Vec<Lane>, clock: Clock, out: UnboundedSender<Seen>) -> Flights {
        let stall_threshold = stall_threshold(&lanes);
        Flights { lanes, clock, stall_threshold, out, board: Mutex::default(), landed: Notify::new() }
    }

    /// How long a sample can be in flight: so long that its own deadline comes first.
    pub(super) fn longest_flight(&self) -> Duration {
        let deadlines = self.lanes.iter().map(|lane| lane.ask.deadline());
        deadlines.max().unwrap_or_default() + SLACK
    }

    /// Registers a sample; false when too many of its lane are in flight. By Little's law that
    /// many can only be there when this prober misbehaves.
    pub(super) fn take_off(&self, probe: u16, seq: u32, scheduled: Moment) -> bool {
        let Some(lane) = self.lane(probe) else { return false };
        let cap = cap(lane);
        let mut board = self.board();
        let flying = board.count.entry(probe).or_default();
        if *flying >= cap {
            return false;
        }
        *flying += 1;
        board.flying.insert((probe, seq), scheduled);
        true
    }

    /// Asks, and reports the answer.
    pub(super) async fn fly(self: Arc<Self>, probe: u16, seq: u32, scheduled: Moment) {
        let Some(lane) = self.lane(probe) else { return };
        let begun = self.clock.now();
        let limit = lane.ask.deadline() + SLACK;
        let asking = AssertUnwindSafe(lane.ask.ask(seq, &self.clock)).catch_unwind();
        let broken = |class, cause, text: &str| {
            let class = if lane.ask.writes() { Class::Info } else { class };
            let detail = Some(text.to_owned());
            Answer { class, cause, detail, ..Answer::good(begun, self.clock.now(), 0) }
        };
        let answer = match tokio::time::timeout(limit, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => broken(Class::Void, Cause::Local, "the probe itself failed"),
            Err(_) => broken(Class::Timeout, Cause::Timeout, "the probe did not keep its deadline"),
        };
        self.land(probe, seq, scheduled, answer);
    }

    /// Reports a sample that was never sent.
    pub(super) fn shed(&self, probe: u16, seq: u32, scheduled: Moment, cause: Cause) {
        let done = self.clock.now();
        let sample = Sample {
            probe,
            seq,
            scheduled,
            sent: scheduled,
            done,
            class: Class::Shed,
            cause,
            ..Sample::default()
        };
        self.report(Seen::Sample(sample));
    }

    /// Reports that this process did not run.
    pub(super) fn stalled(&self, from: Moment, to: Moment, witness: &str) {
        self.report(Seen::Stall { from, to, witness: witness.to_owned() });
    }

    /// Waits until nothing is in flight.
    pub(super) async fn all_landed(&self) {
        loop {
            let changed = self.landed.notified();
            if self.board().flying.is_empty() {
                return;
            }
            changed.await;
        }
    }

    /// Decides what is still in flight: unknown, since nobody waits for it any more.
    pub(super) fn end(&self) {
        let left: Vec<((u16, u32), Moment)> =
            self.board().flying.iter().map(|(key, due)| (*key, *due)).collect();
        for ((probe, seq), scheduled) in left {
            let writes = self.lane(probe).is_some_and(|lane| lane.ask.writes());
            let class = if writes { Class::Info } else { Class::Void };
            let done = self.clock.now();
            let answer = Answer { class, cause: Cause::Ended, ..Answer::good(scheduled, done, 0) };
            self.land(probe, seq, scheduled, answer);
        }
    }

    /// Reports an answer, unless its sample has been decided already.
    fn land(&self, probe: u16, seq: u32, scheduled: Moment, answer: Answer) {
        let Answer { sent, done, class, cause, code, detail, who, phases } = answer;
        let (first, (identity, met)) = {
            let mut board = self.board();
            if board.flying.remove(&(probe, seq)).is_none() {
                return;
            }
            let known = who.map(|who| board.identity(who)).unwrap_or_default();
            if let Some(flying) = board.count.get_mut(&probe) {
                *flying = flying.saturating_sub(1);
            }
            (detail.filter(|_| board.said.insert((probe, cause))), known)
        };
        if let Some(who) = met {
            self.report(Seen::Identity { identity, who });
        }
        if let Some(text) = first {
            self.report(Seen::FirstError { probe, cause, text });
        }
        let mark = Mark::Base;
        let sample = Sample { probe, seq, scheduled, sent, done, class, cause, code, identity, mark, phases };
        self.report(Seen::Sample(sample.rounded()));
        self.landed.notify_one();
    }

    fn report(&self, seen: Seen) {
        // The receiver is gone only when the run is over, and then nobody wants to know.
        let _ = self.out.send(seen);
    }

    fn lane(&self, probe: u16) -> Option<&Lane> {
        self.lanes.get(usize::from(probe))
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many samples of a lane may be in flight.
fn cap(lane: &Lane) -> u32 {
    let explained = lane.ask.deadline().as_secs_f64() / lane.every.as_secs_f64().max(1e-6);
    (explained.ceil() as u32).saturating_add(SPARE)
}
