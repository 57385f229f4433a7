//! Fields of the identity plane's kinds: `registration`, `attestation`, `issuance`, `signing-key`, `revocation`, `federation`.

use super::common::{HANDLES, LINK_TARGET, LOG_REF, POLICY_REF, SCHEME_DIGEST};
use super::{CREDENTIAL_TYPES, optional, required};
use crate::record::attestation::{AttestationResult, Strength};
use crate::record::federation::FederationOp;
use crate::record::issuance::{Possession, Stage};
use crate::record::registration::RegistrationOp;
use crate::record::revocation::TargetType;
use crate::record::schema::{Group, Shape};
use crate::record::signing_key::SigningKeyOp;

/// The methods of attestation in use.
static METHODS: [&str; 16] = [
    "join_token",
    "x509pop",
    "sshpop",
    "http_challenge",
    "tpm_devid",
    "aws_iid",
    "gcp_iit",
    "azure_imds",
    "k8s_psat",
    "k8s",
    "docker",
    "systemd",
    "unix",
    "github",
    "gitlab",
    "sigstore",
];

/// By what right a credential is asked for: as the agent of a node, on the issuer's own machine, as its administrator, as an issuer below it.
static AUTHORISED_AS: [&str; 4] = ["agent", "local", "admin", "downstream"];

/// What a signing key is for, where known.
static KEY_USES: [&str; 3] = ["x509-svid", "jwt-svid", "wit-svid"];

/// The profiles of SPIFFE federation.
static PROFILES: [&str; 2] = ["https_web", "https_spiffe"];

/// Fields of `registration`.
pub(super) static REGISTRATION: Group = Group {
    name: "registration",
    about: "a registration entry was made, changed or removed, or is as found",
    fields: &[
        required("op", Shape::Closed(RegistrationOp::NAMES), ""),
        optional(
            "entry_id",
            Shape::Name,
            "as its registry calls it; a source may tell that an entry was made and not its id",
        )
        .indexed(),
        optional("revision", Shape::Uint, "of the entry, after this"),
        optional("subject", Shape::Text, "the SPIFFE ID that the entry gives").indexed(),
        optional("parent", Shape::Text, "the SPIFFE ID that may ask for it").indexed(),
        optional("selectors", Shape::List(&Shape::Map(&SELECTOR)), "what a workload must be attested to be"),
        optional("ttl_s", Shape::Each(&Shape::Uint), "lifetime in seconds, by credential type"),
        optional("admin", Shape::Bool, "its holder may administer the issuer"),
        optional("downstream", Shape::Bool, "its holder may issue"),
        optional("store", Shape::Bool, "its credential is put into a store"),
        optional("federates_with", Shape::List(&Shape::Text), "trust domains whose bundles its holder gets"),
        optional("dns_names", Shape::List(&Shape::Text), "the DNS names it gives"),
        optional("expires_ms", Shape::Millis, "when the entry ends"),
        optional("created_ms", Shape::Millis, "when the entry was made, as its registry says"),
        optional("hint", Shape::Text, "which of several credentials this is, for its holder"),
        optional("entry_digest", Shape::Digest, "of the entry at this revision, canonical").indexed(),
        optional("requester", Shape::Text, "who asked for it"),
    ],
};

static SELECTOR: Group = Group {
    name: "selector",
    about: "a property of a node or workload",
    fields: &[
        optional("type", Shape::Text, "k8s, unix, ..."),
        optional("value", Shape::Text, "sealed where it is personal or secret"),
    ],
};

/// Fields of `attestation`.
pub(super) static ATTESTATION: Group = Group {
    name: "attestation",
    about: "a node or workload gave evidence of what it is",
    fields: &[
        required("subject", Shape::Name, "the attested party, by the SPIFFE ID it got or asked for").indexed(),
        required("method", Shape::Open(&METHODS), "").indexed(),
        required("result", Shape::Closed(AttestationResult::NAMES), "what the verifier made of it"),
        optional("strength", Shape::Closed(Strength::NAMES), "what the evidence rests on"),
        optional("selectors", Shape::List(&Shape::Map(&SELECTOR)), "what it was found to be"),
        optional("claims", Shape::Each(&Shape::Any), "of CI: repository, ref, sha, workflow, run, actor").indexed(),
        optional("evidence_digest", Shape::Digest, "SHA-256 of the evidence; sealed where guessable"),
        optional("evidence", Shape::Bytes, "the evidence's exact bytes, sealed by default"),
        optional("verifier", Shape::Text, "who judged it"),
        optional("policy_digest", SCHEME_DIGEST, "of the appraisal policy").indexed(),
        optional("challenge_digest", Shape::Digest, "SHA-256 of the challenge that the evidence answers"),
        optional("bound_key", Shape::Map(&HANDLES), "the key the evidence speaks for").indexed(),
        optional("fresh_ms", Shape::Millis, "until when it counts as fresh"),
        optional("log_ref", Shape::Map(&LOG_REF), "where another log has the evidence"),
        optional("reason", Shape::Text, "when refused"),
    ],
};

/// Fields of `issuance`.
pub(super) static ISSUANCE: Group = Group {
    name: "issuance",
    about: "a credential that was asked for, signed, handed out or refused",
    fields: &[
        required("stage", Shape::Closed(Stage::NAMES), ""),
        required("credential_type", Shape::Open(&CREDENTIAL_TYPES), ""),
        required("subject", Shape::Name, "the SPIFFE ID it was issued for").indexed(),
        optional("issuer", Shape::Text, "as the credential names it"),
        optional("issuer_key_id", Shape::TextOrBytes, "").indexed(),
        optional("not_before_ms", Shape::Millis, ""),
        optional("not_after_ms", Shape::Millis, ""),
        optional("audience", Shape::List(&Shape::Text), ""),
        optional("possession", Shape::Closed(Possession::NAMES), "what its use proves"),
        optional("entry_id", Shape::Text, "the registration entry").indexed(),
        optional("entry_digest", Shape::Digest, "of that entry, canonical").indexed(),
        optional("revision", Shape::Uint, "of that entry"),
        optional("requester", Shape::Text, ""),
        optional(
            "authorised_as",
            Shape::Open(&AUTHORISED_AS),
            "by what right the requester asked; an operator's mint is local",
        ),
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

/// Fields of `signing-key`.
pub(super) static SIGNING_KEY: Group = Group {
    name: "signing-key",
    about: "a step in the life of a key that signs credentials",
    fields: &[
        required("op", Shape::Closed(SigningKeyOp::NAMES), ""),
        required("key_id", Shape::TextOrBytes, "as credentials name it: kid, or authority key id").indexed(),
        optional("spki_s256", Shape::Digest, "SHA-256 of its SubjectPublicKeyInfo").indexed(),
        optional("use", Shape::Open(&KEY_USES), "what it signs"),
        optional("issuer", Shape::Text, "who signs with it: the SPIFFE ID of a trust domain, as a rule"),
        optional("upstream", Shape::TextOrBytes, "the authority, or its key id, that signed this key"),
        optional("not_before_ms", Shape::Millis, "from when it is valid"),
        optional("not_after_ms", Shape::Millis, "until when it is valid"),
        optional("reason", Shape::Text, "when tainted or revoked"),
    ],
};

/// Fields of `revocation`.
pub(super) static REVOCATION: Group = Group {
    name: "revocation",
    about: "something stopped being good before its time",
    fields: &[
        required("target_type", Shape::Closed(TargetType::NAMES), "what the target is"),
        required("target", Shape::OneOf(&REVOCATION_TARGET), "").indexed(),
        required("effective_ms", Shape::Millis, "from when it is not good any more"),
        optional("subject", Shape::Text, "whom it was good for").indexed(),
        optional("reason", Shape::Text, "why"),
        optional("revoked_by", Shape::Text, "who decided it"),
        optional("propagate_by_ms", Shape::Millis, "by when every enforcement point must follow"),
        optional("cause", Shape::OneOf(&LINK_TARGET), "what it was decided upon"),
    ],
};

pub(super) static REVOCATION_TARGET: Group = Group {
    name: "revocation-target",
    about: "what was revoked: the entry that records it, a handle, or a name",
    fields: &[
        optional("entry", Shape::Digest, "leaf hash of the entry of this log that records it"),
        optional("handle", Shape::Pair(&HANDLES), "name and value of a handle"),
        optional("log_ref", Shape::Map(&LOG_REF), "the entry of any log that records it"),
        optional(
            "id",
            Shape::Name,
            "whose it is, as a SPIFFE ID or another URI; or the id of its kind: of an entry, an agent, a key, a trust domain",
        ),
    ],
};

/// Fields of `federation`.
pub(super) static FEDERATION: Group = Group {
    name: "federation",
    about: "a trust domain's bundle, or what was agreed with that domain",
    fields: &[
        required("op", Shape::Closed(FederationOp::NAMES), ""),
        required("domain", Shape::Name, "the trust domain this is about").indexed(),
        optional("own", Shape::Bool, "whether that is the domain of who says so"),
        optional("bundle_digest", SCHEME_DIGEST, "of the bundle's exact bytes").indexed(),
        optional("sequence", Shape::Uint, "of the bundle"),
        optional("refresh_hint_s", Shape::Uint, "how often it wants to be fetched, seconds"),
        optional("keys", Shape::List(&Shape::Map(&BUNDLE_KEY)), "the keys in it"),
        optional("endpoint_url", Shape::Text, "where it is served"),
        optional("profile", Shape::Open(&PROFILES), "how that endpoint is authenticated"),
        optional("endpoint_identity", Shape::Text, "the SPIFFE ID of that endpoint"),
        optional("accepted_policies", Shape::List(&Shape::Map(&POLICY_REF)), "whose decisions are relied upon here"),
        optional("observer", Shape::Text, "who fetched it"),
    ],
};

static BUNDLE_KEY: Group = Group {
    name: "bundle-key",
    about: "a key in a bundle",
    fields: &[
        optional("use", Shape::Open(&KEY_USES), ""),
        optional("key_id", Shape::TextOrBytes, "kid, or subject key id"),
        optional("spki_s256", Shape::Digest, "SHA-256 of its SubjectPublicKeyInfo"),
    ],
};
