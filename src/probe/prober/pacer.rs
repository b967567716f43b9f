//! The thread that wakes when a sample is due. It is also the first to notice that this process
//! did not run.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use rustix::io::Errno;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};
use tokio::runtime::Handle;

use super::flights::{Flights, Ticket};
use crate::clock::{Clock, Moment};
use crate::probe::Lane;
use crate::probe::pace::{Schedule, Turn};
use crate::sample::{Cause, Mark};

/// How often the pacer wakes when nothing is due.
const BEAT: Duration = Duration::from_millis(10);

pub(super) struct Pacer {
    pub(super) flights: Arc<Flights>,
    pub(super) runtime: Handle,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) seed: u64,
}

/// One lane's place in time.
struct Course {
    schedule: Schedule,
    /// The next sample on the schedule.
    next: u32,
    /// The next in between, and when, while the lane is in trouble.
    edge: Option<Moment>,
    edges: u32,
}

impl Pacer {
    /// Sends samples when they are due, until told to stop. Gives how late it woke, in microseconds.
    pub(super) fn run(self) -> Option<Histogram<u32>> {
        // Wakes to the microsecond instead of within 50 of them; not worth failing for.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
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
            sleep_until(&clock, wake);
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
            Course { schedule, next: 0, edge: None, edges: 0 }
        };
        (0u16..).zip(lanes).map(course).collect()
    }

    /// Deals with one lane; the instant at which it wants to be looked at again.
    fn serve(&self, lane: u16, course: &mut Course, now: Moment) -> Moment {
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
                schedule.due(course.next)
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
        if self.flights.take_off(ticket) {
            self.runtime.spawn(self.flights.clone().fly(ticket));
        } else if ticket.mark == Mark::Base {
            self.flights.shed(ticket, Cause::InFlight);
        }
    }
}

/// Sleeps until an instant of the run. An absolute sleep on the run's own clock: a late wake-up
/// does not shift the next one, and nothing has to be mapped to another clock.
pub(super) fn sleep_until(clock: &Clock, moment: Moment) {
    let at = clock.origin().saturating_add(moment.0);
    let until = Timespec {
        tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (at % 1_000_000_000) as _,
    };
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
const TURN: Duration = Duration::from_millis(20);

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
