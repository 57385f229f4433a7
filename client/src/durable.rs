//! Files that are replaced whole: a reader, and a process started after a power cut, sees the old bytes or the new ones.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Replaces a file's contents; durable when it returns.
///
/// # Errors
///
/// What the system says; the old contents then still stand.
pub fn replace(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let temporary = beside(path);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
    if mode & 0o077 == 0 {
        // One that a crash left keeps the mode that it has.
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    // A crash here leaves the temporary file beside the old one; the next call overwrites it. Of one that there is no room for nothing is left.
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        std::fs::remove_file(&temporary).ok();
    }
    written?;
    std::fs::rename(&temporary, path)?;
    // Without this a power cut may bring the old file back, which the caller would take for a rollback.
    File::open(dir)?.sync_all()
}

/// Where the new bytes stand until they are whole.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_survives_a_leftover() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        std::fs::write(beside(&path), "left by a crash, longer than what follows").unwrap();
        replace(&path, 0o600, b"one").unwrap();
        replace(&path, 0o600, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "whatever was left");
        assert!(!beside(&path).exists());
    }
}
