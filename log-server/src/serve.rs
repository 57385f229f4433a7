//! Serves a router over HTTP/1.1 connections that nobody can hold open for nothing.
//!
//! `axum::serve` installs no timer, without which hyper's header timer does nothing, so connections are driven here. One that sends nothing is
//! closed after the idle time; one that has begun a request head must end it within the header time; one that does not read its answer is
//! closed after the stall time. How long a body may take is a handler's business, for only handlers read bodies.
//!
//! Trust: whoever connects controls every byte and every pause; it takes one of a bounded number of connections, for a bounded time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::ServiceExt as _;

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at a time; further ones wait in the system's queue.
    pub connections: usize,
    /// From the first byte of a request head to its last.
    pub header: Duration,
    /// For a connection without a request under way.
    pub idle: Duration,
    /// For a client that reads nothing of its answer.
    pub stall: Duration,
    /// For requests under way when serving is to end.
    pub drain: Duration,
}

impl Default for Limits {
    /// "Timeouts: header 10 s […] a connection that has sent nothing is closed after 60 s" (exact.md §4).
    fn default() -> Self {
        Self {
            connections: 1024,
            header: Duration::from_secs(10),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(3),
        }
    }
}

/// Who sent a request; stands in every request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Accepts connections and serves `app` on them until `stop` turns true or its sender is gone; then requests under way have `limits.drain` to
/// finish.
pub async fn serve(listener: TcpListener, app: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        while open.try_join_next().is_some() {}
        let Some((stream, peer, slot)) = accepted else { break };
        let (app, stop) = (app.clone(), stop.clone());
        open.spawn(async move {
            connection(stream, Peer(peer), app, limits, stop).await;
            drop(slot);
        });
    }
    drop(listener);
    let drained = timeout(limits.drain, async { while open.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = open.len(), "connections that did not finish in time are cut");
        open.shutdown().await;
    }
}

/// Resolves when `stop` is true, or can become so no more.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("whoever could stop this is gone, which is a stop too");
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Some((stream, peer, slot)),
            Err(error) => {
                // No file descriptor left, or a connection reset in the queue: trying at once again would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: Peer, app: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let phase = Arc::new(SharedPhase::new(limits.idle));
    let service = service_fn({
        let phase = Arc::clone(&phase);
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let (app, phase) = (app.clone(), Arc::clone(&phase));
            async move {
                phase.set(Phase::Busy);
                let answer = app.oneshot(request).await;
                phase.set(Phase::waiting(limits.idle));
                answer
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // `Timed` keeps the exact times; this bound a second time makes hyper poll connections that are idle.
        .header_read_timeout(limits.idle + limits.header)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(Timed::new(stream, Arc::clone(&phase), limits)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            phase.hurry();
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// What a connection is doing, and until when it may.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No request is under way.
    Waiting { until: Instant },
    /// The first byte of a request head has come.
    Head { until: Instant },
    /// A handler is at work.
    Busy,
}

impl Phase {
    fn waiting(idle: Duration) -> Self {
        Self::Waiting { until: Instant::now() + idle }
    }
}

/// The phase, known to the socket, which sees bytes, and to the service, which sees requests.
#[derive(Debug)]
struct SharedPhase(Mutex<Phase>);

impl SharedPhase {
    fn new(idle: Duration) -> Self {
        Self(Mutex::new(Phase::waiting(idle)))
    }

    fn get(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Leaves a connection without a whole request only the time to flush its last answer.
    fn hurry(&self) {
        let soon = Instant::now() + LAST_FLUSH;
        match self.get() {
            Phase::Waiting { until } => self.set(Phase::Waiting { until: until.min(soon) }),
            Phase::Head { until } => self.set(Phase::Head { until: until.min(soon) }),
            Phase::Busy => {}
        }
    }
}

/// A socket that fails with `TimedOut` when its peer takes longer than its phase allows.
struct Timed {
    stream: TcpStream,
    phase: Arc<SharedPhase>,
    limits: Limits,
    reading: Pin<Box<Sleep>>,
    writing: Option<Pin<Box<Sleep>>>,
}

impl Timed {
    fn new(stream: TcpStream, phase: Arc<SharedPhase>, limits: Limits) -> Self {
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

impl AsyncRead for Timed {
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

impl AsyncWrite for Timed {
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

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// What one connection's read buffer may grow to: request heads here have a few hundred bytes, or a few thousand with a long query.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For the bytes of a last answer still in a buffer when serving ends.
const LAST_FLUSH: Duration = Duration::from_millis(500);

#[cfg(test)]
#[path = "serve_tests.rs"]
mod tests;
