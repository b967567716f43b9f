//! `http`: one request, as a customer's client would send it.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;

use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem};
use crate::notation::fix::Fix;
use crate::notation::shape::{self, Shapes};
use crate::notation::units;
use crate::notation::yaml::{Node, Value};
use crate::{record, words};

pub(crate) mod ask;
pub(crate) mod client;
mod dial;
mod request;

record! {
    /// Sends one HTTP request and judges the answer. A status of 500 or above is a failure;
    /// any other unexpected status, header or body is a wrong answer.
    pub struct Http {
        /// What to request: `http://…` or `https://…`.
        pub url: Url,
        /// The request's method.
        pub method: Method = Method(reqwest::Method::GET),
        /// Headers to send, by name.
        pub headers: Option<IndexMap<String, String>>,
        /// The request's body.
        pub body: Option<String>,
        /// What a good answer looks like; without it, any status from 200 to 299.
        pub expect: Option<Expect>,
        /// Whether redirects are followed.
        pub redirects: bool = false,
        /// HTTP/1.1 or HTTP/2: by ALPN where there is TLS, else from the first byte on.
        pub version: HttpVersion = HttpVersion::Http1,
        /// The header in which the server says who it is; without one, its address stands for it.
        pub identity_header: Option<String>,
        /// How long the name may take.
        pub dns_timeout: Duration = Duration::from_millis(900),
        /// How long the TCP connection may take. Keep it below 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long the TLS handshake may take.
        pub tls_timeout: Duration = Duration::from_secs(1),
        /// How long the answer's first byte may take, once the request is sent; without it, `timeout` decides.
        pub first_byte_timeout: Option<Duration>,
        /// How long the whole request may take, from its first packet to the last byte of the answer.
        pub timeout: Duration = Duration::from_secs(2),
        /// A good answer that takes longer than this counts as slow, and so as bad.
        pub slower_than: Option<Duration>,
        /// How the server's certificate is checked.
        pub tls: Option<Tls>,
        /// Which client the probe stands for: `fresh` resolves and connects every time, `kept` goes on with its
        /// connections as long as they live, `reconnect` drops them after any bad answer. A list, such as
        /// `[fresh, kept]`, stands for several clients side by side, each measured on its own.
        pub connection: Connections = Connections(vec![Connection::Fresh]),
        /// Whether every address of the name, as it resolves before the run, is asked and measured on its own.
        pub per_ip: bool = false,
    }
}

record! {
    /// What a good HTTP answer looks like. Everything that is named must hold.
    pub struct Expect {
        /// The status: one or several, `200` or `2xx`.
        pub status: Option<Statuses>,
        /// Headers that must be there with exactly these values, by name.
        pub headers: Option<IndexMap<String, String>>,
        /// Text that the body must contain (within its first MiB).
        pub body_contains: Option<String>,
    }
}

record! {
    /// How a server's certificate is checked.
    pub struct Tls {
        /// A PEM file with the only certificate authorities to trust; without it, those of the system.
        pub ca_file: Option<String>,
        /// Whether any certificate is accepted.
        pub insecure: bool = false,
        /// The name that the certificate must carry, when it is not the one connected to.
        pub server_name: Option<String>,
    }
}

words! {
    /// The protocol's version.
    pub enum HttpVersion {
        /// HTTP/1.1.
        "http1" => Http1,
        /// HTTP/2.
        "http2" => Http2,
    }
}

/// How long the parts of a connection may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budgets {
    pub(crate) dns: Duration,
    pub(crate) connect: Duration,
    pub(crate) tls: Duration,
}

words! {
    /// Which client a probe stands for.
    pub enum Connection {
        /// Resolves and connects every time: sees DNS, load balancers and listeners.
        "fresh" => Fresh,
        /// Goes on with its connections as long as they live: what pooled clients see.
        "kept" => Kept,
        /// Keeps its connections, and drops them after any bad answer: an ideal pool.
        "reconnect" => Reconnect,
    }
}

/// The clients that a probe stands for: at least one, each once.
#[derive(Clone, Debug, PartialEq)]
pub struct Connections(pub Vec<Connection>);

impl Connections {
    /// The first of them: what a single asking uses.
    pub fn first(&self) -> Connection {
        self.0.first().copied().unwrap_or(Connection::Fresh)
    }
}

impl Decode for Connections {
    fn expects() -> String {
        format!("{}, or a list of them", Connection::expects())
    }

    fn schema(shapes: &mut Shapes) -> serde_json::Value {
        let one = Connection::schema(shapes);
        shape::any_of(vec![one.clone(), shape::list(one)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let Value::List(nodes) = &node.value else {
            return Connection::decode(node, cx).map(|one| Connections(vec![one]));
        };
        if nodes.is_empty() {
            cx.report(
                Problem::new(Code::EmptyList, node.span, "no client at all").label("name at least one"),
            );
            return None;
        }
        let mut all = Some(Vec::new());
        for (index, node) in nodes.iter().enumerate() {
            let one = Connection::decode(node, cx);
            if let (Some(one), Some(seen)) = (one, &all)
                && seen.contains(&one)
            {
                let before = nodes.get(index.saturating_sub(1)).map_or(node.span, |before| before.span);
                cx.report(
                    Problem::new(Code::ItemTwice, node.span, format!("`{}` is named twice", one.word()))
                        .fix(Fix::remove_item(before, node.span, one.word())),
                );
                return None;
            }
            all = all.zip(one).map(|(mut all, one)| {
                all.push(one);
                all
            });
        }
        all.map(Connections)
    }

    fn written(&self) -> Option<String> {
        Some(self.0.iter().map(|one| one.word()).collect::<Vec<_>>().join(", "))
    }
}

impl Http {
    /// A plain request, with every setting as it is without being said.
    pub fn get(url: reqwest::Url) -> Http {
        Http {
            url: Url(url),
            method: Method(reqwest::Method::GET),
            headers: None,
            body: None,
            expect: None,
            redirects: false,
            version: HttpVersion::Http1,
            identity_header: None,
            dns_timeout: Duration::from_millis(900),
            connect_timeout: Duration::from_millis(900),
            tls_timeout: Duration::from_secs(1),
            first_byte_timeout: None,
            timeout: Duration::from_secs(2),
            slower_than: None,
            tls: None,
            connection: Connections(vec![Connection::Fresh]),
            per_ip: false,
        }
    }

    /// One line for people: `GET http://shop.test/health expects 200`.
    pub fn summary(&self) -> String {
        let mut line = format!("{} {}", self.method, self.url);
        let expect = self.expect.as_ref();
        if let Some(statuses) = expect.and_then(|expect| expect.status.as_ref()) {
            line.push_str(&format!(" expects {statuses}"));
        }
        if let Some(text) = expect.and_then(|expect| expect.body_contains.as_ref()) {
            line.push_str(&format!(", body contains `{text}`"));
        }
        if let Some(limit) = self.slower_than {
            line.push_str(&format!(", within {}", units::show(limit)));
        }
        if self.connection.0 != [Connection::Fresh] {
            let words: Vec<&str> = self.connection.0.iter().map(|one| one.word()).collect();
            line.push_str(&format!(" ({} connection)", words.join(" and ")));
        }
        line
    }
}

/// An `http` or `https` URL. Shown without its password.
#[derive(Clone, PartialEq)]
pub struct Url(pub reqwest::Url);

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if shown.password().is_some() {
            // Cannot fail: a URL with a host can carry a password.
            let _ = shown.set_password(Some("***"));
        }
        f.write_str(shown.as_str())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Url({self})")
    }
}

impl Decode for Url {
    fn expects() -> String {
        "a URL such as http://shop.example.com/health".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        match reqwest::Url::parse(&text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Some(Url(url)),
            _ => {
                cx.unexpected(Code::NotAUrl, node, &Self::expects());
                None
            }
        }
    }
}

/// A request's method: `GET`, `POST`, …
#[derive(Clone, Debug, PartialEq)]
pub struct Method(pub reqwest::Method);

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Decode for Method {
    fn expects() -> String {
        "GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let text = cx.text_for::<Self>(node)?;
        let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        match reqwest::Method::from_bytes(text.as_bytes()) {
            Ok(method) if known.contains(&method.as_str()) => Some(Method(method)),
            _ => {
                cx.unexpected(Code::NotAnArgument, node, &Self::expects());
                None
            }
        }
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// The statuses that are good: inclusive ranges.
#[derive(Clone, Debug, PartialEq)]
pub struct Statuses(pub Vec<(u16, u16)>);

impl Statuses {
    /// Whether `status` is among them.
    pub fn contain(&self, status: u16) -> bool {
        self.0.iter().any(|(first, last)| (*first..=*last).contains(&status))
    }

    fn one(text: &str) -> Option<(u16, u16)> {
        if let Some(hundreds) = text.strip_suffix("xx") {
            let first = hundreds.parse::<u16>().ok().filter(|h| (1..=5).contains(h))? * 100;
            return Some((first, first + 99));
        }
        let status = text.parse().ok().filter(|status| (100..=599).contains(status))?;
        Some((status, status))
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.0.iter().map(|(first, last)| match first == last {
            true => first.to_string(),
            false => format!("{}xx", first / 100),
        });
        f.write_str(&words.collect::<Vec<_>>().join(" or "))
    }
}

impl Decode for Statuses {
    fn expects() -> String {
        "an HTTP status such as 200 or 2xx, or a list of them".to_owned()
    }

    fn schema(_: &mut Shapes) -> serde_json::Value {
        let one = shape::scalar("an HTTP status such as 200, or 2xx");
        shape::any_of(vec![one.clone(), shape::list(one)])
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        let nodes = match &node.value {
            Value::List(nodes) if nodes.is_empty() => {
                cx.report(
                    Problem::new(Code::EmptyList, node.span, "no status can match")
                        .label("name at least one status"),
                );
                return None;
            }
            Value::List(nodes) => nodes.iter().collect(),
            _ => vec![node],
        };
        let read: Vec<Option<(u16, u16)>> = nodes
            .into_iter()
            .map(|node| {
                let text = cx.text_for::<Self>(node)?;
                let range = Statuses::one(&text);
                if range.is_none() {
                    cx.unexpected(Code::NotAnArgument, node, &Self::expects());
                }
                range
            })
            .collect();
        read.into_iter().collect::<Option<Vec<_>>>().map(Statuses)
    }
}

#[cfg(test)]
mod tests;
