//! COSE receipts (RFC 9942, `RFC9162_SHA256`): a signed inclusion proof that travels with its statement.
//!
//! A receipt's signature covers the root hash alone. **Index and size are not authenticated**: the same path and root can be
//! re-labelled as another index of another size. So the types tell them apart: a [`Receipt`] is what the bytes say, a
//! [`VerifiedReceipt`] has a good signature and tells neither, and a [`BoundReceipt`] has the size of a checkpoint.

mod encode;
mod error;
mod parse;

#[cfg(test)]
mod tests;

pub use encode::SignedRoot;
pub use error::ReceiptError;

use crate::checkpoint::Checkpoint;
use crate::cose::{Algorithm, PublicKey, sig_structure};
use crate::digest::Digest;
use crate::limits::MAX_NOTE_BYTES;
use crate::merkle::{InclusionProof, LeafIndex, TreeSize};

/// The verifiable data structure of a log: `RFC9162_SHA256`.
const RFC9162_SHA256: i64 = 1;

/// Under label 396: inclusion proofs.
const INCLUSION: i64 = -1;

/// The most bytes a receipt may have: a note, and a path, names and a signature that take 8 kB at most.
pub const MAX_RECEIPT_BYTES: usize = MAX_NOTE_BYTES + 8 * 1024;

/// The most bytes `iss` or `sub` of a receipt may have: an origin or a subject, and the scheme in front.
const MAX_NAME_BYTES: usize = crate::limits::MAX_SUBJECT_BYTES + "https://".len();

/// A receipt of a govlog as its bytes say; nothing of it is authenticated yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    bytes: Vec<u8>,
    protected: Vec<u8>,
    kid: Digest,
    claims: ReceiptClaims,
    proof: InclusionProof,
    note: Vec<u8>,
    signature: Vec<u8>,
}

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

/// A receipt whose signature verified over the root that its proof leads to.
///
/// Index and size are not signed, so this type does not tell them: [`VerifiedReceipt::bind`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedReceipt {
    claims: ReceiptClaims,
    proof: InclusionProof,
    root: Digest,
}

/// A verified receipt whose size, root hash and issuer are those of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundReceipt {
    index: LeafIndex,
    size: TreeSize,
    root: Digest,
    iat: i64,
}

impl ReceiptClaims {
    /// Names the issuer of a log's receipts: `https://<origin>`.
    #[must_use]
    pub fn issuer(origin: &str) -> String {
        format!("https://{origin}")
    }
}

impl Receipt {
    /// Reads a receipt of exactly our form.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] names the offset or the field, and what would be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        parse::parse(bytes)
    }

    /// Returns the claims, as written.
    #[must_use]
    pub const fn claims(&self) -> &ReceiptClaims {
        &self.claims
    }

    /// Returns the thumbprint of the key that is said to have signed.
    #[must_use]
    pub const fn kid(&self) -> Digest {
        self.kid
    }

    /// Returns the leaf index as written: not signed.
    #[must_use]
    pub const fn index(&self) -> LeafIndex {
        self.proof.index
    }

    /// Returns the tree size as written: not signed.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.proof.size
    }

    /// Returns the inclusion proof.
    #[must_use]
    pub const fn proof(&self) -> &InclusionProof {
        &self.proof
    }

    /// Returns the checkpoint note, for the verifier to check and to bind the receipt to.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// Returns the receipt's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Computes the root hash that the proof leads to from a leaf hash.
    ///
    /// # Errors
    ///
    /// A proof of the wrong shape is refused.
    pub fn fold(&self, leaf: &Digest) -> Result<Digest, ReceiptError> {
        Ok(self.proof.fold(leaf)?)
    }

    /// Checks the receipt for an entry: leaf hash, proof, then the signature over the root it leads to.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`] when the key is not the one named, `sub` is not the statement's, or the signature does not verify.
    pub fn verify(&self, leaf: &Digest, sub: &str, key: &PublicKey) -> Result<VerifiedReceipt, ReceiptError> {
        let given = key.thumbprint();
        if self.kid != given {
            return Err(ReceiptError::OtherKey { named: self.kid, given });
        }
        if self.claims.sub != sub {
            return Err(ReceiptError::Subject { receipt: self.claims.sub.clone(), statement: sub.to_owned() });
        }
        let root = self.fold(leaf)?;
        key.verify(Algorithm::Es256, &sig_structure(&self.protected, root.as_bytes()), &self.signature)?;
        Ok(VerifiedReceipt { claims: self.claims.clone(), proof: self.proof.clone(), root })
    }
}

impl VerifiedReceipt {
    /// Returns the root hash that was signed.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// Binds the receipt to a checkpoint that the caller has verified: the one in [`Receipt::note`].
    ///
    /// "receipt size = note size, folded root = note root, receipt `iss` = note origin"
    ///
    /// # Errors
    ///
    /// Another size, root hash or origin is refused.
    pub fn bind(self, checkpoint: &Checkpoint) -> Result<BoundReceipt, ReceiptError> {
        let Self { claims, proof, root } = self;
        let issuer = ReceiptClaims::issuer(checkpoint.origin.as_str());
        if claims.iss != issuer {
            return Err(ReceiptError::Issuer { receipt: claims.iss, note: issuer });
        }
        if proof.size != checkpoint.size {
            return Err(ReceiptError::Size { receipt: proof.size, note: checkpoint.size });
        }
        if root != checkpoint.root {
            return Err(ReceiptError::Root { receipt: root, note: checkpoint.root });
        }
        Ok(BoundReceipt { index: proof.index, size: proof.size, root, iat: claims.iat })
    }
}

impl BoundReceipt {
    /// Returns the leaf index.
    #[must_use]
    pub const fn index(&self) -> LeafIndex {
        self.index
    }

    /// Returns the tree size.
    #[must_use]
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// Returns the root hash.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// Returns the commit time the log signed, in seconds.
    #[must_use]
    pub const fn iat(&self) -> i64 {
        self.iat
    }
}
