//! Proofs: that an entry stands in the tree, that one tree continues another, and receipts that say so under the log's signature.
//!
//! Everything is derived from tiles when it is asked for, and compared with the root that it is about to be given out under: what the store
//! gets wrong is noticed here, before a verifier would.

mod place;
mod sign;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{
    BuildError, ConsistencyProof, InclusionProof, LeafIndex, ProofError as MerkleError, TreeSize, leaf_hash,
};
use govlog_formats::receipt::ReceiptError;
use govlog_formats::statement::{SignedStatement, StatementError};
use govlog_formats::tlog_proof::TlogProof;

use crate::blocking::NotDone;
use crate::publication::root_at;
use crate::store::StoreError;
use crate::tree::{ReadError, TreeView};

pub use place::Place;
pub(crate) use sign::{Prover, Receipted};

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Too much waits already.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// The tree could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such proof.
    #[error("no such proof: {0}")]
    Merkle(#[from] MerkleError),
    /// The tree gave another number of nodes than asked for.
    #[error("the nodes of a proof do not fit it: {0}")]
    Nodes(String),
    /// There is no entry at the index.
    #[error("there is no entry {0} at this size")]
    NoEntry(LeafIndex),
    /// The proof leads to another root than that of the head it was made for.
    #[error("the store gives root {found} at size {size}; the head says {expected}")]
    Root {
        /// The size.
        size: TreeSize,
        /// What the proof leads to.
        found: Digest,
        /// What the head says.
        expected: Digest,
    },
    /// The entry is not a signed statement.
    #[error("entry {index}: {source}")]
    Entry {
        /// Where it stands.
        index: LeafIndex,
        /// What is wrong with it.
        source: StatementError,
    },
    /// The note of a head can not be read.
    #[error("the note of size {size}: {why}")]
    Note {
        /// The size.
        size: TreeSize,
        /// What is wrong with it.
        why: String,
    },
    /// The admission policy does not name the log's receipt key for this size.
    #[error("the log's receipt key is not in force at size {0}")]
    KeyNotInForce(TreeSize),
    /// The receipt could not be written.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
}

impl From<StoreError> for ProofError {
    fn from(error: StoreError) -> Self {
        Self::Read(error.into())
    }
}

impl From<BuildError<ReadError>> for ProofError {
    fn from(error: BuildError<ReadError>) -> Self {
        match error {
            BuildError::Proof(error) => Self::Merkle(error),
            BuildError::Read(error) => Self::Read(error),
            other => Self::Nodes(other.to_string()),
        }
    }
}

/// An inclusion proof with the leaf hash it is for and the root it leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The proof.
    pub proof: InclusionProof,
    /// The leaf hash of the entry.
    pub leaf: Digest,
    /// The root at the proof's size.
    pub root: Digest,
}

/// A consistency proof with both roots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consistency {
    /// The proof.
    pub proof: ConsistencyProof,
    /// The root at the old size.
    pub old_root: Digest,
    /// The root at the new size.
    pub new_root: Digest,
}

/// Builds an inclusion proof. Blocks on the store.
///
/// # Errors
/// When there is none, or the store fails or contradicts itself.
pub fn inclusion(tree: &TreeView, index: LeafIndex, size: TreeSize) -> Result<Inclusion, ProofError> {
    let proof = InclusionProof::build(tree, index, size)?;
    let entry = tree.entry(index)?.ok_or(ProofError::NoEntry(index))?;
    let (leaf, root) = (leaf_hash(&entry), root_at(tree, size)?);
    check_root(&proof, &leaf, &root)?;
    Ok(Inclusion { proof, leaf, root })
}

/// Builds a consistency proof. Blocks on the store.
///
/// # Errors
/// When there is none, or the store fails or contradicts itself.
pub fn consistency(tree: &TreeView, old: TreeSize, new: TreeSize) -> Result<Consistency, ProofError> {
    let proof = ConsistencyProof::build(tree, old, new)?;
    let (old_root, new_root) = (root_at(tree, old)?, root_at(tree, new)?);
    proof.verify(&old_root, &new_root)?;
    Ok(Consistency { proof, old_root, new_root })
}

/// Writes the proof file of an entry under the place's note. Blocks on the store.
///
/// # Errors
/// When the entry does not lie below the place, or the store fails or contradicts itself.
pub fn tlog_proof(place: &Place, index: LeafIndex) -> Result<Bytes, ProofError> {
    let (proof, _) = proof_and_entry(place, index)?;
    let file = TlogProof { extra: None, index, path: proof.path, checkpoint: place.note().to_vec() };
    Ok(file.to_bytes().into())
}

/// Builds the inclusion proof of an entry under a place's root, and reads the entry.
fn proof_and_entry(place: &Place, index: LeafIndex) -> Result<(InclusionProof, Vec<u8>), ProofError> {
    let proof = InclusionProof::build(place.tree(), index, place.size())?;
    let entry = place.tree().entry(index)?.ok_or(ProofError::NoEntry(index))?;
    check_root(&proof, &leaf_hash(&entry), &place.root())?;
    Ok((proof, entry))
}

fn check_root(proof: &InclusionProof, leaf: &Digest, expected: &Digest) -> Result<(), ProofError> {
    let found = proof.fold(leaf)?;
    if found == *expected {
        return Ok(());
    }
    tracing::error!(size = %proof.size, index = %proof.index, %found, %expected, "the store contradicts a signed head");
    Err(ProofError::Root { size: proof.size, found, expected: *expected })
}

/// Reads the `sub` of an entry.
fn subject(index: LeafIndex, entry: &[u8]) -> Result<String, ProofError> {
    let statement = SignedStatement::parse_entry(entry).map_err(|source| ProofError::Entry { index, source })?;
    Ok(statement.claims().sub.clone())
}
