//! The request that a probe sends, and to which server.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, HOST, HeaderMap, HeaderValue, LOCATION, USER_AGENT};
use http::{Method, Uri, Version};
use hyper::body::Incoming;
use hyper::{Request, Response};
use percent_encoding::percent_decode_str;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;

use super::dial::{Body, Dialler};
use super::{Budgets, Http, HttpVersion, Tls, client};
use crate::probe::Opening;
use crate::probe::tls::{self, Trust};
use crate::probe::trouble::Trouble;
use crate::sample::{Cause, Class};

/// One request, ready to be sent again and again.
pub(super) struct Requests {
    pub(super) dialler: Dialler,
    url: reqwest::Url,
    uri: Uri,
    method: Method,
    headers: HeaderMap,
    body: bytes::Bytes,
    /// For a redirect to a server that speaks TLS.
    connector: Option<TlsConnector>,
}

impl Requests {
    pub(super) fn new(http: &Http, opening: &Opening) -> Result<Requests, String> {
        let url = http.url.0.clone();
        let version = match http.version {
            HttpVersion::Http1 => Version::HTTP_11,
            HttpVersion::Http2 => Version::HTTP_2,
        };
        let connector = connector(http, version)?;
        let server_name = http.tls.as_ref().and_then(|tls| tls.server_name.clone());
        let dialler = Dialler {
            resolver: opening.resolver.clone(),
            host: host(&url)?,
            port: url.port_or_known_default().unwrap_or(80),
            tls: secured(&url, connector.as_ref(), server_name.as_deref())?,
            version,
            budgets: Budgets {
                dns: http.dns_timeout.min(http.timeout),
                connect: http.connect_timeout.min(http.timeout),
                tls: http.tls_timeout.min(http.timeout),
            },
        };
        let mut headers = client::headers(http.headers.as_ref())?;
        let agent = concat!("firedrill/", env!("CARGO_PKG_VERSION"));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(agent));
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let (Some(password), false) = (login(&url), headers.contains_key(AUTHORIZATION)) {
            headers.insert(AUTHORIZATION, password);
        }
        name_host(&mut headers, &url, version)?;
        let body = http.body.clone().map(bytes::Bytes::from).unwrap_or_default();
        let uri = target(&url, version)?;
        let method = http.method.0.clone();
        Ok(Requests { dialler, url, uri, method, headers, body, connector })
    }

    /// The request, once more.
    pub(super) fn request(&self) -> Result<Request<Body>, Trouble> {
        let built = Request::builder()
            .method(self.method.clone())
            .uri(self.uri.clone())
            .version(self.dialler.version)
            .body(Body::new(self.body.clone()));
        let failed = |why: String| Trouble::new(Class::Void, Cause::Local, why);
        let mut request = built.map_err(|error| failed(format!("the request cannot be made: {error}")))?;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    /// The request to send after this answer, when it is a redirect.
    pub(super) fn redirected(&self, response: &Response<Incoming>) -> Result<Option<Requests>, Trouble> {
        let status = response.status().as_u16();
        let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(location) = location.filter(|_| matches!(status, 301 | 302 | 303 | 307 | 308)) else {
            return Ok(None);
        };
        let wrong = |why: String| Trouble::new(Class::Wrong, Cause::Protocol, why).code(status);
        let url = self.url.join(location).map_err(|error| wrong(format!("redirected to no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong(format!("redirected to a {} URL", url.scheme())));
        }
        let elsewhere = url.host_str() != self.url.host_str()
            || url.port_or_known_default() != self.url.port_or_known_default();
        let mut headers = self.headers.clone();
        if elsewhere {
            // What was meant for one server is not told to another.
            [AUTHORIZATION, COOKIE, HOST].iter().for_each(|name| drop(headers.remove(name)));
        }
        name_host(&mut headers, &url, self.dialler.version).map_err(wrong)?;
        let repeats =
            matches!(status, 307 | 308) || self.method == Method::GET || self.method == Method::HEAD;
        Ok(Some(Requests {
            dialler: Dialler {
                resolver: self.dialler.resolver.clone(),
                host: host(&url).map_err(wrong)?,
                port: url.port_or_known_default().unwrap_or(80),
                tls: secured(&url, self.connector.as_ref(), None).map_err(wrong)?,
                version: self.dialler.version,
                budgets: self.dialler.budgets,
            },
            uri: target(&url, self.dialler.version).map_err(wrong)?,
            url,
            method: if repeats { self.method.clone() } else { Method::GET },
            headers,
            body: if repeats { self.body.clone() } else { bytes::Bytes::new() },
            connector: self.connector.clone(),
        }))
    }
}

fn host(url: &reqwest::Url) -> Result<String, String> {
    url.host_str().map(str::to_owned).ok_or_else(|| "the URL names no host".to_owned())
}

/// The host and, where it is not the scheme's own, the port.
fn authority(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

/// HTTP/1.1 names the host in a header, unless the file does.
fn name_host(headers: &mut HeaderMap, url: &reqwest::Url, version: Version) -> Result<(), String> {
    if version != Version::HTTP_2 && !headers.contains_key(HOST) {
        let value =
            HeaderValue::from_str(&authority(url)).map_err(|error| format!("the URL's host: {error}"))?;
        headers.insert(HOST, value);
    }
    Ok(())
}

/// What the request line names: HTTP/2 carries the whole URL.
fn target(url: &reqwest::Url, version: Version) -> Result<Uri, String> {
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let text = match version {
        Version::HTTP_2 => format!("{}://{}{path}", url.scheme(), authority(url)),
        _ => path,
    };
    text.parse().map_err(|error| format!("the URL cannot be requested: {error}"))
}

/// `user:password@` in a URL as the header that it stands for.
fn login(url: &reqwest::Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut login: Vec<u8> = percent_decode_str(url.username()).collect();
    login.push(b':');
    login.extend(percent_decode_str(url.password().unwrap_or_default()));
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(&login))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The TLS settings, when TLS can come up.
fn connector(http: &Http, version: Version) -> Result<Option<TlsConnector>, String> {
    let trust = match &http.tls {
        Some(Tls { insecure: true, .. }) => Trust::Anybody,
        Some(Tls { ca_file: Some(file), .. }) => Trust::File(Path::new(file)),
        // A redirect can lead to https.
        _ if http.url.0.scheme() == "https" || http.redirects => Trust::System,
        _ => return Ok(None),
    };
    let mut config = tls::client(trust)?;
    config.alpn_protocols = match version {
        Version::HTTP_2 => vec![b"h2".to_vec()],
        _ => vec![b"http/1.1".to_vec()],
    };
    // A resumed session would skip the very part of the handshake that a fresh client pays for.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Some(TlsConnector::from(Arc::new(config))))
}

fn secured(
    url: &reqwest::Url,
    connector: Option<&TlsConnector>,
    server_name: Option<&str>,
) -> Result<Option<(TlsConnector, ServerName<'static>)>, String> {
    if url.scheme() != "https" {
        return Ok(None);
    }
    let Some(connector) = connector else { return Err("no TLS settings for an https URL".to_owned()) };
    let named = host(url)?;
    let name = server_name.unwrap_or(named.trim_matches(['[', ']']));
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("`{name}` is no name for a certificate"))?;
    Ok(Some((connector.clone(), name)))
}
