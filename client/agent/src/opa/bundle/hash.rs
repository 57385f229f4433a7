//! Hashes of a bundle's files, as OPA takes them: of `data.json` and `.manifest` what they say, of all else the bytes.

use govlog_formats::digest::Digest;
use sha2::{Digest as _, Sha384, Sha512, Sha512_256};

use crate::json::{self, JsonError, Kind, MAX_DEPTH, Object, RawValue};

/// The most elements of one array in a bundle's data.
const MAX_ELEMENTS: usize = 1 << 20;

/// An algorithm by which a signature names files. Of those that OPA knows the ones for which nobody makes two files of one hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// SHA-512/256.
    Sha512256,
}

impl Hashing {
    const ALL: [Self; 4] = [Self::Sha256, Self::Sha384, Self::Sha512, Self::Sha512256];

    /// Finds one by the name that OPA gives it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hashing| hashing.name() == name)
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
            Self::Sha512256 => "SHA-512-256",
        }
    }

    pub(super) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Digest::sha256(bytes).as_bytes().to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
            Self::Sha512256 => Sha512_256::digest(bytes).to_vec(),
        }
    }
}

/// Writes what OPA hashes of a JSON value: no spaces, members in ascending order of their names' bytes, numbers as they came, strings as Go writes
/// them.
pub(super) fn structured(value: &RawValue) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::new();
    write(value, 0, &mut out)?;
    Ok(out)
}

fn write(value: &RawValue, depth: usize, out: &mut Vec<u8>) -> Result<(), JsonError> {
    match json::kind(value) {
        Kind::Object | Kind::Array if depth == MAX_DEPTH => return Err(JsonError::Depth(MAX_DEPTH)),
        Kind::Object => {
            let object = Object::parse(value)?;
            let mut members: Vec<(&str, &RawValue)> = object.members().map(|(name, value)| (&**name, value)).collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (position, (name, value)) in members.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                string(name, out);
                out.push(b':');
                write(value, depth + 1, out)?;
            }
            out.push(b'}');
        }
        Kind::Array => {
            out.push(b'[');
            for (position, value) in json::array(value, MAX_ELEMENTS)?.into_iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write(value, depth + 1, out)?;
            }
            out.push(b']');
        }
        Kind::Text => string(&json::text(value)?, out),
        Kind::Number | Kind::Bool | Kind::Null => out.extend_from_slice(value.get().as_bytes()),
    }
    Ok(())
}

/// Writes a string as Go's JSON encoder does where it does not escape HTML.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            // Line ends in JavaScript, which Go escapes always.
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(c)).as_bytes());
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}
