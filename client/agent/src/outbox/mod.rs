//! The outbox: what came in and is not yet proved to be in the log, kept so that no crash loses it or makes it twice.
//!
//! ```text
//! upload ─▶ waiting ─▶ signed ─▶ (log) ─▶ settled: gone from here, its key remembered for some days
//!        receive ▲  write               settle
//!   file ─▶ held ─┘ what was read and waits for a decision
//! ```
//!
//! **Promise**: a method that changes something returns when the change is on disk, whole, or says that it is not there. One file, one
//! process: redb locks it, writes copies and swings one pointer, in two phases, since what is stored comes from outside.
//!
//! Trust: whoever can write the file can make this agent sign what it likes, and forget what it should have sent. It holds events in
//! clear, so folder and file are their owner's alone.

mod asked;
mod heard;
mod held;
mod how_far;
mod joins;
mod lately;
mod load;
mod read;
mod receive;
mod row;
mod settle;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, WriteTransaction};

pub use asked::Asked;
pub use heard::{Awaited, Heard, Question, Upload};
pub use held::Held;
pub use how_far::{HowFar, Note};
pub use joins::{Decided, Decisions, Finds, Join, Joining};
pub use lately::{Joined, RequestName};
pub use load::{Amount, Backlog};
pub use read::{Signed, Waiting};
pub use receive::{Arrival, Content, Limits, ReceiveError, Report, Taken, idempotency_key, status_of};
pub use row::{Counters, Stream, StreamNumber};
pub use write::Fork;

use lately::Lately;
use load::Load;
pub use tables::OWN;

use tables::{
    FORGET, FORGET_JOINS, HELD, JOINED, JOINS, MEMBERS, META, NOTES, PLACES, SEEN, SIGNED, SPEAKERS, STREAMS, WAITING,
};

/// The outbox of one issuer for one log.
#[derive(Debug)]
pub struct Outbox {
    db: Database,
    path: PathBuf,
    /// How much is in it. Whoever changes something holds this until the change is committed and counted.
    load: Mutex<Load>,
    /// Which decisions are kept by their requests.
    joining: OnceLock<Joining>,
    /// Which requests had a decision of late.
    lately: Lately,
    heard: Heard,
}

/// Why the outbox cannot be used, or can be no more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// Folder or file cannot be made or read.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another process has it.
    #[error("{}: another govlog-agent is using it; two of them would sign two histories", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// The database says that it, or the disk, is not well. What a write came to is not known: only a new start tells.
    #[error("{}: {cause}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What the database says.
        cause: Box<redb::Error>,
    },
    /// What is stored is not what this program writes.
    #[error("{}: {what}; restore the file, or move it away to begin new streams", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Others than its owner can read it.
    #[error("{}: others can read it (mode {mode:04o}), and it holds events in clear; run: chmod go-rwx {}", path.display(), path.display())]
    Readable {
        /// The folder or the file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The outbox belongs to another issuer, or is for another log.
    #[error("{}: it is for {key} {found:?}, the configuration says {wanted:?}; give each its own folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// `log` or `iss`.
        key: &'static str,
        /// What stands in it.
        found: String,
        /// What was configured.
        wanted: String,
    },
}

impl Outbox {
    /// Opens the outbox in a folder, or makes a new one where there is none.
    ///
    /// # Errors
    ///
    /// It is in use, damaged, or another's.
    pub fn open(folder: &Path, log: &str, iss: &str) -> Result<Self, OutboxError> {
        let path = folder.join(FILE);
        let failed = |cause| OutboxError::File { path: path.clone(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        // With its mode from the beginning: an empty file is a new database to redb.
        OpenOptions::new().create(true).append(true).mode(0o600).open(&path).map_err(failed)?;
        for place in [folder, &path] {
            let mode = std::fs::metadata(place).map_err(failed)?.mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(OutboxError::Readable { path: place.to_owned(), mode });
            }
        }
        for place in [Some(folder), folder.parent().filter(|parent| *parent != Path::new(""))].into_iter().flatten() {
            File::open(place).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        let db = Database::builder()
            .set_cache_size(CACHE_BYTES)
            // What is stored came from outside and is read again after every kind of crash; without the check a damaged page is a panic.
            .set_check_integrity_on_open(true)
            .create(&path)
            .map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen => OutboxError::Held { path: path.clone() },
                error => OutboxError::Store { path: path.clone(), cause: Box::new(error.into()) },
            })?;
        let (load, joining, lately, heard) = (Mutex::default(), OnceLock::new(), Lately::default(), Heard::default());
        let outbox = Self { db, path, load, joining, lately, heard };
        outbox.claim(log, iss)?;
        outbox.measure()?;
        Ok(outbox)
    }

    /// Makes the tables of a new outbox, or checks whose it is.
    fn claim(&self, log: &str, iss: &str) -> Result<(), OutboxError> {
        let claimed = self.change(|tx, _| {
            let mut meta = tx.open_table(META)?;
            for (key, wanted) in [("version", VERSION), ("log", log), ("iss", iss)] {
                let found = meta.get(key)?.map(|found| found.value().to_owned());
                match found {
                    // What is in an older one is in the same form: version 1 had no batches, version 2 no sources that are read,
                    // version 3 no notes, and nothing held. That kept of decisions only their ids: they are read all the same.
                    Some(found) if key == "version" && OLDER.contains(&found.as_str()) => {
                        meta.insert(key, wanted)?;
                    }
                    None => {
                        meta.insert(key, wanted)?;
                    }
                    Some(found) if found == wanted => {}
                    Some(found) => return Ok(Some(Err(self.foreign(key, found, wanted)))),
                }
            }
            tx.open_table(STREAMS)?;
            tx.open_table(SPEAKERS)?;
            tx.open_table(WAITING)?;
            tx.open_table(SIGNED)?;
            tx.open_table(MEMBERS)?;
            tx.open_table(PLACES)?;
            tx.open_table(NOTES)?;
            tx.open_table(HELD)?;
            tx.open_table(SEEN)?;
            tx.open_table(FORGET)?;
            tx.open_table(JOINS)?;
            tx.open_table(JOINED)?;
            tx.open_table(FORGET_JOINS)?;
            Ok(Some(Ok(())))
        })?;
        claimed.unwrap_or(Ok(()))
    }

    fn foreign(&self, key: &'static str, found: String, wanted: &str) -> OutboxError {
        let path = self.path.clone();
        if key == "version" {
            return OutboxError::Damaged { path, what: format!("its layout is version {found}, known is {VERSION}") };
        }
        OutboxError::Foreign { path, key, found, wanted: wanted.to_owned() }
    }

    /// Counts what is there.
    fn measure(&self) -> Result<(), OutboxError> {
        let mut load = Load::default();
        self.look(|tx| {
            for row in tx.open_table(WAITING)?.iter()? {
                load.waits(row?.1.value().4);
            }
            for row in tx.open_table(HELD)?.iter()? {
                load.is_held(row?.1.value());
            }
            for row in tx.open_table(SIGNED)?.iter()? {
                let (place, row) = row?;
                let (_, _, entry, openings) = row.value();
                load.is_signed(place.value().0, entry, openings);
            }
            Ok(())
        })?;
        *self.load() = load;
        Ok(())
    }

    /// Who was heard since this process began.
    #[must_use]
    pub const fn who_spoke(&self) -> &Heard {
        &self.heard
    }

    fn load(&self) -> MutexGuard<'_, Load> {
        // It is only replaced whole, after a commit.
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction that changes something; durable, whole, when it returns. `None` from `step`: nothing is to be changed.
    ///
    /// A crash before the commit's last write leaves the old state, after it the new one. What `step` counts in the load it is given counts
    /// with the commit.
    fn change<T>(
        &self,
        step: impl FnOnce(&WriteTransaction, &mut Load) -> Result<Option<T>, redb::Error>,
    ) -> Result<Option<T>, OutboxError> {
        let mut held = self.load();
        let mut load = held.clone();
        let attempt = || -> Result<Option<T>, redb::Error> {
            let mut tx = self.db.begin_write()?;
            tx.set_two_phase_commit(true);
            let done = step(&tx, &mut load)?;
            if done.is_some() {
                tx.commit()?
            } else {
                tx.abort()?
            }
            Ok(done)
        };
        let done = attempt().map_err(|cause| self.store_error(cause))?;
        if done.is_some() {
            *held = load;
        }
        Ok(done)
    }

    fn look<T>(&self, step: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, OutboxError> {
        let attempt = || step(&self.db.begin_read()?);
        attempt().map_err(|cause| self.store_error(cause))
    }

    /// What cannot be written, although this program made it.
    pub(crate) fn mistake(&self, what: &dyn std::fmt::Display) -> OutboxError {
        OutboxError::Damaged { path: self.path.clone(), what: what.to_string() }
    }

    fn store_error(&self, cause: redb::Error) -> OutboxError {
        OutboxError::Store { path: self.path.clone(), cause: Box::new(cause) }
    }
}

/// Says whether there is an outbox in a folder.
#[must_use]
pub fn exists(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// Reads a stream's row; what is no such row counts as damage to the store.
fn stream_of(bytes: &[u8]) -> Result<Stream, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| redb::Error::Corrupted(format!("the row of a stream: {error}")))
}

fn stream_row(stream: &Stream) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(stream).map_err(|error| redb::Error::Corrupted(format!("the row of a stream: {error}")))
}

fn size(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// All statements of a stream.
const fn all_of(number: StreamNumber) -> std::ops::RangeInclusive<(u64, u64)> {
    (number, 0)..=(number, u64::MAX)
}

const FILE: &str = "outbox.redb";
const VERSION: &str = "4";
const OLDER: [&str; 3] = ["1", "2", "3"];
/// Uploads are written once and read once or twice, soon after: little is gained by more.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
