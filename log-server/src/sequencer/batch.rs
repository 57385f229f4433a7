//! What is written at once: entries with their places, the tiles they complete, and the head they end at.

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{FrontierError, LeafIndex};

use crate::clock::Millis;
use crate::store::StreamKey;
use crate::tree::{FullTile, RightEdge, TreeHead};

/// Most entries of one batch.
pub const MAX_BATCH_ENTRIES: usize = 1024;
/// Most bytes of the entries of one batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// An entry to be written, with what was computed from it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryRow {
    /// The bytes as logged.
    pub(crate) entry: Bytes,
    /// Their leaf hash.
    pub(crate) leaf: Digest,
    /// The place the entry takes in the duplicate table.
    pub(crate) key: StreamKey,
}

/// A batch: it extends exactly one tree, the one whose edge it was built on.
#[derive(Clone, Debug)]
pub struct Batch {
    first: LeafIndex,
    rows: Vec<EntryRow>,
    tiles: Vec<FullTile>,
    head: TreeHead,
}

impl Batch {
    /// Appends the rows to the tree of `edge`, which becomes that of the batch's head.
    ///
    /// # Errors
    /// When the tree is full; `edge` may then hold a part of the rows.
    pub(crate) fn build(edge: &mut RightEdge, rows: Vec<EntryRow>, time: Millis) -> Result<Self, FrontierError> {
        let first = LeafIndex::new(edge.size().get());
        let mut tiles = Vec::new();
        for row in &rows {
            edge.push(row.leaf, &mut tiles)?;
        }
        let head = TreeHead { size: edge.size(), root: edge.root(), time };
        Ok(Self { first, rows, tiles, head })
    }

    /// Returns the index of the first entry.
    #[must_use]
    pub const fn first(&self) -> LeafIndex {
        self.first
    }

    /// Returns the entries, which take indexes from [`first`](Self::first) on.
    #[must_use]
    pub fn rows(&self) -> &[EntryRow] {
        &self.rows
    }

    /// Returns the tiles that the entries complete.
    #[must_use]
    pub fn tiles(&self) -> &[FullTile] {
        &self.tiles
    }

    /// Returns the head of the tree with these entries.
    #[must_use]
    pub const fn head(&self) -> &TreeHead {
        &self.head
    }
}

impl EntryRow {
    /// Returns the bytes as logged.
    #[must_use]
    pub const fn entry(&self) -> &Bytes {
        &self.entry
    }

    /// Returns the leaf hash.
    #[must_use]
    pub const fn leaf(&self) -> &Digest {
        &self.leaf
    }

    /// Returns the place in the duplicate table.
    #[must_use]
    pub const fn key(&self) -> &StreamKey {
        &self.key
    }
}

/// A single bit of a batch.
#[cfg(any(test, feature = "failpoints"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Flip {
    Entry {
        row: usize,
        bit: usize,
    },
    #[cfg(test)]
    Tile {
        tile: usize,
        bit: usize,
    },
    #[cfg(test)]
    Root {
        bit: usize,
    },
    #[cfg(test)]
    Time {
        bit: u32,
    },
}

#[cfg(any(test, feature = "failpoints"))]
impl Batch {
    /// Changes one bit of what is about to be stored, as a faulty memory would between hashing and writing.
    pub(crate) fn flip(&mut self, place: Flip) {
        match place {
            Flip::Entry { row, bit } => {
                if let Some(row) = self.rows.get_mut(row) {
                    row.entry = flipped(&row.entry, bit);
                }
            }
            #[cfg(test)]
            Flip::Tile { tile, bit } => self.tiles[tile].bytes = flipped(&self.tiles[tile].bytes, bit),
            #[cfg(test)]
            Flip::Root { bit } => {
                let root = flipped(&Bytes::copy_from_slice(self.head.root.as_bytes()), bit);
                self.head.root = Digest::from_slice(&root).unwrap();
            }
            #[cfg(test)]
            Flip::Time { bit } => self.head.time = Millis::new(self.head.time.get() ^ (1 << bit)),
        }
    }

    /// Flips a bit of the last entry when `flip_stored_entry` is armed: the read-back must find it.
    #[cfg(feature = "failpoints")]
    pub(super) fn flipped_where_a_test_wants_it(mut self) -> Self {
        if crate::failpoints::off("flip_stored_entry") {
            let bit = self.rows.last().map_or(0, |row| row.entry.len() * 8 - 1);
            self.flip(Flip::Entry { row: self.rows.len() - 1, bit });
        }
        self
    }
}

#[cfg(any(test, feature = "failpoints"))]
fn flipped(bytes: &Bytes, bit: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(bit / 8) {
        *byte ^= 1 << (bit % 8);
    }
    bytes.into()
}
