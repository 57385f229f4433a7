//! Concise problem details (RFC 9290): why a request was refused.

use crate::cbor::CborError;
use crate::digest::Digest;

/// The content type of [`Problem::encode`]'s bytes.
pub const CONTENT_TYPE: &str = "application/concise-problem-details+cbor";

/// A refusal as SCRAPI routes send it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// What kind of refusal it is (key −1).
    pub title: String,
    /// What was wrong and what would be right (key −2).
    pub detail: String,
    /// The sequence number the stream expects (`urn:govlog:problem`, key 1).
    pub seq: Option<u64>,
    /// The `prev` the stream expects (`urn:govlog:problem`, key 2).
    pub prev: Option<Digest>,
    /// After how many seconds to try again (`urn:govlog:problem`, key 3).
    pub retry_s: Option<u64>,
}

/// Why bytes are not problem details.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

impl Problem {
    /// Writes the map.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Reads the map; keys it does not know are passed over.
    ///
    /// # Errors
    ///
    /// [`ProblemError`] names the key that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProblemError> {
        let _ = bytes;
        unimplemented!()
    }
}
