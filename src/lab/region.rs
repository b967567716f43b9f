//! Puts a lab's services together on one stretch of loopback addresses.
//!
//! A service of the control plane implements [`wire::Service`](super::wire::Service), takes a clone of
//! [`World`] when it is built, and is added to the [`ControlPlane`] under the name that its requests are
//! signed for.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::autoscaling::{Activities, AutoScaling};
use super::balancer::{Balancer, TargetKind};
use super::cloudwatch::{Alarm, CloudWatch, Metric};
use super::database::Credentials;
use super::ec2::group::{self, Group};
use super::ec2::{Ec2, Template};
use super::ecs::{self, Ecs};
use super::elbv2::Elb;
use super::iam::Iam;
use super::rds::{self, Rds};
use super::resolver::{self, Resolver};
use super::route53::Route53;
use super::ssm::Ssm;
use super::sts::Sts;
use super::timing::Pace;
use super::truth::Truth;
use super::wire::ControlPlane;
use super::world::{DOMAIN, Subnet, World, ZONES, host};
use super::zone::{RecordSet, Zone};
use super::{LabError, Settings};
use crate::clock::Clock;

/// Where the control plane listens within its subnet. Whoever holds it owns the subnet.
const ENDPOINT_PORT: u16 = 4570;
/// How many subnets are tried.
const SUBNETS: usize = 24;
/// How long answers with the records that drills move may be cached, in seconds.
const TTL: u32 = 1;
/// The user of the databases.
const USER: &str = "firedrill";
/// The record that leads to the writer of the orders database.
const WRITER_RECORD: &str = "db.lab.test";

/// A running region.
pub(super) struct Region {
    pub(super) world: World,
    pub(super) plane: Arc<ControlPlane>,
    pub(super) endpoint: SocketAddr,
    pub(super) resolver: SocketAddr,
    pub(super) values: BTreeMap<String, String>,
    pub(super) rds: Rds,
    pub(super) cloudwatch: CloudWatch,
    pub(super) group: Group,
}

/// The sockets that a subnet is claimed by.
struct Claim {
    subnet: Subnet,
    endpoint: TcpListener,
    udp: UdpSocket,
    tcp: TcpListener,
}

/// The load balancers.
struct Balancers {
    storefront: Balancer,
    site_a: Balancer,
    site_b: Balancer,
    checkout: Balancer,
}

impl Region {
    /// Binds everything and starts the servers into `tasks`, which end when it is dropped.
    pub(super) async fn start(settings: Settings, tasks: &mut JoinSet<()>) -> Result<Region, LabError> {
        let claim = claim().await?;
        let pace = Pace::new(settings.seed, settings.timing);
        let truth = Truth::default();
        let zone = Zone::new(truth.clone());
        let world = World { clock: Clock::start(), pace, subnet: claim.subnet, zone, truth };
        let balancers = Balancers::start(&world)?;
        let (ec2, group) = start_instances(&world, &balancers, tasks)?;
        let ecs = Ecs::start(world.clone(), balancers.checkout.clone()).map_err(part("ECS"))?;
        tasks.spawn(ecs.clone().keep());
        let credentials = Credentials { user: USER.to_owned(), password: pace.id("", "database password") };
        let rds = Rds::start(world.clone(), credentials.clone()).await.map_err(part("RDS"))?;
        let route53 = Route53::start(world.clone(), record_sets(&balancers, &rds));
        // The name server's own name, so that clients can find it as the zone's.
        world.zone.set_address(&format!("ns.{DOMAIN}"), claim.subnet.address(host::RESOLVER), TTL);
        watch(&world);
        let values = values(&balancers, &rds, &route53, &credentials);

        let mut plane = ControlPlane::default();
        let identities = Arc::clone(&plane.identities);
        let cloudwatch = CloudWatch::start(world.clone(), alarms(&balancers), tasks);
        let all = [&balancers.storefront, &balancers.site_a, &balancers.site_b, &balancers.checkout];
        plane.add("elasticloadbalancing", Arc::new(Elb::new(all.into_iter().cloned().collect())));
        plane.add("autoscaling", Arc::new(AutoScaling::new(ec2.clone(), group.clone())));
        plane.add("monitoring", Arc::new(cloudwatch.clone()));
        plane.add("ec2", Arc::new(ec2));
        plane.add("ecs", Arc::new(ecs));
        plane.add("rds", Arc::new(rds.clone()));
        plane.add("route53", Arc::new(route53));
        plane.add("iam", Arc::new(Iam));
        plane.add("ssm", Arc::new(Ssm::default()));
        plane.add("sts", Arc::new(Sts::new(world.clone(), identities)));
        let plane = Arc::new(plane);
        let answering = Resolver::new(world.zone.clone(), pace);
        tasks.spawn(Arc::clone(&answering).serve_udp(claim.udp));
        tasks.spawn(answering.serve_tcp(claim.tcp));
        tasks.spawn(Arc::clone(&plane).serve(claim.endpoint));
        let endpoint = claim.subnet.socket(host::ENDPOINT, ENDPOINT_PORT);
        let resolver = claim.subnet.socket(host::RESOLVER, resolver::PORT);
        Ok(Region { world, plane, endpoint, resolver, values, rds, cloudwatch, group })
    }
}

impl Balancers {
    fn start(world: &World) -> Result<Balancers, LabError> {
        Ok(Balancers {
            storefront: Balancer::start(world, "storefront", TargetKind::Instance, host::BALANCER)?,
            site_a: Balancer::start(world, "www-a", TargetKind::Instance, host::BALANCER + 1)?,
            site_b: Balancer::start(world, "www-b", TargetKind::Instance, host::BALANCER + 2)?,
            checkout: Balancer::start(world, ecs::SERVICE, TargetKind::Ip, host::BALANCER + 3)?,
        })
    }
}

/// The storefront's group and both sites of the website.
fn start_instances(
    world: &World,
    balancers: &Balancers,
    tasks: &mut JoinSet<()>,
) -> Result<(Ec2, Group), LabError> {
    let ec2 = Ec2::new(world.clone());
    let storefront = Template {
        name: "storefront",
        site: "a",
        tags: &[("app", "storefront"), (group::TAG, "storefront"), ("firedrill:opt-in", "true")],
        balancer: balancers.storefront.clone(),
    };
    let site_a = Template {
        name: "www-a",
        site: "a",
        tags: &[("app", "www"), ("site", "a"), ("firedrill:opt-in", "true")],
        balancer: balancers.site_a.clone(),
    };
    let site_b = Template {
        name: "www-b",
        site: "b",
        tags: &[("app", "www"), ("site", "b"), ("firedrill:opt-in", "true")],
        balancer: balancers.site_b.clone(),
    };
    for template in [&storefront, &site_a, &site_b] {
        ec2.add_healthy_in_all_zones(template).map_err(part("EC2"))?;
    }
    let activities = Activities::of("storefront", world);
    let refreshing = Arc::default();
    let group =
        Group { name: "storefront", desired: ZONES.len(), template: storefront, activities, refreshing };
    tasks.spawn(group.clone().keep(ec2.clone()));
    Ok((ec2, group))
}

/// Two alarms for each load balancer, and one for the database.
fn alarms(balancers: &Balancers) -> Vec<Alarm> {
    let Balancers { storefront, site_a, site_b, checkout } = balancers;
    let of = |balancer: &Balancer| {
        [Metric::Errors(balancer.clone()), Metric::Unhealthy(balancer.clone())].map(Alarm::new)
    };
    let balanced = [storefront, site_a, site_b, checkout].into_iter().flat_map(of);
    balanced.chain([Alarm::new(Metric::Connections(rds::PRIMARY))]).collect()
}

/// The record sets that the hosted zone begins with.
fn record_sets(balancers: &Balancers, rds: &Rds) -> Vec<RecordSet> {
    let address = |name: &str, balancer: &Balancer| {
        RecordSet::simple(&format!("{name}.{DOMAIN}"), "A", TTL, balancer.address())
    };
    vec![
        address("shop", &balancers.storefront),
        address("www", &balancers.site_a),
        address("checkout", &balancers.checkout),
        RecordSet::simple(WRITER_RECORD, "CNAME", TTL, rds.endpoint(rds::PRIMARY).unwrap_or_default()),
    ]
}

/// What the truth is about, besides what RDS says of its own endpoints.
fn watch(world: &World) {
    for (what, name) in [("storefront", "shop"), ("www", "www"), (ecs::SERVICE, "checkout")] {
        world.zone.watch(what, &format!("{name}.{DOMAIN}"));
    }
    world.zone.watch("orders-db writer name", WRITER_RECORD);
}

/// The values of the variables that experiments declare.
fn values(
    balancers: &Balancers,
    rds: &Rds,
    route53: &Route53,
    credentials: &Credentials,
) -> BTreeMap<String, String> {
    let endpoint = |id| rds.endpoint(id).unwrap_or_default();
    let cluster = rds.cluster_endpoint(rds::CLUSTER).unwrap_or_default();
    let dsn = |host: &str, database: &str| {
        let Credentials { user, password } = credentials;
        format!("postgres://{user}:{password}@{host}:5432/{database}")
    };
    let url = |name: &str| format!("http://{name}.{DOMAIN}:8080");
    let values = [
        ("storefront_url", url("shop")),
        ("storefront_app", "storefront".to_owned()),
        ("db_instance", rds::PRIMARY.to_owned()),
        ("db_replica", rds::REPLICA.to_owned()),
        ("orders_dsn", dsn(WRITER_RECORD, rds::ORDERS)),
        ("orders_endpoint_dsn", dsn(&endpoint(rds::PRIMARY), rds::ORDERS)),
        ("db_cluster", rds::CLUSTER.to_owned()),
        ("cluster_dsn", dsn(&cluster, rds::CLUSTER)),
        ("zone_id", route53.zone_id().to_owned()),
        ("writer_record", WRITER_RECORD.to_owned()),
        ("replica_endpoint", endpoint(rds::REPLICA)),
        ("www_url", url("www")),
        ("www_record", format!("www.{DOMAIN}")),
        ("www_app", "www".to_owned()),
        ("standby_address", balancers.site_b.address().to_string()),
        ("ecs_cluster", ecs::CLUSTER.to_owned()),
        ("ecs_service", ecs::SERVICE.to_owned()),
        ("checkout_url", url("checkout")),
        ("steady", "4s".to_owned()),
        ("confirm", "4s".to_owned()),
        ("observe", "16s".to_owned()),
    ];
    values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Says which part of the lab failed.
fn part<E: std::fmt::Display>(part: &'static str) -> impl Fn(E) -> LabError {
    move |reason| LabError::Part { part, reason: reason.to_string() }
}

/// Takes the first free subnet of some drawn at random.
async fn claim() -> Result<Claim, LabError> {
    let mut last = None;
    for _ in 0..SUBNETS {
        let drawn: u16 = rand::random();
        let [high, low] = drawn.to_be_bytes();
        // 127.0.x.x is where other programs of a machine live.
        let subnet = Subnet(high.clamp(16, 250), low);
        match bind(subnet).await {
            Ok(claim) => return Ok(claim),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(LabError::NoSubnet))
}

async fn bind(subnet: Subnet) -> Result<Claim, LabError> {
    let at = |address| move |source| LabError::Bind { address, source };
    let endpoint = subnet.socket(host::ENDPOINT, ENDPOINT_PORT);
    let dns = subnet.socket(host::RESOLVER, resolver::PORT);
    let listen = |address: SocketAddr| async move {
        TcpListener::bind(address).await.map_err(|source: io::Error| LabError::Bind { address, source })
    };
    Ok(Claim {
        subnet,
        endpoint: listen(endpoint).await?,
        tcp: listen(dns).await?,
        udp: UdpSocket::bind(dns).await.map_err(at(dns))?,
    })
}
