//! Results of a batch of submissions, one CBOR map each.

use crate::cbor::CborError;
use crate::digest::Digest;
use crate::entry_id::EntryId;

/// The content type of a batch and of its answer.
pub const CONTENT_TYPE: &str = "application/cbor-seq";

/// What became of one statement of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// The HTTP status the statement alone would get (key 1).
    pub status: u16,
    /// The entry id (key 2).
    pub id: Option<EntryId>,
    /// The `tlog-proof` file (key 3).
    pub proof: Option<Vec<u8>>,
    /// The sequence number the stream expects (key 4).
    pub seq: Option<u64>,
    /// The `prev` the stream expects (key 5).
    pub prev: Option<Digest>,
    /// After how many seconds to try again (key 6).
    pub retry_s: Option<u64>,
    /// What kind of refusal it is (key −1).
    pub title: Option<String>,
    /// What was wrong and what would be right (key −2).
    pub detail: Option<String>,
}

/// Why bytes are not the answer to a batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

impl BatchResult {
    /// Writes the map.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Reads one map; keys it does not know are passed over.
    ///
    /// # Errors
    ///
    /// [`BatchError`] names the key that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let _ = bytes;
        unimplemented!()
    }
}

/// Reads a whole answer: a CBOR sequence of at most [`crate::limits::MAX_BATCH_STATEMENTS`] results.
///
/// # Errors
///
/// As [`BatchResult::parse`]; and when there are too many.
pub fn parse_results(bytes: &[u8]) -> Result<Vec<BatchResult>, BatchError> {
    let _ = bytes;
    unimplemented!()
}
