//! The JSON view of a record.

use serde_json::Value as Json;

/// Why a view cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct ViewError {
    /// Where, as `links[0].target`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

/// Prints a payload as JSON. `kind`: `decision`, or its content type.
///
/// # Errors
///
/// The payload is not deterministic CBOR, or no map with text keys.
pub fn to_json(kind: &str, payload: &[u8]) -> Result<Json, ViewError> {
    let _ = (kind, payload);
    unimplemented!()
}

/// Encodes a view. Judges no field: [`super::Record::parse`] does.
///
/// # Errors
///
/// A value has no CBOR form, named by its path.
pub fn from_json(kind: &str, view: &Json) -> Result<Vec<u8>, ViewError> {
    let _ = (kind, view);
    unimplemented!()
}

/// Reads JSON text strictly: no key twice in one object, no integer beyond 64 bits.
///
/// # Errors
///
/// As said, or no JSON at all.
pub fn parse_text(text: &str) -> Result<Json, ViewError> {
    let _ = text;
    unimplemented!()
}

/// Adds to a view what it lacks, object by object.
///
/// # Errors
///
/// A value that is there already differs.
pub fn fill(view: &mut serde_json::Map<String, Json>, more: &serde_json::Map<String, Json>) -> Result<(), ViewError> {
    let _ = (view, more);
    unimplemented!()
}
