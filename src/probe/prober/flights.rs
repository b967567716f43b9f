//! The samples that are under way, and the one place where each is decided, once.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, Semaphore};

use super::itself::Machine;
use super::{Seen, stall_threshold};
use crate::clock::{Clock, Moment};
use crate::probe::{Answer, Lane};
use crate::sample::{Cause, Class, Mark, Sample};

/// How much longer than its deadline a probe is waited for before it is given up.
const SLACK: Duration = Duration::from_millis(100);
/// Samples in flight beyond those that the deadline explains.
const SPARE: u32 = 8;
/// How long after its deadline an answer is still listened for, and how many at once.
const LATE: Duration = Duration::from_secs(10);
const MOST_LATE: usize = 1024;

pub(super) struct Flights {
    pub(super) lanes: Vec<Lane>,
    pub(super) clock: Clock,
    pub(super) stall_threshold: Duration,
    out: UnboundedSender<Seen>,
    board: Mutex<Board>,
    landed: Notify,
    /// Room for sockets that are kept after their deadline.
    late: Arc<Semaphore>,
    /// The machine's counters when they were last looked at.
    machine: Mutex<Machine>,
}

/// A sample that is due: which, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ticket {
    pub(super) probe: u16,
    pub(super) seq: u32,
    pub(super) mark: Mark,
    pub(super) scheduled: Moment,
}

impl Ticket {
    /// The sample that this becomes, before anything is known of it.
    fn sample(self) -> Sample {
        let Ticket { probe, seq, mark, scheduled } = self;
        Sample { probe, seq, mark, scheduled, sent: scheduled, done: scheduled, ..Sample::default() }
    }
}

#[derive(Default)]
struct Board {
    flying: HashSet<Ticket>,
    lanes: Vec<Aloft>,
    /// Errors whose text has been reported.
    said: HashSet<(u16, Cause)>,
    /// Who has answered so far.
    identities: HashMap<Arc<str>, u16>,
}

/// What is known of one lane now.
#[derive(Clone, Copy, Debug, Default)]
struct Aloft {
    /// How many of its samples are in flight: on the schedule, and in between.
    base: u32,
    edge: u32,
    /// Samples on the schedule that were bad, or good, in a row up to the last one decided.
    bad: u32,
    good: u32,
    /// Whether it is being asked in between.
    troubled: bool,
}

impl Aloft {
    /// Bad samples in a row that call for closer looking, and good ones that end it.
    const BAD: u32 = 3;
    const GOOD: u32 = 10;

    fn of(&mut self, mark: Mark) -> &mut u32 {
        if mark == Mark::Edge { &mut self.edge } else { &mut self.base }
    }

    fn decided(&mut self, class: Class) {
        match (class.good(), class.bad()) {
            (true, _) => (self.good, self.bad) = (self.good + 1, 0),
            (_, true) => (self.good, self.bad) = (0, self.bad + 1),
            _ => {}
        }
        self.troubled = if self.troubled { self.good < Self::GOOD } else { self.bad >= Self::BAD };
    }
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
        let board = Board { lanes: vec![Aloft::default(); lanes.len()], ..Board::default() };
        let late = Arc::new(Semaphore::new(MOST_LATE));
        let (board, landed) = (Mutex::new(board), Notify::new());
        let machine = Mutex::new(Machine::now(clock.now()));
        Flights { lanes, clock, stall_threshold, out, board, landed, late, machine }
    }

    /// How long a sample can be in flight: so long that its own deadline comes first.
    pub(super) fn longest_flight(&self) -> Duration {
        let deadlines = self.lanes.iter().map(|lane| lane.ask.deadline());
        deadlines.max().unwrap_or_default() + SLACK
    }

    /// Registers a sample; false when too many of its lane are in flight. By Little's law that
    /// many can only be there when this prober misbehaves.
    pub(super) fn take_off(&self, ticket: Ticket) -> bool {
        let Some(lane) = self.lane(ticket.probe) else { return false };
        let cap = cap(lane, ticket.mark);
        let mut board = self.board();
        let Some(aloft) = board.lanes.get_mut(usize::from(ticket.probe)) else { return false };
        let flying = aloft.of(ticket.mark);
        if *flying >= cap {
            return false;
        }
        *flying += 1;
        board.flying.insert(ticket);
        true
    }

    /// Whether a lane is in an outage that is to be looked at more closely.
    pub(super) fn troubled(&self, probe: u16) -> bool {
        self.board().lanes.get(usize::from(probe)).is_some_and(|aloft| aloft.troubled)
    }

    /// Asks, and reports the answer; then listens on for a while when it timed out.
    pub(super) async fn fly(self: Arc<Self>, ticket: Ticket) {
        let Some(lane) = self.lane(ticket.probe) else { return };
        let begun = self.clock.now();
        let limit = lane.ask.deadline() + SLACK;
        let asking = AssertUnwindSafe(lane.ask.ask(ticket.seq, &self.clock)).catch_unwind();
        let broken = |class, cause, text: &str| {
            let class = if lane.ask.writes() { Class::Info } else { class };
            let detail = Some(text.to_owned());
            Answer { class, cause, detail, ..Answer::good(begun, self.clock.now(), 0) }
        };
        let mut answer = match tokio::time::timeout(limit, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => broken(Class::Void, Cause::Local, "the probe itself failed"),
            Err(_) => broken(Class::Timeout, Cause::Timeout, "the probe did not keep its deadline"),
        };
        let rest = std::mem::take(&mut answer.rest).work();
        let sent = answer.sent;
        self.land(ticket, answer);
        if let Some(rest) = rest {
            self.listen(ticket, sent, rest).await;
        }
    }

    /// Waits for an answer that is too late to count, and notes it: a service that answers everything
    /// a little later is slow and not gone. To close its socket at the deadline would also be a
    /// storm of new connections for a service that is struggling.
    async fn listen(&self, ticket: Ticket, sent: Moment, rest: BoxFuture<'static, bool>) {
        let Ok(_room) = self.late.clone().try_acquire_owned() else { return };
        let came = tokio::time::timeout(LATE, AssertUnwindSafe(rest).catch_unwind()).await;
        if matches!(came, Ok(Ok(true))) {
            let (class, cause) = (Class::Timeout, Cause::Timeout);
            let done = self.clock.now();
            let sample = Sample { sent, done, class, cause, mark: Mark::Late, ..ticket.sample() };
            self.report(Seen::Sample(sample.rounded()));
        }
    }

    /// Reports a sample that was never sent.
    pub(super) fn shed(&self, ticket: Ticket, cause: Cause) {
        let sample = Sample { done: self.clock.now(), class: Class::Shed, cause, ..ticket.sample() };
        self.report(Seen::Sample(sample.rounded()));
    }

    /// Reports that this process did not run, and what its machine was doing.
    pub(super) fn stalled(&self, from: Moment, to: Moment, witness: &str) {
        let now = Machine::now(self.clock.now());
        let strain = {
            let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
            let strain = now.since(*machine);
            *machine = now;
            strain
        };
        self.noted(format!("{witness}: nothing ran for {:.3} s; {strain}", to - from));
        self.report(Seen::Stall { from, to, witness: witness.to_owned() });
    }

    /// Reports something worth knowing of the prober itself.
    pub(super) fn noted(&self, text: String) {
        self.report(Seen::Noted { text });
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
        let left: Vec<Ticket> = self.board().flying.iter().copied().collect();
        for ticket in left {
            let writes = self.lane(ticket.probe).is_some_and(|lane| lane.ask.writes());
            let class = if writes { Class::Info } else { Class::Void };
            let done = self.clock.now();
            let answer = Answer { class, cause: Cause::Ended, ..Answer::good(ticket.scheduled, done, 0) };
            self.land(ticket, answer);
        }
    }

    /// Reports an answer, unless its sample has been decided already.
    fn land(&self, ticket: Ticket, answer: Answer) {
        let Answer { sent, done, class, cause, code, detail, who, phases, .. } = answer;
        let probe = ticket.probe;
        let (first, (identity, met)) = {
            let mut board = self.board();
            if !board.flying.remove(&ticket) {
                return;
            }
            if let Some(aloft) = board.lanes.get_mut(usize::from(probe)) {
                let flying = aloft.of(ticket.mark);
                *flying = flying.saturating_sub(1);
                if ticket.mark == Mark::Base {
                    aloft.decided(class);
                }
            }
            let known = who.map(|who| board.identity(who)).unwrap_or_default();
            (detail.filter(|_| board.said.insert((probe, cause))), known)
        };
        if let Some(who) = met {
            self.report(Seen::Identity { identity, who });
        }
        if let Some(text) = first {
            self.report(Seen::FirstError { probe, cause, text });
        }
        let sample = Sample { sent, done, class, cause, code, identity, phases, ..ticket.sample() };
        self.report(Seen::Sample(sample.rounded()));
        self.landed.notify_waiters();
    }

    pub(super) fn report(&self, seen: Seen) {
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
fn cap(lane: &Lane, mark: Mark) -> u32 {
    let every = if mark == Mark::Edge { lane.edge_every.unwrap_or(lane.every) } else { lane.every };
    let explained = lane.ask.deadline().as_secs_f64() / every.as_secs_f64().max(1e-6);
    (explained.ceil() as u32).saturating_add(SPARE)
}
