//! The tree as it stands: its head, its right edge, and a view of it that proofs and tiles are read from.

mod cache;
mod edge;
mod scrub;
#[cfg(test)]
pub(crate) mod testing;
mod view;

pub use cache::TileCache;
pub use edge::{FullTile, RightEdge};
pub use scrub::{Pace, ScrubError, Scrubber};
pub use view::{Found, ReadError, StreamHead, TreeView};
pub(crate) use view::{find, stream_head};

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{EMPTY_ROOT, TreeSize};

use crate::clock::Millis;

/// What the tree is at one size: its root, and when the log gave it that size.
///
/// The time never decreases from one size to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of entries.
    pub size: TreeSize,
    /// Merkle tree hash over all of them.
    pub root: Digest,
    /// Commit time of the batch that ends here.
    pub time: Millis,
}

impl TreeHead {
    /// The head of a tree without entries.
    pub const EMPTY: Self = Self { size: TreeSize::new(0), root: EMPTY_ROOT, time: Millis::new(0) };
}

impl std::fmt::Display for TreeHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "size {} root {} at {}", self.size, self.root, self.time)
    }
}
