//! The head: the newest size, root and time that the log may have signed, kept apart from the store.
//!
//! Trusted for one thing: never going back. Whoever could rewrite it *and* the store could make the log sign a fork, which
//! the witnesses would refuse; with the head alone one can only stop the log. It is never restored from a backup.

mod file;
mod slot;

use std::path::PathBuf;

use govlog_formats::digest::Digest;

use crate::failpoints::Injected;
use crate::store::StoreId;
use crate::tree::TreeHead;

pub use file::HeadFile;
pub use slot::SlotFault;

/// Which log and store a head belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadOwner {
    /// The store's id.
    pub store: StoreId,
    /// SHA-256 of the log's origin.
    pub origin: Digest,
}

impl HeadOwner {
    /// Names the owner of a head.
    #[must_use]
    pub fn new(store: StoreId, origin: &str) -> Self {
        Self { store, origin: Digest::sha256(origin.as_bytes()) }
    }
}

/// What the head store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadState {
    /// Whose head it is.
    pub owner: HeadOwner,
    /// How often the head was written, counted from 1.
    pub generation: u64,
    /// The newest valid head.
    pub head: TreeHead,
    /// What is wrong with the other slot, if anything: an advance was cut short. The store must then be larger.
    pub torn: Option<SlotFault>,
}

/// Keeps one head, which only grows.
///
/// **The durability promise.** When [`advance`](Self::advance) returns `Ok`, the new head is on stable storage and every
/// later [`read`](Self::read) returns it, also after the process or the machine was stopped at any instant. After
/// [`HeadError::Unexpected`], [`HeadError::NotLarger`] or [`HeadError::Earlier`] nothing was written. After any other
/// error the outcome is *unknown*: the head is the old one or the new one, never a third. No other process can advance
/// the head while this value lives.
pub trait HeadStore: Send {
    /// Reads what is stored, each time anew.
    ///
    /// # Errors
    /// When it cannot be read, or is not a head.
    fn read(&self) -> Result<HeadState, HeadError>;

    /// Replaces `expected` by `next`, durable on return.
    ///
    /// # Errors
    /// [`HeadError::Unexpected`] when what is stored is not `expected`; [`HeadError::NotLarger`] when `next` has no greater
    /// size; [`HeadError::Earlier`] when it has a smaller time. After any other error the outcome is unknown.
    fn advance(&mut self, expected: &TreeHead, next: &TreeHead) -> Result<(), HeadError>;

    /// Writes a head whatever is stored: only to show that a test notices.
    ///
    /// # Errors
    /// When it cannot be written.
    #[cfg(feature = "failpoints")]
    fn overwrite(&mut self, head: &TreeHead) -> Result<(), HeadError>;
}

/// What can be wrong with a head.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// There is no head file.
    #[error("{path}: there is no head file; only `init` makes one, and it is never restored from a backup", path = .0.display())]
    Absent(PathBuf),
    /// There is a head file already.
    #[error("{path}: exists; a head file is made once", path = .0.display())]
    Exists(PathBuf),
    /// Another process holds the head file.
    #[error("{path}: locked by another process; two logs must never run on one head", path = .0.display())]
    Locked(PathBuf),
    /// The file has another length than two slots.
    #[error("{path}: {found} bytes, must be 8192", path = .path.display())]
    Length {
        /// The head file.
        path: PathBuf,
        /// Its length.
        found: u64,
    },
    /// Neither slot is valid.
    #[error("{path}: no valid slot: the first {first}, the second {second}", path = .path.display())]
    NoValidSlot {
        /// The head file.
        path: PathBuf,
        /// What is wrong with the first slot.
        first: SlotFault,
        /// What is wrong with the second.
        second: SlotFault,
    },
    /// Two valid slots cannot have been written one after the other.
    #[error("{path}: slots do not follow each other: {why}", path = .path.display())]
    Slots {
        /// The head file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The stored head is not the one to be replaced.
    #[error("the head is ({found}), expected ({expected}): another hand has written it")]
    Unexpected {
        /// The head stored.
        found: Box<TreeHead>,
        /// The head to be replaced.
        expected: Box<TreeHead>,
    },
    /// The next head is not larger.
    #[error("the head ({next}) is not larger than ({expected})")]
    NotLarger {
        /// The head stored.
        expected: Box<TreeHead>,
        /// The head offered.
        next: Box<TreeHead>,
    },
    /// The next head's time is before the stored one's.
    #[error("the head ({next}) is earlier than ({expected})")]
    Earlier {
        /// The head stored.
        expected: Box<TreeHead>,
        /// The head offered.
        next: Box<TreeHead>,
    },
    /// The file system failed.
    #[error("{path}: {during}: {source}", path = .path.display())]
    File {
        /// The head file.
        path: PathBuf,
        /// What was being done.
        during: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A test made the step fail.
    #[error(transparent)]
    Injected(#[from] Injected),
}

/// Refuses a step that does not go forward.
pub(crate) fn check_step(found: &TreeHead, expected: &TreeHead, next: &TreeHead) -> Result<(), HeadError> {
    if found != expected {
        return Err(HeadError::Unexpected { found: Box::new(*found), expected: Box::new(*expected) });
    }
    if next.size <= expected.size {
        return Err(HeadError::NotLarger { expected: Box::new(*expected), next: Box::new(*next) });
    }
    if next.time < expected.time {
        return Err(HeadError::Earlier { expected: Box::new(*expected), next: Box::new(*next) });
    }
    Ok(())
}
