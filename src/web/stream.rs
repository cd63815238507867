//! A connection's bytes and bodies, watched: both tell the seat what the connection waits for.
//!
//! [`Watched`] also closes politely: after the last answer it takes what the client still sends for a moment, because a
//! close with unread bytes would reset the connection and could destroy the answer (a 413, most of all) on its way.

use super::listener::Stream;
use super::seats::{Seat, Waiting};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long bytes are taken after the last answer.
const LINGER: Duration = Duration::from_secs(1);

/// A connection with its seat.
pub(super) struct Watched {
    stream: Stream,
    seat: Arc<Seat>,
    /// Set once our side is closed.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    pub(super) fn new(stream: Stream, seat: Arc<Seat>) -> Self {
        Self { stream, seat, lingering: None }
    }

    /// Takes and forgets what still arrives, until the client closes or the time is over.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if lingering.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        // A fast sender must not hold the thread: after some rounds others have their turn.
        for _round in 0..16 {
            let mut room = [0; 4096];
            let mut forgotten = ReadBuf::new(&mut room);
            match Pin::new(&mut self.stream).poll_read(cx, &mut forgotten) {
                Poll::Ready(Ok(())) if !forgotten.filled().is_empty() => {}
                Poll::Ready(_end_or_error) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if before < buf.filled().len() && self.seat.waiting().0 == Waiting::Idle {
            self.seat.now_waits_for(Waiting::Head);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            std::task::ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        self.poll_linger(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// A request's body with its connection's seat.
pub(super) struct WatchedBody {
    body: Incoming,
    seat: Arc<Seat>,
}

impl WatchedBody {
    /// Watches a body; without one the connection waits for us from now on.
    pub(super) fn new(body: Incoming, seat: Arc<Seat>) -> Self {
        seat.now_waits_for(if body.is_end_stream() { Waiting::Us } else { Waiting::Body });
        Self { body, seat }
    }
}

impl Body for WatchedBody {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.seat.now_waits_for(Waiting::Us);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
