//! How late samples are sent, beside a bare thread that sleeps to the same spacing in the same seconds.
//!
//! The bare thread is the floor of this machine: nothing can be woken earlier than it is. The probe answers
//! at once, so that what is measured is the way from "due" to "asked": pacer, runtime, task.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use firedrill::clock::{Clock, Moment, boottime_ns};
use firedrill::probe::prober::{Prober, Seen};
use firedrill::probe::{Answer, Ask, Lane};
use firedrill::sample::Class;
use rustix::thread::{clock_nanosleep_absolute, set_current_timer_slack};
use rustix::time::{ClockId, Timespec};
use serde_json::json;

use super::Outcome;
use super::numbers::micros;

/// Answers at once.
struct AtOnce;

#[async_trait]
impl Ask for AtOnce {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let now = clock.now();
        Answer::good(now, now, 0)
    }

    fn deadline(&self) -> Duration {
        Duration::from_secs(1)
    }

    // It costs nothing, as an HTTP request without TLS nearly does.
    fn light(&self) -> bool {
        true
    }
}

/// Paces `rate` samples a second for so many seconds, both ways at once.
pub(crate) fn run(rate: u32, seconds: u32) -> Outcome {
    let every = Duration::from_secs(1) / rate.max(1);
    let count = u64::from(rate) * u64::from(seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let bare = thread::spawn(move || bare(every, count));
    let (lags, shed) = runtime.block_on(paced(every, Duration::from_secs(seconds.into())))?;
    let bare = bare.join().map_err(|_| "the bare thread failed")?;
    Ok(
        json!({ "rate": rate, "seconds": seconds, "bare": micros(bare), "firedrill": micros(lags), "shed": shed }),
    )
}

/// How late the prober's samples were sent, in nanoseconds, and how many were not.
async fn paced(every: Duration, time: Duration) -> std::io::Result<(Vec<u64>, u64)> {
    let (out, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let lane =
        Lane { name: "at once".to_owned(), every, edge_every: None, sentinel: false, ask: Arc::new(AtOnce) };
    let prober = Prober::start(vec![lane], Clock::start(), 7, out)?;
    tokio::time::sleep(time).await;
    prober.stop().await;
    let (mut lags, mut shed) = (Vec::new(), 0);
    while let Ok(seen) = seen.try_recv() {
        match seen {
            Seen::Sample(sample) if sample.class == Class::Shed => shed += 1,
            Seen::Sample(sample) => lags.push(lag(sample.scheduled, sample.sent)),
            _ => {}
        }
    }
    Ok((lags, shed))
}

fn lag(due: Moment, sent: Moment) -> u64 {
    u64::try_from(sent.since(due).as_nanos()).unwrap_or(u64::MAX)
}

/// How late a thread wakes that does nothing but sleep to absolute instants, in nanoseconds.
fn bare(every: Duration, count: u64) -> Vec<u64> {
    // As the pacer does.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let every = u64::try_from(every.as_nanos()).unwrap_or(u64::MAX);
    let start = boottime_ns() + every;
    let late = |index: u64| {
        let due = start + index * every;
        sleep_until(due);
        boottime_ns().saturating_sub(due)
    };
    (0..count).map(late).collect()
}

/// Sleeps until an instant of the boot-time clock, in nanoseconds.
pub(crate) fn sleep_until(due: u64) {
    let until = Timespec {
        tv_sec: i64::try_from(due / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (due % 1_000_000_000) as _,
    };
    while clock_nanosleep_absolute(ClockId::Boottime, &until).is_err() {}
}
