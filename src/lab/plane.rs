//! The data plane's HTTP servers: listeners that accept, and that can be killed.
//!
//! Killing closes the listener and every connection before it returns, so that the caller knows the
//! instant from which nothing was served any more. It knows nothing of what is served.

mod http;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) use self::http::{Request, Response, exchange};
use super::world::lock;

/// How long a connection may stay without a request.
const IDLE: Duration = Duration::from_secs(60);

/// What answers requests.
pub(crate) type Handler = Arc<dyn Fn(Request) -> BoxFuture<'static, Response> + Send + Sync>;

/// A listener and its connections; closed when dropped.
pub(crate) struct Server(Arc<Mutex<Sockets>>);

/// Second handles of the sockets that a server's tasks serve: what it takes to close them from outside.
struct Sockets {
    listener: Option<OwnedFd>,
    connections: BTreeMap<u64, OwnedFd>,
    accepted: u64,
}

impl Server {
    /// Listens on an address. Runs within a tokio runtime.
    pub(crate) fn open(address: SocketAddr, handler: Handler) -> io::Result<Server> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let handle = OwnedFd::from(listener.try_clone()?);
        let listener = TcpListener::from_std(listener)?;
        let sockets = Sockets { listener: Some(handle), connections: BTreeMap::new(), accepted: 0 };
        let sockets = Arc::new(Mutex::new(sockets));
        tokio::spawn(accept(listener, Arc::clone(&sockets), handler));
        Ok(Server(sockets))
    }

    /// Closes the listener and every connection.
    pub(crate) fn close(&self) {
        let mut sockets = lock(&self.0);
        // Both fail only for a socket that its client closed before.
        if let Some(listener) = sockets.listener.take() {
            let _ = shutdown(&listener, Shutdown::Both);
        }
        for connection in std::mem::take(&mut sockets.connections).values() {
            let _ = shutdown(connection, Shutdown::Both);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.close();
    }
}

async fn accept(listener: TcpListener, sockets: Arc<Mutex<Sockets>>, handler: Handler) {
    loop {
        let accepted = listener.accept().await;
        if lock(&sockets).listener.is_none() {
            return;
        }
        let admitted = accepted.ok().and_then(|(stream, _)| Some((admit(&sockets, &stream)?, stream)));
        let Some((number, stream)) = admitted else {
            // Out of descriptors, say: others may be freed meanwhile.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (sockets, handler) = (Arc::clone(&sockets), Arc::clone(&handler));
        tokio::spawn(async move {
            // An error is the client's going away, or being cut off.
            let _ = converse(stream, &handler).await;
            lock(&sockets).connections.remove(&number);
        });
    }
}

/// Enters a connection among those that closing closes; nothing when that has happened already.
fn admit(sockets: &Mutex<Sockets>, stream: &TcpStream) -> Option<u64> {
    let mut sockets = lock(sockets);
    sockets.listener.as_ref()?;
    let handle = rustix::io::dup(stream).ok()?;
    sockets.accepted += 1;
    let number = sockets.accepted;
    sockets.connections.insert(number, handle);
    Some(number)
}

async fn converse(stream: TcpStream, handler: &Handler) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    loop {
        let request = match tokio::time::timeout(IDLE, http::read_request(&mut stream)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Ok(None)) | Err(_) => return stream.into_inner().shutdown().await,
            Ok(Err(error)) => {
                let refusal = Response::text(400, &format!("{error}\n"));
                stream.write_all(&refusal.bytes(false)).await?;
                return stream.into_inner().shutdown().await;
            }
        };
        let stay = request.keep_alive;
        let answer = handler(request).await;
        stream.write_all(&answer.bytes(stay)).await?;
        if !stay {
            return stream.into_inner().shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        probe.local_addr().expect("an address")
    }

    fn hello() -> Handler {
        Arc::new(|request: Request| {
            Box::pin(async move { Response::text(200, &format!("{} {}", request.method, request.target)) })
        })
    }

    fn request(target: &str) -> Request {
        Request::get(target, "shop.lab.test")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn serves_until_it_is_closed_and_can_be_opened_again_at_once() {
        let address = address();
        for _ in 0..20 {
            let server = Server::open(address, hello()).expect("opened");
            let answer = exchange(address, &request("/health")).await.expect("an answer");
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"GET /health"[..]));
            server.close();
            let error = exchange(address, &request("/health")).await.expect_err("closed");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn closing_cuts_a_request_that_is_being_answered() {
        let address = address();
        let never: Handler = Arc::new(|_| Box::pin(std::future::pending()));
        let server = Server::open(address, never).expect("opened");
        let request = request("/");
        let asked = tokio::spawn(async move { exchange(address, &request).await });
        while lock(&server.0).connections.is_empty() {
            tokio::task::yield_now().await;
        }
        server.close();
        let answer = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("cut").expect("task");
        assert!(answer.is_err());
    }

    #[tokio::test]
    async fn what_is_no_http_is_refused() {
        use tokio::io::AsyncReadExt;
        let address = address();
        let _server = Server::open(address, hello()).expect("opened");
        for text in ["nonsense\r\n\r\n", "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"] {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            stream.write_all(text.as_bytes()).await.expect("written");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("an answer");
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
    }
}
