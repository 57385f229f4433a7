//! The opening store as a folder.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use govlog_formats::digest::Digest;

use super::sealing::MAX_FILE_BYTES;
use super::settings;
use super::{
    Hold, Holds, Identities, Journaled, MAX_DOCUMENT_BYTES, OpeningStore, Protection, Release, Settings, StoreError,
    journal,
};
use crate::durable;

/// A folder that only its owner can read: `<first two digits>/<leaf hash>.cbor.age`, or `.cbor` in clear.
///
/// One file for each entry, so that destroying one opening is removing one file. `store.toml` says how they are kept.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    settings: Settings,
    identities: Identities,
    /// What was redacted, as far as it was read; others redact while this is open.
    redacted: Mutex<journal::Logged>,
}

/// The right to change holds and to destroy, which one process has at a time.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// The right to store, or to destroy what a logged redaction names: nobody waits long for it.
#[derive(Debug)]
pub(super) struct Writing {
    _file: File,
}

impl Folder {
    /// Opens the folder to write openings into it, or makes it. What settings it had before are replaced by these.
    ///
    /// # Errors
    ///
    /// It cannot be made, it is somebody else's, or others than its owner can read it.
    pub fn open(path: &Path, settings: Settings) -> Result<Self, StoreError> {
        make(path)?;
        check_mode(path)?;
        check_owner(path, rustix::process::geteuid().as_raw())?;
        if Settings::read(path)?.as_ref() != Some(&settings) {
            settings.write(path)?;
        }
        Self::of(path, settings, Identities::default())
    }

    /// Opens a store that is there, to read what these identities open.
    ///
    /// # Errors
    ///
    /// It is no opening store, or others than its owner can read it.
    pub fn existing(path: &Path, identities: Identities) -> Result<Self, StoreError> {
        if path.exists() {
            check_mode(path)?;
        }
        let settings = Settings::read(path)?.ok_or_else(|| StoreError::Settings {
            path: path.join(settings::NAME),
            why:
                "there is none, so this is no opening store; an agent makes its own, and govlog openings init makes one"
                    .to_owned(),
        })?;
        Self::of(path, settings, identities)
    }

    fn of(path: &Path, settings: Settings, identities: Identities) -> Result<Self, StoreError> {
        let mut redacted = journal::Logged::default();
        redacted.refresh(path)?;
        Ok(Self { path: path.to_owned(), settings, identities, redacted: Mutex::new(redacted) })
    }

    /// Looks at a folder as [`open`](Self::open) would, and changes nothing.
    ///
    /// # Errors
    ///
    /// Others than its owner can read it, or its settings are damaged.
    pub fn check(path: &Path) -> Result<(), StoreError> {
        check_mode(path)?;
        Settings::read(path).map(drop)
    }

    /// How it keeps openings.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Waits until no other process changes holds or destroys openings.
    ///
    /// # Errors
    ///
    /// The lock cannot be had, or the folder is somebody else's.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        Ok(Lock { _file: self.lock_file("lock")? })
    }

    /// Waits until no other process stores or destroys openings; not for one that holds the [`Lock`] and waits for the log.
    pub(super) fn writing(&self) -> Result<Writing, StoreError> {
        Ok(Writing { _file: self.lock_file("write.lock")? })
    }

    fn lock_file(&self, name: &str) -> Result<File, StoreError> {
        check_owner(&self.path, rustix::process::geteuid().as_raw())?;
        let path = self.path.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = file.map_err(failed(&path))?;
        file.lock().map_err(failed(&path))?;
        Ok(file)
    }

    /// The holds on what is stored.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn holds(&self) -> Result<Holds, StoreError> {
        Holds::read(&self.path)
    }

    /// Places a hold.
    ///
    /// # Errors
    ///
    /// One of that name is in force, or it cannot be written.
    pub fn hold(&self, _: &Lock, hold: Hold) -> Result<(), StoreError> {
        let mut holds = self.holds()?;
        holds.place(hold)?;
        holds.write(&self.path)
    }

    /// Ends a hold.
    ///
    /// # Errors
    ///
    /// None of that name is in force, or it cannot be written.
    pub fn release(&self, _: &Lock, name: &str, release: Release) -> Result<(), StoreError> {
        let mut holds = self.holds()?;
        holds.release(name, release)?;
        holds.write(&self.path)
    }

    /// The redactions that were begun or done here.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn redactions(&self) -> Result<Vec<Journaled>, StoreError> {
        journal::read(&self.path)
    }

    /// Notes how far a redaction is, durably.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn note_redaction(&self, _: &Lock, journaled: &Journaled) -> Result<(), StoreError> {
        journal::write(&self.path, journaled)
    }

    /// The file in which a redaction is noted.
    #[must_use]
    pub fn redaction_file(&self, journaled: &Journaled) -> PathBuf {
        journal::file(&self.path, &journaled.statement)
    }

    /// Forgets a redaction that the log will never take.
    ///
    /// # Errors
    ///
    /// It cannot be removed.
    pub fn forget_redaction(&self, _: &Lock, journaled: &Journaled) -> Result<(), StoreError> {
        journal::forget(&self.path, journaled)
    }

    /// The entries whose openings are stored, and when each was.
    ///
    /// # Errors
    ///
    /// The folder cannot be read.
    pub fn stored(&self) -> Result<Vec<(Digest, SystemTime)>, StoreError> {
        let mut found = BTreeMap::new();
        for folder in list(&self.path)? {
            if folder.file_name().is_none_or(|name| name.len() != 2) {
                continue;
            }
            for path in list(&folder)? {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let leaf = name.strip_suffix(SEALED).or_else(|| name.strip_suffix(CLEAR));
                let Some(leaf) = leaf.and_then(|leaf| leaf.parse::<Digest>().ok()) else { continue };
                let at = std::fs::metadata(&path).and_then(|file| file.modified()).map_err(failed(&path))?;
                found.insert(leaf, at);
            }
        }
        Ok(found.into_iter().collect())
    }

    /// Says whether anything is stored for an entry; no identity is needed to know.
    #[must_use]
    pub fn has(&self, leaf: &Digest) -> bool {
        self.files(leaf).iter().any(|path| path.exists())
    }

    fn refuse_held(&self, leaves: &[Digest]) -> Result<(), StoreError> {
        let holds = self.holds()?;
        match leaves.iter().find_map(|leaf| Some((leaf, holds.on(leaf)?))) {
            Some((leaf, hold)) => {
                Err(StoreError::Held { leaf: *leaf, hold: hold.name.clone(), reason: hold.reason.clone() })
            }
            None => Ok(()),
        }
    }

    /// Gives the file that an entry's openings are written to.
    #[must_use]
    pub fn file(&self, leaf: &Digest) -> PathBuf {
        let [sealed, clear] = self.files(leaf);
        match self.settings.protection {
            Protection::Age(_) => sealed,
            Protection::Plaintext => clear,
        }
    }

    /// The files that may hold an entry's openings: encrypted, and in clear, as the store may have been kept before.
    fn files(&self, leaf: &Digest) -> [PathBuf; 2] {
        let name = leaf.to_string();
        let folder = self.path.join(name.get(..2).unwrap_or_default());
        [folder.join(format!("{name}{SEALED}")), folder.join(format!("{name}{CLEAR}"))]
    }

    /// Removes what is left of an entry as the store was kept before, once it is durable as the store is kept now; says whether anything was.
    fn remove_other(&self, leaf: &Digest) -> Result<bool, StoreError> {
        let kept = self.file(leaf);
        let mut was_there = false;
        for other in self.files(leaf).into_iter().filter(|other| *other != kept) {
            was_there |= remove(&other)?;
            was_there |= remove(&durable::beside(&other))?;
        }
        Ok(was_there)
    }

    fn protect(&self, path: &Path, openings: &[u8]) -> Result<Vec<u8>, StoreError> {
        match &self.settings.protection {
            Protection::Plaintext => Ok(openings.to_vec()),
            Protection::Age(recipients) => recipients.seal(openings).map_err(failed(path)),
        }
    }

    fn unprotect(&self, path: PathBuf, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        if !path.to_string_lossy().ends_with(SEALED) {
            return if bytes.len() > MAX_DOCUMENT_BYTES { Err(StoreError::TooLarge { path }) } else { Ok(bytes) };
        }
        if self.identities.is_empty() {
            return Err(StoreError::NoIdentity { path });
        }
        self.identities.unseal(&bytes).map_err(|why| StoreError::Sealed { path, why })
    }

    /// One call for everything that was written or removed, since a sync for each file would take as long as everything else together.
    fn sync(&self) -> Result<(), StoreError> {
        let folder = File::open(&self.path).map_err(failed(&self.path))?;
        rustix::fs::syncfs(folder).map_err(|error| failed(&self.path)(error.into()))
    }
}

impl OpeningStore for Folder {
    fn leaves(&self) -> Result<Vec<Digest>, StoreError> {
        Ok(self.stored()?.into_iter().map(|(leaf, _)| leaf).collect())
    }

    fn put(&self, openings: &[(Digest, &[u8])]) -> Result<(), StoreError> {
        if openings.is_empty() {
            return Ok(());
        }
        let _writing = self.writing()?;
        // What was redacted does not come back: an agent that was cut off stores once more what it had stored.
        let mut logged = self.redacted.lock().unwrap_or_else(PoisonError::into_inner);
        let redacted = logged.refresh(&self.path)?;
        for (leaf, bytes) in openings.iter().filter(|(leaf, _)| !redacted.contains(leaf)) {
            let path = self.file(leaf);
            let bytes = self.protect(&path, bytes)?;
            if let Some(folder) = path.parent() {
                make(folder)?;
            }
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(&bytes)).map_err(failed(&path))?;
        }
        // A crash before this may leave any of them short or missing: the caller still has them, and puts them again.
        self.sync()?;
        let mut is_left = false;
        for (leaf, _) in openings.iter().filter(|(leaf, _)| !redacted.contains(leaf)) {
            is_left |= self.remove_other(leaf)?;
        }
        if is_left { self.sync() } else { Ok(()) }
    }

    fn get(&self, leaf: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        // As it was kept before comes first: that goes only once the other is durable, which may be cut short until then.
        let kept = self.file(leaf);
        let before = self.files(leaf).into_iter().filter(|path| *path != kept);
        for path in before.chain([kept.clone()]) {
            if let Some(bytes) = read(&path)? {
                return self.unprotect(path, bytes).map(Some);
            }
        }
        Ok(None)
    }

    fn replace(&self, leaf: &Digest, openings: &[u8]) -> Result<(), StoreError> {
        self.refuse_held(&[*leaf])?;
        let path = self.file(leaf);
        let modified = |file: &PathBuf| std::fs::metadata(file).and_then(|file| file.modified()).ok();
        let stored = self.files(leaf).iter().filter_map(modified).min();
        let bytes = self.protect(&path, openings)?;
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        durable::replace(&path, 0o600, &bytes).map_err(failed(&path))?;
        // Retention counts from when it was stored first.
        if let Some(stored) = stored {
            let file = OpenOptions::new().write(true).open(&path);
            file.and_then(|file| file.set_modified(stored)).map_err(failed(&path))?;
        }
        if self.remove_other(leaf)? { self.sync() } else { Ok(()) }
    }

    fn remove(&self, leaves: &[Digest]) -> Result<usize, StoreError> {
        self.refuse_held(leaves)?;
        let mut removed = 0;
        for leaf in leaves {
            let mut was_there = false;
            for path in self.files(leaf) {
                was_there |= remove(&path)?;
                // What a crash left of a replacement.
                remove(&durable::beside(&path))?;
            }
            removed += usize::from(was_there);
        }
        if leaves.is_empty() { Ok(0) } else { self.sync().map(|()| removed) }
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let files = std::fs::read_dir(folder).map_err(failed(folder))?;
    files.map(|file| file.map(|file| file.path()).map_err(failed(folder))).collect()
}

fn make(folder: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))
}

fn check_mode(folder: &Path) -> Result<(), StoreError> {
    let mode = std::fs::metadata(folder).map_err(failed(folder))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Readable { path: folder.to_owned(), mode, right: 0o700 });
    }
    Ok(())
}

/// Refuses whoever would leave files that the owner cannot read, such as root.
pub(super) fn check_owner(folder: &Path, user: u32) -> Result<(), StoreError> {
    let owner = std::fs::metadata(folder).map_err(failed(folder))?.uid();
    if owner == user { Ok(()) } else { Err(StoreError::Owner { path: folder.to_owned(), owner, user }) }
}

/// Reads a file of the store that only its owner can read.
fn read(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed(path))?,
    };
    // Of the open file, so that no other can take its place in between.
    let mode = file.metadata().map_err(failed(path))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Readable { path: path.to_owned(), mode, right: 0o600 });
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_FILE_BYTES).unwrap_or(u64::MAX);
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed(path))?;
    if bytes.len() > MAX_FILE_BYTES { Err(StoreError::TooLarge { path: path.to_owned() }) } else { Ok(Some(bytes)) }
}

/// Removes a file, and says whether it was there.
fn remove(path: &Path) -> Result<bool, StoreError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(failed(path)(cause)),
    }
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |cause| StoreError::Io { path, cause }
}

const SEALED: &str = ".cbor.age";
const CLEAR: &str = ".cbor";
