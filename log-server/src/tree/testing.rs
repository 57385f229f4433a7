//! Trees for tests: entries that need no signature, and a root computed another way.

use std::sync::Arc;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, MemoryTree, TreeSize, leaf_hash};
use govlog_formats::tile::{TileId, WIDTH};

use super::{RightEdge, TileCache, TreeHead, TreeView};
use crate::clock::Millis;
use crate::sequencer::{Batch, EntryRow};
use crate::store::{Identity, LogStore, StoreId, StreamId, StreamKey};

/// The origin that stores for tests are made for.
pub(crate) const ORIGIN: &str = "log.example/test";

pub(crate) fn identity() -> Identity {
    Identity { store: StoreId::from_bytes([5; 32]), epoch: 1, origin: ORIGIN.into() }
}

/// The stream that every third entry of [`rows`] belongs to.
pub(crate) fn stream() -> StreamId {
    StreamId::new("https://issuer.example", "rows")
}

/// Entries `first..end`: of different lengths, every third in one stream, the others alone.
pub(crate) fn rows(first: u64, end: u64) -> Vec<EntryRow> {
    (first..end)
        .map(|index| {
            let entry = entry(index);
            let key = if index % 3 == 0 {
                StreamKey::Position { stream: stream(), seq: index / 3 }
            } else {
                StreamKey::Alone(Digest::sha256(&entry))
            };
            EntryRow { leaf: leaf_hash(&entry), key, entry }
        })
        .collect()
}

/// The entry that [`rows`] puts at an index.
pub(crate) fn entry(index: u64) -> Bytes {
    let length = usize::try_from(index % 40).unwrap();
    Bytes::from([index.to_be_bytes().to_vec(), vec![0xee; length]].concat())
}

/// The root of the first `size` entries of [`rows`], from a tree that keeps every node.
pub(crate) fn plain_root(size: u64) -> Digest {
    (0..size).map(|index| leaf_hash(&entry(index))).collect::<MemoryTree>().root()
}

/// Commits entries to a store until it has `size`, in batches of at most `step`; returns the edge.
pub(crate) fn fill(store: &dyn LogStore, edge: &mut RightEdge, size: u64, step: u64) {
    while edge.size().get() < size {
        let first = edge.size().get();
        let end = size.min(first + step);
        store.commit(&Batch::build(edge, rows(first, end), Millis::new(end)).unwrap()).unwrap();
    }
}

/// Opens a view of a store at its own size.
pub(crate) fn view(store: Arc<dyn LogStore>) -> TreeView {
    let edge = RightEdge::rebuild(store.as_ref(), store.head().unwrap().size).unwrap();
    TreeView::new(Arc::new(edge), Arc::new(TileCache::new(store, 1 << 20)))
}

/// Derives the whole log from its entries and compares every leaf, tile, table row and the root with what is stored;
/// returns the entries.
pub(crate) fn check_log(store: &dyn LogStore, head: &TreeHead) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    store
        .read_entries(LeafIndex::new(0), head.size, &mut |index, entry| {
            assert_eq!(index.get(), u64::try_from(entries.len()).unwrap());
            entries.push(entry.to_vec());
        })
        .unwrap();
    assert_eq!(u64::try_from(entries.len()).unwrap(), head.size.get());
    let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let tree: MemoryTree = leaves.iter().copied().collect();
    assert_eq!(tree.root(), head.root, "root at {}", head.size);
    check_tiles(store, leaves);
    entries
}

/// Derives every full tile from the leaves, and looks for surplus ones.
fn check_tiles(store: &dyn LogStore, leaves: Vec<Digest>) {
    let mut row = leaves;
    for level in 0u8.. {
        let full = row.len() / usize::try_from(WIDTH).unwrap();
        let mut above = Vec::new();
        for (tile, n) in row.chunks_exact(256).zip(0u64..) {
            let bytes: Vec<u8> = tile.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let stored = store.tiles(&[TileId { level, n }]).unwrap().pop().unwrap().expect("a full tile");
            assert!(stored == bytes, "tile {n} of level {level}");
            above.push(tile.iter().copied().collect::<MemoryTree>().root());
        }
        let beyond = TileId { level, n: u64::try_from(full).unwrap() };
        assert_eq!(store.tiles(&[beyond]).unwrap(), [None], "no partial tile is stored");
        if above.is_empty() {
            return;
        }
        row = above;
    }
}

/// Returns a size as a number of leaves.
pub(crate) const fn size(size: u64) -> TreeSize {
    TreeSize::new(size)
}
