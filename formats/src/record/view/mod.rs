//! The JSON view of a record: what people write and read.
//!
//! View → CBOR → view and CBOR → view → CBOR are the identity, for every record, well-formed or not in its fields.
//!
//! | CBOR | JSON |
//! |---|---|
//! | integers of 64 bits, text, truth values, null, lists, maps with text keys | themselves |
//! | finite floats | numbers with a fraction or an exponent; read into the shortest exact float |
//! | byte strings | `{"$bytes": "<base64url>"}` |
//! | digest-typed fields of known kinds | lower-case hex; text that stands in such a place is `{"$text": "…"}` |
//! | sealed values | `{"$sealed": "<base64url>", "ref": "<base64url>"}`, `ref` where there is one |
//! | a text key that begins with `$` | gets a second `$` |
//! | NaN and the infinities | `{"$float": "NaN"}`, `"Infinity"`, `"-Infinity"` |
//! | integers below −2⁶³ | `{"$int": "<decimal>"}` |
//! | other tags | `{"$tag": 1, "value": …}` |
//! | maps with keys that are not text | `{"$map": [[key, value], …]}` |
//!
//! An `admission-policy` record has a view of its own, which [`Change`] makes and reads: there a COSE key prints as a JWK.

use std::fmt;

use ciborium::Value;
use serde_json::{Map, Value as Json};

use super::schema::{Group, Shape};
use super::tables::{self, ADMISSION_POLICY};
use crate::admission::Change;
use crate::cbor;

mod fill;
mod print;
mod read;
mod text;

pub use fill::fill;
pub use text::parse_text;

/// Why a view cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewError {
    /// Where, as `links[0].target`, or `line 3`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub why: String,
}

impl std::error::Error for ViewError {}

impl fmt::Display for ViewError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

impl ViewError {
    pub(crate) fn new(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self { path: path.into(), why: why.into() }
    }
}

/// Prints a payload as JSON. `kind`: `decision`, or its content type. Judges no field, but of
/// `admission-policy`.
///
/// # Errors
///
/// The payload is not deterministic CBOR, or not a map with text keys.
pub fn to_json(kind: &str, payload: &[u8]) -> Result<Json, ViewError> {
    let kind = super::short_kind(kind);
    if kind == ADMISSION_POLICY {
        return Change::parse(payload).map(|change| change.to_view()).map_err(|error| whole(&error));
    }
    match &cbor::parse(payload).map_err(|error| whole(&error))? {
        Value::Map(pairs) if has_text_keys(pairs) => Ok(Json::Object(of_map(kind, pairs))),
        _ => Err(whole(&NOT_A_RECORD)),
    }
}

/// Prints a map with text keys.
pub(crate) fn of_map(kind: &str, record: &[(Value, Value)]) -> Object {
    print::print(tables::group_of(kind), record)
}

/// Encodes a view as deterministic CBOR. Judges no field, but of `admission-policy`: [`super::Record::parse`] does.
///
/// # Errors
///
/// A value has no CBOR form, or is not written as [`to_json`] would write it; named by its path.
pub fn from_json(kind: &str, view: &Json) -> Result<Vec<u8>, ViewError> {
    let kind = super::short_kind(kind);
    if kind == ADMISSION_POLICY {
        return Change::from_view(view).map(|change| change.encode()).map_err(|error| whole(&error));
    }
    let value = read::read(tables::group_of(kind), view)?;
    if !value.as_map().is_some_and(|pairs| has_text_keys(pairs)) {
        return Err(whole(&NOT_A_RECORD));
    }
    let bytes = cbor::to_deterministic(&value);
    cbor::check_deterministic(&bytes).map_err(|error| whole(&error))?;
    Ok(bytes)
}

const NOT_A_RECORD: &str = "a record is a map with text keys";

/// Says what is wrong with a record as a whole.
fn whole(why: &impl fmt::Display) -> ViewError {
    ViewError::new("record", why.to_string())
}

fn has_text_keys(pairs: &[(Value, Value)]) -> bool {
    pairs.iter().all(|(key, _)| key.is_text())
}

/// Gives the shape of a record's field: its kind's, or the common one.
fn shape_of_key(group: &'static Group, key: &str) -> &'static Shape {
    match group.shape_of(key) {
        Shape::Any => tables::COMMON.shape_of(key),
        shape => shape,
    }
}

/// An object that stands for something JSON does not have begins with one `$`.
const MARK: char = '$';

type Object = Map<String, Json>;

#[cfg(test)]
mod tests;
