//! What waits for the writer: statements in order, and notes to be archived.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::batch::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES};
use super::committed::Committed;
use crate::admission::Admitted;
use crate::refusal::{Refusal, Unavailable};
use crate::store::ArchivedNote;

/// How much may be under way, and kept, at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Statements submitted and not answered.
    pub statements: usize,
    /// Bytes of their entries.
    pub bytes: usize,
    /// Bytes of tiles and bundles kept in memory for readers.
    pub tile_cache: usize,
}

impl Default for Limits {
    /// "tile and bundle caches 64, in-flight bytes 64" MiB (DESIGN §7), and sixteen full batches.
    fn default() -> Self {
        Self { statements: 16 * MAX_BATCH_ENTRIES, bytes: 64 << 20, tile_cache: 64 << 20 }
    }
}

/// A statement that waits for its place.
pub(super) struct Pending {
    pub(super) admitted: Admitted,
    pub(super) reply: Reply,
}

/// Where the answer to a statement goes; holds the statement's share of the limits until then.
///
/// Dropped without an answer it says that the log has stopped.
pub(super) struct Reply {
    to: oneshot::Sender<Result<Committed, Refusal>>,
    /// Given back before the answer, so that whoever has one finds room.
    share: Share,
}

impl Reply {
    pub(super) const fn new(to: oneshot::Sender<Result<Committed, Refusal>>, share: Share) -> Self {
        Self { to, share }
    }

    /// Answers. Whoever asked may have gone; what is committed stays so, and is found when asked again.
    pub(super) fn send(self, answer: Result<Committed, Refusal>) {
        drop(self.share);
        drop(self.to.send(answer));
    }
}

/// A note that waits to be archived.
pub(super) struct ArchiveOrder {
    pub(super) note: ArchivedNote,
    pub(super) to: oneshot::Sender<ArchivedNote>,
}

/// What the writer does next.
pub(super) enum Next {
    Archive(ArchiveOrder),
    Statements(Vec<Pending>),
    /// The pool is closed and empty.
    Nothing,
}

/// Whether statements are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Open,
    /// Not for now.
    Held(Unavailable),
    /// Never again: the log is shutting down.
    Closed,
    /// Never again: the sequencer was poisoned.
    Poisoned,
}

/// The queue between the stations before the sequencer and its writer, bounded by count and by bytes.
pub(super) struct Pool {
    state: Mutex<State>,
    changed: Condvar,
    used: Arc<Used>,
    limits: Limits,
}

struct State {
    door: Door,
    statements: VecDeque<Pending>,
    archives: VecDeque<ArchiveOrder>,
    /// Batches handed to the finisher and not finished.
    unfinished: usize,
}

/// Batches that may be written and not finished: while one is finished the next is written.
pub(super) const DEPTH: usize = 2;

impl Pool {
    pub(super) fn new(limits: Limits) -> Self {
        let state = State {
            door: Door::Held(Unavailable::Unconfirmed),
            statements: VecDeque::new(),
            archives: VecDeque::new(),
            unfinished: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), used: Arc::default(), limits }
    }

    /// Lets statements in, unless the pool was closed for good.
    pub(super) fn open(&self) {
        self.turn(Door::Open);
    }

    /// Keeps statements out for now, unless the pool was closed for good.
    pub(super) fn hold(&self, why: Unavailable) {
        self.turn(Door::Held(why));
    }

    /// Keeps statements out for good; those inside are still worked on.
    pub(super) fn close(&self) {
        self.turn(Door::Closed);
    }

    /// Keeps statements out for good, and drops those inside: each is answered that the log has stopped.
    pub(super) fn poison(&self) {
        let mut state = self.state();
        state.door = Door::Poisoned;
        let dropped = (std::mem::take(&mut state.statements), std::mem::take(&mut state.archives));
        drop(state);
        drop(dropped);
        self.changed.notify_all();
    }

    /// Tells whether a statement would be let in now, but for the limits.
    pub(super) fn check_door(&self) -> Result<(), Refusal> {
        self.state().door.check()
    }

    /// Tells whether the sequencer was poisoned.
    pub(super) fn is_poisoned(&self) -> bool {
        self.state().door == Door::Poisoned
    }

    /// Takes a share of the limits for an entry of so many bytes.
    pub(super) fn reserve(&self, bytes: usize) -> Result<Share, Refusal> {
        Used::reserve(&self.used, bytes, self.limits)
    }

    /// Puts statements at the end of the queue, in order, or answers each why not.
    pub(super) fn put(&self, statements: Vec<Pending>) {
        let mut state = self.state();
        let Err(refusal) = state.door.check() else {
            state.statements.extend(statements);
            drop(state);
            self.changed.notify_all();
            return;
        };
        drop(state);
        statements.into_iter().for_each(|pending| pending.reply.send(Err(refusal.clone())));
    }

    /// Puts statements that did not fit their batch back at the front.
    pub(super) fn put_back(&self, mut statements: VecDeque<Pending>) {
        let mut state = self.state();
        if state.door != Door::Poisoned {
            statements.append(&mut state.statements);
            state.statements = statements;
        }
    }

    /// Asks for a note to be archived, also while statements are held off.
    pub(super) fn archive(&self, order: ArchiveOrder) {
        let mut state = self.state();
        if state.door != Door::Poisoned {
            state.archives.push_back(order);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Counts a batch as handed to the finisher.
    pub(super) fn written(&self) {
        self.state().unfinished += 1;
    }

    /// Counts a batch as finished.
    pub(super) fn finished(&self) {
        let mut state = self.state();
        state.unfinished = state.unfinished.saturating_sub(1);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for something to do. Notes come first; statements wait until the finisher has room, and gather meanwhile.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        loop {
            if let Some(order) = state.archives.pop_front() {
                return Next::Archive(order);
            }
            if !state.statements.is_empty() && state.unfinished < DEPTH {
                return Next::Statements(state.take_batch());
            }
            let over = state.statements.is_empty() && state.door == Door::Closed;
            if over || state.door == Door::Poisoned {
                return Next::Nothing;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Returns how many statements, and how many bytes of them, are under way.
    pub(super) fn used(&self) -> (usize, usize) {
        (self.used.statements.load(Ordering::Relaxed), self.used.bytes.load(Ordering::Relaxed))
    }

    fn turn(&self, to: Door) {
        let mut state = self.state();
        if !matches!(state.door, Door::Closed | Door::Poisoned) {
            state.door = to;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// No code that holds the lock can panic halfway through a change.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the statements of one batch: as many as there are, within its bounds, and at least one.
    fn take_batch(&mut self) -> Vec<Pending> {
        let mut taken = Vec::new();
        let mut bytes = 0usize;
        while taken.len() < MAX_BATCH_ENTRIES {
            let Some(next) = self.statements.front() else { break };
            bytes = bytes.saturating_add(next.admitted.statement().entry().len());
            if bytes > MAX_BATCH_BYTES && !taken.is_empty() {
                break;
            }
            taken.extend(self.statements.pop_front());
        }
        taken
    }
}

impl Door {
    fn check(self) -> Result<(), Refusal> {
        match self {
            Self::Open => Ok(()),
            Self::Held(why) => Err(Refusal::unavailable(why)),
            Self::Closed => Err(Refusal::unavailable(Unavailable::ShuttingDown)),
            Self::Poisoned => Err(Refusal::Stopped),
        }
    }
}

/// What is under way.
#[derive(Debug, Default)]
struct Used {
    statements: AtomicUsize,
    bytes: AtomicUsize,
}

impl Used {
    fn reserve(this: &Arc<Self>, bytes: usize, limits: Limits) -> Result<Share, Refusal> {
        // The share gives back what it took when it is dropped, also when it turns out to be too much.
        let share = Share { of: Arc::clone(this), bytes };
        let statements = this.statements.fetch_add(1, Ordering::Relaxed) + 1;
        let total = this.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if statements > limits.statements || total > limits.bytes {
            return Err(Refusal::unavailable(Unavailable::Queue));
        }
        Ok(share)
    }
}

/// One statement's share of the limits, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    of: Arc<Used>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.statements.fetch_sub(1, Ordering::Relaxed);
        self.of.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
