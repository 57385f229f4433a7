//! The lock that keeps two processes from sharing one witness folder.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// A folder that is this process's alone for as long as the value lives. The kernel lets go of it when the process ends, in whatever way.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, or says at once that another process has it.
    pub(crate) fn take(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let file = open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => Err(LockError::Io { path, error }),
        }
    }

    /// Takes a lock of its own for one short change to a file, waiting for whoever is changing it now.
    pub(crate) fn wait(path: &Path) -> Result<Self, LockError> {
        let file = open(path)?;
        file.lock().map_err(|error| LockError::Io { path: path.to_owned(), error })?;
        Ok(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File, LockError> {
    // Whoever can open the file can hold the lock, and so keep the witness from starting.
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    file.map_err(|error| LockError::Io { path: path.to_owned(), error })
}

/// Why a lock cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("another govlog-witness is using {}; two of them would cosign two histories", folder.display())]
    Held {
        /// The folder.
        folder: PathBuf,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {}: {error}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_free_again_after_drop() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(FolderLock::take(folder.path()), Err(LockError::Held { .. })));
        drop(first);
        FolderLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = FolderLock::take(Path::new("/nonexistent/witness")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/witness"), "{error}");
    }
}
