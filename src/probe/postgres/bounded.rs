//! A socket that reads no more than it is allowed to.
//!
//! The client keeps whatever a server sends until the answer is complete. A server gone mad could so fill this
//! machine's memory within a probe's timeout; here it is told apart from a long answer by a number.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much may still be read, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Allowance(Arc<AtomicU64>);

impl Allowance {
    /// An allowance of this many bytes.
    pub(super) fn of(bytes: u64) -> Allowance {
        Allowance(Arc::new(AtomicU64::new(bytes)))
    }

    /// From now on this many bytes may be read.
    pub(super) fn set(&self, bytes: u64) {
        self.0.store(bytes, Ordering::SeqCst);
    }
}

/// A stream, and how much of it may be read.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    inner: S,
    left: Allowance,
}

impl<S> Bounded<S> {
    pub(super) fn new(inner: S, left: Allowance) -> Bounded<S> {
        Bounded { inner, left }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buf);
        let read = buf.filled().len().saturating_sub(before) as u64;
        let left = this.left.0.load(Ordering::SeqCst);
        if read > left {
            return Poll::Ready(Err(io::Error::other("the server's answer is longer than is accepted")));
        }
        // A new allowance that is set meanwhile is lessened by what was read before it: by one read at most.
        let less = |left: u64| Some(left.saturating_sub(read));
        let _ = this.left.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, bufs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn what_is_allowed_is_read_and_not_a_byte_more() {
        let left = Allowance::of(4);
        let mut stream = Bounded::new(&b"abcdefgh"[..], left.clone());
        let mut four = [0; 4];
        stream.read_exact(&mut four).await.expect("four are allowed");
        assert_eq!(&four, b"abcd");
        let error = stream.read_u8().await.expect_err("a fifth is not");
        assert!(error.to_string().contains("longer than is accepted"));
        left.set(100);
        // What was refused is gone: the connection is over.
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("read");
        assert_eq!(rest, b"fgh");
    }
}
