//! A file that another program appends to, followed line by line through rotations and restarts.
//!
//! **Promise**: whoever goes on from a [`Place`] that was given gets every line behind it, once and in order. Where that cannot be kept,
//! because a file was truncated or is gone, [`Lost`] says so where it happened.
//!
//! - *Rotation by renaming*: the old file is read to its end before the new one is begun, and the new one only once something stands in
//!   it: some rotate before they tell the writer. A program that still writes into the old one then is not followed. After a restart the old file is looked
//!   for among the files whose names begin with the file's (`access.log.1`, `access.log-20261128`), as are those rotated in between.
//! - *Truncation* (`copytruncate`): it is begun at 0; what stood behind the place is lost.
//! - *Half a line* is waited for; at the end of a rotated file it is a line.
//! - *A line that is too long* is passed over; its digest and size are kept, its bytes never held.
//!
//! Trust: whoever can write the file or its folder says what its lines are. Nothing they write makes a call read more than its bound.
//! In scope: lines of bytes. Out of scope: what they mean, when to look again (the feeds).

mod open;
mod place;
mod siblings;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use govlog_formats::digest::Digest;

pub use place::{Place, PlaceError};

use open::Open;
use siblings::{Picture, Sibling};

/// A file that is followed.
#[derive(Debug)]
pub struct Tail {
    /// The file as it was named.
    path: PathBuf,
    /// The same without symbolic links, as it last was.
    real: PathBuf,
    limits: Limits,
    open: Option<Open>,
    /// Where to go on when a file is open.
    resume: Option<Place>,
    /// The place that was last given.
    told: Option<Place>,
}

/// How much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a line that is given whole.
    pub line_bytes: usize,
    /// About how many bytes one call reads.
    pub read_bytes: usize,
    /// The most lines one call gives.
    pub lines: usize,
}

/// What one call found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines, and what is lost between them, in order.
    pub items: Vec<Item>,
    /// Where to go on behind all of them, if that changed.
    pub place: Option<Place>,
    /// Whether there is more to be read at once.
    pub more: bool,
    /// Whether there is no file of that name now: not yet, or it vanished. It is waited for.
    pub absent: bool,
}

/// One thing found, and where to go on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What was found.
    pub what: What,
    /// Where to go on.
    pub place: Place,
}

/// What is found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A line.
    Line(Line),
    /// Lines may be missing here.
    Lost(Lost),
}

/// A line, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its bytes.
    Whole(Vec<u8>),
    /// It is too long.
    Long {
        /// SHA-256 of its bytes.
        digest: Digest,
        /// How many there are.
        size: u64,
    },
}

/// Lines that may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Why.
    pub why: Why,
    /// The inode of the file in which they stood.
    pub inode: u64,
    /// From which byte of it on.
    pub offset: u64,
}

/// Why lines may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file has become shorter, or other bytes stand in it.
    Truncated,
    /// The file that was read is nowhere.
    Gone,
}

/// Why a file cannot be followed now.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TailError {
    /// The system says no.
    #[error("{}: {error}", path.display())]
    File {
        /// The file, or its folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is a folder, a pipe, a device.
    #[error("{}: no regular file; name the file that the log is written to", .0.display())]
    NotAFile(PathBuf),
    /// Files are renamed while they are looked at.
    #[error("{}: its folder changes while it is read", .0.display())]
    Restless(PathBuf),
    /// More files have names that begin so than are looked at.
    #[error("{}: more than {most} files in its folder have names that begin with it; move the old ones away", path.display())]
    Crowded {
        /// The file.
        path: PathBuf,
        /// How many are looked at.
        most: usize,
    },
}

impl Why {
    /// Says it for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "the file was truncated, or overwritten",
            Self::Gone => "the file that was read is gone",
        }
    }
}

impl Tail {
    /// Follows a file from a place on; from its beginning where there is none. Nothing is opened yet.
    #[must_use]
    pub fn new(path: &Path, limits: Limits, place: Option<Place>) -> Self {
        Self { path: path.to_owned(), real: path.to_owned(), limits, open: None, told: place.clone(), resume: place }
    }

    /// Reads on, within the limits.
    ///
    /// # Errors
    ///
    /// [`TailError`]; nothing was passed over, and it can be tried again.
    pub fn read(&mut self) -> Result<Read, TailError> {
        let mut found = Read::default();
        let mut budget = self.limits.read_bytes;
        if self.open.is_none() && !self.begin(&mut found)? {
            return Ok(Read { absent: true, ..found });
        }
        // What is found stays with the file until it is given: an error in between leaves the place as it was.
        let Some(mut open) = self.open.take() else { return Ok(found) };
        let read = self.follow(&mut open, &mut found, &mut budget);
        if let Err(error) = read {
            self.resume.clone_from(&self.told);
            return Err(error);
        }
        let place = open.place();
        self.open = Some(open);
        if !self.told.as_ref().is_some_and(|told| told.is_at(&place)) {
            self.told = Some(place.clone());
            found.place = Some(place);
        }
        Ok(found)
    }

    /// Reads a file, and those that follow it.
    fn follow(&mut self, open: &mut Open, found: &mut Read, budget: &mut usize) -> Result<(), TailError> {
        loop {
            if let Some(offset) = open.was_truncated().map_err(|error| self.failed(error))? {
                open.restart();
                let lost = Lost { why: Why::Truncated, inode: open.id.inode, offset };
                found.items.push(Item { what: What::Lost(lost), place: open.place() });
            }
            // Looked for before the end is reached: what was written before there was a next one is read.
            let (next, absent) = self.next(open)?;
            found.absent = absent;
            let ended = open.lines(&mut found.items, self.limits, budget, next.is_some());
            if !ended.map_err(|error| self.failed(error))? {
                found.more = true;
                return Ok(());
            }
            let Some(next) = next else { return Ok(()) };
            *open = next;
        }
    }

    /// Opens the file to begin with; `false`: there is none yet.
    fn begin(&mut self, found: &mut Read) -> Result<bool, TailError> {
        let picture = self.picture()?;
        let Some(place) = self.resume.clone() else {
            self.open = picture.current().map(|current| self.opened(current)).transpose()?.flatten();
            return Ok(self.open.is_some());
        };
        for sibling in picture.of_inode(&place) {
            if let Some(open) = Open::at(&sibling.path, &place).map_err(|error| self.failed(error))? {
                self.open = Some(open);
                return Ok(true);
            }
        }
        let Some(current) = picture.current() else { return Ok(false) };
        // A file of that inode with other bytes: truncated, or another that got the number of one that is gone.
        let truncated = picture.of_inode(&place).find(|sibling| sibling.is_of_the_log());
        let (why, first) = match truncated {
            Some(truncated) => (Why::Truncated, Some(truncated)),
            None => (Why::Gone, picture.changed_after(place.changed).next()),
        };
        let Some(open) = self.opened(first.unwrap_or(current))? else { return Ok(false) };
        let lost = Lost { why, inode: place.inode, offset: place.offset };
        found.items.push(Item { what: What::Lost(lost), place: open.place() });
        self.open = Some(open);
        Ok(true)
    }

    /// Finds the file that follows one; and says whether there is none of the name now.
    fn next(&mut self, open: &Open) -> Result<(Option<Open>, bool), TailError> {
        let named = siblings::identity(&self.path).map_err(|error| self.failed(error))?;
        if named == Some(open.id) {
            return Ok((None, false));
        }
        let changed = open.changed().map_err(|error| self.failed(error))?;
        let picture = self.picture()?;
        let next = picture.after(open.id, changed).map(|next| self.opened(next)).transpose()?;
        Ok((next.flatten(), named.is_none()))
    }

    /// Opens a file of a picture at its beginning; `None`: another has its name by now.
    fn opened(&self, sibling: &Sibling) -> Result<Option<Open>, TailError> {
        Open::new(&sibling.path, sibling.id).map_err(|error| self.failed(error))
    }

    fn picture(&mut self) -> Result<Picture, TailError> {
        match self.path.canonicalize() {
            Ok(real) => self.real = real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(self.failed(error)),
        }
        Picture::of(&self.real)
    }

    fn failed(&self, error: io::Error) -> TailError {
        TailError::File { path: self.path.clone(), error }
    }
}
