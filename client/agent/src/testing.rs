//! What the agent's tests share: a world whose time stands still, a strict log in memory, a real trust directory.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use govlog_client::source::SourceError;
use govlog_client::submit::{Answer, Own, Place, PlaceError, SendError, Wait};
use govlog_client::testing::{ISSUER, ORIGIN, TestLog};
use govlog_client::trust::TrustDir;
use govlog_formats::cose::SigningKey;
use govlog_formats::digest::Digest;
use govlog_formats::entry_id::EntryId;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::Record;
use govlog_formats::statement::{self, SignedStatement};
use govlog_formats::x509::Chain;
use govlog_tls::testing::Issued;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::adapter::Adapters;
use crate::capture::Capture;
use crate::keys::{Keys, Rotating, Svid, SvidError, Svids};
use crate::names::Names;
use crate::opa::{Event, Group, Limits, OpaAdapter, RawGroup};
use crate::outbox::{Arrival, Content, Outbox, StreamNumber, idempotency_key};
use crate::pump::{Log, Shared};
use crate::sign::{Beat, Identity, Signer};
use crate::telemetry::Telemetry;
use crate::world::World;

pub(crate) const ROUTE: &str = "/ingest/opa/v1";
pub(crate) const INSTANCE: &str = "3abbf636-0276-4f35-9507-61f3e0574466";
pub(crate) const DAY: Duration = Duration::from_secs(86_400);

/// A world that a test winds on by hand.
#[derive(Debug)]
pub(crate) struct StillWorld {
    now_ms: AtomicU64,
    drawn: AtomicU64,
}

impl StillWorld {
    pub(crate) fn at(now_ms: u64) -> Arc<Self> {
        Arc::new(Self { now_ms: now_ms.into(), drawn: 0.into() })
    }

    pub(crate) fn wind(&self, by: Duration) {
        self.now_ms.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn set(&self, now_ms: u64) {
        self.now_ms.store(now_ms, Ordering::Relaxed);
    }
}

impl World for StillWorld {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn random(&self) -> Option<[u8; 32]> {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        Some(*Digest::sha256(&drawn.to_be_bytes()).as_bytes())
    }
}

/// An OPA event, as AuthZEN has it.
pub(crate) fn event(id: &str) -> Value {
    json!({
        "labels": { "id": INSTANCE, "version": "1.22.2" }, "decision_id": id, "path": "ledger/authz/decision",
        "input": {
            "subject": { "type": "workload", "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
            "resource": { "type": "account", "id": "acct-5" },
        },
        "result": true, "timestamp": "2026-11-22T04:07:22.453324345Z",
    })
}

/// An event as the door hands it on.
pub(crate) fn arrival(event: &Value) -> Arrival {
    let bytes = serde_json::to_vec(event).unwrap();
    let Event { instance, native_id, semantic, .. } = Event::read(&bytes, &Limits::default()).unwrap();
    let key = idempotency_key(crate::opa::SYSTEM, &instance, &native_id);
    Arrival { instance, key, semantic, content: Content::Event(bytes) }
}

/// An agent without doors: outbox, signer, and a log in memory.
pub(crate) struct Bench {
    pub(crate) world: Arc<StillWorld>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) log: FakeLog,
    pub(crate) trust: TrustDir,
    pub(crate) names: Arc<Names>,
    pub(crate) dir: TempDir,
    capture: Option<Capture>,
    svids: Option<Arc<Shelf>>,
}

/// Where a test lays the newest X.509-SVID.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Option<Arc<Svid>>>);

impl Shelf {
    pub(crate) fn lay(&self, issued: &Issued) {
        let key = SigningKey::from_pkcs8_der(&issued.key_der).unwrap();
        let svid = Svid::new(ISSUER, vec![issued.der.clone()], key).unwrap();
        *self.0.lock().unwrap() = Some(Arc::new(svid));
    }
}

impl Svids for Arc<Shelf> {
    fn newest(&self) -> Result<Arc<Svid>, SvidError> {
        let nothing = || SvidError::Workload { endpoint: "a shelf".into(), why: "nothing lies there".into() };
        self.0.lock().unwrap().clone().ok_or_else(nothing)
    }
}

/// A rule by which few are batched, soon.
pub(crate) fn capture() -> Capture {
    Capture {
        window: Duration::from_secs(1),
        members: 4,
        bytes: 1 << 20,
        alone_subjects: Vec::new(),
        alone_policies: Vec::new(),
    }
}

impl Bench {
    /// With batches.
    pub(crate) fn batching() -> Self {
        Self::with(Some(capture()), None)
    }

    pub(crate) fn new() -> Self {
        Self::with(None, None)
    }

    /// Signing with what lies on a shelf.
    pub(crate) fn with_svids(shelf: &Arc<Shelf>) -> Self {
        Self::with(None, Some(Arc::clone(shelf)))
    }

    fn with(capture: Option<Capture>, svids: Option<Arc<Shelf>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = TestLog::new();
        let trust = TrustDir::create(&dir.path().join("trust"), &log.policy(), &log.entries[0]).unwrap();
        let world = StillWorld::at(1_795_320_442_000);
        let shared = Arc::new(open(&dir, &log, &world, (capture.clone(), svids.clone())));
        let clock: Arc<dyn World> = Arc::clone(&world) as Arc<dyn World>;
        let names = Arc::new(Names::beside(&dir.path().join("agent.key"), clock).unwrap());
        Self { world, shared, log: FakeLog::new(log), trust, names, dir, capture, svids }
    }

    /// Closes the outbox and opens it again, as a new process would.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(|_| {})
    }

    /// Does something to the folder of the outbox between one process and the next.
    pub(crate) fn restart_with(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { world, shared, log, trust, names, dir, capture, svids } = self;
        drop(shared);
        meanwhile(&dir.path().join("outbox"));
        let shared = Arc::new(log.with(|state| open(&dir, &state.log, &world, (capture.clone(), svids.clone()))));
        Self { world, shared, log, trust, names, dir, capture, svids }
    }

    /// The bytes of the outbox, as a back-up takes them.
    pub(crate) fn copy_of_outbox(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("outbox/outbox.redb")).unwrap()
    }

    pub(crate) fn receive(&self, events: &[Value]) {
        let arrivals: Vec<Arrival> = events.iter().map(arrival).collect();
        self.take(&arrivals);
    }

    pub(crate) fn take(&self, arrivals: &[Arrival]) {
        let limits = crate::outbox::Limits { bytes: 1 << 30, streams: 100 };
        let now_ms = self.world.now_ms();
        self.names
            .naming((crate::opa::SYSTEM, ROUTE), |name| {
                self.shared.outbox.receive(ROUTE, arrivals, limits, now_ms, name)
            })
            .unwrap();
    }

    /// Takes a status of the one instance.
    pub(crate) fn heard(&self, counters: &std::collections::BTreeMap<String, String>) {
        let limits = crate::outbox::Limits { bytes: 1 << 30, streams: 100 };
        let now_ms = self.world.now_ms();
        let outbox = &self.shared.outbox;
        self.names
            .naming((crate::opa::SYSTEM, ROUTE), |name| outbox.heard(ROUTE, INSTANCE, counters, limits, now_ms, name))
            .unwrap();
    }

    pub(crate) fn sign(&self) {
        self.shared.sign(&*self.world, 7 * DAY).unwrap();
    }

    /// The signed statements of a stream.
    pub(crate) fn signed(&self, number: StreamNumber) -> Vec<SignedStatement> {
        let rows = self.shared.outbox.signed(number, 0, usize::MAX, u64::MAX).unwrap();
        rows.into_iter().map(|(_, row)| SignedStatement::parse_entry(&row.entry).unwrap()).collect()
    }
}

fn open(
    dir: &TempDir,
    log: &TestLog,
    world: &Arc<StillWorld>,
    (capture, svids): (Option<Capture>, Option<Arc<Shelf>>),
) -> Shared {
    let outbox = Arc::new(Outbox::open(&dir.path().join("outbox"), ORIGIN, ISSUER).unwrap());
    let keys = match svids {
        None => log.issuer.clone().into(),
        Some(shelf) => Keys::Svids(Arc::new(Rotating::new(Box::new(shelf)))),
    };
    let identity = Identity { iss: ISSUER.into(), origin: ORIGIN.into(), keys };
    let mut adapters = Adapters::default();
    let group = Group::try_from(RawGroup::at(ROUTE)).unwrap();
    adapters.add(Arc::new(OpaAdapter::new(group, Arc::default()))).unwrap();
    let beat = Beat { heartbeat: Duration::from_secs(60), idle_close: Duration::from_secs(3_600) };
    let world: Arc<dyn World> = Arc::clone(world) as Arc<dyn World>;
    let signer = Signer::new(identity, adapters, Arc::clone(&outbox), world, beat).with_capture(capture);
    Shared::new(outbox, signer, Arc::new(Telemetry::new().unwrap()))
}

/// Says whether a statement is refused, and how.
type Refuse = Box<dyn FnMut(&SignedStatement) -> Option<Answer> + Send>;

/// A log that is stricter than a real one: it fails the test when statements of a stream leave a gap that no refusal explains.
pub(crate) struct FakeLog(Mutex<State>);

pub(crate) struct State {
    pub(crate) log: TestLog,
    places: HashMap<String, Place>,
    known: HashMap<Digest, LeafIndex>,
    /// Whether two witnesses are there.
    pub(crate) has_witnesses: bool,
    /// Whether anything answers.
    pub(crate) is_there: bool,
    pub(crate) refuse: Refuse,
    /// Entries that are proved under an older checkpoint than the newest, each with its size.
    pub(crate) older: HashMap<LeafIndex, TreeSize>,
    /// All bytes that were ever sent.
    pub(crate) sent: Vec<Vec<u8>>,
}

impl FakeLog {
    fn new(log: TestLog) -> Self {
        Self(Mutex::new(State {
            log,
            places: HashMap::new(),
            known: HashMap::new(),
            has_witnesses: true,
            is_there: true,
            refuse: Box::new(|_| None),
            older: HashMap::new(),
            sent: Vec::new(),
        }))
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The agent's entries: kind and record, in the order of the log.
    pub(crate) fn records(&self) -> Vec<(SignedStatement, Record)> {
        self.with(|state| {
            let statements = state.log.entries.iter().map(|entry| SignedStatement::parse_entry(entry).unwrap());
            statements
                .filter(|statement| statement.claims().iss == ISSUER)
                .map(|statement| {
                    let record = Record::parse(statement.kind(), statement.payload()).unwrap();
                    (statement, record)
                })
                .collect()
        })
    }
}

impl State {
    /// Forgets the newest entries, as a log whose disk was rolled back.
    pub(crate) fn roll_back(&mut self, count: usize) {
        for _ in 0..count {
            let entry = self.log.entries.pop().unwrap();
            let statement = SignedStatement::parse_entry(&entry).unwrap();
            self.known.remove(&statement.sig_structure_digest());
            let at = statement.claims().stream.clone().unwrap();
            self.places.insert(at.stream, Place { next_seq: at.seq, prev: at.prev });
        }
    }

    fn answer(&mut self, bytes: &[u8], wait: Wait) -> Answer {
        let Ok(statement) = SignedStatement::parse_entry(bytes) else { return refused(400, "not a statement") };
        if let Some(index) = self.known.get(&statement.sig_structure_digest()) {
            return self.proved(*index, wait);
        }
        if let Some(answer) = (self.refuse)(&statement) {
            return answer;
        }
        let key = match statement.signer() {
            statement::Signer::Kid(_) => self.log.issuer.public(),
            statement::Signer::X5chain(chain) => Chain::parse(chain).expect("a chain of a workload").key().clone(),
        };
        statement.verify_signature(&key).expect("the agent signs with its key");
        assert_eq!(statement.claims().aud.as_deref(), Some(ORIGIN));
        let at = statement.claims().stream.clone().unwrap();
        let place = *self.places.entry(at.stream.clone()).or_insert(Place { next_seq: 0, prev: Digest::ZERO });
        if (Place { next_seq: at.seq, prev: at.prev }) != place {
            return Answer { seq: Some(place.next_seq), prev: Some(place.prev), ..refused(409, "another place") };
        }
        let next = Place { next_seq: at.seq + 1, prev: statement.sig_structure_digest() };
        self.places.insert(at.stream, next);
        let index = self.log.append(bytes.to_vec());
        self.known.insert(statement.sig_structure_digest(), index);
        self.proved(index, wait)
    }

    fn proved(&self, index: LeafIndex, wait: Wait) -> Answer {
        let id = Some(EntryId { epoch: 1, index });
        if wait == Wait::Published && !self.has_witnesses {
            return Answer { status: 303, id, ..Answer::default() };
        }
        let cosigners: &[usize] = if wait == Wait::Published { &[0, 2] } else { &[] };
        let size = self.older.get(&index).copied().unwrap_or_else(|| self.log.size());
        let note = self.log.note_of(size, cosigners);
        Answer { status: 201, id, proof: Some(self.log.tlog_proof_at(index, size, &note)), ..Answer::default() }
    }
}

pub(crate) fn refused(status: u16, why: &str) -> Answer {
    Answer { status, title: Some("Refused".into()), detail: Some(why.into()), ..Answer::default() }
}

fn away() -> SourceError {
    SourceError::Unreachable { url: "http://log".into(), cause: "connection refused".into() }
}

impl Log for FakeLog {
    fn send(&self, statements: &[Vec<u8>], wait: Wait) -> Result<Vec<Answer>, SendError> {
        self.with(|state| {
            state.sent.extend(statements.iter().cloned());
            if !state.is_there {
                return Err(SendError::Source(away()));
            }
            Ok(statements.iter().map(|statement| state.answer(statement, wait)).collect())
        })
    }

    fn place(&self, iss: &str, stream: &str, own: Own<'_>) -> Result<Place, PlaceError> {
        self.with(|state| {
            assert_eq!(iss, ISSUER);
            // With certificates, whose keys come and go, it is the policy that says which entries are one's own.
            assert!(*own.key == state.log.issuer.public() || own.history.is_some());
            if !state.is_there {
                return Err(PlaceError::Source(away()));
            }
            Ok(state.places.get(stream).copied().unwrap_or(Place { next_seq: 0, prev: Digest::ZERO }))
        })
    }
}

/// The group of the captured uploads, which believes the Envoy in front of them.
pub(crate) fn captured_group(prefix: &str) -> Group {
    toml::from_str::<RawGroup>(&format!("prefix = {prefix:?}\n{CAPTURED}")).unwrap().try_into().unwrap()
}

const CAPTURED: &str = r#"xfcc_from = ["spiffe://prod.example/pep/envoy"]
[[mapping]]
path = "ledger/authz"
subject = "/input/subject/id"
subject_type = "/input/subject/type"
action = "/input/action/name"
resource = "/input/resource/id"
resource_type = "/input/resource/type"
decision = "/result/allow"
reasons = "/result/reasons"
[[mapping]]
path = "mcp/tools"
subject = "/input/subject/id"
subject_type = "workload"
action = "/input/method"
resource = "/input/params/name"
resource_type = "tool"
decision = "/result"
"#;
