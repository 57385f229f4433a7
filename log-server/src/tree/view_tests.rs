//! Views: every tile, bundle and node of small trees, and proofs at every size below the view's.

use std::sync::Arc;

use govlog_formats::merkle::{ConsistencyProof, InclusionProof, MemoryTree, leaf_hash, root_from, root_nodes};
use govlog_formats::tile::bundle;

use super::*;
use crate::store::MemoryStore;
use crate::tree::testing::{entry, fill, identity, plain_root, size, view};

fn view_of(end: u64) -> TreeView {
    let store = MemoryStore::new(&identity());
    fill(&store, &mut RightEdge::new(), end, 500);
    view(Arc::new(store))
}

#[test]
fn every_width_of_every_tile_and_bundle_is_a_prefix() {
    let view = view_of(600);
    for n in 0..4u64 {
        let last = 600u64.saturating_sub(n * 256).min(256);
        for width in 0..=300u16 {
            let fits = width > 0 && u64::from(width) <= last;
            let tile = view.hash_tile(TileId { level: 0, n }, width).unwrap();
            let entries = view.entry_bundle(n, width).unwrap();
            assert_eq!((tile.is_some(), entries.is_some()), (fits, fits), "{n} {width}");
            let (Some(tile), Some(entries)) = (tile, entries) else { continue };
            let bytes: Vec<u8> =
                (n * 256..n * 256 + u64::from(width)).flat_map(|i| *leaf_hash(&entry(i)).as_bytes()).collect();
            assert_eq!(tile, bytes);
            let entries: Vec<Vec<u8>> = bundle::parse(&entries, width).unwrap().iter().map(|e| e.to_vec()).collect();
            let expected: Vec<Vec<u8>> = (n * 256..n * 256 + u64::from(width)).map(|i| entry(i).to_vec()).collect();
            assert_eq!(entries, expected);
        }
    }
    assert_eq!(view.hash_tile(TileId { level: 1, n: 0 }, 2).unwrap().unwrap().len(), 64);
    for (level, n, width) in
        [(1, 0, 3), (1, 1, 1), (2, 0, 1), (7, 0, 1), (63, 0, 1), (255, u64::MAX, 256), (0, u64::MAX, 1)]
    {
        assert_eq!(view.hash_tile(TileId { level, n }, width).unwrap(), None, "{level} {n} {width}");
    }
}

#[test]
fn every_proof_of_every_older_size_verifies() {
    let view = view_of(530);
    for old in [1, 2, 3, 100, 255, 256, 257, 300, 511, 512, 513, 529, 530] {
        let root = plain_root(old);
        assert_eq!(root_from(size(old), &view.read_nodes(&root_nodes(size(old))).unwrap()).unwrap(), root);
        for index in (0..old).step_by(7).chain([old - 1]) {
            let proof = InclusionProof::build(&view, LeafIndex::new(index), size(old)).unwrap();
            proof.verify(&leaf_hash(&entry(index)), &root).unwrap();
        }
        for new in [old, old.max(400), 530] {
            let proof = ConsistencyProof::build(&view, size(old), size(new)).unwrap();
            proof.verify(&root, &plain_root(new)).unwrap();
        }
    }
}

#[test]
fn every_node_of_two_levels_of_tiles_is_that_of_a_plain_tree() {
    let end = 66_000u64;
    let view = view_of(end);
    let tree: MemoryTree = (0..end).map(|index| leaf_hash(&entry(index))).collect();
    for level in 0..=17u8 {
        let count = end >> level;
        let step = usize::try_from((count / 50).max(1)).unwrap();
        let nodes: Vec<Node> =
            (0..count).step_by(step).chain(count.checked_sub(1)).map(|index| Node { level, index }).collect();
        assert_eq!(view.read_nodes(&nodes).unwrap(), tree.read_nodes(&nodes).unwrap(), "level {level}");
        let beyond = view.read_nodes(&[Node { level, index: count }]);
        assert!(matches!(beyond, Err(ReadError::Beyond { .. })), "level {level}");
    }
    let far = view.read_nodes(&[Node { level: 200, index: u64::MAX }]);
    assert!(matches!(far, Err(ReadError::Beyond { .. })));
}

#[test]
fn a_view_keeps_its_size_while_the_store_grows() {
    let store = Arc::new(MemoryStore::new(&identity()));
    let mut edge = RightEdge::new();
    fill(store.as_ref(), &mut edge, 300, 300);
    let view = view(Arc::clone(&store) as Arc<dyn LogStore>);
    fill(store.as_ref(), &mut edge, 900, 300);
    assert_eq!(view.size(), size(300));
    assert_eq!(view.entry(LeafIndex::new(299)).unwrap().unwrap(), entry(299));
    assert_eq!(view.entry(LeafIndex::new(300)).unwrap(), None);
    assert_eq!(view.entry_bundle(1, 45).unwrap(), None);
    assert_eq!(view.hash_tile(TileId { level: 0, n: 1 }, 45).unwrap(), None);
    assert_eq!(view.stream_rows(&crate::tree::testing::stream(), 90, 100).unwrap().len(), 10);
    let root = root_from(size(300), &view.read_nodes(&root_nodes(size(300))).unwrap()).unwrap();
    assert_eq!(root, plain_root(300));
}
