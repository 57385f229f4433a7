//! The public HTTP interface: bytes to decision and back. C2SP tlog-witness v1.0.0, with main's status codes of 2026-07-06.
//!
//! | Route | Answers |
//! |---|---|
//! | `POST /add-checkpoint` | 200 cosignature line · 400, 403, 404, 409, 422 as the specification says · 408 slow body · 413 large body · 500 state in doubt · 503 try later |
//! | `GET /<SHA-256 of origin, lower-case hex>/checkpoint` | 200 latest cosigned note · 404 never cosigned · 500 state in doubt |
//!
//! Before all of them 401 and 403 say that the role is others', and 429 that too many wrong tokens were tried. Bodies of refusals are one line of text that says what was wrong, but for 409, which is the recorded size.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, Request, State, rejection::PathRejection},
    http::{
        HeaderValue, Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use govlog_daemon::guesses::Guesses;
use govlog_daemon::routes::{self, Role, Roles, Route};
use govlog_formats::{
    limits::MAX_ADD_CHECKPOINT_BYTES,
    wire::add_checkpoint::{TLOG_SIZE, encode_conflict_body, encode_reply},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;

use crate::{
    decision::Refusal,
    state::{OriginHash, StateError},
    witness::{Failure, Witness},
};

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    witness: Arc<Witness>,
    access: Arc<Roles>,
    guesses: Arc<Guesses>,
    /// For the whole of a request body.
    body_time: Duration,
}

/// The public routes.
pub static ROUTES: &[Route<App>] = &[
    Route {
        method: Method::POST,
        path: "/add-checkpoint",
        role: Role::Submit,
        name: "add-checkpoint",
        handler: || post(add_checkpoint),
    },
    Route {
        method: Method::GET,
        path: "/{origin}/checkpoint",
        role: Role::Read,
        name: "checkpoint",
        handler: || get(checkpoint),
    },
];

/// Routes the public interface. A request body may take `body_time` to arrive and have at most [`MAX_ADD_CHECKPOINT_BYTES`]: a note with
/// sixteen post-quantum signatures and the longest proof have room in that.
pub fn router(witness: Arc<Witness>, access: Roles, body_time: Duration) -> Router {
    let app = App { witness, access: Arc::new(access), guesses: Arc::default(), body_time };
    routes::router(ROUTES)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(app.clone(), gate))
        .with_state(app)
}

/// Lets a request in or not.
async fn gate(State(app): State<App>, request: Request, next: Next) -> Response {
    match routes::admit(ROUTES, &app.access, &app.guesses, &request) {
        Ok(()) => next.run(request).await,
        Err(denied) => {
            let name = routes::find(ROUTES, &request).map_or("unknown", |route| route.name);
            app.witness.telemetry().answered(name, denied.status().as_u16(), Duration::ZERO);
            denied.answer()
        }
    }
}

async fn add_checkpoint(State(app): State<App>, request: Request) -> Response {
    let begun = Instant::now();
    let answer = match read_body(request.into_body(), app.body_time).await {
        Ok(body) => blocking(&app.witness, move |witness| witness.add_checkpoint(&body)).await,
        Err(failure) => Err(failure.into()),
    };
    let answer = match answer {
        Ok(line) => plain(StatusCode::OK, encode_reply(&[line])),
        Err(failure) => failure.into_response(),
    };
    app.witness.telemetry().answered("add-checkpoint", answer.status().as_u16(), begun.elapsed());
    answer
}

async fn checkpoint(State(app): State<App>, origin: Result<Path<String>, PathRejection>) -> Response {
    let begun = Instant::now();
    let answer = match origin.ok().and_then(|Path(hex)| hex.parse::<OriginHash>().ok()) {
        Some(origin) => blocking(&app.witness, move |witness| witness.checkpoint(&origin)).await,
        None => Err(HttpFailure::NoSuchPath),
    };
    let answer = match answer {
        Ok(Some(note)) => plain(StatusCode::OK, note),
        Ok(None) => line(StatusCode::NOT_FOUND, "no checkpoint of this origin was ever cosigned here"),
        Err(failure) => failure.into_response(),
    };
    app.witness.telemetry().answered("checkpoint", answer.status().as_u16(), begun.elapsed());
    answer
}

async fn unknown_route(State(app): State<App>) -> Response {
    app.witness.telemetry().answered("unknown", StatusCode::NOT_FOUND.as_u16(), Duration::ZERO);
    HttpFailure::NoSuchPath.into_response()
}

async fn wrong_method(State(app): State<App>) -> Response {
    app.witness.telemetry().answered("unknown", StatusCode::METHOD_NOT_ALLOWED.as_u16(), Duration::ZERO);
    HttpFailure::WrongMethod.into_response()
}

/// Runs work that touches files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(
    witness: &Arc<Witness>,
    work: impl FnOnce(&Witness) -> Result<T, Failure> + Send + 'static,
) -> Result<T, HttpFailure> {
    let witness = Arc::clone(witness);
    match tokio::task::spawn_blocking(move || work(&witness)).await {
        Ok(result) => result.map_err(HttpFailure::Witness),
        Err(error) => {
            tracing::error!(%error, "a request was not finished");
            Err(HttpFailure::Unfinished)
        }
    }
}

async fn read_body(body: Body, time: Duration) -> Result<Bytes, BodyFailure> {
    // A declared length is refused before a byte of it is read.
    let most = u64::try_from(MAX_ADD_CHECKPOINT_BYTES).unwrap_or(u64::MAX);
    if body.size_hint().lower() > most {
        return Err(BodyFailure::TooLarge);
    }
    match tokio::time::timeout(time, Limited::new(body, MAX_ADD_CHECKPOINT_BYTES).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(BodyFailure::TooLarge),
        Ok(Err(error)) => {
            tracing::debug!(%error, "request body");
            Err(BodyFailure::Broken)
        }
        Err(_) => Err(BodyFailure::Slow),
    }
}

/// Why a body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyFailure {
    TooLarge,
    Slow,
    Broken,
}

/// Everything that is answered with something else than 200.
#[derive(Debug)]
enum HttpFailure {
    Body(BodyFailure),
    Witness(Failure),
    Unfinished,
    NoSuchPath,
    WrongMethod,
}

impl From<BodyFailure> for HttpFailure {
    fn from(failure: BodyFailure) -> Self {
        Self::Body(failure)
    }
}

impl HttpFailure {
    /// The one place where a failure becomes a status.
    const fn status(&self) -> StatusCode {
        match self {
            Self::Body(BodyFailure::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyFailure::Slow) => StatusCode::REQUEST_TIMEOUT,
            Self::Body(BodyFailure::Broken) => StatusCode::BAD_REQUEST,
            Self::Witness(Failure::Refused(refusal)) => refusal_status(refusal),
            Self::Witness(Failure::State(StateError::NotWritten { .. }) | Failure::Contended) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Witness(Failure::Logs(_) | Failure::State(_) | Failure::Memory { .. } | Failure::Unsigned(_))
            | Self::Unfinished => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// Says what was wrong. What is wrong with the witness's own files is for its log, not for strangers.
    fn reason(&self) -> String {
        match self {
            Self::Body(BodyFailure::TooLarge) => format!("the body has more than {MAX_ADD_CHECKPOINT_BYTES} bytes"),
            Self::Body(BodyFailure::Slow) => "the body did not arrive in time".to_owned(),
            Self::Body(BodyFailure::Broken) => "the body broke off".to_owned(),
            Self::Witness(Failure::Refused(refusal)) => refusal.to_string(),
            Self::Witness(failure @ Failure::Contended) => failure.to_string(),
            Self::Witness(Failure::State(StateError::NotWritten { .. })) => {
                "the witness cannot write just now: try again".to_owned()
            }
            Self::Witness(Failure::Logs(_)) => "the witness cannot read its list of logs".to_owned(),
            Self::Witness(Failure::State(_) | Failure::Memory { .. }) => {
                "the witness's memory of this log is out of use".to_owned()
            }
            Self::Witness(Failure::Unsigned(_)) | Self::Unfinished => "the request could not be finished".to_owned(),
            Self::NoSuchPath => {
                "there are POST /add-checkpoint and GET /<SHA-256 of origin in hex>/checkpoint".to_owned()
            }
            Self::WrongMethod => "this path takes another method".to_owned(),
        }
    }
}

const fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) | Refusal::OldAboveNew { .. } | Refusal::NoRoom(_) => StatusCode::BAD_REQUEST,
        Refusal::Untrusted(_) => StatusCode::FORBIDDEN,
        Refusal::UnknownOrigin(_) => StatusCode::NOT_FOUND,
        Refusal::Stale { .. } => StatusCode::CONFLICT,
        Refusal::EmptyTreeRoot { .. }
        | Refusal::ProofNotEmpty { .. }
        | Refusal::RootDiffers { .. }
        | Refusal::Inconsistent(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Clock { .. } => StatusCode::SERVICE_UNAVAILABLE,
    }
}

impl IntoResponse for HttpFailure {
    fn into_response(self) -> Response {
        // "The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a newline (U+000A). The
        // response MUST have a `Content-Type` of `text/x.tlog.size`." (C2SP tlog-witness v1.0.0, add-checkpoint)
        if let Self::Witness(Failure::Refused(Refusal::Stale { recorded, .. })) = self {
            return answer(self.status(), TLOG_SIZE, encode_conflict_body(recorded));
        }
        let mut answer = line(self.status(), &self.reason());
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

/// Answers with one line of text.
pub(crate) fn line(status: StatusCode, text: &str) -> Response {
    plain(status, format!("{text}\n").into_bytes())
}

/// Answers with text.
pub(crate) fn plain(status: StatusCode, text: Vec<u8>) -> Response {
    answer(status, "text/plain; charset=utf-8", text)
}

fn answer(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests;
