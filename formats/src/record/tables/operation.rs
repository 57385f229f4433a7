//! Fields of the operation plane's kinds: `delegation`, `decision`, `decision-batch`, `effect`, `observation`.

use super::common::{CREDENTIAL, HANDLES, LINK_TARGET, LOG_HEAD, PARTY, POLICY_REF, RESOURCE, SCHEME_DIGEST, TOOL};
use super::{CREDENTIAL_TYPES, optional, required};
use crate::record::decision::{DecisionResult, Enforcement, OpBound};
use crate::record::effect::Outcome;
use crate::record::schema::{Group, Shape};

/// What can be observed, where known.
static OBSERVED: [&str; 3] = ["credential", "bundle", "log-head"];

/// Fields of `delegation`.
pub(super) static DELEGATION: Group = Group {
    name: "delegation",
    about: "somebody let another act in their name, within limits",
    fields: &[
        required("delegator", Shape::Map(&PARTY), "in whose name"),
        required("delegate", Shape::Map(&PARTY), "who may act"),
        optional(
            "actors",
            Shape::List(&Shape::Map(&PARTY)),
            "the chain of actors, from the one the delegator first let act to the delegate",
        ),
        optional("parent", Shape::OneOf(&LINK_TARGET), "the delegation this one derives from"),
        optional("scope", Shape::List(&Shape::Text), "what was granted; every element must be granted by the parent"),
        optional("resources", Shape::List(&Shape::Map(&RESOURCE)), "on what it was granted"),
        optional("purpose", Shape::Text, "what for"),
        optional("not_before_ms", Shape::Millis, "from when it may be used"),
        optional("expires_ms", Shape::Millis, "until when it may be used"),
        optional("max_hops", Shape::Uint, "how many further delegations may follow one another"),
        optional("redelegation", Shape::Bool, "whether the delegate may delegate further"),
        optional("consent", Shape::OneOf(&LINK_TARGET), "the consent or approval it rests on"),
        optional("tokens_in", Shape::List(&Shape::Map(&HANDLES)), "the tokens given for it").indexed(),
        optional("tokens_out", Shape::List(&Shape::Map(&HANDLES)), "the tokens made of it").indexed(),
        optional("bound_key", Shape::Map(&HANDLES), "the key whose possession its use must prove"),
        optional("exchange_endpoint", Shape::Text, "where tokens were exchanged, a URI"),
    ],
};

/// Fields of `decision`.
pub(super) static DECISION: Group = Group {
    name: "decision",
    about: "what a policy decided; subject, action, resource and context follow AuthZEN 1.0",
    fields: &[
        required("decision_id", Shape::Name, "unique for its PDP").indexed(),
        required("subject", Shape::Map(&SUBJECT), "who asked"),
        required("action", Shape::Map(&ACTION), "to do what"),
        required("resource", Shape::Map(&RESOURCE), "to what").indexed(),
        required("result", Shape::Closed(DecisionResult::NAMES), ""),
        optional("context", Shape::Any, ""),
        optional("pdp", Shape::Text, "who decided"),
        optional("pep", Shape::Text, "who asked for it to be decided"),
        optional("policies", Shape::List(&Shape::Map(&POLICY_REF)), "what decided"),
        optional("agent", Shape::Map(&ACTING_AGENT), "the AI agent that acted"),
        optional("delegation", Shape::OneOf(&LINK_TARGET), "on whose behalf").indexed(),
        optional("op_digest", Shape::Digest, "the operation as both ends see it").indexed(),
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
        required("id", Shape::Name, "a SPIFFE ID where there is one").indexed(),
        optional("type", Shape::Text, ""),
        optional("properties", Shape::Any, ""),
        optional("credential", Shape::Map(&CREDENTIAL), "how it was known"),
        optional("transport", Shape::Any, "the identity of the transport layer, where it is another"),
        optional("application", Shape::Any, "the identity of the application layer, where it is another"),
    ],
};

static ACTION: Group = Group {
    name: "action",
    about: "to do what",
    fields: &[required("name", Shape::Name, ""), optional("properties", Shape::Any, "")],
};

static ACTING_AGENT: Group = Group {
    name: "acting-agent",
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

/// Fields of `decision-batch`.
pub(super) static DECISION_BATCH: Group = Group {
    name: "decision-batch",
    about: "many decisions under one root; each is proved by its inner path and this entry's receipt",
    fields: &[
        required("count", Shape::Uint, "how many decisions"),
        required(
            "root",
            Shape::Digest,
            "Merkle root (RFC 6962 hashing, SHA-256) over the decisions' payload bytes, in their order",
        ),
        required("from_ms", Shape::Millis, "the least event_ms among them").indexed(),
        required("to_ms", Shape::Millis, "the greatest event_ms among them").indexed(),
        optional("pdp", Shape::Text, "who decided"),
        optional("pep", Shape::Text, "who asked for it to be decided"),
        optional("first", Shape::Uint, "the first one's number in the source's own sequence"),
        optional("last", Shape::Uint, "the last one's"),
        optional("counts", Shape::List(&Shape::Map(&BATCH_COUNT)), "how many of which; they add up to count"),
        optional("capture", SCHEME_DIGEST, "policy_digest of the capture rule that let them be batched").indexed(),
    ],
};

static BATCH_COUNT: Group = Group {
    name: "batch-count",
    about: "how many decisions of a batch have all of this in common",
    fields: &[
        required("result", Shape::Closed(DecisionResult::NAMES), ""),
        required("count", Shape::Uint, ""),
        optional("policies", Shape::List(&Shape::Map(&POLICY_REF)), "as in each of these decisions"),
        optional("subject", Shape::Text, "the subject's id").indexed(),
    ],
};

/// Fields of `effect`.
pub(super) static EFFECT: Group = Group {
    name: "effect",
    about: "what became of a decision, or what was done without one",
    fields: &[
        optional("decision_id", Shape::Name, "the decision carried out; absent where none is known").indexed(),
        required("outcome", Shape::Closed(Outcome::NAMES), ""),
        required("performer", Shape::Name, "the workload that acted").indexed(),
        optional("decision_iss", Shape::Name, "who issued the decision, where that is not this statement's iss"),
        optional(
            "contradictions",
            Shape::List(&Shape::Text),
            "where no decision is known: what the decisions of its request id say otherwise, so that none of them is this one's",
        ),
        optional("resource", Shape::Map(&RESOURCE), "as in the decision").indexed(),
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
        optional("caller", Shape::Map(&PARTY), "who asked for it, as the transport knew them"),
        optional("serial", Shape::Bytes, "of the caller's certificate, without leading zeros").indexed(),
        optional("native", Shape::Bytes, "what the source wrote of it, its exact bytes"),
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

/// Fields of `observation`.
pub(super) static OBSERVATION: Group = Group {
    name: "observation",
    about: "a credential seen in use, or a bundle or a log's head as somebody was shown it",
    fields: &[
        required("observed", Shape::Open(&OBSERVED), "what was seen"),
        optional("subject", Shape::Text, "of a credential: the SPIFFE ID in it").indexed(),
        optional("certificate", Shape::Bytes, "of a credential: the leaf certificate's DER"),
        optional("credential_type", Shape::Open(&CREDENTIAL_TYPES), "of a credential"),
        optional("key_id", Shape::Text, "of a token: its issuer's key").indexed(),
        optional("audience", Shape::List(&Shape::Text), "of a token"),
        optional("not_before_ms", Shape::Millis, "of a credential: from when it is valid"),
        optional("not_after_ms", Shape::Millis, "of a credential: until when it is valid"),
        optional("domain", Shape::Text, "of a bundle: its trust domain"),
        optional("bundle_digest", SCHEME_DIGEST, "of a bundle: of its exact bytes").indexed(),
        optional("sequence", Shape::Uint, "of a bundle"),
        optional("head", Shape::Map(&LOG_HEAD), "of a log"),
        optional("note", Shape::Bytes, "of a log: the checkpoint note's exact bytes"),
        optional("where", Shape::Text, "where it was seen: an address, a listener, a URL"),
        optional("observer", Shape::Text, "who saw it"),
    ],
};
