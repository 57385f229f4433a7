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
    extract::{Request, State},
    http::{
        Method, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};

use govlog_daemon::{
    guesses::Guesses,
    routes::{self, Role, Roles, Route},
    tls::Tls,
};

use crate::{
    http::{line, plain},
    witness::Witness,
};

/// What the handlers share.
#[derive(Clone)]
pub struct Admin {
    witness: Arc<Witness>,
    access: Arc<Roles>,
    guesses: Arc<Guesses>,
    tls: Option<Tls>,
}

/// The routes of the admin listener.
pub static ROUTES: &[Route<Admin>] = &[
    Route {
        method: Method::GET,
        path: "/healthz",
        role: Role::Operate,
        name: "healthz",
        handler: || get(async || line(StatusCode::OK, "ok")),
    },
    Route { method: Method::GET, path: "/readyz", role: Role::Operate, name: "readyz", handler: || get(ready) },
    Route { method: Method::GET, path: "/metrics", role: Role::Operate, name: "metrics", handler: || get(metrics) },
];

/// Routes the admin interface.
pub fn router(witness: Arc<Witness>, access: Roles, tls: Option<Tls>) -> Router {
    let admin = Admin { witness, access: Arc::new(access), guesses: Arc::default(), tls };
    routes::router(ROUTES)
        .fallback(async || line(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics"))
        .method_not_allowed_fallback(async || line(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET"))
        .layer(from_fn_with_state(admin.clone(), gate))
        .with_state(admin)
}

async fn gate(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match routes::admit(ROUTES, &admin.access, &admin.guesses, &request) {
        Ok(()) => next.run(request).await,
        Err(denied) => denied.answer(),
    }
}

async fn ready(State(Admin { witness, .. }): State<Admin>) -> Response {
    match tokio::task::spawn_blocking(move || witness.troubles()).await {
        Ok(troubles) if troubles.is_empty() => line(StatusCode::OK, "ready"),
        Ok(troubles) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", troubles.join("\n")).into_bytes()),
        Err(_) => line(StatusCode::SERVICE_UNAVAILABLE, "the check was not finished"),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let mut text = admin.witness.telemetry().render();
    text.extend(admin.tls.as_ref().map(|tls| tls.health().render()));
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    (headers, text).into_response()
}
