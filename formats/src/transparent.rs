//! Transparent statements: a signed statement with its receipts (RFC 9943 §7).

use crate::receipt::{Receipt, ReceiptError};
use crate::statement::{SignedStatement, StatementError};

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
    /// The statement itself is refused.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Label 394 is missing.
    #[error("the unprotected header has no receipts (label 394)")]
    NoReceipts,
}

impl TransparentStatement {
    /// Reads a transparent statement; its receipts are carried, not verified.
    ///
    /// # Errors
    ///
    /// [`TransparentError`] names the statement's fault, or the receipt's by its position.
    pub fn parse(bytes: &[u8]) -> Result<Self, TransparentError> {
        let _ = bytes;
        unimplemented!()
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
}

/// Writes an entry and its receipts as a transparent statement.
///
/// # Errors
///
/// Bytes that are no entry, no receipts, a repeated one and one that is no `COSE_Sign1` are refused.
pub fn assemble(entry: &[u8], receipts: &[Vec<u8>]) -> Result<Vec<u8>, TransparentError> {
    let _ = (entry, receipts);
    unimplemented!()
}
