//! What the API says of itself: `openapi.json` beside this file, byte for byte.
//!
//! The file is written by a test, from the pieces in `parts/` and from examples that a log with fixed keys and clock has answered. Tests hold
//! it against the routes, and every answer of the property tests against it; `tests/schemathesis` does so with a running log. OpenAPI 3.1, since
//! 3.0 has neither mutual TLS nor the null of JSON Schema. After a change: `GOLDEN=write cargo test -p govlog-server --lib openapi::the_file`.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::error::Failure;
use super::query::Query;
use super::{Keep, answer};

/// `GET /openapi.json`
pub(super) async fn document(request: Request) -> Result<Response, Failure> {
    Query::read(request.uri().query(), &[])?;
    Ok(answer(StatusCode::OK, "application/json", Keep::Not, DOCUMENT))
}

/// The description.
pub(super) const DOCUMENT: &[u8] = include_bytes!("openapi.json");
