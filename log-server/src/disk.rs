//! Refuses work before the disk is full: a full disk is where logs have lost what they promised.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long one look at the disk counts.
const FRESH: Duration = Duration::from_secs(1);

/// The least free space with which entries are still taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Free bytes.
    pub bytes: u64,
    /// Free share of the file system, in percent.
    pub percent: u8,
}

impl Default for Reserve {
    /// "Below max(2 GiB, 5 %) free" (reference/reliability.md §4.3).
    fn default() -> Self {
        Self { bytes: 2 << 30, percent: 5 }
    }
}

impl Reserve {
    /// Returns the bytes that must be free on a file system of `total` bytes: the larger of the two bounds.
    #[must_use]
    pub fn of(self, total: u64) -> u64 {
        let share = u128::from(total) * u128::from(self.percent) / 100;
        self.bytes.max(u64::try_from(share).unwrap_or(u64::MAX))
    }
}

/// Why no entry is taken at present.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// Less is free than the reserve.
    #[error("{path}: {free} bytes free, {wanted} wanted", path = .path.display())]
    Low {
        /// The directory looked at.
        path: PathBuf,
        /// Bytes free to this process.
        free: u64,
        /// Bytes that must be free.
        wanted: u64,
    },
    /// The file system could not be asked.
    #[error("{path}: cannot read free space: {source}", path = .path.display())]
    Unknown {
        /// The directory looked at.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Watches the file systems the log writes to.
#[derive(Debug)]
pub struct DiskGuard {
    paths: Vec<PathBuf>,
    reserve: Reserve,
    /// When the disk was last found sufficient. A refusal is never remembered, so that freed space counts at once.
    sufficient: Mutex<Option<Instant>>,
}

impl DiskGuard {
    /// Watches the file systems that hold `paths`.
    #[must_use]
    pub const fn new(paths: Vec<PathBuf>, reserve: Reserve) -> Self {
        Self { paths, reserve, sufficient: Mutex::new(None) }
    }

    /// Checks that every file system has its reserve. One answer counts for a second.
    ///
    /// # Errors
    /// [`DiskError`], naming the first path that has not.
    pub fn check(&self) -> Result<(), DiskError> {
        let mut sufficient = self.sufficient.lock().unwrap_or_else(PoisonError::into_inner);
        if sufficient.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        *sufficient = None;
        for path in &self.paths {
            self.check_path(path)?;
        }
        *sufficient = Some(Instant::now());
        Ok(())
    }

    fn check_path(&self, path: &PathBuf) -> Result<(), DiskError> {
        let space = rustix::fs::statvfs(path)
            .map_err(|error| DiskError::Unknown { path: path.clone(), source: error.into() })?;
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let wanted = self.reserve.of(space.f_blocks.saturating_mul(space.f_frsize));
        if free < wanted {
            return Err(DiskError::Low { path: path.clone(), free, wanted });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_bound_counts() {
        let reserve = Reserve::default();
        assert_eq!(reserve.of(10 << 30), 2 << 30);
        assert_eq!(reserve.of(1000 << 30), 50 << 30);
        assert_eq!(Reserve { bytes: 0, percent: 100 }.of(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_reserve_beyond_the_disk_refuses_and_names_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let enough = DiskGuard::new(vec![dir.path().into()], Reserve { bytes: 0, percent: 0 });
        enough.check().unwrap();
        let never = DiskGuard::new(vec![dir.path().into()], Reserve { bytes: u64::MAX, percent: 0 });
        let refusal = never.check().unwrap_err().to_string();
        assert!(refusal.contains(&dir.path().display().to_string()), "{refusal}");
        assert!(refusal.contains("18446744073709551615 wanted"), "{refusal}");
    }

    #[test]
    fn a_missing_directory_is_not_taken_for_space() {
        let guard = DiskGuard::new(vec!["/nonexistent/govlog".into()], Reserve { bytes: 0, percent: 0 });
        assert!(matches!(guard.check(), Err(DiskError::Unknown { .. })));
    }
}
