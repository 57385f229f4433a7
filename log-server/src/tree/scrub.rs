//! Re-hashes everything that is stored, slowly and for ever: a bit that rots is found before a client finds it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize, leaf_hash};
use govlog_formats::tile::{FULL_TILE_BYTES, TileId, WIDTH};

use super::edge::{complete_root, hashes_of, level_count};
use super::view::TreeView;
use crate::store::StoreError;

/// How fast the scrub goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Bytes read a second, on average.
    pub bytes_per_second: u32,
    /// The pause between two rounds.
    pub pause: Duration,
}

impl Default for Pace {
    /// A terabyte in a day and a half, an hour apart.
    fn default() -> Self {
        Self { bytes_per_second: 8 << 20, pause: Duration::from_secs(3600) }
    }
}

/// What the scrub found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScrubError {
    /// The store could not be read, or lacks what it must have.
    #[error("scrub: {0}")]
    Store(#[from] StoreError),
    /// A tile of level 0 is not that of its entries.
    #[error("scrub: tile {n} of level 0 is not that of the entries below it")]
    Entries {
        /// The tile's number.
        n: u64,
    },
    /// A tile's root is not the hash that stands for it one level up.
    #[error("scrub: tile {n} of level {level} does not give the hash that the level above holds for it")]
    Parent {
        /// The tile's level.
        level: u8,
        /// The tile's number.
        n: u64,
    },
    /// The entries that no full tile covers are not those of the right edge.
    #[error("scrub: the entries from {first} on are not those of the right edge")]
    Tail {
        /// The first of them.
        first: LeafIndex,
    },
}

/// Why a round ended early.
enum Ended {
    Stopped,
    Fault(ScrubError),
}

impl<E: Into<ScrubError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

/// The thread that scrubs.
#[derive(Debug)]
pub struct Scrubber {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Scrubber {
    /// Starts rounds over whatever tree `view` gives at their beginning, until one finds a fault, which ends the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        view: impl Fn() -> TreeView + Send + 'static,
        pace: Pace,
        on_fault: impl FnOnce(ScrubError) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = thread::Builder::new().name("scrub".into()).spawn(move || {
            let brake = Brake { stopped, bytes_per_second: pace.bytes_per_second };
            loop {
                match round(&view(), &brake).and_then(|()| brake.pause(pace.pause)) {
                    Ok(()) => {}
                    Err(Ended::Stopped) => return,
                    Err(Ended::Fault(fault)) => return on_fault(fault),
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends the thread and waits for it.
    pub fn stop(self) {
        // The thread ends when the sender is gone; that it ended by itself, or panicked, was reported by then.
        drop(self.stop);
        drop(self.thread.join());
    }
}

/// Keeps the pace, and hears the call to stop.
struct Brake {
    stopped: Receiver<()>,
    bytes_per_second: u32,
}

impl Brake {
    fn read(&self, bytes: usize) -> Result<(), Ended> {
        let micros = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000);
        self.pause(Duration::from_micros(micros / u64::from(self.bytes_per_second.max(1))))
    }

    fn pause(&self, time: Duration) -> Result<(), Ended> {
        match self.stopped.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Err(Ended::Stopped),
        }
    }
}

/// Goes once over everything below the view's size, past all caches of ours.
fn round(view: &TreeView, brake: &Brake) -> Result<(), Ended> {
    for level in 0u8.. {
        let count = level_count(view.size(), level);
        if count == 0 {
            break;
        }
        for n in 0..count / WIDTH {
            let read = check_tile(view, TileId { level, n })?;
            brake.read(read)?;
        }
    }
    check_tail(view)?;
    Ok(())
}

/// Checks one full tile against what lies below and above it; returns how many bytes were read.
fn check_tile(view: &TreeView, id: TileId) -> Result<usize, ScrubError> {
    let tile = full_tile(view, id)?;
    let hashes = hashes_of(&tile);
    let mut read = tile.len();
    if id.level == 0 {
        let first = id.n * WIDTH;
        let (leaves, bytes) = leaves(view, first, first + WIDTH)?;
        read += bytes;
        if leaves != hashes || tile.len() != FULL_TILE_BYTES {
            return Err(ScrubError::Entries { n: id.n });
        }
    }
    if hash_above(view, id)? != Some(complete_root(&hashes)) {
        return Err(ScrubError::Parent { level: id.level, n: id.n });
    }
    Ok(read)
}

/// Returns the hash that stands for a full tile one level up, in a full tile or on the right edge.
fn hash_above(view: &TreeView, id: TileId) -> Result<Option<Digest>, ScrubError> {
    let above = TileId { level: id.level + 1, n: id.n / WIDTH };
    let place = usize::try_from(id.n % WIDTH).unwrap_or(usize::MAX);
    if above.n < level_count(view.size(), above.level) / WIDTH {
        return Ok(hashes_of(&full_tile(view, above)?).get(place).copied());
    }
    Ok(view.edge().partial(above.level).get(place).copied())
}

/// Checks the entries that no full tile covers.
fn check_tail(view: &TreeView) -> Result<(), ScrubError> {
    let size = view.size().get();
    let first = size - size % WIDTH;
    let (leaves, _) = leaves(view, first, size)?;
    if leaves != view.edge().partial(0) {
        return Err(ScrubError::Tail { first: LeafIndex::new(first) });
    }
    Ok(())
}

fn full_tile(view: &TreeView, id: TileId) -> Result<Bytes, StoreError> {
    view.store().tiles(&[id])?.pop().flatten().ok_or_else(|| StoreError::missing_tile(id))
}

fn leaves(view: &TreeView, first: u64, end: u64) -> Result<(Vec<Digest>, usize), StoreError> {
    let (mut hashes, mut bytes) = (Vec::new(), 0);
    view.store().read_entries(LeafIndex::new(first), TreeSize::new(end), &mut |_, entry| {
        hashes.push(leaf_hash(entry));
        bytes += entry.len();
    })?;
    Ok((hashes, bytes))
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
