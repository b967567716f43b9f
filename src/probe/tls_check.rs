//! `tls`: a handshake, and what the server's certificate is worth.

use std::time::Duration;

use crate::notation::units;
use crate::probe::tcp::Address;
use crate::{record, words};

pub(crate) mod ask;
pub(crate) mod handshake;

record! {
    /// Completes a TLS handshake and checks the certificate; good when its chain and name are
    /// trusted and it lasts long enough. Each sample names who answered by the certificate's serial number.
    pub struct Tls {
        /// Where to connect: `host:port`.
        pub address: Address,
        /// The name to ask for, which the certificate must carry, when it is not the host connected to.
        pub server_name: Option<String>,
        /// A PEM file with the only certificate authorities to trust; without it, those of the system.
        pub ca_file: Option<String>,
        /// Whether any certificate is accepted; how long it lasts is checked all the same.
        pub insecure: bool = false,
        /// How much longer the certificate must last, such as `14d`. A shorter one is a wrong answer.
        pub expires_in: Option<Duration>,
        /// The only protocol version that is offered; without it, 1.2 and 1.3.
        pub version: Option<Version>,
        /// How long the connection may take, the name's resolution included. Keep it below
        /// 1s, when TCP repeats a lost SYN by itself.
        pub connect_timeout: Duration = Duration::from_millis(900),
        /// How long the handshake may take after that.
        pub tls_timeout: Duration = Duration::from_secs(1),
    }
}

words! {
    /// A version of TLS.
    pub enum Version {
        /// TLS 1.2.
        "1.2" => Tls12,
        /// TLS 1.3.
        "1.3" => Tls13,
    }
}

impl Tls {
    /// One line for people: `TLS handshake with shop.test:443, valid for 14d more`.
    pub fn summary(&self) -> String {
        let mut line = format!("TLS handshake with {}", self.address);
        if let Some(name) = &self.server_name {
            line.push_str(&format!(" as {name}"));
        }
        if let Some(version) = self.version {
            line.push_str(&format!(", version {}", version.word()));
        }
        if let Some(more) = self.expires_in {
            line.push_str(&format!(", valid for {} more", lasting(more)));
        }
        line
    }

    /// The longest that one asking can take.
    pub fn deadline(&self) -> Duration {
        self.connect_timeout + self.tls_timeout
    }
}

/// A time that certificates are counted in: whole days from two days on.
fn lasting(time: Duration) -> String {
    match time.as_secs() / 86_400 {
        days @ 2.. => format!("{days}d"),
        _ => units::show(Duration::from_secs(time.as_secs())),
    }
}

#[cfg(test)]
mod tests;
