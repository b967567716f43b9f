//! Just enough HTTP/1.1: requests and responses whose bodies have a length.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// The longest head (first line and headers).
const HEAD: usize = 16 << 10;
/// The longest body.
const BODY: usize = 1 << 20;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the connection stays open afterwards.
    pub(crate) keep_alive: bool,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A GET without a body.
    pub(crate) fn get(target: &str, host: &str) -> Request {
        Request {
            method: "GET".to_owned(),
            target: target.to_owned(),
            headers: vec![("host".to_owned(), host.to_owned())],
            body: Vec::new(),
            keep_alive: false,
        }
    }

    /// The path without the query.
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A header, by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        finish(&mut bytes, &self.headers, &self.body, false);
        bytes
    }
}

impl Response {
    /// A response in plain text.
    pub(crate) fn text(status: u16, body: &str) -> Response {
        let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Response { status, headers, body: body.as_bytes().to_vec() }
    }

    /// A response in JSON.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Response {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Response {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn bytes(&self, stay: bool) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status)).into_bytes();
        finish(&mut bytes, &self.headers, &self.body, stay);
        bytes
    }
}

/// Asks one question over a connection of its own.
pub(crate) async fn exchange(address: SocketAddr, request: &Request) -> io::Result<Response> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&request.bytes()).await?;
    let mut stream = BufReader::new(stream);
    let (first, headers) = head(&mut stream).await?.ok_or_else(|| wrong("the connection was closed"))?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| wrong("expected a status line"))?;
    let body = body(&mut stream, &headers).await?;
    Ok(Response { status, headers, body })
}

/// The next request of a connection; nothing when the client has no more.
pub(super) async fn read_request<R: AsyncRead + Unpin>(
    stream: &mut BufReader<R>,
) -> io::Result<Option<Request>> {
    let Some((first, headers)) = head(stream).await? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(wrong("expected a request line such as `GET /health HTTP/1.1`"));
    };
    let body = body(stream, &headers).await?;
    let connection = find(&headers, "connection").map(str::to_ascii_lowercase);
    let keep_alive = match connection.as_deref() {
        Some("close") => false,
        Some("keep-alive") => true,
        _ => version == "HTTP/1.1",
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    Ok(Some(Request { method, target, headers, body, keep_alive }))
}

type Headers = Vec<(String, String)>;

async fn head<R: AsyncRead + Unpin>(stream: &mut BufReader<R>) -> io::Result<Option<(String, Headers)>> {
    let mut stream = stream.take(HEAD as u64);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 || !line.ends_with('\n') {
            return if lines.is_empty() && line.is_empty() {
                Ok(None)
            } else {
                Err(wrong("the head is cut off"))
            };
        }
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        lines.push(line.to_owned());
    }
    let mut lines = lines.into_iter();
    let first = lines.next().ok_or_else(|| wrong("the head is empty"))?;
    let headers: Option<Headers> = lines
        .map(|line| {
            line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect();
    Ok(Some((first, headers.ok_or_else(|| wrong("a header without a colon"))?)))
}

async fn body<R: AsyncRead + Unpin>(stream: &mut BufReader<R>, headers: &Headers) -> io::Result<Vec<u8>> {
    if find(headers, "transfer-encoding").is_some() {
        return Err(wrong("a body needs a content-length"));
    }
    let Some(length) = find(headers, "content-length") else { return Ok(Vec::new()) };
    let length = length.parse().ok().filter(|length| *length <= BODY);
    let mut body = vec![0; length.ok_or_else(|| wrong("expected a content-length of at most 1 MiB"))?];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Writes the headers (those of the connection are ours), and the body.
fn finish(bytes: &mut Vec<u8>, headers: &Headers, body: &[u8], stay: bool) {
    for (name, value) in headers {
        if !matches!(name.as_str(), "connection" | "content-length" | "keep-alive") {
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
    }
    let connection = if stay { "keep-alive" } else { "close" };
    bytes.extend(format!("content-length: {}\r\nconnection: {connection}\r\n\r\n", body.len()).bytes());
    bytes.extend(body);
}

fn find<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
