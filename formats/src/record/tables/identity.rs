//! Fields of the identity plane's kind `issuance`.

use super::common::SCHEME_DIGEST;
use super::{CREDENTIAL_TYPES, optional, required};
use crate::record::issuance::{Possession, Stage};
use crate::record::schema::{Group, Shape};

/// Fields of `issuance`.
pub(super) static ISSUANCE: Group = Group {
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
