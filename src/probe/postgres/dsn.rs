//! A PostgreSQL connection string, its password out of sight.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::config::Host;

use crate::notation::decode::{Context, Decode};
use crate::notation::yaml::Node;
use crate::probe::store_url;

/// Where and how to connect. Never shows its password.
#[derive(Clone, PartialEq)]
pub struct Dsn {
    /// User, password, database and the other settings of the protocol.
    pub(crate) config: tokio_postgres::Config,
    /// The host to connect to.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How TLS is used.
    pub(crate) tls: TlsMode,
}

/// libpq's `sslmode` and `sslrootcert`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TlsMode {
    /// What is checked of the server's certificate.
    pub(crate) verify: Verify,
    /// PEM file of the trusted authorities; the system's without it.
    pub(crate) roots: Option<PathBuf>,
}

/// How much of a server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Nothing (`disable`, `prefer`, `require`): as libpq does it.
    Nothing,
    /// Its chain and its name (`verify-full`, and `verify-ca` too, which is stricter than libpq).
    Full,
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.config.get_user().unwrap_or_default();
        let hidden = if self.config.get_password().is_some() { ":***" } else { "" };
        let at = if user.is_empty() && hidden.is_empty() { "" } else { "@" };
        let database = self.config.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
        write!(f, "postgres://{user}{hidden}{at}{}:{}{database}", self.host, self.port)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

impl Decode for Dsn {
    fn expects() -> String {
        "a PostgreSQL DSN such as postgres://user:password@host:5432/database".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        store_url::dsn(node, cx, "PostgreSQL")
    }
}

impl FromStr for Dsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Dsn, String> {
        let (rest, tls) = TlsMode::split_off(text)?;
        let config: tokio_postgres::Config = rest.parse().map_err(|e: tokio_postgres::Error| {
            std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string)
        })?;
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => host.clone(),
            [] => return Err("it names no host".to_owned()),
            [_] => return Err("a Unix socket cannot be probed; name a host".to_owned()),
            _ => return Err("it names several hosts; probe each with a probe of its own".to_owned()),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        Ok(Dsn { config, host, port, tls })
    }
}

impl TlsMode {
    /// Takes out what tokio-postgres does not understand: `sslmode=verify-*` and `sslrootcert`.
    fn split_off(text: &str) -> Result<(String, TlsMode), String> {
        let mut tls = TlsMode { verify: Verify::Nothing, roots: None };
        let url = text.starts_with("postgres://") || text.starts_with("postgresql://");
        let (head, settings, separator) = match (url, text.split_once('?')) {
            (true, Some((head, query))) => (format!("{head}?"), query, "&"),
            (true, None) => return Ok((text.to_owned(), tls)),
            (false, _) => (String::new(), text, " "),
        };
        let mut kept = Vec::new();
        for setting in settings.split(separator) {
            match setting.split_once('=') {
                Some(("sslmode", "verify-full" | "verify-ca")) => {
                    tls.verify = Verify::Full;
                    kept.push("sslmode=require".to_owned());
                }
                Some(("sslmode", "allow")) => kept.push("sslmode=prefer".to_owned()),
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", path)) => {
                    tls.roots = Some(PathBuf::from(path));
                }
                _ => kept.push(setting.to_owned()),
            }
        }
        if tls.roots.is_some() && tls.verify == Verify::Nothing {
            return Err("sslrootcert is only looked at with sslmode=verify-full".to_owned());
        }
        Ok((format!("{head}{}", kept.join(separator)), tls))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let dsn: Dsn = "postgres://firedrill:hunter2@db.lab.test:5433/orders".parse().unwrap();
        assert_eq!(dsn.to_string(), "postgres://firedrill:***@db.lab.test:5433/orders");
        assert!(!format!("{dsn:?}").contains("hunter2"));
    }

    #[test]
    fn verification_is_taken_from_sslmode() {
        let text = "postgres://u@db/orders?sslmode=verify-full&sslrootcert=rds.pem&application_name=x";
        let dsn: Dsn = text.parse().unwrap();
        assert_eq!(dsn.tls, TlsMode { verify: Verify::Full, roots: Some(PathBuf::from("rds.pem")) });
        assert_eq!(dsn.config.get_ssl_mode(), tokio_postgres::config::SslMode::Require);
        assert_eq!(dsn.config.get_application_name(), Some("x"));
    }

    #[test]
    fn what_cannot_be_probed_is_refused() {
        for (text, why) in [
            ("postgres:///orders", "no host"),
            ("host=a,b user=x", "several hosts"),
            ("host=/run/postgresql user=x", "Unix socket"),
            ("postgres://u@db/x?sslrootcert=a.pem", "verify-full"),
        ] {
            let error = text.parse::<Dsn>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
