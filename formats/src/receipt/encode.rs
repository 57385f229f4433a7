//! Making receipts.

use super::{INCLUSION, MAX_NAME_BYTES, MAX_RECEIPT_BYTES, RFC9162_SHA256, ReceiptClaims, ReceiptError};
use crate::cbor::Encoder;
use crate::cose::label::{ALG, CHECKPOINT, CWT_CLAIMS, IAT, ISS, KID, SUB, VDP, VDS};
use crate::cose::{Curve, SigningKey, encode_sign1, sig_structure};
use crate::digest::Digest;
use crate::merkle::InclusionProof;

/// A signature over a root hash for one subject: one such signature serves every entry with that subject at that size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoot {
    protected: Vec<u8>,
    signature: Vec<u8>,
}

impl SignedRoot {
    /// Signs a root hash with a receipt key (P-256).
    ///
    /// # Errors
    ///
    /// A key of another curve, and an empty or overlong `iss` or `sub`, is refused.
    pub fn sign(key: &SigningKey, claims: &ReceiptClaims, root: &Digest) -> Result<Self, ReceiptError> {
        if key.curve() != Curve::P256 {
            return Err(ReceiptError::KeyCurve(key.curve()));
        }
        check_name("iss", &claims.iss)?;
        check_name("sub", &claims.sub)?;
        let protected = claims.protected(key);
        let signature = key.sign(&sig_structure(&protected, root.as_bytes()));
        Ok(Self { protected, signature })
    }

    /// Writes the receipt for one entry.
    ///
    /// The proof must lead to the root that was signed, and the note be of the proof's size: that is the caller's to know.
    ///
    /// # Errors
    ///
    /// A proof in a tree of size 1, one of the wrong shape, and a note that is too large are refused.
    pub fn receipt(&self, proof: &InclusionProof, note: &[u8]) -> Result<Vec<u8>, ReceiptError> {
        if proof.size.get() < 2 {
            return Err(ReceiptError::TooSmall(proof.size));
        }
        // Whether a path has the right length does not depend on the leaf.
        proof.fold(&Digest::ZERO)?;
        let mut unprotected = Encoder::default();
        unprotected.map(2).int(VDP).map(1).int(INCLUSION).array(1).bytes(&encode_proof(proof));
        unprotected.text(CHECKPOINT).bytes(note);
        let receipt = encode_sign1(&self.protected, &unprotected.into_vec(), None, &self.signature);
        match receipt.len() {
            bytes if bytes > MAX_RECEIPT_BYTES => Err(ReceiptError::TooLarge { bytes, most: MAX_RECEIPT_BYTES }),
            _ => Ok(receipt),
        }
    }
}

impl ReceiptClaims {
    /// Writes the protected header, labels ascending.
    fn protected(&self, key: &SigningKey) -> Vec<u8> {
        let mut out = Encoder::default();
        out.map(4).int(ALG).int(key.algorithm().label());
        out.int(KID).bytes(key.public().thumbprint().as_bytes());
        out.int(CWT_CLAIMS).map(3).int(ISS).text(&self.iss).int(SUB).text(&self.sub).int(IAT).int(self.iat);
        out.int(VDS).int(RFC9162_SHA256);
        out.into_vec()
    }
}

/// "inclusion-proof = bstr .cbor [ tree-size: uint, leaf-index: uint, inclusion-path: [ + bstr ] ]" (RFC 9942, `RFC9162_SHA256`)
fn encode_proof(proof: &InclusionProof) -> Vec<u8> {
    let mut out = Encoder::default();
    out.array(3).uint(proof.size.get()).uint(proof.index.get()).array(proof.path.len());
    for hash in &proof.path {
        out.bytes(hash.as_bytes());
    }
    out.into_vec()
}

const fn check_name(field: &'static str, name: &str) -> Result<(), ReceiptError> {
    match name.len() {
        1..=MAX_NAME_BYTES => Ok(()),
        bytes => Err(ReceiptError::Name { field, bytes, most: MAX_NAME_BYTES }),
    }
}
