//! COSE receipts (RFC 9942, `RFC9162_SHA256`): a signed inclusion proof that travels with its statement.

use crate::checkpoint::Checkpoint;
use crate::cose::{PublicKey, SigningKey};
use crate::digest::Digest;
use crate::merkle::{InclusionProof, LeafIndex, TreeSize};

/// A receipt of a govlog as its bytes say; nothing of it is authenticated yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt;

/// What a receipt's protected header says: who signed, about what, and when the size was committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReceiptClaims {
    /// `https://<origin>`.
    pub iss: String,
    /// The statement's `sub`.
    pub sub: String,
    /// The commit time of the tree size, in seconds.
    pub iat: i64,
}

/// A signature over a root hash for one subject: one such signature serves every entry with that subject at that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoot;

/// A receipt whose signature verified over the root that its proof leads to.
///
/// Index and size are not signed, so this type does not tell them: [`VerifiedReceipt::bind`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt;

/// A verified receipt whose size, root and issuer are those of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundReceipt;

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Placeholder.
    #[error("the receipt is refused")]
    Refused,
}

impl SignedRoot {
    /// Signs a root hash with a receipt key (P-256).
    ///
    /// # Errors
    ///
    /// A key of another curve is refused.
    pub fn sign(key: &SigningKey, claims: &ReceiptClaims, root: &Digest) -> Result<Self, ReceiptError> {
        let _ = (key, claims, root);
        unimplemented!()
    }

    /// Writes the receipt for one entry.
    ///
    /// # Errors
    ///
    /// A proof in a tree of size 1, and one of the wrong shape, is refused.
    pub fn receipt(&self, proof: &InclusionProof, note: &[u8]) -> Result<Vec<u8>, ReceiptError> {
        let _ = (proof, note);
        unimplemented!()
    }
}

impl Receipt {
    /// Reads a receipt of exactly our form.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] names the offset or the field, and what would be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Returns the claims, as written.
    #[must_use]
    pub fn claims(&self) -> &ReceiptClaims {
        unimplemented!()
    }

    /// Returns the thumbprint of the key that is said to have signed.
    #[must_use]
    pub fn kid(&self) -> Digest {
        unimplemented!()
    }

    /// Returns the leaf index as written: not signed.
    #[must_use]
    pub fn index(&self) -> LeafIndex {
        unimplemented!()
    }

    /// Returns the tree size as written: not signed.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        unimplemented!()
    }

    /// Returns the inclusion proof.
    #[must_use]
    pub fn proof(&self) -> &InclusionProof {
        unimplemented!()
    }

    /// Returns the checkpoint note.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        unimplemented!()
    }

    /// Returns the receipt's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        unimplemented!()
    }

    /// Computes the root hash that the proof leads to from a leaf hash.
    ///
    /// # Errors
    ///
    /// A proof of the wrong shape is refused.
    pub fn fold(&self, leaf: &Digest) -> Result<Digest, ReceiptError> {
        let _ = leaf;
        unimplemented!()
    }

    /// Checks the receipt for an entry: leaf hash, proof, then the signature over the root it leads to.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] when the key is not the one named, `sub` is not the statement's, or the signature does not verify.
    pub fn verify(&self, leaf: &Digest, sub: &str, key: &PublicKey) -> Result<VerifiedReceipt, ReceiptError> {
        let _ = (leaf, sub, key);
        unimplemented!()
    }
}

impl VerifiedReceipt {
    /// Binds the receipt to a checkpoint that the caller has verified.
    ///
    /// # Errors
    ///
    /// Another size, root hash or origin is refused.
    pub fn bind(self, checkpoint: &Checkpoint) -> Result<BoundReceipt, ReceiptError> {
        let _ = checkpoint;
        unimplemented!()
    }
}

impl BoundReceipt {
    /// Returns the leaf index.
    #[must_use]
    pub fn index(&self) -> LeafIndex {
        unimplemented!()
    }

    /// Returns the tree size.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        unimplemented!()
    }

    /// Returns the root hash.
    #[must_use]
    pub fn root(&self) -> Digest {
        unimplemented!()
    }

    /// Returns the commit time the log signed, in seconds.
    #[must_use]
    pub fn iat(&self) -> i64 {
        unimplemented!()
    }
}
