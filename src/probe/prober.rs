//! Asking every probe on its schedule, whatever the answers and whatever the rest of the program does.
//!
//! One thread of its own paces all lanes and asks what costs little; what costs more goes to a
//! runtime of its own. So neither the engine nor a lab in the same process can starve the probes. Where this process
//! itself stalled, it says so: what was seen then is nobody's outage.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use self::flights::Flights;
use super::{Ask, Lane};
use crate::clock::{Clock, Moment};
use crate::sample::{Cause, Sample};

mod flights;
mod itself;
mod pacer;
pub mod sentinel;

/// Threads that carry the probes' traffic.
const WORKERS: usize = 2;

/// What the prober reports.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A sample was decided. Those of one lane may be decided out of order.
    Sample(Sample),
    /// This process was stalled: what it saw in that time says nothing of the service.
    Stall {
        /// When it was last known to run.
        from: Moment,
        /// When it ran again.
        to: Moment,
        /// What noticed it.
        witness: String,
    },
    /// The first time that a probe failed for this cause, with the error's text.
    FirstError {
        /// The probe's index.
        probe: u16,
        /// The cause.
        cause: Cause,
        /// A line for people.
        text: String,
    },
    /// An idle connection, held beside a probe, ended.
    ConnectionLost {
        /// The probe's index.
        probe: u16,
        /// Whom it was with.
        peer: String,
        /// When it was surely alive.
        after: Moment,
        /// When it was found gone.
        lost: Moment,
        /// How it ended.
        how: String,
    },
    /// Something worth knowing of the prober itself.
    Noted {
        /// A line for people.
        text: String,
    },
    /// Somebody answered for the first time; the samples name them by this number.
    Identity {
        /// The number, from 1.
        identity: u16,
        /// Who.
        who: Arc<str>,
    },
}

/// Probes that are being asked.
pub struct Prober {
    stopping: Arc<AtomicBool>,
    abandoned: Arc<AtomicBool>,
    paced_out: oneshot::Receiver<Option<Histogram<u32>>>,
    threads: Vec<JoinHandle<()>>,
    runtime: Option<Runtime>,
    flights: Arc<Flights>,
}

impl Prober {
    /// Begins to ask. A sample's `probe` is the index of its lane; `seed` decides the jitter;
    /// everything seen goes to `out`.
    pub fn start(
        lanes: Vec<Lane>,
        clock: Clock,
        seed: u64,
        out: UnboundedSender<Seen>,
    ) -> io::Result<Prober> {
        Prober::start_beside(lanes, Vec::new(), clock, seed, out)
    }

    /// The same, with `references`: what is asked to tell an outage from this machine's own network
    /// being gone.
    pub fn start_beside(
        lanes: Vec<Lane>,
        references: Vec<Arc<dyn Ask>>,
        clock: Clock,
        seed: u64,
        out: UnboundedSender<Seen>,
    ) -> io::Result<Prober> {
        let runtime =
            Builder::new_multi_thread().worker_threads(WORKERS).thread_name("probe").enable_all().build()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let flights = Arc::new(Flights::new(lanes, clock, out));
        let abandoned = Arc::new(AtomicBool::new(false));
        let (ended, paced_out) = oneshot::channel();
        let pacer = pacer::Pacer {
            flights: flights.clone(),
            runtime: runtime.handle().clone(),
            stopping: stopping.clone(),
            abandoned: abandoned.clone(),
            seed,
        };
        if flights.lanes.iter().any(|lane| !lane.ask.light()) {
            // The pacer is asked about itself where it asks: on its own thread.
            runtime.spawn(pacer::watch_runtime(flights.clone(), stopping.clone()));
            runtime.spawn(itself::control(flights.clone(), stopping.clone()));
        }
        for (probe, lane) in (0u16..).zip(&flights.lanes) {
            if let Some(post) = lane.ask.post().filter(|_| lane.sentinel) {
                runtime.spawn(sentinel::stand(probe, post, flights.clone(), stopping.clone()));
            }
        }
        runtime.spawn(itself::references(references, flights.clone(), stopping.clone()));
        let clocks = {
            let (flights, stopping) = (flights.clone(), stopping.clone());
            thread::Builder::new().name("clocks".to_owned()).spawn(move || {
                itself::watch_clocks(&flights, &stopping);
            })?
        };
        let own = Builder::new_current_thread().enable_io().enable_time().build()?;
        let timer = {
            let _here = own.enter();
            pacer::Timer::new()?
        };
        let pacer = thread::Builder::new().name("pacer".to_owned()).spawn(move || {
            own.block_on(pacer.run_quietly(timer, ended));
            // Not waiting: a resolver of the system may be blocked for seconds.
            own.shutdown_background();
        })?;
        Ok(Prober {
            stopping,
            abandoned,
            paced_out,
            threads: vec![pacer, clocks],
            runtime: Some(runtime),
            flights,
        })
    }

    /// Schedules nothing more and waits for the samples in flight, little longer than the largest
    /// deadline. What is still in flight then is reported as ended.
    pub async fn stop(mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // An error means that the pacer is gone, which is as good.
        if let Ok(Some(lags)) = (&mut self.paced_out).await {
            self.flights.noted(paced(&lags));
        }
        let _ = tokio::time::timeout(self.flights.longest_flight(), self.flights.all_landed()).await;
        self.flights.end();
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.abandoned.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // They look at the flag at every turn, so this takes milliseconds. One that panicked
            // has nothing more to say.
            let _ = thread.join();
        }
        if let Some(runtime) = self.runtime.take() {
            // Not waiting: a resolver of the system may be blocked for seconds.
            runtime.shutdown_background();
        }
    }
}

/// How late the pacer woke, over the whole run.
fn paced(lags: &Histogram<u32>) -> String {
    let ms = |micros: u64| micros as f64 / 1e3;
    format!(
        "the pacer woke {} times: {:.3} ms late in the median, {:.3} ms at p99, {:.3} ms at most",
        lags.len(),
        ms(lags.value_at_quantile(0.5)),
        ms(lags.value_at_quantile(0.99)),
        ms(lags.max())
    )
}

/// The lag from which on this process counts as stalled: half of the shortest deadline at most, since a lag that
/// long may be all that a timeout is made of.
fn stall_threshold(lanes: &[Lane]) -> Duration {
    let spacing = lanes.iter().map(|lane| lane.every / 2).min().unwrap_or_default();
    let deadline = lanes.iter().map(|lane| lane.ask.deadline() / 2).min().unwrap_or(Duration::MAX);
    spacing.max(Duration::from_millis(50)).min(deadline.max(Duration::from_millis(5)))
}

#[cfg(test)]
mod tests;
