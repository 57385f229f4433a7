//! Files that are there whole or not at all, whatever happens to the machine.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Replaces a file's content, and gives it these permission bits, durably: when this returns, the new content survives a loss of power.
///
/// One writer at a time per path is the caller's duty.
///
/// # Errors
/// See [`ReplaceError`]: either the old content certainly stands, or which of the two a restart would find is unknown.
pub(crate) fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), ReplaceError> {
    let temporary = temporary_of(path).map_err(ReplaceError::NotWritten)?;
    write_synced(OpenOptions::new().write(true).create(true).truncate(true), &temporary, content, mode)
        .map_err(ReplaceError::NotWritten)?;
    // A crash here leaves the old content and a temporary file, complete or not; opening the folder removes the latter.
    fs::rename(&temporary, path).map_err(ReplaceError::Unknown)?;
    // A crash here leaves the old content or the new one, each whole. Nothing was answered yet, so both are right.
    sync_parent(path).map_err(ReplaceError::Unknown)
}

/// Writes a file that must not exist yet, durably, with the given permission bits.
///
/// # Errors
/// `AlreadyExists` when it does; any other error of the file system.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    write_synced(OpenOptions::new().write(true).create_new(true), path, content, mode)?;
    sync_parent(path)
}

/// Removes what interrupted calls of [`replace`] left in a folder. Nobody may be writing there.
///
/// # Errors
/// Any error of the file system.
pub(crate) fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == TEMPORARY) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Makes the entries of a folder durable: what was created, renamed or removed in it.
///
/// # Errors
/// Any error of the file system.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How a replacement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplaceError {
    /// The old content stands.
    #[error("nothing was written: {0}")]
    NotWritten(#[source] io::Error),
    /// The old content or the new one stands; only reading the disk again, after a restart, tells which.
    #[error("what is on disk is unknown: {0}")]
    Unknown(#[source] io::Error),
}

fn write_synced(options: &mut OpenOptions, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut file = options.mode(mode).open(path)?;
    if mode & 0o077 == 0 {
        // A file that was there already, left by a crash, keeps the mode that it has.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
    }
    file.write_all(content)?;
    file.sync_all()
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent != Path::new("") => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

fn temporary_of(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
    let mut name = name.to_owned();
    name.push(".");
    name.push(TEMPORARY);
    Ok(path.with_file_name(name))
}

/// The extension of files that are not finished.
const TEMPORARY: &str = "tmp";
