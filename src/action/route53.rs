//! Actions on Route 53 records.

use indexmap::IndexMap;

use crate::notation::decode::{Problem, Spanned};
use crate::notation::yaml::Span;
use crate::record;

record! {
    /// Moves a record's traffic elsewhere: to other values, to other weights, or from the PRIMARY of a
    /// failover pair to its SECONDARY. Undone by restoring the exact record sets. Exactly one of
    /// `values`, `weights` and `swap_failover` is needed. Clients follow when the TTL that they saw
    /// has passed.
    pub struct FlipRecord {
        /// The name of a `route53.record` target.
        pub target: Spanned<String>,
        /// The values that replace the record's present ones.
        pub values: Option<Vec<String>>,
        /// The new weight, from 0 to 255, of each named record set (its `SetIdentifier`).
        pub weights: Option<IndexMap<String, u8>>,
        /// Makes the SECONDARY of a failover pair the PRIMARY, and the other way round.
        pub swap_failover: Option<bool>,
        /// The TTL in seconds of the changed record sets; unchanged when left out.
        pub ttl: Option<u32>,
    }
}

impl FlipRecord {
    pub(super) fn lint(&self, place: Span) -> Vec<Problem> {
        let mut problems = Vec::new();
        let given = [self.values.is_some(), self.weights.is_some(), self.swap_failover == Some(true)];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 => problems.push(
                Problem::new(place, "the record is to be flipped, but not to what")
                    .label("`values`, `weights` or `swap_failover: true` is needed here"),
            ),
            _ => problems.push(
                Problem::new(place, "more than one of `values`, `weights` and `swap_failover` is given")
                    .label("exactly one is needed")
                    .help("use one step for each"),
            ),
        }
        if self.values.as_ref().is_some_and(Vec::is_empty) {
            problems
                .push(Problem::new(place, "`values` is empty").label("a record needs at least one value"));
        }
        if self.weights.as_ref().is_some_and(IndexMap::is_empty) {
            problems.push(
                Problem::new(place, "`weights` is empty").label("a SetIdentifier and its weight are needed"),
            );
        }
        problems
    }
}
