//! What the witness remembers: for each origin, the bytes of the latest note it cosigned.
//!
//! The store knows nothing about notes. [`crate::remembered`] says which bytes may be kept and which are believed.
//!
//! Trust: whoever can write the folder can make the witness refuse to cosign, by damaging a file; or make it forget, by putting an older file in
//! place while the witness is stopped. An older note is a valid one, so only whoever keeps the disk can prevent that: never restore
//! this folder from a backup.

mod disk;
mod memory;

#[cfg(test)]
mod contract;

use std::{fmt, io, path::PathBuf, str::FromStr, sync::Arc};

use govlog_formats::{
    checkpoint::Origin,
    digest::{Digest, DigestError},
};

pub use disk::DiskStore;
pub use memory::MemoryStore;

/// The SHA-256 of an origin, the name under which its state is kept and served: 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginHash(Digest);

impl OriginHash {
    /// Hashes an origin.
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        Self(origin.digest())
    }
}

impl fmt::Display for OriginHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OriginHash {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

/// One note for each origin, replaced by compare-and-swap.
///
/// **Durability promise.** When [`StateStore::swap`] has returned [`Swap::Done`], the new note is what every later load returns, in this
/// process and in any that opens the store after this one ended in whatever way, loss of power included. When it has returned [`Swap::Stale`]
/// or [`StateError::NotWritten`], nothing changed. Swaps of one origin are serialised: of any number of racing swaps with the same expectation,
/// at most one is done.
pub trait StateStore: Send + Sync {
    /// Returns the note of an origin; `None` if there never was one.
    ///
    /// # Errors
    /// A [`StateError`] when what is stored cannot be read back as it was written. It then is never taken for "none".
    fn load(&self, origin: &OriginHash) -> Result<Option<Arc<[u8]>>, StateError>;

    /// Stores `next` for an origin if what is stored equals `expected`, byte for byte.
    ///
    /// # Errors
    /// After [`StateError::NotWritten`] the old note stands. After any other error the origin stays out of use until the store is opened again.
    fn swap(&self, origin: &OriginHash, expected: Option<&[u8]>, next: &[u8]) -> Result<Swap, StateError>;

    /// Returns the origins that have a note, in ascending order.
    fn origins(&self) -> Vec<OriginHash>;

    /// Says of each origin that is out of use why it is.
    fn troubles(&self) -> Vec<(OriginHash, String)>;
}

/// What became of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Swap {
    /// The new note is stored.
    Done,
    /// Something else than the expected note is stored; nothing changed.
    Stale,
}

/// How a store fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The folder cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file is not as this program wrote it.
    #[error(
        "{} is damaged ({why}); the witness no longer knows what it cosigned for this log. Restoring an older copy would let it cosign a second history",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file lies in the folder that this program did not put there.
    #[error("{} does not belong here; remove it", path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
    },
    /// A file changed though this process did not change it.
    #[error("{} was changed by someone else while the witness was running", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// Nothing was written; the old note stands.
    #[error("cannot write {}: {error}", path.display())]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Whether the new note was written is unknown.
    #[error("cannot tell what is in {}: {error}", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// An earlier failure put the origin out of use.
    #[error("the state of this log is out of use until the witness is restarted: {why}")]
    Poisoned {
        /// The earlier failure.
        why: String,
    },
}
