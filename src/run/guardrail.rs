//! Guardrails: the rules that stop a run and undo it.
//!
//! Evaluated by the conductor at least every second, from its own state alone.

use std::time::Duration;

use super::health::Health;
use crate::clock::Moment;

/// A rule, with the words it was written in.
#[derive(Clone, Debug)]
pub struct Guardrail {
    /// As people see it: `elapsed: 15m`, `storefront down_for: 5m`.
    pub rule: String,
    /// What it watches.
    pub watch: Watch,
}

/// What a guardrail watches.
#[derive(Clone, Debug)]
pub enum Watch {
    /// The whole run has taken this long.
    Elapsed(Duration),
    /// A probe has been in an outage for this long.
    DownFor {
        /// The probe's index.
        probe: usize,
        /// The limit.
        limit: Duration,
    },
}

impl Guardrail {
    /// Whether it is time to stop.
    pub fn tripped(&self, now: Moment, health: &[Health]) -> bool {
        match &self.watch {
            Watch::Elapsed(limit) => now.since(Moment::ZERO) >= *limit,
            Watch::DownFor { probe, limit } => health
                .get(*probe)
                .and_then(Health::down_since)
                .is_some_and(|since| now.since(since) >= *limit),
        }
    }
}
