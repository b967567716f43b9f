//! The lab: a small AWS region inside the process, with a real data plane on loopback.
//!
//! The control plane (`wire`, `ec2`, `elbv2`, `autoscaling`, `ecs`, `rds`, `route53`, `cloudwatch`, `sts`) speaks AWS's protocols to the
//! unmodified SDK clients; the data plane (load balancers, instances, tasks, databases, the DNS
//! server) is real sockets on addresses of the lab's own within 127.0.0.0/8. What is terminated
//! closes its sockets, and the `truth` says when.
//!
//! It imports nothing of firedrill but the clock: it must not share the engine's mistakes.

mod autoscaling;
mod balancer;
mod cloudwatch;
mod database;
mod ec2;
mod ecs;
mod elbv2;
mod iam;
mod plane;
mod rds;
mod region;
mod resolver;
mod route53;
mod ssm;
mod sts;
#[cfg(test)]
mod tests;
mod timing;
pub mod truth;
mod wire;
mod world;
mod zone;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub use self::cloudwatch::State as AlarmState;
use self::region::Region;
pub use self::timing::Timing;
pub use self::wire::Provocation;

/// How a lab is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Everything random is drawn from it.
    pub seed: u64,
    /// How long things take.
    pub timing: Timing,
}

/// Why a lab did not start.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// An address was taken, or may not be used.
    #[error(
        "the lab could not listen on {address}: {source} (it needs addresses within 127.0.0.0/8; \
         a program that listens on port {} of every address is in its way)", address.port()
    )]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// No stretch of addresses was free.
    #[error("the lab found no free /24 within 127.0.0.0/8: stop other labs first")]
    NoSubnet,
    /// The thread or its runtime could not be made.
    #[error("the lab could not start its thread: {0}")]
    Thread(std::io::Error),
    /// A part of the lab failed to start.
    #[error("the lab could not start {part}: {reason}")]
    Part {
        /// Which part.
        part: &'static str,
        /// What went wrong.
        reason: String,
    },
}

/// How long stopping may take.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// A running lab; it stops when dropped.
pub struct Lab {
    region: Region,
    timing: Timing,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab").field("endpoint", &self.region.endpoint).finish_non_exhaustive()
    }
}

impl Lab {
    /// Starts a lab on a thread of its own; when it returns, every listener is bound and everything is healthy.
    pub fn start(settings: Settings) -> Result<Lab, LabError> {
        let (started, starting) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let body = move || run(settings, &started, stopped);
        let thread =
            std::thread::Builder::new().name("lab".to_owned()).spawn(body).map_err(LabError::Thread)?;
        let ended = |_| LabError::Part { part: "its thread", reason: "it ended".to_owned() };
        let region = starting.recv().map_err(ended)??;
        Ok(Lab { region, timing: settings.timing, stop: Some(stop), thread: Some(thread) })
    }

    /// Where the SDK clients find the region.
    pub fn endpoint_url(&self) -> String {
        format!("http://{}", self.region.endpoint)
    }

    /// The DNS server that knows the region's names.
    pub fn resolver(&self) -> SocketAddr {
        self.region.resolver
    }

    /// Which region it is.
    pub fn region(&self) -> &str {
        world::REGION
    }

    /// How long things take in it.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Which account it belongs to.
    pub fn account(&self) -> &str {
        world::ACCOUNT
    }

    /// The values of the variables that the bundled experiments declare.
    pub fn values(&self) -> BTreeMap<String, String> {
        self.region.values.clone()
    }

    /// Which of these values are secret.
    pub fn secrets(&self) -> Vec<&'static str> {
        vec!["cluster_dsn", "orders_dsn", "orders_endpoint_dsn"]
    }

    /// What the lab knows to be true so far.
    pub fn truth(&self) -> truth::Account {
        self.region.world.truth.account()
    }

    /// Calls received so far, by operation; one with `DryRun` counts as `<operation>(DryRun)`.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.region.plane.calls()
    }

    /// Makes the calls of an operation, such as `TerminateInstances`, misbehave from now on.
    pub fn provoke(&self, operation: &str, provocation: Provocation) {
        self.region.plane.provoked.set(operation, provocation);
    }

    /// Says whether the primary of a failover record set is healthy: what its health check would find.
    pub fn set_primary_health(&self, record: &str, healthy: bool) {
        self.region.world.zone.set_primary_health(record, healthy);
    }

    /// Keeps a CloudWatch alarm in a state, whatever it watches; `None` lets it go on by itself.
    pub fn hold_alarm(&self, alarm: &str, state: Option<AlarmState>) {
        self.region.cloudwatch.hold(alarm, state);
    }

    /// Begins an instance refresh of the storefront's group, which does not end.
    pub fn begin_instance_refresh(&self) {
        self.region.group.refreshing.store(true, Ordering::SeqCst);
    }

    /// Gives the orders database a change that waits for its maintenance window.
    pub fn leave_change_pending(&self) {
        self.region.rds.leave_change_pending(rds::PRIMARY);
    }

    /// Sets how far the read replica of the orders database is behind.
    pub fn set_replica_lag(&self, lag: Duration) {
        self.region.rds.set_lag(rds::REPLICA, lag);
    }

    /// Stops the read replica of the orders database from receiving anything, or lets it go on.
    pub fn freeze_replica(&self, frozen: bool) {
        self.region.rds.freeze(rds::REPLICA, frozen);
    }

    /// For people: what there is and how to point an environment at it.
    pub fn describe(&self) -> String {
        let values = self.values();
        let values: String =
            values.iter().map(|(name, value)| format!("      {name}: \"{value}\"\n")).collect();
        format!(
            "The lab is a region of its own: {region}, account {account}.\n\n\
             endpoint   {endpoint}\n\
             keys       test / test (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)\n\
             resolver   {resolver} (the zone {domain}, over UDP and TCP)\n\n\
             In firedrill.yaml:\n\n\
             environments:\n  mine:\n    region: {region}\n    accounts: [\"{account}\"]\n    \
             endpoint_url: {endpoint}\n    resolver: {resolver}\n    values:\n{values}",
            region = self.region(),
            account = self.account(),
            endpoint = self.endpoint_url(),
            resolver = self.resolver(),
            domain = world::DOMAIN,
        )
    }

    /// Stops it: closes every socket and ends its thread, in bounded time.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It ends within STOP_WITHIN; a panic on it has been printed there.
            let _ = thread.join();
        }
    }
}

/// The lab's thread: its runtime lives and ends here.
fn run(
    settings: Settings,
    started: &std::sync::mpsc::Sender<Result<Region, LabError>>,
    stopped: oneshot::Receiver<()>,
) {
    let built =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("lab").enable_all().build();
    let runtime = match built {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(LabError::Thread(error)));
            return;
        }
    };
    let mut tasks = JoinSet::new();
    let region = runtime.block_on(Region::start(settings, &mut tasks));
    let running = region.is_ok();
    if started.send(region).is_ok() && running {
        // Either way of waking up (a message, or the sender gone) means the same.
        let _ = runtime.block_on(stopped);
    }
    drop(tasks);
    runtime.shutdown_timeout(STOP_WITHIN);
}
