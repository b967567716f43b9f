//! What a probe saw, once: the record that every measure is made of.
//!
//! Definitions and letters are those of the measurement reference: a sample is *scheduled* at
//! `s`, *sent* at `a`, and *done* at `c`. This module is data only: it probes nothing and judges
//! nothing.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Moment;

/// The outcome of one sample; exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Class {
    /// Answered in time, and the answer was the expected one. A write: acknowledged.
    Ok = 0,
    /// The expected answer, but later than the probe's latency limit.
    Slow = 1,
    /// A definite failure, known at once: refused, reset before sending, NXDOMAIN, 5xx, wrong role.
    /// A write: it certainly did not take effect.
    FailFast = 2,
    /// No answer by the deadline.
    Timeout = 3,
    /// Answered, but wrongly: unexpected status, body, address or role.
    Wrong = 4,
    /// A write whose effect is unknown: sent, and never answered for certain.
    Info = 5,
    /// Never sent: too many in flight, or the pacer was too late. Neither up nor down.
    Shed = 6,
    /// A fault of the prober's own machine (no file descriptors, no ports). Neither up nor down.
    #[default]
    Void = 7,
}

impl Class {
    /// All classes, in the order of their codes.
    pub const ALL: [Class; 8] = [
        Class::Ok,
        Class::Slow,
        Class::FailFast,
        Class::Timeout,
        Class::Wrong,
        Class::Info,
        Class::Shed,
        Class::Void,
    ];

    /// Whether the sample counts as served.
    pub fn good(self) -> bool {
        self == Class::Ok
    }

    /// Whether the sample counts as not served.
    pub fn bad(self) -> bool {
        !self.good() && self.counted()
    }

    /// Whether the sample says anything about the service at all.
    pub fn counted(self) -> bool {
        !matches!(self, Class::Shed | Class::Void)
    }
}

/// Why a sample was bad: few kinds, so that they can be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Cause {
    /// Nothing was wrong.
    #[default]
    None = 0,
    /// The name did not resolve: NXDOMAIN, SERVFAIL, no answer from the resolver.
    Dns = 1,
    /// The connection was refused.
    Refused = 2,
    /// No route, or an ICMP rejection.
    Unreachable = 3,
    /// The connect deadline passed.
    ConnectTimeout = 4,
    /// The TLS handshake failed.
    Tls = 5,
    /// The connection was reset or closed before an answer.
    Reset = 6,
    /// The answer deadline passed.
    Timeout = 7,
    /// An HTTP status that was not expected, below 500.
    Status = 8,
    /// An HTTP status of 500 or above.
    ServerError = 9,
    /// A body, header or DNS answer that was not expected.
    Content = 10,
    /// The server answered but is not the writer.
    ReadOnly = 11,
    /// The server said that it cannot serve now (starting, shutting down, too many clients).
    Unavailable = 12,
    /// The server refused the credentials or the database.
    Denied = 13,
    /// Any other protocol error.
    Protocol = 14,
    /// The prober's own machine: no descriptors, no ports, no memory.
    Local = 15,
    /// The in-flight cap was reached.
    InFlight = 16,
    /// The pacer was late, and a newer sample was due.
    Late = 17,
    /// The run ended while the sample was in flight.
    Ended = 18,
}

impl Cause {
    /// All causes, in the order of their codes.
    pub const ALL: [Cause; 19] = [
        Cause::None,
        Cause::Dns,
        Cause::Refused,
        Cause::Unreachable,
        Cause::ConnectTimeout,
        Cause::Tls,
        Cause::Reset,
        Cause::Timeout,
        Cause::Status,
        Cause::ServerError,
        Cause::Content,
        Cause::ReadOnly,
        Cause::Unavailable,
        Cause::Denied,
        Cause::Protocol,
        Cause::Local,
        Cause::InFlight,
        Cause::Late,
        Cause::Ended,
    ];

    /// The cause's name in reports, as in `report.json`.
    pub fn name(self) -> &'static str {
        match self {
            Cause::None => "none",
            Cause::Dns => "dns",
            Cause::Refused => "refused",
            Cause::Unreachable => "unreachable",
            Cause::ConnectTimeout => "connect_timeout",
            Cause::Tls => "tls",
            Cause::Reset => "reset",
            Cause::Timeout => "timeout",
            Cause::Status => "status",
            Cause::ServerError => "server_error",
            Cause::Content => "content",
            Cause::ReadOnly => "read_only",
            Cause::Unavailable => "unavailable",
            Cause::Denied => "denied",
            Cause::Protocol => "protocol",
            Cause::Local => "local",
            Cause::InFlight => "in_flight",
            Cause::Late => "late",
            Cause::Ended => "ended",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a sample was taken: only those on the schedule are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Mark {
    /// On the probe's schedule.
    #[default]
    Base = 0,
    /// Asked in between, during an outage, to date its end more closely: never in availability,
    /// never in latency.
    Edge = 1,
    /// Not a sample of its own but a postscript: the answer to the timed-out sample of this number
    /// came after all, at `done`. Never evidence of anything else.
    Late = 2,
}

impl Mark {
    /// All marks, in the order of their codes.
    pub const ALL: [Mark; 3] = [Mark::Base, Mark::Edge, Mark::Late];
}

/// How long the parts of one asking took, in microseconds; 0 for a part that there was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Resolving the name.
    pub dns: u32,
    /// From the SYN until the connection stood.
    pub connect: u32,
    /// The TLS handshake.
    pub tls: u32,
    /// From the request's sending to the answer's first byte.
    pub first_byte: u32,
}

/// One sample of one probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Which probe: its index in the journal header's list.
    pub probe: u16,
    /// The number of the sample in its probe, from 0. A ledger's write carries this number.
    pub seq: u32,
    /// When it was due: `t0 + seq·every` (plus the pacer's jitter).
    pub scheduled: Moment,
    /// When its first byte or SYN was sent; `scheduled` for one never sent.
    pub sent: Moment,
    /// When it was decided: last needed byte, error, or deadline.
    pub done: Moment,
    /// The outcome.
    pub class: Class,
    /// Why, when it was not good.
    pub cause: Cause,
    /// The protocol's own code where it has one (HTTP status, DNS response code), else 0.
    pub code: u16,
    /// Who answered, as the journal's `identity_met` events number them; 0 when nobody said.
    pub identity: u16,
    /// Why it was taken.
    pub mark: Mark,
    /// How long its parts took.
    pub phases: Phases,
}

impl Sample {
    /// The same in whole microseconds, as it is kept: sent no later and done no earlier than it was.
    #[must_use]
    pub fn rounded(self) -> Sample {
        let (lag, total) = self.micros();
        let sent = self.scheduled.plus(Duration::from_micros(u64::from(lag)));
        Sample { sent, done: sent.plus(Duration::from_micros(u64::from(total))), ..self }
    }

    /// From scheduled to sent, rounded down, and from there to done, rounded up, in microseconds.
    /// More than 71 minutes are not told apart: nothing but a suspended machine takes so long.
    pub(crate) fn micros(&self) -> (u32, u32) {
        let lag = u32::try_from(self.sent.since(self.scheduled).as_micros()).unwrap_or(u32::MAX);
        let sent = self.scheduled.plus(Duration::from_micros(u64::from(lag)));
        let total = self.done.since(sent).as_nanos().div_ceil(1000);
        (lag, u32::try_from(total).unwrap_or(u32::MAX))
    }

    /// Response time from the *scheduled* instant, in seconds: free of coordinated omission.
    pub fn response_time(&self) -> f64 {
        self.done - self.scheduled
    }
}
