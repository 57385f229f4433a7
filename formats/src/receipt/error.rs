//! What can be wrong with a receipt.

use crate::cbor::CborError;
use crate::cose::{Curve, HeaderError, Label, Sign1Error, SignatureError};
use crate::digest::Digest;
use crate::merkle::{ProofError, TreeSize};

/// Why a receipt was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The receipt is too large.
    #[error("the receipt has {bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// The bytes are not a tagged `COSE_Sign1` in deterministic encoding.
    #[error("receipt: {0}")]
    Envelope(#[from] Sign1Error),
    /// The payload is attached.
    #[error("offset {0}: the payload of a receipt must be detached (nil)")]
    Attached(usize),
    /// A field of the protected or unprotected header is missing.
    #[error("receipt: {field} is missing; it must be {expected}")]
    Missing {
        /// Which field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A field holds something else than it must.
    #[error("receipt: offset {offset}: {field} must be {expected}")]
    Wrong {
        /// Which field.
        field: &'static str,
        /// Where its value begins.
        offset: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// A label that a receipt does not have.
    #[error("receipt: label {label} may not stand in {place}")]
    Unexpected {
        /// The label.
        label: Label,
        /// Where it stands.
        place: &'static str,
    },
    /// A header or the claims are no map of labels.
    #[error("receipt: {0}")]
    Header(#[from] HeaderError),
    /// The proof is not deterministic CBOR.
    #[error("receipt: inclusion proof: {0}")]
    ProofBytes(#[from] CborError),
    /// A tree of size 1 has no path, and a receipt needs one.
    #[error("no receipt at tree size {0}: a path has at least one hash, so the tree at least two leaves")]
    TooSmall(TreeSize),
    /// The proof has the wrong shape.
    #[error("receipt: {0}")]
    Proof(#[from] ProofError),
    /// A receipt key is not P-256.
    #[error("a receipt key must be on P-256, and this one is on {0}")]
    KeyCurve(Curve),
    /// A name is too long or empty.
    #[error("{field} of a receipt must be text of 1 to {most} bytes, not {bytes}")]
    Name {
        /// Which claim.
        field: &'static str,
        /// How many bytes it has.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// The key is not the one the receipt names.
    #[error("the receipt names key {named}, not {given}")]
    OtherKey {
        /// The thumbprint in the receipt.
        named: Digest,
        /// The thumbprint of the key that was given.
        given: Digest,
    },
    /// The receipt is about another subject.
    #[error("the receipt is about {receipt:?}, the statement about {statement:?}")]
    Subject {
        /// The receipt's `sub`.
        receipt: String,
        /// The statement's `sub`.
        statement: String,
    },
    /// The signature does not verify over the root that the proof leads to.
    #[error("receipt: {0}")]
    Signature(#[from] SignatureError),
    /// The receipt's issuer is not the origin of the note.
    #[error("the receipt's issuer is {receipt:?}; its note's origin makes it {note:?}")]
    Issuer {
        /// The receipt's `iss`.
        receipt: String,
        /// `https://<origin>` of the note.
        note: String,
    },
    /// The receipt's tree size is not that of the note: it was re-labelled.
    #[error("the receipt says tree size {receipt}, its note {note}")]
    Size {
        /// The receipt's size.
        receipt: TreeSize,
        /// The note's size.
        note: TreeSize,
    },
    /// The proof does not lead to the root hash of the note.
    #[error("the receipt leads to root hash {receipt}, its note has {note}")]
    Root {
        /// The root the proof leads to.
        receipt: Digest,
        /// The note's root.
        note: Digest,
    },
}
