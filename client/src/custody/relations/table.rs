//! Which relations a custody file follows, and to which kinds they can lead.
//!
//! One table says the direction of each relation, and so what belongs to a matter:
//!
//! | relation | from → to | followed |
//! |---|---|---|
//! | `governed_by`, `authenticated_by`, `registered_as`, `attested_by`, `signed_by`, `anchored_in`, `on_behalf_of`, `derived_from`, `authorised_by`, `enforces`, `caused_by`, and by a field alone `acted_as` | what happened → what it rests on | to the cause from everything; back to what rests on it from what was asked for and from what came of that |
//! | `owned_by`, by an identity's SPIFFE ID alone | an identity → who answers for it | to the owner from everything but words; never back to all that somebody owns |
//! | `revokes`, `redacts`, `about` | a word → what it is about | to the word from everything; back from a word that was asked for |
//! | `bears_on`, by what something rests on or stands under alone | a `revocation` → what rests on what it revokes | to the revocation from everything; never back |
//! | `ends`, by a registry's id alone | the end of a registration → the registration | as these |
//! | `supersedes` | newer → older of its kind, by leaf hash | to the newer from everything but words, one step; back from what was asked for |
//! | `member_of`, by the batch's proof alone | a decision → the `decision-batch` that it is a member of | to the batch from everything; never back to a batch's other members |
//! | `observes` | seen in use → the credential | to the observation from what was asked for and what came of it; back from one that was asked for; and through the certificate that it holds |
//! | `external_log` | to another log | not: it is named as leading out of this one |
//!
//! So a decision brings its credential, its policy, who stands behind them and what was said of any of these, and its effects; but not the
//! other decisions under that credential or policy, for through those everything hangs together and the matter would be the log. Whoever wants
//! them starts from the credential or the policy.
//!
//! What an entry names is read in `points`, what a revocation revokes in `revoking`.

use govlog_formats::record::LinkTarget;

use super::handles::{
    DELEGATED_TO, DOMAIN, ISSUED_TO, KEYS_OF, LOCAL_NAMES, NAMED, OWNED, REGISTERED, REGISTRY_ENTRY, RUNS_AS,
};
use crate::verify::join;

/// One thing that an entry names.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The relation.
    pub rel: String,
    /// What is named.
    pub target: LinkTarget,
}

/// How a relation is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// From what happened to what it rests on.
    Causal,
    /// From an identity to who answers for it.
    Owner,
    /// From a word to what it is about.
    About,
    /// From the newer to the older.
    Newer,
    /// From who saw a credential to that credential.
    Seen,
    /// From a decision to the batch that holds it.
    Part,
    /// Out of this log, or unknown.
    Other,
}

/// The class of a relation.
#[must_use]
pub fn class(rel: &str) -> Class {
    match rel {
        "governed_by" | "authenticated_by" | "registered_as" | "attested_by" | "signed_by" | "anchored_in"
        | "on_behalf_of" | "derived_from" | "authorised_by" | "enforces" | "caused_by" | ACTED_AS => Class::Causal,
        OWNED_BY => Class::Owner,
        REVOKES | BEARS_ON | "redacts" | "about" | ENDS => Class::About,
        "supersedes" => Class::Newer,
        "observes" => Class::Seen,
        MEMBER_OF => Class::Part,
        _ => Class::Other,
    }
}

/// The kinds that speak about others: what is looked for about everything.
pub const WORDS: [&str; 5] = ["revocation", "approval", "finding", "redaction", "custody"];

/// The kinds that can be revoked.
pub const REVOCABLE: [&str; 7] =
    ["issuance", "signing-key", "registration", "delegation", "agent", "policy", "federation"];

/// From a revocation to what it revokes.
pub(in crate::custody) const REVOKES: &str = "revokes";
/// From a revocation to what rests on what it revokes.
pub(in crate::custody) const BEARS_ON: &str = "bears_on";
/// By an identity's SPIFFE ID: who answers for it.
pub(super) const OWNED_BY: &str = "owned_by";
/// By a registry's id of it: which registration is no more.
pub(super) const ENDS: &str = "ends";
/// By a decision's agent: what that agent is.
pub(super) const ACTED_AS: &str = "acted_as";
/// By the proof that a decision is a member of it: the batch.
pub(super) const MEMBER_OF: &str = "member_of";

/// Says whether a relation of an entry of this kind says that the other one is revoked: nobody's word but a revocation's.
pub(crate) fn is_revoking(rel: &str, from: &str) -> bool {
    matches!(rel, REVOKES | BEARS_ON) && from == "revocation"
}

/// Says whether any relation by this target can lead to an entry of this kind: a revocation bears the handles of what it revokes, and nobody who
/// names these means the revocation.
pub(in crate::custody) fn can_be_meant(target: &LinkTarget, kind: &str) -> bool {
    govlog_formats::record::RELATIONS.iter().chain(&["", OWNED_BY, ACTED_AS]).any(|rel| {
        let kinds = meant_kinds(rel, target, "");
        kinds.is_empty() || kinds.contains(&kind)
    })
}

/// The kinds that a relation of an entry of this kind can lead to; none: any.
///
/// By leaf hash the entry is named itself. By handle it must be of a kind that such a handle names and such a relation leads to: a revocation bears
/// the handles of a credential, and issued none.
#[must_use]
pub fn meant_kinds(rel: &str, target: &LinkTarget, from: &str) -> Vec<&'static str> {
    let LinkTarget::Handle(handle) = target else { return Vec::new() };
    let by_rel: &'static [&'static str] = match rel {
        "authenticated_by" => &["issuance"],
        // An activation and its policy bear the same digest, and so does every other activation of it.
        "governed_by" if from == "activation" => &["policy"],
        "governed_by" => &["activation", "policy", "issuance"],
        "registered_as" => &["registration"],
        "attested_by" => &["attestation"],
        "signed_by" => &["signing-key"],
        "anchored_in" => &["federation"],
        "on_behalf_of" | "derived_from" => &["delegation"],
        "enforces" => &["decision"],
        OWNED_BY => &["ownership"],
        ACTED_AS => &["agent"],
        _ => &[],
    };
    let by_name: &'static [&'static str] = match handle.name.as_str() {
        "cert_s256" | "tbs_s256" | "serial_aki" => &["issuance"],
        "tok_s256" | "jws_input_s256" | "jti_iss" => &["issuance", "delegation"],
        "spki_s256" | "jkt" => &["issuance", "signing-key"],
        "policy_digest" => &["policy", "activation"],
        "bundle_digest" => &["policy", "activation", "federation"],
        "entry_digest" | REGISTRY_ENTRY => &["registration"],
        "dec" | "op_digest" => &["decision"],
        "attested" => &["attestation"],
        "key_iss" => &["signing-key"],
        OWNED => &["ownership"],
        NAMED => &["registration", "signing-key", "federation", "agent", "policy"],
        ISSUED_TO => &["issuance"],
        REGISTERED => &["registration"],
        RUNS_AS => &["agent", "attestation"],
        DELEGATED_TO => &["delegation"],
        KEYS_OF => &["signing-key"],
        DOMAIN => &["federation"],
        _ => &[],
    };
    match (by_rel, by_name) {
        ([], kinds) | (kinds, []) => kinds.to_vec(),
        (by_rel, by_name) => match by_name.iter().filter(|kind| by_rel.contains(kind)).copied().collect::<Vec<_>>() {
            // Such a relation by such a handle has no meaning: what the relation says counts.
            none if none.is_empty() => by_rel.to_vec(),
            both => both,
        },
    }
}

/// The kinds that are asked who speaks of an entry, by what it is called.
pub(in crate::custody) fn speakers<'k>(target: &LinkTarget, kind: &'k str) -> Vec<&'k str> {
    match target {
        // Whatever takes its place is of its kind, and names it by its leaf hash.
        LinkTarget::Entry(_) | LinkTarget::LogRef { .. } => WORDS.into_iter().chain([kind]).collect(),
        LinkTarget::Handle(handle) if [join::SIG_STRUCTURE, join::PAYLOAD].contains(&handle.name.as_str()) => {
            vec!["approval"]
        }
        LinkTarget::Handle(handle) if handle.name == REGISTRY_ENTRY => vec!["registration"],
        LinkTarget::Handle(handle) if LOCAL_NAMES.contains(&handle.name.as_str()) => vec!["revocation"],
        LinkTarget::Handle(_) => WORDS.to_vec(),
    }
}
