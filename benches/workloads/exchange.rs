//! What asking over HTTP costs at the least: one thread, one kept connection, blocking calls, nothing kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::Duration;

use firedrill::clock::boottime_ns;
use rustix::thread::set_current_timer_slack;
use serde_json::json;

use super::Outcome;
use super::pacing::sleep_until;

/// Asks `address` `rate` times a second for so many seconds.
pub(crate) fn run(address: SocketAddr, rate: u32, seconds: u32) -> Outcome {
    // As the pacer does.
    let _ = set_current_timer_slack(NonZeroU64::new(1));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\naccept: */*\r\n\r\n");
    let every = u64::from(1_000_000_000 / rate.max(1));
    let start = boottime_ns() + every;
    let mut answer = [0; 4096];
    for index in 0..u64::from(rate) * u64::from(seconds) {
        sleep_until(start + index * every);
        stream.write_all(request.as_bytes())?;
        if stream.read(&mut answer)? == 0 {
            return Err("the server closed the connection".into());
        }
    }
    Ok(json!({ "rate": rate, "seconds": seconds }))
}
