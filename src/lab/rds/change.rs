//! Changes over time: failovers, restarts, promotions.
//!
//! A call is answered at once; what follows runs here, moves the data plane, the names and the
//! statuses, and writes the events. The truth follows from the data plane and the names.

use std::io;
use std::time::Duration;

use super::Rds;
use super::timing::{
    BACKUP, CLUSTER_FAILOVER, CRASH_RECOVERY, DNS, EFFECT, PROMOTION, REJOIN, SETTLE, STANDBY_RECOVERY, STOP,
};
use crate::lab::database::{DatabaseId, Phase};
use crate::lab::timing::Span;

/// The share of a crash recovery in which the node already listens and says 57P03.
const STARTING_SHARE: f64 = 0.25;
const INSTANCE: &str = "db-instance";
const CLUSTER: &str = "db-cluster";

/// One change of one resource.
pub(super) struct Change {
    pub(super) rds: Rds,
    /// The instance or cluster.
    pub(super) id: String,
    /// What its durations are drawn with.
    pub(super) key: String,
}

impl Change {
    async fn pause(&self, span: Span) {
        tokio::time::sleep(self.rds.inner.lab.pace.draw(span, &self.key)).await;
    }

    fn status(&self, status: &'static str) {
        if let Ok(instance) = self.rds.inventory().instance_mut(&self.id) {
            self.rds.told("db_status", &self.id, status);
            instance.status = status;
        }
    }

    fn event(&self, kind: &'static str, category: &'static str, message: impl Into<String>) {
        self.rds.event(&self.id, kind, category, message.into());
    }

    /// The instance's database, the node that serves, and the endpoint's name.
    fn place(&self) -> Option<(DatabaseId, usize, String)> {
        let inventory = self.rds.inventory();
        let instance = inventory.instance(&self.id).ok()?;
        Some((instance.database, instance.active, instance.endpoint.clone()))
    }

    /// A port that is taken by another program for a moment must not end a recovery.
    async fn start_node(&self, database: DatabaseId, node: usize, phase: Phase) {
        for attempt in 0..50 {
            match self.rds.start_node(database, node, phase).await {
                Ok(()) => return,
                Err(error) => self.failed(attempt, &error),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn failed(&self, attempt: u32, error: &io::Error) {
        if attempt == 0 {
            self.rds.inner.lab.truth.event(format!("{}: cannot listen: {error}", self.id));
        }
    }

    /// The primary of a Multi-AZ instance dies and its standby takes over.
    pub(super) async fn fail_over(self) {
        let Some((database, old, endpoint)) = self.place() else { return };
        let new = 1 - old;
        self.pause(EFFECT).await;
        self.event(INSTANCE, "failover", "Multi-AZ instance failover started.");
        let at = self.rds.stop_node(database, old, false).await;
        let databases = &self.rds.inner.databases;
        databases.set_writer(database, None);
        databases.drop_out(database, old);
        tokio::time::sleep(self.rds.inner.detector.detection()).await;
        self.pause(STANDBY_RECOVERY).await;
        databases.set_writer(database, Some(new));
        self.start_node(database, new, Phase::Open).await;
        self.event(INSTANCE, "availability", "DB instance restarted");
        self.rds.inner.lab.truth.lost(&self.id, 0, at);
        self.pause(DNS).await;
        self.rds.point(&endpoint, database, new);
        self.pause(SETTLE).await;
        if let Ok(instance) = self.rds.inventory().instance_mut(&self.id) {
            instance.active = new;
            self.rds.told("db_zone", &self.id, instance.zone());
        }
        self.event(INSTANCE, "failover", "The user requested a failover of the DB instance.");
        self.event(INSTANCE, "failover", "Multi-AZ instance failover completed");
        self.status("available");
        self.pause(REJOIN).await;
        databases.rejoin(database, old);
    }

    /// A restart without a failover, with a crash recovery that takes its time.
    pub(super) async fn reboot(self) {
        let Some((database, node, _)) = self.place() else { return };
        self.pause(EFFECT).await;
        let recovery = self.rds.inner.lab.pace.draw(CRASH_RECOVERY, &self.key);
        self.event(INSTANCE, "availability", "DB instance shutdown");
        self.rds.stop_node(database, node, true).await;
        tokio::time::sleep(recovery.mul_f64(1.0 - STARTING_SHARE)).await;
        self.start_node(database, node, Phase::Starting).await;
        tokio::time::sleep(recovery.mul_f64(STARTING_SHARE)).await;
        self.rds.open_node(database, node);
        self.event(INSTANCE, "availability", "DB instance restarted");
        self.pause(SETTLE).await;
        self.status("available");
    }

    /// Stops an instance until it is started.
    pub(super) async fn stop(self) {
        let Some((database, node, _)) = self.place() else { return };
        self.pause(EFFECT).await;
        self.event(INSTANCE, "availability", "DB instance shutdown");
        self.rds.stop_node(database, node, true).await;
        self.pause(STOP).await;
        self.event(INSTANCE, "notification", "DB instance stopped");
        self.status("stopped");
    }

    /// Starts a stopped instance.
    pub(super) async fn start(self) {
        let Some((database, node, _)) = self.place() else { return };
        self.pause(STOP).await;
        self.start_node(database, node, Phase::Open).await;
        self.event(INSTANCE, "notification", "DB instance started");
        self.pause(SETTLE).await;
        self.status("available");
    }

    /// A read replica that no longer replicates becomes an instance of its own.
    pub(super) async fn promote(self) {
        let Some((database, node, _)) = self.place() else { return };
        self.event(INSTANCE, "read replica", "Replication on read replica was terminated");
        self.pause(EFFECT).await;
        self.status("rebooting");
        self.rds.stop_node(database, node, true).await;
        self.pause(PROMOTION).await;
        self.rds.inner.databases.set_writer(database, Some(node));
        self.start_node(database, node, Phase::Open).await;
        self.event(INSTANCE, "availability", "DB instance restarted");
        if let Ok(instance) = self.rds.inventory().instance_mut(&self.id) {
            instance.source = None;
            instance.status = "backing-up";
            self.rds.told("db_source", &self.id, "none");
            self.rds.told("db_status", &self.id, "backing-up");
        }
        self.event(INSTANCE, "backup", "Backing up DB instance");
        self.pause(BACKUP).await;
        self.event(INSTANCE, "backup", "Finished DB Instance backup");
        self.status("available");
    }

    /// A reader of an Aurora cluster becomes its writer.
    pub(super) async fn fail_cluster_over(self, new: usize) {
        let Ok(cluster) = self.rds.inventory().cluster(&self.id).cloned() else { return };
        let (database, old) = (cluster.database, cluster.writer);
        let target = cluster.members.get(new).cloned().unwrap_or_default();
        self.pause(EFFECT).await;
        self.event(CLUSTER, "failover", format!("Started cross AZ failover to DB instance: {target}"));
        self.rds.stop_node(database, old, false).await;
        self.rds.inner.databases.set_writer(database, None);
        self.rds.stop_node(database, new, true).await;
        self.pause(CLUSTER_FAILOVER).await;
        self.rds.inner.databases.set_writer(database, Some(new));
        self.start_node(database, new, Phase::Open).await;
        self.pause(DNS).await;
        self.rds.point(&cluster.endpoint, database, new);
        self.rds.point(&cluster.reader_endpoint, database, old);
        self.start_node(database, old, Phase::Open).await;
        if let Ok(cluster) = self.rds.inventory().cluster_mut(&self.id) {
            cluster.writer = new;
            self.rds.told("db_writer", &self.id, &target);
        }
        self.event(CLUSTER, "failover", format!("Completed failover to DB instance: {target}"));
        self.pause(SETTLE).await;
        if let Ok(cluster) = self.rds.inventory().cluster_mut(&self.id) {
            cluster.status = "available";
            self.rds.told("db_status", &self.id, "available");
        }
        for member in &cluster.members {
            if let Ok(instance) = self.rds.inventory().instance_mut(member) {
                instance.status = "available";
            }
        }
    }
}
