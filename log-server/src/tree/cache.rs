//! Full tiles and full bundles, kept by bytes.
//!
//! Whoever controls the store behind it could serve wrong tiles; clients check every one, and the scrub finds it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::{FULL_TILE_BYTES, TileId, WIDTH, bundle};
use lru::LruCache;

use super::view::ReadError;
use crate::store::{LogStore, StoreError};

/// What one cached piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Piece {
    Hashes { level: u8, n: u64 },
    Entries { n: u64 },
}

/// Reads full tiles and bundles from the store and remembers the ones used last.
///
/// Calls block on the store: never from an async worker.
pub struct TileCache {
    store: Arc<dyn LogStore>,
    pieces: Mutex<Pieces>,
}

impl TileCache {
    /// Caches what comes from `store`, up to `capacity` bytes.
    #[must_use]
    pub fn new(store: Arc<dyn LogStore>, capacity: usize) -> Self {
        Self { store, pieces: Mutex::new(Pieces { kept: LruCache::unbounded(), bytes: 0, capacity }) }
    }

    pub(super) fn store(&self) -> &dyn LogStore {
        self.store.as_ref()
    }

    /// Returns the full tiles asked for, in that order, with one read for those not in memory.
    pub(super) fn tiles(&self, ids: &[TileId]) -> Result<Vec<Bytes>, ReadError> {
        let mut found: Vec<Option<Bytes>> = {
            let mut pieces = self.pieces();
            ids.iter().map(|id| pieces.get(piece_of(*id))).collect()
        };
        let absent: Vec<TileId> =
            ids.iter().zip(&found).filter(|(_, tile)| tile.is_none()).map(|(id, _)| *id).collect();
        let mut read = self.read_tiles(&absent)?.into_iter();
        for slot in &mut found {
            if slot.is_none() {
                *slot = read.next();
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Returns the bundle of the 256 entries from `n × 256` on.
    pub(super) fn full_bundle(&self, n: u64) -> Result<Bytes, ReadError> {
        if let Some(bytes) = self.pieces().get(Piece::Entries { n }) {
            return Ok(bytes);
        }
        let bytes = self.assemble(n, WIDTH)?;
        self.pieces().put(Piece::Entries { n }, &bytes);
        Ok(bytes)
    }

    /// Writes the bundle of the `width` entries from `n × 256` on.
    pub(super) fn assemble(&self, n: u64, width: u64) -> Result<Bytes, ReadError> {
        let first = n * WIDTH;
        let mut out = Vec::new();
        let mut failure = None;
        self.store.read_entries(LeafIndex::new(first), TreeSize::new(first + width), &mut |index, entry| {
            if let Err(error) = bundle::append(&mut out, entry) {
                failure.get_or_insert_with(|| {
                    StoreError::malformed("entries", &index.get().to_be_bytes(), error.to_string())
                });
            }
        })?;
        failure.map_or_else(|| Ok(Bytes::from(out)), |error| Err(error.into()))
    }

    fn read_tiles(&self, ids: &[TileId]) -> Result<Vec<Bytes>, ReadError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let tiles = self.store.tiles(ids)?;
        let mut read = Vec::with_capacity(ids.len());
        for (id, tile) in ids.iter().zip(tiles) {
            let bytes = tile.ok_or_else(|| StoreError::missing_tile(*id))?;
            if bytes.len() != FULL_TILE_BYTES {
                return Err(ReadError::TileLength { id: *id, found: bytes.len() });
            }
            read.push(bytes);
        }
        let mut pieces = self.pieces();
        for (id, bytes) in ids.iter().zip(&read) {
            pieces.put(piece_of(*id), bytes);
        }
        Ok(read)
    }

    /// A panic while the lock was held leaves a cache that may have lost a piece, never one with a wrong piece.
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const fn piece_of(id: TileId) -> Piece {
    Piece::Hashes { level: id.level, n: id.n }
}

struct Pieces {
    kept: LruCache<Piece, Bytes>,
    bytes: usize,
    capacity: usize,
}

impl Pieces {
    fn get(&mut self, piece: Piece) -> Option<Bytes> {
        self.kept.get(&piece).cloned()
    }

    /// Keeps a piece, unless it alone would push out an eighth of the others.
    fn put(&mut self, piece: Piece, bytes: &Bytes) {
        if bytes.len() > self.capacity / 8 {
            return;
        }
        // A copy, so that a piece never pins a larger buffer that it was cut from.
        let copy = BytesMut::from(bytes.as_ref()).freeze();
        self.bytes += copy.len();
        if let Some(before) = self.kept.put(piece, copy) {
            self.bytes -= before.len();
        }
        while self.bytes > self.capacity {
            let Some((_, dropped)) = self.kept.pop_lru() else { return };
            self.bytes -= dropped.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_stays_within_its_bytes_and_keeps_what_was_used_last() {
        let mut pieces = Pieces { kept: LruCache::unbounded(), bytes: 0, capacity: 80 };
        for n in 0..20 {
            pieces.put(Piece::Entries { n }, &Bytes::from(vec![0; 10]));
            assert!(pieces.get(Piece::Entries { n: 0 }).is_some(), "used each time, so kept");
            assert!(pieces.bytes <= 80);
            assert_eq!(pieces.bytes, pieces.kept.iter().map(|(_, b)| b.len()).sum::<usize>());
        }
        assert!(pieces.get(Piece::Entries { n: 1 }).is_none());
        assert!(pieces.get(Piece::Entries { n: 19 }).is_some());
        pieces.put(Piece::Entries { n: 50 }, &Bytes::from(vec![0; 11]));
        assert!(pieces.get(Piece::Entries { n: 50 }).is_none(), "too large to keep");
    }
}
