//! Tests of the tree that need its private parts, or one value only.

use proptest::prelude::*;

use super::subtree::Subtree;
use super::*;

fn leaves(count: u64) -> impl Iterator<Item = Digest> {
    (0..count).map(|i| leaf_hash(format!("leaf {i}").as_bytes()))
}

/// Fails when a frontier and a tree with every node differ anywhere up to 600 leaves.
#[test]
fn frontier_agrees_with_the_full_tree() {
    let mut frontier = Frontier::new();
    let mut tree = MemoryTree::new();
    assert_eq!(frontier.root(), EMPTY_ROOT);
    for (i, leaf) in leaves(600).enumerate() {
        frontier.push(leaf).unwrap();
        assert_eq!(tree.push(leaf), LeafIndex::new(i as u64));
        let size = frontier.size();
        assert_eq!(size.get(), i as u64 + 1);
        assert_eq!(tree.size(), size);
        assert_eq!(frontier.root(), tree.root());
        assert_eq!(frontier.hashes(), tree.read_nodes(&root_nodes(size)).unwrap());
        let resumed = Frontier::from_parts(size, frontier.hashes().to_vec()).unwrap();
        assert_eq!(resumed, frontier);
        assert_eq!(root_from(size, resumed.hashes()).unwrap(), frontier.root());
    }
}

#[test]
fn push_with_hands_out_every_node_once() {
    let mut frontier = Frontier::new();
    let mut seen = std::collections::BTreeMap::new();
    for leaf in leaves(300) {
        let before = seen.len();
        let mut first = None;
        frontier
            .push_with(leaf, |node, hash| {
                first = first.or(Some(node));
                assert_eq!(seen.insert(node, *hash), None);
            })
            .unwrap();
        assert_eq!(first, Some(Node { level: 0, index: frontier.size().get() - 1 }));
        assert!(seen.len() > before);
    }
    let tree: MemoryTree = leaves(300).collect();
    let nodes: Vec<Node> = seen.keys().copied().collect();
    assert_eq!(tree.read_nodes(&nodes).unwrap(), seen.into_values().collect::<Vec<_>>());
    let all: u64 = (0..=8).map(|level| 300_u64 >> level).sum();
    assert_eq!(nodes.len() as u64, all);
}

#[test]
fn frontier_refuses_another_number_of_hashes() {
    let hashes: Vec<Digest> = leaves(3).collect();
    for size in 0..64_u64 {
        for found in 0..=3 {
            let expected = size.count_ones() as usize;
            let size = TreeSize::new(size);
            let result = Frontier::from_parts(size, hashes[..found].to_vec());
            let root = root_from(size, &hashes[..found]);
            if found == expected {
                assert_eq!(result.unwrap().root(), root.unwrap());
            } else {
                let error = FrontierError::Hashes { size, expected, found };
                assert_eq!(result, Err(error.clone()));
                assert_eq!(root, Err(error));
            }
        }
    }
}

#[test]
fn frontier_stops_at_the_largest_size() {
    let leaf = leaf_hash(b"");
    let below = TreeSize::new(TreeSize::MAX.get() - 1);
    let mut frontier = Frontier::from_parts(below, vec![leaf; 62]).unwrap();
    let mut made = 0;
    frontier.push_with(leaf, |_, _| made += 1).unwrap();
    assert_eq!((made, frontier.size(), frontier.hashes().len()), (63, TreeSize::MAX, 1));
    let full = frontier.clone();
    assert_eq!(frontier.push_with(leaf, |_, _| panic!("handed out")), Err(FrontierError::Full));
    assert_eq!(frontier, full);
    assert_eq!(Frontier::from_parts(TreeSize::new(TreeSize::MAX.get() + 1), vec![leaf; 2]), Err(FrontierError::Full));
}

#[test]
fn memory_tree_remembers_every_root_and_no_future_one() {
    let mut frontier = Frontier::new();
    let tree: MemoryTree = leaves(200).collect();
    assert_eq!(tree.root_at(TreeSize::ZERO), Some(EMPTY_ROOT));
    for leaf in leaves(200) {
        frontier.push(leaf).unwrap();
        assert_eq!(tree.root_at(frontier.size()), Some(frontier.root()));
    }
    assert_eq!(tree.root_at(TreeSize::new(201)), None);
    assert_eq!(tree.leaf(LeafIndex::new(199)), leaves(200).last());
    assert_eq!(tree.leaf(LeafIndex::new(200)), None);
}

#[test]
fn memory_tree_refuses_nodes_it_does_not_hold() {
    let tree: MemoryTree = leaves(5).collect();
    for node in [
        Node { level: 0, index: 5 },
        Node { level: 1, index: 2 },
        Node { level: 2, index: 1 },
        Node { level: 3, index: 0 },
        Node { level: u8::MAX, index: 0 },
        Node { level: 0, index: u64::MAX },
    ] {
        assert_eq!(tree.read_nodes(&[Node { level: 0, index: 0 }, node]), Err(MissingNode(node)));
    }
}

/// A reader that counts its calls and can be made to answer with one hash too many or too few.
struct Odd<'a> {
    tree: &'a MemoryTree,
    surplus: isize,
    calls: core::cell::Cell<usize>,
}

impl NodeReader for Odd<'_> {
    type Error = MissingNode;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, MissingNode> {
        self.calls.set(self.calls.get() + 1);
        let mut hashes = self.tree.read_nodes(nodes)?;
        hashes.resize(hashes.len().checked_add_signed(self.surplus).unwrap(), Digest::ZERO);
        Ok(hashes)
    }
}

#[test]
fn proofs_are_built_from_one_batch() {
    let tree: MemoryTree = leaves(100).collect();
    let reader = Odd { tree: &tree, surplus: 0, calls: 0.into() };
    InclusionProof::build(&reader, LeafIndex::new(17), TreeSize::new(99)).unwrap();
    assert_eq!(reader.calls.get(), 1);
    ConsistencyProof::build(&reader, TreeSize::new(33), TreeSize::new(99)).unwrap();
    assert_eq!(reader.calls.get(), 2);
    ConsistencyProof::build(&reader, TreeSize::new(99), TreeSize::new(99)).unwrap();
    ConsistencyProof::build(&reader, TreeSize::ZERO, TreeSize::new(99)).unwrap();
    InclusionProof::build(&reader, LeafIndex::new(0), TreeSize::new(1)).unwrap();
    assert_eq!(reader.calls.get(), 2, "an empty path reads nothing");
}

#[test]
fn readers_that_miscount_or_fail_build_nothing() {
    let tree: MemoryTree = leaves(100).collect();
    for surplus in [-1, 1] {
        let reader = Odd { tree: &tree, surplus, calls: 0.into() };
        let error = InclusionProof::build(&reader, LeafIndex::new(0), TreeSize::new(64)).unwrap_err();
        assert_eq!(error, BuildError::Count { wanted: 6, got: 6_usize.checked_add_signed(surplus).unwrap() });
        assert!(matches!(
            ConsistencyProof::build(&reader, TreeSize::new(3), TreeSize::new(64)),
            Err(BuildError::Count { .. })
        ));
    }
    let future = InclusionProof::build(&tree, LeafIndex::new(0), TreeSize::new(128));
    assert_eq!(future, Err(BuildError::Read(MissingNode(Node { level: 6, index: 1 }))));
    let beyond = InclusionProof::build(&tree, LeafIndex::new(100), TreeSize::new(100));
    assert!(matches!(beyond, Err(BuildError::Proof(ProofError::Index { .. }))));
    let shrunk = ConsistencyProof::build(&tree, TreeSize::new(9), TreeSize::new(8));
    assert!(matches!(shrunk, Err(BuildError::Proof(ProofError::Sizes { .. }))));
}

#[test]
fn numbers_have_one_spelling() {
    for (text, size) in [("0", 0), ("7", 7), ("10", 10), ("4611686018427387904", 1 << 62)] {
        assert_eq!(text.parse(), Ok(TreeSize::new(size)));
        assert_eq!(TreeSize::new(size).to_string(), text);
    }
    for text in ["", "00", "05", "+5", "-5", " 5", "5 ", "5\n", "0x5", "1e3", "٥", "5.0", "1_000"] {
        assert_eq!(text.parse::<TreeSize>(), Err(NumberError::NotDecimal(text.to_owned())));
        assert_eq!(text.parse::<LeafIndex>(), Err(NumberError::NotDecimal(text.to_owned())));
    }
    for text in ["4611686018427387905", "18446744073709551615", "18446744073709551616", "99999999999999999999999"] {
        assert_eq!(text.parse::<TreeSize>(), Err(NumberError::TooLarge(text.to_owned())));
        assert_eq!(text.parse::<LeafIndex>(), Err(NumberError::TooLarge(text.to_owned())));
    }
    assert!("4611686018427387903".parse::<LeafIndex>().is_ok());
    assert!("4611686018427387904".parse::<LeafIndex>().is_err(), "the largest tree's last leaf is one below");
}

proptest! {
    #[test]
    fn number_parsers_never_panic_and_print_what_they_read(text in "\\PC{0,24}|[0-9]{0,22}") {
        if let Ok(size) = text.parse::<TreeSize>() {
            prop_assert_eq!(size.to_string(), text.as_str());
        }
        if let Ok(index) = text.parse::<LeafIndex>() {
            prop_assert_eq!(index.to_string(), text.as_str());
        }
    }

    /// All 64 bits of a size are safe: nothing overflows, and the nodes tile the leaves from 0 to the size.
    #[test]
    fn root_nodes_tile_the_leaves(size in any::<u64>()) {
        let mut covered = 0_u64;
        for node in root_nodes(TreeSize::new(size)) {
            prop_assert_eq!(u128::from(node.index) << node.level, u128::from(covered));
            covered += 1 << node.level;
        }
        prop_assert_eq!(covered, size);
    }

    #[test]
    fn a_split_keeps_all_leaves_and_fills_the_left(size in 2..=u64::MAX) {
        let (left, right) = Subtree::whole(TreeSize::new(size)).split().unwrap();
        prop_assert_eq!((left.low(), left.high(), right.high()), (0, right.low(), size));
        prop_assert!(left.high().is_power_of_two() && left.high() < size && size - left.high() <= left.high());
    }

    /// Whatever a proof claims, it is judged without a panic.
    #[test]
    fn verification_never_panics(a in any::<u64>(), b in any::<u64>(), length in 0..70_usize) {
        let hash = leaf_hash(b"x");
        let path = vec![hash; length];
        let proof = InclusionProof { index: LeafIndex::new(a), size: TreeSize::new(b), path: path.clone() };
        prop_assert!(proof.verify(&hash, &hash).is_err() || (b == 1 && length == 0));
        let proof = ConsistencyProof { old: TreeSize::new(a), new: TreeSize::new(b), path };
        prop_assert!(proof.verify(&hash, &hash).is_err() || (a == b && length == 0));
    }
}

/// Fails when the limits are not exactly the longest paths of the largest trees.
#[test]
fn limits_are_the_longest_paths() {
    let (mut inclusion, mut consistency) = (0, 0);
    for bits in 0..=62 {
        for size in [1_u64 << bits, (1 << bits) - 1, (1 << bits) + 1] {
            if size == 0 || size > TreeSize::MAX.get() {
                continue;
            }
            for index in [0, size / 2, size - 1] {
                let proof = InclusionProof::build(&Anything, LeafIndex::new(index), TreeSize::new(size)).unwrap();
                proof.fold(&Digest::ZERO).unwrap();
                inclusion = inclusion.max(proof.path.len());
                let proof = ConsistencyProof::build(&Anything, TreeSize::new(index), TreeSize::new(size)).unwrap();
                consistency = consistency.max(proof.path.len());
            }
        }
    }
    assert_eq!(inclusion, crate::limits::MAX_INCLUSION_PATH);
    assert_eq!(consistency, crate::limits::MAX_PROOF_HASHES);
}

/// A reader that has every node there could be.
struct Anything;

impl NodeReader for Anything {
    type Error = core::convert::Infallible;

    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, Self::Error> {
        Ok(vec![Digest::ZERO; nodes.len()])
    }
}
