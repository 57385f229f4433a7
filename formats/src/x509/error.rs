//! What can be wrong with a chain of certificates.

/// Why a certificate is not used, whoever signed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Longer than any certificate of a chain should be.
    #[error("it has {bytes} bytes; at most {} are allowed", super::MAX_CERTIFICATE_BYTES)]
    TooLong {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The bytes are no certificate.
    #[error("it is not an X.509 certificate in DER: {0}")]
    Der(String),
    /// The key or the signature is of a kind that this version does not verify.
    #[error("{0}; ECDSA on P-256 with SHA-256, ECDSA on P-384 with SHA-384 and Ed25519 are")]
    Algorithm(String),
    /// An extension says something that this version does not understand, and that must not be passed over.
    #[error("its extension {0} is not understood here")]
    Extension(String),
    /// A rule for its place is broken.
    #[error("{0}")]
    Rule(String),
}

/// Why a chain is not one of a workload under the trust anchors of a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// More certificates than a chain should have, or none.
    #[error("{certificates} certificates; a chain has 1 to {}", super::MAX_CERTIFICATES)]
    Length {
        /// How many there are.
        certificates: usize,
    },
    /// One of the certificates is not used, whatever stands around it.
    #[error("certificate {position} (the leaf is 1): {error}")]
    Certificate {
        /// Which one, counted from 1.
        position: usize,
        /// What is wrong with it.
        error: CertificateError,
    },
    /// A certificate was not signed by the next one.
    #[error("certificate {position} (the leaf is 1) was not signed by the one after it: {why}")]
    Order {
        /// The certificate, counted from 1.
        position: usize,
        /// What shows that.
        why: &'static str,
    },
    /// A certificate is not valid at the time in question.
    #[error(
        "certificate {position} (the leaf is 1) is valid from {not_before} to {not_after}, and not at {at} (POSIX seconds)"
    )]
    Time {
        /// Which one, counted from 1.
        position: usize,
        /// The first second, POSIX.
        not_before: i64,
        /// The last second, POSIX.
        not_after: i64,
        /// The time in question, POSIX seconds.
        at: i64,
    },
    /// No trust anchor has signed the last certificate.
    #[error("no trust anchor in force has signed it: {why}")]
    Anchor {
        /// What was tried.
        why: String,
    },
}

impl ChainError {
    /// Says whether a later version may judge otherwise, since this one does not understand all of it.
    #[must_use]
    pub const fn is_unsupported(&self) -> bool {
        matches!(self, Self::Certificate { error: CertificateError::Algorithm(_) | CertificateError::Extension(_), .. })
    }
}
