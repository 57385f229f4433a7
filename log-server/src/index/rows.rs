//! The rows of the index, in fixed layouts. Integers are big-endian.
//!
//! A *segment* is a run of at most 65,536 entries, named by its first leaf index, its *base*; what is in it is told by the offset from there.
//!
//! | Key | Value |
//! |---|---|
//! | `b` ‖ base u64 | the times of each 256 entries: earliest u64 ‖ latest u64 |
//! | `s` ‖ base u64 | the segment itself, below |
//! | `t` ‖ posting 8 bytes ‖ base u64 | the offsets of the entries that have the term, u16 each, ascending |
//!
//! The segment's own row:
//!
//! | Offset | Length | What |
//! |---|---|---|
//! | 0 | 32 | digest of the rules: how entries are marked, and this layout |
//! | 32 | 32 | id of the store |
//! | 64 | 8 | index after its last entry |
//! | 72 | 8 | earliest time |
//! | 80 | 8 | latest time |
//! | 88 | 32 | leaf hash of its last entry |

use std::collections::BTreeSet;
use std::sync::LazyLock;

use govlog_formats::digest::Digest;
use govlog_formats::search::{self, Column, Marks, Term};

use super::fault::Fault;
use crate::store::StoreId;

/// Most entries of a segment: an offset has 16 bits.
pub(super) const SEGMENT_ENTRIES: u64 = 65_536;
/// Entries whose times are told together.
pub(super) const BLOCK: u64 = 256;

/// To be counted up with every change of the layout or of [`Posting::of`].
const LAYOUT: &[u8] = b"govlog index v1";

/// What stands for a term: the first bytes of a digest.
///
/// Two terms with one posting cost a look at entries that are then not answered. Whoever could make one on purpose could as well log entries
/// that have the term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Posting(pub(super) [u8; 8]);

impl Posting {
    /// Columns that hold the values of handles share their postings: a certificate's digest is one row, whichever of its columns is asked.
    pub(super) fn of(term: &Term) -> Self {
        let (domain, value) = match term.column() {
            Column::HANDLE => (HANDLES, term.value().split_once(':').map_or(term.value(), |(_, value)| value)),
            Column::CREDENTIAL | Column::DECISION | Column::ENTRY | Column::KEY | Column::POLICY => {
                (HANDLES, term.value())
            }
            column => (column.name(), term.value()),
        };
        let digest = Digest::sha256_of(&[domain.as_bytes(), b"=", value.as_bytes()]);
        let [a, b, c, d, e, f, g, h, ..] = *digest.as_bytes();
        Self([a, b, c, d, e, f, g, h])
    }

    /// All postings of an entry.
    pub(super) fn all(marks: &Marks) -> BTreeSet<Self> {
        marks.terms().iter().map(Self::of).collect()
    }
}

/// No column has this name.
const HANDLES: &str = "*";

/// A span of time, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) earliest_ms: u64,
    pub(super) latest_ms: u64,
}

impl Span {
    /// Contains nothing, and becomes what it is first joined with.
    pub(super) const NONE: Self = Self { earliest_ms: u64::MAX, latest_ms: 0 };

    pub(super) fn joined(self, other: Self) -> Self {
        Self { earliest_ms: self.earliest_ms.min(other.earliest_ms), latest_ms: self.latest_ms.max(other.latest_ms) }
    }

    fn parse(bytes: [u8; 16]) -> Self {
        let [a, b] = halves(bytes);
        Self { earliest_ms: a, latest_ms: b }
    }
}

/// A segment that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its first entry.
    pub(super) base: u64,
    /// The index after its last entry.
    pub(super) end: u64,
    /// The times of its entries.
    pub(super) times: Span,
    /// The leaf hash of its last entry.
    pub(super) last_leaf: Digest,
}

impl Segment {
    pub(super) fn encode(&self, store: &StoreId) -> Vec<u8> {
        let mut row = rules().as_bytes().to_vec();
        row.extend_from_slice(store.as_bytes());
        for number in [self.end, self.times.earliest_ms, self.times.latest_ms] {
            row.extend_from_slice(&number.to_be_bytes());
        }
        row.extend_from_slice(self.last_leaf.as_bytes());
        row
    }

    /// Reads a row that must be of this store and these rules.
    pub(super) fn decode(key: &[u8], row: &[u8], store: &StoreId) -> Result<Self, Fault> {
        let malformed = || Fault::row(key, "not a segment's row");
        let base = parse_base(key).ok_or_else(malformed)?;
        let (found, rest) = row.split_first_chunk::<32>().ok_or_else(malformed)?;
        if found != rules().as_bytes() {
            return Err(Fault::OtherRules);
        }
        let (found, rest) = rest.split_first_chunk::<32>().ok_or_else(malformed)?;
        let found = StoreId::from_bytes(*found);
        if found != *store {
            return Err(Fault::OtherStore { found, store: *store });
        }
        let (end, rest) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (times, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
        let last_leaf = Digest::from_slice(rest).ok_or_else(malformed)?;
        let end = u64::from_be_bytes(*end);
        if end <= base || end - base > SEGMENT_ENTRIES {
            return Err(malformed());
        }
        Ok(Self { base, end, times: Span::parse(*times), last_leaf })
    }
}

/// Names the rules by which this program makes an index.
fn rules() -> &'static Digest {
    static RULES: LazyLock<Digest> = LazyLock::new(|| Digest::sha256_of(&[LAYOUT, search::fingerprint().as_bytes()]));
    &RULES
}

pub(super) const BLOCKS: u8 = b'b';
pub(super) const SEGMENTS: u8 = b's';
const TERMS: u8 = b't';

/// The key of a segment's row or of its times.
pub(super) fn segment_key(kind: u8, base: u64) -> Vec<u8> {
    [&[kind][..], &base.to_be_bytes()].concat()
}

/// The key of a posting's offsets in a segment.
pub(super) fn posting_key(posting: Posting, base: u64) -> Vec<u8> {
    [&[TERMS][..], &posting.0, &base.to_be_bytes()].concat()
}

/// The base in a key, which stands at its end.
pub(super) fn parse_base(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|base| u64::from_be_bytes(*base))
}

pub(super) fn encode_blocks(blocks: &[Span]) -> Vec<u8> {
    blocks.iter().flat_map(|span| [span.earliest_ms.to_be_bytes(), span.latest_ms.to_be_bytes()]).flatten().collect()
}

pub(super) fn decode_blocks(key: &[u8], row: &[u8]) -> Result<Vec<Span>, Fault> {
    let (spans, rest) = row.as_chunks::<16>();
    if rest.is_empty() {
        Ok(spans.iter().map(|span| Span::parse(*span)).collect())
    } else {
        Err(Fault::row(key, "not the times of blocks"))
    }
}

pub(super) fn encode_offsets(offsets: &[u16]) -> Vec<u8> {
    offsets.iter().flat_map(|offset| offset.to_be_bytes()).collect()
}

pub(super) fn decode_offsets(key: &[u8], row: &[u8]) -> Result<Vec<u16>, Fault> {
    let (offsets, rest) = row.as_chunks::<2>();
    let offsets: Vec<u16> = offsets.iter().map(|offset| u16::from_be_bytes(*offset)).collect();
    if rest.is_empty() && !offsets.is_empty() && offsets.is_sorted_by(|one, two| one < two) {
        Ok(offsets)
    } else {
        Err(Fault::row(key, "not ascending offsets"))
    }
}

fn halves(bytes: [u8; 16]) -> [u64; 2] {
    let number = u128::from_be_bytes(bytes);
    let low = u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let high = u64::try_from(number >> 64).unwrap_or_default();
    [high, low]
}
