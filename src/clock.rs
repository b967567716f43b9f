//! The run's one clock.
//!
//! The wall clock is read once, when the run starts; every later instant is that reading
//! plus `CLOCK_BOOTTIME`, which NTP cannot bend and which goes on through a suspend
//! (`std::time::Instant` is `CLOCK_MONOTONIC` and stops there). Durations are differences of
//! two [`Moment`]s and of nothing else.
//!
//! This module knows nothing of runs, probes or AWS.

use std::fmt;
use std::ops::Sub;
use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// An instant of a run: nanoseconds since the run's clock was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The start of the run.
    pub const ZERO: Moment = Moment(0);

    /// The instant `seconds` after the start of the run (0 when negative).
    pub fn from_secs(seconds: f64) -> Moment {
        Moment((seconds.max(0.0) * 1e9).round() as u64)
    }

    /// Seconds since the start of the run.
    pub fn secs(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// This instant, `by` later.
    pub fn plus(self, by: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// This instant, `by` earlier, but not before the start of the run.
    pub fn minus(self, by: Duration) -> Moment {
        Moment(self.0.saturating_sub(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub for Moment {
    type Output = f64;

    /// The signed difference in seconds.
    fn sub(self, other: Moment) -> f64 {
        (self.0 as f64 - other.0 as f64) / 1e9
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.secs())
    }
}

/// Nanoseconds of `CLOCK_BOOTTIME`: what a [`Clock`] counts from.
pub fn boottime_ns() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    (now.tv_sec as u64).saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as u64)
}

/// The machine's three clocks, read together: what they disagree by tells a suspend and a step of
/// the wall clock from time that passed.
#[derive(Clone, Copy, Debug)]
pub struct Triple {
    boot: i64,
    monotonic: i64,
    real: i64,
}

impl Triple {
    /// Reads them as close to each other as three tries allow.
    pub fn now() -> Triple {
        let read = || {
            let of = |id| {
                let now = clock_gettime(id);
                now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec as i64)
            };
            let boot = of(ClockId::Boottime);
            let triple = Triple { boot, monotonic: of(ClockId::Monotonic), real: of(ClockId::Realtime) };
            (of(ClockId::Boottime) - boot, triple)
        };
        let mut best = read();
        for next in [read(), read()] {
            if next.0 < best.0 {
                best = next;
            }
        }
        best.1
    }

    /// For how long the machine was suspended since then, in nanoseconds.
    pub fn suspended_since(&self, before: &Triple) -> i64 {
        (self.boot - self.monotonic) - (before.boot - before.monotonic)
    }

    /// By how much the wall clock was set forward since then, in nanoseconds; negative for back.
    pub fn stepped_since(&self, before: &Triple) -> i64 {
        (self.real - self.boot) - (before.real - before.boot)
    }
}

/// One wall-clock reading and the boot time that belongs to it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Timestamp,
    origin: u64,
    /// What had gone by already at the origin.
    ahead: u64,
}

impl Clock {
    /// Reads the wall clock, for the only time in a run.
    pub fn start() -> Clock {
        Clock { began: Timestamp::now(), origin: boottime_ns(), ahead: 0 }
    }

    /// A clock whose origin is a known boot time: what the lab and a recovered run use.
    pub fn at(began: Timestamp, origin: u64) -> Clock {
        Clock { began, origin, ahead: 0 }
    }

    /// The clock of a run that another process goes on with, maybe after a reboot, which sets `CLOCK_BOOTTIME` back: so the
    /// wall clock says how much later it is, and in no case is it before `last`.
    pub fn resumed(began: Timestamp, last: Moment) -> Clock {
        let by_wall = Timestamp::now().duration_since(began).as_nanos();
        let ahead = u64::try_from(by_wall).unwrap_or_default().max(last.0);
        Clock { began, origin: boottime_ns(), ahead }
    }

    /// Now, as an instant of the run.
    pub fn now(&self) -> Moment {
        self.moment(boottime_ns())
    }

    /// The instant of the run at a `CLOCK_BOOTTIME` reading in nanoseconds (the start, when before it).
    pub fn moment(&self, boottime: u64) -> Moment {
        Moment(boottime.saturating_sub(self.origin).saturating_add(self.ahead))
    }

    /// When the run started, by the wall clock.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The boot time, in nanoseconds, that is this run's zero.
    pub fn origin(&self) -> u64 {
        self.origin
    }

    /// The wall-clock time of an instant of the run.
    pub fn wall(&self, moment: Moment) -> Timestamp {
        let nanos = jiff::SignedDuration::from_nanos(i64::try_from(moment.0).unwrap_or(i64::MAX));
        self.began.checked_add(nanos).unwrap_or(self.began)
    }

    /// Waits until an instant of the run (returns at once when it is past).
    pub async fn sleep_until(&self, moment: Moment) {
        loop {
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}
