//! The one place where a refusal becomes a status, in the kind of body that its route's family speaks.

use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use govlog_daemon::access::Denied;
use govlog_formats::admission;
use govlog_formats::batch::{BatchError, BatchResult};
use govlog_formats::cbor::CborFault;
use govlog_formats::merkle::TreeSize;
use govlog_formats::problem::{self, Problem};
use govlog_formats::statement::StatementError;

use super::Keep;
use crate::blocking::NotDone;
use crate::index::Progress;
use crate::proof::ProofError;
use crate::refusal::{Refusal, Unavailable};

/// Everything that is answered with something else than what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Failure {
    /// A station refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The query or the path says something that it may not.
    #[error("{0}")]
    BadRequest(String),
    /// A batch is not framed as it must be, or is too large.
    #[error(transparent)]
    Framing(BatchError),
    /// The body broke off.
    #[error("the body broke off")]
    BodyBroken,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodySlow,
    /// There is no room for another body.
    #[error("too many request bodies are under way")]
    NoRoom,
    /// The body is of another kind than the route takes.
    #[error("Content-Type is {found}; this route takes {expected}")]
    MediaType {
        /// What the request says.
        found: String,
        /// What the route takes.
        expected: &'static str,
    },
    /// The path takes other methods.
    #[error("this path takes another method; see Allow")]
    Method,
    /// There is nothing here, or not yet.
    #[error("{0}")]
    NotFound(String),
    /// There is no such key.
    #[error("no receipt key of this log, present or retired, has this kid")]
    NoSuchKey,
    /// The role is for others.
    #[error("{}", .0.reason())]
    Denied(Denied),
    /// A proof or a reading could not be had now.
    #[error("{0}")]
    Unready(String),
    /// The search index is not there yet, or not as far as was asked.
    #[error("{why}; try again in {retry_after_s} s")]
    NotIndexed {
        /// How far it is.
        why: String,
        /// When to ask again, seconds.
        retry_after_s: u32,
    },
}

impl From<Denied> for Failure {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<NotDone> for Failure {
    fn from(error: NotDone) -> Self {
        Self::Unready(error.to_string())
    }
}

impl From<ProofError> for Failure {
    fn from(error: ProofError) -> Self {
        match error {
            ProofError::NotDone(error) => error.into(),
            // What is wrong with the log's own disk is for its own eyes.
            error => {
                tracing::error!(%error, "a proof could not be made");
                Self::Refused(Refusal::unavailable(Unavailable::Read))
            }
        }
    }
}

impl From<crate::tree::ReadError> for Failure {
    fn from(error: crate::tree::ReadError) -> Self {
        ProofError::Read(error).into()
    }
}

impl From<crate::store::StoreError> for Failure {
    fn from(error: crate::store::StoreError) -> Self {
        ProofError::from(error).into()
    }
}

/// The routes by the kind of body that their refusals have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// SCRAPI and batches: concise problem details (RFC 9290).
    Cbor,
    /// C2SP tlog-tiles: text.
    Text,
    /// All others: problem details (RFC 9457).
    Json,
}

impl Family {
    /// Finds the family of a path, whether or not there is a route.
    pub(super) fn of(path: &str) -> Self {
        let below =
            |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if below("/entries") || below("/.well-known/scitt-keys") || below("/v1/batches") {
            Self::Cbor
        } else if below("/checkpoint") || below("/tile") {
            Self::Text
        } else {
            Self::Json
        }
    }
}

impl Failure {
    /// Returns the status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal_status(refusal),
            Self::Framing(error) if too_much(error) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadRequest(_) | Self::Framing(_) | Self::BodyBroken => StatusCode::BAD_REQUEST,
            Self::BodySlow => StatusCode::REQUEST_TIMEOUT,
            Self::NoRoom | Self::Unready(_) | Self::NotIndexed { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::MediaType { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotFound(_) | Self::NoSuchKey => StatusCode::NOT_FOUND,
            Self::Denied(denied) => denied.status(),
        }
    }

    /// Returns the title: one of SCRAPI's where it names one.
    fn title(&self) -> &'static str {
        match self {
            Self::NoSuchKey => "No such key",
            Self::Refused(Refusal::Malformed(StatementError::Algorithm(_))) => "Bad Signature Algorithm",
            Self::Refused(Refusal::Malformed(StatementError::Detached)) => "Payload Missing",
            Self::Refused(Refusal::NotAdmitted(refusal)) => match refusal.class() {
                admission::Class::Malformed => "Malformed request",
                _ => "Rejected",
            },
            _ => match self.status() {
                StatusCode::BAD_REQUEST => "Malformed request",
                StatusCode::NOT_FOUND => "Not Found",
                StatusCode::TOO_MANY_REQUESTS => "Too Many Requests",
                status => status.canonical_reason().unwrap_or("Error"),
            },
        }
    }

    /// Returns after how many seconds to ask again.
    fn retry_after_s(&self) -> Option<u64> {
        match self {
            Self::Refused(
                Refusal::TooManyRequests { retry_after_s, .. } | Refusal::Unavailable { retry_after_s, .. },
            ) => Some((*retry_after_s).into()),
            // The process ends, and whoever watches it starts it again.
            Self::Refused(Refusal::Stopped) => Some(5),
            Self::NoRoom | Self::Unready(_) => Some(1),
            Self::NotIndexed { retry_after_s, .. } => Some((*retry_after_s).into()),
            Self::Denied(denied) => denied.retry_after_s(),
            _ => None,
        }
    }

    /// Says how far the index is.
    pub(super) fn not_indexed(progress: &Progress) -> Self {
        let Progress { ready, size, of, retry_after_s } = *progress;
        let why = if ready { "the search index covers" } else { "the search index is being built: it covers" };
        Self::NotIndexed { why: format!("{why} {size} of {of} entries"), retry_after_s }
    }

    /// A search is to speak of entries that no checkpoint covers yet: they come with the next ones.
    pub(super) fn not_published(at: TreeSize, published: u64) -> Self {
        Self::NotIndexed { why: format!("{at} entries are not published yet, {published} are"), retry_after_s: 1 }
    }

    fn problem(&self) -> Problem {
        let conflict = match self {
            Self::Refused(Refusal::Conflict(conflict)) => Some(conflict),
            _ => None,
        };
        Problem {
            title: self.title().to_owned(),
            detail: self.to_string(),
            seq: conflict.map(|conflict| conflict.expected_seq),
            prev: conflict.map(|conflict| conflict.expected_prev),
            retry_s: self.retry_after_s(),
        }
    }

    /// Writes what became of one statement of a batch.
    pub(super) fn batch_result(&self) -> BatchResult {
        let Problem { title, detail, seq, prev, retry_s } = self.problem();
        BatchResult {
            status: self.status().as_u16(),
            seq,
            prev,
            retry_s,
            title: Some(title),
            detail: Some(detail),
            ..BatchResult::default()
        }
    }

    /// Writes the answer in the family's kind of body; `allow`: the methods that the path takes, when that is the matter.
    pub(super) fn render(&self, family: Family, allow: Option<HeaderValue>) -> Response {
        let status = self.status();
        let (content_type, body) = match family {
            Family::Cbor => (problem::CONTENT_TYPE, self.problem().encode()),
            Family::Text => ("text/plain; charset=utf-8", format!("{self}\n").into_bytes()),
            Family::Json => ("application/problem+json", self.json(status)),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, Keep::Not.header());
        if let Some(seconds) = self.retry_after_s() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(allow) = allow {
            headers.insert(ALLOW, allow);
        }
        response
    }

    fn json(&self, status: StatusCode) -> Vec<u8> {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": self.title(),
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        problem.to_string().into_bytes()
    }
}

/// Leaves the failure for the outer layer, which knows the route's family.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status();
        response.extensions_mut().insert(self);
        response
    }
}

fn refusal_status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::NotAdmitted(refusal) => match refusal.class() {
            admission::Class::Malformed | admission::Class::BadSignature => StatusCode::BAD_REQUEST,
            admission::Class::Forbidden | admission::Class::Unsupported => StatusCode::FORBIDDEN,
            admission::Class::Conflict => StatusCode::CONFLICT,
        },
        Refusal::Conflict(_) => StatusCode::CONFLICT,
        Refusal::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Unavailable { .. } | Refusal::Stopped => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// "400 for framing, 413 over a limit" (exact.md §4)
fn too_much(error: &BatchError) -> bool {
    match error {
        BatchError::TooLarge(_) => true,
        BatchError::Cbor(error) => matches!(error.why, CborFault::TooManyItems(_)),
        _ => false,
    }
}
