//! Misbehaviour on demand: what a test makes an operation do.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::lab::world::lock;

/// How the calls of an operation are to misbehave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provocation {
    /// The next this many calls are refused as too many; then all is well again.
    Throttle(u32),
    /// Never answers, and does nothing.
    Hang,
    /// Does what was asked, and never answers.
    HangAfter,
    /// Answers with status 500 and an HTML page, and does nothing.
    Html500,
    /// Refuses for lack of permission.
    AccessDenied,
    /// Behaves again.
    None,
}

/// What is provoked now, by operation.
#[derive(Default)]
pub(crate) struct Provoked(Mutex<BTreeMap<String, Provocation>>);

impl Provoked {
    pub(crate) fn set(&self, operation: &str, provocation: Provocation) {
        lock(&self.0).insert(operation.to_owned(), provocation);
    }

    /// What the next call of this operation is to do.
    pub(super) fn next(&self, operation: &str) -> Provocation {
        let mut provoked = lock(&self.0);
        match provoked.get_mut(operation) {
            Some(Provocation::Throttle(0)) | None => Provocation::None,
            Some(Provocation::Throttle(left)) => {
                *left -= 1;
                Provocation::Throttle(*left)
            }
            Some(other) => *other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_ends() {
        let provoked = Provoked::default();
        provoked.set("StopTask", Provocation::Throttle(2));
        assert_eq!(provoked.next("StopTask"), Provocation::Throttle(1));
        assert_eq!(provoked.next("Other"), Provocation::None);
        assert_eq!(provoked.next("StopTask"), Provocation::Throttle(0));
        assert_eq!(provoked.next("StopTask"), Provocation::None);
    }
}
