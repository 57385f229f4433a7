//! The routes over a log in memory, asked without sockets.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use govlog_daemon::serve::Peer;
use govlog_formats::batch::{self, BatchResult};
use govlog_formats::cose::{Curve, PublicKey, SigningKey};
use govlog_formats::problem::Problem;
use govlog_formats::receipt::{BoundReceipt, Receipt};
use govlog_formats::statement::SignedStatement;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{App, Parts, Times, router};
use crate::admission::Admission;
use crate::clock::Clock;
use crate::config::{Limits, Publication, Roles};
use crate::index::{self, Index, Indexer};
use crate::proof::Prover;
use crate::publication::testing::{FakeWitness, Mode};
use crate::publication::tests::{Live, PATIENCE, policy_of, settings};
use crate::sequencer::testing::Disk;
use crate::store::LogStore;
use crate::tree::testing::ORIGIN;

/// The receipt key that the tests' entry 0 names.
pub(crate) fn receipt_key() -> SigningKey {
    SigningKey::from_seed(Curve::P256, &[6; 32]).unwrap()
}

/// What a log under test may do.
pub(crate) struct Setup {
    pub(crate) disk: Disk,
    pub(crate) settings: Publication,
    pub(crate) access: Roles,
    pub(crate) limits: Limits,
    pub(crate) times: Times,
    pub(crate) receipt: SigningKey,
}

impl Default for Setup {
    fn default() -> Self {
        let wait = std::time::Duration::from_secs(20);
        Self {
            disk: Disk::fresh(),
            settings: settings(),
            access: Roles::default(),
            limits: limits(),
            times: Times { body: wait, wait, at: wait },
            receipt: receipt_key(),
        }
    }
}

pub(crate) fn limits() -> Limits {
    Limits {
        connections: NonZeroUsize::new(16).unwrap(),
        address_rate: None,
        verify_threads: NonZeroUsize::new(2).unwrap(),
        in_flight_bytes: 64 << 20,
    }
}

/// A log with one witness, which decides what is published.
pub(crate) struct Rig {
    pub(crate) live: Live,
    pub(crate) witness: FakeWitness,
    pub(crate) app: App,
    pub(crate) router: Router,
    pub(crate) disk: Disk,
    /// What keeps the index, until a test takes it.
    pub(crate) indexer: Option<Indexer>,
    /// Where the index is.
    pub(crate) indexed: tempfile::TempDir,
}

/// An answer, all of it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Rig {
    /// Starts a log whose size 1 is published.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    pub(crate) async fn with(setup: Setup) -> Self {
        let witness = FakeWitness::start(1).await;
        let policy = policy_of(std::slice::from_ref(&witness), Some(1));
        let live = Live::start(&setup.disk, policy, setup.settings.clone());
        live.published_size(1).await;
        live.writable().await;
        let rig = Self::over(setup, live, witness);
        let mut indexed = rig.app.index.progress();
        let ready = indexed.wait_for(|progress| progress.ready);
        tokio::time::timeout(PATIENCE, ready).await.expect("the index is ready in time").unwrap();
        rig
    }

    /// Puts the routes over a log that runs.
    pub(crate) fn over(setup: Setup, live: Live, witness: FakeWitness) -> Self {
        let Setup { disk, access, limits, times, receipt, .. } = setup;
        let store = Arc::clone(&disk.store) as Arc<dyn LogStore>;
        let clock = Arc::clone(&disk.clock) as Arc<dyn Clock>;
        let (policy, collided) = (live.sequencer.policy(), live.sequencer.collided());
        let admission = Admission::new(policy, collided, store, clock, limits.verify_threads).unwrap();
        let indexed = tempfile::tempdir().unwrap();
        let (index, indexer) = Index::start(index::Parts {
            path: indexed.path().join("index"),
            store: Arc::clone(&disk.store) as Arc<dyn LogStore>,
            heads: live.sequencer.committed(),
            busy: Box::new(|| false),
            telemetry: live.telemetry.clone(),
        })
        .unwrap();
        let parts = Parts {
            epoch: 1,
            admission,
            sequencer: live.sequencer.clone(),
            published: live.publisher.published(),
            prover: Prover::new(receipt, ORIGIN, NonZeroUsize::MIN, live.telemetry.clone()),
            index,
            telemetry: live.telemetry.clone(),
            access,
            limits,
        };
        let app = App::new(parts, times);
        let router = router(app.clone());
        Self { live, witness, app, router, disk, indexer: Some(indexer), indexed }
    }

    /// Keeps everything from being published until [`release`](Self::release).
    pub(crate) fn hold(&self) {
        self.witness.turn(Mode::Hold);
    }

    pub(crate) fn release(&self) {
        self.witness.turn(Mode::Honest);
    }

    /// Commits a statement over HTTP without waiting for more; returns its leaf index.
    pub(crate) async fn log(&self, statement: &SignedStatement) -> u64 {
        let answer = self.submit("/entries", statement.entry()).await;
        assert_eq!(answer.status, 303, "{answer:?}");
        let id = answer.location().strip_prefix("/entries/1.").unwrap();
        id.parse().unwrap()
    }

    /// Commits so many statements one after the other, each published before the next.
    pub(crate) async fn publish_each(&self, statements: &[SignedStatement]) {
        for statement in statements {
            let index = self.log(statement).await;
            self.live.published_size(index + 1).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, Vec::new()).await
    }

    pub(crate) async fn submit(&self, path: &str, body: &[u8]) -> Answer {
        self.ask(Method::POST, path, Some("application/cose"), body.to_vec()).await
    }

    pub(crate) async fn batch(&self, path: &str, statements: &[SignedStatement]) -> Vec<BatchResult> {
        let body: Vec<u8> = statements.iter().flat_map(|statement| statement.entry().to_vec()).collect();
        self.batch_of(path, body).await
    }

    pub(crate) async fn batch_of(&self, path: &str, body: Vec<u8>) -> Vec<BatchResult> {
        let answer = self.ask(Method::POST, path, Some("application/cbor-seq"), body).await;
        assert_eq!((answer.status, answer.content_type()), (200, "application/cbor-seq"), "{answer:?}");
        assert_eq!(answer.cache(), "no-store");
        batch::parse_results(&answer.body).unwrap()
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, content_type: Option<&str>, body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Sends a request from this machine.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from("127.0.0.1:1", request).await
    }

    pub(crate) async fn send_from(&self, peer: &str, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(Peer(peer.parse::<SocketAddr>().unwrap()));
        Answer::of(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn stop(self) {
        let Self { live, app, router, indexer, indexed, .. } = self;
        drop((app, router));
        tokio::task::spawn_blocking(move || indexer.map(Indexer::stop)).await.unwrap();
        drop(indexed);
        live.stop().await;
    }
}

impl Answer {
    pub(crate) async fn of(response: axum::response::Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Self { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    fn header(&self, name: &axum::http::HeaderName) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub(crate) fn content_type(&self) -> &str {
        self.header(&CONTENT_TYPE)
    }

    pub(crate) fn location(&self) -> &str {
        self.header(&LOCATION)
    }

    pub(crate) fn cache(&self) -> &str {
        self.header(&CACHE_CONTROL)
    }

    pub(crate) fn allow(&self) -> Vec<&str> {
        let mut methods: Vec<&str> = self.header(&ALLOW).split(',').map(str::trim).collect();
        methods.sort_unstable();
        methods
    }

    pub(crate) fn retry_after(&self) -> u64 {
        self.header(&RETRY_AFTER).parse().unwrap()
    }

    /// Reads a SCRAPI error: "concise problem details (RFC 9290)", with title and detail.
    pub(crate) fn problem(&self) -> Problem {
        assert_eq!(self.content_type(), "application/concise-problem-details+cbor", "{self:?}");
        assert_eq!(self.cache(), "no-store");
        let problem = Problem::parse(&self.body).unwrap();
        assert!(!problem.title.is_empty() && !problem.detail.is_empty());
        problem
    }

    /// Reads an error of a C2SP route: one line of text.
    pub(crate) fn line(&self) -> String {
        assert_eq!(self.content_type(), "text/plain; charset=utf-8", "{self:?}");
        assert_eq!(self.cache(), "no-store");
        let text = String::from_utf8(self.body.clone()).unwrap();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{text:?}");
        text
    }

    /// Reads an error of a JSON route: RFC 9457.
    pub(crate) fn json_problem(&self) -> serde_json::Value {
        assert_eq!(self.content_type(), "application/problem+json", "{self:?}");
        assert_eq!(self.cache(), "no-store");
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!((self.status, self.content_type(), self.cache()), (200, "application/json", "no-store"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Reads the body as a receipt and verifies it for a statement, note and all.
    pub(crate) fn receipt(&self, statement: &SignedStatement) -> (BoundReceipt, Receipt) {
        assert_eq!(self.content_type(), "application/cose");
        verified(&self.body, statement)
    }
}

/// Verifies a receipt for a statement under the tests' keys, and binds it to its note.
pub(crate) fn verified(receipt: &[u8], statement: &SignedStatement) -> (BoundReceipt, Receipt) {
    let receipt = Receipt::parse(receipt).unwrap();
    let key: PublicKey = receipt_key().public();
    let sub = &statement.claims().sub;
    let verified = receipt.verify(&statement.leaf_hash(), sub, &key).unwrap();
    let note = govlog_formats::note::Note::parse(receipt.note()).unwrap();
    note.verify_log(crate::sequencer::testing::World::get().note.vkey()).unwrap();
    let checkpoint = govlog_formats::checkpoint::Checkpoint::of_note(&note).unwrap();
    (verified.bind(&checkpoint).unwrap(), receipt)
}

/// How many lines of witnesses a note has beside the log's own.
pub(crate) fn cosignatures(note: &[u8]) -> usize {
    govlog_formats::note::Note::parse(note).unwrap().lines().len() - 1
}

/// Checks that a status is one a client can be told.
pub(crate) fn is_honest(status: u16) -> bool {
    StatusCode::from_u16(status)
        .is_ok_and(|status| !status.is_server_error() || status == StatusCode::SERVICE_UNAVAILABLE)
}
