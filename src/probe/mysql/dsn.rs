//! A MySQL connection string, its password out of sight.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::notation::decode::{Context, Decode};
use crate::notation::yaml::Node;
use crate::probe::store_url::{self, StoreUrl};
use crate::probe::tcp::Address;

const PORT: u16 = 3306;

/// Where and how to connect. Never shows its password.
#[derive(Clone, PartialEq)]
pub struct Dsn {
    pub(crate) url: StoreUrl,
    /// The server.
    pub(crate) address: Address,
    /// The database to use.
    pub(crate) database: Option<String>,
    /// How TLS is used.
    pub(crate) tls: TlsMode,
}

/// MySQL's `ssl-mode`, and its `ssl-ca`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TlsMode {
    /// Never.
    Disabled,
    /// When the server has it; its certificate is not checked.
    Preferred,
    /// Always; the certificate is not checked.
    Required,
    /// Always, and the certificate's chain is checked, and with `name` the name in it too. The authorities are in
    /// the PEM file, or else the system's.
    Verified { name: bool, roots: Option<PathBuf> },
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

impl Decode for Dsn {
    fn expects() -> String {
        "a MySQL DSN such as mysql://user:password@host:3306/database".to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        store_url::dsn(node, cx, "MySQL")
    }
}

impl FromStr for Dsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Dsn, String> {
        let url = StoreUrl::parse(text, PORT)?;
        if !matches!(url.scheme.as_str(), "mysql" | "mariadb") {
            return Err("its scheme is neither mysql nor mariadb".to_owned());
        }
        let [address] = url.hosts.as_slice() else {
            return Err("it names several hosts; probe each with a probe of its own".to_owned());
        };
        if url.path.len() > 1 {
            return Err("there is more after the database's name".to_owned());
        }
        let (mut mode, mut roots) = (None, None);
        for (name, value) in &url.settings {
            match name.as_str() {
                "ssl-mode" | "ssl_mode" => mode = Some(value.to_ascii_lowercase().replace('_', "-")),
                "ssl-ca" | "ssl_ca" => roots = Some(PathBuf::from(value)),
                other => return Err(format!("it has no setting `{other}`: expected ssl-mode or ssl-ca")),
            }
        }
        // As MySQL's own clients do it: a named authority is there to be checked against.
        let mode = mode.unwrap_or_else(|| if roots.is_some() { "verify-ca" } else { "preferred" }.to_owned());
        let tls = match mode.as_str() {
            "verify-ca" => TlsMode::Verified { name: false, roots },
            "verify-identity" => TlsMode::Verified { name: true, roots },
            _ if roots.is_some() => {
                return Err("ssl-ca is only looked at with ssl-mode=verify_ca or verify_identity".to_owned());
            }
            "disabled" => TlsMode::Disabled,
            "preferred" => TlsMode::Preferred,
            "required" => TlsMode::Required,
            _ => {
                let known = "disabled, preferred, required, verify_ca or verify_identity";
                return Err(format!("its ssl-mode is not one of {known}"));
            }
        };
        Ok(Dsn { address: address.clone(), database: url.path.first().cloned(), tls, url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_never_shown() {
        let dsn: Dsn = "mysql://app:hunter2@db.test/orders?ssl-mode=REQUIRED".parse().unwrap();
        assert_eq!(dsn.to_string(), "mysql://app:***@db.test:3306/orders");
        assert!(!format!("{dsn:?}").contains("hunter2"));
        assert_eq!((dsn.database.as_deref(), dsn.tls), (Some("orders"), TlsMode::Required));
    }

    #[test]
    fn verification_is_taken_from_ssl_mode() {
        let tls = |query: &str| format!("mysql://u@db/x?{query}").parse::<Dsn>().map(|dsn| dsn.tls);
        let roots = || Some(PathBuf::from("rds.pem"));
        assert_eq!(tls(""), Ok(TlsMode::Preferred));
        assert_eq!(tls("ssl-mode=DISABLED"), Ok(TlsMode::Disabled));
        assert_eq!(tls("ssl-ca=rds.pem"), Ok(TlsMode::Verified { name: false, roots: roots() }));
        let full = TlsMode::Verified { name: true, roots: roots() };
        assert_eq!(tls("ssl-mode=VERIFY_IDENTITY&ssl-ca=rds.pem"), Ok(full));
        assert!(tls("ssl-mode=required&ssl-ca=rds.pem").unwrap_err().contains("verify_ca"));
        assert!(tls("ssl-mode=on").unwrap_err().contains("one of"));
    }

    #[test]
    fn what_cannot_be_probed_is_refused() {
        for (text, why) in [
            ("postgres://db/x", "scheme"),
            ("mysql:///orders", "no host"),
            ("mysql://a,b/x", "several hosts"),
            ("mysql://a/x/y", "more after"),
            ("mysql://a/x?charset=utf8", "no setting"),
        ] {
            let error = text.parse::<Dsn>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
