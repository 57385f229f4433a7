//! The admin listener: health, readiness, metrics. Never on the public address.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use govlog_daemon::serve::Peer;

use super::error::{Failure, Family};
use super::front::{allow, unknown_route, wrong_method};
use super::{App, Keep, answer};
use crate::config::Access;

/// What the admin routes share.
#[derive(Clone)]
struct Admin {
    app: App,
    operate: Access,
}

/// Routes the admin interface.
pub(crate) fn admin_router(app: App, operate: Access) -> Router {
    let admin = Admin { app, operate };
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(admin.clone(), gate))
        .with_state(admin)
}

async fn gate(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    let mut response = match allow(&admin.operate, peer, request.headers()) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let allow = response.headers_mut().remove(axum::http::header::ALLOW);
        response = failure.render(Family::Text, allow);
    }
    response
}

/// 200 as long as the process can go on; a poisoned sequencer can not.
async fn health(State(admin): State<Admin>) -> Response {
    match admin.app.sequencer.poisoned() {
        None => text(StatusCode::OK, "ok"),
        Some(cause) => text(StatusCode::SERVICE_UNAVAILABLE, &cause.to_string()),
    }
}

/// 200 while statements are taken and a checkpoint is published.
async fn ready(State(admin): State<Admin>) -> Response {
    if *admin.app.closing.borrow() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the log is shutting down");
    }
    if let Err(refusal) = admin.app.sequencer.check() {
        return text(StatusCode::SERVICE_UNAVAILABLE, &refusal.to_string());
    }
    if admin.app.0.published.borrow().is_none() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "no checkpoint is published yet");
    }
    text(StatusCode::OK, "ready")
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let load = admin.app.sequencer.load();
    admin.app.telemetry.queued(load.statements, load.bytes);
    admin.app.telemetry.writable(admin.app.sequencer.check().is_ok());
    answer(StatusCode::OK, "text/plain; version=0.0.4", Keep::Not, admin.app.telemetry.render())
}

fn text(status: StatusCode, line: &str) -> Response {
    answer(status, "text/plain; charset=utf-8", Keep::Not, format!("{line}\n"))
}
