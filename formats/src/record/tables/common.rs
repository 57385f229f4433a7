//! Fields of every kind, and the shapes that kinds share.

use super::{ASSURANCES, CREDENTIAL_TYPES, RELATIONS, optional, required};
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
        optional("handles", Shape::Map(&HANDLES), "the credential described").indexed(),
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

pub(super) static LOG_REF: Group = Group {
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
        optional(
            "key_iss",
            Shape::Tuple(&[("key_id", Shape::TextOrBytes), ("iss", Shape::Text)]),
            "a signing key's id, scoped to who signs with it",
        ),
        optional(
            "attested",
            Shape::Tuple(&[("subject", Shape::Name), ("verifier", Shape::Text)]),
            "an attested party, scoped to who judged its evidence",
        ),
        optional("policy_digest", SCHEME_DIGEST, ""),
        optional("bundle_digest", SCHEME_DIGEST, ""),
        optional("schema_digest", SCHEME_DIGEST, ""),
        optional("entities_digest", SCHEME_DIGEST, ""),
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

pub(super) static CREDENTIAL: Group = Group {
    name: "credential",
    about: "the credential presented",
    fields: &[
        optional("type", Shape::Open(&CREDENTIAL_TYPES), ""),
        optional("issuer", Shape::Text, ""),
        optional("trust_domain", Shape::Text, ""),
        optional("handle", Shape::Pair(&HANDLES), "joins its issuance").indexed(),
    ],
};

pub(super) static RESOURCE: Group = Group {
    name: "resource",
    about: "to what",
    fields: &[
        required("type", Shape::Name, ""),
        required("id", Shape::Name, ""),
        optional("properties", Shape::Any, ""),
    ],
};

pub(super) static POLICY_REF: Group = Group {
    name: "policy-ref",
    about: "a policy",
    fields: &[
        optional("policy_digest", SCHEME_DIGEST, "").indexed(),
        optional("bundle_digest", SCHEME_DIGEST, "").indexed(),
        optional("name", Shape::Text, "").indexed(),
        optional("revision", Shape::Text, "").indexed(),
    ],
};

pub(super) static TOOL: Group = Group {
    name: "tool",
    about: "a tool as offered to an agent",
    fields: &[
        optional("server", Shape::Text, ""),
        optional("name", Shape::Text, ""),
        optional("schema_digest", Shape::Digest, ""),
    ],
};

/// Somebody a record names, and how it was known that it was them.
pub(super) static PARTY: Group = Group {
    name: "party",
    about: "a user, a workload or an agent",
    fields: &[
        required("id", Shape::Name, "a SPIFFE ID where there is one, of people a pseudonym").indexed(),
        optional("type", Shape::Open(&PARTY_TYPES), ""),
        optional("credential", Shape::Map(&CREDENTIAL), "how it was known"),
    ],
};

static PARTY_TYPES: [&str; 3] = ["user", "workload", "agent"];

/// A state of a log.
pub(super) static LOG_HEAD: Group = Group {
    name: "log-head",
    about: "a log at a size",
    fields: &[
        required("origin", Shape::Name, "the log's origin"),
        required("size", Shape::Uint, "how many entries it has"),
        required("root", Shape::Digest, "its root hash"),
    ],
};
