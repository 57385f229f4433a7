//! A folder of recorded answers, read again when a file changes.

use std::collections::HashMap;
use std::fs::File as Opened;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::super::api::snapshot::{FILES, File};
use super::poll::{Look, Looked};
use crate::feed::FeedError;
use crate::stamp::Stamp;

/// The folder.
pub(super) struct Folder {
    path: PathBuf,
    domain: String,
    /// The files that were read, by name.
    seen: HashMap<&'static str, Stamp>,
}

impl Folder {
    pub(super) fn new(path: &Path, domain: &str) -> Self {
        Self { path: path.to_owned(), domain: domain.to_owned(), seen: HashMap::new() }
    }

    /// Reads a file, if it is another than before.
    fn file(&mut self, name: &'static str, file: File, looked: &mut Looked, now_ms: u64) -> Result<bool, FeedError> {
        let path = self.path.join(name);
        let said = |error: &dyn std::fmt::Display| FeedError::new(format!("{}: {error}", path.display()));
        let (stamp, bytes) = match content(&path, self.seen.get(name), now_ms) {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(said(&error)),
        };
        file.read(&bytes, &self.domain, &mut looked.listing).map_err(|error| said(&error))?;
        self.seen.insert(name, stamp);
        Ok(true)
    }
}

impl Look for Folder {
    fn look(&mut self, now_ms: u64) -> Result<Looked, FeedError> {
        let mut looked = Looked { is_whole: true, ..Looked::default() };
        let mut there = false;
        for (name, file) in FILES {
            match self.file(name, file, &mut looked, now_ms) {
                Ok(is_there) => there |= is_there,
                // The others are no worse for it.
                Err(error) => {
                    there = true;
                    looked.trouble = Some(error);
                }
            }
        }
        if there {
            return Ok(looked);
        }
        let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        Err(FeedError::new(format!("{}: none of {} is there; it is waited for", self.path.display(), names.join(", "))))
    }
}

/// Gives a file's content, if it is another than before.
fn content(path: &Path, seen: Option<&Stamp>, now_ms: u64) -> io::Result<Option<(Stamp, Vec<u8>)>> {
    let wrong = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidData, why.to_owned()));
    // A pipe would be waited for.
    if !std::fs::metadata(path)?.is_file() {
        return wrong("no regular file");
    }
    let mut opened = Opened::open(path)?;
    let before = Stamp::of(&opened.metadata()?, now_ms);
    if seen.is_some_and(|seen| seen.is_still(&before)) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    opened.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    match opened.metadata() {
        _ if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_BYTES => wrong("more than 256 MiB"),
        Ok(after) if Stamp::of(&after, now_ms) == before => Ok(Some((before, bytes))),
        Ok(_) => wrong("it is being written; it is read again"),
        Err(error) => Err(error),
    }
}

/// Half a million entries.
const MAX_BYTES: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    /// A second listing that was written within the same step of the clock has the same stamp.
    #[test]
    fn a_listing_that_had_just_been_written_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("entries.json");
        std::fs::write(&path, r#"{"entries":[]}"#).unwrap();
        let written_ms = u64::try_from(path.metadata().unwrap().ctime()).unwrap() * 1_000;
        let mut folder = Folder::new(dir.path(), "prod.example");
        let mut is_read = |after_ms| folder.look(written_ms + after_ms).unwrap().listing.entries.is_some();
        assert_eq!([0, 0, 9_000, 18_000].map(&mut is_read), [true, true, true, false]);
    }
}
