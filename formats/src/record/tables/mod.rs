//! What is known of each kind's fields.
//!
//! The one place that knows: [`super::check`] refuses by it, [`super::view`] prints digests by it, and the files in `cddl/` are its rendering.

use super::schema::{Field, Group, Shape};

mod common;
mod identity;
mod integrity;
mod operation;

pub(crate) use common::{COMMON, HANDLES, LINK_TARGET};
use identity::ISSUANCE;
use integrity::{QUARANTINE, STREAM};
use operation::{DECISION, EFFECT};

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

/// The kinds with a table of their own, in the order of the planes.
pub(crate) static TYPED: [&Group; 5] = [&ISSUANCE, &DECISION, &EFFECT, &STREAM, &QUARANTINE];

/// Gives what is known of a kind's fields; of a kind without a table the common ones. `admission-policy` has neither.
pub(crate) fn group_of(kind: &str) -> &'static Group {
    TYPED.into_iter().find(|group| group.name == kind).unwrap_or(&COMMON)
}

const fn required(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::required(key, shape, about)
}

const fn optional(key: &'static str, shape: Shape, about: &'static str) -> Field {
    Field::optional(key, shape, about)
}
