//! Serves a router over HTTP/1.1 connections that nobody can hold open for nothing.
//!
//! `axum::serve` installs no timer, without which hyper's header timer does nothing, so connections are driven here. One that sends nothing is
//! closed after the idle time; one that has begun a request head must end it within the header time; one that does not read its answer is
//! closed after the stall time. How long a body may take is a handler's business, for only handlers read bodies. When all places are
//! taken, who has sent nothing for a second makes room: idle connections keep nobody out.
//!
//! With TLS the handshake comes first, on its connection's own task: it takes one of the bounded number of connections and at most the header
//! time, so that nobody waits for somebody else's.
//!
//! Trust: whoever connects controls every byte and every pause; it takes one of a bounded number of connections, for a bounded time.

mod door;
mod timed;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tower::ServiceExt as _;

use crate::access::Identity;
use crate::stop::stopped;
use crate::tls::{Standing, Tls};
use door::{Shown, handshake};
use timed::{Phase, SharedPhase, Timed};

pub use door::{Door, bind};

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at a time; further ones wait in the system's queue, and those that have been idle for a second make room.
    pub connections: usize,
    /// Bytes that one connection's read buffer may grow to, and with it a request head. Less than 8192 counts as 8192.
    pub head_bytes: usize,
    /// From the first byte of a request head to its last; also for a TLS handshake, from the connection on.
    pub header: Duration,
    /// For the whole of a request body. Handlers apply it: a router that reads bodies is to be made with this value.
    pub body: Duration,
    /// For a connection without a request under way.
    pub idle: Duration,
    /// For a client that reads nothing of its answer.
    pub stall: Duration,
    /// For requests under way when serving is to end.
    pub drain: Duration,
}

impl Default for Limits {
    /// "Timeouts: header 10 s, body 30 s […] a connection that has sent nothing is closed after 60 s" (exact.md §4). The times are the same for
    /// every party; `connections`, `head_bytes` and `drain` suit a small one, and another sets its own.
    fn default() -> Self {
        Self {
            connections: 512,
            head_bytes: 16 * 1024,
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            drain: Duration::from_secs(5),
        }
    }
}

/// Who sent a request; stands in every request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Accepts connections and serves `app` on them until `stop` turns true or its sender is gone; then requests under way have `limits.drain` to
/// finish. A request has its [`Peer`] in its extensions, and the peer's [`Identity`] where TLS has verified one.
pub async fn serve(door: impl Into<Door>, app: Router, limits: Limits, mut stop: watch::Receiver<bool>) {
    let Door { listener, tls } = door.into();
    let slots = Arc::new(Semaphore::new(limits.connections));
    let crowd = Arc::new(Notify::new());
    let serving = Serving { app, limits, stop: stop.clone(), crowd: Arc::clone(&crowd) };
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            accepted = accept(&listener, &slots, &crowd) => accepted,
        };
        while open.try_join_next().is_some() {}
        let Some((stream, peer, slot)) = accepted else { break };
        let (serving, tls) = (serving.clone(), tls.clone());
        open.spawn(async move {
            enter(stream, peer, tls, serving).await;
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

/// Takes the next connection once there is room for it; `None` if there never will be.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    crowd: &Notify,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let slot = loop {
        match timeout(ASK_FOR_ROOM_EVERY, Arc::clone(slots).acquire_owned()).await {
            Ok(slot) => break slot.ok()?,
            Err(_) => crowd.notify_waiters(),
        }
    };
    loop {
        match listener.accept().await {
            Ok((stream, address)) => return Some((stream, Peer(address), slot)),
            Err(error) => {
                // No file descriptor left, or a connection reset in the queue: trying at once again would only spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// What every connection is served with.
#[derive(Clone)]
struct Serving {
    app: Router,
    limits: Limits,
    stop: watch::Receiver<bool>,
    /// Rung when somebody waits for a place.
    crowd: Arc<Notify>,
}

/// Makes the handshake, where there is to be one, and serves what comes after it.
async fn enter(stream: TcpStream, peer: Peer, tls: Option<Tls>, mut serving: Serving) {
    let begun = Instant::now();
    // Answers are mostly one small write each; waiting to merge them only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let Some(tls) = tls else {
        return connection(stream, peer, Shown::NOTHING, serving).await;
    };
    let (header, crowd) = (serving.limits.header, Arc::clone(&serving.crowd));
    let shaken = tokio::select! {
        biased;
        () = stopped(&mut serving.stop) => return,
        shaken = handshake(&tls, stream, header) => shaken,
        () = dawdled(&crowd, begun) => return,
    };
    match shaken {
        Ok((stream, shown)) => connection(stream, peer, shown, serving).await,
        Err(error) => tracing::debug!(%error, "a handshake failed"),
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, peer: Peer, shown: Shown, serving: Serving) {
    let Shown { identity, until, standing } = shown;
    let Serving { app, limits, mut stop, crowd } = serving;
    let phase = Arc::new(SharedPhase::new(limits.idle));
    let is_proved = Arc::new(AtomicBool::new(true));
    let service = service_fn({
        let (phase, is_proved) = (Arc::clone(&phase), Arc::clone(&is_proved));
        move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(identity) = identity.as_ref().filter(|_| is_proved.load(Ordering::Relaxed)) {
                request.extensions_mut().insert(Identity::clone(identity));
            }
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
        // Who has nothing more to say still gets the answer; else it is a race between the answer and the end of what is read.
        .half_close(true)
        // `Timed` keeps the exact times; this bound a second time makes hyper poll connections that are idle.
        .header_read_timeout(limits.idle + limits.header)
        .max_buf_size(limits.head_bytes.max(LEAST_HEAD_BYTES))
        .serve_connection(TokioIo::new(Timed::new(stream, Arc::clone(&phase), limits)), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        // An identity counts as long as the certificate that proved it, and as long as that is believed: whoever stays longer is to prove it anew,
        // on a new connection. Before all else, so that what is read after it is nobody's, even if it was waiting already.
        () = disproved(until, standing) => {
            is_proved.store(false, Ordering::Relaxed);
            None
        }
        ended = connection.as_mut() => Some(ended),
        () = stopped(&mut stop) => None,
        // A request that comes at the same moment is still answered.
        () = superfluous(&crowd, &phase, limits.idle) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        // What is under way is still finished.
        None => {
            phase.hurry(LAST_FLUSH);
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Resolves when room is asked for and the connection has sent nothing for a while.
async fn superfluous(crowd: &Notify, phase: &SharedPhase, idle: Duration) {
    loop {
        crowd.notified().await;
        if phase.has_waited(IDLE_IN_A_CROWD, idle) {
            return;
        }
    }
}

/// Resolves when room is asked for and a handshake that was begun then has taken a while.
async fn dawdled(crowd: &Notify, begun: Instant) {
    loop {
        crowd.notified().await;
        if begun.elapsed() >= IDLE_IN_A_CROWD {
            return;
        }
    }
}

/// Resolves when a certificate ends or is believed no longer; never if there is none.
async fn disproved(until: Option<Instant>, standing: Option<Standing>) {
    let expired = async {
        match until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    let lost = async {
        match standing {
            Some(standing) => standing.lost().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = expired => {}
        () = lost => {}
    }
}

/// With a smaller buffer hyper panics.
const LEAST_HEAD_BYTES: usize = 8192;
/// After an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often, while all places are taken.
const ASK_FOR_ROOM_EVERY: Duration = Duration::from_millis(250);
/// So long an idle connection keeps its place although others want it.
const IDLE_IN_A_CROWD: Duration = Duration::from_secs(1);
/// For the bytes of a last answer still in a buffer when serving ends.
const LAST_FLUSH: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
