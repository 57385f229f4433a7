//! One file, open, and how far it was read.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use govlog_formats::digest::Digest;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::place::Mark;
use super::siblings::Id;
use super::{Item, Limits, Line, Place, What};

/// A file and how far its lines were given.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) id: Id,
    file: File,
    /// Where the first line begins that was not given.
    offset: u64,
    /// What stands before it.
    mark: Mark,
    /// The line that begins there, while it is passed over.
    long: Option<Long>,
    /// When the file was last written to, as last seen.
    changed: (i64, i64),
}

/// A line that is too long, as far as it was seen.
#[derive(Debug)]
struct Long {
    sha: Sha256,
    size: u64,
    /// What stands before its end, so far.
    mark: Mark,
}

impl Open {
    /// Opens a file at its beginning; `None`: it is not there, or another has its name.
    pub(super) fn new(path: &Path, id: Id) -> io::Result<Option<Self>> {
        // Without waiting for the other end, should it have become a pipe; and not over a link that it became.
        let flags = i32::try_from((OFlags::NONBLOCK | OFlags::NOFOLLOW).bits()).unwrap_or_default();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() || Id::of(&metadata) != id {
            return Ok(None);
        }
        let changed = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Some(Self { id, file, offset: 0, mark: Mark::default(), long: None, changed }))
    }

    /// Opens a file at a place; `None`: it is not the file that was read.
    pub(super) fn at(path: &Path, place: &Place) -> io::Result<Option<Self>> {
        let Some(id) = super::siblings::identity(path)? else { return Ok(None) };
        let Some(mut open) = Self::new(path, id)? else { return Ok(None) };
        if open.file.metadata()?.len() < place.offset {
            return Ok(None);
        }
        open.mark = Mark::read(&open.file, place.offset)?;
        open.offset = place.offset;
        Ok((open.mark.digest().to_string() == place.mark).then_some(open))
    }

    /// Gives the place behind the last line that was given.
    pub(super) fn place(&self) -> Place {
        Place {
            device: self.id.device,
            inode: self.id.inode,
            offset: self.offset,
            mark: self.mark.digest().to_string(),
            changed: self.changed,
        }
    }

    /// Says when the file was last written to.
    pub(super) fn changed(&self) -> io::Result<(i64, i64)> {
        let metadata = self.file.metadata()?;
        Ok((metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Says from where on bytes that stood there do so no more.
    pub(super) fn was_truncated(&mut self) -> io::Result<Option<u64>> {
        let metadata = self.file.metadata()?;
        self.changed = (metadata.mtime(), metadata.mtime_nsec());
        let seen = self.seen();
        let before = self.long.as_ref().map_or(&self.mark, |long| &long.mark);
        let is_same = metadata.len() >= seen
            && match Mark::read(&self.file, seen) {
                Ok(mark) => mark == *before,
                // It was truncated in this moment.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                Err(error) => return Err(error),
            };
        Ok((!is_same).then_some(self.offset))
    }

    /// Goes to the beginning.
    pub(super) fn restart(&mut self) {
        (self.offset, self.mark, self.long) = (0, Mark::default(), None);
    }

    /// How far the file was read: what is part of a line that may be given whole is read again.
    fn seen(&self) -> u64 {
        self.offset + self.long.as_ref().map_or(0, |long| long.size)
    }

    /// Gives lines up to the end, or to the limits; says whether it was the end. With `last` the rest there is a line.
    pub(super) fn lines(
        &mut self,
        items: &mut Vec<Item>,
        limits: Limits,
        budget: &mut usize,
        last: bool,
    ) -> io::Result<bool> {
        let metadata = self.file.metadata()?;
        self.changed = (metadata.mtime(), metadata.mtime_nsec());
        // With one byte more than a line may have it is known whether it is too long.
        let mut chunk = vec![0; limits.line_bytes.saturating_add(1).max(CHUNK)];
        while *budget > 0 && items.len() < limits.lines {
            let length = fill(&self.file, &mut chunk, self.seen())?;
            *budget = budget.saturating_sub(length.max(1));
            let bytes = chunk.get(..length).unwrap_or_default();
            let rest = self.cut(bytes, items, limits);
            if length == chunk.len() || items.len() >= limits.lines {
                continue;
            }
            // What stands behind the last line of a file that is finished is a line.
            if last && (!rest.is_empty() || self.long.is_some()) {
                self.give(rest, b"", limits, items);
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Gives the whole lines in bytes that were read, and what is behind them.
    fn cut<'b>(&mut self, bytes: &'b [u8], items: &mut Vec<Item>, limits: Limits) -> &'b [u8] {
        let mut rest = bytes;
        while items.len() < limits.lines {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return self.pass_over(rest, limits);
            };
            let (line, behind) = rest.split_at(end);
            self.give(line, b"\n", limits, items);
            rest = behind.get(1..).unwrap_or_default();
        }
        rest
    }

    /// Gives a line whose last bytes these are, and what ends it.
    fn give(&mut self, line: &[u8], end: &[u8], limits: Limits, items: &mut Vec<Item>) {
        let (mut size, what) = (line.len() as u64, line);
        let line = match self.long.take() {
            Some(mut long) => {
                long.sha.update(line);
                size += long.size;
                self.mark = long.mark;
                Line::Long { digest: Digest::from_bytes(long.sha.finalize().into()), size }
            }
            None if line.len() > limits.line_bytes => Line::Long { digest: Digest::sha256(line), size },
            None => Line::Whole(line.to_vec()),
        };
        self.mark.pass(what);
        self.mark.pass(end);
        self.offset += size + end.len() as u64;
        items.push(Item { what: What::Line(line), place: self.place() });
    }

    /// Keeps no more than a digest of what is part of a line that is too long; gives what may still become a line.
    fn pass_over<'b>(&mut self, rest: &'b [u8], limits: Limits) -> &'b [u8] {
        if self.long.is_none() && rest.len() <= limits.line_bytes {
            return rest;
        }
        let long = self.long.get_or_insert_with(|| Long { sha: Sha256::new(), size: 0, mark: self.mark.clone() });
        long.sha.update(rest);
        long.size += rest.len() as u64;
        long.mark.pass(rest);
        &[]
    }
}

/// Reads until the buffer is full or the file ends.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut length = 0;
    while let Some(room) = buffer.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read_at(room, offset + length as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// In tests lines are longer than what is read at a time.
const CHUNK: usize = if cfg!(test) { 64 } else { 64 * 1024 };
