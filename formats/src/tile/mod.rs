//! Tiles: the tree cut into files that never change (C2SP tlog-tiles).
//!
//! A hash tile of level `l` holds up to 256 hashes of nodes at tree level 8·`l`; an entry bundle holds the entries
//! below a tile of level 0.

pub mod bundle;
mod path;
#[cfg(test)]
mod tests;

pub use path::{PathError, TilePath};

use core::ops::Range;

use crate::digest::Digest;
use crate::merkle::{Node, TreeSize, node_hash};

/// How many hashes or entries a full tile or bundle has.
pub const WIDTH: u64 = 256;

/// [`WIDTH`] as the width of one tile.
const FULL: u16 = 256;

/// How many bytes a full hash tile has.
pub const FULL_TILE_BYTES: usize = 8192;

/// How many levels of the tree one level of tiles spans.
pub const HEIGHT: u8 = 8;

/// Which hash tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// The level of the tile: its hashes are nodes at tree level 8 · `level`.
    pub level: u8,
    /// The position among the tiles of its level, counted from 0.
    pub n: u64,
}

/// Where a node's hash is to be had: it is the root of `count` hashes of a tile, from `offset` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileSpan {
    /// The tile.
    pub id: TileId,
    /// The first of the hashes, 0 to 255.
    pub offset: u16,
    /// How many hashes: a power of two, 1 to 128.
    pub count: u16,
}

impl TileId {
    /// Returns the node whose hash stands at an offset of the tile.
    ///
    /// The tiles of a tree have nodes below its size; for a tile that no tree has the result saturates, and names no
    /// node of any tree.
    #[must_use]
    pub fn node(self, offset: u8) -> Node {
        let index = self.n.saturating_mul(WIDTH).saturating_add(u64::from(offset));
        Node { level: self.level.saturating_mul(HEIGHT), index }
    }
}

impl TileSpan {
    /// Finds the tile that holds a node, and the hashes of it that lie below the node.
    #[must_use]
    pub fn of(node: Node) -> Self {
        let rows = node.level % HEIGHT;
        let id = TileId { level: node.level / HEIGHT, n: node.index >> (HEIGHT - rows) };
        // The index within the tile, at the node's own level and then at that of the tile's hashes.
        let [.., low] = node.index.to_be_bytes();
        Self { id, offset: u16::from(low << rows), count: 1 << rows }
    }

    /// Computes the node's hash from the tile's bytes; nothing when the tile is too short.
    #[must_use]
    pub fn hash(self, tile: &[u8]) -> Option<Digest> {
        let start = usize::from(self.offset) * Digest::LEN;
        let bytes = tile.get(start..)?.get(..usize::from(self.count) * Digest::LEN)?;
        let (hashes, _) = bytes.as_chunks::<{ Digest::LEN }>();
        let mut row: Vec<Digest> = hashes.iter().copied().map(Digest::from_bytes).collect();
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            row = pairs.iter().map(|[left, right]| node_hash(left, right)).collect();
        }
        row.first().copied()
    }
}

/// Returns how many hashes the tile `n` of a level has in a tree of a size: 0 when there is no such tile, 256 when it
/// is full.
///
/// A bundle is as wide as the tile of level 0 above it.
#[must_use]
pub fn width_at(level: u8, n: u64, size: TreeSize) -> u16 {
    let hashes = hashes_at(level, size).saturating_sub(n.saturating_mul(WIDTH));
    u16::try_from(hashes).map_or(FULL, |hashes| hashes.min(FULL))
}

/// Lists the hash tiles of a tree, level by level, each at its width.
pub fn hash_tiles(size: TreeSize) -> impl Iterator<Item = TilePath> {
    (0..LEVELS).flat_map(move |level| {
        numbers(level, size).map(move |n| TilePath::Hash { id: TileId { level, n }, width: width_at(level, n, size) })
    })
}

/// Lists the entry bundles of a tree, each at its width.
pub fn entry_bundles(size: TreeSize) -> impl Iterator<Item = TilePath> {
    numbers(0, size).map(move |n| TilePath::Entries { n, width: width_at(0, n, size) })
}

/// Counts the levels of tiles that any tree can have.
const LEVELS: u8 = 8;

/// Lists the tiles of a level, a partial one included.
fn numbers(level: u8, size: TreeSize) -> Range<u64> {
    0..hashes_at(level, size).div_ceil(WIDTH)
}

/// Counts the hashes that the tiles of a level hold: C2SP tlog-tiles, floor(s / 256^l).
fn hashes_at(level: u8, size: TreeSize) -> u64 {
    if level < LEVELS { size.get() >> (HEIGHT * level) } else { 0 }
}
