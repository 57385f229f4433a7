//! The opening store as a folder.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use govlog_formats::digest::Digest;

use super::{MAX_DOCUMENT_BYTES, OpeningStore, StoreError};
use crate::durable;

/// A folder that only its owner can read: `<first two digits>/<leaf hash>.cbor`.
///
/// One file for each entry, so that destroying one opening is removing one file.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    ///
    /// It cannot be made, or others than its owner can read it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make(path)?;
        let mode = std::fs::metadata(path).map_err(failed(path))?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Readable { path: path.to_owned(), mode, right: 0o700 });
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Gives the file of an entry's openings.
    #[must_use]
    pub fn file(&self, leaf: &Digest) -> PathBuf {
        let name = leaf.to_string();
        self.path.join(name.get(..2).unwrap_or_default()).join(format!("{name}.cbor"))
    }

    /// One call for everything that was written or removed, since a sync for each file would take as long as everything else together.
    fn sync(&self) -> Result<(), StoreError> {
        let folder = File::open(&self.path).map_err(failed(&self.path))?;
        rustix::fs::syncfs(folder).map_err(|error| failed(&self.path)(error.into()))
    }
}

impl OpeningStore for Folder {
    fn put(&self, openings: &[(Digest, &[u8])]) -> Result<(), StoreError> {
        for (leaf, bytes) in openings {
            let path = self.file(leaf);
            if let Some(folder) = path.parent() {
                make(folder)?;
            }
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(bytes)).map_err(failed(&path))?;
        }
        // A crash before this may leave any of them short or missing: the caller still has them, and puts them again.
        if openings.is_empty() { Ok(()) } else { self.sync() }
    }

    fn get(&self, leaf: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(leaf);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed(&path))?,
        };
        // Of the open file, so that no other can take its place in between.
        let mode = file.metadata().map_err(failed(&path))?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(StoreError::Readable { path, mode, right: 0o600 });
        }
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
        file.take(most + 1).read_to_end(&mut bytes).map_err(failed(&path))?;
        if bytes.len() > MAX_DOCUMENT_BYTES { Err(StoreError::TooLarge { path }) } else { Ok(Some(bytes)) }
    }

    fn replace(&self, leaf: &Digest, openings: &[u8]) -> Result<(), StoreError> {
        let path = self.file(leaf);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        durable::replace(&path, 0o600, openings).map_err(failed(&path))
    }

    fn remove(&self, leaves: &[Digest]) -> Result<usize, StoreError> {
        let mut removed = 0;
        for leaf in leaves {
            let path = self.file(leaf);
            match std::fs::remove_file(&path) {
                Ok(()) => removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(StoreError::Io { path, cause }),
            }
        }
        if leaves.is_empty() { Ok(0) } else { self.sync().map(|()| removed) }
    }
}

fn make(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError::Io { path, cause }
}
