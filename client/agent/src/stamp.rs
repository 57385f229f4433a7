//! What tells that a file is the one that was read, unchanged, without reading it again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// What changes when a file does, or when another is put in its place: which it is, its size, and when it was last written and changed. The
/// time of a change is the system's own, which nobody sets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: (u64, u64),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Says whether the file would get another stamp if it were written to now: clocks of file systems have steps.
    pub(crate) fn is_settled(&self, now_ms: u64) -> bool {
        let now = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        now.abs_diff(self.changed.0) > 2
    }
}
