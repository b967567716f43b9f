//! The floor of pacing: a bare thread that does nothing but sleep until fixed instants. No prober can be
//! more punctual than this on the same machine in the same minute.

use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};

use crate::clock::boottime_ns;

/// The bare thread.
pub(super) struct Bare {
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<Vec<f64>>>,
}

impl Bare {
    pub(super) fn start(every: Duration) -> io::Result<Bare> {
        let stopping = Arc::new(AtomicBool::new(false));
        let flag = stopping.clone();
        let thread = thread::Builder::new().name("bare".to_owned()).spawn(move || sleep(every, &flag))?;
        Ok(Bare { stopping, thread: Some(thread) })
    }

    /// How late it woke each time, in seconds.
    pub(super) fn stop(mut self) -> Vec<f64> {
        self.stopping.store(true, Ordering::SeqCst);
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

fn sleep(every: Duration, stopping: &AtomicBool) -> Vec<f64> {
    // As the pacer does.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX).max(1);
    let mut lags = Vec::new();
    let mut due = boottime_ns();
    while !stopping.load(Ordering::SeqCst) {
        due = due.saturating_add(every);
        let until = Timespec { tv_sec: (due / 1_000_000_000) as i64, tv_nsec: (due % 1_000_000_000) as _ };
        // Interrupted or not: what counts is when it goes on.
        let _ = clock_nanosleep_absolute(ClockId::Boottime, &until);
        let now = boottime_ns();
        lags.push(now.saturating_sub(due) as f64 / 1e9);
        // As the pacer does: what was missed is not made up for in a burst.
        due += now.saturating_sub(due) / every * every;
    }
    lags
}
