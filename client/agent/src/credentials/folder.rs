//! A folder of certificates and tokens, looked at again and again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::read::{Seen, is_looked_into, read};
use super::watch::{Look, Looked};
use crate::feed::FeedError;
use crate::stamp::Stamp;

/// A folder. What lies in folders below it is not looked at; links are followed, as they are where secrets are mounted.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    reads: String,
    files: BTreeMap<OsString, Known>,
}

/// A file as it was read.
#[derive(Clone, Debug)]
struct Known {
    stamp: Stamp,
    seen: Vec<Seen>,
    is_readable: bool,
}

impl Folder {
    /// Looks at a folder.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { reads: path.display().to_string(), path: path.to_owned(), files: BTreeMap::new() }
    }

    /// Gives what is known of a file: what it was, if it is as it was.
    fn file(&self, name: &OsString, now_ms: u64) -> Option<Known> {
        let path = self.path.join(name);
        let metadata = fs::metadata(&path).ok().filter(Metadata::is_file)?;
        let stamp = Stamp::of(&metadata, now_ms);
        let known = self.files.get(name).filter(|known| known.stamp.is_still(&stamp));
        if let Some(known) = known {
            return Some(known.clone());
        }
        let seen = open(&path)
            .and_then(|file| contents(&file))
            .map(|bytes| bytes.map(|bytes| read(&name.to_string_lossy(), &bytes).ok()).unwrap_or_default());
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(_) => None,
        };
        let (is_readable, was_readable) = (seen.is_some(), self.files.get(name).is_none_or(|known| known.is_readable));
        if !is_readable && was_readable {
            tracing::warn!(path = %path.display(), "no certificate or token can be read in it, or not all of it yet; it is looked at again");
        }
        Some(Known { stamp, seen: seen.unwrap_or_default(), is_readable })
    }
}

impl Look for Folder {
    fn reads(&self) -> &str {
        &self.reads
    }

    fn look(&mut self, now_ms: u64) -> Result<Looked, FeedError> {
        let failed = |error: io::Error| FeedError(format!("{}: {error}", self.reads));
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !is_looked_into(&name.to_string_lossy()) {
                continue;
            }
            if files.len() == MOST_FILES {
                return Err(FeedError(format!("{}: more than {MOST_FILES} files; name a folder of less", self.reads)));
            }
            if let Some(known) = self.file(&name, now_ms) {
                files.insert(name, known);
            }
        }
        self.files = files;
        let mut looked = Looked::default();
        for (name, known) in &self.files {
            looked.unreadable += u64::from(!known.is_readable);
            let at = self.path.join(name).display().to_string();
            looked.seen.extend(known.seen.iter().map(|seen| (at.clone(), seen.clone())));
        }
        Ok(looked)
    }
}

/// Opens a file, without waiting for the other end, should it have become a pipe.
fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("no regular file")) }
}

/// Reads a file; `None`: it is longer than any of credentials.
fn contents(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= MOST_BYTES).then_some(bytes))
}

const MOST_FILES: usize = 10_000;
/// As much as [`govlog_formats::record::handles`] reads, for a chain or a bundle.
const MOST_BYTES: u64 = govlog_formats::record::handles::MAX_BYTES as u64;
