//! The thread that owns the tree: it takes what waits, gives it places, and writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use govlog_formats::admission::PolicyState;

use super::batch::Batch;
use super::ledger::{Answer, Ledger};
use super::poison::Fatal;
use super::pool::{ArchiveOrder, Next, Pending, Pool};
use crate::clock::{Clock, Millis};
use crate::failpoints;
use crate::store::{ArchivedNote, LogStore, StoreError};
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
    pub(super) clock: Arc<dyn Clock>,
    pub(super) finisher: Sender<Written>,
    pub(super) ledger: Ledger,
    pub(super) edge: RightEdge,
    /// The time of the last batch.
    pub(super) time: Millis,
    /// Whether the store was about to stall after the last write.
    pub(super) strained: Arc<AtomicBool>,
}

impl Writer {
    /// Works until the pool is closed and empty.
    ///
    /// # Errors
    /// Whatever makes the state of the disk unknown.
    pub(super) fn run(mut self) -> Result<(), Fatal> {
        loop {
            match self.pool.next() {
                Next::Archive(order) => self.archive(order)?,
                Next::Statements(statements) => self.sequence(statements)?,
                Next::Nothing => return Ok(()),
            }
        }
    }

    /// Sequences one batch: places, tiles and root, one synced write, on to the finisher.
    fn sequence(&mut self, statements: Vec<Pending>) -> Result<(), Fatal> {
        let draft = self.ledger.draft(self.edge.size(), statements)?;
        self.pool.put_back(draft.rest);
        let mut batch = None;
        if !draft.rows.is_empty() {
            // Time never goes back, whatever the clock does.
            self.time = self.time.max(self.clock.now());
            let built = Batch::build(&mut self.edge, draft.rows, self.time)?;
            batch = Some(self.write(built)?);
        }
        self.pool.written();
        self.finisher
            .send(Written { batch, answers: draft.answers, policy: draft.policy })
            .map_err(|_| Fatal::Panicked("finisher"))
    }

    fn write(&self, batch: Batch) -> Result<Batch, Fatal> {
        // A crash here leaves nothing of the batch; start-up finds the store at the head's size.
        failpoints::hit("sequencer::before_write")?;
        #[cfg(feature = "failpoints")]
        let batch = batch.flipped_where_a_test_wants_it();
        self.store.commit(&batch)?;
        self.strained.store(self.store.is_strained()?, Ordering::Relaxed);
        Ok(batch)
    }

    /// Archives a note; where its size has one already, that one stands.
    fn archive(&self, order: ArchiveOrder) -> Result<(), Fatal> {
        let stands = match self.store.archive(&order.note) {
            Ok(()) => order.note,
            Err(StoreError::Rewrite { .. }) => self.archived(&order.note)?,
            Err(error) => return Err(error.into()),
        };
        // Whoever asked may have gone; the note is archived all the same.
        drop(order.to.send(stands));
        Ok(())
    }

    fn archived(&self, note: &ArchivedNote) -> Result<ArchivedNote, Fatal> {
        let found = self.store.archived(note.size, note.size, 1)?.pop();
        Ok(found.ok_or_else(|| StoreError::Missing { family: "checkpoints", key: note.size.to_string() })?)
    }
}
