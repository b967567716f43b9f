//! The measuring held against the truth, on the machine that it is to be done on.
//!
//! A child process, the *truth server*, goes down and up and says to the microsecond when; the
//! real prober watches it, the real timeline and measures say what they saw, and the two are
//! compared. Nothing here measures by itself.
//!
//! What the truth is: an outage lasts as long as a request *issued then* would not be answered
//! correctly. A request in flight at an edge may go either way, so the truth too is an interval: two
//! readings of the clock around the one system call that made the change. The client shares
//! nothing with the server but that clock (`CLOCK_BOOTTIME`, one for the whole machine).

pub mod compare;
mod pacing;
mod server;
pub mod text;
pub mod trial;
pub mod truth;

use serde::{Deserialize, Serialize};

/// How the truth server goes down.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody listens any more, and every connection is reset.
    Refuse,
    /// The serving process is stopped (SIGSTOP): the kernel goes on accepting connections, and nobody answers.
    /// What was asked meanwhile is answered afterwards.
    #[value(name = "blackhole")]
    BlackHole,
    /// Accepts, reads and answers nothing. What was asked meanwhile is answered afterwards.
    Hang,
    /// Every request is answered with 503.
    #[serde(rename = "503")]
    #[value(name = "503")]
    Unavailable,
    /// Every request is answered with 503 with a chance of one half.
    Partial,
    /// Refuses and serves in turn, a quarter of a second each. It ends with the last refusal.
    Flap,
    /// Never goes down.
    Plain,
}

impl Mode {
    /// The ways to go down, in the order they are reported.
    pub const FAULTS: [Mode; 6] =
        [Mode::Refuse, Mode::BlackHole, Mode::Hang, Mode::Unavailable, Mode::Partial, Mode::Flap];

    /// The mode's name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Refuse => "refuse",
            Mode::BlackHole => "blackhole",
            Mode::Hang => "hang",
            Mode::Unavailable => "503",
            Mode::Partial => "partial",
            Mode::Flap => "flap",
            Mode::Plain => "plain",
        }
    }

    /// Whether a request that is asked during the outage waits for its end instead of failing. With these a
    /// client cannot tell the outage from a slow answer before its own deadline.
    pub fn waits(self) -> bool {
        matches!(self, Mode::BlackHole | Mode::Hang)
    }
}

/// Two readings of the clock around a change, in nanoseconds of `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    /// Before the system call.
    pub lo: u64,
    /// After it.
    pub hi: u64,
}

/// One time of being down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// When it went down.
    pub down: Edge,
    /// When it came up again.
    pub up: Edge,
}

/// A line of what the truth server says on standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// It can be asked from now on.
    Listening {
        /// Where: `127.0.0.1:PORT`.
        listening: String,
    },
    /// An outage is over.
    Outage {
        /// Which, from 0.
        outage: u32,
        /// From its first going down to its last coming up.
        #[serde(flatten)]
        span: Down,
        /// When it was down in between, if it flapped.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flaps: Vec<Down>,
    },
    /// The server got no processor: a request asked then was not answered either, though nothing was broken.
    Starved {
        /// From when until when.
        starved: Edge,
    },
    /// All outages are over.
    Done {
        /// Always true.
        done: bool,
    },
}
