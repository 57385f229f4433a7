//! A log without sockets: real statements, a store and a head that outlive the sequencer, a clock that is set.

mod head;
mod world;

pub(crate) use head::{HeadFault, SharedHead};
pub(crate) use world::{Place, World, decoded, row};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::merkle::LeafIndex;
use govlog_formats::note::Note;
use govlog_formats::statement::SignedStatement;

use super::{Batch, CommittedHead, EntryRow, Fatal, HeadSigner, Limits, Parts, Running, Sequencer, Ticket};
use crate::admission::Admitted;
use crate::clock::{Clock, Millis};
use crate::disk::{DiskGuard, Reserve};
use crate::head::{HeadOwner, HeadStore};
use crate::recovery::{Configured, StartRefused, recover};
use crate::store::faulty::FaultyStore;
use crate::store::{LogStore, MemoryStore, StreamKey};
use crate::tree::testing::{ORIGIN, check_log, identity};
use crate::tree::{RightEdge, TreeHead};

/// A clock that stands still until it is set.
pub(crate) struct ManualClock(AtomicU64);

impl ManualClock {
    pub(crate) fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis::new(self.0.load(Ordering::SeqCst))
    }
}

/// When the tests' world begins.
pub(crate) const START_MS: u64 = 1_750_000_000_000;

/// What outlives a process: the store and the head, and outside the log what it has ever signed.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) store: Arc<FaultyStore>,
    pub(crate) head: SharedHead,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) signed: Arc<Mutex<Vec<TreeHead>>>,
    pub(crate) refuse_to_sign: Arc<AtomicBool>,
}

/// A running sequencer.
pub(crate) struct Live {
    pub(crate) sequencer: Sequencer,
    pub(crate) running: Running,
    /// Every call of the alarm.
    pub(crate) alarms: Receiver<String>,
}

/// Why a log on a [`Disk`] does not start.
#[derive(Debug)]
pub(crate) enum NotStarted {
    Refused(StartRefused),
    Fatal(Fatal),
}

impl Disk {
    /// Makes a log of entry 0 in memory.
    pub(crate) fn fresh() -> Self {
        Self::over(Arc::new(MemoryStore::new(&identity())))
    }

    /// Makes a log of entry 0 on an empty store with the identity of the tests.
    pub(crate) fn over(inner: Arc<dyn LogStore>) -> Self {
        let batch = first_batch(&World::get().genesis);
        inner.commit(&batch).unwrap();
        Self::at_rest(inner, *batch.head())
    }

    /// Takes a store up at its own head.
    pub(crate) fn at_rest(inner: Arc<dyn LogStore>, head: TreeHead) -> Self {
        Self {
            store: Arc::new(FaultyStore::over(inner)),
            head: SharedHead::new(HeadOwner::new(identity().store, ORIGIN), head),
            clock: Arc::new(ManualClock(AtomicU64::new(START_MS + 1000))),
            signed: Arc::default(),
            refuse_to_sign: Arc::default(),
        }
    }

    pub(crate) fn recover(&self) -> Result<crate::recovery::Recovered, StartRefused> {
        let head: Box<dyn HeadStore> = Box::new(self.head.clone());
        recover(Arc::clone(&self.store) as Arc<dyn LogStore>, head, &configured())
    }

    pub(crate) fn try_start(&self, limits: Limits) -> Result<Live, NotStarted> {
        let recovered = self.recover().map_err(NotStarted::Refused)?;
        let (alarm, alarms) = channel();
        let parts = Parts {
            signer: Box::new(self.signer()),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            disk: DiskGuard::new(vec!["/".into()], Reserve { bytes: 0, percent: 0 }),
            limits,
            telemetry: crate::telemetry::Telemetry::new().unwrap(),
            on_fatal: Box::new(move |cause| alarm.send(cause.to_string()).unwrap()),
        };
        let (sequencer, running) = Sequencer::start(recovered, parts).map_err(NotStarted::Fatal)?;
        sequencer.open();
        Ok(Live { sequencer, running, alarms })
    }

    pub(crate) fn start(&self) -> Live {
        self.try_start(Limits::default()).unwrap()
    }

    pub(crate) fn signer(&self) -> TestSigner {
        TestSigner { signed: Arc::clone(&self.signed), refuse: Arc::clone(&self.refuse_to_sign) }
    }

    /// Checks everything that can be checked of a log at rest, and returns its entries.
    pub(crate) fn check(&self) -> Vec<Vec<u8>> {
        let head = self.store.head().unwrap();
        let entries = check_log(self.store.as_ref(), &head);
        for (entry, index) in entries.iter().zip(0u64..) {
            let statement = SignedStatement::parse_entry(entry).unwrap();
            assert_eq!(self.store.find(&StreamKey::of(&statement)).unwrap(), Some(LeafIndex::new(index)));
        }
        entries
    }
}

impl Live {
    /// Judges statements under the policy in force and hands them in.
    pub(crate) fn submit(&self, statements: &[SignedStatement]) -> Vec<Ticket> {
        self.sequencer.submit(self.admit(statements))
    }

    /// Judges statements under the policy in force; all must pass.
    pub(crate) fn admit(&self, statements: &[SignedStatement]) -> Vec<Admitted> {
        let policy = self.sequencer.policy().load_full();
        statements.iter().map(|one| Admitted::judge(&policy, one.clone(), None).unwrap()).collect()
    }

    /// Hands in statements and waits; returns what each came to, as text that is easily compared.
    pub(crate) fn log(&self, statements: &[SignedStatement]) -> Vec<String> {
        self.submit(statements).into_iter().map(|ticket| decoded(ticket.wait())).collect()
    }

    pub(crate) fn head(&self) -> CommittedHead {
        self.sequencer.committed().borrow().clone()
    }

    /// Shuts down in good order.
    pub(crate) fn stop(self) {
        drop(self.running.stop().expect("the head store comes back"));
        assert!(self.sequencer.poisoned().is_none());
        assert!(self.alarms.try_recv().is_err(), "no alarm");
    }
}

/// Signs with the world's key, and never what an honest log would not have signed.
pub(crate) struct TestSigner {
    signed: Arc<Mutex<Vec<TreeHead>>>,
    refuse: Arc<AtomicBool>,
}

impl HeadSigner for TestSigner {
    fn sign(&mut self, head: &TreeHead) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        if self.refuse.load(Ordering::SeqCst) {
            return Err("the key is away".into());
        }
        let mut signed = self.signed.lock().unwrap();
        if let Some(last) = signed.last() {
            assert!(head.size >= last.size && head.time >= last.time, "{head} after {last}");
            assert!(head.size != last.size || head == last, "{head} beside {last}");
        }
        signed.push(*head);
        let checkpoint = Checkpoint::new(Origin::new(ORIGIN).unwrap(), head.size, head.root).to_string();
        let line = World::get().note.sign(&checkpoint, None)?;
        Ok(Note::with_lines(&checkpoint, &[line])?.to_bytes())
    }
}

pub(crate) fn configured() -> Configured {
    Configured { origin: ORIGIN.into(), epoch: 1, vkey: World::get().note.vkey().clone() }
}

pub(crate) fn first_batch(genesis: &SignedStatement) -> Batch {
    let row =
        EntryRow { entry: genesis.entry().to_vec().into(), leaf: genesis.leaf_hash(), key: StreamKey::of(genesis) };
    Batch::build(&mut RightEdge::new(), vec![row], Millis::new(START_MS)).unwrap()
}
