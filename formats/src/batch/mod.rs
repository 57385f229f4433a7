//! Results of a batch of submissions, one CBOR map each.

#[cfg(test)]
mod tests;

use crate::cbor::{CborError, Encoder, Item, Rules, check, split_sequence};
use crate::cose::{HeaderError, HeaderMap};
use crate::digest::Digest;
use crate::entry_id::EntryId;
use crate::limits::{MAX_BATCH_BYTES, MAX_BATCH_STATEMENTS};
use crate::problem::encode_expected;

/// The content type of a batch and of its answer.
pub const CONTENT_TYPE: &str = "application/cbor-seq";

const STATUS: i64 = 1;
const ID: i64 = 2;
const PROOF: i64 = 3;
const SEQ: i64 = 4;
const PREV: i64 = 5;
const RETRY: i64 = 6;
const TITLE: i64 = -1;
const DETAIL: i64 = -2;

/// What became of one statement of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchResult {
    /// The HTTP status the statement alone would get; 201 with the proof, 303 when the wait ran out (key 1).
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

/// Why bytes are not a batch, or the answer to one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// There are too many bytes.
    #[error("{0} bytes; at most {MAX_BATCH_BYTES} are allowed in a batch")]
    TooLarge(usize),
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// A result is no map.
    #[error("batch result: {0}")]
    Header(#[from] HeaderError),
    /// A result has no status.
    #[error("batch result: key 1, the status, is missing")]
    NoStatus,
    /// A key holds something else than it must.
    #[error("batch result: offset {offset}: {field} must be {expected}")]
    Wrong {
        /// Which one.
        field: &'static str,
        /// Where the value begins.
        offset: usize,
        /// What it must be.
        expected: &'static str,
    },
}

impl BatchResult {
    /// Writes the map.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let optional = [
            self.id.is_some(),
            self.proof.is_some(),
            self.seq.is_some(),
            self.prev.is_some(),
            self.retry_s.is_some(),
            self.title.is_some(),
            self.detail.is_some(),
        ];
        let mut out = Encoder::default();
        out.map(1 + optional.into_iter().filter(|there| *there).count()).int(STATUS).uint(self.status.into());
        if let Some(id) = &self.id {
            out.int(ID).text(&id.to_string());
        }
        if let Some(proof) = &self.proof {
            out.int(PROOF).bytes(proof);
        }
        encode_expected(&mut out, [SEQ, PREV, RETRY], self.seq, self.prev.as_ref(), self.retry_s);
        if let Some(title) = &self.title {
            out.int(TITLE).text(title);
        }
        if let Some(detail) = &self.detail {
            out.int(DETAIL).text(detail);
        }
        out.into_vec()
    }

    /// Reads one map, its keys in any order; keys it does not know are passed over.
    ///
    /// # Errors
    ///
    /// [`BatchError`] names the key that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let map = HeaderMap::read(&check(bytes, Rules::Protected)?)?;
        let fields = Fields(&map);
        let status = fields.get(STATUS, "1 status", "an HTTP status", |item| {
            item.as_u64().and_then(|status| u16::try_from(status).ok()).filter(|status| (100..600).contains(status))
        })?;
        let text = |item: &Item<'_>| item.as_text().map(str::to_owned);
        Ok(Self {
            status: status.ok_or(BatchError::NoStatus)?,
            id: fields.get(ID, "2 id", "an entry id", |item| item.as_text()?.parse().ok())?,
            proof: fields.get(PROOF, "3 tlog-proof", "a byte string", |item| item.as_bytes().map(<[u8]>::to_vec))?,
            seq: fields.get(SEQ, "4 expected seq", "an unsigned integer", Item::as_u64)?,
            prev: fields.get(PREV, "5 expected prev", "32 bytes", |item| Digest::from_slice(item.as_bytes()?))?,
            retry_s: fields.get(RETRY, "6 retry after", "an unsigned integer", Item::as_u64)?,
            title: fields.get(TITLE, "-1 title", "text", text)?,
            detail: fields.get(DETAIL, "-2 detail", "text", text)?,
        })
    }
}

/// Frames a batch: a CBOR sequence of statements, each well-formed to the depth limit and no more.
///
/// # Errors
///
/// Too many bytes or items are [`BatchError::TooLarge`] and [`crate::cbor::CborFault::TooManyItems`]; all else names the offset.
pub fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, BatchError> {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(BatchError::TooLarge(bytes.len()));
    }
    Ok(split_sequence(bytes, MAX_BATCH_STATEMENTS)?)
}

/// Writes a whole answer: the results in order.
#[must_use]
pub fn encode_results(results: &[BatchResult]) -> Vec<u8> {
    results.iter().flat_map(BatchResult::encode).collect()
}

/// Reads a whole answer: a CBOR sequence of at most [`MAX_BATCH_STATEMENTS`] results.
///
/// # Errors
///
/// As [`BatchResult::parse`]; and when there are too many. How many bytes are read is the caller's to bound.
pub fn parse_results(bytes: &[u8]) -> Result<Vec<BatchResult>, BatchError> {
    split_sequence(bytes, MAX_BATCH_STATEMENTS)?.into_iter().map(BatchResult::parse).collect()
}

struct Fields<'a, 'b>(&'b HeaderMap<'a>);

impl<'a> Fields<'a, '_> {
    fn get<T>(
        &self,
        label: i64,
        field: &'static str,
        expected: &'static str,
        read: impl Fn(&Item<'a>) -> Option<T>,
    ) -> Result<Option<T>, BatchError> {
        let Some(item) = self.0.get(label) else { return Ok(None) };
        read(&item).map(Some).ok_or(BatchError::Wrong { field, offset: item.offset(), expected })
    }
}
