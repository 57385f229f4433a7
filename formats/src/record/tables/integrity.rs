//! Fields of the integrity plane's kinds: `stream`, `gap`, `quarantine`, `redaction`, `finding`, `custody`, `anchor`.

use super::common::{LINK_TARGET, LOG_HEAD, LOG_REF, SCHEME_DIGEST};
use super::{optional, required};
use crate::record::anchor::AnchorRelation;
use crate::record::custody::CustodyOp;
use crate::record::finding::Verdict;
use crate::record::redaction::{RedactionExtent, RedactionRule};
use crate::record::schema::{Group, Shape};
use crate::record::stream::StreamOp;

/// The forms of proof in use.
static PROOF_TYPES: [&str; 3] = ["tlog-proof", "cose-receipt", "transparent-statement"];

/// Why events are lost, where known.
static CAUSES: [&str; 8] =
    ["crash", "state-lost", "rate-limited", "buffer-full", "source-dropped", "unreachable", "truncated", "file-gone"];

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

/// Fields of `gap`.
pub(super) static GAP: Group = Group {
    name: "gap",
    about: "events of the source were lost before they reached the stream",
    fields: &[
        required("cause", Shape::Open(&CAUSES), "why they are lost"),
        optional("from_ms", Shape::Millis, "not before this time"),
        optional("to_ms", Shape::Millis, "not after this time"),
        optional("first_id", Shape::Text, "the first one's id, as the source numbers or names its events"),
        optional("last_id", Shape::Text, "the last one's"),
        optional("count", Shape::Uint, "how many, where that is known"),
        optional("declared_by", Shape::Text, "who declares it"),
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

/// Fields of `redaction`.
pub(super) static REDACTION: Group = Group {
    name: "redaction",
    about: "openings of sealed values were destroyed; the entries stay, and every proof with them",
    fields: &[
        required("rule", Shape::Closed(RedactionRule::NAMES), "what asked for it"),
        required("targets", Shape::List(&Shape::Map(&REDACTION_TARGET)), "what was destroyed, entry by entry"),
        optional("legal_basis", Shape::Text, "the law or contract it rests on"),
        optional("reason", Shape::Text, "why, in words"),
        optional("reference", Shape::Text, "of the request or order, as its file names it"),
        optional("policy_digest", SCHEME_DIGEST, "of the retention policy").indexed(),
        optional("destroyed_ms", Shape::Millis, "when they were destroyed, where that is not event_ms"),
        optional("destroyed_by", Shape::Text, "who destroyed them"),
        optional("store", Shape::Text, "the opening store they were destroyed in"),
    ],
};

static REDACTION_TARGET: Group = Group {
    name: "redaction-target",
    about: "what of one entry cannot be opened any more",
    fields: &[
        required("target", Shape::OneOf(&LINK_TARGET), "the entry").indexed(),
        required("extent", Shape::Closed(RedactionExtent::NAMES), "how much of it"),
        optional(
            "fields",
            Shape::List(&Shape::Text),
            "JSON pointers into the record's view, to the sealed values whose openings are destroyed",
        ),
        optional("members", Shape::List(&Shape::Uint), "of a decision-batch: the places, from 0, of the decisions"),
        optional(
            "digests",
            Shape::List(&Shape::Digest),
            "the commitments that cannot be opened: d of each sealed value",
        ),
    ],
};

/// Fields of `finding`.
pub(super) static FINDING: Group = Group {
    name: "finding",
    about: "what a check of the log found",
    fields: &[
        required("check", Shape::Name, "the check's id, as D4").indexed(),
        required("verdict", Shape::Closed(Verdict::NAMES), ""),
        optional("entries", Shape::List(&Shape::OneOf(&LINK_TARGET)), "the entries it rests on").indexed(),
        optional("subject", Shape::Text, "whom it concerns").indexed(),
        optional("reason", Shape::Text, "why the verdict is not pass"),
        optional("details", Shape::Any, "as the tool gives them"),
        optional("head", Shape::Map(&LOG_HEAD), "the log as it was checked"),
        optional("auditor", Shape::Text, "who checked"),
        optional("tool", Shape::Text, "with what"),
        optional("tool_version", Shape::Text, ""),
    ],
};

/// Fields of `custody`.
pub(super) static CUSTODY: Group = Group {
    name: "custody",
    about: "evidence was exported, handed over, acknowledged, put on hold or released",
    fields: &[
        required("op", Shape::Closed(CustodyOp::NAMES), ""),
        optional("case", Shape::Text, "joins the steps of one matter: hold and release, export and hand-over")
            .indexed(),
        optional("query", Shape::Any, "what was asked for"),
        optional("entries", Shape::List(&Shape::OneOf(&LINK_TARGET)), "the entries held or exported").indexed(),
        optional("manifest_digest", Shape::Digest, "SHA-256 of the custody file's manifest").indexed(),
        optional("collector", Shape::Text, "who collected it"),
        optional("recipient", Shape::Text, "who gets it, or got it"),
        optional("purpose", Shape::Text, "what for"),
        optional("legal_basis", Shape::Text, "the law, contract or order it rests on"),
        optional("until_ms", Shape::Millis, "when a hold ends by itself"),
        optional("checkpoint", Shape::Map(&LOG_HEAD), "the log it was taken from"),
    ],
};

/// Fields of `anchor`.
pub(super) static ANCHOR: Group = Group {
    name: "anchor",
    about: "another log's checkpoint or proof, or the epoch of this log before or after this one",
    fields: &[
        required("relation", Shape::Closed(AnchorRelation::NAMES), "what the other log is to this one"),
        required("origin", Shape::Name, "the other log's origin").indexed(),
        optional("epoch", Shape::Uint, "of a log of this one's: its number"),
        optional("head", Shape::Map(&LOG_HEAD), "the other log at a size"),
        optional("note", Shape::Bytes, "its checkpoint note's exact bytes"),
        optional("log_ref", Shape::Map(&LOG_REF), "an entry of it"),
        optional("proof", Shape::Bytes, "the proof's exact bytes"),
        optional("proof_type", Shape::Open(&PROOF_TYPES), "the proof's form"),
        optional("genesis", Shape::Digest, "leaf hash of its entry 0"),
        optional("checkpoint_key", Shape::Text, "the vkey of its checkpoints"),
        optional("receipt_keys", Shape::List(&Shape::Any), "its receipt keys, COSE keys"),
    ],
};
