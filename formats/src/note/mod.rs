//! Signed notes: a text, an empty line, signature lines (C2SP signed-note v1.0.0).
//!
//! [`Note::parse`] reads bytes and judges no signature; [`Note::verify`] is the verifier's rule, under which a note with
//! one wrong line is refused as a whole; [`Note::verify_known`] is the witness's, which looks at the lines of the keys it
//! knows and at nothing else. [`NoteSigner`] makes signature lines.

mod key;
mod line;
mod signer;
mod verify;

pub use key::{KeyError, KeyId, KeyName, SignatureAlgorithm, SignatureError, Vkey};
pub use line::{LineError, SignatureLine, parse_lines};
pub use signer::{NoteSigner, SignerError};
pub use verify::{VerifiedNote, VerifiedSignature, VerifyError};

use crate::limits::{MAX_NOTE_BYTES, MAX_SIGNATURE_LINES};

/// A well-formed signed note, of which no signature has been verified.
///
/// [`Note::to_bytes`] gives back exactly the bytes that were parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    lines: Vec<SignatureLine>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// [`NoteError`] says what is malformed and where.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        let note = check_characters(bytes)?;
        // "the text is separated from the signatures by the last empty line in the note" and "The note text includes the
        // final newline but not the separating blank line." (signed-note v1.0.0, Format)
        let separator = note.rfind("\n\n").ok_or(NoteError::NoSeparator)?;
        let (text, rest) = note.split_at(separator + 1);
        let signatures = rest.strip_prefix('\n').unwrap_or_default();
        let first_line = text.matches('\n').count() + 2;
        let lines = parse_lines(signatures).map_err(|fault| fault.below(first_line))?;
        Ok(Self { text: text.to_owned(), lines })
    }

    /// Puts a note together from its text and its signature lines.
    ///
    /// # Errors
    /// [`NoteError`] when the result would not parse: a text without final LF, no line, too many lines, too many bytes.
    pub fn with_lines(text: &str, lines: &[SignatureLine]) -> Result<Self, NoteError> {
        check_text(text)?;
        let note = Self { text: text.to_owned(), lines: lines.to_vec() };
        Self::parse(&note.to_bytes())
    }

    /// Returns the text, its final LF included.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the signature lines in their order.
    #[must_use]
    pub fn lines(&self) -> &[SignatureLine] {
        &self.lines
    }

    /// Writes the note.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl core::fmt::Display for Note {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// Refuses a text that cannot be signed: it has to end in LF and hold no other control character.
pub(crate) fn check_text(text: &str) -> Result<(), NoteError> {
    check_characters(text.as_bytes())?;
    // "A signed note consists of a text ending in newline (U+000A)" (signed-note v1.0.0, Format)
    if text.ends_with('\n') { Ok(()) } else { Err(NoteError::TextUnterminated) }
}

/// Checks size, UTF-8 and control characters.
fn check_characters(bytes: &[u8]) -> Result<&str, NoteError> {
    if bytes.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge { found: bytes.len() });
    }
    // "Signed notes MUST be valid UTF-8 and MUST NOT contain any ASCII control characters (those below U+0020) other than
    // newline." (signed-note v1.0.0, Format)
    let text = core::str::from_utf8(bytes).map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
    match bytes.iter().position(|&b| b < 0x20 && b != b'\n') {
        Some(offset) => Err(NoteError::ControlCharacter { offset }),
        None => Ok(text),
    }
}

/// How bytes fail to be a note.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The note is larger than [`MAX_NOTE_BYTES`].
    #[error("the note has {found} bytes; at most {MAX_NOTE_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the note is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        offset: usize,
    },
    /// A control character other than LF.
    #[error("the note holds a control character at byte {offset}")]
    ControlCharacter {
        /// Its offset.
        offset: usize,
    },
    /// No empty line stands between text and signatures.
    #[error("the note has no empty line between its text and its signatures")]
    NoSeparator,
    /// A text to be signed does not end in LF.
    #[error("the text does not end in a newline")]
    TextUnterminated,
    /// No signature line follows the text.
    #[error("the note has no signature line")]
    NoSignature,
    /// More than [`MAX_SIGNATURE_LINES`] signature lines.
    #[error("the note has more than {MAX_SIGNATURE_LINES} signature lines")]
    TooManyLines,
    /// The last signature line does not end in LF.
    #[error("line {line} of the note does not end in a newline")]
    LineUnterminated {
        /// Its number, from 1.
        line: usize,
    },
    /// A signature line is malformed.
    #[error("line {line} of the note: {fault}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        fault: LineError,
    },
}

impl NoteError {
    /// Counts lines from the start of a note instead of from the start of its signatures.
    fn below(self, first_line: usize) -> Self {
        match self {
            Self::Line { line, fault } => Self::Line { line: line + first_line - 1, fault },
            Self::LineUnterminated { line } => Self::LineUnterminated { line: line + first_line - 1 },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
