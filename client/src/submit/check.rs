//! Checking the proof that comes back with an accepted statement, before anything is forgotten because of it.

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{InclusionProof, TreeSize};
use govlog_formats::note::Note;
use govlog_formats::statement::SignedStatement;
use govlog_formats::tlog_policy::VerifiedCheckpoint;
use govlog_formats::tlog_proof::TlogProof;

use super::send::{Answer, Wait};
use crate::trust::Trust;

/// Why a proof that the log sent does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log's proof does not hold: {0}")]
pub struct Unproved(String);

/// Judges the proofs of accepted statements.
///
/// The statements of a batch are proved under one checkpoint as a rule: its signatures are verified once.
#[derive(Debug)]
pub struct Judge<'a> {
    trust: Option<&'a Trust>,
    last: Option<Head>,
    published: Option<Published>,
}

/// A checkpoint that meets the quorum, and that a proof which holds was judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many entries it has.
    pub size: TreeSize,
    /// SHA-256 of its note, for a later statement to name as its `head`.
    pub note: Digest,
    /// When a whole quorum had cosigned, POSIX seconds: a witness whose clock is wrong does not move it. `None` without witnesses.
    pub witnessed_s: Option<u64>,
}

/// A checkpoint that was verified, and the bytes it was verified in.
#[derive(Debug)]
struct Head {
    note: Vec<u8>,
    verified: VerifiedCheckpoint,
}

impl<'a> Judge<'a> {
    /// Makes a judge. Without `trust` only the structure is checked: the path leads from the statement to the root in the note.
    #[must_use]
    pub fn new(trust: Option<&'a Trust>) -> Self {
        Self { trust, last: None, published: None }
    }

    /// Judges the proof of an accepted statement; `None` when the answer has none.
    ///
    /// A log that had the statement already answers with the entry it holds, whose signature bytes may differ where the
    /// algorithm leaves room; ours do not, for we sign deterministically.
    pub fn judge(&mut self, statement: &SignedStatement, answer: &Answer, wait: Wait) -> Option<Result<(), Unproved>> {
        let proof = answer.proof.as_deref().filter(|_| answer.status == 201)?;
        Some(self.holds(&statement.leaf_hash(), answer, proof, wait).map_err(Unproved))
    }

    /// Gives the newest checkpoint of all proofs that held under [`Wait::Published`], in whatever order they came. None without trust.
    #[must_use]
    pub fn published(&self) -> Option<Published> {
        self.published
    }

    fn holds(&mut self, leaf: &Digest, answer: &Answer, proof: &[u8], wait: Wait) -> Result<(), String> {
        let proof = TlogProof::parse(proof).map_err(|error| error.to_string())?;
        if answer.id.is_none_or(|id| id.index != proof.index) {
            return Err(format!("it is for index {}, not for the entry id that the log gives", proof.index));
        }
        let checkpoint = match self.trust {
            Some(trust) => self.head_of(&proof.checkpoint, trust, wait)?,
            None => {
                let note = Note::parse(&proof.checkpoint).map_err(|error| error.to_string())?;
                Checkpoint::of_note(&note).map_err(|error| error.to_string())?
            }
        };
        let path = InclusionProof { index: proof.index, size: checkpoint.size, path: proof.path };
        path.verify(leaf, &checkpoint.root).map_err(|error| error.to_string())?;
        if let (Wait::Published, Some(head)) = (wait, &self.last) {
            let age = |published: &Published| (published.size, published.witnessed_s);
            let (size, witnessed_s) = (checkpoint.size, head.verified.lower_time());
            if self.published.as_ref().map(age) < Some((size, witnessed_s)) {
                self.published = Some(Published { size, note: Digest::sha256(&head.note), witnessed_s });
            }
        }
        Ok(())
    }

    fn head_of(&mut self, note: &[u8], trust: &Trust, wait: Wait) -> Result<Checkpoint, String> {
        if self.last.as_ref().is_none_or(|head| head.note != note) {
            let verified = trust.policy().verify_checkpoint(note).map_err(|error| error.to_string())?;
            self.last = Some(Head { note: note.to_vec(), verified });
        }
        let Some(Head { verified, .. }) = &self.last else { return Err("there is no checkpoint".to_owned()) };
        if verified.checkpoint().origin.as_str() != trust.origin() {
            return Err(format!("it is of {}", verified.checkpoint().origin));
        }
        if wait == Wait::Published && !verified.quorum().met() {
            return Err(verified.quorum().to_string());
        }
        Ok(verified.checkpoint().clone())
    }
}
