//! The admin interface, on an address of its own: health, readiness, metrics.
//!
//! | Route | Answers |
//! |---|---|
//! | `GET /healthz` | 200 while the process serves |
//! | `GET /readyz` | 200 when every log on the list can be served, else 503 and a line for each trouble |
//! | `GET /metrics` | Prometheus text |
//!
//! Trust: whoever reaches this address learns which logs are witnessed. It changes nothing.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    http::{line, plain},
    witness::Witness,
};

/// Routes the admin interface.
pub fn router(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/healthz", get(async || line(StatusCode::OK, "ok")))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || line(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics"))
        .method_not_allowed_fallback(async || line(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET"))
        .with_state(witness)
}

async fn ready(State(witness): State<Arc<Witness>>) -> Response {
    match tokio::task::spawn_blocking(move || witness.troubles()).await {
        Ok(troubles) if troubles.is_empty() => line(StatusCode::OK, "ready"),
        Ok(troubles) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", troubles.join("\n")).into_bytes()),
        Err(_) => line(StatusCode::SERVICE_UNAVAILABLE, "the check was not finished"),
    }
}

async fn metrics(State(witness): State<Arc<Witness>>) -> Response {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, witness.telemetry().render()).into_response()
}
