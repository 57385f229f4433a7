//! Fields of the operation plane's kinds: `decision`, `effect`.

use super::common::{HANDLES, LINK_TARGET, SCHEME_DIGEST};
use super::{CREDENTIAL_TYPES, optional, required};
use crate::record::decision::{DecisionResult, Enforcement, OpBound};
use crate::record::effect::Outcome;
use crate::record::schema::{Group, Shape};

/// Fields of `decision`.
pub(super) static DECISION: Group = Group {
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
        optional("input", Shape::Bytes, "what the engine was asked, the source's exact bytes"),
        optional("nd_cache", Shape::Bytes, "results of non-deterministic functions, the source's exact bytes"),
        optional("output", Shape::Bytes, "what it answered, the source's exact bytes"),
        optional("error", Shape::Bytes, "why it could not decide, the source's exact bytes"),
        optional("erased", Shape::List(&Shape::Text), "JSON pointers of what the source left out"),
        optional("masked", Shape::List(&Shape::Text), "JSON pointers of what the source replaced"),
        optional("native", Shape::Bytes, "the source's other members of the event, a JSON object of their exact bytes"),
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
pub(super) static EFFECT: Group = Group {
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
