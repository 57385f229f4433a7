//! Fields of the integrity plane's kinds: `stream`, `quarantine`.

use super::{optional, required};
use crate::record::schema::{Group, Shape};
use crate::record::stream::StreamOp;

/// Fields of `stream`.
pub(super) static STREAM: Group = Group {
    name: "stream",
    about: "a stream of statements says of itself that it begins, goes on or ends",
    fields: &[
        required("op", Shape::Closed(StreamOp::NAMES), ""),
        required("instance", Shape::Name, "the source's instance whose events the stream carries"),
        required("next_seq", Shape::Uint, "the position after this record's own"),
        optional(
            "predecessor",
            Shape::Name,
            "the stream this one continues, where the state of that one was lost or it was closed",
        ),
        optional(
            "counters",
            Shape::Map(&STREAM_COUNTERS),
            "since the last record of this stream that has counters; waiting: at this moment",
        ),
        optional("source_counters", Shape::Each(&Shape::Any), "the source's own, as it last reported them"),
        optional("head", Shape::Digest, "archived checkpoint note seen"),
        optional("reason", Shape::Text, "why it closed"),
    ],
};

static STREAM_COUNTERS: Group = Group {
    name: "stream-counters",
    about: "what became of the source's events, in numbers",
    fields: &[
        optional("received", Shape::Uint, ""),
        optional("emitted", Shape::Uint, ""),
        optional("duplicate", Shape::Uint, ""),
        optional("filtered", Shape::Uint, ""),
        optional("quarantined", Shape::Uint, ""),
        optional("waiting", Shape::Uint, ""),
        optional("dropped", Shape::Each(&Shape::Uint), "by reason"),
    ],
};

/// Fields of `quarantine`.
pub(super) static QUARANTINE: Group = Group {
    name: "quarantine",
    about: "an input that could not be mapped, or a statement that the log refused",
    fields: &[
        required("reason", Shape::Name, ""),
        required(
            "digest",
            Shape::Digest,
            "SHA-256 of the input that could not be mapped, or of the statement that was refused; sealed where it can be guessed",
        ),
        optional("size", Shape::Uint, "of the input, bytes"),
        optional("input", Shape::Bytes, "the input's exact bytes, sealed by default"),
        optional(
            "refused",
            Shape::Uint,
            "the HTTP status with which the log refused the statement that stood in this place",
        ),
    ],
};
