//! Ctrl-C and SIGTERM, as a stream of requests to stop.

use std::io;

use futures::FutureExt;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a person at the terminal sends.
pub const CTRL_C: &str = "Ctrl-C";

/// Listens for the signals that ask a run to stop.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Takes the signals over: from here on they no longer end the process.
    ///
    /// # Errors
    /// The system refused the handlers.
    pub fn listen() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The name of one that came in the meantime, if one did.
    pub fn pending(&mut self) -> Option<&'static str> {
        self.next().now_or_never()
    }

    /// The next one's name. Cancel safe.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => CTRL_C,
            _ = self.terminate.recv() => "SIGTERM",
            // A closed terminal must not leave a fault behind.
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}
