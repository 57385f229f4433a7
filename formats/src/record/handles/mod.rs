//! Handles: digests and names by which records of one credential find each other.
//!
//! Whether a credential was logged is answered on `tbs_s256` and `jws_input_s256`: certificates and tokens signed with ECDSA can be signed
//! again into other bytes by anyone. The other handles only join with other protocols. Nothing here verifies a signature.

mod authority;
mod certificate;
mod jwk;
mod pem;
mod token;

pub use authority::AuthorityHandles;
pub use certificate::{CertificateHandles, certificate_spki, is_spiffe_id, issuance_from_certificate};
pub(crate) use certificate::{Parts, uris};
pub use jwk::{jwk_spki, jwk_thumbprint, key_handles, spki_thumbprint};
pub use pem::{certificate_from_pem, certificates_from_pem, public_key_from_pem};
pub use token::TokenHandles;

/// How many bytes a certificate, a token or a key may have.
pub const MAX_BYTES: usize = 65_535;

/// Why no handles can be taken from bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandleError {
    /// Longer than any certificate, token or key should be.
    #[error("{0} bytes, should be at most {MAX_BYTES}")]
    TooLong(usize),
    /// There is no certificate in the PEM text; the labels of what is there instead.
    #[error("no certificate: PEM text with the line -----BEGIN CERTIFICATE----- is needed, found {}", labels(.0))]
    NoCertificate(Vec<String>),
    /// There is no public key in the PEM text; the labels of what is there instead.
    #[error("no public key: PEM text with the line -----BEGIN PUBLIC KEY----- is needed, found {}", labels(.0))]
    NoPublicKey(Vec<String>),
    /// A PEM block is cut off, or its base64 is wrong.
    #[error("the PEM block at line {line} is broken: {why}")]
    Pem {
        /// Where the block begins, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// The bytes are no X.509 certificate in DER.
    #[error("not an X.509 certificate in DER: {0}")]
    Certificate(String),
    /// The certificate names more than one URI.
    #[error("{0} URIs among the certificate's names, should be one (X509-SVID §2)")]
    Uris(usize),
    /// The URI is no SPIFFE ID of a workload.
    #[error("{0:?} is not a SPIFFE ID with a path, spiffe://<trust domain>/<path>")]
    SpiffeId(String),
    /// The token has not three parts.
    #[error("{0} parts between dots, a compact JWS has 3")]
    Parts(usize),
    /// A part of the token is no base64url.
    #[error("the token's {part} is not base64url without padding")]
    Part {
        /// `header`, `payload` or `signature`.
        part: &'static str,
    },
    /// A part of the token, or a key, is no JSON object.
    #[error("{part}: {why}")]
    Json {
        /// What was read.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A member is missing or has the wrong form.
    #[error("{member}: {expected} is needed")]
    Member {
        /// The member's name.
        member: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A thumbprint is not defined for this type of key.
    #[error("a key of type {0:?}: thumbprints are made of EC, OKP and RSA keys")]
    KeyType(String),
}

fn labels(found: &[String]) -> String {
    if found.is_empty() { "none".to_owned() } else { found.join(", ") }
}

fn bounded(bytes: &[u8]) -> Result<(), HandleError> {
    if bytes.len() > MAX_BYTES { Err(HandleError::TooLong(bytes.len())) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
