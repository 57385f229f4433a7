//! Every small tree, every leaf, every older size: proofs are built, verified, compared with the definitions of RFC
//! 6962, and refused after any change.
#![cfg(test)]

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{
    ConsistencyProof, EMPTY_ROOT, InclusionProof, LeafIndex, MemoryTree, ProofError, TreeSize, leaf_hash, node_hash,
};

/// The largest tree that is tried with every proof.
const EVERY_PROOF: u64 = 130;

/// The largest tree that is tried with every bit of every proof.
const EVERY_BIT: u64 = 33;

/// The definitions of RFC 6962 §2.1, as they stand there: recursive, and straight from the leaf hashes.
mod definition {
    use super::{Digest, EMPTY_ROOT, node_hash};

    /// "let k be the largest power of two smaller than n (i.e., k < n <= 2k)"
    fn k(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    pub(crate) fn mth(d: &[Digest]) -> Digest {
        match d {
            [] => EMPTY_ROOT,
            [leaf] => *leaf,
            _ => {
                let (left, right) = d.split_at(k(d.len()));
                node_hash(&mth(left), &mth(right))
            }
        }
    }

    pub(crate) fn path(m: usize, d: &[Digest]) -> Vec<Digest> {
        if d.len() == 1 {
            return Vec::new();
        }
        let k = k(d.len());
        let (left, right) = d.split_at(k);
        let (mut path, sibling) = if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
        path.push(sibling);
        path
    }

    pub(crate) fn proof(m: usize, d: &[Digest]) -> Vec<Digest> {
        subproof(m, d, true)
    }

    fn subproof(m: usize, d: &[Digest], b: bool) -> Vec<Digest> {
        if m == d.len() {
            return if b { Vec::new() } else { vec![mth(d)] };
        }
        let k = k(d.len());
        let (left, right) = d.split_at(k);
        let (mut proof, sibling) =
            if m <= k { (subproof(m, left, b), mth(right)) } else { (subproof(m - k, right, false), mth(left)) };
        proof.push(sibling);
        proof
    }
}

/// A tree with its leaf hashes and the root hash of every size, from the definition.
struct Fixture {
    tree: MemoryTree,
    leaves: Vec<Digest>,
    roots: Vec<Digest>,
}

impl Fixture {
    fn new(size: u64) -> Self {
        let leaves: Vec<Digest> = (0..size).map(|i| leaf_hash(format!("leaf {i}").as_bytes())).collect();
        let roots = (0..=leaves.len()).map(|size| definition::mth(&leaves[..size])).collect();
        Self { tree: leaves.iter().copied().collect(), leaves, roots }
    }

    fn inclusion(&self, index: u64, size: u64) -> InclusionProof {
        InclusionProof::build(&self.tree, LeafIndex::new(index), TreeSize::new(size)).unwrap()
    }

    fn consistency(&self, old: u64, new: u64) -> ConsistencyProof {
        ConsistencyProof::build(&self.tree, TreeSize::new(old), TreeSize::new(new)).unwrap()
    }

    fn leaf(&self, index: u64) -> &Digest {
        &self.leaves[usize::try_from(index).unwrap()]
    }

    fn root(&self, size: u64) -> &Digest {
        &self.roots[usize::try_from(size).unwrap()]
    }
}

fn index_and_size(largest: u64) -> impl Iterator<Item = (u64, u64)> {
    (1..=largest).flat_map(|size| (0..size).map(move |index| (index, size)))
}

fn old_and_new(largest: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..=largest).flat_map(|new| (0..=new).map(move |old| (old, new)))
}

/// Calls back with every path in which one bit differs: all bits in small trees, one bit of every byte in larger ones.
fn every_flip(path: &mut [Digest], size: u64, mut check: impl FnMut(&[Digest])) {
    for position in 0..path.len() {
        let original = path[position];
        for byte in 0..32 {
            for bit in 0..8 {
                if size <= EVERY_BIT || bit == byte % 8 {
                    let mut bytes = *original.as_bytes();
                    bytes[byte] ^= 1 << bit;
                    path[position] = Digest::from_bytes(bytes);
                    check(path);
                }
            }
        }
        path[position] = original;
    }
}

/// Calls back with every path that lacks one hash, and with paths that have one too many, at either end and twice over.
fn every_other_length(path: &[Digest], stray: Digest, mut check: impl FnMut(Vec<Digest>)) {
    for position in 0..path.len() {
        let mut shorter = path.to_vec();
        shorter.remove(position);
        check(shorter);
        let mut repeated = path.to_vec();
        repeated.insert(position, path[position]);
        check(repeated);
    }
    if !path.is_empty() {
        check(Vec::new());
    }
    check([path, &[stray]].concat());
    check([&[stray], path].concat());
    check([path, path, &[stray]].concat());
    check(vec![stray; 70]);
}

#[test]
fn roots_are_those_of_the_definition() {
    let fixture = Fixture::new(EVERY_PROOF);
    for size in 0..=EVERY_PROOF {
        assert_eq!(fixture.tree.root_at(TreeSize::new(size)).as_ref(), Some(fixture.root(size)));
    }
}

#[test]
fn inclusion_proofs_are_those_of_the_definition_and_verify() {
    let fixture = Fixture::new(EVERY_PROOF);
    for (index, size) in index_and_size(EVERY_PROOF) {
        let proof = fixture.inclusion(index, size);
        let leaves = &fixture.leaves[..usize::try_from(size).unwrap()];
        assert_eq!(proof.path, definition::path(usize::try_from(index).unwrap(), leaves), "{index} of {size}");
        proof.verify(fixture.leaf(index), fixture.root(size)).unwrap();
    }
}

#[test]
fn consistency_proofs_are_those_of_the_definition_and_verify() {
    let fixture = Fixture::new(EVERY_PROOF);
    for (old, new) in old_and_new(EVERY_PROOF) {
        let proof = fixture.consistency(old, new);
        let leaves = &fixture.leaves[..usize::try_from(new).unwrap()];
        // RFC 6962 defines the proof for 0 < m < n, and m = n follows; from nothing there is nothing to prove.
        let expected = if old == 0 { Vec::new() } else { definition::proof(usize::try_from(old).unwrap(), leaves) };
        assert_eq!(proof.path, expected, "{old} to {new}");
        proof.verify(fixture.root(old), fixture.root(new)).unwrap();
    }
}

#[test]
fn altered_inclusion_paths_are_refused() {
    let fixture = Fixture::new(EVERY_PROOF);
    for (index, size) in index_and_size(EVERY_PROOF) {
        let mut proof = fixture.inclusion(index, size);
        let (leaf, root) = (fixture.leaf(index), fixture.root(size));
        let mut path = proof.path.clone();
        every_flip(&mut path, size, |flipped| {
            proof.path.copy_from_slice(flipped);
            assert!(matches!(proof.verify(leaf, root), Err(ProofError::Root { .. })), "{index} of {size}");
        });
    }
}

#[test]
fn altered_consistency_paths_are_refused() {
    let fixture = Fixture::new(EVERY_PROOF);
    for (old, new) in old_and_new(EVERY_PROOF) {
        let mut proof = fixture.consistency(old, new);
        let (old_root, new_root) = (fixture.root(old), fixture.root(new));
        let mut path = proof.path.clone();
        every_flip(&mut path, new, |flipped| {
            proof.path.copy_from_slice(flipped);
            let result = proof.verify(old_root, new_root);
            assert!(matches!(result, Err(ProofError::OldRoot { .. } | ProofError::Root { .. })), "{old} to {new}");
        });
    }
}

#[test]
fn paths_of_another_length_are_refused() {
    let fixture = Fixture::new(EVERY_PROOF);
    for (index, size) in index_and_size(EVERY_PROOF) {
        let proof = fixture.inclusion(index, size);
        every_other_length(&proof.path, *fixture.root(size), |path| {
            let (expected, found) = (proof.path.len(), path.len());
            let result = InclusionProof { path, ..proof }.verify(fixture.leaf(index), fixture.root(size));
            assert_eq!(result, Err(ProofError::Length { expected, found }), "{index} of {size}");
        });
    }
    for (old, new) in old_and_new(EVERY_PROOF) {
        let proof = fixture.consistency(old, new);
        every_other_length(&proof.path, *fixture.root(new), |path| {
            let (expected, found) = (proof.path.len(), path.len());
            let result = ConsistencyProof { path, ..proof }.verify(fixture.root(old), fixture.root(new));
            assert_eq!(result, Err(ProofError::Length { expected, found }), "{old} to {new}");
        });
    }
}

#[test]
fn another_index_leaf_or_root_is_refused() {
    let fixture = Fixture::new(EVERY_BIT * 2);
    for (index, size) in index_and_size(EVERY_BIT * 2) {
        let proof = fixture.inclusion(index, size);
        for other in (0..size + 3).filter(|other| *other != index) {
            let moved = InclusionProof { index: LeafIndex::new(other), ..proof.clone() };
            let result = moved.verify(fixture.leaf(index), fixture.root(size));
            if other < size {
                assert!(result.is_err(), "{index} as {other} of {size}");
                assert!(
                    proof.verify(fixture.leaf(other), fixture.root(size)).is_err(),
                    "leaf {other} at {index} of {size}"
                );
            } else {
                let (index, size) = (LeafIndex::new(other), TreeSize::new(size));
                assert_eq!(result, Err(ProofError::Index { index, size }));
            }
        }
    }
}

/// Against the root hash that the tree really had at the other size.
#[test]
fn another_size_is_refused() {
    let fixture = Fixture::new(EVERY_BIT * 2);
    for (index, size) in index_and_size(EVERY_BIT * 2) {
        let proof = fixture.inclusion(index, size);
        for other in (0..=EVERY_BIT * 2).filter(|other| *other != size) {
            let resized = InclusionProof { size: TreeSize::new(other), ..proof.clone() };
            assert!(
                resized.verify(fixture.leaf(index), fixture.root(other)).is_err(),
                "{index} of {size} as of {other}"
            );
            assert!(
                proof.verify(fixture.leaf(index), fixture.root(other)).is_err(),
                "{index} of {size} to root {other}"
            );
        }
    }
}

#[test]
fn other_sizes_and_roots_of_a_consistency_proof_are_refused() {
    let fixture = Fixture::new(EVERY_BIT);
    for (old, new) in old_and_new(EVERY_BIT) {
        let proof = fixture.consistency(old, new);
        for (other_old, other_new) in old_and_new(EVERY_BIT).filter(|other| *other != (old, new)) {
            let (old_root, new_root) = (fixture.root(other_old), fixture.root(other_new));
            // Two pairs of sizes can share one path only when it is empty.
            let resized = ConsistencyProof {
                old: TreeSize::new(other_old),
                new: TreeSize::new(other_new),
                path: proof.path.clone(),
            };
            let same = proof.path.is_empty() && (other_old == 0 || other_old == other_new);
            assert_eq!(
                resized.verify(old_root, new_root).is_ok(),
                same,
                "{old} to {new} as {other_old} to {other_new}"
            );
            // From size 0 nothing is proved of the new root, and at equal sizes nothing but that the roots are equal.
            let vacuous = if old == new { old != 0 && other_old == other_new } else { old == 0 && other_old == 0 };
            let result = proof.verify(old_root, new_root);
            assert_eq!(result.is_ok(), vacuous, "{old} to {new}, roots of {other_old}, {other_new}");
        }
    }
}

#[test]
fn a_rewritten_leaf_shows_in_every_proof() {
    let honest = Fixture::new(40);
    for rewritten in 0..40 {
        let mut leaves = honest.leaves.clone();
        leaves[rewritten] = leaf_hash(b"rewritten");
        let forged: MemoryTree = leaves.into_iter().collect();
        for (old, new) in old_and_new(40).filter(|(old, _)| *old > rewritten as u64) {
            let (old, new) = (TreeSize::new(old), TreeSize::new(new));
            let proof = ConsistencyProof::build(&forged, old, new).unwrap();
            let new_root = forged.root_at(new).unwrap();
            assert!(proof.verify(honest.root(old.get()), &new_root).is_err(), "leaf {rewritten}, {old} to {new}");
        }
    }
}

#[test]
fn sizes_without_a_proof_are_refused() {
    let hash = leaf_hash(b"");
    for (index, size) in [(0, 0), (1, 0), (1, 1), (5, 5), (u64::MAX, u64::MAX), (u64::MAX, 0)] {
        let (index, size) = (LeafIndex::new(index), TreeSize::new(size));
        let proof = InclusionProof { index, size, path: Vec::new() };
        assert_eq!(proof.verify(&hash, &hash), Err(ProofError::Index { index, size }));
        assert_eq!(proof.verify(&EMPTY_ROOT, &EMPTY_ROOT), Err(ProofError::Index { index, size }));
    }
    for (old, new) in [(1, 0), (2, 1), (u64::MAX, 0), (u64::MAX, u64::MAX - 1)] {
        let (old, new) = (TreeSize::new(old), TreeSize::new(new));
        let proof = ConsistencyProof { old, new, path: Vec::new() };
        assert_eq!(proof.verify(&hash, &hash), Err(ProofError::Sizes { old, new }));
    }
}

#[test]
fn the_empty_tree_has_one_root() {
    let hash = leaf_hash(b"");
    let verify = |old, new, old_root: &Digest, new_root: &Digest| {
        ConsistencyProof { old: TreeSize::new(old), new: TreeSize::new(new), path: Vec::new() }
            .verify(old_root, new_root)
    };
    assert_eq!(verify(0, 0, &EMPTY_ROOT, &EMPTY_ROOT), Ok(()));
    assert_eq!(verify(0, 9, &EMPTY_ROOT, &hash), Ok(()));
    assert_eq!(verify(0, 0, &hash, &hash), Err(ProofError::OldRoot { expected: hash, found: EMPTY_ROOT }));
    assert_eq!(verify(0, 9, &hash, &hash), Err(ProofError::OldRoot { expected: hash, found: EMPTY_ROOT }));
    assert_eq!(verify(0, 0, &EMPTY_ROOT, &hash), Err(ProofError::Root { expected: hash, found: EMPTY_ROOT }));
    let proof = ConsistencyProof { old: TreeSize::ZERO, new: TreeSize::new(9), path: vec![hash] };
    assert_eq!(proof.verify(&EMPTY_ROOT, &hash), Err(ProofError::Length { expected: 0, found: 1 }));
}

/// What is hashed into a node, offered as an entry of the smaller tree that has the node for a leaf.
#[test]
fn a_node_is_no_leaf() {
    for height in 1..=6_u32 {
        let fixture = Fixture::new(1 << height);
        let size = 1_u64 << (height - 1);
        for index in 0..size {
            let (left, right) = (fixture.leaf(index * 2), fixture.leaf(index * 2 + 1));
            let path = fixture.inclusion(index * 2, size * 2).path[1..].to_vec();
            let proof = InclusionProof { index: LeafIndex::new(index), size: TreeSize::new(size), path };
            let root = fixture.root(size * 2);
            // The path is a good one: from the node it does lead to the root.
            proof.verify(&node_hash(left, right), root).unwrap();
            for prefix in [&[][..], &[0], &[1]] {
                let entry = [prefix, left.as_bytes(), right.as_bytes()].concat();
                assert!(proof.verify(&leaf_hash(&entry), root).is_err());
            }
        }
    }
}

/// Why a size must come from a checkpoint: one path and one root are good for two pairs of index and size.
#[test]
fn index_and_size_are_not_fixed_by_the_path() {
    let fixture = Fixture::new(3);
    let proof = fixture.inclusion(2, 3);
    let relabelled = InclusionProof { index: LeafIndex::new(1), size: TreeSize::new(2), path: proof.path.clone() };
    assert_eq!(relabelled.fold(fixture.leaf(2)), proof.fold(fixture.leaf(2)));
    assert!(relabelled.verify(fixture.leaf(2), fixture.root(2)).is_err());
}
