//! Certificate chains that statements are signed with: X.509-SVIDs under the trust anchors of an issuer's row.
//!
//! **In scope**: RFC 5280 §6.1 for the chains that SPIFFE issues (leaf first, each certificate signed by the next, the last one by an anchor), the
//! rules that X509-SVID puts on leaves and on those that sign them, at a time that the caller names: for a statement its `iat`, so that whoever
//! replays a log judges as its door did. **Out of scope**: building paths (the order given is the order judged), revocation (a `revocation`
//! record is judged by verifiers), and what nobody puts into SVIDs: RSA, policies, constraints of names. Those are refused by name, for what is
//! not understood must not be passed over.
//!
//! Trust: whoever holds the key of an anchor speaks for every SPIFFE ID of the row that lists it.

mod anchored;
mod certificate;
mod chain;
mod error;

#[cfg(test)]
pub(crate) mod tests;

pub use anchored::Anchored;
pub use certificate::Anchor;
pub use chain::Chain;
pub use error::{CertificateError, ChainError};

/// How many certificates a chain may have. SPIRE's nested servers need three or four.
pub const MAX_CERTIFICATES: usize = 8;

/// How many bytes one certificate may have. An SVID has some 600; each statement carries its chain.
pub const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;
