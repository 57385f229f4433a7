//! The columns: what a term is of, and the names under which filters ask for it.

use core::fmt;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::record::schema::{Field, Group, Shape};
use crate::record::tables::{COMMON, TYPED};

/// What a term is of: `kind`, `policy`, `credential` and so on; also the name of the parameter that asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column(&'static str);

macro_rules! columns {
    ($($(#[$about:meta])* $constant:ident = $name:literal: $text:literal,)+) => {
        impl Column {
            $(#[doc = $text] pub const $constant: Self = Self($name);)+
        }

        /// The columns that are more than one field of one name, each with what it is.
        const NAMED: &[(Column, &str)] = &[$((Column::$constant, $text)),+];
    };
}

columns! {
    KIND = "kind": "kind of the record, or content type",
    ISSUER = "issuer": "who signed: iss",
    SUBJECT = "subject": "what it is about: sub, or the record's own subject",
    STREAM = "stream": "name of the stream it stands in",
    SIGNER = "signer": "key it was signed with: kid, or a digest of the certificate or of its key",
    LEAF = "leaf": "its own leaf hash",
    SIG_STRUCTURE = "sig_structure": "digest of its own Sig_structure",
    PAYLOAD = "payload": "SHA-256 of its own payload, or the digest that is its payload",
    DECISION = "decision": "decision id, alone or as ISSUER,ID",
    TRACE = "trace": "trace id",
    SPAN = "span": "span id",
    REQUEST = "request": "request id",
    TXN = "txn": "transaction id",
    POLICY = "policy": "policy or bundle: digest, revision or name",
    CREDENTIAL = "credential": "any handle of a credential: a digest, a serial number, a token id",
    KEY = "key": "a key: spki_s256, jkt, kid or key id",
    RESOURCE = "resource": "resource: its id, or TYPE:ID",
    ENTRY = "entry": "registration entry: its id, or entry_digest",
    AGENT = "agent": "id of an AI agent",
    PARTY = "party": "anybody who takes part: delegator, delegate, actor, caller, performer, attested, or what an agent runs as",
    HANDLE = "handle": "any handle, as NAME:VALUE",
    LINKS_TO = "links_to": "leaf hash of an entry it points at",
    LOG_REF = "log_ref": "entry of any log it points at, as ORIGIN,INDEX",
    SEALED = "sealed": "ref of a sealed value in it",
}

/// Fields that answer under another name than their own.
const OTHER_NAMES: [(&str, Column); 18] = [
    ("agent_id", Column::AGENT),
    ("bundle_digest", Column::POLICY),
    ("capture", Column::POLICY),
    ("decision_id", Column::DECISION),
    ("entry_digest", Column::ENTRY),
    ("entry_id", Column::ENTRY),
    ("issuer_key_id", Column::KEY),
    ("key_id", Column::KEY),
    ("name", Column::POLICY),
    ("performer", Column::PARTY),
    ("policy_digest", Column::POLICY),
    ("request_id", Column::REQUEST),
    ("revision", Column::POLICY),
    ("runs_as", Column::PARTY),
    ("serial", Column::CREDENTIAL),
    ("span_id", Column::SPAN),
    ("spki_s256", Column::KEY),
    ("trace_id", Column::TRACE),
];

/// "besides kind, iss, sub, stream, time and correlation ids" (`formats/RECORDS.md`): found whatever the tables say.
const CORRELATION: [&str; 4] = ["trace_id", "span_id", "request_id", "txn"];

static ALL: LazyLock<Vec<Column>> = LazyLock::new(|| {
    let mut found: BTreeSet<Column> = NAMED.iter().map(|(column, _)| *column).collect();
    TYPED.into_iter().chain([&COMMON]).for_each(|group| below(group, group.name, &mut found));
    found.into_iter().collect()
});

impl Column {
    /// Finds a column by its name; `-` may stand for `_`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.replace('-', "_");
        ALL.iter().find(|column| column.0 == name).copied()
    }

    /// All columns, by name.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &ALL
    }

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// Says what it is, in one line: of a field what its table says.
    #[must_use]
    pub fn about(self) -> String {
        if let Some((_, about)) = NAMED.iter().find(|(column, _)| *column == self) {
            return (*about).to_owned();
        }
        let said = |is_found_by| TYPED.into_iter().chain([&COMMON]).find_map(|group| said(group, self.0, is_found_by));
        match said(true).or_else(|| said(false)).filter(|about| !about.is_empty()) {
            Some(about) => format!("field `{}`: {about}", self.0),
            None => format!("field `{}` of a record", self.0),
        }
    }

    /// Gives the form of the values that are taken, as the regular expression of a JSON schema; any text that is not empty where there is none.
    #[must_use]
    pub fn pattern(self) -> Option<&'static str> {
        match self {
            Self::LEAF | Self::LINKS_TO | Self::SIG_STRUCTURE | Self::PAYLOAD => {
                Some(r"^\s*(sha256:)?:*([0-9A-Fa-f]:*){64}\s*$")
            }
            Self::HANDLE => Some(r"^[^:]+:[\s\S]+$"),
            _ => None,
        }
    }

    /// Says whether a field is one that entries are found by.
    pub(super) fn is_found_by(field: &Field) -> bool {
        field.indexed || CORRELATION.contains(&field.key)
    }

    /// Gives the columns that a field answers under. `group` is the map it stands in, `under` the field that holds that map.
    pub(super) fn of_field(group: &Group, field: &'static Field, under: &'static str) -> Vec<Self> {
        match (group.name, field.key, innermost(&field.shape)) {
            // Their handles have columns of their own.
            (.., Shape::Map(handles) | Shape::Pair(handles)) if handles.name == "handles" => Vec::new(),
            // Times are no terms.
            (.., Shape::Millis) => Vec::new(),
            ("party", "id", _) => vec![Self::PARTY, Self(under)],
            ("subject", "id", _) => vec![Self::SUBJECT],
            (_, key, _) => {
                let other = OTHER_NAMES.iter().find(|(name, _)| *name == key).map(|(_, column)| *column);
                vec![other.unwrap_or(Self(key))]
            }
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Adds the columns of the fields in a map, and in the maps below it.
fn below(group: &'static Group, under: &'static str, found: &mut BTreeSet<Column>) {
    for field in group.fields {
        if Column::is_found_by(field) {
            found.extend(Column::of_field(group, field, under));
        } else if let Shape::Map(inner) | Shape::OneOf(inner) = innermost(&field.shape) {
            below(inner, field.key, found);
        }
    }
}

/// What the tables say of a field of this name, in a map or in the maps below it; of those that entries are found by, or of any.
fn said(group: &'static Group, key: &str, is_found_by: bool) -> Option<&'static str> {
    let is_it = |field: &&Field| field.key == key && (!is_found_by || Column::is_found_by(field));
    let below = || {
        group.fields.iter().find_map(|field| match innermost(&field.shape) {
            Shape::Map(inner) | Shape::OneOf(inner) => said(inner, key, is_found_by),
            _ => None,
        })
    };
    group.fields.iter().find(is_it).map(|field| field.about).or_else(below)
}

fn innermost(shape: &'static Shape) -> &'static Shape {
    match shape {
        Shape::List(of) | Shape::Each(of) => innermost(of),
        other => other,
    }
}
