//! A term: one thing by which an entry is found.

use core::fmt;

use ciborium::Value;

use super::Column;
use super::filter::FilterError;
use super::text::{self, canonical, canonical_list, digits, join};
use crate::digest::Digest;
use crate::record::{Handle, LinkTarget};
use crate::statement::kind_of;

/// A column and a value in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    column: Column,
    value: String,
}

impl Term {
    /// Takes what somebody asks for: digests as people copy them, a kind as its content type, and so on.
    ///
    /// # Errors
    ///
    /// The value is empty, or not of the form its column has.
    pub fn new(column: Column, text: &str) -> Result<Self, FilterError> {
        let wrong = |expected| FilterError::Value { column, value: text.to_owned(), expected };
        let value = match column {
            _ if text.is_empty() => return Err(wrong("a value that is not empty")),
            Column::KIND => kind_of(text).unwrap_or(text).to_owned(),
            Column::LEAF | Column::LINKS_TO | Column::SIG_STRUCTURE | Column::PAYLOAD => {
                Digest::from_hex_lenient(text).map_err(|_| wrong("a digest in hex, 64 digits"))?.to_string()
            }
            Column::HANDLE => match text.split_once(':') {
                Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                    format!("{name}:{}", canonical_list(value))
                }
                _ => return Err(wrong("the name of a handle and its value, as cert_s256:292c42db… or dec:ISSUER,ID")),
            },
            column if column.is_list() => canonical_list(text),
            _ => canonical(text),
        };
        Ok(Self { column, value })
    }

    /// Takes a text of an entry.
    pub(super) fn found(column: Column, value: String) -> Self {
        Self { column, value }
    }

    /// Gives the term of an entry that bears a handle, or links to it. `None`: no entry is found by a value of that form.
    #[must_use]
    pub fn of_handle(handle: &Handle) -> Option<Self> {
        let value = handle_values(&handle.value).pop()?;
        Some(Self { column: Column::HANDLE, value: format!("{}:{value}", handle.name) })
    }

    /// Gives the term of an entry with this leaf hash.
    #[must_use]
    pub fn of_leaf(leaf: &Digest) -> Self {
        Self { column: Column::LEAF, value: leaf.to_string() }
    }

    /// Gives the term of every entry that points at the one with this leaf hash.
    #[must_use]
    pub fn of_links_to(leaf: &Digest) -> Self {
        Self { column: Column::LINKS_TO, value: leaf.to_string() }
    }

    /// Gives the term of the entry that a link leads to, or of those that bear the handle it names.
    #[must_use]
    pub fn of_target(target: &LinkTarget) -> Option<Self> {
        match target {
            LinkTarget::Entry(leaf) | LinkTarget::LogRef { leaf, .. } => Some(Self::of_leaf(leaf)),
            LinkTarget::Handle(handle) => Self::of_handle(handle),
        }
    }

    /// The column.
    #[must_use]
    pub const fn column(&self) -> Column {
        self.column
    }

    /// The value, in its one spelling.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.column, self.value)
    }
}

impl Column {
    /// Says whether values of this column can be of several parts, as `ISSUER,ID`.
    pub(super) fn is_list(self) -> bool {
        matches!(self, Self::CREDENTIAL | Self::KEY | Self::DECISION | Self::LOG_REF)
    }
}

/// Gives the spellings of a handle's value, the whole one last: of a digest beside its algorithm the digest alone, too.
pub(super) fn handle_values(value: &Value) -> Vec<String> {
    if let Some(single) = text::single(value) {
        return vec![join([&*single].into_iter())];
    }
    if let Some(pairs) = value.as_map() {
        return log_ref(pairs).into_iter().collect();
    }
    match scheme_digest(value) {
        Some(values) => values,
        None => text::parts(value).map(|parts| join(parts.iter().map(String::as_str))).into_iter().collect(),
    }
}

/// `[scheme, digest]`: text and bytes, and no other handle has that form.
pub(super) fn scheme_digest(value: &Value) -> Option<Vec<String>> {
    let [Value::Text(scheme), Value::Bytes(digest)] = value.as_array()?.as_slice() else { return None };
    let digest = digits(digest);
    let whole = canonical(&format!("{scheme}:{digest}"));
    let is_plain = !scheme.contains([',', '\\', ':']) && whole != digest;
    Some(if is_plain { vec![digest, whole] } else { vec![digest] })
}

/// `ORIGIN,INDEX,LEAF`.
fn log_ref(pairs: &[(Value, Value)]) -> Option<String> {
    let part = |key: &str| crate::record::find(pairs, key).and_then(text::single);
    let parts = [part("origin")?, part("index")?, part("leaf")?];
    Some(join(parts.iter().map(String::as_str)))
}
