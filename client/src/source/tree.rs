//! A tree read from a source's tiles.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};

use govlog_formats::digest::Digest;
use govlog_formats::limits::MAX_ENTRY_BYTES;
use govlog_formats::merkle::{LeafIndex, Node, NodeReader, TreeSize};
use govlog_formats::tile::{self, TilePath, TileSpan};

use super::{Source, SourceError};

/// The largest entry bundle: 256 entries with their two length bytes.
pub(crate) const MAX_BUNDLE_BYTES: usize = 256 * (MAX_ENTRY_BYTES + 2);

/// A log's tree at one published size, read tile by tile and remembered for as long as the value lives.
///
/// Nothing read here is verified by reading it: what is built from it is, against a root hash that a checkpoint names.
#[derive(Debug)]
pub struct Tree<'a> {
    source: &'a Source,
    size: TreeSize,
    tiles: RefCell<HashMap<TilePath, Vec<u8>>>,
    /// The bundles read last: entries that belong together stand together.
    bundles: RefCell<VecDeque<(TilePath, Vec<u8>)>>,
}

/// Why a part of the tree could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source lacks a tile or bundle that the size it published has.
    #[error("{path}: missing, though the checkpoint of size {size} covers it")]
    Missing {
        /// The tile's path.
        path: TilePath,
        /// The tree size.
        size: TreeSize,
    },
    /// A tile or bundle is not what its path says.
    #[error("{path}: {why}")]
    Malformed {
        /// The tile's path.
        path: TilePath,
        /// What is wrong.
        why: String,
    },
}

impl<'a> Tree<'a> {
    /// Reads a source's tree at a size that a verified checkpoint names.
    #[must_use]
    pub fn new(source: &'a Source, size: TreeSize) -> Self {
        Self { source, size, tiles: RefCell::default(), bundles: RefCell::default() }
    }

    /// The tree size.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// Reads the entry at an index below the size.
    ///
    /// # Errors
    ///
    /// The bundle that holds it cannot be read.
    pub fn entry(&self, index: LeafIndex) -> Result<Vec<u8>, TreeError> {
        let n = index.get() / tile::WIDTH;
        let width = tile::width_at(0, n, self.size);
        let path = TilePath::Entries { n, width };
        let mut bundles = self.bundles.borrow_mut();
        if !bundles.iter().any(|(known, _)| *known == path) {
            let bundle = self.fetch(path, MAX_BUNDLE_BYTES)?;
            bundles.truncate(KEPT_BUNDLES - 1);
            bundles.push_front((path, bundle));
        }
        let bundle = bundles.iter().find(|(known, _)| *known == path).map(|(_, bytes)| bytes.as_slice());
        let bundle = bundle.unwrap_or_default();
        let malformed = |why: String| TreeError::Malformed { path, why };
        let entries = tile::bundle::parse(bundle, width).map_err(|error| malformed(error.to_string()))?;
        let offset = usize::try_from(index.get() % tile::WIDTH).unwrap_or(usize::MAX);
        let entry = entries.get(offset).ok_or_else(|| malformed(format!("it does not hold entry {index}")))?;
        Ok((*entry).to_vec())
    }

    /// Reads a tile or bundle, the full one where the partial one is gone.
    ///
    /// "clients may fall back from a missing partial to the full one" (tlog-tiles, main of 2026-02-05).
    ///
    /// # Errors
    ///
    /// The source does not answer, or has neither.
    pub fn fetch(&self, path: TilePath, max: usize) -> Result<Vec<u8>, TreeError> {
        if let Some(bytes) = self.source.get(&path.to_string(), max)? {
            return Ok(bytes);
        }
        let full = widest(path);
        let bytes = if full == path { None } else { self.source.get(&full.to_string(), max)? };
        let mut bytes = bytes.ok_or(TreeError::Missing { path, size: self.size })?;
        match path {
            TilePath::Hash { width, .. } => bytes.truncate(usize::from(width) * Digest::LEN),
            TilePath::Entries { width, .. } => {
                bytes = first_entries(&bytes, width).map_err(|why| TreeError::Malformed { path: full, why })?
            }
        }
        Ok(bytes)
    }

    fn node(&self, node: Node) -> Result<Digest, TreeError> {
        let span = TileSpan::of(node);
        let path = TilePath::Hash { id: span.id, width: tile::width_at(span.id.level, span.id.n, self.size) };
        let hash = |bytes: &[u8]| {
            span.hash(bytes)
                .ok_or_else(|| TreeError::Malformed { path, why: format!("{} bytes are too few", bytes.len()) })
        };
        if let Some(bytes) = self.tiles.borrow().get(&path) {
            return hash(bytes);
        }
        let bytes = self.fetch(path, tile::FULL_TILE_BYTES)?;
        let found = hash(&bytes)?;
        self.tiles.borrow_mut().insert(path, bytes);
        Ok(found)
    }
}

impl NodeReader for Tree<'_> {
    type Error = TreeError;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, TreeError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }
}

/// How many bundles are kept; the largest have 16 MiB each, and the usual ones a hundredth of it.
const KEPT_BUNDLES: usize = 4;

/// How many hashes or entries a full tile or bundle has.
const FULL: u16 = 256;

fn widest(path: TilePath) -> TilePath {
    match path {
        TilePath::Hash { id, .. } => TilePath::Hash { id, width: FULL },
        TilePath::Entries { n, .. } => TilePath::Entries { n, width: FULL },
    }
}

fn first_entries(bundle: &[u8], width: u16) -> Result<Vec<u8>, String> {
    let entries = tile::bundle::parse(bundle, FULL).map_err(|error| error.to_string())?;
    let mut first = Vec::new();
    for entry in entries.into_iter().take(usize::from(width)) {
        tile::bundle::append(&mut first, entry).map_err(|error| error.to_string())?;
    }
    Ok(first)
}
