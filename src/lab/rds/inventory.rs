//! What there is: instances, clusters, tags and events, and the names that lead to them.

use jiff::Timestamp;

use super::fault;
use crate::lab::database::DatabaseId;
use crate::lab::wire::Fault;

/// A DB instance.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    pub(super) id: String,
    pub(super) resource_id: String,
    pub(super) engine: &'static str,
    pub(super) status: &'static str,
    /// The name that clients use.
    pub(super) endpoint: String,
    pub(super) database: DatabaseId,
    pub(super) database_name: String,
    /// The zone of each of the database's nodes.
    pub(super) zones: Vec<String>,
    /// The node that the endpoint leads to.
    pub(super) active: usize,
    pub(super) multi_az: bool,
    /// The instance that it replicates.
    pub(super) source: Option<String>,
    /// The cluster that it belongs to.
    pub(super) cluster: Option<String>,
    pub(super) created: Timestamp,
    pub(super) backup_retention: u32,
    /// The class that it is to get in its maintenance window.
    pub(super) pending_class: Option<&'static str>,
    pub(super) tags: Vec<(String, String)>,
}

impl Instance {
    /// The zone of the node that serves.
    pub(super) fn zone(&self) -> &str {
        self.zones.get(self.active).map_or("", String::as_str)
    }

    /// The zone of a Multi-AZ instance's standby.
    pub(super) fn secondary_zone(&self) -> Option<&str> {
        let other = 1usize.checked_sub(self.active)?;
        self.zones.get(other).map(String::as_str).filter(|_| self.multi_az)
    }
}

/// An Aurora cluster.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) id: String,
    pub(super) resource_id: String,
    pub(super) engine: &'static str,
    pub(super) status: &'static str,
    pub(super) endpoint: String,
    pub(super) reader_endpoint: String,
    pub(super) database: DatabaseId,
    pub(super) database_name: String,
    /// Instances, in the order of the database's nodes.
    pub(super) members: Vec<String>,
    /// Which of them writes.
    pub(super) writer: usize,
    pub(super) created: Timestamp,
    pub(super) tags: Vec<(String, String)>,
}

/// An entry of DescribeEvents.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) source: String,
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) category: &'static str,
    pub(super) at: Timestamp,
}

/// All that RDS knows of.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    pub(super) instances: Vec<Instance>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) events: Vec<Event>,
    /// How many changes were begun: the key that a change's durations are drawn with.
    pub(super) changes: u64,
}

impl Inventory {
    /// An instance by its identifier, in any case.
    pub(super) fn instance(&self, id: &str) -> Result<&Instance, Fault> {
        let found = self.instances.iter().find(|instance| instance.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| fault::no_instance(id))
    }

    /// The same, to be changed.
    pub(super) fn instance_mut(&mut self, id: &str) -> Result<&mut Instance, Fault> {
        let found = self.instances.iter_mut().find(|instance| instance.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| fault::no_instance(id))
    }

    /// A cluster by its identifier.
    pub(super) fn cluster(&self, id: &str) -> Result<&Cluster, Fault> {
        let found = self.clusters.iter().find(|cluster| cluster.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| fault::no_cluster(id))
    }

    /// The same, to be changed.
    pub(super) fn cluster_mut(&mut self, id: &str) -> Result<&mut Cluster, Fault> {
        let found = self.clusters.iter_mut().find(|cluster| cluster.id.eq_ignore_ascii_case(id));
        found.ok_or_else(|| fault::no_cluster(id))
    }

    /// The instances that replicate `id`.
    pub(super) fn replicas(&self, id: &str) -> Vec<&str> {
        let replicas = self.instances.iter().filter(|instance| instance.source.as_deref() == Some(id));
        replicas.map(|instance| instance.id.as_str()).collect()
    }
}
