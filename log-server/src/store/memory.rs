//! A store in memory, for tests and trials: stricter than a real one, and gone with the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::{FULL_TILE_BYTES, TileId};

use super::keys::{CHECKPOINTS, ENTRIES, STREAMS, TILES};
use super::meta::next_conflict;
use super::{ArchivedNote, ConflictRow, ConflictTable, Identity, LogStore, StoreError, StreamId, StreamKey, StreamRow};
use crate::sequencer::Batch;
use crate::tree::TreeHead;

/// Keeps rows in ordered maps.
///
/// It keeps the promise of [`LogStore`] only in so far as no process outlives it. It refuses with
/// [`StoreError::Rewrite`] every write to a row that is there already, even with the same value, but for a note, and
/// every batch whose rows do not fit its own head.
#[derive(Debug)]
pub struct MemoryStore {
    identity: Identity,
    rows: Mutex<Rows>,
}

#[derive(Clone, Debug)]
struct Rows {
    head: TreeHead,
    entries: BTreeMap<u64, Bytes>,
    tiles: BTreeMap<(u8, u64), Bytes>,
    streams: BTreeMap<StreamKey, LeafIndex>,
    checkpoints: BTreeMap<u64, ArchivedNote>,
    conflicts: BTreeMap<u64, ConflictRow>,
    next_conflict: u64,
}

impl MemoryStore {
    /// Makes an empty store.
    #[must_use]
    pub fn new(identity: &Identity) -> Self {
        let rows = Rows {
            head: TreeHead::EMPTY,
            entries: BTreeMap::new(),
            tiles: BTreeMap::new(),
            streams: BTreeMap::new(),
            checkpoints: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            next_conflict: 0,
        };
        Self { identity: identity.clone(), rows: Mutex::new(rows) }
    }

    /// Makes a store with the same rows and a life of its own.
    #[cfg(test)]
    pub(crate) fn duplicate(&self) -> Self {
        Self { identity: self.identity.clone(), rows: Mutex::new(self.rows().clone()) }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Refuses a batch that does not fit, before anything is written.
    fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        if batch.first().get() != self.head.size.get() {
            return Err(StoreError::NotNext { stored: self.head.size, offered: batch.first() });
        }
        if batch
            .rows()
            .iter()
            .zip(batch.first().get()..)
            .last()
            .is_none_or(|(_, last)| last + 1 != batch.head().size.get())
        {
            return Err(StoreError::malformed(ENTRIES, b"", "the head's size is not that of the entries"));
        }
        for (row, index) in batch.rows().iter().zip(batch.first().get()..) {
            if self.entries.contains_key(&index) {
                return Err(rewrite(ENTRIES, index));
            }
            if self.streams.contains_key(row.key()) {
                return Err(rewrite(STREAMS, index));
            }
        }
        for tile in batch.tiles() {
            if tile.bytes.len() != FULL_TILE_BYTES {
                return Err(StoreError::malformed(TILES, &tile.id.n.to_be_bytes(), "not 8,192 bytes"));
            }
            if self.tiles.contains_key(&(tile.id.level, tile.id.n)) {
                return Err(rewrite(TILES, tile.id.n));
            }
        }
        Ok(())
    }
}

fn rewrite(family: &'static str, key: u64) -> StoreError {
    StoreError::Rewrite { family, key: key.to_string() }
}

impl LogStore for MemoryStore {
    fn identity(&self) -> Result<Identity, StoreError> {
        Ok(self.identity.clone())
    }

    fn head(&self) -> Result<TreeHead, StoreError> {
        Ok(self.rows().head)
    }

    fn commit(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut rows = self.rows();
        rows.check(batch)?;
        for (row, index) in batch.rows().iter().zip(batch.first().get()..) {
            rows.entries.insert(index, row.entry().clone());
            rows.streams.insert(*row.key(), LeafIndex::new(index));
        }
        for tile in batch.tiles() {
            rows.tiles.insert((tile.id.level, tile.id.n), tile.bytes.clone());
        }
        rows.head = *batch.head();
        Ok(())
    }

    fn archive(&self, note: &ArchivedNote) -> Result<(), StoreError> {
        let mut rows = self.rows();
        let size = note.size.get();
        match rows.checkpoints.get(&size) {
            Some(there) if there == note => Ok(()),
            Some(_) => Err(rewrite(CHECKPOINTS, size)),
            None => {
                rows.checkpoints.insert(size, note.clone());
                Ok(())
            }
        }
    }

    fn keep_conflicts(&self, add: &[ConflictRow], remove: &[u64]) -> Result<(), StoreError> {
        let mut rows = self.rows();
        rows.conflicts.extend(add.iter().map(|row| (row.number, row.clone())));
        rows.conflicts.retain(|number, _| !remove.contains(number));
        rows.next_conflict = next_conflict(rows.next_conflict, add);
        Ok(())
    }

    fn conflicts(&self, from: u64, limit: usize) -> Result<Vec<ConflictRow>, StoreError> {
        Ok(self.rows().conflicts.range(from..).take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn conflict_table(&self) -> Result<ConflictTable, StoreError> {
        Ok(ConflictTable { next: self.rows().next_conflict, malformed: Vec::new() })
    }

    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.rows().entries.get(&index.get()).map(|entry| entry.to_vec()))
    }

    fn read_entries(
        &self,
        first: LeafIndex,
        end: TreeSize,
        visit: &mut dyn FnMut(LeafIndex, &[u8]),
    ) -> Result<(), StoreError> {
        let rows = self.rows();
        for index in first.get()..end.get() {
            let entry = rows.entries.get(&index).ok_or_else(|| StoreError::missing_entry(LeafIndex::new(index)))?;
            visit(LeafIndex::new(index), entry);
        }
        Ok(())
    }

    fn last_entry(&self) -> Result<Option<LeafIndex>, StoreError> {
        Ok(self.rows().entries.last_key_value().map(|(index, _)| LeafIndex::new(*index)))
    }

    fn tiles(&self, ids: &[TileId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let rows = self.rows();
        Ok(ids.iter().map(|id| rows.tiles.get(&(id.level, id.n)).cloned()).collect())
    }

    fn find(&self, key: &StreamKey) -> Result<Option<LeafIndex>, StoreError> {
        Ok(self.rows().streams.get(key).copied())
    }

    fn stream_tail(&self, stream: &StreamId, below: TreeSize) -> Result<Option<StreamRow>, StoreError> {
        Ok(positions(&self.rows(), stream, 0).rfind(|row| row.index.get() < below.get()))
    }

    fn stream_rows(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<StreamRow>, StoreError> {
        Ok(positions(&self.rows(), stream, from).take(limit).collect())
    }

    fn archived(&self, from: TreeSize, to: TreeSize, limit: usize) -> Result<Vec<ArchivedNote>, StoreError> {
        let rows = self.rows();
        let from = rows.checkpoints.range(from.get()..);
        Ok(from.take_while(|(size, _)| **size <= to.get()).take(limit).map(|(_, note)| note.clone()).collect())
    }

    fn is_strained(&self) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn newest_archived(&self) -> Result<Option<ArchivedNote>, StoreError> {
        Ok(self.rows().checkpoints.last_key_value().map(|(_, note)| note.clone()))
    }
}

fn positions<'a>(rows: &'a Rows, stream: &StreamId, from: u64) -> impl DoubleEndedIterator<Item = StreamRow> + 'a {
    let first = StreamKey::Position { stream: *stream, seq: from };
    let last = StreamKey::Position { stream: *stream, seq: u64::MAX };
    rows.streams.range(first..=last).filter_map(|(key, index)| match key {
        StreamKey::Position { seq, .. } => Some(StreamRow { seq: *seq, index: *index }),
        StreamKey::Alone(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::store::contract::{Subject, contract};
    use crate::tree::RightEdge;
    use crate::tree::testing::{identity, rows};

    impl Subject for MemoryStore {
        fn fresh() -> Self {
            Self::new(&identity())
        }

        fn reopened(self) -> Self {
            self
        }

        fn store(&self) -> &dyn LogStore {
            self
        }
    }

    contract!(MemoryStore);

    #[test]
    fn a_place_in_the_table_is_taken_once() {
        let (store, mut edge) = (MemoryStore::fresh(), RightEdge::new());
        store.commit(&Batch::build(&mut edge, rows(0, 5), Millis::new(1)).unwrap()).unwrap();
        let mut twice = rows(5, 6);
        twice[0].key = rows(4, 5)[0].key;
        let batch = Batch::build(&mut edge, twice, Millis::new(2)).unwrap();
        assert!(matches!(store.commit(&batch), Err(StoreError::Rewrite { family: "streams", .. })));
        assert_eq!(store.head().unwrap().size.get(), 5);
    }
}
