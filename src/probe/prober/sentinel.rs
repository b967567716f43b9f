//! Sentinel sockets: an idle connection per probe, held only to be lost.
//!
//! When a process dies or a load balancer lets go, the kernel says so at once, with no request
//! under way. That dates the begin of trouble without any load. It is no evidence of an outage by
//! itself (an idle connection may be closed for being idle), and never of its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::net::sockopt::{
    set_socket_keepalive, set_tcp_keepcnt, set_tcp_keepidle, set_tcp_keepintvl, set_tcp_user_timeout,
};
use tokio::net::TcpStream;

use super::Seen;
use super::flights::Flights;
use crate::clock::Clock;
use crate::probe::connect::{Reached, connect};
use crate::probe::resolve::Resolver;
use crate::probe::tcp::Address;

/// How often it is looked at, which bounds how long ago it was surely alive.
const LOOK: Duration = Duration::from_millis(100);
/// After this long without an answer to a keepalive the peer counts as gone.
const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long a new connection may take, and the pause before another is tried.
const CONNECT: Duration = Duration::from_millis(900);
const PAUSE: Duration = Duration::from_secs(1);

/// Whom a probe's sentinel is connected to.
#[derive(Clone, Debug)]
pub struct Post {
    /// The name or address, and the port.
    pub address: Address,
    /// Whom to ask for the name.
    pub resolver: Arc<Resolver>,
}

/// Holds a connection for the probe of this number, and tells when it is lost; then holds another.
pub(super) async fn stand(probe: u16, post: Post, flights: Arc<Flights>, stopping: Arc<AtomicBool>) {
    while !stopping.load(Ordering::SeqCst) {
        if let Ok(Reached { stream, peer, .. }) = connect(&post.resolver, &post.address, CONNECT).await
            && armed(&stream).is_ok()
            && let Some((after, lost, how)) = lost(&stream, &flights.clock, &stopping).await
        {
            flights.report(Seen::ConnectionLost { probe, peer: peer.to_string(), after, lost, how });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn armed(stream: &TcpStream) -> rustix::io::Result<()> {
    set_socket_keepalive(stream, true)?;
    set_tcp_keepidle(stream, KEEPALIVE)?;
    set_tcp_keepintvl(stream, KEEPALIVE)?;
    set_tcp_keepcnt(stream, 1)?;
    set_tcp_user_timeout(stream, KEEPALIVE.as_millis() as u32)
}

type Lost = (crate::clock::Moment, crate::clock::Moment, String);

/// Waits until the connection ends: when it was surely alive, when it was found gone, and how.
async fn lost(stream: &TcpStream, clock: &Clock, stopping: &AtomicBool) -> Option<Lost> {
    let mut scrap = [0; 4096];
    let mut alive = clock.now();
    while !stopping.load(Ordering::SeqCst) {
        let woken = tokio::time::timeout(LOOK, stream.readable()).await;
        let now = clock.now();
        let how = match woken.map(|ready| ready.and_then(|()| stream.try_read(&mut scrap))) {
            Ok(Ok(0)) => "closed".to_owned(),
            // What a server says on its own (a banner) is of no concern.
            Ok(Ok(_)) | Err(_) => String::new(),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::WouldBlock => String::new(),
            Ok(Err(error)) => error.to_string(),
        };
        if !how.is_empty() {
            return Some((alive, now, how));
        }
        alive = now;
    }
    None
}
