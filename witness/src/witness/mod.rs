//! The witness itself: carries requests through the decision, and what was decided to disk.
//!
//! Everything here blocks (files, fsync, signatures) and is called from blocking threads.

use std::{
    io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use govlog_formats::note::{NoteSigner, SignatureLine, SignerError, Vkey};

use crate::{
    clock::Clock,
    config::Config,
    decision::{Authentic, Grant, Refusal, Request, decide, misbehaviour},
    evidence::{Evidence, EvidenceStore},
    key::{self, KeyFileError},
    lock::{FolderLock, LockError},
    logs::{LogList, LogsError},
    remembered::{Remembered, RememberedError},
    state::{DiskStore, OriginHash, StateError, StateStore, Swap},
    telemetry::Telemetry,
};

/// A witness with its key, its list of logs and its memory.
pub struct Witness {
    signer: NoteSigner,
    logs: LogList,
    store: Arc<dyn StateStore>,
    evidence: EvidenceStore,
    clock: Clock,
    telemetry: Telemetry,
    _lock: FolderLock,
}

impl Witness {
    /// Opens a witness's folder and proves, before the first request, that all it remembers is what it cosigned.
    ///
    /// # Errors
    /// [`OpenError`] names the file that is missing, damaged, or readable by others; or says that another process has the folder.
    pub fn open(config: &Config, clock: Clock) -> Result<Self, OpenError> {
        let lock = FolderLock::take(&config.folder)?;
        let store = Arc::new(DiskStore::open(&config.state)?);
        Self::with_store(config, clock, store, lock)
    }

    fn with_store(
        config: &Config,
        clock: Clock,
        store: Arc<dyn StateStore>,
        lock: FolderLock,
    ) -> Result<Self, OpenError> {
        let signer = key::load(&config.key)?;
        let logs = LogList::open(&config.logs, signer.vkey())?;
        let evidence = EvidenceStore::open(&config.evidence);
        let evidence = evidence.map_err(|error| OpenError::Evidence { path: config.evidence.clone(), error })?;
        let witness = Self { signer, logs, store, evidence, clock, telemetry: Telemetry::new()?, _lock: lock };
        witness.check_memory(config)?;
        Ok(witness)
    }

    /// Returns the key that verifies the witness's cosignatures.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        self.signer.vkey()
    }

    /// Returns the metrics.
    #[must_use]
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Judges a request body and, if it is granted, cosigns: the new checkpoint is durable when this returns.
    ///
    /// # Errors
    /// [`Failure`]; nothing was cosigned then.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<SignatureLine, Failure> {
        let request = Request::parse(body)?;
        let keys = self.logs.keys(request.origin())?;
        let request = request.authenticate(&keys)?;
        let origin = OriginHash::of(&request.checkpoint().origin);
        for _ in 0..MAX_ATTEMPTS {
            let stored = self.store.load(&origin).map_err(|error| self.state_failed(error))?;
            let held = stored.as_deref().map(|bytes| self.open_memory(bytes, &origin, &keys)).transpose()?;
            // The clock is read after the memory: whatever is remembered now was stated no later than this.
            let grant = match decide(&request, held.as_ref(), self.clock.now()) {
                Ok(grant) => grant,
                Err(refusal) => {
                    self.keep_evidence(&origin, &request, held.as_ref(), &refusal);
                    return Err(refusal.into());
                }
            };
            if let Some(line) = self.cosign(&grant, &origin, stored.as_deref(), &keys)? {
                return Ok(line);
            }
            // Another request was faster: judge this one again, by what is remembered now.
        }
        Err(Failure::Contended)
    }

    /// Returns the latest cosigned note of an origin, with the log's signature and the witness's; `None` if there never was one.
    ///
    /// # Errors
    /// [`Failure`] when what is stored cannot be believed.
    pub fn checkpoint(&self, origin: &OriginHash) -> Result<Option<Vec<u8>>, Failure> {
        let stored = self.store.load(origin).map_err(|error| self.state_failed(error))?;
        let Some(bytes) = stored else { return Ok(None) };
        let held = self.open_memory(&bytes, origin, &[])?;
        Ok(Some(held.note().to_bytes()))
    }

    /// Says what keeps the witness from serving every log on its list; nothing, if all is well.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        let mut troubles: Vec<String> = self.logs.trouble().into_iter().collect();
        troubles.extend(self.store.troubles().into_iter().map(|(origin, why)| format!("state of {origin}: {why}")));
        troubles
    }

    /// Signs and stores; `None` when the stored note is no longer the one the grant was given for.
    fn cosign(
        &self,
        grant: &Grant<'_>,
        origin: &OriginHash,
        stored: Option<&[u8]>,
        keys: &[Vkey],
    ) -> Result<Option<SignatureLine>, Failure> {
        let line = self.signer.sign(grant.request().text(), Some(grant.timestamp())).map_err(Failure::Unsigned)?;
        let note = grant.request().note_with(std::slice::from_ref(&line))?.to_bytes();
        // Verify what is about to be stored as if it came from the disk: a note that could not be opened again would put the log out of use.
        let held = self.open_memory(&note, origin, keys)?;
        if stored == Some(note.as_slice()) {
            // The same checkpoint twice in one second: this very cosignature is on disk already.
            return Ok(Some(line));
        }
        let begun = Instant::now();
        // "The witness MUST persist the new checkpoint before responding. […] checking the old size against the latest checkpoint and persisting
        // the new checkpoint must be performed atomically" (C2SP tlog-witness v1.0.0, add-checkpoint)
        let swapped = self.store.swap(origin, stored, &note).map_err(|error| self.state_failed(error))?;
        // A crash here leaves a cosignature nobody was sent: the log asks again, is told 409 with the new size, and asks from there.
        match swapped {
            Swap::Done => {
                self.telemetry.persisted(begun.elapsed());
                self.telemetry.remembers(&held);
                tracing::debug!(origin = %held.checkpoint().origin, size = %held.size(), "cosigned");
                Ok(Some(line))
            }
            Swap::Stale => Ok(None),
        }
    }

    fn open_memory(&self, bytes: &[u8], origin: &OriginHash, keys: &[Vkey]) -> Result<Remembered, Failure> {
        Remembered::open(bytes, origin, self.vkey(), keys).map_err(|error| {
            self.telemetry.state_failed();
            tracing::error!(%origin, %error, "the remembered checkpoint is not one this witness cosigned");
            Failure::Memory { origin: *origin, error }
        })
    }

    fn keep_evidence(&self, origin: &OriginHash, request: &Authentic, held: Option<&Remembered>, refusal: &Refusal) {
        let Some(kind) = misbehaviour(request, held, refusal) else { return };
        let name = request.checkpoint().origin.as_str();
        let kept = request.note_with(&[]).map_err(io::Error::other).and_then(|note| {
            let evidence = Evidence::new(kind, request, &note, held, self.clock.now());
            self.evidence.keep(origin, kind, request.text(), &evidence)
        });
        match &kept {
            Ok(kept) => {
                tracing::warn!(origin = name, kind = kind.name(), ?kept, %refusal, "a log-signed checkpoint speaks against its log")
            }
            Err(error) => {
                tracing::error!(origin = name, kind = kind.name(), %error, "cannot keep evidence against a log")
            }
        }
        self.telemetry.misbehaviour(name, kind, kept.ok());
    }

    fn state_failed(&self, error: StateError) -> Failure {
        self.telemetry.state_failed();
        tracing::error!(%error, "state");
        Failure::State(error)
    }

    fn check_memory(&self, config: &Config) -> Result<(), OpenError> {
        let all = self.logs.all();
        for origin in self.store.origins() {
            let keys =
                all.iter().find(|(listed, _)| OriginHash::of(listed) == origin).map_or(&[][..], |(_, keys)| keys);
            let Some(bytes) = self.store.load(&origin)? else { continue };
            let held = Remembered::open(&bytes, &origin, self.vkey(), keys)
                .map_err(|error| OpenError::Memory { path: config.state.join(origin.to_string()), error })?;
            self.telemetry.remembers(&held);
        }
        Ok(())
    }
}

/// Why a request got no cosignature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The request was judged and refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The list of logs cannot be read, so that nobody knows whether the log is on it.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The state of the log cannot be read or written.
    #[error(transparent)]
    State(StateError),
    /// The stored note is not one this witness cosigned.
    #[error("what is remembered of {origin} cannot be believed: {error}")]
    Memory {
        /// The log.
        origin: OriginHash,
        /// What is wrong with the note.
        error: RememberedError,
    },
    /// The key would not sign.
    #[error("cannot cosign: {0}")]
    Unsigned(#[source] SignerError),
    /// Other requests for the same log were faster every time.
    #[error("too many requests for this log at once: try again")]
    Contended,
}

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder is in use, or cannot be locked.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The list of logs cannot be used.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// The state cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A stored note is not one this witness cosigned.
    #[error("{} cannot be believed: {error}", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: RememberedError,
    },
    /// The folder of evidence cannot be used.
    #[error("cannot use {}: {error}", path.display())]
    Evidence {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The metrics cannot be set up.
    #[error("cannot set up metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

/// Each failed attempt means that another request of the same log succeeded, and one of a smaller size then is refused: only cosigning one
/// checkpoint again from many sides at the turn of a second can take more than two.
const MAX_ATTEMPTS: usize = 32;

/// How often gathered metrics are folded together.
pub(crate) const FOLD_EVERY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
