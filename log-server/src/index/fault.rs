//! What can be wrong with an index.

use std::path::PathBuf;

use crate::failpoints::Injected;
use crate::store::{ManifestError, StoreError, StoreId, hex};

/// Why an index can not be used. All but [`Fault::Store`] and [`Fault::NotOurs`] are mended by building it anew.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The engine failed: a checksum does not match, a file is gone, the disk is full.
    #[error("index: {during}: {why}")]
    Engine {
        /// What was being done.
        during: &'static str,
        /// What the engine said.
        why: String,
    },
    /// A file of the index could not be read or written.
    #[error("index: {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The engine's list of files is not as it was written.
    #[error("index: the list of files: {0}")]
    Manifest(&'static str),
    /// There are files in its directory that are none of an index.
    #[error("index: {path}: not empty, and not an index (no file {marker}); name an empty directory as files.index", path = .path.display(), marker = super::segments::MARKER)]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// It belongs to another store.
    #[error("index: made for store {found}, this is {store}")]
    OtherStore {
        /// The store it was made for.
        found: StoreId,
        /// The store there is.
        store: StoreId,
    },
    /// It was made by another version of the rules.
    #[error("index: made by other rules than this program's")]
    OtherRules,
    /// It reaches beyond the store.
    #[error("index: reaches to {end}, the log has {size} entries")]
    Newer {
        /// Where it ends.
        end: u64,
        /// The entries there are.
        size: u64,
    },
    /// Segments do not follow one another.
    #[error("index: nothing covers the entries from {0} on, though later ones are covered")]
    Hole(u64),
    /// The last entry of a segment is another one than it was made of.
    #[error("index: entry {0} is not the one it was made of")]
    OtherEntry(u64),
    /// A row is not what this program writes.
    #[error("index: row {key}: {why}")]
    Row {
        /// The row's key, in hexadecimal.
        key: String,
        /// What is wrong.
        why: &'static str,
    },
    /// An entry is listed under what it has not.
    #[error("index: entry {0} is listed under a term that it does not have")]
    WrongHit(u64),
    /// A test made the step fail.
    #[error(transparent)]
    Injected(#[from] Injected),
    /// The entries could not be read: nothing is wrong with the index.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Fault {
    pub(super) fn row(key: &[u8], why: &'static str) -> Self {
        Self::Row { key: hex(key), why }
    }
}

/// Wraps what the engine says.
pub(super) fn engine(during: &'static str) -> impl Fn(rocksdb::Error) -> Fault {
    move |error| Fault::Engine { during, why: error.into_string() }
}

/// Wraps what the system says of a file.
pub(super) fn file(path: &std::path::Path) -> impl Fn(std::io::Error) -> Fault + '_ {
    move |source| Fault::File { path: path.to_owned(), source }
}

impl From<ManifestError> for Fault {
    fn from(error: ManifestError) -> Self {
        match error {
            ManifestError::File { path, source } => Self::File { path, source },
            ManifestError::Content(why) => Self::Manifest(why),
        }
    }
}
