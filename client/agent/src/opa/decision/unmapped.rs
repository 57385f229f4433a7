//! Why an event gives no record.

use govlog_formats::record::RecordError;

use crate::json::{JsonError, Kind};

/// The most bytes of text a field in clear may have: as an issuer and a subject.
pub const MAX_TEXT_BYTES: usize = govlog_formats::limits::MAX_SUBJECT_BYTES;

/// The most bytes of a record. An entry has 65,535 at most, and headers, a chain of certificates and a signature stand around it.
pub const MAX_PAYLOAD_BYTES: usize = 48 * 1024;

/// Why an event gives no record. Each says where, and none repeats what stands there: the reason of a quarantine is in clear for ever.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmapped {
    /// A value cannot be read.
    #[error("{at}: {problem}")]
    Json {
        /// The member, or the pointer.
        at: String,
        /// What is wrong there.
        problem: JsonError,
    },
    /// Nothing is there.
    #[error("{at}: missing, should be text")]
    Missing {
        /// The member, or the pointer.
        at: String,
    },
    /// Text is empty, or longer than what stands in clear; none is cut.
    #[error("{at}: text of {found} bytes, should be 1 to {MAX_TEXT_BYTES}")]
    Length {
        /// The member, or the pointer.
        at: String,
        /// How many bytes there are.
        found: usize,
    },
    /// The time is none.
    #[error("timestamp: no time of RFC 3339 between 1970 and 2200")]
    Timestamp,
    /// There is a result, but no boolean where it should be.
    #[error("{at}: {}, should be true or false", found.map_or_else(|| "missing".to_owned(), |kind| kind.to_string()))]
    NoDecision {
        /// The pointers that were followed.
        at: String,
        /// What the last of them leads to.
        found: Option<Kind>,
    },
    /// A subject is neither a URI nor a path, and its type is not known: no statement can be about it.
    #[error("{at}: the id has neither ':' nor '/' and no subject_type says what it is")]
    Subject {
        /// Where the subject's id is.
        at: String,
    },
    /// With the subject's type in front, a statement's `sub` is too long.
    #[error("{at}: with its type in front a subject of {found} bytes, should be at most {MAX_TEXT_BYTES}")]
    Sub {
        /// Where the subject's id is.
        at: String,
        /// How many bytes there are.
        found: usize,
    },
    /// The record is too long for an entry.
    #[error("a record of {0} bytes, should be at most {MAX_PAYLOAD_BYTES}")]
    Payload(usize),
    /// What was made is no record.
    #[error("the record: {0}")]
    Record(#[from] RecordError),
}
