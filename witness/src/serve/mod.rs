//! Serves a router over HTTP/1.1 connections that cannot be held open for nothing.
//!
//! `axum::serve` installs no timer, which leaves hyper's header timer inert, so connections are driven here. A connection that sends
//! nothing is closed after the idle time; one that has begun a request head must finish it within the header time; one that does
//! not read its answer is closed after the stall time. How long a body may take is the handler's business, for only it reads one.
//!
//! Trust: whoever connects controls every byte and every pause. It can take one of a bounded number of connections, for a bounded time.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tower::ServiceExt;

/// The bounds on what connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// From the first byte of a request head to its last.
    pub header: Duration,
    /// For the whole of a request body; the handlers apply it.
    pub body: Duration,
    /// For a connection that has no request under way.
    pub idle: Duration,
    /// For a client that reads nothing of its answer.
    pub stall: Duration,
    /// For requests under way when the program is told to end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Accepts connections and serves `app` on them until `stop` turns true (or its sender is gone), then lets requests under way finish
/// for at most `limits.drain`.
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
        let Some((stream, slot)) = accepted else { break };
        let (app, stop) = (app.clone(), stop.clone());
        open.spawn(async move {
            connection(stream, app, limits, stop).await;
            drop(slot);
        });
    }
    drop(listener);
    let drained = timeout(limits.drain, async { while open.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(connections = open.len(), "cutting connections that did not finish in time");
    }
}

/// Resolves once `stop` is true or can never become true any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        tracing::debug!("whoever could stop this is gone, which is a stop too");
    }
}

/// Takes the next connection once there is room for it; `None` when the slots were closed.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return Some((stream, slot)),
            Err(error) => {
                // Out of file descriptors, or a connection that was reset in the queue: neither goes away faster by spinning.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, app: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    // Answers are one small write each; waiting to merge them only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let phase = Arc::new(SharedPhase::new(limits.idle));
    let service = service_fn({
        let phase = Arc::clone(&phase);
        move |request: Request<Incoming>| {
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
        // The exact times are kept by `Timed`; this is the same bound a second time, and makes hyper poll idle connections.
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
        tracing::debug!(%error, "connection ended early");
    }
}

/// What a connection is doing, and until when it may.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// No request is under way.
    Waiting { until: Instant },
    /// The first byte of a request head has come.
    Head { until: Instant },
    /// The handler is at work.
    Busy,
}

impl Phase {
    fn waiting(idle: Duration) -> Self {
        Self::Waiting { until: Instant::now() + idle }
    }
}

/// The phase, known to the socket (which sees bytes) and to the service (which sees requests).
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
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client sent no request in time")))
    }

    /// Passes a write's outcome on, and fails one that has made no progress for the stall time.
    fn progress<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing = None;
            return written;
        }
        let stall = self.limits.stall;
        let timer = self.writing.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + stall)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client did not read its answer in time")))
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

/// Request heads here are a few hundred bytes; this is what one connection's read buffer may grow to.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// After a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// For the bytes of a last answer that are still in the buffer when the program ends.
const LAST_FLUSH: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
