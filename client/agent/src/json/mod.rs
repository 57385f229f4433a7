//! JSON read without loss: every value keeps the bytes it came in.
//!
//! Numbers are never converted, so 400 digits or `1e999` come through; an object that names a member twice is refused, because two readers
//! could take different ones. Nothing here recurses deeper than [`MAX_DEPTH`].
//!
//! In scope: walking values, their members and elements; a digest of what a value says. Out of scope: what the members mean (the adapters).

mod canonical;
mod object;
mod pointer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
pub use serde_json::value::RawValue;

pub use canonical::{canonical_digest, canonical_digest_without};
pub use object::Object;
pub use pointer::{Pointer, PointerError, pointer};

/// The most objects and arrays that may stand around a value whose digest is taken.
pub const MAX_DEPTH: usize = 64;

/// The most members an object may have to be read: each takes memory of its own.
pub const MAX_MEMBERS: usize = 65_536;

/// How many characters of foreign text an error shows.
const EXCERPT_CHARS: usize = 64;

/// Why bytes cannot be read as the JSON that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The bytes are not UTF-8.
    #[error("not UTF-8 from byte {0} on")]
    Utf8(usize),
    /// The text is not JSON, or not one value.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// A value is of another kind.
    #[error("{found}, should be {expected}")]
    Kind {
        /// What is there.
        found: Kind,
        /// What would be right.
        expected: Kind,
    },
    /// An object names a member twice.
    #[error("an object has a member twice")]
    Duplicate,
    /// An object has more members than are read.
    #[error("an object of more than {0} members")]
    Members(usize),
    /// An array has more elements than are wanted.
    #[error("an array of more than {0} elements")]
    Elements(usize),
    /// Objects and arrays stand in each other too deep.
    #[error("objects and arrays nested deeper than {0}")]
    Depth(usize),
    /// A string holds half of a surrogate pair: it is no text.
    #[error("a string holds half of a surrogate pair")]
    Surrogate,
}

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    Text,
    /// A number of any size.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`
    Null,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "text",
            Self::Number => "a number",
            Self::Bool => "true or false",
            Self::Null => "null",
        })
    }
}

/// Gives the kind of a value.
#[must_use]
pub fn kind(raw: &RawValue) -> Kind {
    kind_of(raw.get()).unwrap_or(Kind::Number)
}

/// Gives the kind of the value that text begins with, if it may be one.
fn kind_of(text: &str) -> Option<Kind> {
    Some(match text.trim_start_matches([' ', '\t', '\n', '\r']).as_bytes().first()? {
        b'{' => Kind::Object,
        b'[' => Kind::Array,
        b'"' => Kind::Text,
        b't' | b'f' => Kind::Bool,
        b'n' => Kind::Null,
        b'-' | b'0'..=b'9' => Kind::Number,
        _ => return None,
    })
}

/// Reads bytes that are one JSON value.
///
/// # Errors
///
/// They are not UTF-8, not JSON, or more than one value.
pub fn value(bytes: &[u8]) -> Result<&RawValue, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| JsonError::Utf8(error.valid_up_to()))?;
    serde_json::from_str(text).map_err(|error| syntax(&error))
}

/// Reads a string.
///
/// # Errors
///
/// The value is another one, or the string holds half of a surrogate pair.
pub fn text(raw: &RawValue) -> Result<Cow<'_, str>, JsonError> {
    expect(raw, Kind::Text)?;
    // What is wrong inside a well-formed string can only be its surrogates.
    serde_json::from_str::<Text<'_>>(raw.get()).map(|text| text.0).map_err(|_| JsonError::Surrogate)
}

/// Reads `true` or `false`.
///
/// # Errors
///
/// The value is another one.
pub fn boolean(raw: &RawValue) -> Result<bool, JsonError> {
    expect(raw, Kind::Bool).map(|()| raw.get() == "true")
}

/// Reads the elements of an array of at most `most`.
///
/// # Errors
///
/// The value is no array, or has more elements: reading stops there.
pub fn array(raw: &RawValue, most: usize) -> Result<Vec<&RawValue>, JsonError> {
    let mut elements = Vec::new();
    each_element(raw.get(), most, |element| elements.push(element))?;
    Ok(elements)
}

/// Hands on each element of an array, in order, as it is read. After an error, those before it have been handed on.
///
/// # Errors
///
/// The text is no array, is not JSON from some element on, or has more than `most` elements: reading stops there.
pub fn each_element<'a>(text: &'a str, most: usize, each: impl FnMut(&'a RawValue)) -> Result<(), JsonError> {
    // Said before parsing: what serde_json says of another kind repeats all of it.
    if let Some(found) = kind_of(text).filter(|found| *found != Kind::Array) {
        return Err(JsonError::Kind { found, expected: Kind::Array });
    }
    let mut refused = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Elements { most, each, refused: &mut refused }.deserialize(&mut deserializer);
    let ended = read.and_then(|()| deserializer.end());
    ended.map_err(|error| refused.unwrap_or_else(|| syntax(&error)))
}

/// Shows foreign text in an error: quoted, escaped, and no more than its beginning.
#[must_use]
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}… ({} bytes)", text.get(..end).unwrap_or_default(), text.len()),
    }
}

/// Whether a value is what its absence says, for serde to leave it out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn expect(raw: &RawValue, expected: Kind) -> Result<(), JsonError> {
    let found = kind(raw);
    if found == expected { Ok(()) } else { Err(JsonError::Kind { found, expected }) }
}

fn syntax(error: &serde_json::Error) -> JsonError {
    JsonError::Syntax(error.to_string())
}

/// A string, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Elements<'s, F> {
    most: usize,
    each: F,
    refused: &'s mut Option<JsonError>,
}

impl<'de, F: FnMut(&'de RawValue)> DeserializeSeed<'de> for Elements<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Elements<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let mut left = self.most;
        while let Some(element) = elements.next_element()? {
            let Some(less) = left.checked_sub(1) else {
                *self.refused = Some(JsonError::Elements(self.most));
                return Err(A::Error::custom("too many elements"));
            };
            left = less;
            (self.each)(element);
        }
        Ok(())
    }
}
