//! The admin interface: health, readiness, metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use govlog_daemon::routes::{self, Role, Route};
use govlog_daemon::tls::Tls;

use super::line;
use crate::outbox::OutboxError;
use crate::pump::Shared;
use crate::telemetry::Depth;
use crate::world::World;

/// What health is told from.
#[derive(Clone)]
pub struct Health {
    /// What the stations share.
    pub shared: Arc<Shared>,
    /// The clock.
    pub world: Arc<dyn World>,
    /// What handshakes are made with.
    pub tls: Option<Tls>,
}

impl Health {
    fn depth(&self) -> Result<Depth, OutboxError> {
        let (waiting, oldest) = self.shared.outbox.oldest_ms()?;
        let now_ms = self.world.now_ms();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; ages up to 2^53 ms are exact")]
        let age = |since: Option<u64>| since.map_or(0.0, |since| now_ms.saturating_sub(since) as f64 / 1000.0);
        Ok(Depth { backlog: self.shared.outbox.backlog(), age_s: age(waiting), unpublished_s: age(oldest) })
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").finish_non_exhaustive()
    }
}

/// The routes of the admin listener.
pub(super) static ROUTES: &[Route<Health>] = &[
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
pub fn admin(health: Health) -> Router {
    routes::router(ROUTES)
        .fallback(async || line(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics"))
        .method_not_allowed_fallback(async || line(StatusCode::METHOD_NOT_ALLOWED, "this path takes GET"))
        .with_state(health)
}

/// Ready is who can take an upload; whether the log is there does not matter to that.
async fn ready(State(health): State<Health>) -> Response {
    if health.shared.is_stopping() {
        line(StatusCode::SERVICE_UNAVAILABLE, "the agent is ending")
    } else if health.shared.is_full() {
        line(StatusCode::SERVICE_UNAVAILABLE, "the outbox is full: the last upload found no room")
    } else {
        line(StatusCode::OK, "ready")
    }
}

async fn metrics(State(health): State<Health>) -> Response {
    let of_tls = health.tls.as_ref().map(|tls| tls.health().render()).unwrap_or_default();
    let rendered =
        tokio::task::spawn_blocking(move || health.depth().map(|depth| health.shared.telemetry.render(&depth)));
    match rendered.await {
        Ok(Ok(text)) => {
            let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"), (CACHE_CONTROL, "no-store")];
            (headers, text + &of_tls).into_response()
        }
        Ok(Err(error)) => line(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
        Err(_) => line(StatusCode::SERVICE_UNAVAILABLE, "the metrics were not gathered"),
    }
}
