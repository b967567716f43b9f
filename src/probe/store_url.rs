//! The common shape of a store's connection string:
//! `scheme://user:password@host:port[,host:port]/path?setting=value`.
//!
//! Knows no store. Its errors never repeat the text, which may hold a password.

use std::fmt;
use std::str::FromStr;

use super::tcp::Address;
use crate::notation::code::Code;
use crate::notation::decode::{Context, Decode, Problem};
use crate::notation::yaml::Node;

/// A connection string, taken apart and decoded.
#[derive(Clone, PartialEq)]
pub(crate) struct StoreUrl {
    pub(crate) scheme: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) hosts: Vec<Address>,
    pub(crate) path: Vec<String>,
    pub(crate) settings: Vec<(String, String)>,
}

impl StoreUrl {
    /// Reads a connection string; hosts without a port get this one.
    pub(crate) fn parse(text: &str, port: u16) -> Result<StoreUrl, String> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no `scheme://`")?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        // A password may hold an `@` that nobody escaped; a host cannot.
        let (info, rest) = rest.rsplit_once('@').map_or((None, rest), |(info, rest)| (Some(info), rest));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = match info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (String::new(), String::new()),
        };
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let hosts = hosts.split(',').map(|host| address(host, port)).collect::<Result<Vec<_>, _>>()?;
        let path = path.split('/').filter(|part| !part.is_empty()).map(decoded);
        let settings = query.split('&').filter(|setting| !setting.is_empty()).map(|setting| {
            let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
            Ok((decoded(name)?, decoded(value)?))
        });
        Ok(StoreUrl {
            scheme: scheme.to_owned(),
            user: given(user),
            password: given(password),
            hosts,
            path: path.collect::<Result<_, _>>()?,
            settings: settings.collect::<Result<_, String>>()?,
        })
    }
}

/// A store's DSN in a file. What is wrong with it is told without the text, which may hold a password.
pub(crate) fn dsn<T>(node: &Node, cx: &mut Context<'_>, store: &str) -> Option<T>
where
    T: Decode + FromStr<Err = String>,
{
    let text = cx.text_for::<T>(node)?;
    let read = text.parse();
    if let Err(why) = &read {
        cx.report(
            Problem::new(Code::NotADsn, node.span, format!("not a usable {store} DSN: {why}"))
                .label(format!("expected {}", T::expects())),
        );
    }
    read.ok()
}

/// As people may see it: settings left out, passwords hidden.
impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.user.as_deref().unwrap_or_default())?;
        if self.password.is_some() {
            f.write_str(":***")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        let hosts: Vec<String> = self.hosts.iter().map(ToString::to_string).collect();
        f.write_str(&hosts.join(","))?;
        self.path.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

fn address(text: &str, port: u16) -> Result<Address, String> {
    if text.is_empty() {
        return Err("it names no host".to_owned());
    }
    let ported = match text.strip_prefix('[') {
        Some(rest) => !rest.ends_with(']'),
        None => text.contains(':'),
    };
    let whole = if ported { text.to_owned() } else { format!("{text}:{port}") };
    Address::parse(&whole).ok_or_else(|| "expected `host` or `host:port` after the `@`".to_owned())
}

/// `%40` as `@`.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err("a `%` without two hexadecimal digits after it; write `%25` for `%`".to_owned()),
        }
    }
    String::from_utf8(bytes).map_err(|_| "it is not UTF-8 once its `%` are decoded".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let url = StoreUrl::parse("redis://app:p%40ss@a.test,b.test:7,[::1]/m/2?x=1&y=%20", 6379).unwrap();
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("app"), Some("p@ss")));
        let hosts: Vec<String> = url.hosts.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["a.test:6379", "b.test:7", "[::1]:6379"]);
        assert_eq!(url.path, ["m", "2"]);
        assert_eq!(url.settings, [("x".into(), "1".into()), ("y".into(), " ".into())]);
        assert_eq!(url.to_string(), "redis://app:***@a.test:6379,b.test:7,[::1]:6379/m/2");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (text, why) in [
            ("hunter2@db", "scheme"),
            ("x://u:hunter2@/db", "no host"),
            ("x://u:hunter2@db:port", "host:port"),
            ("x://u:hunter2%zz@db", "hexadecimal"),
        ] {
            let error = StoreUrl::parse(text, 1).err().unwrap();
            assert!(error.contains(why) && !error.contains("hunter2"), "{text}: {error}");
        }
    }
}
