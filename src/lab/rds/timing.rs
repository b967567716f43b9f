//! How long RDS takes over things, as published and scaled down.
//!
//! A failover is a sum of parts (the call's effect, the detector's next look, the standby's
//! recovery, DNS), so that its length depends on where in the detector's period it falls.

use std::time::Duration;

use crate::clock::boottime_ns;
use crate::lab::timing::{Pace, Span};

/// From an accepted call to its effect.
pub(super) const EFFECT: Span = Span::new("rds effect", (3.0, 10.0), (0.2, 0.4));
/// A Multi-AZ standby's recovery until it accepts writes.
pub(super) const STANDBY_RECOVERY: Span = Span::new("rds standby recovery", (30.0, 75.0), (1.3, 2.8));
/// From there to the endpoint's new address.
pub(super) const DNS: Span = Span::new("rds dns", (5.0, 15.0), (0.4, 0.9));
/// From there to the end of the failover as the control plane sees it.
pub(super) const SETTLE: Span = Span::new("rds settle", (5.0, 20.0), (0.2, 0.5));
/// Until the old primary is a standby again.
pub(super) const REJOIN: Span = Span::new("rds rejoin", (60.0, 180.0), (0.5, 1.0));
/// A crash recovery without a failover: longer than a promotion.
pub(super) const CRASH_RECOVERY: Span = Span::new("rds crash recovery", (660.0, 900.0), (9.3, 11.7));
/// A promoted read replica's restart.
pub(super) const PROMOTION: Span = Span::new("rds promotion", (180.0, 600.0), (1.5, 2.1));
/// The backup after a promotion, with the instance already serving.
pub(super) const BACKUP: Span = Span::new("rds backup", (60.0, 180.0), (0.2, 0.4));
/// Stopping an instance after its sockets are closed, or starting it.
pub(super) const STOP: Span = Span::new("rds stop", (60.0, 300.0), (0.6, 1.2));
/// Until the new writer of an Aurora cluster accepts writes.
pub(super) const CLUSTER_FAILOVER: Span = Span::new("rds cluster failover", (8.0, 20.0), (0.8, 1.6));
/// How far an asynchronous replica is behind.
pub(super) const LAG: Span = Span::new("rds replica lag", (2.0, 5.0), (0.45, 0.55));
/// How often the detector looks at a primary.
const DETECTOR_PERIOD: Span = Span::new("rds detector period", (9.0, 11.0), (0.38, 0.42));
/// How many failed looks in a row make a primary dead.
const DETECTOR_LOOKS: u64 = 2;

/// What looks at primaries, from the start of the lab on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detector {
    period: u64,
    zero: u64,
}

impl Detector {
    /// A detector that looked for the last time a part of its period ago.
    pub(super) fn start(pace: &Pace) -> Detector {
        let period = nanos(pace.draw(DETECTOR_PERIOD, ""));
        let phase = pace.fraction("rds detector phase", "") * period as f64;
        Detector { period: period.max(1), zero: boottime_ns().saturating_sub(phase as u64) }
    }

    /// From now until it has looked often enough in vain.
    pub(super) fn detection(self) -> Duration {
        let since = boottime_ns().saturating_sub(self.zero);
        let next = self.period - since % self.period;
        Duration::from_nanos(next + self.period * (DETECTOR_LOOKS - 1))
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
