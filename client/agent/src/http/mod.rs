//! The agent's doors: where sources upload to, and where its operator looks.
//!
//! Routes and answers alone; what an upload means is the adapter's, what is kept is the outbox's.

mod admin;
mod body;
mod ingest;
#[cfg(test)]
mod tests;
mod watch;

pub use admin::{Health, admin};
pub use ingest::{Intake, ingest};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

/// Answers with one line of text.
fn line(status: StatusCode, text: &str) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (status, headers, format!("{text}\n")).into_response()
}
