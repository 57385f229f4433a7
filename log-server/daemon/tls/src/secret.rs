//! Files that only their owner may read: private keys, tokens, and what a program remembers.
//!
//! Trust: whoever reads a key or a token is whom it speaks for, and whoever writes what a program remembers decides what it does next. One that
//! others can read or write has been everybody's since it was so, and using it on would hide that.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Why a secret is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others than its owner can read or write the file.
    #[error("{path}: others can read or write this secret (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is too large to be what it should be.
    #[error("{}: has more than {MAX_SECRET_BYTES} bytes, which no key has", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("{}: is not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a secret, and refuses one that others can read or write.
///
/// # Errors
/// [`SecretError`] names the file.
pub fn read(path: &Path) -> Result<String, SecretError> {
    let failed = |cause| SecretError::File { path: path.to_owned(), cause };
    let file = File::open(path).map_err(failed)?;
    if let Some(mode) = exposed(&file).map_err(failed)? {
        return Err(SecretError::Open { path: path.to_owned(), mode });
    }
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_SECRET_BYTES {
        return Err(SecretError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes).map_err(|_| SecretError::NotText { path: path.to_owned() })
}

/// Opens a file for reading, and refuses one that others can read or write: for what a program remembers.
///
/// # Errors
/// What the system says; [`io::ErrorKind::PermissionDenied`] with what to do when it is open to others.
pub fn open(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    keep(path, &file)?;
    Ok(file)
}

/// Refuses an open file that others can read or write, as [`open`] does.
///
/// # Errors
/// As [`open`].
pub fn keep(path: &Path, file: &File) -> io::Result<()> {
    let Some(mode) = exposed(file)? else { return Ok(()) };
    // Whoever passes the error on says of which file.
    let why = format!("others can read or write it (mode {mode:04o}); run: chmod 600 {}", path.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// Gives a file's permission bits if others than its owner can read or write it.
///
/// Of the open file, so that no other can take its place in between.
///
/// # Errors
/// What the system says.
pub fn exposed(file: &File) -> io::Result<Option<u32>> {
    let mode = file.metadata()?.mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

/// Far above the PEM of any key, and above any token.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_read_when_it_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(matches!(read(&path), Err(SecretError::File { .. })));
        fs::write(&path, "sesame").unwrap();
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = read(&path).unwrap_err();
            assert!(matches!(error, SecretError::Open { mode: found, .. } if found == mode), "{mode:o}");
            assert!(error.to_string().contains("chmod 600"), "{error}");
            let error = open(&path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
        for mode in [0o600, 0o400, 0o700] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path).unwrap(), "sesame");
            open(&path).unwrap();
        }
    }

    #[test]
    fn what_can_be_no_secret_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        File::create(&path).unwrap().set_len(MAX_SECRET_BYTES + 1).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(read(&path), Err(SecretError::TooLarge { .. })));
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(read(&path), Err(SecretError::NotText { .. })));
    }
}
