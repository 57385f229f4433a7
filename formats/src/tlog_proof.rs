//! Proof files: an index, an inclusion proof and the checkpoint they belong to (C2SP tlog-proof, main of 2026-05-22).
//!
//! The entry itself is not inside: whoever verifies brings its leaf hash.

use crate::base64;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::digest::Digest;
use crate::limits::{MAX_PROOF_HASHES, MAX_TLOG_PROOF_BYTES};
use crate::merkle::{InclusionProof, LeafIndex, ProofError};
use crate::note::{Note, NoteError};
use crate::tlog_policy::{Policy, PolicyVerifyError, VerifiedCheckpoint};
use crate::wire::HashLineError;

/// A proof that something was logged, for files with the extension `.tlog-proof`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Extra data. "Applications MUST NOT implicitly trust the extra data, as it is not authenticated." Never empty when
    /// parsed; empty is printed like none.
    pub extra: Option<Vec<u8>>,
    /// The zero-based index of the entry.
    pub index: LeafIndex,
    /// The inclusion proof, "starting from the leaf's sibling hash up to the root's child hash".
    pub path: Vec<Digest>,
    /// The signed checkpoint, verbatim.
    pub checkpoint: Vec<u8>,
}

impl TlogProof {
    /// Reads a proof file. Its note and checkpoint are read as well, so that they are well-formed; nothing is verified.
    ///
    /// # Errors
    /// [`TlogProofError`] says what is malformed.
    pub fn parse(file: &[u8]) -> Result<Self, TlogProofError> {
        if file.len() > MAX_TLOG_PROOF_BYTES {
            return Err(TlogProofError::TooLarge { found: file.len() });
        }
        let text =
            core::str::from_utf8(file).map_err(|error| TlogProofError::NotUtf8 { offset: error.valid_up_to() })?;
        // "The first line MUST be the string `c2sp.org/tlog-proof@v1`." (Format)
        let rest = text.strip_prefix(HEADER).ok_or(TlogProofError::Header)?;
        let (extra, rest) = read_extra(rest)?;
        let (index, rest) = read_index(rest)?;
        let (path, checkpoint) = crate::wire::read_hash_lines(rest).map_err(TlogProofError::Path)?;
        // "After the inclusion proof lines and an empty line, the checkpoint issued by the log is included verbatim" (Format)
        Checkpoint::of_note(&Note::parse(checkpoint.as_bytes())?)?;
        Ok(Self { extra, index, path, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// Writes the proof file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = String::from(HEADER);
        // "If no extra data is present, this line is omitted." (Format)
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            text.push_str(&format!("extra {}\n", base64::encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        crate::wire::write_hash_lines(&mut text, &self.path);
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.checkpoint);
        bytes
    }

    /// Verifies the proof for an entry's leaf hash.
    ///
    /// What comes back is signed by a log of the policy and covers the entry at the index. Whether witnesses enough have
    /// cosigned is for the caller to ask: [`VerifiedCheckpoint::quorum`].
    ///
    /// # Errors
    /// [`TlogProofVerifyError`] when the checkpoint is refused or the proof does not lead to its root.
    pub fn verify(&self, leaf_hash: &Digest, policy: &Policy) -> Result<VerifiedCheckpoint, TlogProofVerifyError> {
        let verified = policy.verify_checkpoint(&self.checkpoint)?;
        let checkpoint = verified.checkpoint();
        let proof = InclusionProof { index: self.index, size: checkpoint.size, path: self.path.clone() };
        proof.verify(leaf_hash, &checkpoint.root)?;
        Ok(verified)
    }
}

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// "The second line MAY start with the string `extra` followed by a space (U+0020) and base64-encoded opaque extra data. If no
/// extra data is present, this line is omitted." (Format)
fn read_extra(text: &str) -> Result<(Option<Vec<u8>>, &str), TlogProofError> {
    let Some(rest) = text.strip_prefix("extra ") else {
        return Ok((None, text));
    };
    let (line, rest) = rest.split_once('\n').ok_or(TlogProofError::Extra)?;
    let extra = base64::decode(line).map_err(|_| TlogProofError::Extra)?;
    if extra.is_empty() { Err(TlogProofError::Extra) } else { Ok((Some(extra), rest)) }
}

/// "The next line MUST start with the string `index` followed by a space (U+0020) and the zero-based index of the entry in the
/// log, represented as an ASCII decimal with no leading zeroes (unless the index is `0`)." (Format)
fn read_index(text: &str) -> Result<(LeafIndex, &str), TlogProofError> {
    let (line, rest) = text.split_once('\n').ok_or(TlogProofError::Index)?;
    let digits = line.strip_prefix("index ").ok_or(TlogProofError::Index)?;
    let index = digits.parse().map_err(|_| TlogProofError::Index)?;
    Ok((index, rest))
}

/// How bytes fail to be a proof file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// The file is larger than [`MAX_TLOG_PROOF_BYTES`].
    #[error("the proof file has {found} bytes; at most {MAX_TLOG_PROOF_BYTES} are read")]
    TooLarge {
        /// Bytes found.
        found: usize,
    },
    /// The bytes are not UTF-8.
    #[error("the proof file is not UTF-8 at byte {offset}")]
    NotUtf8 {
        /// Offset of the first byte that is not.
        offset: usize,
    },
    /// The first line is another.
    #[error("the first line of a proof file is c2sp.org/tlog-proof@v1")]
    Header,
    /// The extra line is malformed.
    #[error("the extra line is not `extra ` and the base64 of at least one byte")]
    Extra,
    /// The index line is missing or malformed.
    #[error("the index line is not `index ` and a decimal without leading zeros")]
    Index,
    /// A line of the inclusion proof is malformed, there are more than [`MAX_PROOF_HASHES`], or no empty line ends them.
    #[error("the inclusion proof: {0}; at most {MAX_PROOF_HASHES} lines of base64 and then an empty line")]
    Path(HashLineError),
    /// The checkpoint is no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note carries no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

/// Why a well-formed proof does not prove what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofVerifyError {
    /// The checkpoint is refused under the policy.
    #[error(transparent)]
    Checkpoint(#[from] PolicyVerifyError),
    /// The inclusion proof does not lead from the leaf hash to the checkpoint's root.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}
