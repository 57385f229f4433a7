//! Request and response bodies between the parties.

pub mod add_checkpoint;

use crate::digest::Digest;
use crate::limits::MAX_PROOF_HASHES;

/// Reads proof hashes, one base64 line each, up to an empty line; returns them and what follows the empty line.
pub(crate) fn read_hash_lines(text: &str) -> Result<(Vec<Digest>, &str), HashLineError> {
    let mut hashes = Vec::new();
    let mut rest = text;
    loop {
        let (line, after) = rest.split_once('\n').ok_or(HashLineError::Unterminated)?;
        rest = after;
        if line.is_empty() {
            return Ok((hashes, rest));
        }
        if hashes.len() == MAX_PROOF_HASHES {
            return Err(HashLineError::TooMany);
        }
        let position = hashes.len() + 1;
        hashes.push(Digest::from_base64(line).map_err(|_| HashLineError::Hash(position))?);
    }
}

/// Writes what [`read_hash_lines`] reads, the empty line included.
pub(crate) fn write_hash_lines(out: &mut String, hashes: &[Digest]) {
    for hash in hashes {
        out.push_str(&hash.to_base64());
        out.push('\n');
    }
    out.push('\n');
}

/// How lines fail to be the hashes of a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashLineError {
    /// No empty line ends the hashes.
    #[error("no empty line follows the hashes")]
    Unterminated,
    /// More than [`MAX_PROOF_HASHES`].
    #[error("more than {MAX_PROOF_HASHES} hashes")]
    TooMany,
    /// A line is not the canonical base64 of 32 bytes; its number among the hashes, from 1.
    #[error("hash {0} is not the base64 of 32 bytes")]
    Hash(usize),
}
