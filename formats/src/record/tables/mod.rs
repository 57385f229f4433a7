//! What is known of each kind's fields.
//!
//! The one place that knows: [`super::check`] refuses by it, [`super::view`] prints digests by it, and the files in `cddl/` are its rendering.

use super::schema::{Field, Group, Shape};

mod common;
mod governance;
mod identity;
mod integrity;
mod operation;

pub(crate) use common::{COMMON, HANDLES};
use governance::{ACTIVATION, AGENT, APPROVAL, OWNERSHIP, POLICY};
use identity::{ATTESTATION, FEDERATION, ISSUANCE, REGISTRATION, REVOCATION, SIGNING_KEY};
use integrity::{ANCHOR, CUSTODY, FINDING, GAP, QUARANTINE, REDACTION, STREAM};
use operation::{DECISION, DECISION_BATCH, DELEGATION, EFFECT, OBSERVATION};

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

/// The fields of every kind but `admission-policy`, in the order of the planes.
pub(crate) static TYPED: [&Group; 23] = [
    &POLICY,
    &ACTIVATION,
    &APPROVAL,
    &OWNERSHIP,
    &AGENT,
    &REGISTRATION,
    &ATTESTATION,
    &ISSUANCE,
    &SIGNING_KEY,
    &REVOCATION,
    &FEDERATION,
    &DELEGATION,
    &DECISION,
    &DECISION_BATCH,
    &EFFECT,
    &OBSERVATION,
    &STREAM,
    &GAP,
    &QUARANTINE,
    &REDACTION,
    &FINDING,
    &CUSTODY,
    &ANCHOR,
];

/// Gives what is known of a kind's fields; of an unknown kind the common ones. `admission-policy` has neither.
pub(crate) fn group_of(kind: &str) -> &'static Group {
    TYPED.into_iter().find(|group| group.name == kind).unwrap_or(&COMMON)
}

/// Gives the fields that records of a kind are to be found by, as paths: `subject.credential.handle`, `policies[].policy_digest`.
#[must_use]
pub fn indexed_fields(kind: &str) -> Vec<String> {
    let kind = super::short_kind(kind);
    let mut found = Vec::new();
    if kind != ADMISSION_POLICY {
        let group = group_of(kind);
        group.indexed("", &mut found);
        if group.name != COMMON.name {
            COMMON.indexed("", &mut found);
        }
    }
    found
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::required(key, shape, about)
}

const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::optional(key, shape, about)
}
