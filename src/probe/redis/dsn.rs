//! A Redis connection string, its passwords out of sight.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::notation::decode::{Context, Decode};
use crate::notation::yaml::Node;
use crate::probe::store_url::{self, StoreUrl};
use crate::probe::tcp::Address;

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// Where and how to connect. Never shows its passwords.
#[derive(Clone, PartialEq)]
pub struct Dsn {
    url: StoreUrl,
    /// The server itself, or who knows where it is.
    pub(crate) place: Place,
    /// The server's user and password.
    pub(crate) login: Login,
    /// The number of the database.
    pub(crate) database: u32,
    /// How TLS is used; without it, not at all.
    pub(crate) tls: Option<TlsMode>,
}

/// Which server is meant.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Place {
    /// This one.
    Server(Address),
    /// The one that the sentinels call the master of that name. They are asked in this order.
    Sentinels { addresses: Vec<Address>, master: String, login: Login },
}

/// Credentials; without a password there is no login.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user.as_deref().unwrap_or("default"))
    }
}

/// What is checked of the server's certificate.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TlsMode {
    pub(crate) insecure: bool,
    /// PEM file of the trusted authorities; the system's without it.
    pub(crate) roots: Option<PathBuf>,
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
        "a Redis DSN such as redis://user:password@host:6379/0 or redis+sentinel://host:26379/mastername"
            .to_owned()
    }

    fn decode(node: &Node, cx: &mut Context<'_>) -> Option<Self> {
        store_url::dsn(node, cx, "Redis")
    }
}

impl FromStr for Dsn {
    type Err = String;

    fn from_str(text: &str) -> Result<Dsn, String> {
        let scheme = text.split("://").next().unwrap_or_default();
        let (tls, sentinel) = match scheme {
            "redis" | "valkey" => (false, false),
            "rediss" | "valkeys" => (true, false),
            "redis+sentinel" | "valkey+sentinel" => (false, true),
            "rediss+sentinel" | "valkeys+sentinel" => (true, true),
            _ => {
                return Err("its scheme is none of redis, rediss, redis+sentinel, rediss+sentinel".to_owned());
            }
        };
        let url = StoreUrl::parse(text, if sentinel { SENTINEL_PORT } else { PORT })?;
        let (mut mode, mut sentinel_login) = (TlsMode { insecure: false, roots: None }, Login::default());
        for (name, value) in &url.settings {
            match (name.as_str(), value.as_str()) {
                ("ca", path) if tls => mode.roots = Some(PathBuf::from(path)),
                ("insecure", "true" | "false") if tls => mode.insecure = value == "true",
                ("sentinel_user", user) if sentinel => sentinel_login.user = Some(user.to_owned()),
                ("sentinel_password", word) if sentinel => sentinel_login.password = Some(word.to_owned()),
                (name, _) => return Err(refused(name, tls, sentinel)),
            }
        }
        let mut path = url.path.iter();
        let place = match sentinel {
            true => {
                let master = path.next().ok_or("it names no master: expected `…host:26379/mastername`")?;
                Place::Sentinels {
                    addresses: url.hosts.clone(),
                    master: master.clone(),
                    login: sentinel_login,
                }
            }
            false => match url.hosts.as_slice() {
                [address] => Place::Server(address.clone()),
                _ => return Err("it names several hosts; probe each with a probe of its own".to_owned()),
            },
        };
        let database = path.next().map_or(Ok(0), |number| {
            number.parse().map_err(|_| "the database after the last `/` is not a number".to_owned())
        })?;
        if path.next().is_some() {
            return Err("there is more after the database's number".to_owned());
        }
        let login = Login { user: url.user.clone(), password: url.password.clone() };
        if login.user.is_some() && login.password.is_none() {
            return Err(
                "it names a user without a password; for a password alone write `:password@`".to_owned()
            );
        }
        Ok(Dsn { place, login, database, tls: tls.then_some(mode), url })
    }
}

fn refused(name: &str, tls: bool, sentinel: bool) -> String {
    let mut known = Vec::new();
    if tls {
        known.extend(["ca=FILE", "insecure=true"]);
    }
    if sentinel {
        known.extend(["sentinel_user=NAME", "sentinel_password=WORD"]);
    }
    match (known.is_empty(), name) {
        (true, "ca" | "insecure") => {
            format!("`{name}` is about TLS, which rediss:// uses and redis:// does not")
        }
        (true, _) => format!("it has no setting `{name}`"),
        (false, _) => format!("`{name}` is no setting with a value of its: expected {}", known.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_never_shown() {
        let text = "redis+sentinel://app:hunter2@s1.test,s2.test:7/orders/3?sentinel_password=hunter3";
        let dsn: Dsn = text.parse().unwrap();
        assert_eq!(dsn.to_string(), "redis+sentinel://app:***@s1.test:26379,s2.test:7/orders/3");
        let debugged = format!("{dsn:?} {:?} {:?}", dsn.place, dsn.login);
        assert!(!debugged.contains("hunter"), "{debugged}");
        assert_eq!(dsn.database, 3);
        let Place::Sentinels { addresses, master, login } = dsn.place else { panic!("{:?}", dsn.place) };
        assert_eq!((addresses.len(), master.as_str()), (2, "orders"));
        assert_eq!(login.password.as_deref(), Some("hunter3"));
    }

    #[test]
    fn tls_is_what_the_scheme_says() {
        let dsn: Dsn = "rediss://cache.test?ca=a.pem".parse().unwrap();
        assert_eq!(dsn.tls, Some(TlsMode { insecure: false, roots: Some(PathBuf::from("a.pem")) }));
        assert_eq!("redis://cache.test".parse::<Dsn>().unwrap().tls, None);
    }

    #[test]
    fn what_cannot_be_probed_is_refused() {
        for (text, why) in [
            ("http://cache", "scheme"),
            ("redis://a,b", "several hosts"),
            ("redis://a/orders", "not a number"),
            ("redis+sentinel://a", "no master"),
            ("redis://a?ca=x.pem", "rediss://"),
            ("rediss://a?insecure=yes", "insecure=true"),
            ("redis://app@a", "without a password"),
        ] {
            let error = text.parse::<Dsn>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
