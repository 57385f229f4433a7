//! What is known of each kind's fields.
//!
//! The one place that knows: [`super::check`] refuses by it, [`super::view`] prints digests by it, and the files in `cddl/` are its rendering.

use super::decision::{DecisionResult, Enforcement, OpBound};
use super::effect::Outcome;
use super::issuance::{Possession, Stage};
use super::schema::{Field, Group, Shape};

/// Every kind, in the order of the planes: governance, identity, operation, integrity.
pub const KINDS: [&str; 24] = [
    ADMISSION_POLICY,
    "policy",
    "activation",
    "approval",
    "ownership",
    "agent",
    "registration",
    "attestation",
    "issuance",
    "signing-key",
    "revocation",
    "federation",
    "delegation",
    "decision",
    "decision-batch",
    "effect",
    "observation",
    "stream",
    "gap",
    "quarantine",
    "redaction",
    "finding",
    "custody",
    "anchor",
];

/// The one kind with a type of its own, [`crate::admission::Change`]: it keeps no unknown keys and has no sealed values.
pub(crate) const ADMISSION_POLICY: &str = "admission-policy";

/// The relations in use between records.
pub const RELATIONS: [&str; 17] = [
    "governed_by",
    "authenticated_by",
    "registered_as",
    "attested_by",
    "signed_by",
    "anchored_in",
    "on_behalf_of",
    "derived_from",
    "authorised_by",
    "enforces",
    "caused_by",
    "revokes",
    "supersedes",
    "observes",
    "redacts",
    "about",
    "external_log",
];

/// Who says so, and how directly.
pub const ASSURANCES: [&str; 4] = ["source-signed", "adapter-signed", "ingest-attested", "scraped"];

/// The credential types in use.
pub const CREDENTIAL_TYPES: [&str; 5] = ["x509", "jwt", "wit", "ssh", "static-secret"];

/// Gives what is known of a kind's fields; of a kind without a table the common ones. `admission-policy` has neither.
pub(crate) fn group_of(kind: &str) -> &'static Group {
    match kind {
        "decision" => &DECISION,
        "effect" => &EFFECT,
        "issuance" => &ISSUANCE,
        _ => &COMMON,
    }
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::required(key, shape, about)
}

const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::optional(key, shape, about)
}

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
const SCHEME_DIGEST: Shape = Shape::Tuple(&[("scheme", Shape::Name), ("digest", Shape::DigestBytes)]);

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

/// Fields of `decision`.
pub(crate) static DECISION: Group = Group {
    name: "decision",
    about: "what a policy decided; subject, action, resource and context follow AuthZEN 1.0",
    fields: &[
        required("decision_id", Shape::Name, "unique for its PDP"),
        required("subject", Shape::Map(&SUBJECT), "who asked"),
        required("action", Shape::Map(&ACTION), "to do what"),
        required("resource", Shape::Map(&RESOURCE), "to what"),
        required("result", Shape::Closed(DecisionResult::NAMES), ""),
        optional("context", Shape::Any, ""),
        optional("pdp", Shape::Text, "who decided"),
        optional("pep", Shape::Text, "who asked for it to be decided"),
        optional("policies", Shape::List(&Shape::Map(&POLICY_REF)), "what decided"),
        optional("agent", Shape::Map(&AGENT), "the AI agent that acted"),
        optional("delegation", Shape::OneOf(&LINK_TARGET), "on whose behalf"),
        optional("op_digest", Shape::Digest, "the operation as both ends see it"),
        optional("op_bound", Shape::Closed(OpBound::NAMES), "what of the operation op_digest binds"),
        optional("reasons", Shape::List(&Shape::Any), ""),
        optional("policy_ids", Shape::List(&Shape::Text), "the rules that decided"),
        optional("obligations", Shape::List(&Shape::Any), ""),
        optional("pop", Shape::Map(&POP), "proof of possession as checked"),
        optional("enforcement", Shape::Closed(Enforcement::NAMES), ""),
        optional("nd_cache", Shape::Bytes, "results of non-deterministic functions, the source's exact bytes"),
        optional("valid_ms", Shape::Millis, "until when it may be relied upon"),
        optional("nonce", Shape::TextOrBytes, ""),
    ],
};

static SUBJECT: Group = Group {
    name: "subject",
    about: "who asked",
    fields: &[
        required("id", Shape::Name, "a SPIFFE ID where there is one"),
        optional("type", Shape::Text, ""),
        optional("properties", Shape::Any, ""),
        optional("credential", Shape::Map(&CREDENTIAL), "how it was known"),
        optional("transport", Shape::Any, "the identity of the transport layer, where it is another"),
        optional("application", Shape::Any, "the identity of the application layer, where it is another"),
    ],
};

static CREDENTIAL: Group = Group {
    name: "credential",
    about: "the credential presented",
    fields: &[
        optional("type", Shape::Open(&CREDENTIAL_TYPES), ""),
        optional("issuer", Shape::Text, ""),
        optional("trust_domain", Shape::Text, ""),
        optional("handle", Shape::Pair(&HANDLES), "joins its issuance"),
    ],
};

static ACTION: Group = Group {
    name: "action",
    about: "to do what",
    fields: &[required("name", Shape::Name, ""), optional("properties", Shape::Any, "")],
};

static RESOURCE: Group = Group {
    name: "resource",
    about: "to what",
    fields: &[
        required("type", Shape::Name, ""),
        required("id", Shape::Name, ""),
        optional("properties", Shape::Any, ""),
    ],
};

static POLICY_REF: Group = Group {
    name: "policy-ref",
    about: "a policy that decided",
    fields: &[
        optional("policy_digest", SCHEME_DIGEST, ""),
        optional("bundle_digest", SCHEME_DIGEST, ""),
        optional("name", Shape::Text, ""),
        optional("revision", Shape::Text, ""),
    ],
};

static AGENT: Group = Group {
    name: "agent",
    about: "the AI agent that acted",
    fields: &[
        optional("link", Shape::OneOf(&LINK_TARGET), "its agent record"),
        optional("task", Shape::Text, ""),
        optional("session", Shape::Text, ""),
        optional("tool", Shape::Map(&TOOL), ""),
        optional("prompt", Shape::Any, "sealed by default"),
        optional("inputs", Shape::List(&Shape::Any), "sealed by default"),
        optional("autonomy", Shape::Text, ""),
    ],
};

static TOOL: Group = Group {
    name: "tool",
    about: "a tool as offered to an agent",
    fields: &[
        optional("server", Shape::Text, ""),
        optional("name", Shape::Text, ""),
        optional("schema_digest", Shape::Digest, ""),
    ],
};

static POP: Group = Group {
    name: "pop",
    about: "proof of possession as checked",
    fields: &[
        optional("kind", Shape::Text, ""),
        optional("jkt", Shape::Digest, "thumbprint of the key proved"),
        optional("digests", Shape::Each(&Shape::Digest), "by name: ath, wth, tth, ..."),
        optional("iat", Shape::Int, "seconds"),
        optional("status", Shape::Text, ""),
    ],
};

/// Fields of `effect`.
pub(crate) static EFFECT: Group = Group {
    name: "effect",
    about: "what became of a decision",
    fields: &[
        required("decision_id", Shape::Name, "the decision carried out"),
        required("outcome", Shape::Closed(Outcome::NAMES), ""),
        required("performer", Shape::Name, "the workload that acted"),
        optional("decision_iss", Shape::Name, "who issued the decision, where that is not this statement's iss"),
        optional("resource", Shape::Map(&RESOURCE), "as in the decision"),
        optional("side_effect", Shape::Map(&SIDE_EFFECT), ""),
        optional("status", Shape::Any, "as the protocol gives it"),
        optional("after_state_digest", Shape::Digest, ""),
        optional("output_digest", Shape::Digest, ""),
        optional("obligations", Shape::List(&Shape::Any), "what became of each"),
        optional("start_ms", Shape::Millis, ""),
        optional("end_ms", Shape::Millis, ""),
        optional("receipt_id", Shape::Text, "entry id of the decision's receipt, if it was seen"),
        optional("tool", Shape::Text, ""),
        optional("method", Shape::Text, ""),
    ],
};

static SIDE_EFFECT: Group = Group {
    name: "side-effect",
    about: "what changed outside",
    fields: &[
        optional("class", Shape::Text, ""),
        optional("reversible", Shape::Bool, ""),
        optional("target", Shape::Any, ""),
    ],
};

/// Fields of `issuance`.
pub(crate) static ISSUANCE: Group = Group {
    name: "issuance",
    about: "a credential that was asked for, signed, handed out or refused",
    fields: &[
        required("stage", Shape::Closed(Stage::NAMES), ""),
        required("credential_type", Shape::Open(&CREDENTIAL_TYPES), ""),
        required("subject", Shape::Name, "the SPIFFE ID it was issued for"),
        optional("issuer", Shape::Text, "as the credential names it"),
        optional("issuer_key_id", Shape::TextOrBytes, ""),
        optional("not_before_ms", Shape::Millis, ""),
        optional("not_after_ms", Shape::Millis, ""),
        optional("audience", Shape::List(&Shape::Text), ""),
        optional("possession", Shape::Closed(Possession::NAMES), "what its use proves"),
        optional("entry_id", Shape::Text, "the registration entry"),
        optional("entry_digest", Shape::Digest, "of that entry, canonical"),
        optional("revision", Shape::Uint, "of that entry"),
        optional("requester", Shape::Text, ""),
        optional("governance", Shape::Map(&GOVERNANCE), "what it was governed to do"),
        optional("reason", Shape::Text, "when denied"),
    ],
};

static GOVERNANCE: Group = Group {
    name: "governance",
    about: "what a credential's holder was governed to do",
    fields: &[
        optional("policy_digest", SCHEME_DIGEST, ""),
        optional("operations", Shape::List(&Shape::Text), ""),
        optional("conditions", Shape::Any, ""),
    ],
};
