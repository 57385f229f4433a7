//! Uploads on disk, each in a file of its own, in the order in which they came.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use govlog_formats::digest::Digest;
use serde::{Deserialize, Serialize};

/// An upload as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// `logs` or `status`.
    pub resource: String,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// The body, untouched.
    pub body: Vec<u8>,
}

/// What stands in front of a body in its file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    resource: String,
    content_type: Option<String>,
    content_encoding: Option<String>,
}

/// What became of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits, and so many older ones were dropped for it.
    Waits {
        /// How many.
        dropped: u64,
    },
    /// The same bytes came a moment ago: whoever heard 503 sends them again.
    Known,
    /// It is larger than the queue.
    TooLarge,
}

/// Why uploads cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: {cause}", path.display())]
pub struct QueueError {
    /// The file or the folder.
    path: PathBuf,
    /// What the system says.
    cause: io::Error,
}

/// The uploads that wait for one sink.
#[derive(Debug)]
pub struct Queue {
    folder: PathBuf,
    most_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Number and size, the oldest first.
    waiting: VecDeque<(u64, u64)>,
    bytes: u64,
    next: u64,
    /// What came last, as digests.
    recent: VecDeque<Digest>,
}

impl Queue {
    /// Opens the queue in a folder, or makes a new one.
    ///
    /// # Errors
    ///
    /// The folder cannot be made or read, or others can read it.
    pub fn open(folder: &Path, most_bytes: u64) -> Result<Self, QueueError> {
        let failed = |cause| QueueError { path: folder.to_owned(), cause };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        if fs::metadata(folder).map_err(failed)?.mode() & 0o077 != 0 {
            return Err(failed(io::Error::other("others can read it, and it holds events in clear; run: chmod 0700")));
        }
        let mut state = State::default();
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // What was being written when the process ended is no upload: its source had no answer, and sends it again.
            if let Some(number) = entry.file_name().to_str().and_then(number_of) {
                found.push((number, entry.metadata().map_err(failed)?.len()));
            }
        }
        found.sort_unstable();
        state.next = found.last().map_or(0, |(number, _)| number + 1);
        state.bytes = found.iter().map(|(_, bytes)| bytes).sum();
        state.waiting = found.into();
        Ok(Self { folder: folder.to_owned(), most_bytes, state: Mutex::new(state) })
    }

    /// Puts an upload behind the others; on disk when this returns.
    ///
    /// A crash before the file has its name leaves nothing of it, after it the whole.
    ///
    /// # Errors
    ///
    /// The disk does not take it.
    pub fn push(&self, upload: &Upload) -> Result<Pushed, QueueError> {
        let mut state = self.state();
        let digest = Digest::sha256_of(&[upload.resource.as_bytes(), b"\n", &upload.body]);
        if state.recent.contains(&digest) {
            return Ok(Pushed::Known);
        }
        let bytes = file_of(upload).map_err(|cause| QueueError { path: self.folder.clone(), cause })?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > self.most_bytes {
            return Ok(Pushed::TooLarge);
        }
        let mut dropped = 0;
        while state.bytes.saturating_add(size) > self.most_bytes {
            let Some((oldest, _)) = state.waiting.front().copied() else { break };
            self.forget(&mut state, oldest)?;
            dropped += 1;
        }
        let number = state.next;
        self.write(number, &bytes)?;
        state.next += 1;
        state.waiting.push_back((number, size));
        state.bytes = state.bytes.saturating_add(size);
        state.recent.push_back(digest);
        if state.recent.len() > RECENT {
            state.recent.pop_front();
        }
        Ok(Pushed::Waits { dropped })
    }

    /// Gives the oldest upload and its number.
    ///
    /// # Errors
    ///
    /// Its file cannot be read, or is none that this program writes.
    pub fn first(&self) -> Result<Option<(u64, Upload)>, QueueError> {
        // Dropped meanwhile for a newer one: then that one is looked at.
        loop {
            let Some((number, _)) = self.state().waiting.front().copied() else { return Ok(None) };
            let path = self.path(number);
            match fs::read(&path) {
                Ok(bytes) => {
                    let upload = upload_of(&bytes).map_err(|cause| QueueError { path, cause })?;
                    return Ok(Some((number, upload)));
                }
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => self.take_away(number)?,
                Err(cause) => return Err(QueueError { path, cause }),
            }
        }
    }

    /// Takes an upload away: it arrived, or never will.
    ///
    /// # Errors
    ///
    /// Its file cannot be deleted.
    pub fn take_away(&self, number: u64) -> Result<(), QueueError> {
        self.forget(&mut self.state(), number)
    }

    /// How many uploads wait, and bytes of them.
    #[must_use]
    pub fn depth(&self) -> (usize, u64) {
        let state = self.state();
        (state.waiting.len(), state.bytes)
    }

    fn forget(&self, state: &mut State, number: u64) -> Result<(), QueueError> {
        let path = self.path(number);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(QueueError { path, cause }),
        }
        if let Some(at) = state.waiting.iter().position(|(waiting, _)| *waiting == number)
            && let Some((_, bytes)) = state.waiting.remove(at)
        {
            state.bytes = state.bytes.saturating_sub(bytes);
        }
        Ok(())
    }

    fn write(&self, number: u64, bytes: &[u8]) -> Result<(), QueueError> {
        let (path, new) = (self.path(number), self.folder.join("new"));
        let failed = |cause| QueueError { path: path.clone(), cause };
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:020}{SUFFIX}"))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panic could leave is what a crash could, and the files say what there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number_of(name: &str) -> Option<u64> {
    name.strip_suffix(SUFFIX).filter(|digits| digits.len() == 20)?.parse().ok()
}

fn file_of(upload: &Upload) -> io::Result<Vec<u8>> {
    let Upload { resource, content_type, content_encoding, body } = upload;
    let (content_type, content_encoding) = (content_type.clone(), content_encoding.clone());
    let mut bytes = serde_json::to_vec(&Head { resource: resource.clone(), content_type, content_encoding })?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

fn upload_of(bytes: &[u8]) -> io::Result<Upload> {
    let damaged = || io::Error::other("not an upload that this program kept; move it away");
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
    let (head, body) = bytes.split_at_checked(end).ok_or_else(damaged)?;
    let Head { resource, content_type, content_encoding } = serde_json::from_slice(head).map_err(|_| damaged())?;
    let body = body.get(1..).unwrap_or_default().to_vec();
    Ok(Upload { resource, content_type, content_encoding, body })
}

const SUFFIX: &str = ".upload";
/// As many instances as may be waiting for an outbox with room, each with the upload it holds.
const RECENT: usize = 1024;
