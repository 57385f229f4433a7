//! The Merkle tree of RFC 6962 (and RFC 9162, whose tree is the same), with SHA-256.
//!
//! Nothing here holds a tree: a [`Frontier`] grows one in logarithmic space, proofs are built from nodes that a
//! [`NodeReader`] fetches in one batch, and verified from the proof alone. [`MemoryTree`] keeps every node, for tests
//! and for stores in memory.

mod consistency;
mod coords;
mod frontier;
mod hash;
mod inclusion;
mod memory;
mod subtree;
#[cfg(test)]
mod tests;

pub use consistency::ConsistencyProof;
pub use coords::{LeafIndex, Node, NumberError, TreeSize, root_nodes};
pub use frontier::{Frontier, FrontierError, root_from};
pub use hash::{EMPTY_ROOT, leaf_hash, node_hash};
pub use inclusion::InclusionProof;
pub use memory::{MemoryTree, MissingNode};

use crate::digest::Digest;

/// A source of the hashes of complete subtrees.
///
/// What it returns is input, not truth: a proof built from wrong nodes does not verify, and that is where they show.
pub trait NodeReader {
    /// Why nodes could not be read.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Reads the hashes of nodes, in the order asked, as one batch.
    ///
    /// # Errors
    ///
    /// Fails when any of the nodes cannot be had.
    fn read_nodes(&self, nodes: &[Node]) -> Result<Vec<Digest>, Self::Error>;
}

/// Why a proof could not be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError<E> {
    /// No such proof exists.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The nodes could not be read.
    #[error("the nodes of the proof could not be read")]
    Read(#[source] E),
    /// The reader answered with another number of hashes.
    #[error("{wanted} nodes were asked for and {got} came back")]
    Count {
        /// How many nodes were asked for.
        wanted: usize,
        /// How many hashes came back.
        got: usize,
    },
}

/// Why a proof is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The tree has no such leaf. A tree of size 0 has none at all.
    #[error("leaf index {index} is not below tree size {size}")]
    Index {
        /// The leaf index that was named.
        index: LeafIndex,
        /// The size of the tree.
        size: TreeSize,
    },
    /// The older tree is larger than the newer one.
    #[error("old tree size {old} is above new tree size {new}")]
    Sizes {
        /// The older tree's size.
        old: TreeSize,
        /// The newer tree's size.
        new: TreeSize,
    },
    /// The path has too many or too few hashes for its sizes.
    #[error("the path has {found} hashes instead of {expected}")]
    Length {
        /// How many hashes a path has here.
        expected: usize,
        /// How many were found.
        found: usize,
    },
    /// The path does not lead to the root hash of the tree, or of the newer of two.
    #[error("the path leads to root hash {found}, not {expected}")]
    Root {
        /// The root hash to be proved.
        expected: Digest,
        /// The root hash that the path leads to.
        found: Digest,
    },
    /// The path does not lead to the root hash of the older tree.
    #[error("the path leads to old root hash {found}, not {expected}")]
    OldRoot {
        /// The root hash to be proved.
        expected: Digest,
        /// The root hash that the path leads to.
        found: Digest,
    },
}

/// Refuses a path that has too many or too few hashes.
const fn check_length(expected: usize, found: usize) -> Result<(), ProofError> {
    if expected == found { Ok(()) } else { Err(ProofError::Length { expected, found }) }
}
