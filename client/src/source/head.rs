//! The newest checkpoint that a source shows, judged before anything is read under it.

use govlog_formats::digest::Digest;
use govlog_formats::limits::MAX_NOTE_BYTES;
use govlog_formats::merkle::{BuildError, ConsistencyProof, ProofError, TreeSize};
use govlog_formats::tlog_policy::{PolicyVerifyError, QuorumVerdict, VerifiedCheckpoint};

use super::{Source, SourceError, Tree, TreeError};
use crate::trust::Trust;

/// A checkpoint of the log you trust, with your quorum, consistent with the newest you had seen.
#[derive(Clone, Debug)]
pub struct Head {
    note: Vec<u8>,
    verified: VerifiedCheckpoint,
}

/// Why a source's checkpoint is not a head to go by.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The source did not answer.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source has no checkpoint.
    #[error("no checkpoint: the log has not published one yet, or this is not a log")]
    None,
    /// The note does not verify under your policy.
    #[error("the checkpoint does not verify")]
    Note(#[from] PolicyVerifyError),
    /// The note is of another log of your policy.
    #[error("the checkpoint is of {found}; the log you trust is {expected}")]
    OtherLog {
        /// The note's origin.
        found: String,
        /// The origin you trust.
        expected: String,
    },
    /// Too few of your witnesses cosigned it.
    #[error("the checkpoint of size {size}: {quorum}")]
    Quorum {
        /// The tree size.
        size: TreeSize,
        /// What your policy asks for and what is there.
        quorum: QuorumVerdict,
    },
    /// The tree's parts could not be read.
    #[error("reading the proof that the log only grew: {0}")]
    Unread(TreeError),
    /// The head and the pinned one contradict each other: the log shows two histories.
    #[error(
        "split view: the checkpoint of size {new} (root {new_root}) does not continue the one pinned at size {old} (root {old_root}): {why}; \
         keep both notes, they prove it"
    )]
    SplitView {
        /// The smaller size.
        old: TreeSize,
        /// The root at the smaller size.
        old_root: Digest,
        /// The larger size.
        new: TreeSize,
        /// The root at the larger size.
        new_root: Digest,
        /// What does not verify.
        why: String,
    },
}

impl HeadError {
    /// Whether this proves misbehaviour of the log, rather than a lack of evidence.
    #[must_use]
    pub fn refutes(&self) -> bool {
        matches!(self, Self::SplitView { .. })
    }
}

impl Head {
    /// Reads and judges a source's checkpoint: the log's signature, your quorum, consistency with your pinned head.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no head to go by.
    pub fn read(source: &Source, trust: &Trust) -> Result<Self, HeadError> {
        let note = source.get("checkpoint", MAX_NOTE_BYTES)?.ok_or(HeadError::None)?;
        Self::of(source, trust, note)
    }

    /// Judges a note that a source showed as its checkpoint, of the newest size or an earlier one, in the same way.
    ///
    /// # Errors
    ///
    /// As [`Head::read`].
    pub fn of(source: &Source, trust: &Trust, note: Vec<u8>) -> Result<Self, HeadError> {
        let verified = trust.policy().verify_checkpoint(&note).map_err(|error| match error {
            PolicyVerifyError::UnknownOrigin(found) => {
                HeadError::OtherLog { found: found.to_string(), expected: trust.origin().to_owned() }
            }
            error => HeadError::Note(error),
        })?;
        let checkpoint = verified.checkpoint();
        if checkpoint.origin.as_str() != trust.origin() {
            let (found, expected) = (checkpoint.origin.to_string(), trust.origin().to_owned());
            return Err(HeadError::OtherLog { found, expected });
        }
        if !verified.quorum().met() {
            return Err(HeadError::Quorum { size: checkpoint.size, quorum: verified.quorum().clone() });
        }
        if let Some(pinned) = trust.pinned() {
            check_consistent(source, &pinned.verified, &verified)?;
        }
        Ok(Self { note, verified })
    }

    /// The note's bytes.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// What it says, verified.
    #[must_use]
    pub fn verified(&self) -> &VerifiedCheckpoint {
        &self.verified
    }

    /// The tree size.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.verified.checkpoint().size
    }

    /// The root hash.
    #[must_use]
    pub fn root(&self) -> &Digest {
        &self.verified.checkpoint().root
    }
}

/// Checks that one of two verified checkpoints of a log continues the other.
///
/// # Errors
///
/// They contradict each other, or the tree cannot be read.
pub(crate) fn check_consistent(
    source: &Source,
    one: &VerifiedCheckpoint,
    other: &VerifiedCheckpoint,
) -> Result<(), HeadError> {
    let (one, other) = (one.checkpoint(), other.checkpoint());
    let (old, new) = if one.size <= other.size { (one, other) } else { (other, one) };
    let split = |why: String| HeadError::SplitView {
        old: old.size,
        old_root: old.root,
        new: new.size,
        new_root: new.root,
        why,
    };
    if old.size == new.size {
        return if old.root == new.root { Ok(()) } else { Err(split("one size, two roots".to_owned())) };
    }
    if old.size == TreeSize::ZERO {
        return Ok(());
    }
    let proof =
        ConsistencyProof::build(&Tree::new(source, new.size), old.size, new.size).map_err(|error| match error {
            BuildError::Read(error) => HeadError::Unread(error),
            other => split(other.to_string()),
        })?;
    proof.verify(&old.root, &new.root).map_err(|error: ProofError| split(error.to_string()))
}
