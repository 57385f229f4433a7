//! Small files that must not be lost, overwritten or read by others.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use govlog_tls::secret;

/// Who may read a file besides its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Nobody: mode 0600.
    Owner,
    /// Everybody: mode 0644, less what the process's umask takes away.
    Everybody,
}

/// The most bytes of a configuration, key or request file that are read.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// How a file can fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refused.
    #[error("{path}: can not {what}: {source}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that was to be made is there already.
    #[error("{path}: is there already, and is never overwritten", path = .0.display())]
    Exists(PathBuf),
    /// The file is too large to be what it should be.
    #[error("{path}: is larger than {MAX_FILE_BYTES} bytes", path = .0.display())]
    TooLarge(PathBuf),
    /// The file is not UTF-8 text.
    #[error("{path}: is not UTF-8 text", path = .0.display())]
    NotText(PathBuf),
    /// A secret lies open.
    #[error("{path}: others can read or write this key (mode {mode:04o}); set it to 0600: chmod 600 {path}", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

/// Writes a file that is not there yet, and waits until it is on stable storage. Its directory is the caller's to sync.
///
/// A crash leaves no file, or a part of one; whoever reads it takes what is incomplete for an unfinished `init`.
pub(crate) fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let mode = match readers {
        Readers::Owner => 0o600,
        Readers::Everybody => 0o644,
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|source| {
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            FileError::Exists(path.to_owned())
        } else {
            io(path, "create it")(source)
        }
    })?;
    file.write_all(bytes).map_err(io(path, "write it"))?;
    file.sync_all().map_err(io(path, "sync it"))
}

/// Waits until the names in a directory are on stable storage.
pub(crate) fn sync_dir(path: &Path) -> Result<(), FileError> {
    File::open(path).and_then(|dir| dir.sync_all()).map_err(io(path, "sync the directory"))
}

/// Makes a directory that is its owner's alone, and those above it, unless it is there.
pub(crate) fn make_dir(path: &Path) -> Result<(), FileError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io(path, "make the directory"))?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> Result<(), FileError> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new(".")),
        Some(parent) => sync_dir(parent),
        None => Ok(()),
    }
}

/// Gives a file its final name in the same directory, and waits until that is on stable storage.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), FileError> {
    fs::rename(from, to).map_err(io(from, "rename it"))?;
    sync_parent(to)
}

/// Removes a file and waits until that is on stable storage.
pub(crate) fn remove(path: &Path) -> Result<(), FileError> {
    fs::remove_file(path).map_err(io(path, "remove it"))?;
    sync_parent(path)
}

/// Reads a file of bounded size.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    read_open(path, &File::open(path).map_err(io(path, "open it"))?)
}

/// Reads a text file of bounded size.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(path)?).map_err(|_| FileError::NotText(path.to_owned()))
}

/// Reads a private key, and refuses one that others can read or write.
pub(crate) fn read_secret(path: &Path) -> Result<String, FileError> {
    let file = File::open(path).map_err(io(path, "open it"))?;
    if let Some(mode) = secret::exposed(&file).map_err(io(path, "look at it"))? {
        return Err(FileError::Open { path: path.to_owned(), mode });
    }
    String::from_utf8(read_open(path, &file)?).map_err(|_| FileError::NotText(path.to_owned()))
}

/// Tells whether something has this name; what can not be looked at counts as there.
pub(crate) fn is_there(path: &Path) -> bool {
    !matches!(fs::symlink_metadata(path), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

fn read_open(path: &Path, file: &File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io(path, "read it"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

fn io(path: &Path, what: &'static str) -> impl FnOnce(std::io::Error) -> FileError {
    move |source| FileError::Io { path: path.to_owned(), what, source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_directory_is_made_for_its_owner_alone_and_left_as_it_is_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er");
        make_dir(&path).unwrap();
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        make_dir(&path).unwrap();
        assert_eq!(mode(), 0o750);
    }

    #[test]
    fn a_secret_is_written_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_new(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_secret(&path).unwrap(), "secret");
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_new(&path, b"first", Readers::Everybody).unwrap();
        assert!(matches!(write_new(&path, b"second", Readers::Everybody), Err(FileError::Exists(_))));
        assert_eq!(read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_key_that_others_can_read_or_write_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_new(&path, b"secret", Readers::Owner).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = read_secret(&path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        for mode in [0o600, 0o400, 0o700] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            read_secret(&path).unwrap();
        }
    }

    #[test]
    fn a_file_beyond_its_bound_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        File::create(&path).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(read(&path), Err(FileError::TooLarge(_))));
    }
}
