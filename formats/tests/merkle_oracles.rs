//! Larger trees at random against two other implementations of the same tree.
#![cfg(test)]

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{
    ConsistencyProof, Frontier, InclusionProof, LeafIndex, MemoryTree, TreeSize, leaf_hash, node_hash,
};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

/// The hashing of RFC 6962 for `rs_merkle`, which knows no prefixes of its own.
///
/// That library pairs the nodes of a level from the left and hands a last odd one up unchanged. The tree of RFC 6962
/// §2.1 has the same shape at every size, which `shapes_agree_at_every_small_size` tries out.
#[derive(Clone)]
struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update([0]).chain_update(data).finalize().into()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        let Some(right) = right else { return *left };
        Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
    }
}

type RsTree = rs_merkle::MerkleTree<Rfc6962>;
type RsProof = rs_merkle::MerkleProof<Rfc6962>;
type CtTree = MemoryBackedTree<Sha256, Vec<u8>>;
type CtRoot = ct_merkle::RootHash<Sha256>;
type CtInclusion = ct_merkle::InclusionProof<Sha256>;
type CtConsistency = ct_merkle::ConsistencyProof<Sha256>;

fn entry(seed: u64, index: usize) -> Vec<u8> {
    format!("{seed} {index}").into_bytes()
}

fn ours(seed: u64, size: usize) -> MemoryTree {
    (0..size).map(|i| leaf_hash(&entry(seed, i))).collect()
}

fn rs_tree(seed: u64, size: usize) -> RsTree {
    let leaves: Vec<[u8; 32]> = (0..size).map(|i| <Rfc6962 as rs_merkle::Hasher>::hash(&entry(seed, i))).collect();
    RsTree::from_leaves(&leaves)
}

fn ct_tree(seed: u64, size: usize) -> CtTree {
    let mut tree = CtTree::new();
    (0..size).for_each(|i| tree.push(entry(seed, i)));
    tree
}

fn ct_root(root: &Digest, size: usize) -> CtRoot {
    CtRoot::new((*root.as_bytes()).into(), size as u64)
}

fn tree_size(size: usize) -> TreeSize {
    TreeSize::new(size as u64)
}

fn joined(path: &[Digest]) -> Vec<u8> {
    path.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

fn flip(path: &mut [Digest], at: usize) {
    if let Some(hash) = path.get_mut(at / 256) {
        let mut bytes = *hash.as_bytes();
        bytes[at % 256 / 8] ^= 1 << (at % 8);
        *hash = Digest::from_bytes(bytes);
    }
}

#[test]
fn shapes_agree_at_every_small_size() {
    let mut frontier = Frontier::new();
    for size in 1..=260 {
        frontier.push(leaf_hash(&entry(0, size - 1))).unwrap();
        let root = frontier.root();
        assert_eq!(rs_tree(0, size).root(), Some(*root.as_bytes()), "rs_merkle at {size}");
        assert_eq!(ct_tree(0, size).root(), ct_root(&root, size), "ct-merkle at {size}");
    }
}

/// An oracle that agrees with everything is none: without the prefixes, or with the last leaf doubled, the roots
/// differ.
#[test]
fn the_oracle_tells_other_trees_apart() {
    let tree = ours(0, 3);
    let [a, b, c] = [0, 1, 2].map(|i| tree.leaf(LeafIndex::new(i)).unwrap());
    let doubled = node_hash(&node_hash(&a, &b), &node_hash(&c, &c));
    assert_ne!(rs_tree(0, 3).root(), Some(*doubled.as_bytes()));
    let plain = rs_merkle::MerkleTree::<rs_merkle::algorithms::Sha256>::from_leaves(&[a, b, c].map(|h| *h.as_bytes()));
    assert_ne!(plain.root(), Some(*tree.root().as_bytes()));
}

/// A seed for the entries, a size from 1, and a leaf of the tree.
fn tree_and_leaf(largest: usize) -> impl Strategy<Value = (u64, usize, usize)> {
    (any::<u64>(), 1..=largest).prop_flat_map(|(seed, size)| (Just(seed), Just(size), 0..size))
}

/// A seed for the entries, a size, and an older size from 1.
fn tree_and_older(largest: usize) -> impl Strategy<Value = (u64, usize, usize)> {
    (any::<u64>(), 1..=largest).prop_flat_map(|(seed, size)| (Just(seed), Just(size), 1..=size))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inclusion_agrees_with_rs_merkle((seed, size, index) in tree_and_leaf(6_000), at in any::<prop::sample::Index>()) {
        let (tree, oracle) = (ours(seed, size), rs_tree(seed, size));
        let root = tree.root();
        prop_assert_eq!(oracle.root(), Some(*root.as_bytes()));
        let mut proof = InclusionProof::build(&tree, LeafIndex::new(index as u64), tree_size(size)).unwrap();
        let theirs: Vec<Digest> = oracle.proof(&[index]).proof_hashes().iter().copied().map(Digest::from_bytes).collect();
        prop_assert_eq!(&proof.path, &theirs);
        let leaf = tree.leaf(LeafIndex::new(index as u64)).unwrap();
        let verdicts = |proof: &InclusionProof| {
            let theirs = RsProof::new(proof.path.iter().map(|hash| *hash.as_bytes()).collect());
            let verdict = theirs.verify(*root.as_bytes(), &[index], &[*leaf.as_bytes()], size);
            (proof.verify(&leaf, &root).is_ok(), verdict)
        };
        prop_assert_eq!(verdicts(&proof), (true, true));
        if size > 1 {
            let at = at.index(proof.path.len() * 256);
            flip(&mut proof.path, at);
            prop_assert_eq!(verdicts(&proof), (false, false));
        }
    }

    #[test]
    fn inclusion_agrees_with_ct_merkle((seed, size, index) in tree_and_leaf(3_000), at in any::<prop::sample::Index>()) {
        let (tree, oracle) = (ours(seed, size), ct_tree(seed, size));
        let root = tree.root();
        prop_assert_eq!(oracle.root(), ct_root(&root, size));
        let mut proof = InclusionProof::build(&tree, LeafIndex::new(index as u64), tree_size(size)).unwrap();
        prop_assert_eq!(joined(&proof.path), oracle.prove_inclusion(index).as_bytes().to_vec());
        let leaf = tree.leaf(LeafIndex::new(index as u64)).unwrap();
        let verdicts = |proof: &InclusionProof| {
            let theirs = CtInclusion::try_from_bytes(joined(&proof.path)).unwrap();
            let verdict = ct_root(&root, size).verify_inclusion(&entry(seed, index), index as u64, &theirs);
            (proof.verify(&leaf, &root).is_ok(), verdict.is_ok())
        };
        prop_assert_eq!(verdicts(&proof), (true, true));
        if size > 1 {
            let at = at.index(proof.path.len() * 256);
            flip(&mut proof.path, at);
            prop_assert_eq!(verdicts(&proof), (false, false));
        }
    }

    #[test]
    fn consistency_agrees_with_ct_merkle((seed, size, old) in tree_and_older(3_000), at in any::<prop::sample::Index>()) {
        let (tree, oracle) = (ours(seed, size), ct_tree(seed, size));
        let (old_root, root) = (tree.root_at(tree_size(old)).unwrap(), tree.root());
        prop_assert_eq!(ct_tree(seed, old).root(), ct_root(&old_root, old));
        let mut proof = ConsistencyProof::build(&tree, tree_size(old), tree_size(size)).unwrap();
        prop_assert_eq!(joined(&proof.path), oracle.prove_consistency(size - old).as_bytes().to_vec());
        let verdicts = |proof: &ConsistencyProof| {
            let theirs = CtConsistency::try_from_bytes(joined(&proof.path)).unwrap();
            let verdict = ct_root(&root, size).verify_consistency(&ct_root(&old_root, old), &theirs);
            (proof.verify(&old_root, &root).is_ok(), verdict.is_ok())
        };
        prop_assert_eq!(verdicts(&proof), (true, true));
        if old < size {
            let at = at.index(proof.path.len() * 256);
            flip(&mut proof.path, at);
            prop_assert_eq!(verdicts(&proof), (false, false));
        }
    }
}
