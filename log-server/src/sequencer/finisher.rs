//! The second half of a commit: nothing is signed that was not computed again from the bytes as stored.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use arc_swap::ArcSwap;
use govlog_formats::admission::PolicyState;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::tile::TileId;
use tokio::sync::watch;

use super::batch::Batch;
use super::committed::{Committed, CommittedHead};
use super::ledger::{Answer, Verdict};
use super::poison::{Fatal, Poison};
use super::pool::Pool;
use super::writer::Written;
use crate::failpoints;
use crate::head::HeadStore;
use crate::store::{LogStore, StoreError};
use crate::telemetry::{Station, Telemetry};
use crate::tree::{FullTile, RightEdge, TileCache, TreeHead, TreeView};

/// Signs heads with the log's key.
///
/// The sequencer holds no key: it asks for a signature over a head only when that head is durable in store and head file.
/// An implementation that keeps its key elsewhere may refuse a head that is not larger than the last one it signed.
pub trait HeadSigner: Send {
    /// Returns the note over a head with the log's signature alone.
    ///
    /// # Errors
    /// When it cannot be signed; the sequencer then stops.
    fn sign(&mut self, head: &TreeHead) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Finishes batches, in order, on a right edge of its own.
pub(super) struct Finisher {
    pub(super) store: Arc<dyn LogStore>,
    pub(super) head: Box<dyn HeadStore>,
    pub(super) signer: Box<dyn HeadSigner>,
    pub(super) tiles: Arc<TileCache>,
    /// The edge at `finished`, computed from entries as stored.
    pub(super) edge: RightEdge,
    /// The head in the head file.
    pub(super) finished: TreeHead,
    pub(super) policy: Arc<PolicyState>,
}

/// Where the finisher tells what it has finished.
pub(super) struct Announce {
    pub(super) pool: Arc<Pool>,
    pub(super) poison: Arc<Poison>,
    pub(super) telemetry: Telemetry,
    pub(super) heads: watch::Sender<CommittedHead>,
    pub(super) policy: Arc<ArcSwap<PolicyState>>,
}

impl Finisher {
    /// Finishes what a start-up found: the tail above the head, if there is one, through the same steps as any batch.
    ///
    /// # Errors
    /// As for any batch.
    pub(super) fn adopt(&mut self, stored: &TreeHead) -> Result<CommittedHead, Fatal> {
        if *stored != self.finished {
            // A crash here leaves the tail unsigned as it was found; the next start-up adopts it.
            failpoints::hit("recovery::before_adopt")?;
            self.read_back(stored, None)?;
            self.advance(stored)?;
        }
        self.sign()
    }

    /// Works until the writer has gone or the sequencer is poisoned; returns the head store, which is to be held until the
    /// store is closed.
    pub(super) fn run(mut self, batches: &Receiver<Written>, announce: &Announce) -> Box<dyn HeadStore> {
        while let Ok(Written { batch, answers, policy }) = batches.recv() {
            if announce.pool.is_poisoned() {
                break;
            }
            let (begun, before) = (Instant::now(), self.finished.size);
            let mut answers = Some(answers);
            if let Err(cause) = self.finish(batch.as_ref(), policy, &mut answers, announce) {
                announce.poison.stop(cause);
                break;
            }
            announce.pool.finished();
            if batch.is_some() {
                let size = self.finished.size.get();
                announce.telemetry.passed(Station::Finisher, begun);
                announce.telemetry.committed(size - before.get(), size);
            }
        }
        self.head
    }

    /// Finishes one batch: read back, advance the head, sign, announce, acknowledge. After an error `answers` holds what
    /// nobody was told.
    fn finish(
        &mut self,
        batch: Option<&Batch>,
        policy: Option<Arc<PolicyState>>,
        answers: &mut Option<Vec<Answer>>,
        announce: &Announce,
    ) -> Result<(), Fatal> {
        self.policy = policy.unwrap_or_else(|| Arc::clone(&self.policy));
        if let Some(batch) = batch {
            // A crash here leaves the batch unsigned above the head; start-up adopts it.
            failpoints::hit("finisher::before_read_back")?;
            self.read_back(batch.head(), Some(batch))?;
            if failpoints::off("ack_before_head") {
                self.acknowledge_early(batch.head(), answers.take(), announce)?;
            }
            self.advance(batch.head())?;
            let committed = self.sign()?;
            announce.tell(committed);
        }
        // A crash here leaves all of it committed and nobody told; who asks again gets the same entry.
        failpoints::hit("finisher::before_ack")?;
        announce.release(answers.take().unwrap_or_default());
        Ok(())
    }

    /// Acknowledges before the head is advanced: only to show that a test notices.
    fn acknowledge_early(
        &mut self,
        next: &TreeHead,
        answers: Option<Vec<Answer>>,
        announce: &Announce,
    ) -> Result<(), Fatal> {
        let before = std::mem::replace(&mut self.finished, *next);
        let committed = self.sign();
        self.finished = before;
        announce.tell(committed?);
        announce.release(answers.unwrap_or_default());
        Ok(())
    }

    /// Hashes the entries above the finished head as stored, and compares root, tiles and head row with what was to be
    /// written.
    fn read_back(&mut self, expected: &TreeHead, batch: Option<&Batch>) -> Result<(), Fatal> {
        let mut leaves = Vec::new();
        match batch {
            Some(batch) if failpoints::off("skip_read_back") => {
                leaves.extend(batch.rows().iter().map(|row| *row.leaf()));
            }
            _ => {
                let first = LeafIndex::new(self.finished.size.get());
                self.store.read_entries(first, expected.size, &mut |_, entry| leaves.push(leaf_hash(entry)))?;
            }
        }
        let mut tiles = Vec::new();
        for leaf in leaves {
            self.edge.push(leaf, &mut tiles)?;
        }
        if failpoints::off("skip_read_back") {
            return Ok(());
        }
        let found = TreeHead { size: self.edge.size(), root: self.edge.root(), time: expected.time };
        if found != *expected {
            return Err(Fatal::ReadBack { found: Box::new(found), expected: Box::new(*expected) });
        }
        self.compare_tiles(&tiles)?;
        self.compare_head_row(expected)
    }

    /// Compares the tiles as stored with those that the entries as stored give: readers get the former.
    fn compare_tiles(&self, tiles: &[FullTile]) -> Result<(), Fatal> {
        let ids: Vec<TileId> = tiles.iter().map(|tile| tile.id).collect();
        let stored = self.store.tiles(&ids)?;
        for (tile, stored) in tiles.iter().zip(stored) {
            let stored = stored.ok_or_else(|| StoreError::missing_tile(tile.id))?;
            if stored != tile.bytes {
                return Err(Fatal::Tile { level: tile.id.level, n: tile.id.n });
            }
        }
        Ok(())
    }

    /// Compares the store's own head row, which the next start-up will hold against the head file. Where the writer is a
    /// batch ahead the row is that batch's, and its turn comes.
    fn compare_head_row(&self, expected: &TreeHead) -> Result<(), Fatal> {
        let stored = self.store.head()?;
        if stored.size < expected.size || (stored.size == expected.size && stored != *expected) {
            return Err(Fatal::ReadBack { found: Box::new(stored), expected: Box::new(*expected) });
        }
        Ok(())
    }

    fn advance(&mut self, next: &TreeHead) -> Result<(), Fatal> {
        self.head.advance(&self.finished, next)?;
        self.finished = *next;
        Ok(())
    }

    fn sign(&mut self) -> Result<CommittedHead, Fatal> {
        // A crash here leaves the head advanced and unsigned; start-up signs it.
        failpoints::hit("finisher::before_sign")?;
        let note = self.signer.sign(&self.finished).map_err(Fatal::Sign)?;
        let tree = TreeView::new(Arc::new(self.edge.clone()), Arc::clone(&self.tiles));
        Ok(CommittedHead::new(self.finished, note.into(), tree, Arc::clone(&self.policy)))
    }
}

impl Announce {
    /// Makes a head visible, and puts its policy in force at the door.
    fn tell(&self, committed: CommittedHead) {
        self.policy.store(Arc::clone(committed.policy()));
        self.heads.send_replace(committed);
    }

    /// Sends the answers, in order, under the newest committed head.
    fn release(&self, answers: Vec<Answer>) {
        let head = self.heads.borrow().clone();
        for Answer { reply, verdict } in answers {
            reply.send(match verdict {
                Verdict::Placed { index, duplicate } => Ok(Committed::new(index, head.clone(), duplicate)),
                Verdict::Refused(refusal) => Err(refusal),
            });
        }
    }
}
