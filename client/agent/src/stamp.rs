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
    /// Whether the file would have got another stamp if it had been written to just then: clocks of file systems have steps.
    is_settled: bool,
}

impl Stamp {
    /// The stamp of a file that is looked at, or read, now.
    pub(crate) fn of(metadata: &Metadata, now_ms: u64) -> Self {
        let now = i64::try_from(now_ms / 1_000).unwrap_or(i64::MAX);
        Self {
            file: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            // Not if it is from the future: the clock was set back, and comes to that time again.
            is_settled: now.saturating_sub(metadata.ctime()) > 2,
        }
    }

    /// Says whether a file that was read with this stamp is surely the same now. One that was read just after it was written is not: it may have
    /// been written once more within that step of the clock.
    pub(crate) fn is_still(&self, now: &Self) -> bool {
        self.is_settled && *self == Self { is_settled: true, ..*now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_read_when_it_had_just_been_written_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "one").unwrap();
        let metadata = file.path().metadata().unwrap();
        let written_ms = u64::try_from(metadata.ctime()).unwrap() * 1_000;
        let [at_once, later] = [0, 3_000].map(|after_ms| Stamp::of(&metadata, written_ms + after_ms));
        assert!(!at_once.is_still(&at_once) && !at_once.is_still(&later), "whenever it is looked at");
        assert!(later.is_still(&later) && later.is_still(&at_once));
        std::fs::write(file.path(), "three").unwrap();
        assert!(!later.is_still(&Stamp::of(&file.path().metadata().unwrap(), written_ms + 3_000)));
    }

    #[test]
    fn a_file_from_the_future_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let metadata = file.path().metadata().unwrap();
        let written_ms = u64::try_from(metadata.ctime()).unwrap() * 1_000;
        for before_ms in [written_ms, 3_600_000, 3_000, 1_000] {
            let from_the_future = Stamp::of(&metadata, written_ms - before_ms);
            assert!(!from_the_future.is_still(&from_the_future), "{before_ms}");
        }
    }
}
