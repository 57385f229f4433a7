//! Inclusion proofs: this entry is at this index of this tree.

use super::{BuildError, LeafIndex, NodeReader, ProofError, TreeSize};
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
    pub fn build<R: NodeReader + ?Sized>(reader: &R, index: LeafIndex, size: TreeSize) -> Result<Self, BuildError<R::Error>> {
        let _ = (reader, index, size);
        unimplemented!()
    }

    /// Computes the root hash that the proof leads to from a leaf hash.
    ///
    /// # Errors
    ///
    /// An index that is not below the size and a path that is not of exactly the right length are refused.
    pub fn fold(&self, leaf: &Digest) -> Result<Digest, ProofError> {
        let _ = leaf;
        unimplemented!()
    }

    /// Checks that the proof leads from a leaf hash to a root hash.
    ///
    /// # Errors
    ///
    /// As [`InclusionProof::fold`]; and [`ProofError::Root`] when it leads elsewhere.
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> Result<(), ProofError> {
        let _ = (leaf, root);
        unimplemented!()
    }
}
