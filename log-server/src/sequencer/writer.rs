//! The thread that owns the tree: it takes what waits, gives it places, and writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::time::Instant;

use govlog_formats::admission::PolicyState;

use super::batch::Batch;
use super::conflicts::Conflicts;
use super::ledger::{Answer, Draft, Ledger};
use super::poison::{Fatal, Poison};
use super::pool::{ArchiveOrder, Next, Pending, Pool};
use crate::clock::{Clock, Millis};
use crate::failpoints;
use crate::store::{ArchivedNote, LogStore, StoreError};
use crate::telemetry::{Station, Telemetry};
use crate::tree::RightEdge;

/// A batch that is in the store, on its way to the finisher.
pub(super) struct Written {
    /// The batch; none when every statement was a duplicate or refused.
    pub(super) batch: Option<Batch>,
    /// The answers, in order.
    pub(super) answers: Vec<Answer>,
    /// The policy in force from here on, when the batch changed it.
    pub(super) policy: Option<Arc<PolicyState>>,
}

/// The only hand that writes to the store.
pub(super) struct Writer {
    pub(super) store: Arc<dyn LogStore>,
    pub(super) pool: Arc<Pool>,
    pub(super) poison: Arc<Poison>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) finisher: Sender<Written>,
    pub(super) ledger: Ledger,
    pub(super) conflicts: Conflicts,
    pub(super) edge: RightEdge,
    /// The time of the last batch.
    pub(super) time: Millis,
    /// Whether the store was about to stall after the last write.
    pub(super) strained: Arc<AtomicBool>,
    pub(super) telemetry: Telemetry,
}

impl Writer {
    /// Works until the pool is closed and empty, or the sequencer is poisoned.
    pub(super) fn run(mut self) {
        loop {
            match self.pool.next() {
                Next::Archive(order) => self.archive(order),
                Next::Statements(statements) => self.sequence(statements),
                Next::Nothing => return,
            }
        }
    }

    /// Sequences one batch: places, tiles and root, one synced write, on to the finisher.
    fn sequence(&mut self, statements: Vec<Pending>) {
        let mut draft = Draft::of(statements);
        let batch = match self.commit(&mut draft) {
            Ok(batch) => batch,
            Err(cause) => return self.poison.stop(cause),
        };
        // Before anybody is answered, and behind the batch, for a statement may have collided with an entry of it. After a failed write what is on
        // disk is not known, whichever rows it was for.
        if let Err(cause) = self.conflicts.keep(draft.collisions) {
            return self.poison.stop(cause.into());
        }
        self.pool.put_back(draft.rest);
        self.pool.written();
        if self.finisher.send(Written { batch, answers: draft.answers, policy: draft.policy }).is_err() {
            self.poison.stop(Fatal::Panicked("finisher"));
        }
    }

    /// Places the statements of a draft and writes the batch they make, if any.
    fn commit(&mut self, draft: &mut Draft) -> Result<Option<Batch>, Fatal> {
        self.ledger.fill(draft, self.edge.size())?;
        if draft.rows.is_empty() {
            return Ok(None);
        }
        // Time never goes back, whatever the clock does.
        self.time = self.time.max(self.clock.now());
        let batch = Batch::build(&mut self.edge, std::mem::take(&mut draft.rows), self.time)?;
        Ok(Some(self.write(batch)?))
    }

    fn write(&self, batch: Batch) -> Result<Batch, Fatal> {
        // A crash here leaves nothing of the batch; start-up finds the store at the head's size.
        failpoints::hit("sequencer::before_write")?;
        #[cfg(feature = "failpoints")]
        let batch = batch.flipped_where_a_test_wants_it();
        let begun = Instant::now();
        self.store.commit(&batch)?;
        self.telemetry.passed(Station::Store, begun);
        self.strained.store(self.store.is_strained()?, Ordering::Relaxed);
        Ok(batch)
    }

    /// Archives a note, and answers which one stands for its size.
    fn archive(&self, order: ArchiveOrder) {
        match self.archived(&order.note) {
            // Whoever asked may have gone; the note is archived all the same.
            Ok(stands) => drop(order.to.send(stands)),
            Err(cause) => self.poison.stop(cause),
        }
    }

    /// Writes a note; where its size has one already, that one stands.
    fn archived(&self, note: &ArchivedNote) -> Result<ArchivedNote, Fatal> {
        match self.store.archive(note) {
            Ok(()) => Ok(note.clone()),
            Err(StoreError::Rewrite { .. }) => {
                let found = self.store.archived(note.size, note.size, 1)?.pop();
                Ok(found.ok_or_else(|| StoreError::Missing { family: "checkpoints", key: note.size.to_string() })?)
            }
            Err(error) => Err(error.into()),
        }
    }
}
