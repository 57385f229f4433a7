//! The doors: what each upload is answered, and what is kept of it.

mod access;
mod any;
mod uploads;

use std::io::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::{Health, Intake, admin, ingest};
use crate::config::Config;
use crate::forward::Queues;
use crate::outbox::{Content, Waiting};
use crate::pump::Shared;
use crate::testing::{Bench, ROUTE, StillWorld};
use crate::world::World;

/// An agent's routes over an outbox.
pub(super) struct Doors {
    pub(super) shared: Arc<Shared>,
    pub(super) public: Router,
    pub(super) admin: Router,
    pub(super) is_fatal: watch::Receiver<bool>,
    pub(super) world: Arc<StillWorld>,
    _dir: tempfile::TempDir,
}

impl Doors {
    pub(super) fn new(settings: &str) -> Self {
        Self::forwarding(settings, Queues::new())
    }

    /// Its uploads go into queues as well.
    pub(super) fn forwarding(settings: &str, queues: Queues) -> Self {
        let Bench { world, shared, names, dir, .. } = Bench::new();
        let file = dir.path().join("agent.toml");
        let submit = if settings.contains("[access]") { "" } else { "access.submit = \"loopback\"\n" };
        let least = "iss = \"a:b\"\nlog = \"http://127.0.0.1:1\"\nopenings.plaintext = true\n";
        std::fs::write(&file, format!("{least}{submit}{settings}")).unwrap();
        let config = Config::load(&file).unwrap();
        let clock = Arc::clone(&world) as Arc<dyn World>;
        let (fatal, is_fatal) = watch::channel(false);
        let intake = Intake::new(Arc::clone(&shared), names, Arc::clone(&clock), &config, fatal).with_queues(queues);
        let health = Health { shared: Arc::clone(&shared), world: clock, tls: None };
        Self { shared, public: ingest(&intake, &config.doors()), admin: admin(health), is_fatal, world, _dir: dir }
    }

    pub(super) async fn post(&self, path: &str, encoding: Option<&str>, body: impl Into<Body>) -> (StatusCode, String) {
        let mut request = Request::builder().method(Method::POST).uri(path);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        answer(&self.public, request.body(body.into()).unwrap()).await
    }

    pub(super) async fn logs(&self, events: &[Value]) -> (StatusCode, String) {
        let body = gzip(&serde_json::to_vec(events).unwrap());
        self.post(&format!("{ROUTE}/logs"), Some("gzip"), body).await
    }

    pub(super) async fn get(&self, path: &str) -> (StatusCode, String) {
        answer(&self.admin, Request::builder().uri(path).body(Body::empty()).unwrap()).await
    }

    /// Everything that waits, in all streams.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        let streams = self.shared.outbox.streams().unwrap();
        streams
            .iter()
            .flat_map(|(number, _)| self.shared.outbox.waiting(*number, 1_000_000, u64::MAX).unwrap())
            .collect()
    }

    /// The reasons of what will be quarantined.
    pub(super) fn reasons(&self) -> Vec<String> {
        let reason = |waiting: Waiting| match waiting.content {
            Content::Event(_) | Content::Formed { .. } => None,
            Content::Input { reason, .. } | Content::Digest { reason, .. } => Some(reason),
        };
        self.waiting().into_iter().filter_map(reason).collect()
    }
}

async fn answer(routes: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = routes.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
