//! Handles: digests and names by which records of one credential find each other.

use serde_json::{Map, Value as Json};

/// Why no handle can be taken from bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// There is no certificate in the PEM text.
    #[error("no CERTIFICATE block: {0}")]
    NoCertificate(String),
}

/// Finds the leaf, the first certificate, in PEM text, and gives its DER bytes.
///
/// # Errors
///
/// There is none, or its base64 is wrong.
pub fn certificate_from_pem(pem: &[u8]) -> Result<Vec<u8>, HandleError> {
    let _ = pem;
    unimplemented!()
}

/// Gives what a certificate proves of an issuance, as a view: `v`, `credential_type`, `subject`, `not_before_ms`, `not_after_ms`, `handles`.
///
/// `stage` and `event_ms` are the submitter's to say. Merge with [`super::view::fill`].
///
/// # Errors
///
/// Not a DER certificate, or not exactly one URI among its names.
pub fn issuance_from_certificate(der: &[u8]) -> Result<Map<String, Json>, HandleError> {
    let _ = der;
    unimplemented!()
}
