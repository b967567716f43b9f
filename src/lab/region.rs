//! Puts a lab's services together on one stretch of loopback addresses.
//!
//! A service of the control plane implements [`wire::Service`](super::wire::Service), takes a clone of
//! [`World`] when it is built, and is added to the [`ControlPlane`] under the name that its requests are
//! signed for.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;

use super::resolver::{self, Resolver};
use super::timing::Pace;
use super::truth::Truth;
use super::wire::ControlPlane;
use super::world::{Subnet, World, host};
use super::zone::Zone;
use super::{LabError, Settings};
use crate::clock::Clock;

/// Where the control plane listens within its subnet. Whoever holds it owns the subnet.
const ENDPOINT_PORT: u16 = 4566;
/// How many subnets are tried.
const SUBNETS: usize = 24;

/// A running region.
pub(super) struct Region {
    pub(super) world: World,
    pub(super) plane: Arc<ControlPlane>,
    pub(super) endpoint: SocketAddr,
    pub(super) resolver: SocketAddr,
}

/// The sockets that a subnet is claimed by.
struct Claim {
    subnet: Subnet,
    endpoint: TcpListener,
    udp: UdpSocket,
    tcp: TcpListener,
}

impl Region {
    /// Binds everything and starts the servers into `tasks`, which end when it is dropped.
    pub(super) async fn start(settings: Settings, tasks: &mut JoinSet<()>) -> Result<Region, LabError> {
        let claim = claim().await?;
        let pace = Pace::new(settings.seed, settings.timing);
        let truth = Truth::default();
        let zone = Zone::new(truth.clone());
        let world = World { clock: Clock::start(), pace, subnet: claim.subnet, zone, truth };
        let plane = Arc::new(ControlPlane::default());
        let answering = Resolver::new(world.zone.clone(), pace);
        tasks.spawn(Arc::clone(&answering).serve_udp(claim.udp));
        tasks.spawn(answering.serve_tcp(claim.tcp));
        tasks.spawn(Arc::clone(&plane).serve(claim.endpoint));
        let endpoint = claim.subnet.socket(host::ENDPOINT, ENDPOINT_PORT);
        let resolver = claim.subnet.socket(host::RESOLVER, resolver::PORT);
        Ok(Region { world, plane, endpoint, resolver })
    }
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
