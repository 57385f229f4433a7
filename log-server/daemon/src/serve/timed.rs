//! A socket that knows what its connection is doing, and fails when the peer takes too long over it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;

/// What a connection is doing, and until when it may.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    /// No request is under way.
    Waiting { until: Instant },
    /// The first byte of a request head has come.
    Head { until: Instant },
    /// A handler is at work.
    Busy,
}

impl Phase {
    pub(super) fn waiting(idle: Duration) -> Self {
        Self::Waiting { until: Instant::now() + idle }
    }
}

/// The phase, known to the socket, which sees bytes, and to the service, which sees requests.
#[derive(Debug)]
pub(super) struct SharedPhase(Mutex<Phase>);

impl SharedPhase {
    pub(super) fn new(idle: Duration) -> Self {
        Self(Mutex::new(Phase::waiting(idle)))
    }

    fn get(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Says whether a connection has been without a request for this long, of the idle time that it may be.
    pub(super) fn has_waited(&self, least: Duration, idle: Duration) -> bool {
        matches!(self.get(), Phase::Waiting { until } if Instant::now() + idle >= until + least)
    }

    /// Leaves a connection without a whole request only the time to flush its last answer.
    pub(super) fn hurry(&self, last_flush: Duration) {
        let soon = Instant::now() + last_flush;
        match self.get() {
            Phase::Waiting { until } => self.set(Phase::Waiting { until: until.min(soon) }),
            Phase::Head { until } => self.set(Phase::Head { until: until.min(soon) }),
            Phase::Busy => {}
        }
    }
}

/// A socket that fails with `TimedOut` when its peer takes longer than its phase allows.
pub(super) struct Timed<S> {
    stream: S,
    phase: Arc<SharedPhase>,
    limits: Limits,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, phase: Arc<SharedPhase>, limits: Limits) -> Self {
        let reading = Box::pin(sleep_until(Instant::now() + limits.idle));
        Self { stream, phase, limits, reading, writing: None }
    }

    /// Called when there is nothing to read: fails if there should have been by now.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (Phase::Waiting { until } | Phase::Head { until }) = self.phase.get() else {
            return Poll::Pending;
        };
        if self.reading.deadline() != until {
            self.reading.as_mut().reset(until);
        }
        ready!(self.reading.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "no request came in time")))
    }

    /// Passes a write's outcome on, and fails one that has not gone on for the stall time.
    fn progress<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let stall = self.limits.stall;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the answer was not read in time")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Pending => this.poll_overdue(cx),
            Poll::Ready(Ok(())) => {
                if buf.filled().len() > before && matches!(this.phase.get(), Phase::Waiting { .. }) {
                    this.phase.set(Phase::Head { until: Instant::now() + this.limits.header });
                }
                Poll::Ready(Ok(()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.progress(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.progress(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    // Over TLS it is here that bytes wait for the peer: writing only puts them into records.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.progress(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let ended = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.progress(cx, ended)
    }
}
