//! The right edge: every hash that no full tile holds yet.

use bytes::{Bytes, BytesMut};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{Frontier, FrontierError, LeafIndex, TreeSize, leaf_hash, node_hash};
use govlog_formats::tile::{FULL_TILE_BYTES, TileId, WIDTH};

use crate::store::{LogStore, StoreError};

/// A tile of 256 hashes, which never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullTile {
    /// Where it stands.
    pub id: TileId,
    /// Its 8,192 bytes.
    pub bytes: Bytes,
}

impl FullTile {
    fn new(level: u8, n: u64, hashes: &[Digest]) -> Self {
        let mut bytes = BytesMut::with_capacity(FULL_TILE_BYTES);
        for hash in hashes {
            bytes.extend_from_slice(hash.as_bytes());
        }
        Self { id: TileId { level, n }, bytes: bytes.freeze() }
    }
}

/// The growing side of the tree: its frontier, and per tile level the hashes of the tile that is not full.
///
/// At most 255 hashes a level. Whoever holds one can append; the sequencer and the finisher hold one each, so that what
/// is signed was computed twice, the second time from the bytes as stored.
#[derive(Clone, Debug)]
pub struct RightEdge {
    frontier: Frontier,
    /// `levels[l]` holds the hashes of tile level `l` from the last tile boundary on. The topmost is never empty but
    /// when its only tile has just become full.
    levels: Vec<Vec<Digest>>,
}

impl RightEdge {
    /// Makes the edge of a tree without entries.
    #[must_use]
    pub fn new() -> Self {
        Self { frontier: Frontier::new(), levels: Vec::new() }
    }

    /// Rebuilds the edge of the tree of the first `size` entries from full tiles and tail entries.
    ///
    /// Hashes of level 0 come from the entries themselves, those above from the full tiles below them.
    ///
    /// # Errors
    /// Whatever reading gives; [`StoreError::Missing`] when an entry or tile below `size` is absent.
    pub fn rebuild(store: &dyn LogStore, size: TreeSize) -> Result<Self, StoreError> {
        let mut levels = Vec::new();
        let mut level = 0u8;
        loop {
            let count = level_count(size, level);
            if count == 0 {
                break;
            }
            let first = count - count % WIDTH;
            levels.push(match level.checked_sub(1) {
                None => leaf_hashes(store, first, size)?,
                Some(below) => tile_roots(store, below, first, count)?,
            });
            level += 1;
        }
        let frontier = frontier_of(size, &levels)?;
        Ok(Self { frontier, levels })
    }

    /// Returns the number of leaves.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.frontier.size()
    }

    /// Returns the root over all leaves.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// Returns the hashes of the tile at `level` that is not full, possibly none.
    #[must_use]
    pub fn partial(&self, level: u8) -> &[Digest] {
        self.levels.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Appends one leaf, and adds the tiles that it completes to `full`, lowest level first.
    ///
    /// # Errors
    /// When the tree is full; nothing was appended then.
    pub fn push(&mut self, leaf: Digest, full: &mut Vec<FullTile>) -> Result<(), FrontierError> {
        self.frontier.push(leaf)?;
        let size = self.size();
        let mut carry = leaf;
        for level in 0u8.. {
            let slot = usize::from(level);
            if self.levels.len() == slot {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(slot) else { break };
            hashes.push(carry);
            if hashes.len() < WIDTH_USIZE {
                break;
            }
            full.push(FullTile::new(level, level_count(size, level) / WIDTH - 1, hashes));
            carry = complete_root(hashes);
            hashes.clear();
        }
        Ok(())
    }
}

impl Default for RightEdge {
    fn default() -> Self {
        Self::new()
    }
}

impl PartialEq for RightEdge {
    fn eq(&self, other: &Self) -> bool {
        self.size() == other.size()
            && self.root() == other.root()
            && self.frontier.hashes() == other.frontier.hashes()
            && self.levels == other.levels
    }
}

const WIDTH_USIZE: usize = 256;

/// Returns how many hashes tile level `level` of a tree of `size` leaves holds: its complete subtrees of `256^level`.
pub(super) fn level_count(size: TreeSize, level: u8) -> u64 {
    size.get().checked_shr(u32::from(level) * 8).unwrap_or(0)
}

/// Returns the root of a complete subtree from its lowest hashes, whose count is a power of two.
pub(super) fn complete_root(hashes: &[Digest]) -> Digest {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).filter_map(pair).collect();
    }
    row.first().copied().unwrap_or(Digest::ZERO)
}

fn pair(two: &[Digest]) -> Option<Digest> {
    let [left, right] = two else { return None };
    Some(node_hash(left, right))
}

/// Splits a tile into its hashes; a trailing part shorter than a hash is left out.
pub(super) fn hashes_of(tile: &[u8]) -> Vec<Digest> {
    tile.chunks_exact(32).filter_map(Digest::from_slice).collect()
}

fn leaf_hashes(store: &dyn LogStore, first: u64, size: TreeSize) -> Result<Vec<Digest>, StoreError> {
    let mut hashes = Vec::new();
    store.read_entries(LeafIndex::new(first), size, &mut |_, entry| hashes.push(leaf_hash(entry)))?;
    Ok(hashes)
}

fn tile_roots(store: &dyn LogStore, level: u8, first: u64, end: u64) -> Result<Vec<Digest>, StoreError> {
    let ids: Vec<TileId> = (first..end).map(|n| TileId { level, n }).collect();
    let tiles = store.tiles(&ids)?;
    ids.iter()
        .zip(tiles)
        .map(|(id, tile)| match tile {
            Some(bytes) => Ok(complete_root(&hashes_of(&bytes))),
            None => Err(StoreError::missing_tile(*id)),
        })
        .collect()
}

/// Derives the frontier: per level from the top, one subtree for each bit of the number of hashes there.
fn frontier_of(size: TreeSize, levels: &[Vec<Digest>]) -> Result<Frontier, StoreError> {
    let mut subtrees = Vec::new();
    for level in levels.iter().rev() {
        let mut rest = level.as_slice();
        while !rest.is_empty() {
            let width = 1usize << rest.len().ilog2();
            let (subtree, after) = rest.split_at(width);
            subtrees.push(complete_root(subtree));
            rest = after;
        }
    }
    Frontier::from_parts(size, subtrees)
        .map_err(|error| StoreError::malformed("tiles", &size.get().to_be_bytes(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Millis;
    use crate::sequencer::Batch;
    use crate::store::MemoryStore;
    use crate::tree::testing::{identity, plain_root, rows};

    /// Sizes around each tile boundary of the first two levels.
    fn sizes() -> impl Iterator<Item = u64> {
        (0..=20).chain(250..=262).chain(510..=514).chain(767..=770).chain([65_535, 65_536, 65_537, 65_792])
    }

    #[test]
    fn an_edge_rebuilt_from_the_store_equals_the_one_that_grew() {
        let store = MemoryStore::new(&identity());
        let mut edge = RightEdge::new();
        for size in sizes() {
            let first = edge.size().get();
            for chunk in rows(first, size).chunks(1024) {
                store.commit(&Batch::build(&mut edge, chunk.to_vec(), Millis::new(1)).unwrap()).unwrap();
            }
            let rebuilt = RightEdge::rebuild(&store, edge.size()).unwrap();
            assert!(rebuilt == edge, "size {size}");
            if size < 1000 {
                assert_eq!(edge.root(), plain_root(size), "size {size}");
            }
        }
    }

    #[test]
    fn an_older_edge_is_rebuilt_from_a_larger_store() {
        let store = MemoryStore::new(&identity());
        let mut edge = RightEdge::new();
        store.commit(&Batch::build(&mut edge, rows(0, 700), Millis::new(1)).unwrap()).unwrap();
        for size in 0..=700 {
            let older = RightEdge::rebuild(&store, TreeSize::new(size)).unwrap();
            assert_eq!(older.root(), plain_root(size), "size {size}");
        }
    }

    #[test]
    fn a_size_beyond_the_store_is_refused() {
        let store = MemoryStore::new(&identity());
        let mut edge = RightEdge::new();
        store.commit(&Batch::build(&mut edge, rows(0, 300), Millis::new(1)).unwrap()).unwrap();
        assert!(matches!(RightEdge::rebuild(&store, TreeSize::new(301)), Err(StoreError::Missing { .. })));
        assert!(matches!(RightEdge::rebuild(&store, TreeSize::new(600)), Err(StoreError::Missing { .. })));
    }

    #[test]
    fn tiles_come_out_when_they_are_full_and_in_order() {
        let mut edge = RightEdge::new();
        let mut full = Vec::new();
        for row in rows(0, 65_536) {
            edge.push(*row.leaf(), &mut full).unwrap();
        }
        assert_eq!(full.len(), 257);
        assert_eq!(full.last().unwrap().id, TileId { level: 1, n: 0 });
        assert!(full.iter().all(|tile| tile.bytes.len() == FULL_TILE_BYTES));
        assert_eq!(full[0].id, TileId { level: 0, n: 0 });
        assert_eq!(full[255].id, TileId { level: 0, n: 255 });
        assert!(edge.partial(0).is_empty() && edge.partial(1).is_empty());
        assert_eq!(edge.partial(2).len(), 1);
    }
}
