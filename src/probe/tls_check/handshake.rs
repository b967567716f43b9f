//! A TLS handshake over a connection of one's own, with a deadline of its own.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;
use crate::probe::connect::micros;
use crate::probe::deadline::within;
use crate::probe::tls::Trust;
use crate::probe::trouble::{self, Trouble};
use crate::sample::{Cause, Class};

/// Whom to trust, from what a file says of it.
pub(crate) fn trust(insecure: bool, ca_file: Option<&String>) -> Trust<'_> {
    match (insecure, ca_file) {
        (true, _) => Trust::Anybody,
        (false, Some(file)) => Trust::File(Path::new(file)),
        (false, None) => Trust::System,
    }
}

/// The name to ask for: the one that is given, else the host.
pub(crate) fn server_name(given: Option<&String>, host: &str) -> Result<ServerName<'static>, String> {
    let name = given.map_or(host, String::as_str);
    ServerName::try_from(name.to_owned())
        .map_err(|_| format!("`{name}` cannot be a server's name in TLS: give a host name or an IP address"))
}

/// Shakes hands; how long it took, in microseconds.
pub(crate) async fn handshake(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: TcpStream,
    budget: Duration,
    clock: &Clock,
) -> Result<(TlsStream<TcpStream>, u32), Trouble> {
    let begun = Instant::now();
    match within(budget, clock, TlsConnector::from(config).connect(name, stream)).await {
        Ok(Ok(stream)) => Ok((stream, micros(begun))),
        Ok(Err(error)) => Err(failed(&error)),
        Err(_) => {
            let text = format!("no TLS handshake within {} ms", budget.as_millis());
            Err(Trouble::new(Class::Timeout, Cause::Tls, text))
        }
    }
}

fn failed(error: &io::Error) -> Trouble {
    if let Some(tls) = trouble::find::<rustls::Error>(error) {
        return Trouble::new(Class::FailFast, Cause::Tls, format!("TLS handshake: {tls}"));
    }
    match error.kind() {
        // rustls says so when the server hangs up in the middle of the handshake.
        io::ErrorKind::UnexpectedEof => {
            Trouble::new(Class::FailFast, Cause::Tls, "the server hung up during the TLS handshake")
        }
        _ => Trouble::io(error, "TLS handshake"),
    }
}
