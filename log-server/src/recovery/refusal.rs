//! Why a start is refused: always with what disagrees, and where it is written what to do.

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};

use crate::head::{HeadError, SlotFault};
use crate::store::{StoreError, StoreId};
use crate::tree::TreeHead;

/// Why the log does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartRefused {
    /// The store cannot be opened or read.
    #[error("{0} (runbook {runbook})", runbook = self.runbook())]
    Store(#[from] StoreError),
    /// The head file cannot be opened or read.
    #[error("{0} (runbook {runbook})", runbook = self.runbook())]
    Head(#[from] HeadError),
    /// The store, or the policy in it, is of another origin than the configuration.
    #[error("the store is of origin {found}, the configuration says {configured} (runbook {runbook})", runbook = self.runbook())]
    Origin {
        /// The store's.
        found: String,
        /// The configuration's.
        configured: String,
    },
    /// The store is of another epoch than the configuration.
    #[error("the store is of epoch {found}, the configuration says {configured} (runbook {runbook})", runbook = self.runbook())]
    Epoch {
        /// The store's.
        found: u64,
        /// The configuration's.
        configured: u64,
    },
    /// The head file was made for another store.
    #[error("the head file belongs to store {head}, this store is {store} (runbook {runbook})", runbook = self.runbook())]
    ForeignHead {
        /// The store the head file names.
        head: StoreId,
        /// The store found.
        store: StoreId,
    },
    /// The head file was made for another origin.
    #[error("the head file is of the origin with SHA-256 {found}, the store of {origin} (runbook {runbook})", runbook = self.runbook())]
    HeadOrigin {
        /// SHA-256 of the origin the head file names.
        found: Digest,
        /// The store's origin.
        origin: String,
    },
    /// The configured checkpoint key is not the one that the admission policy names.
    #[error("the admission policy names the checkpoint key {policy}, the configuration has {configured} (runbook {runbook})", runbook = self.runbook())]
    Key {
        /// The policy's.
        policy: String,
        /// The configuration's.
        configured: String,
    },
    /// The store has fewer entries than were acknowledged.
    #[error("the store ({stored}) is behind the head ({head}): acknowledged entries are lost (runbook {runbook})", runbook = self.runbook())]
    StoreBehind {
        /// The store's head.
        stored: TreeHead,
        /// The head file's.
        head: TreeHead,
    },
    /// The store has more entries than can have been under way.
    #[error("the store has {stored} entries, the head {head}; at most {most} can have been under way, so the head is an old copy (runbook {runbook})", runbook = self.runbook())]
    TailTooLong {
        /// The store's size.
        stored: TreeSize,
        /// The head's.
        head: TreeSize,
        /// Most entries that can be between them.
        most: u64,
    },
    /// The store and the head file are of one size and differ.
    #[error("store ({stored}) and head ({head}) differ at one size (runbook {runbook})", runbook = self.runbook())]
    SameSize {
        /// The store's head.
        stored: TreeHead,
        /// The head file's.
        head: TreeHead,
    },
    /// The store's time is before the head's.
    #[error("the store ({stored}) is earlier than the head ({head}) (runbook {runbook})", runbook = self.runbook())]
    TimeBack {
        /// The store's head.
        stored: TreeHead,
        /// The head file's.
        head: TreeHead,
    },
    /// A head slot is invalid and no write can have been cut short.
    #[error("a slot of the head file {fault}, yet the store ends at the other slot's size {size} (runbook {runbook})", runbook = self.runbook())]
    TornWithoutTail {
        /// What is wrong with the slot.
        fault: SlotFault,
        /// The size of both.
        size: TreeSize,
    },
    /// Entries and head row of the store do not end together.
    #[error("the store's entries end at {end}, its head row says {stored} (runbook {runbook})", runbook = self.runbook())]
    EntriesEnd {
        /// One past the last entry.
        end: TreeSize,
        /// The head row's size.
        stored: TreeSize,
    },
    /// The stored tiles and entries do not give the stored root.
    #[error("tiles and entries give root {found}, the store's head row says ({stored}) (runbook {runbook})", runbook = self.runbook())]
    StoreRoot {
        /// The root they give.
        found: Digest,
        /// The store's head.
        stored: TreeHead,
    },
    /// The stored tiles and entries do not give the head's root at the head's size.
    #[error("tiles and entries give root {found} at the head's size, the head says ({head}) (runbook {runbook})", runbook = self.runbook())]
    HeadRoot {
        /// The root they give.
        found: Digest,
        /// The head file's head.
        head: TreeHead,
    },
    /// A note is archived for a size that the head has not reached.
    #[error("a note of size {note} is archived, the head is at {head}: the head is an old copy (runbook {runbook})", runbook = self.runbook())]
    NoteAhead {
        /// The note's size.
        note: TreeSize,
        /// The head's.
        head: TreeSize,
    },
    /// The newest archived note is not of this tree.
    #[error("the note archived for size {size}: {why} (runbook {runbook})", runbook = self.runbook())]
    Note {
        /// The note's size.
        size: TreeSize,
        /// What is wrong.
        why: String,
    },
    /// An entry of the operator's stream cannot be folded into the admission policy.
    #[error("admission-policy entry {index}: {why} (runbook {runbook})", runbook = self.runbook())]
    PolicyEntry {
        /// Which entry.
        index: LeafIndex,
        /// What is wrong.
        why: String,
    },
    /// There is no admission policy.
    #[error("the store holds no admission policy: `init` has not finished (runbook {runbook})", runbook = self.runbook())]
    NoPolicy,
}

impl StartRefused {
    /// Returns the name of the runbook, a file of `deploy/runbooks`.
    #[must_use]
    pub const fn runbook(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Absent(_)) | Self::NoPolicy => "init-unfinished",
            Self::Store(StoreError::Setting { .. }) => "store-settings",
            Self::Head(HeadError::Absent(_)) => "head-missing",
            Self::Head(HeadError::Locked(_)) => "two-processes",
            Self::Head(_) | Self::TornWithoutTail { .. } => "head-damaged",
            Self::Origin { .. }
            | Self::Epoch { .. }
            | Self::ForeignHead { .. }
            | Self::HeadOrigin { .. }
            | Self::Key { .. } => "foreign-store",
            Self::StoreBehind { .. } => "store-behind-head",
            Self::TailTooLong { .. } | Self::NoteAhead { .. } => "head-rolled-back",
            Self::SameSize { .. } | Self::TimeBack { .. } | Self::HeadRoot { .. } | Self::Note { .. } => {
                "store-and-head-disagree"
            }
            Self::Store(_) | Self::EntriesEnd { .. } | Self::StoreRoot { .. } | Self::PolicyEntry { .. } => {
                "store-damaged"
            }
        }
    }
}
