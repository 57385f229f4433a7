//! COSE (RFC 9052, RFC 9053): algorithms, keys, thumbprints, strict verification and deterministic signing.
//!
//! A [`PublicKey`] can only be made from bytes that were checked, so whoever has one may verify with it; a [`SigningKey`] signs the
//! same message to the same bytes every time, for this crate has no randomness.

mod algorithm;
mod header;
mod key;
mod pem;
mod sign1;
mod signing;

#[cfg(test)]
mod tests;

pub use algorithm::{Algorithm, Curve};
pub(crate) use header::HeaderMap;
pub use header::{HeaderError, Label};
pub use key::{KeyError, PublicKey, SignatureError};
pub(crate) use sign1::{Sign1, encode_sign1};
pub use sign1::{Sign1Error, sig_structure};
pub use signing::SigningKey;

/// Labels of COSE headers, keys and CWT claims that this crate gives a meaning to.
pub mod label {
    /// Header: the algorithm.
    pub const ALG: i64 = 1;
    /// Header: what must be understood. Refused everywhere.
    pub const CRIT: i64 = 2;
    /// Header: the content type.
    pub const CONTENT_TYPE: i64 = 3;
    /// Header: the key id.
    pub const KID: i64 = 4;
    /// Header: CWT claims (RFC 9597).
    pub const CWT_CLAIMS: i64 = 15;
    /// Header: a certificate chain (RFC 9360).
    pub const X5CHAIN: i64 = 33;
    /// Header: the hash algorithm of a hash envelope (RFC 9995).
    pub const PAYLOAD_HASH_ALG: i64 = 258;
    /// Header: the content type of what a hash envelope's payload is the digest of (RFC 9995).
    pub const PREIMAGE_CONTENT_TYPE: i64 = 259;
    /// Header: where that is (RFC 9995).
    pub const PAYLOAD_LOCATION: i64 = 260;
    /// Header: receipts (RFC 9942).
    pub const RECEIPTS: i64 = 394;
    /// Header: the verifiable data structure (RFC 9942).
    pub const VDS: i64 = 395;
    /// Header: proofs of the verifiable data structure (RFC 9942).
    pub const VDP: i64 = 396;
    /// Header, beside [`VDP`]: the checkpoint note a receipt carries.
    pub const CHECKPOINT: &str = "govlog.checkpoint";

    /// Claim: the issuer.
    pub const ISS: i64 = 1;
    /// Claim: the subject.
    pub const SUB: i64 = 2;
    /// Claim: the audience.
    pub const AUD: i64 = 3;
    /// Claim: issued at, seconds.
    pub const IAT: i64 = 6;

    /// Key: the type.
    pub const KTY: i64 = 1;
    /// Key: the key id.
    pub const KEY_ID: i64 = 2;
    /// Key: the algorithm.
    pub const KEY_ALG: i64 = 3;
    /// Key: the curve.
    pub const CRV: i64 = -1;
    /// Key: the x coordinate, or the public key.
    pub const X: i64 = -2;
    /// Key: the y coordinate.
    pub const Y: i64 = -3;
}
