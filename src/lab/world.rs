//! The ground that the lab's services stand on: addresses, pace, names, truth, clock.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::timing::Pace;
use super::truth::Truth;
use super::zone::Zone;
use crate::clock::Clock;

/// The region that the lab is.
pub(crate) const REGION: &str = "eu-west-1";
/// Its availability zones.
pub(crate) const ZONES: [&str; 2] = ["eu-west-1a", "eu-west-1b"];
/// The account that everything belongs to.
pub(crate) const ACCOUNT: &str = "123456789012";
/// Who the static keys are.
pub(crate) const USER_ARN: &str = "arn:aws:iam::123456789012:user/firedrill";
/// The DNS zone that every name lies in.
pub(crate) const DOMAIN: &str = "lab.test";
/// Where load balancers and what stands behind them listen.
pub(crate) const HTTP_PORT: u16 = 8080;

/// Locks; a panic in another holder does not make the data unusable for the lab.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A /24 of the loopback network that is this lab's alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subnet(pub(crate) u8, pub(crate) u8);

/// The host numbers of a lab's subnet.
pub(crate) mod host {
    /// The control plane.
    pub(crate) const ENDPOINT: u8 = 1;
    /// The DNS server.
    pub(crate) const RESOLVER: u8 = 2;
    /// Database nodes: this one and the following nine.
    pub(crate) const DATABASE: u8 = 10;
    /// Load balancers: this one and the following nine.
    pub(crate) const BALANCER: u8 = 80;
    /// Instances: this one and all before `TASKS`.
    pub(crate) const COMPUTE: u8 = 100;
    /// Tasks: this one to 250.
    pub(crate) const TASKS: u8 = 180;
}

impl Subnet {
    /// The address with this host number.
    pub(crate) fn address(self, host: u8) -> Ipv4Addr {
        Ipv4Addr::new(127, self.0, self.1, host)
    }

    /// That address with a port.
    pub(crate) fn socket(self, host: u8, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.address(host)), port)
    }
}

/// What every service of a lab shares. Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Clock,
    pub(crate) pace: Pace,
    pub(crate) subnet: Subnet,
    pub(crate) zone: Zone,
    pub(crate) truth: Truth,
}
