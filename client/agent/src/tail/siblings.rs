//! The files that a rotated log consists of, and their order.

use std::cmp::Reverse;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Place, TailError};

/// What tells files of one moment apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id {
    pub(super) device: u64,
    pub(super) inode: u64,
}

/// A file whose name begins with that of the file that is followed.
#[derive(Clone, Debug)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) id: Id,
    rank: Rank,
    size: u64,
    changed: (i64, i64),
}

/// The age that a name says, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// It says none.
    Other,
    /// `access.log-20261128`, `access.log.2026-11-28`
    Dated(Vec<u8>),
    /// `access.log.1`
    Numbered(Reverse<u32>),
    /// The name itself.
    Current,
}

/// The files beside one another at one moment, the youngest first.
#[derive(Debug)]
pub(super) struct Picture(Vec<Sibling>);

impl Id {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// Says which file has a name; links are followed.
pub(super) fn identity(path: &Path) -> io::Result<Option<Id>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Id::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Sibling {
    /// Says whether its name is one that rotation gives.
    pub(super) fn is_of_the_log(&self) -> bool {
        self.rank != Rank::Other
    }
}

impl Picture {
    /// Looks until two looks agree: a folder is not read in one moment, and files are renamed.
    pub(super) fn of(path: &Path) -> Result<Self, TailError> {
        let mut last = Self::look(path)?;
        for _ in 0..LOOKS {
            let picture = Self::look(path)?;
            let agree = |(one, other): (&Sibling, &Sibling)| one.id == other.id && one.path == other.path;
            if picture.0.len() == last.0.len() && picture.0.iter().zip(&last.0).all(agree) {
                return Ok(picture);
            }
            last = picture;
        }
        Err(TailError::Restless(path.to_owned()))
    }

    fn look(path: &Path) -> Result<Self, TailError> {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        let failed = |error| TailError::File { path: folder.to_owned(), error };
        let name = path.file_name().unwrap_or_default().as_bytes();
        let mut found = Vec::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self(found)),
            Err(error) => return Err(failed(error)),
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let Some(rank) = entry.file_name().as_bytes().strip_prefix(name).and_then(Rank::of) else { continue };
            let sibling = folder.join(entry.file_name());
            // What cannot be asked about is gone again. The log's own name was followed to what it leads to; beside it links lead anywhere, and whoever
            // writes the log is not to choose what is read.
            let about = if rank == Rank::Current { fs::metadata(&sibling) } else { fs::symlink_metadata(&sibling) };
            let Ok(metadata) = about else { continue };
            if !metadata.is_file() {
                if rank == Rank::Current {
                    return Err(TailError::NotAFile(sibling));
                }
                continue;
            }
            if found.len() == MOST {
                return Err(TailError::Crowded { path: path.to_owned(), most: MOST });
            }
            let changed = (metadata.mtime(), metadata.mtime_nsec());
            found.push(Sibling { path: sibling, id: Id::of(&metadata), rank, size: metadata.len(), changed });
        }
        found.sort_by(|one, other| (&other.rank, &one.path).cmp(&(&one.rank, &other.path)));
        Ok(Self(found))
    }

    /// The file that has the name itself.
    pub(super) fn current(&self) -> Option<&Sibling> {
        self.0.iter().find(|sibling| sibling.rank == Rank::Current)
    }

    /// The files that may be the one of a place, the likeliest first.
    pub(super) fn of_inode(&self, place: &Place) -> impl Iterator<Item = &Sibling> {
        let of_inode = |sibling: &&Sibling| sibling.id.inode == place.inode;
        let is_same = move |sibling: &&Sibling| sibling.id.device == place.device;
        let same = self.0.iter().filter(of_inode).filter(is_same);
        // After a reboot a device may have another number; then what was read must tell.
        let told = move |sibling: &&Sibling| place.offset > 0 && !is_same(sibling);
        same.chain(self.0.iter().filter(of_inode).filter(told))
    }

    /// The file that follows another, if that one is finished.
    pub(super) fn after(&self, id: Id, changed: (i64, i64)) -> Option<&Sibling> {
        let current = self.current();
        let rotated = match self.0.iter().find(|sibling| sibling.id == id).map(|own| &own.rank) {
            Some(Rank::Current) => return None,
            Some(own) => self.0.iter().rev().find(|sibling| sibling.rank.follows(own)),
            None => self.changed_after(changed).next(),
        };
        // Some rotate before they tell the writer: while nothing is in the new file it writes into the old one.
        rotated.or_else(|| current.filter(|current| current.size > 0))
    }

    /// The rotated files that were written to after a moment, in that order.
    pub(super) fn changed_after(&self, changed: (i64, i64)) -> impl Iterator<Item = &Sibling> {
        let is_rotated = |sibling: &&Sibling| matches!(sibling.rank, Rank::Dated(_) | Rank::Numbered(_));
        let mut after: Vec<&Sibling> =
            self.0.iter().filter(is_rotated).filter(|sibling| sibling.changed > changed).collect();
        after.sort_by_key(|sibling| sibling.changed);
        after.into_iter()
    }
}

impl Rank {
    /// Reads what stands behind the name; `None`: it is packed, or another file's name.
    fn of(suffix: &[u8]) -> Option<Self> {
        let Some((first, rest)) = suffix.split_first() else { return Some(Self::Current) };
        if PACKED.iter().any(|ending| suffix.ends_with(ending)) {
            return None;
        }
        let digits = rest.iter().filter(|byte| byte.is_ascii_digit()).count();
        let is_date = rest.iter().all(|byte| byte.is_ascii_digit() || b"-_T.".contains(byte)) && digits >= 6;
        let number = std::str::from_utf8(rest).ok().filter(|rest| rest.len() == digits && digits < 6);
        Some(match (first, number.and_then(|number| number.parse().ok())) {
            (b'.', Some(number)) => Self::Numbered(Reverse(number)),
            (b'.' | b'-' | b'_', None) if is_date => Self::Dated(rest.to_vec()),
            _ => Self::Other,
        })
    }

    /// Says whether a rotated file is younger than another, by their names.
    fn follows(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Numbered(own), Self::Numbered(other)) => own > other,
            (Self::Dated(own), Self::Dated(other)) => own > other,
            _ => false,
        }
    }
}

/// How often a folder is looked at before it is left for later.
const LOOKS: usize = 5;
/// The most files of one name.
const MOST: usize = 4_096;
const PACKED: [&[u8]; 4] = [b".gz", b".xz", b".zst", b".bz2"];
