//! A MySQL that answers as a test tells it to.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::probe::fixture::{Server, reset, serve};

/// What to do about a statement, or about a connection.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Done, with so many warnings.
    Done { warnings: u16, autocommit: bool },
    /// Refused, with this error.
    Refuse(u16),
    /// Rows of two columns.
    Rows(Vec<(String, String)>),
    /// Answer nothing.
    Silence,
    /// Close the connection.
    Close,
    /// Reset the connection.
    Reset,
}

impl Act {
    pub(crate) fn done() -> Act {
        Act::Done { warnings: 0, autocommit: true }
    }

    pub(crate) fn rows(rows: &[(&str, &str)]) -> Act {
        Act::Rows(rows.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// What a MySQL that takes writes says of itself.
    pub(crate) fn writer() -> Act {
        Act::rows(&[
            ("server_uuid", "3e11-fa47"),
            ("hostname", "db1"),
            ("port", "3306"),
            ("read_only", "OFF"),
        ])
    }
}

const AUTOCOMMIT: u16 = 2;

/// Serves every connection by the script, which is asked about `connect`, `login` and each statement.
pub(crate) async fn mysql<F>(script: F) -> Server
where
    F: Fn(&str) -> Act + Send + Sync + 'static,
{
    let script = Arc::new(script);
    serve(move |stream| {
        let script = script.clone();
        async move {
            let mut wire = Wire { stream, number: 0 };
            match script("connect") {
                Act::Done { .. } => wire.send(&greeting()).await,
                act => {
                    // A silent server keeps the connection.
                    if let Some(mut wire) = wire.act(act).await {
                        wire.receive().await;
                    }
                    return;
                }
            }
            if wire.receive().await.is_none() {
                return;
            }
            let Some(mut wire) = wire.act(script("login")).await else { return };
            while let Some(packet) = wire.receive().await {
                let sql = match packet.split_first() {
                    Some((3, sql)) => String::from_utf8_lossy(sql).into_owned(),
                    // COM_QUIT.
                    _ => "quit".to_owned(),
                };
                match wire.act(script(&sql)).await {
                    Some(still) => wire = still,
                    None => return,
                }
            }
        }
    })
    .await
}

struct Wire {
    stream: TcpStream,
    number: u8,
}

impl Wire {
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.ok()?;
        let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
        self.stream.read_exact(&mut body).await.ok()?;
        self.number = head[3].wrapping_add(1);
        Some(body)
    }

    async fn send(&mut self, body: &[u8]) {
        let length = body.len() as u32 | u32::from(self.number) << 24;
        self.number = self.number.wrapping_add(1);
        let packet = [&length.to_le_bytes(), body].concat();
        self.stream.write_all(&packet).await.ok();
    }

    async fn act(mut self, act: Act) -> Option<Wire> {
        match act {
            Act::Done { warnings, autocommit } => {
                let status = if autocommit { AUTOCOMMIT } else { 1 };
                self.send(&[&[0, 1, 0], &status.to_le_bytes()[..], &warnings.to_le_bytes()].concat()).await;
            }
            Act::Refuse(code) => {
                self.send(&[&[0xff], &code.to_le_bytes()[..], b"#HY000refused"].concat()).await;
            }
            Act::Rows(rows) => {
                self.send(&[2]).await;
                for name in ["a", "b"] {
                    let words = ["def", "", "", "", name, ""].map(text).concat();
                    self.send(&[&words[..], &[0x0c, 45, 0, 255, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0]].concat())
                        .await;
                }
                self.send(&[0xfe, 0, 0, 2, 0]).await;
                for (name, value) in rows {
                    self.send(&[text(&name), text(&value)].concat()).await;
                }
                self.send(&[0xfe, 0, 0, 2, 0]).await;
            }
            Act::Silence => {}
            Act::Close => return None,
            Act::Reset => {
                reset(self.stream);
                return None;
            }
        }
        Some(self)
    }
}

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}

/// Protocol 4.1 with plugins, and neither TLS nor anything newer.
fn greeting() -> Vec<u8> {
    let capabilities: u32 = 0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
    let [low, next, high, top] = capabilities.to_le_bytes();
    [
        &b"\x0a8.0.34\0"[..],
        &[1, 0, 0, 0],
        b"abcdefgh\0",
        &[low, next, 45, 2, 0, high, top, 21],
        &[0; 10],
        b"ijklmnopqrst\0",
        b"mysql_native_password\0",
    ]
    .concat()
}
