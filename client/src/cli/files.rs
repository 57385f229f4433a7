//! Files that a command reads and writes.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use govlog_formats::cose::{PublicKey, SigningKey};

use super::exit::Usage;
use crate::key_file;

/// The largest file a command reads whole: far above any valid one.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Reads a whole file, or refuses one that is too large to be what it should be.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    read_at_most(path, MAX_FILE)
}

/// As [`read`], for files that may have so many bytes.
pub(crate) fn read_at_most(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    if bytes.len() as u64 > most {
        return Err(Usage(format!("{}: larger than {most} bytes", path.display())).into());
    }
    Ok(bytes)
}

/// Opens a file to read it. A folder opens, too, and would fail later without its name.
pub(crate) fn open(path: &Path) -> Result<File, Usage> {
    if path.is_dir() {
        return Err(Usage(format!("{0}: a folder; name the files in it, such as {0}/*.cose", path.display())));
    }
    File::open(path).map_err(|cause| Usage(format!("{}: {cause}", path.display())))
}

/// Reads a file as text.
pub(crate) fn read_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| Usage(format!("{}: not UTF-8 text", path.display())).into())
}

/// Reads a private key, and refuses one that others can read.
pub(crate) fn signing_key(path: &Path) -> anyhow::Result<SigningKey> {
    key_file::load(path).map_err(|error| Usage(error.to_string()).into())
}

/// Reads a public key (SPKI PEM).
pub(crate) fn public_key(path: &Path) -> anyhow::Result<PublicKey> {
    PublicKey::from_spki_pem(&read_text(path)?).map_err(|cause| {
        Usage(format!("{}: {cause}; a public key is the .pub file beside a key", path.display())).into()
    })
}

/// Makes a new file with a mode; an existing one is never overwritten.
pub(crate) fn create_new(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => {
                Usage(format!("{}: that is there already, and is never replaced; give another name", path.display()))
            }
            _ => Usage(format!("{}: {cause}", path.display())),
        })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(|| path.display().to_string())
}

/// Refuses, before anything is done for it, a result that would replace what is there; that must be asked for.
pub(crate) fn free(path: &Path, force: bool) -> Result<(), Usage> {
    if force || path.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(Usage(format!("{}: that is there already; give another name, or replace it: --force", path.display())))
}

/// Writes a result where nothing is, or if `force` over an earlier one.
pub(crate) fn put(path: &Path, bytes: &[u8], force: bool) -> anyhow::Result<()> {
    free(path, force)?;
    if force { write(path, bytes) } else { create_new(path, 0o644, bytes) }
}

/// Writes a result, replacing an earlier one whole.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    crate::durable::replace(path, 0o644, bytes).with_context(|| path.display().to_string())
}
