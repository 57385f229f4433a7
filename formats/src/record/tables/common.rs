//! Fields of every kind, and the shapes that kinds share.

use super::{ASSURANCES, RELATIONS, optional, required};
use crate::record::schema::{Group, Shape};

/// The fields of every kind but `admission-policy`. A kind's own table is read first, then this one.
pub(crate) static COMMON: Group = Group {
    name: "common",
    about: "what every kind but admission-policy has",
    fields: &[
        required("v", Shape::Version, "version of the schema"),
        required("event_ms", Shape::Millis, "when it happened, as claimed"),
        optional("source", Shape::Map(&SOURCE), "the system whose event this is"),
        optional("assurance", Shape::Closed(&ASSURANCES), "who vouches for the content"),
        optional("tenant", Shape::Text, ""),
        optional("trust_domain", Shape::Text, ""),
        optional("links", Shape::List(&Shape::Map(&LINK)), "other records"),
        optional("handles", Shape::Map(&HANDLES), "the credential described"),
        optional("trace_id", Shape::Text, "correlation only, never trusted alone"),
        optional("span_id", Shape::Text, ""),
        optional("request_id", Shape::Text, ""),
        optional("txn", Shape::Text, ""),
    ],
};

static SOURCE: Group = Group {
    name: "source",
    about: "(system, instance, native_id) names an event of a source once",
    fields: &[
        optional("system", Shape::Text, ""),
        optional("version", Shape::Text, ""),
        optional("instance", Shape::Text, ""),
        optional("native_id", Shape::Text, ""),
    ],
};

static LINK: Group = Group {
    name: "link",
    about: "a relation to another record",
    fields: &[
        required("rel", Shape::Open(&RELATIONS), "the relation"),
        required("target", Shape::OneOf(&LINK_TARGET), "the record"),
    ],
};

pub(crate) static LINK_TARGET: Group = Group {
    name: "link-target",
    about: "a record of this log, a handle whose record may not be logged yet, or an entry of another log",
    fields: &[
        optional("entry", Shape::Digest, "leaf hash of an entry of this log"),
        optional("handle", Shape::Pair(&HANDLES), "name and value of a handle"),
        optional("log_ref", Shape::Map(&LOG_REF), "an entry of any log"),
    ],
};

static LOG_REF: Group = Group {
    name: "log-ref",
    about: "an entry of any log",
    fields: &[
        required("origin", Shape::Name, "the log's origin"),
        required("index", Shape::Uint, "leaf index"),
        required("leaf", Shape::Digest, "leaf hash"),
    ],
};

/// A digest whose algorithm is named beside it.
pub(super) const SCHEME_DIGEST: Shape = Shape::Tuple(&[("scheme", Shape::Name), ("digest", Shape::DigestBytes)]);

/// The handles. Others are kept unjudged.
pub(crate) static HANDLES: Group = Group {
    name: "handles",
    about: "digests and names by which records of one thing find each other",
    fields: &[
        optional("cert_s256", Shape::Digest, "SHA-256 of the leaf certificate's DER"),
        optional("tbs_s256", Shape::Digest, "SHA-256 of its TBSCertificate"),
        optional("spki_s256", Shape::Digest, "SHA-256 of its SubjectPublicKeyInfo"),
        optional(
            "serial_aki",
            Shape::Tuple(&[("serial", Shape::Bytes), ("aki", Shape::Bytes)]),
            "serial number without leading zeros, authority key id",
        ),
        optional("tok_s256", Shape::Digest, "SHA-256 of the compact token's ASCII"),
        optional("jws_input_s256", Shape::Digest, "SHA-256 of header.payload"),
        optional(
            "jti_iss",
            Shape::Tuple(&[("jti", Shape::Text), ("iss", Shape::Text)]),
            "token id, scoped to its issuer",
        ),
        optional("jkt", Shape::Digest, "RFC 7638 thumbprint"),
        optional("policy_digest", SCHEME_DIGEST, ""),
        optional("bundle_digest", SCHEME_DIGEST, ""),
        optional("schema_digest", Shape::Digest, ""),
        optional("entities_digest", Shape::Digest, ""),
        optional("entry_digest", Shape::Digest, "a registration entry at a revision, canonical"),
        optional("op_digest", Shape::Digest, "the operation as both ends see it"),
        optional(
            "dec",
            Shape::Tuple(&[("iss", Shape::Text), ("decision_id", Shape::Name)]),
            "a decision id, scoped to its PDP",
        ),
        optional("log_ref", Shape::Map(&LOG_REF), ""),
    ],
};
