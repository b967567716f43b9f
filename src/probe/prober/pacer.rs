//! The thread that wakes when a sample is due, and the two heartbeats that notice a stall.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};
use tokio::runtime::Handle;

use super::flights::Flights;
use crate::clock::{Clock, Moment};
use crate::probe::pace::{Schedule, Turn};
use crate::sample::Cause;

/// How often the pacer wakes when nothing is due.
const BEAT: Duration = Duration::from_millis(10);

pub(super) struct Pacer {
    pub(super) flights: Arc<Flights>,
    pub(super) runtime: Handle,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) seed: u64,
}

impl Pacer {
    /// Sends samples when they are due, until told to stop.
    pub(super) fn run(self) {
        // Wakes to the microsecond instead of within 50 of them; not worth failing for.
        let _ = set_current_timer_slack(NonZeroU64::new(1));
        let clock = self.flights.clock;
        let schedules = self.schedules(clock.now());
        let mut next = vec![0; schedules.len()];
        while !self.stopping.load(Ordering::SeqCst) {
            let alive = clock.now();
            let mut wake = alive.plus(BEAT);
            for (lane, (schedule, next)) in (0u16..).zip(schedules.iter().zip(&mut next)) {
                wake = wake.min(self.serve(lane, schedule, next, alive));
            }
            sleep_until(&clock, wake);
            let woken = clock.now();
            if woken.since(wake) > self.flights.stall_threshold {
                self.flights.stalled(alive, woken, "pacer");
            }
        }
    }

    /// The lanes' schedules. They start spread over their spacing, so that they do not ask in one burst.
    fn schedules(&self, now: Moment) -> Vec<Schedule> {
        let lanes = &self.flights.lanes;
        let count = u32::try_from(lanes.len()).unwrap_or(u32::MAX).max(1);
        let schedule = |(index, lane): (u16, &crate::probe::Lane)| {
            let offset = lane.every * u32::from(index) / count;
            Schedule::new(now.plus(offset), lane.every, self.seed, index)
        };
        (0u16..).zip(lanes).map(schedule).collect()
    }

    /// Deals with one lane; the instant at which it wants to be looked at again.
    fn serve(&self, lane: u16, schedule: &Schedule, next: &mut u32, now: Moment) -> Moment {
        match schedule.turn(*next, now) {
            Turn::Wait(due) => due,
            Turn::Send { index, late } => {
                for seq in late {
                    self.flights.shed(lane, seq, schedule.due(seq), Cause::Late);
                }
                let scheduled = schedule.due(index);
                if self.flights.take_off(lane, index, scheduled) {
                    self.runtime.spawn(self.flights.clone().fly(lane, index, scheduled));
                } else {
                    self.flights.shed(lane, index, scheduled, Cause::InFlight);
                }
                *next = index.saturating_add(1);
                schedule.due(*next)
            }
        }
    }
}

/// Sleeps until an instant of the run. An absolute sleep on the run's own clock: a late wake-up
/// does not shift the next one, and nothing has to be mapped to another clock.
fn sleep_until(clock: &Clock, moment: Moment) {
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

/// Notices when the probes' runtime gets no turn although the machine runs.
pub(super) async fn watch_runtime(flights: Arc<Flights>, stopping: Arc<AtomicBool>) {
    let clock = flights.clock;
    while !stopping.load(Ordering::SeqCst) {
        let alive = clock.now();
        tokio::time::sleep(BEAT).await;
        let woken = clock.now();
        if woken.since(alive.plus(BEAT)) > flights.stall_threshold {
            flights.stalled(alive, woken, "runtime");
        }
    }
}
