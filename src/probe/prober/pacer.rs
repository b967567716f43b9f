//! The thread that wakes when a sample is due. It is also the first to notice that this process
//! did not run.
//!
//! It wakes by a kernel timer set to absolute instants, not by the runtime's own timers, which are
//! a millisecond coarse. Samples that cost next to nothing are asked on this very thread: handing
//! one to another thread takes longer than asking, and makes it late. The others go to a runtime
//! of their own, so that a password being hashed holds nobody up.

use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::io::Errno;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::flights::{Flights, Ticket};
use super::itself;
use crate::clock::{Clock, Moment};
use crate::probe::Lane;
use crate::probe::pace::{Schedule, Turn};
use crate::sample::{Cause, Mark};

/// How often the pacer wakes when nothing is due.
const BEAT: Duration = Duration::from_millis(15);
/// How often a prober that is given up is noticed, at its end.
const GIVEN_UP: Duration = Duration::from_millis(10);

pub(super) struct Pacer {
    pub(super) flights: Arc<Flights>,
    /// Where samples are asked that take this thread's time.
    pub(super) runtime: Handle,
    pub(super) stopping: Arc<AtomicBool>,
    /// Set when nobody waits for what is in flight.
    pub(super) abandoned: Arc<AtomicBool>,
    pub(super) seed: u64,
}

/// One lane's place in time.
struct Course {
    schedule: Schedule,
    /// The next sample on the schedule, and when it is due.
    next: u32,
    due: Moment,
    /// The next in between, and when, while the lane is in trouble.
    edge: Option<Moment>,
    edges: u32,
}

impl Pacer {
    /// The same as [`run`](Self::run), without the two ways in which a runtime calls the kernel for nothing. Together
    /// they are a quarter of what a sample costs: waking what the thread blocks on goes through the kernel, so
    /// the pacer is a task; and so does a timer that is earlier than every other, so one that is earlier than any
    /// deadline is always running.
    pub(super) async fn run_quietly(self, timer: Timer, ended: oneshot::Sender<Option<Histogram<u32>>>) {
        if self.flights.lanes.iter().any(|lane| lane.ask.light()) {
            tokio::spawn(itself::control(self.flights.clone(), self.stopping.clone()));
        }
        let shortest = self.flights.lanes.iter().map(|lane| lane.ask.deadline()).min().unwrap_or(GIVEN_UP);
        let turn = (shortest / 2).max(Duration::from_millis(1));
        let earliest = async {
            loop {
                tokio::time::sleep(turn).await;
            }
        };
        // An error would be a panic of the pacer: the run reports that its channel has closed.
        tokio::select! { _ = tokio::spawn(self.run(timer, ended)) => {}, () = earliest => {} }
    }

    /// Sends samples when they are due, until told to stop; then waits for those in flight. How late it woke, in
    /// microseconds, goes to `ended` in between.
    async fn run(self, timer: Timer, ended: oneshot::Sender<Option<Histogram<u32>>>) {
        // Wakes to the microsecond instead of within 50 of them; not worth failing for.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let lags = self.pace(timer).await;
        // Nobody may be waiting any more.
        let _ = ended.send(lags);
        let given_up = async {
            while !self.abandoned.load(Ordering::SeqCst) {
                tokio::time::sleep(GIVEN_UP).await;
            }
        };
        let landed = tokio::time::timeout(self.flights.longest_flight(), self.flights.all_landed());
        tokio::select! { _ = landed => {}, () = given_up => {} }
    }

    async fn pace(&self, timer: Timer) -> Option<Histogram<u32>> {
        let clock = self.flights.clock;
        let mut courses = self.courses(clock.now());
        let mut lags = Histogram::new_with_bounds(1, 60_000_000, 2).ok();
        while !self.stopping.load(Ordering::SeqCst) {
            let alive = clock.now();
            let mut wake = alive.plus(BEAT);
            for (lane, course) in (0u16..).zip(&mut courses) {
                wake = wake.min(self.serve(lane, course, alive));
                wake = wake.min(self.look_closer(lane, course, alive).unwrap_or(wake));
            }
            timer.until(&clock, wake).await;
            let woken = clock.now();
            let late = woken.since(wake);
            if let Some(lags) = &mut lags {
                lags.saturating_record(u64::try_from(late.as_micros()).unwrap_or(u64::MAX));
            }
            if late > self.flights.stall_threshold {
                self.flights.stalled(alive, woken, "pacer");
            }
        }
        lags
    }

    /// The lanes' courses. They start spread over their spacing, so that they do not ask in one burst.
    fn courses(&self, now: Moment) -> Vec<Course> {
        let lanes = &self.flights.lanes;
        let count = u32::try_from(lanes.len()).unwrap_or(u32::MAX).max(1);
        let course = |(index, lane): (u16, &Lane)| {
            let offset = lane.every * u32::from(index) / count;
            let schedule = Schedule::new(now.plus(offset), lane.every, self.seed, index);
            Course { due: schedule.due(0), schedule, next: 0, edge: None, edges: 0 }
        };
        (0u16..).zip(lanes).map(course).collect()
    }

    /// Deals with one lane; the instant at which it wants to be looked at again.
    fn serve(&self, lane: u16, course: &mut Course, now: Moment) -> Moment {
        if course.due > now {
            return course.due;
        }
        let schedule = &course.schedule;
        let ticket = |seq| Ticket { probe: lane, seq, mark: Mark::Base, scheduled: schedule.due(seq) };
        match schedule.turn(course.next, now) {
            Turn::Wait(due) => due,
            Turn::Send { index, late } => {
                for seq in late {
                    self.flights.shed(ticket(seq), Cause::Late);
                }
                self.send(ticket(index));
                course.next = index.saturating_add(1);
                course.due = schedule.due(course.next);
                course.due
            }
        }
    }

    /// During an outage, asks in between; the instant at which it wants to ask again.
    fn look_closer(&self, lane: u16, course: &mut Course, now: Moment) -> Option<Moment> {
        let every = self.flights.lanes.get(usize::from(lane))?.edge_every?;
        if !self.flights.troubled(lane) {
            course.edge = None;
            return None;
        }
        let due = course.edge.unwrap_or(now);
        if due > now {
            return Some(due);
        }
        self.send(Ticket { probe: lane, seq: course.edges, mark: Mark::Edge, scheduled: due });
        course.edges = course.edges.saturating_add(1);
        // Counted from now when it is late: never a burst.
        let next = due.plus(every).max(now);
        course.edge = Some(next);
        Some(next)
    }

    fn send(&self, ticket: Ticket) {
        let lane = self.flights.lanes.get(usize::from(ticket.probe));
        if self.flights.take_off(ticket) {
            let flight = self.flights.clone().fly(ticket);
            match lane.is_some_and(|lane| lane.ask.light()) {
                true => drop(tokio::spawn(flight)),
                false => drop(self.runtime.spawn(flight)),
            }
        } else if ticket.mark == Mark::Base {
            self.flights.shed(ticket, Cause::InFlight);
        }
    }
}

/// A kernel timer on the run's own clock.
pub(super) struct Timer(AsyncFd<OwnedFd>);

impl Timer {
    /// A timer of the runtime that this is called in.
    pub(super) fn new() -> std::io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        // Deprecated for descriptors that somebody else may close; this one is owned. What replaces it is unsafe.
        #[allow(deprecated)]
        let timer = AsyncFd::new(timerfd_create(TimerfdClockId::Boottime, flags)?)?;
        Ok(Timer(timer))
    }

    /// Waits until an instant of the run. Absolute: a late wake-up does not shift the next one.
    async fn until(&self, clock: &Clock, moment: Moment) {
        let value = Itimerspec {
            it_interval: timespec(0),
            it_value: timespec(clock.origin().saturating_add(moment.0)),
        };
        let armed = timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &value);
        let fired = async {
            loop {
                let mut ready = self.0.readable().await?;
                let mut count = [0; 8];
                // An error here means that it was ready for an earlier instant.
                if let Ok(outcome) = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut count)?))
                {
                    // Read empty: without this the next wait would read once more to learn that.
                    ready.clear_ready();
                    return outcome.map(|_| ());
                }
            }
        };
        if armed.is_err() || fired.await.is_err() {
            // A kernel without such timers: the runtime's own are a little less exact.
            tokio::time::sleep(moment.since(clock.now())).await;
        }
    }
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (nanos % 1_000_000_000) as _,
    }
}

/// Sleeps until an instant of the run. An absolute sleep on the run's own clock: a late wake-up
/// does not shift the next one, and nothing has to be mapped to another clock.
pub(super) fn sleep_until(clock: &Clock, moment: Moment) {
    let until = timespec(clock.origin().saturating_add(moment.0));
    loop {
        match clock_nanosleep_absolute(ClockId::Boottime, &until) {
            Err(Errno::INTR) => {}
            Ok(()) => return,
            // A kernel that cannot sleep on this clock: a relative sleep is a little less exact.
            Err(_) => return std::thread::sleep(moment.since(clock.now())),
        }
    }
}

/// How often the runtime is asked to take a turn.
const TURN: Duration = Duration::from_millis(40);

/// Notices when the probes' runtime gets no turn although the machine runs.
pub(super) async fn watch_runtime(flights: Arc<Flights>, stopping: Arc<AtomicBool>) {
    let clock = flights.clock;
    while !stopping.load(Ordering::SeqCst) {
        let alive = clock.now();
        tokio::time::sleep(TURN).await;
        let woken = clock.now();
        if woken.since(alive.plus(TURN)) > flights.stall_threshold {
            flights.stalled(alive, woken, "runtime");
        }
    }
}
