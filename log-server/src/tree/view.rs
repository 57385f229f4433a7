//! A view of the tree at one committed size: tiles, bundles, nodes, entries and streams below it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, Node, NodeReader, TreeSize};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tile::{TileId, TileSpan, WIDTH, width_at};

use super::cache::TileCache;
use super::edge::{RightEdge, complete_root};
use crate::store::{LogStore, StoreError, StreamId, StreamKey, StreamRow};

/// Why the tree could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store failed, or lacks what a tree of this size must have.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A node was asked for that this view does not cover.
    #[error("node {index} of level {level} lies beyond tree size {size}")]
    Beyond {
        /// The node's level.
        level: u8,
        /// The node's index.
        index: u64,
        /// The view's size.
        size: TreeSize,
    },
    /// A stored tile has the wrong length.
    #[error("tile {n} of level {level} has {found} bytes", level = .id.level, n = .id.n)]
    TileLength {
        /// Which tile.
        id: TileId,
        /// Its length as stored.
        found: usize,
    },
    /// A stored entry is not a signed statement.
    #[error("entry {index} is not a signed statement: {why}")]
    Entry {
        /// Which entry.
        index: LeafIndex,
        /// What the parser said.
        why: String,
    },
}

/// The newest entry of a stream, as a submitter of the next one needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHead {
    /// The `seq` the next statement must have.
    pub next_seq: u64,
    /// The `prev` it must have: the newest statement's Sig_structure digest.
    pub prev: Digest,
    /// Where the newest statement stands.
    pub last: LeafIndex,
}

/// The tree at one committed size.
///
/// Cheap to clone, and never changes: hashes that no full tile holds come from a copy of the right edge, everything else
/// from rows that are written once. It serves proofs for every size up to its own. Calls block on the store: never from
/// an async worker.
#[derive(Clone)]
pub struct TreeView {
    edge: Arc<RightEdge>,
    tiles: Arc<TileCache>,
}

impl TreeView {
    pub(crate) const fn new(edge: Arc<RightEdge>, tiles: Arc<TileCache>) -> Self {
        Self { edge, tiles }
    }

    /// Returns the size up to which this view reads.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.edge.size()
    }

    /// Returns the first `width` hashes of a tile, 1 to 256, or nothing when this size has not that many.
    ///
    /// # Errors
    /// When the store fails.
    pub fn hash_tile(&self, id: TileId, width: u16) -> Result<Option<Bytes>, ReadError> {
        let held = width_at(id.level, id.n, self.size());
        if width == 0 || width > held {
            return Ok(None);
        }
        let length = usize::from(width) * 32;
        if u64::from(held) == WIDTH {
            let tile = self.tiles.tiles(&[id])?.pop();
            return Ok(tile.filter(|bytes| bytes.len() >= length).map(|bytes| bytes.slice(..length)));
        }
        let hashes = self.edge.partial(id.level).iter().take(usize::from(width));
        Ok(Some(hashes.flat_map(|hash| *hash.as_bytes()).collect()))
    }

    /// Returns the bundle of the first `width` entries, 1 to 256, from `n × 256` on, or nothing when this size has not
    /// that many.
    ///
    /// # Errors
    /// When the store fails.
    pub fn entry_bundle(&self, n: u64, width: u16) -> Result<Option<Bytes>, ReadError> {
        if width == 0 || width > width_at(0, n, self.size()) {
            return Ok(None);
        }
        let width = u64::from(width);
        let bytes = if width == WIDTH { self.tiles.full_bundle(n)? } else { self.tiles.assemble(n, width)? };
        Ok(Some(bytes))
    }

    /// Returns an entry as logged, or nothing when the index is not below this size.
    ///
    /// # Errors
    /// When the store fails or lacks an entry below its size.
    pub fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, ReadError> {
        if index.get() >= self.size().get() {
            return Ok(None);
        }
        let entry = self.store().entry(index)?.ok_or_else(|| StoreError::missing_entry(index))?;
        Ok(Some(entry))
    }

    /// Finds what stands below this size at a statement's place: the same statement, or another one.
    ///
    /// The table is a hint: the entry itself is read again and its Sig_structure digest compared.
    ///
    /// # Errors
    /// When the store fails, or the entry found is no statement.
    pub fn find(&self, statement: &SignedStatement) -> Result<Option<Found>, ReadError> {
        find(self.store(), self.size(), &StreamKey::of(statement), &statement.sig_structure_digest())
    }

    /// Returns the newest entry of a stream below this size, or nothing when there is none.
    ///
    /// # Errors
    /// When the store fails, or the entry found is no statement.
    pub fn stream_head(&self, stream: &StreamId) -> Result<Option<StreamHead>, ReadError> {
        stream_head(self.store(), self.size(), stream)
    }

    /// Returns the rows of a stream from `from` on, in order, at most `limit` of them, all below this size.
    ///
    /// # Errors
    /// When the store fails.
    pub fn stream_rows(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<StreamRow>, ReadError> {
        let mut rows = self.store().stream_rows(stream, from, limit)?;
        rows.retain(|row| row.index.get() < self.size().get());
        Ok(rows)
    }

    /// Returns the store behind the view, for what is archived in it.
    #[must_use]
    pub fn store(&self) -> &dyn LogStore {
        self.tiles.store()
    }

    pub(super) fn edge(&self) -> &RightEdge {
        &self.edge
    }

    /// Finds where a node's hash is to be had, and whether that tile is full at this size.
    fn place(&self, node: Node) -> Result<(TileSpan, bool), ReadError> {
        let span = TileSpan::of(node);
        let width = width_at(span.id.level, span.id.n, self.size());
        if span.offset + span.count > width {
            return Err(ReadError::Beyond { level: node.level, index: node.index, size: self.size() });
        }
        Ok((span, u64::from(width) == WIDTH))
    }

    /// Computes a node from the part of the right edge it lies in.
    fn node_of_edge(&self, span: TileSpan) -> Option<Digest> {
        let (from, to) = (usize::from(span.offset), usize::from(span.offset + span.count));
        self.edge.partial(span.id.level).get(from..to).map(complete_root)
    }
}

impl fmt::Debug for TreeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeView").field("size", &self.size()).finish_non_exhaustive()
    }
}

impl NodeReader for TreeView {
    type Error = ReadError;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, ReadError> {
        let places: Vec<(TileSpan, bool)> = nodes.iter().map(|node| self.place(*node)).collect::<Result<_, _>>()?;
        let mut full: Vec<TileId> = places.iter().filter(|(_, full)| *full).map(|(span, _)| span.id).collect();
        full.sort_unstable();
        full.dedup();
        let tiles: HashMap<TileId, Bytes> = full.iter().copied().zip(self.tiles.tiles(&full)?).collect();
        places
            .iter()
            .map(|(span, _)| {
                let hash = tiles.get(&span.id).map_or_else(|| self.node_of_edge(*span), |tile| span.hash(tile));
                hash.ok_or_else(|| StoreError::missing_tile(span.id).into())
            })
            .collect()
    }
}

/// What already stands where a statement wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The same statement: by its Sig_structure, not by its signature.
    Same(LeafIndex),
    /// Another statement of the same stream and sequence number.
    Other(LeafIndex),
}

/// Looks a statement's place up among the entries below `size`.
///
/// # Errors
/// When the store fails, or the entry found is no statement.
pub(crate) fn find(
    store: &dyn LogStore,
    size: TreeSize,
    key: &StreamKey,
    identity: &Digest,
) -> Result<Option<Found>, ReadError> {
    let Some(index) = store.find(key)? else { return Ok(None) };
    if index.get() >= size.get() {
        return Ok(None);
    }
    let same = identity_of(store, index)? == *identity;
    Ok(Some(if same { Found::Same(index) } else { Found::Other(index) }))
}

/// Looks the newest entry of a stream up among those below `size`.
///
/// # Errors
/// When the store fails, or the entry found is no statement.
pub(crate) fn stream_head(
    store: &dyn LogStore,
    size: TreeSize,
    stream: &StreamId,
) -> Result<Option<StreamHead>, ReadError> {
    let Some(row) = store.stream_tail(stream, size)? else { return Ok(None) };
    Ok(Some(StreamHead { next_seq: row.seq + 1, prev: identity_of(store, row.index)?, last: row.index }))
}

/// Reads an entry again and returns its Sig_structure digest.
fn identity_of(store: &dyn LogStore, index: LeafIndex) -> Result<Digest, ReadError> {
    let entry = store.entry(index)?.ok_or_else(|| StoreError::missing_entry(index))?;
    let statement =
        SignedStatement::parse_entry(&entry).map_err(|error| ReadError::Entry { index, why: error.to_string() })?;
    Ok(statement.sig_structure_digest())
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
