//! Where the log keeps what it was given.
//!
//! Trusted with nothing: whoever could change the store can stop the log, but every root that is signed was computed
//! from the bytes read back, start-up compares with the head file, and verifiers check the rest.

#[cfg(test)]
pub(crate) mod contract;
#[cfg(test)]
pub(crate) mod faulty;
mod keys;
mod memory;
mod meta;
mod rocks;

use std::path::PathBuf;

use bytes::Bytes;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::TileId;

use crate::clock::Millis;
use crate::failpoints::Injected;
use crate::sequencer::Batch;
use crate::tree::TreeHead;

pub(crate) use keys::hex;
pub use keys::{StreamId, StreamKey};
pub use memory::MemoryStore;
pub use meta::{Identity, StoreId};
pub use rocks::{Bounds, FamilyStatistics, RocksStore, SETTINGS, Scope, Setting};
pub(crate) use rocks::{End, ManifestError, check_manifest};

/// A note that stands archived for its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedNote {
    /// The size of the note's tree.
    pub size: TreeSize,
    /// That size's commit time.
    pub time: Millis,
    /// The note's bytes.
    pub note: Bytes,
}

/// One place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRow {
    /// The sequence number.
    pub seq: u64,
    /// The entry there.
    pub index: LeafIndex,
}

/// A statement that collided with an entry: its issuer signed both for one place of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConflictRow {
    /// Its number in the table, given once, also after the row is gone.
    pub number: u64,
    /// The entry that has the place.
    pub entry: LeafIndex,
    /// The statement, as an entry would be logged.
    pub statement: Bytes,
}

/// What start-up has to know of the table of conflicts besides its rows.
#[derive(Debug, Default)]
pub struct ConflictTable {
    /// One above the greatest number that a row ever had.
    pub next: u64,
    /// What is wrong with rows that are not what this program writes.
    pub malformed: Vec<StoreError>,
}

/// Rows that only grow: entries, full tiles, stream positions, archived notes, and the head of the last batch. Beside them, and no part of the
/// tree, a small table of conflicts whose rows come and go.
///
/// **The durability promise.** When [`commit`](Self::commit) or [`archive`](Self::archive) returns `Ok`, all rows of the
/// call are on stable storage and every later read sees them, also after the process or the machine was stopped at any
/// instant. When one returns [`StoreError::NotNext`] or [`StoreError::Rewrite`], nothing was written. After any other
/// error the caller must take the outcome for *unknown*: all rows of the call may be there, or none, but never a part.
/// It stops using the store, and lets start-up find out.
///
/// Rows are written once and never change. One caller writes at a time; reads may come from any thread at any time and
/// see either all rows of a commit or none. All calls block: never from an async worker.
///
/// An implementation shows that it keeps this by the suite in `store::contract`.
pub trait LogStore: Send + Sync {
    /// Returns which store this is.
    ///
    /// # Errors
    /// When the store fails or its identity is missing or malformed.
    fn identity(&self) -> Result<Identity, StoreError>;

    /// Returns the head written with the last batch; that of the empty tree before the first.
    ///
    /// # Errors
    /// When the store fails or the row is missing or malformed.
    fn head(&self) -> Result<TreeHead, StoreError>;

    /// Writes a batch: its entries, stream rows, tiles and head, all or nothing, durable on return.
    ///
    /// # Errors
    /// [`StoreError::NotNext`] when the batch does not start where the store ends, with nothing written. After any other
    /// error the outcome is unknown.
    fn commit(&self, batch: &Batch) -> Result<(), StoreError>;

    /// Writes a note under its size, durable on return. The same note again is no error.
    ///
    /// # Errors
    /// [`StoreError::Rewrite`] when another note stands there, with nothing written. After any other error the outcome is
    /// unknown.
    fn archive(&self, note: &ArchivedNote) -> Result<(), StoreError>;

    /// Writes rows into the table of conflicts and takes others out of it, all or nothing, durable on return.
    ///
    /// # Errors
    /// When the store fails; the outcome is unknown.
    fn keep_conflicts(&self, add: &[ConflictRow], remove: &[u64]) -> Result<(), StoreError>;

    /// Returns at most `limit` rows of the table of conflicts from number `from` on, in order. A malformed one is left out: each row is evidence
    /// for itself, and one that is damaged is not to hide the others.
    ///
    /// # Errors
    /// When the store fails.
    fn conflicts(&self, from: u64, limit: usize) -> Result<Vec<ConflictRow>, StoreError>;

    /// Returns where the numbers of the table of conflicts go on, and which of its rows are malformed.
    ///
    /// # Errors
    /// When the store fails, or the numbers' own row is malformed.
    fn conflict_table(&self) -> Result<ConflictTable, StoreError>;

    /// Returns an entry as logged.
    ///
    /// # Errors
    /// When the store fails.
    fn entry(&self, index: LeafIndex) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands the entries from `first` to below `end` to `visit`, in order and without a gap.
    ///
    /// # Errors
    /// When the store fails; [`StoreError::Missing`] at the first index that has no entry.
    fn read_entries(
        &self,
        first: LeafIndex,
        end: TreeSize,
        visit: &mut dyn FnMut(LeafIndex, &[u8]),
    ) -> Result<(), StoreError>;

    /// Returns the greatest index that has an entry.
    ///
    /// # Errors
    /// When the store fails.
    fn last_entry(&self) -> Result<Option<LeafIndex>, StoreError>;

    /// Returns full tiles, in the order asked for, each as stored.
    ///
    /// # Errors
    /// When the store fails.
    fn tiles(&self, ids: &[TileId]) -> Result<Vec<Option<Bytes>>, StoreError>;

    /// Returns the index stored under a key of the duplicate table.
    ///
    /// # Errors
    /// When the store fails or the row is malformed.
    fn find(&self, key: &StreamKey) -> Result<Option<LeafIndex>, StoreError>;

    /// Returns the row of a stream with the greatest sequence number among those whose entry lies below `below`.
    ///
    /// # Errors
    /// When the store fails or a row is malformed.
    fn stream_tail(&self, stream: &StreamId, below: TreeSize) -> Result<Option<StreamRow>, StoreError>;

    /// Returns at most `limit` rows of a stream from sequence number `from` on, in order.
    ///
    /// # Errors
    /// When the store fails or a row is malformed.
    fn stream_rows(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<StreamRow>, StoreError>;

    /// Returns at most `limit` archived notes of sizes `from` to `to`, both inclusive, in order.
    ///
    /// # Errors
    /// When the store fails or a row is malformed.
    fn archived(&self, from: TreeSize, to: TreeSize, limit: usize) -> Result<Vec<ArchivedNote>, StoreError>;

    /// Tells whether writes are about to be slowed down: new work is refused before that.
    ///
    /// # Errors
    /// When the store fails.
    fn is_strained(&self) -> Result<bool, StoreError>;

    /// Returns the archived note of the greatest size.
    ///
    /// # Errors
    /// When the store fails or the row is malformed.
    fn newest_archived(&self) -> Result<Option<ArchivedNote>, StoreError>;
}

/// What can be wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store here, and opening never makes one.
    #[error("{path}: there is no store here; only `init` makes one", path = .0.display())]
    Absent(PathBuf),
    /// There is something here already, and making a store never overwrites.
    #[error("{path}: not empty; a store is made only where nothing is", path = .0.display())]
    Exists(PathBuf),
    /// The engine failed.
    #[error("store: {during}: {why}")]
    Engine {
        /// What was being done.
        during: &'static str,
        /// What the engine said.
        why: String,
    },
    /// A file of the store could not be read.
    #[error("store: {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A setting on which safety rests is not in force.
    #[error("store: setting {name} of {section} is {found}, must be {wanted}")]
    Setting {
        /// The column family, or `DBOptions`.
        section: String,
        /// The setting.
        name: &'static str,
        /// Its value in force.
        found: String,
        /// The value it must have.
        wanted: String,
    },
    /// A row is not what this program writes.
    #[error("store: {family} row {key}: {why}")]
    Malformed {
        /// The column family.
        family: &'static str,
        /// The row's key, in hexadecimal.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// A row that must be there is not.
    #[error("store: {family} row {key} is missing")]
    Missing {
        /// The column family.
        family: &'static str,
        /// The row's key, in words.
        key: String,
    },
    /// A batch does not start where the store ends.
    #[error("store: a batch for index {offered} was offered at size {stored}")]
    NotNext {
        /// The store's size.
        stored: TreeSize,
        /// The batch's first index.
        offered: LeafIndex,
    },
    /// A row that never changes was to be written with another value.
    #[error("store: {family} row {key} holds another value already")]
    Rewrite {
        /// The column family.
        family: &'static str,
        /// The row's key, in words.
        key: String,
    },
    /// Somebody still reads: the store cannot be closed.
    #[error("store: {0} other users still hold it")]
    InUse(usize),
    /// A test made the step fail.
    #[error(transparent)]
    Injected(#[from] Injected),
}

impl StoreError {
    pub(crate) fn malformed(family: &'static str, key: &[u8], why: impl Into<String>) -> Self {
        Self::Malformed { family, key: keys::hex(key), why: why.into() }
    }

    pub(crate) fn missing_entry(index: LeafIndex) -> Self {
        Self::Missing { family: keys::ENTRIES, key: index.to_string() }
    }

    pub(crate) fn missing_tile(id: TileId) -> Self {
        Self::Missing { family: keys::TILES, key: format!("level {} number {}", id.level, id.n) }
    }
}
