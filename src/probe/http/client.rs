//! The HTTP client behind a probe: no cache, no proxy, no retry, one address.

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{HOST, HeaderMap, HeaderName, HeaderValue};

use super::{Tls, Url};
use crate::probe::connect::name_budget;
use crate::probe::resolve::{DnsFailure, Resolver};
use crate::probe::tls::{self, Trust};
use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class};

/// What a client is made of.
pub(crate) struct Settings {
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect_timeout: Duration,
    pub(crate) redirects: bool,
    pub(crate) keep: bool,
    pub(crate) resolver: Arc<Resolver>,
}

impl Settings {
    /// The URL to put into requests: with the name that the certificate must carry, if one is given.
    pub(crate) fn target(&self) -> Result<reqwest::Url, String> {
        let mut url = self.url.0.clone();
        if let Some(name) = self.tls.as_ref().and_then(|tls| tls.server_name.as_ref()) {
            url.set_host(Some(name)).map_err(|error| format!("server_name `{name}`: {error}"))?;
        }
        Ok(url)
    }

    /// A client with no connection yet.
    pub(crate) fn client(&self) -> Result<reqwest::Client, String> {
        let redirect = match self.redirects {
            true => reqwest::redirect::Policy::limited(10),
            false => reqwest::redirect::Policy::none(),
        };
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client(self.trust())?)
            .http1_only()
            .no_proxy()
            .retry(reqwest::retry::never())
            .referer(false)
            .redirect(redirect)
            .user_agent(concat!("firedrill/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers()?)
            .connect_timeout(self.connect_timeout)
            .pool_max_idle_per_host(if self.keep { usize::MAX } else { 0 })
            .pool_idle_timeout(None)
            .dns_resolver(Names {
                resolver: self.resolver.clone(),
                budget: name_budget(self.connect_timeout),
                alias: self.alias()?,
            })
            .build()
            .map_err(|error| {
                format!("{}: the HTTP client cannot be set up: {}", self.url, trouble::line(&error))
            })
    }

    fn trust(&self) -> Trust<'_> {
        match &self.tls {
            Some(Tls { insecure: true, .. }) => Trust::Anybody,
            Some(Tls { ca_file: Some(file), .. }) => Trust::File(Path::new(file)),
            // A redirect can lead to https.
            _ if self.url.0.scheme() == "https" || self.redirects => Trust::System,
            _ => Trust::Nobody,
        }
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = self.headers.clone();
        let renamed = self.target()?.host_str() != self.url.0.host_str();
        if renamed && !headers.contains_key(HOST) {
            let host = self.url.0.host_str().unwrap_or_default();
            let authority = self.url.0.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
            headers.insert(HOST, value("Host", &authority)?);
        }
        Ok(headers)
    }

    /// `(name in the request's URL, name to connect to)`, when they differ.
    fn alias(&self) -> Result<Option<(String, String)>, String> {
        let named = self.target()?.host_str().unwrap_or_default().to_owned();
        let real = self.url.0.host_str().unwrap_or_default().to_owned();
        Ok((named != real).then_some((named, real)))
    }
}

/// Headers of a file as headers of a request.
pub(crate) fn headers(written: Option<&IndexMap<String, String>>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, text) in written.into_iter().flatten() {
        headers.insert(header_name(name)?, value(name, text)?);
    }
    Ok(headers)
}

/// A header's name.
pub(crate) fn header_name(name: &str) -> Result<HeaderName, String> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is not a header's name"))
}

// The value can be a secret, so it is not repeated.
fn value(name: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text)
        .map_err(|_| format!("the value of header `{name}` has characters that no header can hold"))
}

/// Asks for a name at every connection, and hands out the first address alone.
struct Names {
    resolver: Arc<Resolver>,
    budget: Duration,
    alias: Option<(String, String)>,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let host = match &self.alias {
            Some((named, real)) if named == name.as_str() => real.clone(),
            _ => name.as_str().to_owned(),
        };
        let (resolver, budget) = (self.resolver.clone(), self.budget);
        Box::pin(async move {
            let found = resolver.addresses(&host, budget).await?;
            let first = found.into_iter().take(1).map(|ip| SocketAddr::new(ip, 0));
            Ok(Box::new(first) as Addrs)
        })
    }
}

/// Why a request failed.
pub(crate) fn classify(error: &reqwest::Error) -> Trouble {
    // reqwest's own text holds the URL, and so perhaps a password; what is beneath it does not.
    let text = error.source().map_or("the request failed".to_owned(), trouble::line);
    if let Some(dns) = trouble::find::<DnsFailure>(error) {
        return dns.trouble();
    }
    if trouble::find::<rustls::Error>(error).is_some() {
        return Trouble::new(Class::FailFast, Cause::Tls, text);
    }
    if error.is_timeout() {
        return match error.is_connect() {
            true => Trouble::connect_late(text),
            false => Trouble::late(text),
        };
    }
    let closed_early =
        |error: &hyper::Error| error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    match trouble::find::<std::io::Error>(error) {
        // rustls says so when the server hangs up in the middle of the handshake.
        Some(io) if error.is_connect() && io.to_string().contains("tls handshake eof") => {
            Trouble::new(Class::FailFast, Cause::Tls, text)
        }
        Some(io) => Trouble { detail: text, ..Trouble::io(io, "") },
        None if trouble::find::<hyper::Error>(error).is_some_and(closed_early) => {
            Trouble::new(Class::FailFast, Cause::Reset, text)
        }
        None => Trouble::new(Class::FailFast, Cause::Protocol, text),
    }
}
