//! Judging a checkpoint by a policy.

use super::{Policy, QuorumVerdict, Word};
use crate::checkpoint::{Checkpoint, CheckpointError, Origin};
use crate::merkle::EMPTY_ROOT;
use crate::note::{Note, NoteError, SignatureLine, VerifiedNote, VerifyError, Vkey};

/// A cosignature that verified, of a witness of the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The witness's name in the policy.
    pub witness: Word,
    /// The key it verified under.
    pub key: Vkey,
    /// When the witness says it cosigned, in POSIX seconds; between 1 and 2^63 − 1.
    pub timestamp: u64,
}

/// A checkpoint that a log of the policy signed, with the cosignatures that count.
///
/// Only [`Policy::verify_checkpoint`] makes one. It does not say that the quorum is met: [`VerifiedCheckpoint::quorum`]
/// does, or [`VerifiedCheckpoint::require_quorum`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    log: Vkey,
    cosigned: Vec<Cosigned>,
    ignored: Vec<SignatureLine>,
    quorum: QuorumVerdict,
    upper_time: Option<u64>,
    lower_time: Option<u64>,
}

impl Policy {
    /// Judges a note as a checkpoint of one of the policy's logs.
    ///
    /// "a checkpoint is considered valid if it is signed by any one of the listed logs, and it is cosigned by witnesses
    /// according to the defined quorum rule" (tlog-policy, main of 2026-06-22): the first half is judged here, with the
    /// strict rule of [`Note::verify`] for every line; the second half is in the result.
    ///
    /// Times are reported as signed. "verifiers MAY reject cosignatures with timestamps in the future" (tlog-cosignature
    /// v1.0.0, Format): whoever has a clock asks [`VerifiedCheckpoint::ahead_of`].
    ///
    /// # Errors
    /// [`PolicyVerifyError`] refuses the note as a whole.
    pub fn verify_checkpoint(&self, note: &[u8]) -> Result<VerifiedCheckpoint, PolicyVerifyError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::of_note(&note)?;
        if self.logs_of(&checkpoint.origin).next().is_none() {
            return Err(PolicyVerifyError::UnknownOrigin(checkpoint.origin));
        }
        // "Root of the empty tree is SHA-256 of the empty string" (RFC 6962, 2.1: "MTH({}) = SHA-256()")
        if checkpoint.size.get() == 0 && checkpoint.root != EMPTY_ROOT {
            return Err(PolicyVerifyError::EmptyRoot);
        }
        let logs = self.logs.iter().map(|log| &log.vkey);
        let known: Vec<Vkey> = logs.chain(self.witnesses.iter().map(|witness| &witness.vkey)).cloned().collect();
        let verified = note.verify(&known)?;
        let log = self.log_that_signed(&checkpoint.origin, &verified)?;
        Ok(self.conclude(checkpoint, note, log, &verified))
    }

    /// Only a key that has the origin for a name speaks for the log: another log of the policy cannot.
    fn log_that_signed(&self, origin: &Origin, verified: &VerifiedNote) -> Result<Vkey, PolicyVerifyError> {
        let signed = |key: &&Vkey| verified.signatures().iter().any(|signature| signature.key == **key);
        let key = self.logs_of(origin).map(|log| &log.vkey).find(signed);
        key.cloned().ok_or_else(|| PolicyVerifyError::NotSignedByLog(origin.clone()))
    }

    fn conclude(&self, checkpoint: Checkpoint, note: Note, log: Vkey, verified: &VerifiedNote) -> VerifiedCheckpoint {
        let time_of = |key: &Vkey| {
            let signature = verified.signatures().iter().find(|signature| signature.key == *key);
            signature.and_then(|signature| signature.timestamp)
        };
        let cosigned = self.witnesses.iter().filter_map(|witness| {
            let timestamp = time_of(&witness.vkey)?;
            Some(Cosigned { witness: witness.name.clone(), key: witness.vkey.clone(), timestamp })
        });
        VerifiedCheckpoint {
            cosigned: cosigned.collect(),
            ignored: verified.ignored().to_vec(),
            quorum: self.judge_quorum(|witness| time_of(&witness.vkey).is_some()),
            upper_time: self.upper_time(|witness| time_of(&witness.vkey)),
            lower_time: self.lower_time(|witness| time_of(&witness.vkey)),
            checkpoint,
            note,
            log,
        }
    }
}

impl VerifiedCheckpoint {
    /// Returns what the log signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the note as it was judged.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// Returns the log key whose signature verified.
    #[must_use]
    pub const fn log(&self) -> &Vkey {
        &self.log
    }

    /// Returns the cosignatures of the policy's witnesses, in the policy's order.
    #[must_use]
    pub fn cosigned(&self) -> &[Cosigned] {
        &self.cosigned
    }

    /// Returns the lines of keys the policy does not name.
    #[must_use]
    pub fn ignored(&self) -> &[SignatureLine] {
        &self.ignored
    }

    /// Returns how the checkpoint stands with the quorum.
    #[must_use]
    pub const fn quorum(&self) -> &QuorumVerdict {
        &self.quorum
    }

    /// Hands the checkpoint on only if it meets the quorum.
    ///
    /// # Errors
    /// The verdict, which says who is missing.
    pub fn require_quorum(self) -> Result<Self, QuorumVerdict> {
        if self.quorum.met() { Ok(self) } else { Err(self.quorum) }
    }

    /// Returns the upper time bound in POSIX seconds: by then a quorum had cosigned, so everything the checkpoint covers
    /// was there. `None` when the quorum is not met or none is required. See [`Policy::upper_time`].
    #[must_use]
    pub const fn upper_time(&self) -> Option<u64> {
        self.upper_time
    }

    /// Returns the lower time bound in POSIX seconds for whatever was made with knowledge of this note: a whole quorum
    /// cosigned no earlier. `None` when the quorum is not met or none is required. See [`Policy::lower_time`].
    #[must_use]
    pub const fn lower_time(&self) -> Option<u64> {
        self.lower_time
    }

    /// Returns the cosignatures that state a time after `now` (POSIX seconds, the caller's clock and skew included).
    pub fn ahead_of(&self, now: u64) -> impl Iterator<Item = &Cosigned> {
        self.cosigned.iter().filter(move |cosigned| cosigned.timestamp > now)
    }
}

/// Why a note is refused as a checkpoint under a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyVerifyError {
    /// The bytes are no note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A signature line speaks against the note, or no known key signed it.
    #[error(transparent)]
    Signatures(#[from] VerifyError),
    /// The policy lists no log of this origin.
    #[error("the policy lists no log named {0}")]
    UnknownOrigin(Origin),
    /// None of the origin's keys signed.
    #[error("no key the policy lists for log {0} signed the checkpoint")]
    NotSignedByLog(Origin),
    /// An empty tree with a root that is not its.
    #[error("the checkpoint is of size 0, but its root hash is not that of the empty tree")]
    EmptyRoot,
}
