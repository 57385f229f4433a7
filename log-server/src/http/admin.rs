//! The admin listener: health, readiness, metrics. Never on the public address.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use govlog_daemon::routes;
use govlog_daemon::tls::Tls;

use super::error::{Failure, Family};
use super::front::{unknown_route, wrong_method};
use super::routes::ADMIN_ROUTES;
use super::{App, Keep, answer};

/// What the admin routes share.
#[derive(Clone)]
pub(crate) struct Admin {
    app: App,
    tls: Option<Tls>,
}

/// Routes the admin interface.
pub(crate) fn admin_router(app: App, tls: Option<Tls>) -> Router {
    let admin = Admin { app, tls };
    routes::router(ADMIN_ROUTES)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(admin.clone(), gate))
        .with_state(admin)
}

async fn gate(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let mut response = match routes::admit(ADMIN_ROUTES, &admin.app.access, &admin.app.guesses, &request) {
        Ok(()) => next.run(request).await,
        Err(denied) => Failure::from(denied).into_response(),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        let allow = response.headers_mut().remove(axum::http::header::ALLOW);
        response = failure.render(Family::Text, allow);
    }
    response
}

/// 200 as long as the process can go on; a poisoned sequencer can not.
pub(super) async fn health(State(admin): State<Admin>) -> Response {
    match admin.app.sequencer.poisoned() {
        None => text(StatusCode::OK, "ok"),
        Some(cause) => text(StatusCode::SERVICE_UNAVAILABLE, &cause.to_string()),
    }
}

/// 200 while statements are taken and a checkpoint is published.
pub(super) async fn ready(State(admin): State<Admin>) -> Response {
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

pub(super) async fn metrics(State(admin): State<Admin>) -> Response {
    let load = admin.app.sequencer.load();
    admin.app.telemetry.queued(load.statements, load.bytes);
    admin.app.telemetry.writable(admin.app.sequencer.check().is_ok());
    let mut text = admin.app.telemetry.render();
    text.extend(admin.tls.as_ref().map(|tls| tls.health().render()));
    answer(StatusCode::OK, "text/plain; version=0.0.4", Keep::Not, text)
}

fn text(status: StatusCode, line: &str) -> Response {
    answer(status, "text/plain; charset=utf-8", Keep::Not, format!("{line}\n"))
}
