//! An HTTP server of one thread that goes down and up on request, between two readings of the clock.
//!
//! It knows nothing of schedules and prints nothing. All of its state belongs to one thread: no
//! request is worked on while a change is made.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::net::{AddressFamily, Shutdown, SocketFlags, SocketType, sockopt};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

use super::{Edge, Mode};
use crate::clock::boottime_ns;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
const UNAVAILABLE: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\ndown";
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;
/// Ports that the kernel does not give to clients: on one of those, a client that tries a port where
/// nobody listens may be given that very port, and connects to itself.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
const TRIES: usize = 100;
/// A request larger than this is none that a probe sends.
const MOST_REQUEST: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Well,
    Silent,
    Unavailable,
    Half,
}

struct Shared {
    health: Cell<Health>,
    changed: Notify,
    connections: RefCell<HashMap<u64, Rc<TcpStream>>>,
    draws: RefCell<ChaCha8Rng>,
}

pub(super) struct Server {
    /// Bound for ever, so that the port stays this server's; listening or not.
    socket: std::net::TcpListener,
    address: SocketAddr,
    accepting: RefCell<Option<JoinHandle<()>>>,
    shared: Rc<Shared>,
}

impl Server {
    /// Listens. Must be called within a `LocalSet`, which does the serving.
    pub(super) fn start(seed: u64) -> io::Result<Server> {
        let mut draws = ChaCha8Rng::seed_from_u64(seed);
        let socket = std::net::TcpListener::from(bind(seed)?);
        // Not the numbers that the schedule is made of.
        draws.set_stream(1);
        let shared = Rc::new(Shared {
            health: Cell::new(Health::Well),
            changed: Notify::new(),
            connections: RefCell::default(),
            draws: RefCell::new(draws),
        });
        let server = Server { address: socket.local_addr()?, socket, accepting: RefCell::default(), shared };
        server.accept()?;
        Ok(server)
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes down as the mode says.
    pub(super) fn down(&self, mode: Mode) -> io::Result<Edge> {
        match mode {
            Mode::Refuse | Mode::Flap => self.refuse(),
            Mode::Hang => Ok(self.turn(Health::Silent)),
            Mode::Unavailable => Ok(self.turn(Health::Unavailable)),
            Mode::Partial => Ok(self.turn(Health::Half)),
            Mode::BlackHole | Mode::Plain => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Comes up again.
    pub(super) fn up(&self, mode: Mode) -> io::Result<Edge> {
        match mode {
            Mode::Refuse | Mode::Flap => {
                let lo = boottime_ns();
                rustix::net::listen(&self.socket, BACKLOG)?;
                let hi = boottime_ns();
                self.accept()?;
                Ok(Edge { lo, hi })
            }
            _ => Ok(self.turn(Health::Well)),
        }
    }

    fn turn(&self, health: Health) -> Edge {
        let lo = boottime_ns();
        self.shared.health.set(health);
        let hi = boottime_ns();
        self.shared.changed.notify_waiters();
        Edge { lo, hi }
    }

    /// Refuses connections, and resets those that there are.
    fn refuse(&self) -> io::Result<Edge> {
        let lo = boottime_ns();
        rustix::net::shutdown(&self.socket, Shutdown::Read)?;
        for connection in self.shared.connections.borrow().values() {
            // Its peer may have closed it just now.
            let _ = rustix::net::connect_unspec(connection);
        }
        let hi = boottime_ns();
        self.shared.connections.borrow_mut().clear();
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
        }
        Ok(Edge { lo, hi })
    }

    /// Accepts connections from now on. With a descriptor of its own each time: to the event loop, one
    /// that was hung up is closed for good.
    fn accept(&self) -> io::Result<()> {
        let listener = self.socket.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let shared = self.shared.clone();
        let accepting = spawn_local(async move {
            let mut number = 0_u64;
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    // Out of descriptors, or a connection that is gone already: let others have their turn.
                    tokio::task::yield_now().await;
                    continue;
                };
                // Without it an answer may wait for an acknowledgement.
                let _ = stream.set_nodelay(true);
                number += 1;
                let key = number ^ (boottime_ns() << 20);
                let stream = Rc::new(stream);
                shared.connections.borrow_mut().insert(key, stream.clone());
                let shared = shared.clone();
                spawn_local(async move {
                    // A connection that breaks is the client's business.
                    let _ = shared.serve(&stream).await;
                    shared.connections.borrow_mut().remove(&key);
                });
            }
        });
        self.accepting.replace(Some(accepting));
        Ok(())
    }
}

impl Shared {
    /// Answers one connection's requests until either side closes it.
    async fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        let mut request = Vec::with_capacity(1024);
        loop {
            stream.ready(Interest::READABLE).await?;
            match stream.try_read_buf(&mut request) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            while let Some(end) = end_of_head(&request) {
                let last = closes(request.get(..end).unwrap_or_default());
                self.answer(stream).await?;
                request.drain(..end);
                if last {
                    return Ok(());
                }
            }
            if request.len() > MOST_REQUEST {
                return Ok(());
            }
        }
    }

    async fn answer(&self, stream: &TcpStream) -> io::Result<()> {
        loop {
            // Registered before the look, or a change between the two would be missed.
            let changed = self.changed.notified();
            if self.health.get() != Health::Silent {
                break;
            }
            changed.await;
        }
        let well = match self.health.get() {
            Health::Well | Health::Silent => true,
            Health::Unavailable => false,
            Health::Half => self.draws.borrow_mut().random(),
        };
        let mut rest = if well { OK } else { UNAVAILABLE };
        while !rest.is_empty() {
            match stream.try_write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Where the first request ends: after the empty line. Requests with a body are none that a probe of
/// this server sends.
fn end_of_head(request: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    request.windows(end.len()).position(|window| window == end).map(|at| at + end.len())
}

/// Whether the client wants the connection closed after the answer.
fn closes(head: &[u8]) -> bool {
    let holds = |text: &[u8]| head.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text));
    holds(b" HTTP/1.0\r\n") || holds(b"\r\nconnection: close\r\n")
}

/// A listening socket.
fn bind(seed: u64) -> io::Result<OwnedFd> {
    let mut draws = ChaCha8Rng::seed_from_u64(seed ^ u64::from(std::process::id()));
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..TRIES {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, draws.random_range(PORTS)));
        // Two sockets that are to be reused may be bound to one port: only listening shows that it is taken.
        match rustix::net::bind(&socket, &address).and_then(|()| rustix::net::listen(&socket, BACKLOG)) {
            Ok(()) => return Ok(socket),
            Err(errno) => last = errno.into(),
        }
    }
    Err(last)
}
