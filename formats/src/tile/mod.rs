//! Tiles: the tree cut into files that never change (C2SP tlog-tiles).
//!
//! A hash tile of level `l` holds up to 256 hashes of nodes at tree level 8·`l`; an entry bundle holds the entries below a tile of level 0.

pub mod bundle;
mod path;

pub use path::{PathError, TilePath};

use crate::digest::Digest;
use crate::merkle::{Node, TreeSize};

/// How many hashes or entries a full tile or bundle has.
pub const WIDTH: u64 = 256;

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
    #[must_use]
    pub const fn node(self, offset: u8) -> Node {
        let _ = offset;
        unimplemented!()
    }
}

impl TileSpan {
    /// Finds the tile that holds a node, and the hashes of it that lie below the node.
    #[must_use]
    pub const fn of(node: Node) -> Self {
        let _ = node;
        unimplemented!()
    }

    /// Computes the node's hash from the tile's bytes; nothing when the tile is too short.
    #[must_use]
    pub fn hash(self, tile: &[u8]) -> Option<Digest> {
        let _ = tile;
        unimplemented!()
    }
}

/// Returns how many hashes the tile `n` of a level has in a tree of a size: 0 when there is no such tile, 256 when it is full.
///
/// A bundle is as wide as the tile of level 0 above it.
#[must_use]
pub const fn width_at(level: u8, n: u64, size: TreeSize) -> u16 {
    let _ = (level, n, size);
    unimplemented!()
}

/// Lists the hash tiles of a tree, level by level, each at its width.
pub fn hash_tiles(size: TreeSize) -> impl Iterator<Item = TilePath> {
    let _ = size;
    core::iter::empty()
}

/// Lists the entry bundles of a tree, each at its width.
pub fn entry_bundles(size: TreeSize) -> impl Iterator<Item = TilePath> {
    let _ = size;
    core::iter::empty()
}
