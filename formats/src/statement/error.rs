//! What can be wrong with a statement.

use core::fmt;

use crate::cbor::CborError;
use crate::cose::{HeaderError, Label, Sign1Error, SignatureError};
use crate::digest::Digest;

/// Why bytes are not a signed statement that a log could admit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The statement is too large.
    #[error("{bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// How many bytes it has; an entry's are counted with the empty unprotected header.
        bytes: usize,
        /// How many it may have.
        most: usize,
    },
    /// The bytes are not a tagged `COSE_Sign1` in deterministic encoding.
    #[error(transparent)]
    Envelope(#[from] Sign1Error),
    /// The payload is detached.
    #[error("the payload is detached (nil); the bytes must stand in the statement")]
    Detached,
    /// The unprotected header of an entry is not the empty map.
    #[error("the unprotected header of an entry must be the empty map (a0)")]
    UnprotectedNotEmpty,
    /// A label stands in both headers.
    #[error("label {0} stands in the protected and in the unprotected header; it may stand in one")]
    LabelTwice(Label),
    /// A label may only stand in the protected header.
    #[error("label {0} may not stand in the unprotected header")]
    LabelUnprotected(Label),
    /// A header holds `crit`.
    #[error("2 crit is not accepted: nothing here extends what a statement means")]
    Crit,
    /// The algorithm is not accepted.
    #[error(
        "1 alg: {0} is not accepted; -7 (ES256), -8 (EdDSA), -9 (ESP256), -19 (Ed25519), -35 (ES384) and -51 (ESP384) are"
    )]
    Algorithm(String),
    /// A field is missing.
    #[error("{field} is missing; it must be {}", field.rule())]
    Missing {
        /// Which field.
        field: Field,
    },
    /// A field holds something else than it must.
    #[error("offset {offset}: {field} must be {}", field.rule())]
    Wrong {
        /// Which field.
        field: Field,
        /// Where its value begins.
        offset: usize,
    },
    /// The claims are no map of labels.
    #[error("15 CWT claims: {0}")]
    Claims(#[from] HeaderError),
    /// Not exactly one of `kid` and `x5chain` stands in the protected header.
    #[error("exactly one of 4 kid and 33 x5chain must stand in the protected header; {0} do")]
    Signer(u8),
    /// Not exactly one of content type and hash algorithm stands in the protected header.
    #[error("exactly one of 3 content type and 258 payload hash algorithm must stand in the protected header; {0} do")]
    Content(u8),
    /// A label of the hash envelope stands without label 258.
    #[error("{0} may only stand beside 258 payload hash algorithm")]
    NoEnvelope(Field),
    /// Some but not all of `stream`, `seq` and `prev` are there.
    #[error("claims stream, seq and prev must stand together or not at all; {0} is missing")]
    PartialStream(Field),
    /// A stream position without the log it is meant for.
    #[error("claim 3 aud, the log's origin, must stand beside stream, seq and prev")]
    StreamWithoutAudience,
    /// The payload of a hash envelope is not a SHA-256 digest.
    #[error("offset {offset}: the payload of a hash envelope must be a 32-byte digest, not {bytes} bytes")]
    EnvelopePayload {
        /// Where the payload begins.
        offset: usize,
        /// How many bytes it has.
        bytes: usize,
    },
    /// The payload of a record kind is not deterministic CBOR.
    #[error("payload: {0}")]
    Payload(#[from] CborError),
    /// The payload of a record kind is no map.
    #[error("offset {0}: the payload of a record must be a map")]
    RecordNotMap(usize),
    /// The record has a key that is not text.
    #[error("offset {0}: the top-level keys of a record must be text")]
    RecordKey(usize),
    /// The record has no schema version, or another than 1.
    #[error("the record's key \"v\" must be there and hold the integer 1")]
    RecordVersion,
}

/// Why a statement's signature was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key is not the one the header names.
    #[error("the header names key {named}, not {given}")]
    OtherKey {
        /// The thumbprint in the header.
        named: Digest,
        /// The thumbprint of the key that was given.
        given: Digest,
    },
    /// The signature does not verify.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// A field of the protected header that has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Label 1.
    Alg,
    /// Label 3.
    ContentType,
    /// Label 4.
    Kid,
    /// Label 15.
    CwtClaims,
    /// Label 33.
    X5chain,
    /// Label 258.
    PayloadHashAlg,
    /// Label 259.
    PreimageContentType,
    /// Label 260.
    PayloadLocation,
    /// Claim 1.
    Iss,
    /// Claim 2.
    Sub,
    /// Claim 3.
    Aud,
    /// Claim 6.
    Iat,
    /// Claim `stream`.
    Stream,
    /// Claim `seq`.
    Seq,
    /// Claim `prev`.
    Prev,
    /// Claim `head`.
    Head,
}

impl Field {
    /// Says what the field must hold.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Alg => "the integer of an algorithm",
            Self::ContentType | Self::PreimageContentType => "the content type as text",
            Self::Kid => "a byte string of 32 bytes, the key's thumbprint",
            Self::CwtClaims => "a map with at least the claims 1 iss, 2 sub and 6 iat",
            Self::X5chain => "a certificate as a byte string, or an array of at least two",
            Self::PayloadHashAlg => "-16 (SHA-256)",
            Self::PayloadLocation | Self::Aud => "text",
            Self::Iss | Self::Sub => "text of 1 to 2,048 bytes",
            Self::Iat => "an integer of 64 bits, seconds",
            Self::Stream => "text of 1 to 255 characters out of A-Z a-z 0-9 . _ -",
            Self::Seq => "an integer from 0 and below 2^63",
            Self::Prev | Self::Head => "a byte string of 32 bytes, a SHA-256 digest",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alg => "1 alg",
            Self::ContentType => "3 content type",
            Self::Kid => "4 kid",
            Self::CwtClaims => "15 CWT claims",
            Self::X5chain => "33 x5chain",
            Self::PayloadHashAlg => "258 payload hash algorithm",
            Self::PreimageContentType => "259 preimage content type",
            Self::PayloadLocation => "260 payload location",
            Self::Iss => "claim 1 iss",
            Self::Sub => "claim 2 sub",
            Self::Aud => "claim 3 aud",
            Self::Iat => "claim 6 iat",
            Self::Stream => "claim stream",
            Self::Seq => "claim seq",
            Self::Prev => "claim prev",
            Self::Head => "claim head",
        })
    }
}
