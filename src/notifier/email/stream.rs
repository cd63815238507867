//! A connection to a server that is not believed to stop talking. Read [`Heard`].

use lettre::transport::smtp::client::AsyncTokioStream;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// More than this a server never has to say while one mail is sent.
const HEARD_BYTES_MAX: usize = 256 << 10;

/// A connection of which no more than a few answers are heard.
#[derive(Debug)]
pub(super) struct Heard<S> {
    stream: S,
    peer: SocketAddr,
    /// What is heard before anything else.
    first: &'static [u8],
    left: usize,
}

impl<S> Heard<S> {
    /// On this connection to this peer these bytes are heard first.
    pub(super) fn new(stream: S, peer: SocketAddr, first: &'static str) -> Self {
        Self { stream, peer, first: first.as_bytes(), left: HEARD_BYTES_MAX }
    }

    /// The connection itself.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Heard<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.first.is_empty() {
            let (now, later) = this.first.split_at(this.first.len().min(buf.remaining()));
            buf.put_slice(now);
            this.first = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let heard = buf.filled().len().saturating_sub(before);
        Poll::Ready(match this.left.checked_sub(heard) {
            Some(left) => {
                this.left = left;
                Ok(())
            }
            None => Err(io::Error::other("it talks without end")),
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Heard<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin + Debug> AsyncTokioStream for Heard<S> {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
