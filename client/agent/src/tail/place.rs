//! Where to go on in a file, and how that file is known again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

/// Where to go on: a file, known by its inode and by what stands before the place, and an offset.
///
/// Device and inode alone name a file only while it is there: numbers are used again, and a device may have another after a reboot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    pub(super) device: u64,
    pub(super) inode: u64,
    /// Where the next line begins.
    pub(super) offset: u64,
    /// SHA-256 of the file's first bytes and of those just before `offset`, hexadecimal.
    pub(super) mark: String,
    /// When the file was last written to, as known then: seconds and nanoseconds.
    pub(super) changed: (i64, i64),
}

/// Why bytes are no place.
#[derive(Debug, thiserror::Error)]
#[error("the place at which to go on cannot be read: {0}")]
pub struct PlaceError(#[from] serde_json::Error);

impl Place {
    /// Writes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Numbers and text: there is nothing in it that could not be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    ///
    /// It is something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, PlaceError> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// Says whether another is the same place, whenever the file was written to.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        (self.device, self.inode, self.offset, &self.mark) == (other.device, other.inode, other.offset, &other.mark)
    }

    /// The byte at which the next line begins.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// The inode of the file.
    #[must_use]
    pub const fn inode(&self) -> u64 {
        self.inode
    }
}

/// What stands before an offset: the first bytes of the file, and the last before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    head: Vec<u8>,
    last: Vec<u8>,
}

impl Mark {
    /// Reads it from a file that has so many bytes.
    pub(super) fn read(file: &File, offset: u64) -> io::Result<Self> {
        let part = |most: usize| usize::try_from(offset).map_or(most, |offset| offset.min(most));
        let (mut head, mut last) = (vec![0; part(HEAD)], vec![0; part(LAST)]);
        file.read_exact_at(&mut head, 0)?;
        file.read_exact_at(&mut last, offset.saturating_sub(LAST as u64))?;
        Ok(Self { head, last })
    }

    /// Goes on over more bytes.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(room));
        let kept = LAST.saturating_sub(bytes.len()).min(self.last.len());
        self.last.drain(..self.last.len() - kept);
        self.last.extend(bytes.iter().skip(bytes.len().saturating_sub(LAST)));
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::sha256_of(&[&self.head, &self.last])
    }
}

const HEAD: usize = 256;
const LAST: usize = 64;
