//! Connecting, and listening for the server's first words.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::Tcp;
use crate::clock::Clock;
use crate::probe::connect::{Reached, connect};
use crate::probe::deadline::within;
use crate::probe::prober::sentinel::Post;
use crate::probe::resolve::Resolver;
use crate::probe::trouble::Trouble;
use crate::probe::{Answer, Ask, Opening};
use crate::sample::{Cause, Class};

/// How much of a banner is read.
const MOST_BANNER: usize = 4096;

/// A `tcp` probe, ready to ask.
pub(crate) struct TcpAsk {
    tcp: Tcp,
    resolver: Arc<Resolver>,
}

impl TcpAsk {
    pub(crate) fn open(tcp: &Tcp, opening: &Opening) -> TcpAsk {
        TcpAsk { tcp: tcp.clone(), resolver: opening.resolver.clone() }
    }

    async fn banner(&self, mut stream: TcpStream, expected: &str, clock: &Clock) -> Result<(), Trouble> {
        let mut heard = Vec::new();
        let listening = async {
            loop {
                match stream.read_buf(&mut heard).await {
                    Ok(0) => {
                        return Err(Trouble::new(Class::FailFast, Cause::Reset, "closed before its banner"));
                    }
                    Ok(_) if String::from_utf8_lossy(&heard).contains(expected) => return Ok(()),
                    Ok(_) if heard.len() >= MOST_BANNER => return Ok(()),
                    Ok(_) => {}
                    Err(error) => return Err(Trouble::io(&error, "banner")),
                }
            }
        };
        let outcome = within(self.tcp.connect_timeout, clock, listening).await;
        let heard = String::from_utf8_lossy(&heard).trim().to_owned();
        let wrong = || {
            let text = format!("banner `{heard}`, expected `{expected}`");
            Trouble::new(Class::Wrong, Cause::Content, text)
        };
        match outcome {
            Ok(Ok(())) if heard.contains(expected) => Ok(()),
            Ok(Ok(())) => Err(wrong()),
            Ok(Err(trouble)) if trouble.cause == Cause::Reset && !heard.is_empty() => Err(wrong()),
            Ok(Err(trouble)) => Err(trouble),
            Err(_) if heard.is_empty() => Err(Trouble::late("connected, but no banner came")),
            Err(_) => Err(wrong()),
        }
    }
}

#[async_trait]
impl Ask for TcpAsk {
    async fn ask(&self, _seq: u32, clock: &Clock) -> Answer {
        let sent = clock.now();
        let outcome = match connect(&self.resolver, &self.tcp.address, self.tcp.connect_timeout).await {
            Ok(Reached { stream, peer, phases }) => {
                let judged = match &self.tcp.expect_banner {
                    Some(expected) => self.banner(stream, expected, clock).await,
                    None => Ok(()),
                };
                Ok((judged, peer, phases))
            }
            Err(trouble) => Err(trouble),
        };
        let done = clock.now();
        match outcome {
            Ok((Ok(()), peer, phases)) => {
                Answer { phases, ..Answer::good(sent, done, 0) }.by(peer.to_string())
            }
            Ok((Err(trouble), peer, phases)) => {
                Answer { phases, ..trouble.answer(sent, done) }.by(peer.to_string())
            }
            Err(trouble) => trouble.answer(sent, done),
        }
    }

    fn deadline(&self) -> Duration {
        self.tcp.deadline()
    }

    fn light(&self) -> bool {
        true
    }

    fn post(&self) -> Option<Post> {
        Some(Post { address: self.tcp.address.clone(), resolver: self.resolver.clone() })
    }
}
