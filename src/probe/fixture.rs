//! Real servers on loopback that fail in one known way, for the probes' tests.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

use super::{Answer, Opening, Probe, Resolver};
use crate::clock::Clock;

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Server {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Serves each connection with `handle`.
pub(crate) async fn serve<F, H>(handle: H) -> Server
where
    F: Future<Output = ()> + Send + 'static,
    H: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepting = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(handle(stream));
        }
    });
    Server { address, tasks: vec![accepting] }
}

/// Answers every request with these bytes and closes.
pub(crate) async fn answering(response: impl Into<String>) -> Server {
    let response = response.into();
    serve(move |mut stream| {
        let response = response.clone();
        async move {
            read_request(&mut stream).await;
            stream.write_all(response.as_bytes()).await.unwrap();
            stream.shutdown().await.ok();
        }
    })
    .await
}

/// Reads a request's head and, as far as Content-Length says so, its body.
pub(crate) async fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return text;
        }
    }
}

/// Ends a connection with RST instead of FIN.
pub(crate) fn reset(stream: TcpStream) {
    let stream = stream.into_std().unwrap();
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// A port that nobody listens on.
pub(crate) async fn closed_port() -> SocketAddr {
    TcpListener::bind((LOOPBACK, 0)).await.unwrap().local_addr().unwrap()
}

/// An address whose SYNs are dropped: a listener that never accepts, its queue full.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
}

pub(crate) async fn black_hole() -> BlackHole {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((LOOPBACK, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    for _ in 0..8 {
        match tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
            Ok(stream) => queue.push(stream.unwrap()),
            Err(_) => return BlackHole { address, _listener: listener, _queue: queue },
        }
    }
    panic!("the queue of a listener with a backlog of 1 took 8 connections");
}

/// A DNS server on UDP and TCP; `answer` fills in the response, which is truncated over UDP when it says so.
pub(crate) async fn dns<A>(answer: A) -> Server
where
    A: Fn(&Message, &mut Message) + Send + Sync + 'static,
{
    let answer = Arc::new(answer);
    let (udp, tcp) = loop {
        let udp = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            break (udp, tcp);
        }
    };
    let address = udp.local_addr().unwrap();
    let respond = move |packet: &[u8], over_tcp: bool| {
        let question = Message::from_vec(packet).unwrap();
        let mut response = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
        response.add_queries(question.queries.clone());
        answer(&question, &mut response);
        if response.metadata.truncation {
            match over_tcp {
                true => response.metadata.truncation = false,
                false => response.answers.clear(),
            }
        }
        response.to_vec().unwrap()
    };
    let respond = Arc::new(respond);
    let on_tcp = respond.clone();
    let udp_task = tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
            udp.send_to(&respond(&buffer[..length], false), peer).await.unwrap();
        }
    });
    let tcp_task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut packet = vec![0; usize::from(length)];
            stream.read_exact(&mut packet).await.unwrap();
            let response = on_tcp(&packet, true);
            stream.write_u16(response.len() as u16).await.unwrap();
            stream.write_all(&response).await.unwrap();
        }
    });
    Server { address, tasks: vec![udp_task, tcp_task] }
}

/// A DNS server that says the same of every name.
pub(crate) async fn dns_code(code: ResponseCode) -> Server {
    dns(move |_, response| response.metadata.response_code = code).await
}

/// A DNS server that takes questions and says nothing.
pub(crate) async fn silent_dns() -> (SocketAddr, UdpSocket) {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    (socket.local_addr().unwrap(), socket)
}

pub(crate) fn opening(resolver: Resolver) -> Opening {
    Opening::new("test-run", resolver)
}

/// Opens the probe with the system's resolver and asks once.
pub(crate) async fn ask(probe: Probe) -> Answer {
    ask_with(probe, Resolver::System).await
}

pub(crate) async fn ask_with(probe: Probe, resolver: Resolver) -> Answer {
    let ready = probe.open(&opening(resolver)).unwrap();
    let clock = Clock::start();
    let before = clock.now();
    let answer = ready.ask(0, &clock).await;
    assert!(answer.sent >= before && answer.done >= answer.sent && answer.done <= clock.now());
    answer
}
