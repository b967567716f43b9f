//! A TCP connection of one's own: name, SYN, and a deadline below the kernel's first repeat.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::resolve::Resolver;
use super::tcp::Address;
use super::trouble::Trouble;
use crate::sample::{Cause, Class, Phases};

/// The part of a connection's time that its name may take: a silent DNS server must be told from
/// a silent service, so it has to be given up first.
pub(crate) fn name_budget(budget: Duration) -> Duration {
    budget * 9 / 10
}

/// A connection, with whom, and how long its parts took.
pub(crate) struct Reached {
    pub(crate) stream: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) phases: Phases,
}

/// Whole microseconds since then, at least one: zero says that there was no such part.
pub(crate) fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX).max(1)
}

/// Connects to the first address of the host, within `budget` all in all.
pub(crate) async fn connect(
    resolver: &Resolver,
    address: &Address,
    budget: Duration,
) -> Result<Reached, Trouble> {
    let begun = Instant::now();
    let until = begun + budget;
    let found = resolver.addresses(&address.host, name_budget(budget)).await.map_err(|dns| dns.trouble())?;
    let ip = first(&found, &address.host)?;
    let peer = SocketAddr::new(ip, address.port);
    // An address needs no resolving.
    let dns = if address.host.parse::<IpAddr>().is_ok() { 0 } else { micros(begun) };
    let (stream, connect) = dial(peer, until, budget).await?;
    Ok(Reached { stream, peer, phases: Phases { dns, connect, ..Phases::default() } })
}

/// The TCP connection alone, and how long it took in microseconds; `until` ends `budget`.
pub(crate) async fn dial(
    peer: SocketAddr,
    until: Instant,
    budget: Duration,
) -> Result<(TcpStream, u32), Trouble> {
    let begun = Instant::now();
    match tokio::time::timeout_at(until, TcpStream::connect(peer)).await {
        Ok(Ok(stream)) => {
            stream.set_nodelay(true).map_err(|error| Trouble::io(&error, &format!("connect {peer}")))?;
            Ok((stream, micros(begun)))
        }
        Ok(Err(error)) => {
            let trouble = Trouble::io(&error, &format!("connect {peer}"));
            Err(match trouble.cause {
                Cause::Timeout => Trouble { cause: Cause::ConnectTimeout, ..trouble },
                _ => trouble,
            })
        }
        Err(_) => {
            Err(Trouble::connect_late(format!("connect {peer}: no answer within {} ms", budget.as_millis())))
        }
    }
}

/// The address to try. One sample asks one server: the answer of a second one would hide that
/// the first is dead.
pub(crate) fn first(found: &[IpAddr], host: &str) -> Result<IpAddr, Trouble> {
    let none = || Trouble::new(Class::FailFast, Cause::Dns, format!("{host} has no address"));
    found.first().copied().ok_or_else(none)
}
