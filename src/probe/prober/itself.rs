//! The prober's eye on itself and on its own machine.
//!
//! What looks like an outage may be this process not running, its machine starved, or its own
//! network gone. Each witness here asks something whose answer is known to be good: a clock, a
//! server in this very process, addresses that have nothing to do with the drill. While one of
//! them fails, a bad sample proves nothing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::flights::Flights;
use super::pacer::sleep_until;
use crate::clock::{Moment, Triple};
use crate::probe::Ask;
use crate::probe::http::ask::HttpAsk;

/// How often the clocks are compared.
const SECOND: Duration = Duration::from_secs(1);
/// Spacing of the control and reference samples.
const CONTROL: Duration = Duration::from_millis(250);
const REFERENCE: Duration = Duration::from_millis(500);
/// A jump between two clocks that is none of their reading's own error.
const SUSPENDED: i64 = 20_000_000;
const STEPPED: i64 = 50_000_000;

/// Compares the clocks once a second, on a thread of its own.
pub(super) fn watch_clocks(flights: &Flights, stopping: &AtomicBool) {
    let clock = flights.clock;
    let (mut before, mut seen) = (Triple::now(), clock.now());
    let mut wake = seen;
    while !stopping.load(Ordering::SeqCst) {
        // Short turns, so that the end of the run is not waited for.
        wake = wake.plus(SECOND / 4).max(clock.now());
        sleep_until(&clock, wake);
        let (now, at) = (Triple::now(), clock.now());
        if now.suspended_since(&before) > SUSPENDED {
            flights.stalled(seen, at, "suspend");
        }
        let stepped = now.stepped_since(&before);
        if stepped.abs() > STEPPED {
            flights.noted(format!(
                "this machine's wall clock was set {} by {:.3} s; durations are taken from another clock and stay true",
                if stepped > 0 { "forward" } else { "back" },
                stepped.unsigned_abs() as f64 / 1e9
            ));
        }
        (before, seen) = (now, at);
    }
}

/// A server in this process, asked on the same runtime and by the same code as any other: it answers
/// at once unless this process or its machine does not get to it.
pub(super) async fn control(flights: Arc<Flights>, stopping: Arc<AtomicBool>) {
    let Ok(listener) = TcpListener::bind(("127.0.0.1", 0)).await else { return };
    let Ok(address) = listener.local_addr() else { return };
    let Ok(ask) = HttpAsk::control(address) else { return };
    let serving = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            // A client that went away has had its answer or does not want one.
            if stream.read(&mut request).await.is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                let _ = stream.write_all(answer).await;
            }
        }
    });
    let clock = flights.clock;
    while !stopping.load(Ordering::SeqCst) {
        let answer = ask.ask(0, &clock).await;
        let took = answer.done.since(answer.sent);
        if !answer.class.good() || took > flights.stall_threshold {
            flights.stalled(answer.sent, answer.done, "control");
        }
        tokio::time::sleep(CONTROL).await;
    }
    serving.abort();
}

/// Asks addresses that have nothing to do with the drill. When all of them are silent at once, it is
/// this machine's network that is gone.
pub(super) async fn references(asks: Vec<Arc<dyn Ask>>, flights: Arc<Flights>, stopping: Arc<AtomicBool>) {
    let clock = flights.clock;
    let mut last_good = clock.now();
    let mut alone: Option<Moment> = None;
    while !stopping.load(Ordering::SeqCst) && !asks.is_empty() {
        let begun = clock.now();
        let answers = futures::future::join_all(asks.iter().map(|ask| ask.ask(0, &clock))).await;
        if answers.iter().any(|answer| answer.class.good()) {
            if alone.take().is_some() {
                flights.stalled(last_good, clock.now(), "references");
            }
            last_good = begun;
        } else {
            // Told again while it lasts: a run may end in the middle of it.
            alone = Some(begun);
            flights.stalled(last_good, clock.now(), "references");
        }
        tokio::time::sleep(REFERENCE).await;
    }
}

/// What this machine was doing, from the kernel's own counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Machine {
    at: Moment,
    steal: u64,
    all: u64,
    pressure: Option<u64>,
}

impl Machine {
    pub(super) fn now(at: Moment) -> Machine {
        let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = first.split_whitespace().skip(1).filter_map(|tick| tick.parse().ok()).collect();
        let pressure = std::fs::read_to_string("/proc/pressure/cpu").ok().and_then(|text| {
            let total = text.lines().next()?.split("total=").nth(1)?;
            total.trim().parse().ok()
        });
        Machine {
            at,
            steal: ticks.get(7).copied().unwrap_or_default(),
            all: ticks.iter().take(8).sum(),
            pressure,
        }
    }

    /// What happened between an earlier reading and this one.
    pub(super) fn since(self, before: Machine) -> Strain {
        let share = |part: u64, of: u64| if of == 0 { 0.0 } else { part as f64 / of as f64 };
        let time = self.at.since(before.at).as_micros() as u64;
        Strain {
            steal: share(self.steal.saturating_sub(before.steal), self.all.saturating_sub(before.all)),
            pressure: self
                .pressure
                .zip(before.pressure)
                .map(|(now, then)| share(now.saturating_sub(then), time).min(1.0)),
        }
    }
}

/// How much of the time this machine could not do what it was to do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strain {
    steal: f64,
    pressure: Option<f64>,
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "steal {:.0} %", self.steal * 100.0)?;
        match self.pressure {
            Some(pressure) => write!(f, ", processor pressure {:.0} %", pressure * 100.0),
            None => Ok(()),
        }
    }
}
