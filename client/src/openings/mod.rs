//! The opening store: what opens the sealed values of entries, kept apart from the log.
//!
//! Trust: whoever reads it can disclose what the log only commits to; whoever deletes from it erases that for good, and no proof changes.
//! Whoever writes into it can make an opening unavailable, but not change what a record says: every opening is checked against the
//! commitment in the record before it is believed.

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
mod document;
mod folder;
mod holds;
mod journal;
mod opened;
mod redact;
mod sealing;
mod settings;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use govlog_formats::digest::Digest;

pub use document::{
    DocumentError, FieldOpening, MAX_DOCUMENT_BYTES, MAX_FIELDS, MAX_MEMBERS, MAX_PATH_BYTES, Member, Openings,
};
pub use folder::{Folder, Lock};
pub use holds::{Hold, Holds, Release};
pub use journal::Journaled;
pub use opened::{Field, Opened, State, is_recorded, open};
pub use redact::{Ground, MAX_TARGETS, Planned, RedactError, carry_out, fields, payload};
pub use sealing::{Identities, IdentityError, MAX_RECIPIENTS, NewIdentity, RecipientError, Recipients};
pub use settings::{Protection, Settings};

/// A place for openings, by the leaf hash of the entry whose sealed values they open.
///
/// **Promise**: when [`put`](Self::put) returns, all of them are on disk; putting the same again changes nothing. Until then the caller keeps
/// them. When [`remove`](Self::remove) or [`replace`](Self::replace) returns, what was there before is not found any more, nor after a power
/// cut.
pub trait OpeningStore: Send + Sync {
    /// Stores openings, each as [`Openings::encode`] writes it.
    ///
    /// # Errors
    ///
    /// The store cannot be written; some may be there.
    fn put(&self, openings: &[(Digest, &[u8])]) -> Result<(), StoreError>;

    /// Gives the openings of an entry; `None`: there are none here.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn get(&self, leaf: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Gives the entries that there are openings of here, in the order of their leaf hashes, each once.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    fn leaves(&self) -> Result<Vec<Digest>, StoreError>;

    /// Puts other openings in the place of an entry's: those from before, or these, never a part.
    ///
    /// # Errors
    ///
    /// The store cannot be written; then those from before are there, or these.
    fn replace(&self, leaf: &Digest, openings: &[u8]) -> Result<(), StoreError>;

    /// Removes openings for good; says how many were there.
    ///
    /// # Errors
    ///
    /// The store cannot be written; some may be gone.
    fn remove(&self, leaves: &[Digest]) -> Result<usize, StoreError>;
}

/// Why the opening store does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refuses.
    #[error("{}: {cause}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others than its owner can read a file or folder.
    #[error("{path}: others can read the opening store (mode {mode:04o}); run: chmod {right:o} {path}", path = path.display())]
    Readable {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        right: u32,
    },
    /// Somebody other than the folder's owner would write into it.
    #[error("{path}: belongs to user {owner}, who could not read what user {user} writes into it; run this as its owner: sudo -u '#{owner}' …", path = path.display())]
    Owner {
        /// The folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Who runs this.
        user: u32,
    },
    /// What the store says of itself is missing or damaged.
    #[error("{}: {why}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file is encrypted, and no identity was given.
    #[error("{}: encrypted; give the identity that opens it", path.display())]
    NoIdentity {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be decrypted.
    #[error("{}: {why}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A hold forbids it.
    #[error("the openings of {leaf} are held: {hold:?}, {reason}; a hold ends with: govlog openings release")]
    Held {
        /// The entry.
        leaf: Digest,
        /// The hold's name.
        hold: String,
        /// Why it was placed.
        reason: String,
    },
    /// A hold cannot be placed or released.
    #[error("{0}")]
    Hold(String),
    /// A file is larger than any the store writes.
    #[error("{}: larger than {MAX_DOCUMENT_BYTES} bytes, the most that openings take", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}
