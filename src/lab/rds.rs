//! The lab's RDS: its control plane over the lab's databases.
//!
//! A call is checked and answered at once (`call`), and what it starts runs on (`change`). What
//! there is stands in `inventory`; how it looks on the wire, in `shape`. The data plane is
//! `database`; which names and addresses work is told to the lab's zone, from which the truth
//! about outages follows.

mod call;
mod change;
mod fault;
mod inventory;
mod shape;
#[cfg(test)]
mod tests;
mod timing;

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;

use self::change::Change;
use self::inventory::{Cluster, Event, Instance, Inventory};
use self::timing::{Detector, LAG};
use super::database::{Credentials, DatabaseId, Databases, Phase, SqlFault};
use super::wire::{Answer, Call, Fault, Protocol, Service};
use super::world::{ACCOUNT, REGION, World, ZONES, host, lock};

/// The Multi-AZ instance.
pub(crate) const PRIMARY: &str = "orders-db";
/// Its asynchronous read replica.
pub(crate) const REPLICA: &str = "orders-db-replica";
/// The Aurora cluster.
pub(crate) const CLUSTER: &str = "catalog";
/// The database on the Multi-AZ instance.
pub(crate) const ORDERS: &str = "orders";
/// How long an endpoint's address may be cached, in seconds.
const ENDPOINT_TTL: u32 = 1;
/// From a commit to its answer.
const COMMIT_DELAY: Duration = Duration::from_millis(1);

/// Why the lab's databases cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// An address is taken.
    #[error("a database node cannot listen on {address}: {error}")]
    Listen {
        /// The node's address.
        address: Ipv4Addr,
        /// Why.
        error: io::Error,
    },
    /// SQLite refused.
    #[error("a database cannot be opened: {0}")]
    Open(#[from] SqlFault),
}

struct Inner {
    lab: World,
    databases: Databases,
    inventory: Mutex<Inventory>,
    detector: Detector,
    user: String,
}

/// The lab's RDS. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Rds {
    inner: Arc<Inner>,
}

/// Where resources are, and when they are looked at.
struct Place {
    user: String,
    now: Timestamp,
    databases: Databases,
}

impl Place {
    fn replicating(&self, database: DatabaseId) -> bool {
        self.databases.replicating(database)
    }
}

impl Rds {
    /// Sets up `orders-db`, its replica and `catalog`, all of them available. Runs within the
    /// lab's tokio runtime, which must outlive it.
    pub(crate) async fn start(lab: World, credentials: Credentials) -> Result<Rds, SetupError> {
        let user = credentials.user.clone();
        let databases = Databases::new(credentials, COMMIT_DELAY);
        let detector = Detector::start(&lab.pace);
        let inner = Inner { lab, databases, inventory: Mutex::default(), detector, user };
        let rds = Rds { inner: Arc::new(inner) };
        rds.set_up_orders().await?;
        rds.set_up_catalog().await?;
        Ok(rds)
    }

    async fn set_up_orders(&self) -> Result<(), SetupError> {
        let (databases, lab) = (&self.inner.databases, &self.inner.lab);
        let node = |index: u8| lab.subnet.address(host::DATABASE + index);
        let orders = databases.add(ORDERS, &[node(0), node(1)])?;
        let replica = databases.add(ORDERS, &[node(2)])?;
        databases.follow(replica, orders, lab.pace.draw(LAG, REPLICA));
        let primary = self.instance(PRIMARY, "postgres", orders, ORDERS, &ZONES, &[("app", "orders")]);
        self.inventory().instances.push(Instance { multi_az: true, ..primary });
        let copy = self.instance(
            REPLICA,
            "postgres",
            replica,
            ORDERS,
            &[ZONES[1]],
            &[("app", "orders"), ("role", "replica")],
        );
        self.inventory().instances.push(Instance {
            source: Some(PRIMARY.to_owned()),
            backup_retention: 0,
            ..copy
        });
        for (id, database) in [(PRIMARY, orders), (REPLICA, replica)] {
            self.listen(database, 0).await?;
            self.point(&self.endpoint(id).unwrap_or_default(), database, 0);
        }
        lab.zone.watch(PRIMARY, &self.endpoint(PRIMARY).unwrap_or_default());
        Ok(())
    }

    async fn set_up_catalog(&self) -> Result<(), SetupError> {
        let (databases, lab) = (&self.inner.databases, &self.inner.lab);
        let nodes: Vec<Ipv4Addr> = (3..5).map(|index| lab.subnet.address(host::DATABASE + index)).collect();
        let database = databases.add(CLUSTER, &nodes)?;
        let engine = "aurora-postgresql";
        let members: Vec<String> = (1..=nodes.len()).map(|number| format!("{CLUSTER}-{number}")).collect();
        for (index, id) in members.iter().enumerate() {
            let zone = ZONES[index % ZONES.len()];
            let instance = self.instance(id, engine, database, CLUSTER, &[zone; 2], &[("app", "catalog")]);
            let instance = Instance { cluster: Some(CLUSTER.to_owned()), active: index, ..instance };
            self.point(&instance.endpoint, database, index);
            self.inventory().instances.push(instance);
            self.listen(database, index).await?;
        }
        let domain = self.domain();
        let cluster = Cluster {
            id: CLUSTER.to_owned(),
            resource_id: lab.pace.id("cluster-", CLUSTER).to_uppercase(),
            engine,
            status: "available",
            endpoint: format!("{CLUSTER}.cluster-{domain}"),
            reader_endpoint: format!("{CLUSTER}.cluster-ro-{domain}"),
            database,
            database_name: CLUSTER.to_owned(),
            members,
            writer: 0,
            created: lab.clock.began(),
            tags: vec![("app".to_owned(), "catalog".to_owned())],
        };
        self.point(&cluster.endpoint, database, 0);
        self.point(&cluster.reader_endpoint, database, 1);
        lab.zone.watch(CLUSTER, &cluster.endpoint);
        self.inventory().clusters.push(cluster);
        Ok(())
    }

    fn instance(
        &self,
        id: &str,
        engine: &'static str,
        database: DatabaseId,
        name: &str,
        zones: &[&str],
        tags: &[(&str, &str)],
    ) -> Instance {
        Instance {
            id: id.to_owned(),
            resource_id: self.inner.lab.pace.id("db-", id).to_uppercase(),
            engine,
            status: "available",
            endpoint: format!("{id}.{}", self.domain()),
            database,
            database_name: name.to_owned(),
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
            active: 0,
            multi_az: false,
            source: None,
            cluster: None,
            created: self.inner.lab.clock.began(),
            backup_retention: 7,
            pending_class: None,
            tags: tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// What follows the identifier in an endpoint's name.
    fn domain(&self) -> String {
        let hash = self.inner.lab.pace.number("rds endpoint", ACCOUNT);
        format!("c{:011x}.{REGION}.rds.{}", hash & 0xfff_ffff_ffff, super::world::DOMAIN)
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        lock(&self.inner.inventory)
    }

    /// The name that clients of an instance use.
    pub(crate) fn endpoint(&self, id: &str) -> Option<String> {
        self.inventory().instance(id).ok().map(|instance| instance.endpoint.clone())
    }

    /// The name that leads to the writer of a cluster.
    pub(crate) fn cluster_endpoint(&self, id: &str) -> Option<String> {
        self.inventory().cluster(id).ok().map(|cluster| cluster.endpoint.clone())
    }

    /// Sets how far a read replica is behind.
    pub(crate) fn set_lag(&self, id: &str, lag: Duration) {
        if let Some(database) = self.database(id) {
            self.inner.databases.set_lag(database, lag);
        }
    }

    /// Leaves a change to be made in an instance's maintenance window.
    pub(crate) fn leave_change_pending(&self, id: &str) {
        let mut inventory = self.inventory();
        for instance in inventory.instances.iter_mut().filter(|instance| instance.id == id) {
            instance.pending_class = Some("db.m6g.xlarge");
        }
    }

    /// Stops a read replica from receiving anything, or lets it go on.
    pub(crate) fn freeze(&self, id: &str, frozen: bool) {
        if let Some(database) = self.database(id) {
            self.inner.databases.freeze(database, frozen);
        }
    }

    fn database(&self, id: &str) -> Option<DatabaseId> {
        self.inventory().instance(id).ok().map(|instance| instance.database)
    }

    /// What was drawn for and started as the next change of `id`.
    fn change(&self, id: &str) -> Change {
        let mut inventory = self.inventory();
        inventory.changes += 1;
        Change { rds: self.clone(), id: id.to_owned(), key: format!("{id} {}", inventory.changes) }
    }

    fn now(&self) -> Timestamp {
        let clock = &self.inner.lab.clock;
        clock.wall(clock.now())
    }

    /// Records what is told of a resource from now on. The inventory is locked by the caller.
    fn told(&self, layer: &str, id: &str, state: &str) {
        self.inner.lab.truth.layer(layer, id, state);
    }

    fn event(&self, source: &str, kind: &'static str, category: &'static str, message: String) {
        self.inner.lab.truth.event(format!("{source}: {message}"));
        let event = Event { source: source.to_owned(), kind, message, category, at: self.now() };
        let mut inventory = self.inventory();
        self.told("db_event", source, &event.message);
        inventory.events.push(event);
    }

    /// Makes a name lead to a node.
    fn point(&self, name: &str, database: DatabaseId, node: usize) {
        self.inner.lab.zone.set_address(name, self.inner.databases.address(database, node), ENDPOINT_TTL);
    }

    async fn listen(&self, database: DatabaseId, node: usize) -> Result<(), SetupError> {
        let started = self.start_node(database, node, Phase::Open).await;
        started.map_err(|error| SetupError::Listen {
            address: self.inner.databases.address(database, node),
            error,
        })
    }

    async fn start_node(&self, database: DatabaseId, node: usize, phase: Phase) -> io::Result<()> {
        let at = self.inner.databases.start(database, node, phase).await?;
        if phase == Phase::Open {
            self.serves(database, node, at);
        }
        Ok(())
    }

    fn open_node(&self, database: DatabaseId, node: usize) {
        let at = self.inner.databases.set_phase(database, node, Phase::Open);
        self.serves(database, node, at);
    }

    /// Tells the zone that a node accepts connections, and writes if it is the writer.
    fn serves(&self, database: DatabaseId, node: usize, at: u64) {
        let writer = self.inner.databases.writer(database) == Some(node);
        let address = self.inner.databases.address(database, node);
        self.inner.lab.zone.set_backend(address, if writer { 0.0 } else { 1.0 }, at);
    }

    /// Closes a node's listener and connections. Gives the instant from which it served nobody.
    async fn stop_node(&self, database: DatabaseId, node: usize, politely: bool) -> u64 {
        let databases = &self.inner.databases;
        let at = databases.set_phase(database, node, Phase::Down);
        self.inner.lab.zone.set_backend(databases.address(database, node), 1.0, at);
        databases.stop(database, node, politely).await;
        at
    }
}

impl Service for Rds {
    fn protocol(&self) -> Protocol {
        Protocol::Query { namespace: "http://rds.amazonaws.com/doc/2014-10-31/" }
    }

    fn answer(&self, call: &Call) -> Result<Option<Answer>, Fault> {
        Ok(call::dispatch(self, &call.operation, &call.params)?.map(Answer::Xml))
    }
}
