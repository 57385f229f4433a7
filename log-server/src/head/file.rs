//! The head in a file of its own: two slots, written in turn.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use govlog_tls::secret;

use super::slot::{SLOT_BYTES, Slot};
use super::{HeadError, HeadOwner, HeadState, HeadStore, SlotFault, check_step};
use crate::failpoints;
use crate::tree::TreeHead;

const FILE_BYTES: u64 = 2 * SLOT_BYTES as u64;

/// The head file, locked for as long as the value lives.
///
/// The lock belongs to the open file, so that neither a second process nor a second opening in this one can hold it.
#[derive(Debug)]
pub struct HeadFile {
    path: PathBuf,
    file: File,
}

impl HeadFile {
    /// Makes a head file that holds `head` in both slots, durable on return, and lets go of it.
    ///
    /// # Errors
    /// [`HeadError::Exists`] when there is one already; else when the file system fails.
    pub fn create(path: &Path, owner: HeadOwner, head: &TreeHead) -> Result<(), HeadError> {
        let failed = |during| move |source| HeadError::File { path: path.to_owned(), during, source };
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(HeadError::Exists(path.to_owned()));
            }
            other => other.map_err(failed("making the file"))?,
        };
        // A crash in here leaves a file that opening refuses, since one of its slots or its length is wrong; no log has run
        // on it, and `init` is begun again in an empty place.
        for generation in [2u64, 1] {
            let slot = Slot { owner, generation, head: *head };
            file.write_all_at(&slot.encode(), offset(generation)).map_err(failed("writing a slot"))?;
        }
        file.sync_all().map_err(failed("syncing the file"))?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = File::open(parent).map_err(failed("opening the directory"))?;
        directory.sync_all().map_err(failed("syncing the directory"))
    }

    /// Opens and locks the head file at `path`.
    ///
    /// # Errors
    /// [`HeadError::Absent`], [`HeadError::Locked`], or whatever [`HeadStore::read`] gives.
    pub fn open(path: &Path) -> Result<Self, HeadError> {
        let failed = |during| move |source| HeadError::File { path: path.to_owned(), during, source };
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let file = match opened {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(HeadError::Absent(path.to_owned()));
            }
            other => other.map_err(failed("opening the file"))?,
        };
        secret::keep(path, &file).map_err(failed("opening the file"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HeadError::Locked(path.to_owned())),
            Err(TryLockError::Error(source)) => return Err(failed("locking the file")(source)),
        }
        let head = Self { path: path.to_owned(), file };
        head.read()?;
        Ok(head)
    }

    /// Reads both slots; returns the newer one, and what is wrong with the other.
    fn slots(&self) -> Result<(Slot, Option<SlotFault>), HeadError> {
        let found = self.file.metadata().map_err(|source| self.failed("reading the length", source))?.len();
        if found != FILE_BYTES {
            return Err(HeadError::Length { path: self.path.clone(), found });
        }
        match (self.slot(0)?, self.slot(1)?) {
            (Ok(first), Ok(second)) => Ok((self.newer(first, second)?, None)),
            (Ok(slot), Err(fault)) | (Err(fault), Ok(slot)) => Ok((slot, Some(fault))),
            (Err(first), Err(second)) => Err(HeadError::NoValidSlot { path: self.path.clone(), first, second }),
        }
    }

    fn slot(&self, place: u64) -> Result<Result<Slot, SlotFault>, HeadError> {
        let mut bytes = [0; SLOT_BYTES];
        self.file.read_exact_at(&mut bytes, offset(place)).map_err(|source| self.failed("reading a slot", source))?;
        Ok(Slot::decode(place, &bytes))
    }

    /// Takes the later of two valid slots, and refuses two that cannot have been written one after the other.
    fn newer(&self, first: Slot, second: Slot) -> Result<Slot, HeadError> {
        let (older, newer) = if first.generation < second.generation { (first, second) } else { (second, first) };
        let fault = if older.generation.checked_add(1) != Some(newer.generation) {
            Some(format!("generations {} and {}", older.generation, newer.generation))
        } else if newer.owner != older.owner {
            Some("they belong to different stores or origins".to_owned())
        } else if newer.head.size < older.head.size || newer.head.time < older.head.time {
            Some(format!("({}) after ({})", newer.head, older.head))
        } else {
            None
        };
        fault.map_or(Ok(newer), |why| Err(HeadError::Slots { path: self.path.clone(), why }))
    }

    fn write(&self, slot: &Slot) -> Result<(), HeadError> {
        let (bytes, at) = (slot.encode(), offset(slot.generation));
        // A crash before this write leaves the batch unsigned above the old head; start-up adopts it.
        failpoints::hit("head::before_write")?;
        #[cfg(feature = "failpoints")]
        self.write_first_half(&bytes, at)?;
        self.file.write_all_at(&bytes, at).map_err(|source| self.failed("writing a slot", source))?;
        // A crash in or after the write, before the sync, leaves the other slot whole and this one old, new or torn. Torn:
        // the store is larger than the old head, for the batch was synced first; start-up adopts it and writes this slot
        // again.
        failpoints::hit("head::after_write")?;
        if !failpoints::off("skip_sync") {
            self.file.sync_data().map_err(|source| self.failed("syncing a slot", source))?;
        }
        // A crash after the sync leaves a head that equals the store's; start-up signs it.
        failpoints::hit("head::after_sync")?;
        Ok(())
    }

    /// Gives a test the chance to stop in the middle of a slot.
    #[cfg(feature = "failpoints")]
    fn write_first_half(&self, bytes: &[u8], at: u64) -> Result<(), HeadError> {
        let half = bytes.get(..super::slot::WRITTEN / 2 + 16).unwrap_or(bytes);
        self.file.write_all_at(half, at).map_err(|source| self.failed("writing a slot", source))?;
        // A crash here leaves this slot torn and the other whole; start-up as after the whole write.
        Ok(failpoints::hit("head::after_first_half")?)
    }

    fn failed(&self, during: &'static str, source: std::io::Error) -> HeadError {
        HeadError::File { path: self.path.clone(), during, source }
    }
}

impl HeadStore for HeadFile {
    fn read(&self) -> Result<HeadState, HeadError> {
        let (slot, torn) = self.slots()?;
        Ok(HeadState { owner: slot.owner, generation: slot.generation, head: slot.head, torn })
    }

    fn advance(&mut self, expected: &TreeHead, next: &TreeHead) -> Result<(), HeadError> {
        let (current, _) = self.slots()?;
        check_step(&current.head, expected, next)?;
        self.write(&Slot { owner: current.owner, generation: current.generation + 1, head: *next })
    }

    #[cfg(feature = "failpoints")]
    fn overwrite(&mut self, head: &TreeHead) -> Result<(), HeadError> {
        let (current, _) = self.slots()?;
        for generation in [current.generation + 1, current.generation + 2] {
            let slot = Slot { owner: current.owner, generation, head: *head };
            self.file
                .write_all_at(&slot.encode(), offset(generation))
                .map_err(|source| self.failed("writing a slot", source))?;
        }
        Ok(())
    }
}

const fn offset(generation: u64) -> u64 {
    Slot::place(generation) * SLOT_BYTES as u64
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
