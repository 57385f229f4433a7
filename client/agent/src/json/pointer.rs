//! JSON pointers (RFC 6901), followed through raw values.

use std::fmt;

use super::{JsonError, Kind, MAX_DEPTH, Object, RawValue, each_element, excerpt, kind};

/// The most bytes a pointer may have: it is written by hand.
const MAX_BYTES: usize = 1024;

/// A JSON pointer: which members and elements lead to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    text: String,
    /// Unescaped.
    tokens: Vec<String>,
}

/// Why text is not a JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PointerError {
    /// It does not begin with a slash.
    #[error("{0} is no JSON pointer: one begins with '/', as \"/input/subject/id\"")]
    Slash(String),
    /// A tilde is followed by something else than 0 or 1.
    #[error("{0} is no JSON pointer: after '~' stands 0 (for '~') or 1 (for '/')")]
    Escape(String),
    /// It is longer, or leads deeper, than values are read.
    #[error("{0} is longer than {MAX_BYTES} bytes or {MAX_DEPTH} steps")]
    Long(String),
}

impl Pointer {
    /// Reads a pointer that leads somewhere; the empty one, which names the whole value, is refused.
    ///
    /// # Errors
    ///
    /// It does not begin with `/`, has a wrong escape, or is too long.
    pub fn parse(text: &str) -> Result<Self, PointerError> {
        let steps = text.strip_prefix('/').ok_or_else(|| PointerError::Slash(excerpt(text)))?;
        if text.len() > MAX_BYTES || steps.split('/').count() > MAX_DEPTH {
            return Err(PointerError::Long(excerpt(text)));
        }
        let tokens = steps.split('/').map(unescape).collect::<Option<_>>();
        let tokens = tokens.ok_or_else(|| PointerError::Escape(excerpt(text)))?;
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// Gives the pointer as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Follows the pointer; `None`: it leads nowhere.
    ///
    /// # Errors
    ///
    /// An object on the way has a member twice, or too many.
    pub fn find<'a>(&self, raw: &'a RawValue) -> Result<Option<&'a RawValue>, JsonError> {
        let mut value = raw;
        for token in &self.tokens {
            match step(value, token)? {
                Some(next) => value = next,
                None => return Ok(None),
            }
        }
        Ok(Some(value))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Follows a pointer given as text; `None`: it leads nowhere, or is none.
///
/// # Errors
///
/// As [`Pointer::find`].
pub fn pointer<'a>(raw: &'a RawValue, text: &str) -> Result<Option<&'a RawValue>, JsonError> {
    match Pointer::parse(text) {
        Ok(pointer) => pointer.find(raw),
        Err(_) => Ok(None),
    }
}

fn step<'a>(raw: &'a RawValue, token: &str) -> Result<Option<&'a RawValue>, JsonError> {
    match kind(raw) {
        Kind::Object => Ok(Object::parse(raw)?.get(token)),
        Kind::Array => element(raw, token),
        Kind::Text | Kind::Number | Kind::Bool | Kind::Null => Ok(None),
    }
}

fn element<'a>(raw: &'a RawValue, token: &str) -> Result<Option<&'a RawValue>, JsonError> {
    // RFC 6901 §4: an index is "0" or digits without a leading zero.
    let digits = token.bytes().all(|byte| byte.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    let Some(wanted) = token.parse::<usize>().ok().filter(|_| digits) else { return Ok(None) };
    let mut position = 0;
    let mut found = None;
    each_element(raw.get(), usize::MAX, |element| {
        if position == wanted {
            found = Some(element);
        }
        position += 1;
    })?;
    Ok(found)
}

fn unescape(token: &str) -> Option<String> {
    let mut parts = token.split('~');
    let mut plain = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = match part.split_at_checked(1)? {
            ("0", rest) => ('~', rest),
            ("1", rest) => ('/', rest),
            _ => return None,
        };
        plain.push(escaped);
        plain.push_str(rest);
    }
    Some(plain)
}
