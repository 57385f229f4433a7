//! The trust directory: all a verifier needs, and the only thing it believes.
//!
//! ```text
//! policy.txt          C2SP tlog-policy: the log's keys, the witnesses, the quorum
//! trust.toml          digest of entry 0; who runs each witness, and how they stand to the log's operator
//! admission/          every change of the admission policy since entry 0, and every operator's approval, each with its own proof
//! pinned.checkpoint   the newest head seen; later ones must be consistent with it
//! ```
//!
//! Trust: complete. Whoever can write here decides what verifies. Issuer and receipt keys come from `admission/` alone,
//! never from a server's word. Everything is checked again each time the directory is read, so a damaged one is found
//! before anything is judged by it.

mod files;
mod history;
mod update;
mod witnesses;

pub(crate) use files::EPOCH;
pub use files::TrustError;
pub use history::{Change, History, HistoryError};
pub use update::{UpdateError, Updated, read_history, update};
pub(crate) use update::{learn_found, learn_listed, prove};
pub use witnesses::{Notes, Relation, WitnessNote};

use std::path::{Path, PathBuf};

use govlog_formats::checkpoint::Checkpoint;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::note::Vkey;
use govlog_formats::tlog_policy::{Policy, VerifiedCheckpoint};

/// What a verifier believes, read and checked.
#[derive(Clone, Debug)]
pub struct Trust {
    policy: Policy,
    notes: Notes,
    history: History,
    pinned: Option<Pinned>,
}

/// The newest head that was seen and found consistent with all before it.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// The note's bytes.
    pub note: Vec<u8>,
    /// What it says, verified under the policy.
    pub verified: VerifiedCheckpoint,
}

/// A trust directory on disk.
#[derive(Debug)]
pub struct TrustDir {
    path: PathBuf,
    trust: Trust,
}

impl Trust {
    /// Whom to believe about heads.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What is known about the witnesses.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// The admission policy, change by change.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The newest head seen, if any.
    #[must_use]
    pub fn pinned(&self) -> Option<&Pinned> {
        self.pinned.as_ref()
    }

    /// What whoever learns the admission policy from a tree of this size believes.
    pub(crate) fn below(&self, size: TreeSize) -> Self {
        Self { history: self.history.below(size), ..self.clone() }
    }

    /// Learns the next admission-policy entry from its proof, for as long as this value lives; nothing is written.
    ///
    /// # Errors
    ///
    /// The proof does not verify under the policy with its quorum, or the change is not the next one.
    pub fn learn(&mut self, index: LeafIndex, entry: &[u8], proof: &[u8]) -> Result<(), TrustError> {
        let statement = files::check_change(&self.policy, index, entry, proof)?;
        Ok(self.history.push(index, statement)?)
    }

    /// The log's origin, as its own entry 0 names it.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.history.newest().after.origin()
    }

    /// The log's checkpoint key: the policy's, and the same that the admission policy names.
    #[must_use]
    pub fn log_key(&self) -> Option<&Vkey> {
        self.policy.logs().iter().map(|log| log.vkey()).find(|vkey| vkey.name().as_str() == self.origin())
    }

    /// A digest over everything here that people must agree on: policy, entry 0, and nothing that grows.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let text = format!("govlog trust v1\n{}\n{}", self.history.genesis(), self.policy);
        Digest::sha256(text.as_bytes())
    }
}

impl TrustDir {
    /// Makes a trust directory from a policy and entry 0, which must come over a channel you trust.
    ///
    /// # Errors
    ///
    /// The directory exists and is not empty, or policy and entry 0 are not of one log.
    pub fn create(path: &Path, policy: &str, genesis: &[u8]) -> Result<Self, TrustError> {
        files::create(path, policy, genesis)?;
        Self::load(path)
    }

    /// Reads and checks a trust directory.
    ///
    /// # Errors
    ///
    /// A file is missing or damaged, or does not fit the others; the error names it.
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        Ok(Self { path: path.to_owned(), trust: files::load(path)? })
    }

    /// What it says.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds the next admission-policy entry with its proof, durably.
    ///
    /// # Errors
    ///
    /// The proof does not verify under the policy with its quorum, or the change is not the next one.
    pub fn add_change(&mut self, index: LeafIndex, entry: &[u8], proof: &[u8]) -> Result<(), TrustError> {
        let mut trust = self.trust.clone();
        trust.learn(index, entry, proof)?;
        files::write_change(&self.path, index, entry, proof)?;
        self.trust = trust;
        Ok(())
    }

    /// Pins a head. The caller has verified that it is consistent with the one pinned before.
    ///
    /// # Errors
    ///
    /// The note does not verify under the policy, is smaller than the pinned one, or cannot be written.
    pub fn pin(&mut self, note: &[u8]) -> Result<(), TrustError> {
        let verified = files::check_pinned(&self.trust, note)?;
        let size = |head: &Checkpoint| head.size;
        if let Some(old) = &self.trust.pinned
            && size(verified.checkpoint()) < size(old.verified.checkpoint())
        {
            let (old, new) = (size(old.verified.checkpoint()), size(verified.checkpoint()));
            return Err(TrustError::PinGoesBack { old, new });
        }
        files::write_pinned(&self.path, note)?;
        self.trust.pinned = Some(Pinned { note: note.to_owned(), verified });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
