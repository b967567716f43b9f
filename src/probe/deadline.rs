//! Waiting with a limit, without blaming the service for the prober's own slowness.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use crate::clock::{Clock, Moment};

/// How long the last look may take: a turn of the event loop and of a connection's own task.
const LAST_LOOK: Duration = Duration::from_millis(2);

/// The outcome of `work`, or the instant at which `limit` was over.
///
/// When the timer fires there is one more look: after a stall of this process both the timer and
/// the answer can be due, and the answer was there first.
pub(crate) async fn within<F: Future>(limit: Duration, clock: &Clock, work: F) -> Result<F::Output, Moment> {
    let mut work = pin!(work);
    if let Ok(output) = tokio::time::timeout(limit, work.as_mut()).await {
        return Ok(output);
    }
    let over = clock.now();
    tokio::time::timeout(LAST_LOOK, work).await.map_err(|_| over)
}
