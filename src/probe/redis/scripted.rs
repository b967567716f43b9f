//! A Redis that answers as a test tells it to.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::reply::{Reply, parse};
use crate::probe::fixture::{Server, reset, serve};

/// What to do about a command.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Answer with these bytes.
    Say(String),
    /// Answer with these bytes and close the connection.
    Last(String),
    /// Answer nothing.
    Silence,
    /// Close the connection.
    Close,
    /// Reset the connection.
    Reset,
}

/// The answer that is this text.
pub(crate) fn say(bytes: impl Into<String>) -> Act {
    Act::Say(bytes.into())
}

/// What a healthy server with this role and run id answers.
pub(crate) fn healthy(role: &str, run_id: &str, words: &[String]) -> Act {
    match words.first().map(String::as_str) {
        Some("AUTH" | "SELECT") => say("+OK\r\n"),
        Some("INFO") => {
            let text = format!("# Server\r\nredis_version:7.0.15\r\nrun_id:{run_id}\r\n");
            say(format!("${}\r\n{text}\r\n", text.len()))
        }
        Some("ROLE") => say(format!("*3\r\n${}\r\n{role}\r\n:7\r\n*0\r\n", role.len())),
        Some("PING") => say("+PONG\r\n"),
        Some("EXISTS") => say(":0\r\n"),
        Some("TYPE") => say("+none\r\n"),
        Some("XADD") => say("$3\r\n1-1\r\n"),
        _ => say(format!("-ERR unknown command '{}'\r\n", words.join(" "))),
    }
}

/// Serves every connection by the script.
pub(crate) async fn redis<F>(script: F) -> Server
where
    F: Fn(&[String]) -> Act + Send + Sync + 'static,
{
    let script = Arc::new(script);
    serve(move |mut stream| {
        let script = script.clone();
        async move {
            let mut unread = Vec::new();
            loop {
                let Some((command, length)) = parse(&unread).unwrap() else {
                    if stream.read_buf(&mut unread).await.unwrap_or(0) == 0 {
                        return;
                    }
                    continue;
                };
                unread.drain(..length);
                let words: Vec<String> = command.list().iter().filter_map(Reply::text).collect();
                match script(&words) {
                    Act::Say(bytes) => stream.write_all(bytes.as_bytes()).await.unwrap(),
                    Act::Last(bytes) => return stream.write_all(bytes.as_bytes()).await.unwrap(),
                    Act::Silence => {}
                    Act::Close => return,
                    Act::Reset => return reset(stream),
                }
            }
        }
    })
    .await
}
