//! Inclusion proofs: this entry is at this index of this tree.

use super::subtree::{Sibling, Subtree, read_subtrees};
use super::{BuildError, LeafIndex, NodeReader, ProofError, TreeSize, check_length, node_hash};
use crate::digest::Digest;

/// The siblings on the way from a leaf to the root (RFC 9162 §2.1.3), the leaf's own first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Which leaf is proved.
    pub index: LeafIndex,
    /// The size of the tree it is proved in.
    pub size: TreeSize,
    /// The siblings, the leaf's own first.
    pub path: Vec<Digest>,
}

impl InclusionProof {
    /// Builds the proof for a leaf from one batch of nodes.
    ///
    /// # Errors
    ///
    /// Fails when the tree has no such leaf, or the reader fails.
    pub fn build<R: NodeReader + ?Sized>(
        reader: &R,
        index: LeafIndex,
        size: TreeSize,
    ) -> Result<Self, BuildError<R::Error>> {
        let subtrees: Vec<Subtree> = siblings(index, size)?.into_iter().map(Sibling::subtree).collect();
        let path = read_subtrees(reader, &subtrees)?;
        Ok(Self { index, size, path })
    }

    /// Computes the root hash that the proof leads to from a leaf hash.
    ///
    /// The path alone fixes neither index nor size: the same hashes can stand for another index of another size. Take
    /// the size from a checkpoint, never from where the proof came.
    ///
    /// # Errors
    ///
    /// An index that is not below the size and a path that is not of exactly the right length are refused.
    pub fn fold(&self, leaf: &Digest) -> Result<Digest, ProofError> {
        let siblings = siblings(self.index, self.size)?;
        // RFC 9162 §2.1.3.2: "If sn is 0, then stop the iteration and fail the proof verification", and at the end sn
        // must be 0: the path is neither longer nor shorter than the way to the root.
        check_length(siblings.len(), self.path.len())?;
        Ok(siblings.iter().zip(&self.path).fold(*leaf, |hash, (side, sibling)| match side {
            Sibling::Left(_) => node_hash(sibling, &hash),
            Sibling::Right(_) => node_hash(&hash, sibling),
        }))
    }

    /// Checks that the proof leads from a leaf hash to a root hash.
    ///
    /// # Errors
    ///
    /// As [`InclusionProof::fold`]; and [`ProofError::Root`] when it leads elsewhere.
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> Result<(), ProofError> {
        let found = self.fold(leaf)?;
        if found == *root { Ok(()) } else { Err(ProofError::Root { expected: *root, found }) }
    }
}

/// Lists the siblings on the way from a leaf up to the root.
fn siblings(index: LeafIndex, size: TreeSize) -> Result<Vec<Sibling>, ProofError> {
    // RFC 9162 §2.1.3.2: "If leaf_index is greater than or equal to tree_size, then fail the proof verification."
    if !size.covers(index) {
        return Err(ProofError::Index { index, size });
    }
    let mut siblings = Vec::new();
    let mut subtree = Subtree::whole(size);
    while let Some((left, right)) = subtree.split() {
        if index.get() < left.high() {
            siblings.push(Sibling::Right(right));
            subtree = left;
        } else {
            siblings.push(Sibling::Left(left));
            subtree = right;
        }
    }
    siblings.reverse();
    Ok(siblings)
}
