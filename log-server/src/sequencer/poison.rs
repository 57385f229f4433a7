//! Stopping for good: once it is not known what is on disk, nothing more is signed or acknowledged.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use govlog_formats::merkle::{FrontierError, LeafIndex};

use super::pool::Pool;
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

impl Fatal {
    /// Returns the name of the runbook, a file of `deploy/runbooks`.
    #[must_use]
    pub const fn runbook(&self) -> &'static str {
        match self {
            Self::Head(_) => "head-damaged",
            Self::Store(_) | Self::Read(_) | Self::ReadBack { .. } | Self::Tile { .. } | Self::Table { .. } => {
                "store-damaged"
            }
            Self::Full(_)
            | Self::Sign(_)
            | Self::Thread(_)
            | Self::Panicked(_)
            | Self::Reported(_)
            | Self::Injected(_) => "poisoned",
        }
    }
}

type Alarm = Box<dyn FnOnce(&Fatal) + Send>;

/// Stops the sequencer: remembers the first cause, closes the pool, and calls the alarm once.
pub(super) struct Poison {
    cause: OnceLock<Fatal>,
    pool: Arc<Pool>,
    alarm: Mutex<Option<Alarm>>,
}

impl Poison {
    pub(super) fn new(pool: Arc<Pool>, alarm: Alarm) -> Self {
        Self { cause: OnceLock::new(), pool, alarm: Mutex::new(Some(alarm)) }
    }

    /// Stops the sequencer for good; every cause but the first is dropped.
    ///
    /// To be called before anybody who waits is answered, so that whoever was answered finds the door closed.
    pub(super) fn stop(&self, cause: Fatal) {
        let cause = self.cause.get_or_init(|| cause);
        self.pool.poison();
        let alarm = self.alarm.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(alarm) = alarm {
            alarm(cause);
        }
    }

    pub(super) fn cause(&self) -> Option<&Fatal> {
        self.cause.get()
    }
}
