//! What the thread that keeps the index and those who search it share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

use govlog_formats::merkle::{LeafIndex, leaf_hash};
use tokio::sync::{Notify, watch};

use super::fault::Fault;
use super::rows::Segment;
use super::segments::Segments;
use super::tail::{Room, Tail};
use crate::store::{LogStore, StoreError};

/// How far the index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Searches are answered.
    pub(crate) ready: bool,
    /// The entries it covers.
    pub(crate) size: u64,
    /// The entries it is to cover.
    pub(crate) of: u64,
    /// While it is not ready: when it may be, seconds.
    pub(crate) retry_after_s: u32,
}

pub(super) struct Shared {
    pub(super) path: PathBuf,
    pub(super) store: Arc<dyn LogStore>,
    pub(super) room: Room,
    state: RwLock<State>,
    progress: watch::Sender<Progress>,
    /// What a search found wrong.
    wrong: Mutex<Option<Fault>>,
    pub(super) wake: Notify,
}

/// The index: written segments up to the tail's base, and the tail.
pub(super) struct State {
    /// None while there is no index.
    pub(super) segments: Option<Arc<Segments>>,
    pub(super) listed: Arc<Vec<Segment>>,
    pub(super) tail: Tail,
}

impl Shared {
    pub(super) fn new(path: PathBuf, store: Arc<dyn LogStore>, room: Room) -> Self {
        let progress = Progress { ready: false, size: 0, of: 0, retry_after_s: 1 };
        Self {
            path,
            store,
            room,
            state: RwLock::new(State::none(room)),
            progress: watch::Sender::new(progress),
            wrong: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Opens what there is on disk, and checks that it is of this store, of these rules, and not newer than `size` entries.
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn open(&self, size: u64) -> Result<(), Fault> {
        let (segments, listed) = Segments::open(&self.path, self.store.identity()?.store)?;
        let end = listed.last().map_or(0, |last| last.end);
        if end > size {
            return Err(Fault::Newer { end, size });
        }
        if let Some(last) = listed.last() {
            let index = LeafIndex::new(last.end - 1);
            let entry = self.store.entry(index)?.ok_or_else(|| StoreError::missing_entry(index))?;
            if leaf_hash(&entry) != last.last_leaf {
                return Err(Fault::OtherEntry(index.get()));
            }
        }
        let tail = Tail::new(end, self.room);
        *self.write() = State { segments: Some(Arc::new(segments)), listed: Arc::new(listed), tail };
        self.progress.send_modify(|progress| *progress = Progress { size: end, of: size, ..*progress });
        Ok(())
    }

    /// Lets the index go, and waits for those who search it: its files are closed when this returns.
    pub(super) fn close(&self) {
        self.progress.send_modify(|progress| *progress = Progress { ready: false, size: 0, ..*progress });
        let state = std::mem::replace(&mut *self.write(), State::none(self.room));
        let Some(mut segments) = state.segments else { return };
        // A page of a search is bounded in what it reads, and none begins any more.
        while let Err(held) = Arc::try_unwrap(segments) {
            segments = held;
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Takes a fault that a search met: the index is not used any more, and the thread builds it anew.
    pub(super) fn report(&self, fault: Fault) {
        self.progress.send_modify(|progress| progress.ready = false);
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
        self.wake.notify_one();
    }

    /// Returns what a search found wrong.
    pub(super) fn reported(&self) -> Option<Fault> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn advanced(&self, change: impl FnOnce(&mut Progress)) {
        self.progress.send_modify(change);
    }

    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn none(room: Room) -> Self {
        Self { segments: None, listed: Arc::default(), tail: Tail::new(0, room) }
    }
}
