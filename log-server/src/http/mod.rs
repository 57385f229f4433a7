//! The public HTTP interface: bytes to stations and back.
//!
//! | Route | Station | Body of a refusal |
//! |---|---|---|
//! | `POST /entries`, `GET /entries/{id}[/statement]`, `GET /.well-known/scitt-keys[/{kid}]` | submission … publication, proof | concise problem details |
//! | `POST /v1/batches` | the same | concise problem details |
//! | `GET /checkpoint`, `GET /tile/…` | publication, tree | text |
//! | `GET /v1/records` | index | RFC 9457 JSON |
//! | `GET /v1/proofs/…`, `/v1/streams`, `/v1/admission-policy`, `/v1/checkpoints`, `/v1/conflicts` | proof, tree | RFC 9457 JSON |
//! | `GET /openapi.json` | none: it describes all of these | RFC 9457 JSON |
//!
//! Handlers return a `error::Failure` where they can not answer; `error` is the one place that knows which status that is, and
//! the outer layer, `front`, writes it in the route family's kind of body. Nothing here reads the store on an async worker.

pub mod admin;
mod batches;
mod body;
mod budget;
mod entries;
mod error;
mod front;
mod journal;
mod keys;
mod openapi;
mod query;
mod records;
pub(crate) mod routes;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod tiles;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use govlog_daemon::guesses::Guesses;
use tokio::sync::{Notify, Semaphore, watch};

use crate::admission::Admission;
use crate::config::{Limits, Roles};
use crate::index::Index;
use crate::proof::Prover;
use crate::publication::PublishedNotes;
use crate::sequencer::{CommittedHead, Sequencer};
use crate::telemetry::Telemetry;

use self::budget::Budgets;

/// What the routes are made of.
pub(crate) struct Parts {
    /// The epoch of the tree, the first half of entry ids.
    pub(crate) epoch: u64,
    /// The door.
    pub(crate) admission: Admission,
    /// Commits statements.
    pub(crate) sequencer: Sequencer,
    /// What is published.
    pub(crate) published: PublishedNotes,
    /// Makes proofs and receipts.
    pub(crate) prover: Prover,
    /// Finds entries.
    pub(crate) index: Index,
    /// Counts and times.
    pub(crate) telemetry: Telemetry,
    /// Who may do what.
    pub(crate) access: Roles,
    /// What is bounded.
    pub(crate) limits: Limits,
}

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    epoch: u64,
    admission: Admission,
    sequencer: Sequencer,
    heads: watch::Receiver<CommittedHead>,
    published: PublishedNotes,
    prover: Prover,
    index: Index,
    telemetry: Telemetry,
    access: Roles,
    /// Of both listeners: a token that was tried at one was tried.
    guesses: Guesses,
    budgets: Budgets,
    /// Room for request bodies, in KiB.
    bodies: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    writes: AtomicUsize,
    written: Notify,
    times: Times,
}

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// For the whole of a request body.
    pub(crate) body: Duration,
    /// For `?wait=`.
    pub(crate) wait: Duration,
    /// For the index to reach `?at=`.
    pub(crate) at: Duration,
}

impl Default for Times {
    /// "30 s at most" for `?wait=`, "up to 5 s" for `?at=` (DESIGN §8.1); for a body, what every party gives it.
    fn default() -> Self {
        Self {
            body: govlog_daemon::serve::Limits::default().body,
            wait: Duration::from_secs(30),
            at: Duration::from_secs(5),
        }
    }
}

impl App {
    /// Joins the stations.
    pub(crate) fn new(parts: Parts, times: Times) -> Self {
        let Parts { epoch, admission, sequencer, published, prover, index, telemetry, access, limits } = parts;
        Self(Arc::new(Shared {
            epoch,
            admission,
            heads: sequencer.committed(),
            sequencer,
            published,
            prover,
            index,
            telemetry,
            access,
            guesses: Guesses::default(),
            budgets: Budgets::new(limits.address_rate),
            bodies: Arc::new(Semaphore::new(limits.in_flight_bytes / 1024)),
            closing: watch::Sender::new(false),
            writes: AtomicUsize::new(0),
            written: Notify::new(),
            times,
        }))
    }

    /// Takes no new statements, and lets those who wait for witnesses go.
    pub(crate) fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Waits until no submission is under way.
    pub(crate) async fn quiet(&self) {
        loop {
            let written = self.0.written.notified();
            let mut written = std::pin::pin!(written);
            written.as_mut().enable();
            if self.0.writes.load(Ordering::Acquire) == 0 {
                return;
            }
            written.await;
        }
    }

    /// Counts a submission as under way until the value returned is dropped.
    fn writing(&self) -> Writing {
        self.0.writes.fetch_add(1, Ordering::AcqRel);
        Writing(self.clone())
    }
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// A submission under way.
struct Writing(App);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writes.fetch_sub(1, Ordering::AcqRel);
        self.0.written.notify_waiters();
    }
}

/// Routes the public interface.
pub(crate) fn router(app: App) -> Router {
    govlog_daemon::routes::router(routes::ROUTES)
        .fallback(front::unknown_route)
        .method_not_allowed_fallback(front::wrong_method)
        .layer(from_fn_with_state(app.clone(), front::front))
        .with_state(app)
}

/// How long an answer may be kept by whoever passes it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    /// It never changes.
    ForEver,
    /// For a second: the checkpoint.
    Second,
    /// Not at all.
    Not,
}

/// Answers with bytes.
fn answer(status: StatusCode, content_type: &'static str, keep: Keep, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, keep.header());
    response
}

impl Keep {
    /// "Final answers and tiles carry `Cache-Control: public, max-age=31536000, immutable`, `/checkpoint` `max-age=1`, all else `no-store`."
    /// (exact.md §3)
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::ForEver => "public, max-age=31536000, immutable",
            Self::Second => "max-age=1",
            Self::Not => "no-store",
        })
    }
}
