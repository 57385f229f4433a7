//! `POST <prefix>/logs` and `POST <prefix>/status`: what OPA uploads.
//!
//! OPA sends a chunk again for ever unless it gets a 2xx (ecosystem.md §3.1), so whatever can be kept is answered 200, as soon as it is
//! durable: events as such, and all else as an input that becomes a `quarantine`. Only where nothing was kept does it hear otherwise.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::post;
use govlog_daemon::access::{Access, Denied};
use govlog_daemon::routes::{self as daemon, Role, Route};
use govlog_formats::digest::Digest;
use tokio::sync::Semaphore;

use super::body::{Read, Room, Unread};
use super::line;
use super::watch::Watch;
use crate::failpoints;
use crate::forward::{Pushed, Queues, Upload};
use crate::names::Names;
use crate::opa::{self, Element, Event};
use crate::outbox::{self, Arrival, Content, ReceiveError, Taken, idempotency_key};
use crate::pump::Shared;
use crate::telemetry::Forwarded;
use crate::world::World;

/// What the routes of uploads work with.
#[derive(Clone)]
pub struct Intake {
    pub(super) shared: Arc<Shared>,
    pub(super) names: Arc<Names>,
    pub(super) world: Arc<dyn World>,
    upload: opa::Limits,
    pub(super) hold: outbox::Limits,
    watch: Arc<Watch>,
    queues: Queues,
    room: Room,
    /// Unpacking takes several times an upload's size, so few are unpacked at a time.
    at_work: Arc<Semaphore>,
    fatal: tokio::sync::watch::Sender<bool>,
}

/// One group's routes.
#[derive(Clone)]
pub(super) struct Door {
    intake: Intake,
    prefix: Arc<str>,
}

impl Intake {
    /// Puts it together. `fatal` is set when the outbox is not well.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        names: Arc<Names>,
        world: Arc<dyn World>,
        config: &crate::config::Config,
        fatal: tokio::sync::watch::Sender<bool>,
    ) -> Self {
        let watch = Arc::new(Watch::new(&config.groups, world.now_ms()));
        Self {
            watch,
            queues: Queues::new(),
            shared,
            names,
            world,
            upload: config.upload,
            hold: config.hold,
            room: Room::new(config.upload.upload_bytes, config.uploads_bytes, config.connections.body),
            at_work: Arc::new(Semaphore::new(AT_WORK)),
            fatal,
        }
    }

    /// Makes it put uploads into these queues too, by the prefix of their routes.
    #[must_use]
    pub fn with_queues(self, queues: Queues) -> Self {
        Self { queues, ..self }
    }

    /// Puts an upload into the queue for its other sink, whatever became of it here: the sink is to get what it got before.
    ///
    /// An error: the queue cannot be written, so the source is to come again. What is known here by then is known there.
    fn hand_on(&self, prefix: &str, resource: &str, headers: &Headers, body: Vec<u8>) -> Result<(), NotKept> {
        let Some(queue) = self.queues.get(prefix) else { return Ok(()) };
        let Headers { content_type, content_encoding } = headers.clone();
        let dropped = match queue.push(&Upload { resource: resource.to_owned(), content_type, content_encoding, body })
        {
            Ok(Pushed::Waits { dropped: 0 } | Pushed::Known) => return Ok(()),
            Ok(Pushed::Waits { dropped }) => {
                tracing::error!(
                    alarm = "forward",
                    route = prefix,
                    dropped,
                    "the queue for the other sink is full; its oldest uploads are dropped there"
                );
                dropped
            }
            Ok(Pushed::TooLarge) => {
                tracing::error!(
                    alarm = "forward",
                    route = prefix,
                    "an upload is larger than the whole queue for the other sink; it is dropped there"
                );
                1
            }
            Err(error) => {
                tracing::error!(alarm = "forward", route = prefix, %error, "an upload cannot be kept for the other sink");
                self.shared.telemetry.alarm("forward");
                return Err(NotKept::Busy("the queue for the other sink cannot be written".to_owned()));
            }
        };
        self.not_handed_on(prefix, dropped);
        Ok(())
    }

    fn not_handed_on(&self, prefix: &str, count: u64) {
        self.shared.telemetry.forwarded(prefix, Forwarded::Dropped, count);
        self.shared.telemetry.alarm("forward");
    }

    /// Keeps an upload; says what became of it, or why nothing was kept. Blocks.
    fn keep(&self, prefix: &str, arrivals: &[Arrival]) -> Result<Taken, ReceiveError> {
        let now_ms = self.world.now_ms();
        let taken = self.names.naming((opa::SYSTEM, prefix), |name| {
            self.shared.outbox.receive(prefix, arrivals, self.hold, now_ms, name)
        })?;
        self.shared.found_room(true);
        self.shared.telemetry.received(taken);
        if taken.conflicting > 0 {
            tracing::error!(
                alarm = "conflict",
                route = prefix,
                events = taken.conflicting,
                "other content came under the ids of earlier events; both are kept"
            );
        }
        if taken.forgotten > 0 {
            tracing::error!(
                alarm = "joins",
                route = prefix,
                decisions = taken.forgotten,
                "there is no room for more decisions that effects may look for; the oldest are known no more: is an access log not read?"
            );
        }
        self.shared.bell.ring();
        Ok(taken)
    }

    fn logs(&self, prefix: &str, encoding: Option<&str>, body: &[u8]) -> Result<Taken, NotKept> {
        let arrivals = arrivals(encoding, body, &self.upload);
        if !arrivals.is_empty() && arrivals.iter().all(|arrival| arrival.instance.is_empty()) {
            self.unnamed(prefix);
        }
        passes("receive::before_write")?;
        let taken = self.keep(prefix, &arrivals).map_err(|error| self.not_kept(&error))?;
        passes("receive::after_write")?;
        Ok(taken)
    }

    /// Notes that somebody uploaded decisions: whose they are nobody knows, but somebody is not silent.
    fn unnamed(&self, prefix: &str) {
        self.shared.outbox.who_spoke().unnamed(prefix, self.world.now_ms());
    }

    fn status(&self, prefix: &str, encoding: Option<&str>, body: &[u8]) -> Result<Taken, NotKept> {
        let unpacked = opa::unpack(encoding, body, &self.upload);
        let status = unpacked.and_then(|unpacked| opa::status(&unpacked));
        match status {
            Ok(status) => self.watch.status(self, prefix, &status).map_err(|error| self.not_kept(&error)),
            Err(error) => {
                let arrival = input(body, format!("a status: {error}"));
                self.keep(prefix, &[arrival]).map_err(|error| self.not_kept(&error))
            }
        }
    }

    /// What is answered when nothing was kept: OPA comes again.
    fn not_kept(&self, error: &ReceiveError) -> NotKept {
        if let ReceiveError::Outbox(error) = error {
            tracing::error!(%error, "the outbox is not well; this program ends");
            self.fatal.send_replace(true);
        } else {
            self.shared.found_room(!matches!(error, ReceiveError::Full { .. }));
            tracing::warn!(%error, "an upload was not taken");
        }
        NotKept::Busy(error.to_string())
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").finish_non_exhaustive()
    }
}

/// The routes below each group's prefix.
pub(super) static ROUTES: &[Route<Door>] = &[
    Route { method: Method::POST, path: "/logs", role: Role::Submit, name: "logs", handler: || post(logs) },
    Route { method: Method::POST, path: "/status", role: Role::Submit, name: "status", handler: || post(status) },
];

/// Routes the uploads of each group, by its prefix. Where a group names its callers, whoever else may upload is refused there.
pub fn ingest(intake: &Intake, groups: &[(&str, Option<Access>)]) -> Router {
    let known: Vec<String> = groups.iter().map(|(prefix, _)| format!("{prefix}/logs, {prefix}/status")).collect();
    let known: Arc<str> = match known.as_slice() {
        [] => "no uploads are taken here: the configuration has no access.submit".into(),
        known => format!("there are {}", known.join(", ")).into(),
    };
    let mut routes = Router::new();
    for (prefix, callers) in groups {
        let door = Door { intake: intake.clone(), prefix: (*prefix).into() };
        let router = daemon::router(ROUTES).with_state(door);
        let router = match callers {
            Some(callers) => daemon::guard(router, callers.clone(), Denied::answer),
            None => router,
        };
        routes = routes.nest(prefix, router);
    }
    routes
        .fallback(async move || line(StatusCode::NOT_FOUND, &known))
        .method_not_allowed_fallback(async || line(StatusCode::METHOD_NOT_ALLOWED, "this path takes POST"))
}

async fn logs(State(door): State<Door>, request: Request) -> Response {
    receive(door, request, (LOGS, Intake::logs)).await
}

async fn status(State(door): State<Door>, request: Request) -> Response {
    receive(door, request, ("status", Intake::status)).await
}

/// The headers that say what a body is.
#[derive(Clone, Debug)]
struct Headers {
    content_type: Option<String>,
    content_encoding: Option<String>,
}

impl Headers {
    fn of(headers: &HeaderMap) -> Self {
        let text =
            |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("unreadable").to_owned());
        Self { content_type: text(CONTENT_TYPE), content_encoding: text(CONTENT_ENCODING) }
    }
}

/// What is uploaded, and how it is kept.
type Keep = (&'static str, KeepFn);
type KeepFn = fn(&Intake, &str, Option<&str>, &[u8]) -> Result<Taken, NotKept>;

async fn receive(door: Door, request: Request, keep: Keep) -> Response {
    let started = Instant::now();
    let Door { intake, prefix } = door;
    let telemetry = Arc::clone(&intake.shared.telemetry);
    let route = Arc::clone(&prefix);
    let (parts, body) = request.into_parts();
    let response = match read_and_keep(intake, prefix, &parts.headers, body, keep).await {
        Ok(taken) => line(
            StatusCode::OK,
            &format!(
                "{} new, {} known, {} under a known id with other content, {} that are no events",
                taken.new, taken.duplicate, taken.conflicting, taken.inputs
            ),
        ),
        Err(why) => why.answer(),
    };
    telemetry.answered(&route, response.status().as_u16(), started.elapsed());
    response
}

async fn read_and_keep(
    intake: Intake,
    prefix: Arc<str>,
    headers: &HeaderMap,
    body: Body,
    (resource, keep): Keep,
) -> Result<Taken, NotKept> {
    let headers = Headers::of(headers);
    let read = intake.room.read(body).await.map_err(|unread| {
        if resource == LOGS {
            intake.unnamed(&prefix);
        }
        NotKept::Unread(unread)
    })?;
    // Only closing the semaphore fails this, and nobody closes it.
    let turn =
        Arc::clone(&intake.at_work).acquire_owned().await.map_err(|_| NotKept::Busy("the agent is ending".into()))?;
    let kept = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        match read {
            Read::Whole(bytes, _permits) => {
                let kept = keep(&intake, &prefix, headers.content_encoding.as_deref(), &bytes);
                let handed_on = intake.hand_on(&prefix, resource, &headers, bytes);
                kept.and_then(|taken| handed_on.map(|()| taken))
            }
            Read::Long { digest, size } => {
                if resource == LOGS {
                    intake.unnamed(&prefix);
                }
                if intake.queues.contains_key(&*prefix) {
                    tracing::error!(
                        alarm = "forward",
                        route = &*prefix,
                        size,
                        "an upload is too large to be handed on"
                    );
                    intake.not_handed_on(&prefix, 1);
                }
                let most = intake.upload.upload_bytes;
                let reason = format!("an upload of more than {most} bytes; only its digest is kept");
                let content = Content::Digest { reason, digest, size };
                let arrival = Arrival { instance: String::new(), key: key_of(&digest), semantic: digest, content };
                intake.keep(&prefix, &[arrival]).map_err(|error| intake.not_kept(&error))
            }
        }
    });
    kept.await.unwrap_or(Err(NotKept::Failed))
}

/// Makes of an upload what the outbox takes; there is nothing it cannot be.
fn arrivals(encoding: Option<&str>, body: &[u8], limits: &opa::Limits) -> Vec<Arrival> {
    let unpacked = match opa::unpack(encoding, body, limits) {
        Ok(unpacked) => unpacked,
        Err(error) => return vec![input(body, error.to_string())],
    };
    let upload = match opa::read(&unpacked, limits) {
        Ok(upload) => upload,
        Err(error) => return vec![input(body, error.to_string())],
    };
    let instances: HashSet<&str> = upload.elements.iter().filter_map(Element::instance).collect();
    if instances.len() > MAX_INSTANCES {
        // One OPA uploads for itself. Refused for want of streams, this would come again for ever.
        return vec![input(body, format!("events of {} instances in one upload", instances.len()))];
    }
    let mut arrivals: Vec<Arrival> = upload.elements.into_iter().map(arrival).collect();
    if upload.unreadable_beyond > 0 {
        let reason = format!("{} more of its elements are no decision events", upload.unreadable_beyond);
        arrivals.push(input(body, reason));
    }
    arrivals
}

fn arrival(element: Element<'_>) -> Arrival {
    match element {
        Element::Event(Event { instance, native_id, semantic, bytes }) => {
            let key = idempotency_key(opa::SYSTEM, &instance, &native_id);
            Arrival { instance, key, semantic, content: Content::Event(bytes.to_vec()) }
        }
        Element::Unreadable { reason, bytes } => input(bytes, reason),
    }
}

/// An input that is no event: known again by its bytes, in the agent's own stream.
fn input(bytes: &[u8], reason: String) -> Arrival {
    let digest = Digest::sha256(bytes);
    let content = Content::Input { reason, bytes: bytes.to_vec() };
    Arrival { instance: String::new(), key: key_of(&digest), semantic: digest, content }
}

fn key_of(digest: &Digest) -> [u8; 32] {
    idempotency_key(opa::SYSTEM, "", &digest.to_string())
}

/// Why nothing of an upload was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NotKept {
    /// Its body was not read to the end.
    Unread(Unread),
    /// There is no room, or no time: to be sent again.
    Busy(String),
    /// Keeping it ended in a panic.
    Failed,
}

impl NotKept {
    /// The one place that says which status that is.
    fn answer(&self) -> Response {
        match self {
            Self::Unread(Unread::Slow) => line(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Self::Unread(Unread::Busy) => busy("other uploads take all the room"),
            Self::Unread(Unread::Broken) => line(StatusCode::BAD_REQUEST, "the body broke off"),
            Self::Unread(Unread::Endless) => line(StatusCode::PAYLOAD_TOO_LARGE, "more than a gibibyte"),
            Self::Busy(why) => busy(why),
            Self::Failed => line(StatusCode::INTERNAL_SERVER_ERROR, "the upload was not kept"),
        }
    }
}

fn busy(why: &str) -> Response {
    let mut response = line(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

fn passes(point: &'static str) -> Result<(), NotKept> {
    failpoints::hit(point).map_err(|error| NotKept::Busy(error.to_string()))
}

/// What decisions are uploaded to.
const LOGS: &str = "logs";
const AT_WORK: usize = 2;
const MAX_INSTANCES: usize = 16;
