//! Why something that was read gives no record.

use crate::json::JsonError;
use crate::opa::decision::{MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES};

/// Why something that was read gives no record. Each says where, and none repeats what stands there: the reason of a quarantine is in clear
/// for ever.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Wrong {
    /// A value cannot be read.
    #[error("{at}: {problem}")]
    Json {
        /// The member.
        at: &'static str,
        /// What is wrong there.
        problem: JsonError,
    },
    /// Nothing is there.
    #[error("{0}: missing")]
    Missing(&'static str),
    /// Text is longer than what stands in clear; none is cut.
    #[error("{at}: {found} bytes, should be at most {MAX_TEXT_BYTES}")]
    Length {
        /// The member.
        at: &'static str,
        /// How many bytes there are.
        found: usize,
    },
    /// A value has not the form that SPIRE gives it.
    #[error("{at}: should be {should}")]
    Form {
        /// The member.
        at: &'static str,
        /// What would be right.
        should: &'static str,
    },
    /// A list has too many elements.
    #[error("{at}: {found} elements, should be at most {most}")]
    Elements {
        /// The member.
        at: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
    /// The record is too long for an entry.
    #[error("a record of {0} bytes, should be at most {MAX_PAYLOAD_BYTES}")]
    Payload(usize),
    /// What was made is no record: a mistake in this program.
    #[error("what was made of it is no {0}")]
    Record(&'static str),
    /// What stands in the outbox is of a version that is not known.
    #[error("a form that this version does not know")]
    Unknown,
}
