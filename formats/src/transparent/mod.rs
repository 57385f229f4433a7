//! Transparent statements: a signed statement with its receipts (RFC 9943 §7).

mod element;

#[cfg(test)]
mod tests;

use crate::cbor::{Encoder, Rules};
use crate::cose::label::RECEIPTS;
use crate::cose::{Sign1, Sign1Error, encode_sign1};
use crate::receipt::{Receipt, ReceiptError};
use crate::statement::{SignedStatement, StatementError};

/// The most bytes a transparent statement may have: an entry and a few receipts with large notes.
pub const MAX_TRANSPARENT_BYTES: usize = 1024 * 1024;

/// A signed statement with the receipts in its unprotected header (label 394).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransparentStatement {
    statement: SignedStatement,
    receipts: Vec<AttachedReceipt>,
}

/// A receipt as it stands in label 394: a tagged `COSE_Sign1` with a protected `kid`, ours or another service's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachedReceipt {
    bytes: Vec<u8>,
    kid: Vec<u8>,
}

/// Why bytes are not a transparent statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransparentError {
    /// The bytes are too many.
    #[error("{bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many there may be.
        most: usize,
    },
    /// The statement itself is refused.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The bytes are not a tagged `COSE_Sign1` in deterministic encoding.
    #[error(transparent)]
    Envelope(#[from] Sign1Error),
    /// There are no receipts.
    #[error("no receipts: the unprotected header must hold label 394, an array of at least one byte string")]
    NoReceipts,
    /// Label 394 holds no array.
    #[error("offset {0}: label 394 must hold an array of byte strings, each the bytes of one receipt")]
    NotArray(usize),
    /// A receipt stands in the array itself, not inside a byte string.
    #[error("offset {offset}: receipt {position} is written inline; it must be wrapped in a byte string (bstr .cbor)")]
    Inline {
        /// Which receipt, counted from 0.
        position: usize,
        /// Where it begins.
        offset: usize,
    },
    /// An element of the array is no byte string.
    #[error("offset {offset}: element {position} of label 394 must be a byte string, the bytes of one receipt")]
    NotBytes {
        /// Which element, counted from 0.
        position: usize,
        /// Where it begins.
        offset: usize,
    },
    /// An element is no receipt of anyone.
    #[error("receipt {position} is no tagged COSE_Sign1 with a protected kid: {why}")]
    NotReceipt {
        /// Which receipt, counted from 0.
        position: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A receipt stands twice.
    #[error("receipt {0} stands there twice")]
    Repeated(usize),
}

impl TransparentStatement {
    /// Reads a transparent statement; its receipts are carried, not verified.
    ///
    /// # Errors
    ///
    /// [`TransparentError`] names the statement's fault, or the receipt's by its position.
    pub fn parse(bytes: &[u8]) -> Result<Self, TransparentError> {
        check_size(bytes)?;
        let statement = SignedStatement::parse_within(bytes, MAX_TRANSPARENT_BYTES)?;
        let parts = Sign1::read(bytes, Rules::Protected)?;
        let list = parts.unprotected_map.get(RECEIPTS).ok_or(TransparentError::NoReceipts)?;
        let items = list.as_array().ok_or(TransparentError::NotArray(list.offset()))?;
        if items.is_empty() {
            return Err(TransparentError::NoReceipts);
        }
        let receipts = items.iter().enumerate().map(|(position, item)| match item.as_bytes() {
            Some(bytes) => Ok((position, bytes)),
            None if item.as_tag().is_some() || item.as_array().is_some() => {
                Err(TransparentError::Inline { position, offset: item.offset() })
            }
            None => Err(TransparentError::NotBytes { position, offset: item.offset() }),
        });
        Ok(Self { statement, receipts: distinct(receipts)? })
    }

    /// Returns the signed statement, as it is logged.
    #[must_use]
    pub const fn statement(&self) -> &SignedStatement {
        &self.statement
    }

    /// Returns the receipts, in the order they stand.
    #[must_use]
    pub fn receipts(&self) -> &[AttachedReceipt] {
        &self.receipts
    }
}

impl AttachedReceipt {
    /// Returns the receipt's bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the key id: a thumbprint for receipts of ours, any bytes for others.
    #[must_use]
    pub fn kid(&self) -> &[u8] {
        &self.kid
    }

    /// Reads it as a receipt of ours: must succeed if its `kid` is a receipt key in force.
    ///
    /// # Errors
    ///
    /// As [`Receipt::parse`].
    pub fn parse(&self) -> Result<Receipt, ReceiptError> {
        Receipt::parse(&self.bytes)
    }

    fn read(position: usize, bytes: &[u8]) -> Result<Self, TransparentError> {
        let kid = element::kid(bytes).map_err(|why| TransparentError::NotReceipt { position, why })?;
        Ok(Self { bytes: bytes.to_vec(), kid })
    }
}

/// Writes an entry and its receipts as a transparent statement.
///
/// # Errors
///
/// Bytes that are no entry, no receipts, a repeated one and one that is no `COSE_Sign1` are refused.
pub fn assemble(entry: &[u8], receipts: &[Vec<u8>]) -> Result<Vec<u8>, TransparentError> {
    let statement = SignedStatement::parse_entry(entry)?;
    if receipts.is_empty() {
        return Err(TransparentError::NoReceipts);
    }
    let receipts = distinct(receipts.iter().map(Vec::as_slice).enumerate().map(Ok))?;
    let mut unprotected = Encoder::default();
    unprotected.map(1).int(RECEIPTS).array(receipts.len());
    for receipt in &receipts {
        unprotected.bytes(receipt.bytes());
    }
    let unprotected = unprotected.into_vec();
    let bytes = encode_sign1(statement.protected(), &unprotected, Some(statement.payload()), statement.signature());
    check_size(&bytes)?;
    Ok(bytes)
}

fn check_size(bytes: &[u8]) -> Result<(), TransparentError> {
    match bytes.len() {
        bytes if bytes > MAX_TRANSPARENT_BYTES => {
            Err(TransparentError::TooLarge { bytes, most: MAX_TRANSPARENT_BYTES })
        }
        _ => Ok(()),
    }
}

/// Reads receipts one after the other and refuses a repeated one.
fn distinct<'a>(
    receipts: impl Iterator<Item = Result<(usize, &'a [u8]), TransparentError>>,
) -> Result<Vec<AttachedReceipt>, TransparentError> {
    let mut seen = std::collections::BTreeSet::new();
    let receipts = receipts.map(|receipt| {
        let (position, bytes) = receipt?;
        if seen.insert(bytes) {
            AttachedReceipt::read(position, bytes)
        } else {
            Err(TransparentError::Repeated(position))
        }
    });
    receipts.collect()
}
