//! Connections that outlive a sample, for the stores' probes: what the word `connection` means.
//!
//! Samples overlap when the service is slow, so there can be several; each serves one sample at
//! a time. Nothing here connects, and nothing here ever repeats what failed.

use std::sync::{Mutex, PoisonError};

use super::http::Connection;

/// The connections between two samples.
pub(crate) struct Kept<S> {
    connection: Connection,
    idle: Mutex<Vec<S>>,
}

impl<S> Kept<S> {
    pub(crate) fn new(connection: Connection) -> Kept<S> {
        Kept { connection, idle: Mutex::new(Vec::new()) }
    }

    /// The connection that was used last, if there is one to go on with.
    pub(crate) fn take(&self) -> Option<S> {
        self.lock().pop()
    }

    /// Ends a sample: `session` is there when the connection still works, `good` says what
    /// the sample was. Gives back what is to be closed.
    pub(crate) fn end(&self, session: Option<S>, good: bool) -> Vec<S> {
        let mut idle = self.lock();
        match self.connection {
            Connection::Fresh => session.into_iter().collect(),
            Connection::Reconnect if !good => idle.drain(..).chain(session).collect(),
            Connection::Kept | Connection::Reconnect => {
                idle.extend(session);
                Vec::new()
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<S>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_client_goes_on_with_nothing() {
        let kept = Kept::new(Connection::Fresh);
        assert_eq!(kept.end(Some(1), true), [1]);
        assert_eq!(kept.take(), None);
    }

    #[test]
    fn a_keeping_client_goes_on_with_what_answers_badly() {
        let kept = Kept::new(Connection::Kept);
        assert!(kept.end(Some(1), false).is_empty());
        assert_eq!(kept.take(), Some(1));
        assert!(kept.end(None, false).is_empty());
        assert_eq!(kept.take(), None);
    }

    #[test]
    fn a_reconnecting_client_drops_all_after_a_bad_answer() {
        let kept = Kept::new(Connection::Reconnect);
        assert!(kept.end(Some(1), true).is_empty());
        assert_eq!(kept.end(Some(2), false), [1, 2]);
        assert_eq!(kept.take(), None);
    }
}
