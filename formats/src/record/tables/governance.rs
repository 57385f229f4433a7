//! Fields of the governance plane's kinds: `policy`, `activation`, `approval`, `ownership`, `agent`.

use super::common::{CREDENTIAL, SCHEME_DIGEST, TOOL};
use super::{optional, required};
use crate::record::activation::ActivationOp;
use crate::record::approval::{ApprovalDecision, ApprovalType};
use crate::record::schema::{Group, Shape};

/// The engines in use.
static ENGINES: [&str; 8] = [
    "opa",
    "cedar",
    "authzen-mapping",
    "istio",
    "issuer-authorization",
    "attestation-appraisal",
    "federation-rules",
    "capture",
];

/// How an activation came to be known, where known.
static LEARNED: [&str; 3] = ["status", "admission", "config"];

/// Fields of `policy`.
pub(super) static POLICY: Group = Group {
    name: "policy",
    about: "a policy was published",
    fields: &[
        required("engine", Shape::Open(&ENGINES), "what evaluates it"),
        required("name", Shape::Name, "as its publisher calls it, without the version").indexed(),
        optional("uri", Shape::Text, "the policy's URI, the statement's sub"),
        optional("version", Shape::Text, "as its publisher numbers it"),
        optional("policy_digest", SCHEME_DIGEST, "of the policy").indexed(),
        optional("bundle_digest", SCHEME_DIGEST, "of the bundle it came in").indexed(),
        optional("schema_digest", SCHEME_DIGEST, "of the schema it was checked against"),
        optional("revision", Shape::Text, "as decisions name it").indexed(),
        optional("signer_key_id", Shape::TextOrBytes, "the key that signed the bundle"),
        optional("signer_alg", Shape::Text, "the algorithm it signed with"),
        optional("source_repository", Shape::Text, "where its source is kept"),
        optional("source_commit", Shape::Text, "the source's commit"),
        optional("author", Shape::Text, "who wrote it"),
        optional("approvers", Shape::List(&Shape::Text), "who approved it"),
        optional("scope", Shape::Map(&POLICY_SCOPE), "where it is meant to be in force"),
        optional("not_before_ms", Shape::Millis, "from when it may be in force"),
        optional(
            "content",
            Shape::Any,
            "the policy itself: the source's exact bytes, or, of engine capture, the rule as a map",
        ),
        optional("content_type", Shape::Text, "media type of the content"),
        optional("content_location", Shape::Text, "where the content is to be had, a URI"),
    ],
};

static POLICY_SCOPE: Group = Group {
    name: "policy-scope",
    about: "where a policy is meant to be in force",
    fields: &[
        optional("pdps", Shape::List(&Shape::Text), "the PDPs that are to evaluate it"),
        optional("services", Shape::List(&Shape::Text), "the services it governs"),
    ],
};

/// Fields of `activation`.
pub(super) static ACTIVATION: Group = Group {
    name: "activation",
    about: "a PDP put a policy in force, or took it out of force",
    fields: &[
        required("op", Shape::Closed(ActivationOp::NAMES), ""),
        required("pdp", Shape::Name, "the PDP's instance").indexed(),
        optional("policy_digest", SCHEME_DIGEST, "of the policy").indexed(),
        optional("bundle_digest", SCHEME_DIGEST, "of the bundle it came in").indexed(),
        optional("name", Shape::Text, "the policy's name").indexed(),
        optional("uri", Shape::Text, "the policy's URI, the statement's sub"),
        optional("revision", Shape::Text, "as the PDP reports it").indexed(),
        optional("from_ms", Shape::Millis, "since when it is in force"),
        optional("to_ms", Shape::Millis, "until when it was in force"),
        optional("learned", Shape::Open(&LEARNED), "how this came to be known"),
        optional("errors", Shape::List(&Shape::Any), "what went wrong, as the PDP reports it"),
    ],
};

/// Fields of `approval`.
pub(super) static APPROVAL: Group = Group {
    name: "approval",
    about: "somebody approved or rejected a change, an exception or an operation",
    fields: &[
        required("type", Shape::Closed(ApprovalType::NAMES), "what kind of thing was to be approved"),
        required("approved", Shape::OneOf(&APPROVED), "what was to be approved").indexed(),
        required("decision", Shape::Closed(ApprovalDecision::NAMES), ""),
        required("approver", Shape::Name, "who decided: a workload's URI, or a person's pseudonym").indexed(),
        optional("shown_digest", Shape::Digest, "SHA-256 of what the approver saw"),
        optional("credential", Shape::Map(&CREDENTIAL), "how the approver was known"),
        optional("method", Shape::Text, "how the approver answered: cli, web, chat, ..."),
        optional("reason_code", Shape::Text, "why, from a list of the organisation"),
        optional("reason", Shape::Text, "why, in words"),
        optional("expires_ms", Shape::Millis, "until when it may be relied upon"),
        optional("thread", Shape::Text, "joins a request, its answers and what was decided again").indexed(),
    ],
};

pub(super) static APPROVED: Group = Group {
    name: "approved",
    about: "what was to be approved, by its digest",
    fields: &[
        optional("sig_structure", Shape::Digest, "a statement: SHA-256 of its Sig_structure"),
        optional("op_digest", Shape::Digest, "an operation, as both ends see it"),
        optional("payload", Shape::Digest, "a record: SHA-256 of its payload's bytes"),
    ],
};

/// Fields of `ownership`.
pub(super) static OWNERSHIP: Group = Group {
    name: "ownership",
    about: "who answers for an identity, or for all below a path",
    fields: &[
        required("prefix", Shape::Name, "one SPIFFE ID, or, where it ends in /, all that begin with it").indexed(),
        required("owner", Shape::Name, "who answers for it").indexed(),
        optional("roles", Shape::Each(&Shape::Text), "who sees to what, by role: attestation, policy, evidence"),
        optional("environment", Shape::Text, "production, staging, ..."),
        optional("purpose", Shape::Text, "what it is for"),
        optional("review_ms", Shape::Millis, "when it is to be looked at again"),
        optional("offboard_ms", Shape::Millis, "when the owner leaves, or left, and the identity is to go"),
    ],
};

/// Fields of `agent`.
pub(super) static AGENT: Group = Group {
    name: "agent",
    about: "an AI agent's identity: what it is and who stands behind it",
    fields: &[
        required("agent_id", Shape::Name, "the same through all its versions").indexed(),
        optional("sponsor", Shape::Text, "who answers for what it does").indexed(),
        optional("purpose", Shape::Text, "what it is for"),
        optional("version", Shape::Text, "of the agent"),
        optional("model", Shape::Map(&MODEL), "the model it thinks with"),
        optional("tools", Shape::List(&Shape::Map(&TOOL)), "the tools it may use"),
        optional("tools_digest", Shape::Digest, "SHA-256 of their descriptions as the agent gets them"),
        optional("system_prompt_digest", Shape::Digest, "SHA-256 of its standing instructions; sealed where guessable"),
        optional("autonomy", Shape::Text, "what it may do without asking"),
        optional("runs_as", Shape::List(&Shape::Text), "the SPIFFE IDs it runs as").indexed(),
    ],
};

static MODEL: Group = Group {
    name: "model",
    about: "a model",
    fields: &[
        optional("provider", Shape::Text, "who serves it"),
        optional("id", Shape::Text, "the provider's name of it"),
        optional("digest", SCHEME_DIGEST, "of its weights"),
    ],
};
