//! Bodies of a witness's `add-checkpoint` call (C2SP tlog-witness v1.0.0).

use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::digest::Digest;
use crate::limits::MAX_ADD_CHECKPOINT_BYTES;
use crate::merkle::TreeSize;
use crate::note::{Note, NoteError, SignatureLine, parse_lines};

use super::HashLineError;

/// Content type of the body that answers 409. "The response MUST have a `Content-Type` of `text/x.tlog.size`."
pub const TLOG_SIZE: &str = "text/x.tlog.size";

/// A request to cosign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size the log believes the witness cosigned last; 0 for none.
    pub old: TreeSize,
    /// The consistency proof from the old size to the checkpoint's.
    pub proof: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub note: Vec<u8>,
}

impl AddCheckpoint {
    /// Reads a request body. Its note and checkpoint are read as well, so that they are well-formed; nothing is verified.
    ///
    /// "The request body MUST be a sequence of an old size line, zero or more consistency proof lines, and an empty line,
    /// followed by a checkpoint. Each line MUST terminate in a newline character (U+000A)." (tlog-witness v1.0.0,
    /// add-checkpoint)
    ///
    /// # Errors
    /// [`AddCheckpointError`]; a witness answers each of them with 400.
    pub fn parse(body: &[u8]) -> Result<Self, AddCheckpointError> {
        Self::parse_with_note(body).map(|(request, _, _)| request)
    }

    /// Reads a request body and returns the note and checkpoint it carries as well.
    ///
    /// # Errors
    /// As [`AddCheckpoint::parse`].
    pub fn parse_with_note(body: &[u8]) -> Result<(Self, Note, Checkpoint), AddCheckpointError> {
        if body.len() > MAX_ADD_CHECKPOINT_BYTES {
            return Err(AddCheckpointError::TooLarge { found: body.len() });
        }
        let text =
            core::str::from_utf8(body).map_err(|error| AddCheckpointError::NotUtf8 { offset: error.valid_up_to() })?;
        let (old, rest) = read_old(text)?;
        // "Each consistency proof line MUST encode a single hash in base64. The client MUST NOT send more than 63 consistency
        // proof lines." (add-checkpoint)
        let (proof, checkpoint) = super::read_hash_lines(rest).map_err(AddCheckpointError::Proof)?;
        let note = Note::parse(checkpoint.as_bytes())?;
        let parsed = Checkpoint::of_note(&note)?;
        Ok((Self { old, proof, note: checkpoint.as_bytes().to_vec() }, note, parsed))
    }

    /// Writes the request body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        super::write_hash_lines(&mut text, &self.proof);
        let mut body = text.into_bytes();
        body.extend_from_slice(&self.note);
        body
    }
}

/// "The old size line MUST consist of the string `old`, a single space (0x20), and the tree size of the previous checkpoint
/// encoded as an ASCII decimal with no leading zeroes (unless the size is zero, in which case the encoding MUST be `0`)."
/// (add-checkpoint)
fn read_old(text: &str) -> Result<(TreeSize, &str), AddCheckpointError> {
    let (line, rest) = text.split_once('\n').ok_or(AddCheckpointError::Old)?;
    let digits = line.strip_prefix("old ").ok_or(AddCheckpointError::Old)?;
    Ok((digits.parse().map_err(|_| AddCheckpointError::Old)?, rest))
}

/// Reads the body of a 200: the witness's cosignatures, of which none is verified.
///
/// "The response body MUST be a sequence of one or more note signature lines, each starting with the `—` character (U+2014) and
/// ending with a newline character (U+000A)." (add-checkpoint)
///
/// # Errors
/// [`NoteError`]; line numbers count within the body.
pub fn parse_reply(body: &[u8]) -> Result<Vec<SignatureLine>, NoteError> {
    if body.len() > crate::limits::MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge { found: body.len() });
    }
    let text = core::str::from_utf8(body).map_err(|error| NoteError::NotUtf8 { offset: error.valid_up_to() })?;
    parse_lines(text)
}

/// Writes the body of a 200.
#[must_use]
pub fn encode_reply(lines: &[SignatureLine]) -> Vec<u8> {
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

/// Reads the body of a 409: the size the witness cosigned last.
///
/// "The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a newline
/// (U+000A)." (add-checkpoint)
///
/// # Errors
/// [`AddCheckpointError::Conflict`] for anything else, such as an error page.
pub fn parse_conflict_body(body: &[u8]) -> Result<TreeSize, AddCheckpointError> {
    let text = core::str::from_utf8(body).map_err(|_| AddCheckpointError::Conflict)?;
    let digits = text.strip_suffix('\n').ok_or(AddCheckpointError::Conflict)?;
    digits.parse().map_err(|_| AddCheckpointError::Conflict)
}

/// Writes the body of a 409.
#[must_use]
pub fn encode_conflict_body(size: TreeSize) -> Vec<u8> {
    format!("{size}\n").into_bytes()
}

/// Returns the path, below its monitoring prefix, under which a witness serves its newest checkpoint of a log:
/// `<lower-case hex SHA-256 of the origin>/checkpoint`.
#[must_use]
pub fn monitoring_path(origin: &Origin) -> String {
    format!("{}/checkpoint", origin.digest())
}

/// How a body fails to be one of `add-checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddCheckpointError {
    /// The body is larger than [`MAX_ADD_CHECKPOINT_BYTES`].
    #[error("the body has {found} bytes; at most {MAX_ADD_CHECKPOINT_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        offset: usize,
    },
    /// The old size line is missing or malformed.
    #[error("the first line is not `old ` and a tree size in decimal without leading zeros")]
    Old,
    /// The proof lines are malformed.
    #[error("the consistency proof: {0}")]
    Proof(HashLineError),
    /// The checkpoint is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note carries no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The body of a 409 is not a tree size and a newline.
    #[error("the body of a conflict is not a tree size in decimal and a newline")]
    Conflict,
}
