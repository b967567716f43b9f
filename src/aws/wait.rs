//! Waiting for a resource to come into a state, in bounded time.

use std::time::Duration;

use rand::RngExt;
use tokio::time::{Instant, sleep};

use super::{Aws, Fault, FaultKind};

/// What one look showed.
pub(crate) enum Look<T> {
    /// What was waited for.
    There(T),
    /// Not yet; how things stand, for people.
    NotYet(String),
}

/// One wait: for what, of what, and for how long.
pub(crate) struct Wait<'a> {
    /// The call that looks, for messages: `rds:DescribeDBInstances`.
    pub(crate) operation: &'a str,
    /// What is looked at.
    pub(crate) resource: &'a str,
    /// What is waited for; fits after "waited for".
    pub(crate) what: &'a str,
    /// For how long at most.
    pub(crate) within: Duration,
}

impl Wait<'_> {
    /// Looks until `look` sees it. A look that fails for a passing reason counts as "not yet";
    /// any other fault ends the wait.
    pub(crate) async fn until<T, Fut>(
        &self,
        aws: &Aws,
        mut look: impl FnMut() -> Fut + Send,
    ) -> Result<T, Fault>
    where
        Fut: Future<Output = Result<Look<T>, Fault>> + Send,
    {
        let began = Instant::now();
        loop {
            let standing = match look().await {
                Ok(Look::There(value)) => return Ok(value),
                Ok(Look::NotYet(how)) => how,
                Err(fault) if fault.passing() => {
                    aws.note(format!("while waiting for {}: {fault}", self.what));
                    fault.to_string()
                }
                Err(fault) => return Err(fault),
            };
            let pause = jittered(aws.poll());
            if began.elapsed() + pause > self.within {
                return Err(Fault::new(
                    FaultKind::Late,
                    self.operation,
                    self.resource,
                    format!("waited {} s for {}; last seen: {standing}", self.within.as_secs(), self.what),
                    "look at the resource in the console; it may still get there",
                ));
            }
            sleep(pause).await;
        }
    }
}

/// Around `period`, so that many waits do not look in step.
pub(crate) fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::rng().random_range(0.8..1.2))
}
