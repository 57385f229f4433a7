//! Concise problem details (RFC 9290): why a request was refused.

#[cfg(test)]
mod tests;

use crate::cbor::{CborError, Encoder, Item, Rules, check};
use crate::cose::{HeaderError, HeaderMap};
use crate::digest::Digest;

/// The content type of [`Problem::encode`]'s bytes.
pub const CONTENT_TYPE: &str = "application/concise-problem-details+cbor";

/// The text key under which stands what RFC 9290 has no key for: its unsigned keys are for registered maps only.
const EXTENSION: &str = "urn:govlog:problem";

/// The most bytes of problem details that are read.
pub const MAX_PROBLEM_BYTES: usize = 64 * 1024;

const TITLE: i64 = -1;
const DETAIL: i64 = -2;
const SEQ: i64 = 1;
const PREV: i64 = 2;
const RETRY: i64 = 3;

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
    /// There are too many bytes.
    #[error("{0} bytes of problem details; at most {MAX_PROBLEM_BYTES} are read")]
    TooLarge(usize),
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The problem details are no map.
    #[error("problem details: {0}")]
    Header(#[from] HeaderError),
    /// A key is missing.
    #[error("problem details: key {0} is missing")]
    Missing(i64),
    /// A key holds something else than it must.
    #[error("problem details: offset {offset}: {field} must be {expected}")]
    Wrong {
        /// Which one.
        field: &'static str,
        /// Where the value begins.
        offset: usize,
        /// What it must be.
        expected: &'static str,
    },
}

impl Problem {
    /// Writes the map.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let extras = [self.seq.is_some(), self.prev.is_some(), self.retry_s.is_some()];
        let extras = extras.into_iter().filter(|there| *there).count();
        let mut out = Encoder::default();
        out.map(2 + usize::from(extras > 0)).int(TITLE).text(&self.title).int(DETAIL).text(&self.detail);
        if extras > 0 {
            out.text(EXTENSION).map(extras);
            encode_expected(&mut out, [SEQ, PREV, RETRY], self.seq, self.prev.as_ref(), self.retry_s);
        }
        out.into_vec()
    }

    /// Reads the map, its keys in any order; keys it does not know are passed over.
    ///
    /// # Errors
    ///
    /// [`ProblemError`] names the key that is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProblemError> {
        if bytes.len() > MAX_PROBLEM_BYTES {
            return Err(ProblemError::TooLarge(bytes.len()));
        }
        let map = HeaderMap::read(&check(bytes, Rules::Protected)?)?;
        let mut problem =
            Self { title: text(&map, TITLE, "-1 title")?, detail: text(&map, DETAIL, "-2 detail")?, ..Self::default() };
        if let Some(extension) = map.get_text(EXTENSION) {
            let extension = HeaderMap::read(&extension)?;
            let number = |label, field| {
                let read = |item: Item<'_>| item.as_u64().ok_or_else(|| wrong(&item, field, "an unsigned integer"));
                extension.get(label).map(read).transpose()
            };
            problem.seq = number(SEQ, "the expected seq")?;
            problem.retry_s = number(RETRY, "the seconds to wait")?;
            let prev = |item: Item<'_>| {
                let digest = item.as_bytes().and_then(Digest::from_slice);
                digest.ok_or_else(|| wrong(&item, "the expected prev", "a byte string of 32 bytes"))
            };
            problem.prev = extension.get(PREV).map(prev).transpose()?;
        }
        Ok(problem)
    }
}

/// Writes those that are there of expected seq, expected prev and seconds to wait, under the given keys.
pub(crate) fn encode_expected(
    out: &mut Encoder,
    [seq_key, prev_key, retry_key]: [i64; 3],
    seq: Option<u64>,
    prev: Option<&Digest>,
    retry_s: Option<u64>,
) {
    if let Some(seq) = seq {
        out.int(seq_key).uint(seq);
    }
    if let Some(prev) = prev {
        out.int(prev_key).bytes(prev.as_bytes());
    }
    if let Some(retry_s) = retry_s {
        out.int(retry_key).uint(retry_s);
    }
}

fn text(map: &HeaderMap<'_>, label: i64, field: &'static str) -> Result<String, ProblemError> {
    let item = map.get(label).ok_or(ProblemError::Missing(label))?;
    item.as_text().map(str::to_owned).ok_or_else(|| wrong(&item, field, "text"))
}

const fn wrong(item: &Item<'_>, field: &'static str, expected: &'static str) -> ProblemError {
    ProblemError::Wrong { field, offset: item.offset(), expected }
}
