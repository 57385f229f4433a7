//! A store that fails when it is told to, in every way that the promise leaves open.

use std::sync::{Arc, Mutex, MutexGuard};

use bytes::Bytes;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::TileId;

use super::{ArchivedNote, ConflictRow, ConflictTable, Identity, LogStore, StoreError, StreamId, StreamKey, StreamRow};
use crate::sequencer::{Batch, Flip};
use crate::tree::TreeHead;

/// Something that goes wrong once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A write fails, and nothing is stored.
    CommitLost,
    /// A write is reported as failed, but is stored.
    CommitKept,
    /// A write succeeds with one bit changed.
    CommitFlipped(Flip),
    /// A write succeeds, but its last entries are missing.
    CommitShort,
    /// A note's write fails, and nothing is stored.
    ArchiveLost,
    /// A note's write is reported as failed, but is stored.
    ArchiveKept,
    /// Writing to the table of conflicts fails.
    Conflicts,
    /// Reading the table of conflicts at a start fails.
    ReadConflicts,
    /// Reading a run of entries fails.
    ReadEntries,
    /// Reading tiles fails.
    ReadTiles,
    /// Looking a place up fails.
    Find,
    /// Reading the head row fails.
    Head,
}

/// What has rotted on the disk since it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rot {
    /// The first bit of an entry.
    Entry(u64),
    /// The lowest bit of one byte of a tile.
    Tile(TileId, usize),
}

/// Passes everything on to a store, but for what it was told.
pub(crate) struct FaultyStore {
    inner: Arc<dyn LogStore>,
    told: Mutex<Told>,
}

#[derive(Default)]
struct Told {
    /// The next fault, and how many calls it affects pass before it.
    fault: Option<(Fault, usize)>,
    rot: Option<Rot>,
    strained: bool,
    /// Batches of which only the first entry reaches the store.
    lost_tail: Option<u64>,
}

impl FaultyStore {
    pub(crate) fn over(inner: Arc<dyn LogStore>) -> Self {
        Self { inner, told: Mutex::default() }
    }

    /// Makes the call number `after`, counted from 0, of those the fault affects go wrong.
    pub(crate) fn fail(&self, fault: Fault, after: usize) {
        let mut told = self.told();
        told.fault = Some((fault, after));
    }

    /// Makes the store say that it is about to stall, or that it is not.
    pub(crate) fn strain(&self, strained: bool) {
        self.told().strained = strained;
    }

    pub(crate) fn rot(&self, rot: Rot) {
        self.told().rot = Some(rot);
    }

    pub(crate) fn heal(&self) {
        *self.told() = Told::default();
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// Returns the fault when it is this call's turn.
    fn due(&self, affects: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut told = self.told();
        let (fault, after) = told.fault?;
        if !affects(&fault) {
            return None;
        }
        if after > 0 {
            told.fault = Some((fault, after - 1));
            return None;
        }
        told.fault = None;
        Some(fault)
    }

    fn check(&self, affects: impl Fn(&Fault) -> bool) -> Result<(), StoreError> {
        self.due(affects).map_or(Ok(()), |_| Err(broken()))
    }

    fn rotten(&self, index: LeafIndex, entry: &[u8]) -> Vec<u8> {
        let mut entry = entry.to_vec();
        if matches!(self.told().rot, Some(Rot::Entry(rotten)) if rotten == index.get()) {
            entry[0] ^= 0x80;
        }
        entry
    }
}

fn broken() -> StoreError {
    StoreError::Engine { during: "a test", why: "told to fail".into() }
}

impl LogStore for FaultyStore {
    fn identity(&self) -> Result<Identity, StoreError> {
        self.inner.identity()
    }

    fn head(&self) -> Result<TreeHead, StoreError> {
        self.check(|fault| matches!(fault, Fault::Head))?;
        self.inner.head()
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        use Fault::{CommitFlipped, CommitKept, CommitLost, CommitShort};
        match self.due(|fault| matches!(fault, CommitLost | CommitKept | CommitFlipped(_) | CommitShort)) {
            Some(CommitLost) => Err(broken()),
            Some(CommitKept) => self.inner.commit(batch).and(Err(broken())),
            Some(CommitFlipped(flip)) => {
                let mut batch = batch.clone();
                batch.flip(flip);
                self.inner.commit(&batch)
            }
            Some(CommitShort) => {
                self.told().lost_tail = Some(batch.head().size.get() - 1);
                self.inner.commit(batch)
            }
            _ => self.inner.commit(batch),
        }
    }

    fn archive(&self, note: &ArchivedNote) -> Result<(), StoreError> {
        match self.due(|fault| matches!(fault, Fault::ArchiveLost | Fault::ArchiveKept)) {
            Some(Fault::ArchiveLost) => Err(broken()),
            Some(Fault::ArchiveKept) => self.inner.archive(note).and(Err(broken())),
            _ => self.inner.archive(note),
        }
    }

    fn keep_conflicts(&self, add: &[ConflictRow], remove: &[u64]) -> Result<(), StoreError> {
        self.check(|fault| matches!(fault, Fault::Conflicts))?;
        self.inner.keep_conflicts(add, remove)
    }

    fn conflicts(&self, from: u64, limit: usize) -> Result<Vec<ConflictRow>, StoreError> {
        self.inner.conflicts(from, limit)
    }

    fn conflict_table(&self) -> Result<ConflictTable, StoreError> {
        self.check(|fault| matches!(fault, Fault::ReadConflicts))?;
        self.inner.conflict_table()
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.inner.entry(index)?.map(|entry| self.rotten(index, &entry)))
    }

    fn read_entries(
        &self,
        first: LeafIndex,
        end: TreeSize,
        visit: &mut dyn FnMut(LeafIndex, &[u8]),
    ) -> Result<(), StoreError> {
        self.check(|fault| matches!(fault, Fault::ReadEntries))?;
        let lost = self.told().lost_tail.filter(|lost| (first.get()..end.get()).contains(lost));
        let readable = lost.map_or(end, TreeSize::new);
        self.inner.read_entries(first, readable, &mut |index, entry| visit(index, &self.rotten(index, entry)))?;
        lost.map_or(Ok(()), |lost| Err(StoreError::missing_entry(LeafIndex::new(lost))))
    }

    fn last_entry(&self) -> Result<Option<LeafIndex>, StoreError> {
        self.inner.last_entry()
    }

    fn tiles(&self, ids: &[TileId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.check(|fault| matches!(fault, Fault::ReadTiles))?;
        let mut tiles = self.inner.tiles(ids)?;
        if let Some(Rot::Tile(rotten, byte)) = self.told().rot {
            for (tile, _) in tiles.iter_mut().zip(ids).filter(|(_, id)| **id == rotten) {
                let mut bytes = tile.as_deref().unwrap().to_vec();
                bytes[byte] ^= 1;
                *tile = Some(bytes.into());
            }
        }
        Ok(tiles)
    }

    fn find(&self, key: &StreamKey) -> Result<Option<LeafIndex>, StoreError> {
        self.check(|fault| matches!(fault, Fault::Find))?;
        self.inner.find(key)
    }

    fn stream_tail(&self, stream: &StreamId, below: TreeSize) -> Result<Option<StreamRow>, StoreError> {
        self.inner.stream_tail(stream, below)
    }

    fn stream_rows(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<StreamRow>, StoreError> {
        self.inner.stream_rows(stream, from, limit)
    }

    fn archived(&self, from: TreeSize, to: TreeSize, limit: usize) -> Result<Vec<ArchivedNote>, StoreError> {
        self.inner.archived(from, to, limit)
    }

    fn newest_archived(&self) -> Result<Option<ArchivedNote>, StoreError> {
        self.inner.newest_archived()
    }

    fn is_strained(&self) -> Result<bool, StoreError> {
        Ok(self.told().strained || self.inner.is_strained()?)
    }
}
