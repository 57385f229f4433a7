//! State on disk: one durably replaced file for each origin.
//!
//! A file is named by the origin's hash and holds one line `govlog-witness state v1 <SHA-256 of the rest>`, then the note.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use govlog_formats::digest::Digest;
use govlog_tls::secret;

use super::{OriginHash, StateError, StateStore, Swap};
use crate::durable::{self, ReplaceError};

/// A [`StateStore`] in a folder, which no other process may be using: the witness holds a lock on it.
///
/// The files are read again at each load and compared with what this process knows it wrote, so that a file that was damaged, removed or rolled
/// back beneath a running witness is noticed before anything is cosigned on top of it.
#[derive(Debug)]
pub struct DiskStore {
    folder: PathBuf,
    slots: Mutex<BTreeMap<OriginHash, Arc<Mutex<Slot>>>>,
    /// [`durable::replace`]; the tests put failing ones here.
    replace: fn(&Path, &[u8]) -> Result<(), ReplaceError>,
}

/// What this process knows of one file. Its mutex is held across the disk access: a std mutex, for this runs on blocking threads.
#[derive(Debug)]
enum Slot {
    /// The note this process last read or wrote.
    Known(Option<Arc<[u8]>>),
    /// Why nothing is believed any more.
    Poisoned(String),
}

impl DiskStore {
    /// Opens a folder, checks every file in it and removes unfinished ones.
    ///
    /// # Errors
    /// [`StateError`] names the file that is damaged, unreadable or not ours.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        let unreadable = |error| StateError::Unreadable { path: folder.to_owned(), error };
        durable::remove_leftovers(folder).map_err(unreadable)?;
        let mut slots = BTreeMap::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let origin = origin_of(&path)?;
            slots.insert(origin, Arc::new(Mutex::new(Slot::Known(read(&path)?))));
        }
        Ok(Self { folder: folder.to_owned(), slots: Mutex::new(slots), replace: replace_state })
    }

    fn path(&self, origin: &OriginHash) -> PathBuf {
        self.folder.join(origin.to_string())
    }

    fn slot(&self, origin: &OriginHash) -> Option<Arc<Mutex<Slot>>> {
        lock(&self.slots).get(origin).map(Arc::clone)
    }

    /// Makes a slot when the origin has none. Only the logs on the operator's list get this far, so they are few.
    fn slot_or_new(&self, origin: &OriginHash) -> Arc<Mutex<Slot>> {
        Arc::clone(lock(&self.slots).entry(*origin).or_insert_with(|| Arc::new(Mutex::new(Slot::Known(None)))))
    }
}

impl StateStore for DiskStore {
    fn load(&self, origin: &OriginHash) -> Result<Option<Arc<[u8]>>, StateError> {
        let path = self.path(origin);
        if self.slot(origin).is_none() && read(&path)?.is_none() {
            return Ok(None);
        }
        // A file without a slot was written just now by a racing swap, which has made its slot; or by someone else.
        match self.slot(origin) {
            Some(slot) => checked(&mut lock(&slot), &path),
            None => Err(StateError::Changed { path }),
        }
    }

    fn swap(&self, origin: &OriginHash, expected: Option<&[u8]>, next: &[u8]) -> Result<Swap, StateError> {
        let path = self.path(origin);
        let slot = self.slot_or_new(origin);
        let mut slot = lock(&slot);
        let current = checked(&mut slot, &path)?;
        if current.as_deref() != expected {
            return Ok(Swap::Stale);
        }
        match (self.replace)(&path, &encode(next)) {
            Ok(()) => {
                *slot = Slot::Known(Some(next.into()));
                Ok(Swap::Done)
            }
            Err(ReplaceError::NotWritten(error)) => Err(StateError::NotWritten { path, error }),
            Err(ReplaceError::Unknown(error)) => {
                let failure = StateError::Unknown { path, error };
                *slot = Slot::Poisoned(failure.to_string());
                Err(failure)
            }
        }
    }

    fn origins(&self) -> Vec<OriginHash> {
        let slots = lock(&self.slots);
        let has_note = |slot: &Arc<Mutex<Slot>>| !matches!(*lock(slot), Slot::Known(None));
        slots.iter().filter(|(_, slot)| has_note(slot)).map(|(origin, _)| *origin).collect()
    }

    fn troubles(&self) -> Vec<(OriginHash, String)> {
        let slots = lock(&self.slots);
        let trouble = |slot: &Arc<Mutex<Slot>>| match &*lock(slot) {
            Slot::Poisoned(why) => Some(why.clone()),
            Slot::Known(_) => None,
        };
        slots.iter().filter_map(|(origin, slot)| trouble(slot).map(|why| (*origin, why))).collect()
    }
}

/// Reads the file and compares it with what is known; poisons the slot when they differ.
fn checked(slot: &mut Slot, path: &Path) -> Result<Option<Arc<[u8]>>, StateError> {
    let known = match slot {
        Slot::Poisoned(why) => return Err(StateError::Poisoned { why: why.clone() }),
        Slot::Known(known) => known.clone(),
    };
    let failure = match read(path) {
        Ok(found) if found == known => return Ok(found),
        Ok(_) => StateError::Changed { path: path.to_owned() },
        // Out of file descriptors, say: nothing is known to be wrong, and the next load may succeed.
        Err(error @ StateError::Unreadable { .. }) => return Err(error),
        Err(error) => error,
    };
    *slot = Slot::Poisoned(failure.to_string());
    Err(failure)
}

/// Writes what is the witness's alone to read.
fn replace_state(path: &Path, content: &[u8]) -> Result<(), ReplaceError> {
    durable::replace(path, content, 0o600)
}

fn read(path: &Path) -> Result<Option<Arc<[u8]>>, StateError> {
    let read = secret::open(path).and_then(|mut file| {
        let mut content = Vec::new();
        file.read_to_end(&mut content).map(|_| content)
    });
    match read {
        Ok(file) => match decode(&file) {
            Ok(note) => Ok(Some(note.into())),
            Err(why) => Err(StateError::Corrupt { path: path.to_owned(), why: why.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StateError::Unreadable { path: path.to_owned(), error }),
    }
}

fn origin_of(path: &Path) -> Result<OriginHash, StateError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.parse().ok()).ok_or_else(|| StateError::Stranger { path: path.to_owned() })
}

fn encode(note: &[u8]) -> Vec<u8> {
    let mut file = format!("{HEADER}{}\n", Digest::sha256(note)).into_bytes();
    file.extend_from_slice(note);
    file
}

fn decode(file: &[u8]) -> Result<&[u8], &'static str> {
    let rest = file.strip_prefix(HEADER.as_bytes()).ok_or("it does not begin as a state file does")?;
    let (digest, note) = rest.split_at_checked(64).ok_or("it is cut off")?;
    let note = note.strip_prefix(b"\n").ok_or("its first line is malformed")?;
    if Digest::sha256(note).to_string().as_bytes() == digest { Ok(note) } else { Err("its SHA-256 does not match") }
}

/// A panic while a lock was held cannot leave a slot half changed: each is assigned once, after the disk.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const HEADER: &str = "govlog-witness state v1 ";

#[cfg(test)]
mod tests;
