//! Signature lines.

use core::fmt;
use core::str::FromStr;

use super::{KeyError, KeyId, KeyName, NoteError};
use crate::base64;
use crate::limits::{MAX_NOTE_BYTES, MAX_SIGNATURE_LINES};

/// One signature line of a note: who is said to have signed, and the signature's bytes.
///
/// Prints and parses as `— <name> <base64 of key ID and signature>`, without the LF.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignatureLine {
    name: KeyName,
    id: KeyId,
    bytes: Vec<u8>,
}

/// "em dash (U+2014), space (U+0020), key name, space, base64-encoded signature, newline" (signed-note v1.0.0, Format)
const LINE_START: &str = "\u{2014} ";

impl SignatureLine {
    /// Makes a line of its parts; `bytes` are those after the key ID.
    ///
    /// # Errors
    /// [`LineError::NoSignature`] when there are none.
    pub fn new(name: KeyName, id: KeyId, bytes: Vec<u8>) -> Result<Self, LineError> {
        if bytes.is_empty() {
            return Err(LineError::NoSignature);
        }
        Ok(Self { name, id, bytes })
    }

    /// Returns the name of the key that is said to have signed.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns the ID of the key that is said to have signed.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the signature: the bytes after the key ID, the timestamp of a cosignature included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.as_bytes().to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "{LINE_START}{} {}", self.name, base64::encode(&bytes))
    }
}

impl FromStr for SignatureLine {
    type Err = LineError;

    fn from_str(line: &str) -> Result<Self, LineError> {
        let rest = line.strip_prefix(LINE_START).ok_or(LineError::Start)?;
        let (name, data) = rest.split_once(' ').ok_or(LineError::Parts)?;
        let name = KeyName::new(name)?;
        // Canonical only: a second spelling of the same signature would be a second set of bytes for one note.
        let decoded = base64::decode(data).map_err(|_| LineError::Base64)?;
        // "The first four bytes in the signature are the uint32 key ID stored in big-endian order." (Format)
        let (id, bytes) = decoded.split_first_chunk::<4>().ok_or(LineError::NoSignature)?;
        Self::new(name, KeyId::from_bytes(*id), bytes.to_vec())
    }
}

/// Reads signature lines that stand alone, each ended by LF: the end of a note, or a witness's answer.
///
/// # Errors
/// [`NoteError`]; line numbers count from the first signature line.
pub fn parse_lines(text: &str) -> Result<Vec<SignatureLine>, NoteError> {
    if text.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge { found: text.len() });
    }
    if text.is_empty() {
        return Err(NoteError::NoSignature);
    }
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let number = lines.len() + 1;
        if number > MAX_SIGNATURE_LINES {
            return Err(NoteError::TooManyLines);
        }
        let (line, after) = rest.split_once('\n').ok_or(NoteError::LineUnterminated { line: number })?;
        lines.push(line.parse().map_err(|fault| NoteError::Line { line: number, fault })?);
        rest = after;
    }
    Ok(lines)
}

/// How a line fails to be a signature line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// The line does not begin with an em dash and a space.
    #[error("a signature line begins with an em dash (U+2014) and a space")]
    Start,
    /// The line has no space between key name and signature.
    #[error("a signature line has a key name, a space and base64")]
    Parts,
    /// The key name is not one.
    #[error(transparent)]
    Name(#[from] KeyError),
    /// The signature is not canonical base64.
    #[error("the signature is not canonical base64 with padding")]
    Base64,
    /// No signature bytes follow the key ID.
    #[error("the signature has no bytes after the 4-byte key ID")]
    NoSignature,
}
