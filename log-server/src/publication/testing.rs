//! A witness for tests: honest until it is told otherwise.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::merkle::{ConsistencyProof, TreeSize};
use govlog_formats::note::{KeyName, Note, NoteSigner, SignatureAlgorithm};
use govlog_formats::wire::add_checkpoint::{AddCheckpoint, TLOG_SIZE, encode_conflict_body, encode_reply};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a witness does with the next requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As C2SP tlog-witness says.
    Honest,
    /// Answers this status, with `Retry-After: 0` where that has a meaning.
    Status(u16),
    /// Answers 409 with this size, whatever it was asked.
    Conflict(u64),
    /// Answers 409 with the size it was asked to go on from.
    ConflictWithOld,
    /// Signs something else.
    WrongSignature,
    /// Answers 200 with the line of a stranger.
    Stranger,
    /// Answers 200 with this body.
    Body(Vec<u8>),
    /// Goes on only when it is told something else.
    Hold,
}

/// One `add-checkpoint` as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) old: u64,
    pub(crate) size: u64,
    pub(crate) proof: usize,
    pub(crate) lines: usize,
}

struct Inner {
    key: NoteSigner,
    mode: watch::Sender<Mode>,
    state: Mutex<Memory>,
    asked: watch::Sender<Vec<Asked>>,
    /// The size cosigned last.
    size: watch::Sender<u64>,
}

struct Memory {
    held: Option<Checkpoint>,
    /// What the monitoring route shows; nothing: 404.
    shown: Option<Vec<u8>>,
    clock: u64,
    peers: BTreeSet<SocketAddr>,
}

/// A witness on a socket of its own.
pub(crate) struct FakeWitness {
    inner: Arc<Inner>,
    pub(crate) name: String,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl FakeWitness {
    pub(crate) async fn start(number: u8) -> Self {
        let name = format!("w{number}");
        let key_name = KeyName::new(format!("witness.example/{name}")).unwrap();
        let key = NoteSigner::from_seed(key_name, SignatureAlgorithm::CosignatureEd25519, &[100 + number; 32]).unwrap();
        let state = Mutex::new(Memory { held: None, shown: None, clock: 1000, peers: BTreeSet::new() });
        let inner = Arc::new(Inner {
            key,
            mode: watch::Sender::new(Mode::Honest),
            state,
            asked: watch::Sender::new(Vec::new()),
            size: watch::Sender::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/add-checkpoint", post(add_checkpoint))
            .route("/{origin}/checkpoint", get(show))
            .with_state(Arc::clone(&inner))
            .into_make_service_with_connect_info::<SocketAddr>();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { inner, name, address, server }
    }

    /// Starts several, numbered from 1.
    pub(crate) async fn start_all(count: u8) -> Vec<Self> {
        let mut all = Vec::new();
        for number in 1..=count {
            all.push(Self::start(number).await);
        }
        all
    }

    /// Returns the policy's line.
    pub(crate) fn line(&self) -> String {
        format!("witness {} {} http://{}/\n", self.name, self.inner.key.vkey(), self.address)
    }

    pub(crate) fn turn(&self, mode: Mode) {
        self.inner.mode.send_replace(mode);
    }

    /// Lets the monitoring route show this note.
    pub(crate) fn show(&self, note: Vec<u8>) {
        self.inner.state.lock().unwrap().shown = Some(note);
    }

    /// Returns all requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.borrow().clone()
    }

    /// Waits until the requests satisfy a condition.
    pub(crate) async fn until_asked(&self, enough: impl FnMut(&Vec<Asked>) -> bool) -> Vec<Asked> {
        let mut asked = self.inner.asked.subscribe();
        let asked = tokio::time::timeout(super::tests::PATIENCE, asked.wait_for(enough)).await;
        asked.expect("the witness is asked in time").unwrap().clone()
    }

    /// Counts the connections it was asked on.
    pub(crate) fn connections(&self) -> usize {
        self.inner.state.lock().unwrap().peers.len()
    }

    /// Returns the size it cosigned last.
    pub(crate) fn size(&self) -> u64 {
        *self.inner.size.borrow()
    }

    /// Waits until it has cosigned a size.
    pub(crate) async fn until_cosigned(&self, size: u64) {
        let mut cosigned = self.inner.size.subscribe();
        let reached = cosigned.wait_for(|cosigned| *cosigned >= size);
        tokio::time::timeout(super::tests::PATIENCE, reached).await.expect("it cosigns in time").unwrap();
    }
}

impl Drop for FakeWitness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn add_checkpoint(
    State(inner): State<Arc<Inner>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> Response {
    let (request, note, checkpoint) = AddCheckpoint::parse_with_note(&body).unwrap();
    inner.state.lock().unwrap().peers.insert(peer);
    let asked = Asked {
        old: request.old.get(),
        size: checkpoint.size.get(),
        proof: request.proof.len(),
        lines: note.lines().len(),
    };
    inner.asked.send_modify(|all| all.push(asked));
    let mut mode = inner.mode.subscribe();
    let mode = mode.wait_for(|mode| *mode != Mode::Hold).await.unwrap().clone();
    match mode {
        Mode::Honest => honest(&inner, &request, &note, checkpoint),
        Mode::Hold => unreachable!("it was waited for"),
        Mode::Status(status) => (StatusCode::from_u16(status).unwrap(), [(RETRY_AFTER, "0")], "no\n").into_response(),
        Mode::Conflict(size) => conflict(TreeSize::new(size)),
        Mode::ConflictWithOld => conflict(request.old),
        Mode::WrongSignature => sign(&inner.key, "another text\n", 7),
        Mode::Stranger => {
            let name = KeyName::new("stranger.example").unwrap();
            let key = NoteSigner::from_seed(name, SignatureAlgorithm::CosignatureEd25519, &[99; 32]).unwrap();
            sign(&key, note.text(), 7)
        }
        Mode::Body(bytes) => bytes.into_response(),
    }
}

fn honest(inner: &Inner, request: &AddCheckpoint, note: &Note, checkpoint: Checkpoint) -> Response {
    let mut memory = inner.state.lock().unwrap();
    let held = memory.held.as_ref().map_or(TreeSize::ZERO, |held| held.size);
    if request.old != held {
        return conflict(held);
    }
    if let Some(held) = &memory.held {
        let proof = ConsistencyProof { old: held.size, new: checkpoint.size, path: request.proof.clone() };
        let consistent = if held.size == checkpoint.size {
            held.root == checkpoint.root && request.proof.is_empty()
        } else {
            proof.verify(&held.root, &checkpoint.root).is_ok()
        };
        if !consistent {
            return (StatusCode::UNPROCESSABLE_ENTITY, "not consistent\n").into_response();
        }
    } else if !request.proof.is_empty() {
        return (StatusCode::UNPROCESSABLE_ENTITY, "a proof from nothing\n").into_response();
    }
    memory.clock += 1;
    inner.size.send_replace(checkpoint.size.get());
    memory.held = Some(checkpoint);
    sign(&inner.key, note.text(), memory.clock)
}

fn sign(key: &NoteSigner, text: &str, time: u64) -> Response {
    encode_reply(&[key.sign(text, Some(time)).unwrap()]).into_response()
}

fn conflict(size: TreeSize) -> Response {
    (StatusCode::CONFLICT, [(CONTENT_TYPE, TLOG_SIZE)], encode_conflict_body(size)).into_response()
}

async fn show(State(inner): State<Arc<Inner>>) -> Response {
    match inner.state.lock().unwrap().shown.clone() {
        Some(note) => note.into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
