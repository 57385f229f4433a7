//! Stopping for good: once it is not known what is on disk, nothing more is signed or acknowledged.

use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use govlog_formats::merkle::{FrontierError, LeafIndex};

use crate::failpoints::Injected;
use crate::head::HeadError;
use crate::store::StoreError;
use crate::tree::{ReadError, TreeHead};

/// The exit code of a process whose sequencer was poisoned: an internal error after which a start is the only recovery.
pub const EXIT_POISONED: u8 = 70;

/// Why the sequencer stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fatal {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head file failed.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The store could not be read while a statement was placed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The tree can grow no more.
    #[error(transparent)]
    Full(#[from] FrontierError),
    /// What was read back does not give the root that was computed before it was written.
    #[error("read back: the entries as stored give ({found}), the sequencer computed ({expected})")]
    ReadBack {
        /// What the stored entries give.
        found: Box<TreeHead>,
        /// What was computed before.
        expected: Box<TreeHead>,
    },
    /// A tile read back is not the one that the stored entries give.
    #[error("read back: tile {n} of level {level} as stored is not that of the entries as stored")]
    Tile {
        /// The tile's level.
        level: u8,
        /// The tile's number.
        n: u64,
    },
    /// Table and entry contradict each other.
    #[error("the duplicate table names entry {index} for a statement that does not stand there")]
    Table {
        /// The entry named.
        index: LeafIndex,
    },
    /// The head could not be signed.
    #[error("signing a head: {0}")]
    Sign(Box<dyn std::error::Error + Send + Sync>),
    /// The system gave no thread.
    #[error("starting a thread: {0}")]
    Thread(std::io::Error),
    /// The sequencer's own thread ended by a panic.
    #[error("the {0} panicked")]
    Panicked(&'static str),
    /// Another station found proof that the log must stop, or a background check failed.
    #[error("{0}")]
    Reported(String),
    /// A test made the step fail.
    #[error(transparent)]
    Injected(#[from] Injected),
}

type Alarm = Box<dyn FnOnce(&Fatal) + Send>;

/// Remembers the first fatal error, and tells it once.
pub(super) struct Poison {
    cause: OnceLock<Fatal>,
    alarm: Mutex<Option<Alarm>>,
}

impl Poison {
    pub(super) fn new(alarm: Alarm) -> Self {
        Self { cause: OnceLock::new(), alarm: Mutex::new(Some(alarm)) }
    }

    /// Remembers the cause; every one but the first is dropped.
    pub(super) fn record(&self, cause: Fatal) {
        self.cause.get_or_init(|| cause);
    }

    /// Tells the cause recorded, the first time this is called after one was.
    pub(super) fn raise(&self) {
        let Some(cause) = self.cause.get() else { return };
        let alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(alarm) = alarm {
            alarm(cause);
        }
    }

    pub(super) fn cause(&self) -> Option<&Fatal> {
        self.cause.get()
    }
}

impl fmt::Debug for Poison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Poison").field(&self.cause.get()).finish()
    }
}
