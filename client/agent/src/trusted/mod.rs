//! The trust directory of an agent that runs: read again when somebody has changed it, as `govlog trust update` does.
//!
//! Trust: as the directory's own. What cannot be read, is of another log, contradicts what was known of this one, or knows less of it, changes
//! nothing and is said: the agent goes on with what it knew. Whoever puts an old directory back cannot bring back what was taken from somebody since.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use govlog_client::trust::{Pinned, Trust, TrustDir, TrustError};
use govlog_formats::merkle::{LeafIndex, TreeSize};

use crate::pump::{PumpError, Shared};
use crate::stamp::Stamp;
use crate::telemetry::Telemetry;
use crate::world::{World, millis};

/// A trust directory, as it was last when it could be read.
#[derive(Debug)]
pub struct Trusted {
    path: PathBuf,
    every: Duration,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    trust: Arc<Trust>,
    files: Files,
    looked_ms: u64,
    /// What is wrong with the directory, as it was said.
    wrong: Option<String>,
}

/// What is in the directory, by name.
type Files = BTreeMap<OsString, Stamp>;

impl Trusted {
    /// Reads a directory, and looks at it again this often.
    ///
    /// # Errors
    ///
    /// As [`TrustDir::load`].
    pub fn load(path: &Path, every: Duration, now_ms: u64) -> Result<Self, TrustError> {
        // Before it is read: what changes meanwhile is seen the next time.
        let files = files(path, now_ms);
        let trust = Arc::new(TrustDir::load(path)?.trust().clone());
        let now = Mutex::new(Now { trust, files, looked_ms: now_ms, wrong: None });
        Ok(Self { path: path.to_owned(), every, now })
    }

    /// What it says.
    #[must_use]
    pub fn trust(&self) -> Arc<Trust> {
        Arc::clone(&self.now().trust)
    }

    /// Runs a station that judges by what the directory says: it is begun anew when that is something else. It is given how to find out whether to
    /// go on.
    ///
    /// # Errors
    ///
    /// As the station.
    pub fn judge(
        &self,
        shared: &Shared,
        world: &dyn World,
        mut station: impl FnMut(&Trust, &dyn Fn() -> bool) -> Result<(), PumpError>,
    ) -> Result<(), PumpError> {
        while !shared.is_stopping() {
            let trust = self.trust();
            station(&trust, &|| self.is_still(&trust, &shared.telemetry, world.now_ms()))?;
        }
        Ok(())
    }

    /// Whether it says what it said; looks, now and then.
    fn is_still(&self, trust: &Arc<Trust>, telemetry: &Telemetry, now_ms: u64) -> bool {
        let mut now = self.now();
        // However the clock was set.
        if now_ms.abs_diff(now.looked_ms) >= millis(self.every) {
            now.looked_ms = now_ms;
            self.look(&mut now, telemetry, now_ms);
        }
        Arc::ptr_eq(&now.trust, trust)
    }

    fn look(&self, now: &mut Now, telemetry: &Telemetry, now_ms: u64) {
        let files = files(&self.path, now_ms);
        if are_still(&now.files, &files) && now.wrong.is_none() {
            return;
        }
        match self.read(&now.trust) {
            // It was read again because no stamp could tell.
            Ok(trust) if now.wrong.is_none() && says_the_same(&trust, &now.trust) => now.files = files,
            Ok(trust) => {
                let entries = trust.history().newest().index;
                tracing::info!(path = %self.path.display(), newest = %entries, "the trust directory has changed; it is judged by it from now on");
                *now = Now { trust: Arc::new(trust), files, looked_ms: now_ms, wrong: None };
            }
            // Half of a change may be there: it is read again.
            Err(wrong) => {
                if now.wrong.as_ref() != Some(&wrong) {
                    telemetry.alarm("trust");
                    tracing::error!(
                        alarm = "trust",
                        wrong,
                        "the trust directory cannot be used as it is now; it is judged by what it said before"
                    );
                }
                now.wrong = Some(wrong);
            }
        }
    }

    fn read(&self, was: &Trust) -> Result<Trust, String> {
        let dir = TrustDir::load(&self.path).map_err(|error| error.to_string())?;
        let (trust, at) = (dir.trust(), self.path.display());
        let (found, origin) = (trust.origin(), was.origin());
        if found != origin {
            return Err(format!("{at}: it is for {found} now, and the outbox for {origin}"));
        }
        if let Some(split) = split_view(trust, was) {
            return Err(format!("{at}: {split}"));
        }
        let (found, known) = (trust.history().newest().index, was.history().newest().index);
        if found < known {
            return Err(format!("{at}: its newest admission change is at index {found}, {OLDER} {known}; {UPDATE}"));
        }
        // Of two that are as new, one may know of an entry between that the other does not; one that says otherwise is of a log that says both.
        let there: BTreeMap<_, _> = entries(trust).collect();
        if let Some((index, _)) = entries(was).find(|(index, entry)| there.get(index) != Some(entry)) {
            return Err(format!(
                "{at}: the admission entry that was known at index {index} is not in it, or is another"
            ));
        }
        let size = |trust: &Trust| trust.pinned().map(|pinned| pinned.verified.checkpoint().size);
        if size(trust) < size(was) {
            let of = |size: Option<TreeSize>| size.map_or_else(|| "none".to_owned(), |size| size.to_string());
            return Err(format!(
                "{at}: its pinned head has size {}, {OLDER} {}; {UPDATE}",
                of(size(trust)),
                of(size(was))
            ));
        }
        Ok(trust.clone())
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        // Each change leaves it whole.
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What proves, of two directories of one log, that it says both: one size with two roots. Two sizes need the log's tiles to compare.
fn split_view(found: &Trust, known: &Trust) -> Option<String> {
    let (new, old) = (found.pinned()?, known.pinned()?);
    let [(size, root), (old_size, old_root)] = [new, old].map(|pinned| {
        let head = pinned.verified.checkpoint();
        (head.size, head.root)
    });
    // With another entry 0 it is another log, which says nothing about this one.
    if size != old_size || root == old_root || found.history().genesis() != known.history().genesis() {
        return None;
    }
    // The file that held the known one may be written over by now.
    let text = |pinned: &Pinned| String::from_utf8_lossy(&pinned.note).into_owned();
    Some(format!(
        "split view: its pinned head of size {size} has root {root}, the known one {old_root}; \
         keep both notes, they prove it:\n{}\n{}",
        text(new),
        text(old)
    ))
}

/// Whether all that was read in a directory is surely as it was.
fn are_still(read: &Files, now: &Files) -> bool {
    let is_still = |(name, stamp): (_, &Stamp)| now.get(name).is_some_and(|now| stamp.is_still(now));
    read.len() == now.len() && read.iter().all(is_still)
}

/// Whether two readings of one directory, neither of which knows less than the other, are the same.
fn says_the_same(one: &Trust, other: &Trust) -> bool {
    let of = |trust: &Trust| {
        let pinned = trust.pinned().map(|pinned| pinned.note.clone());
        (trust.fingerprint(), trust.notes().clone(), pinned)
    };
    of(one) == of(other) && entries(one).eq(entries(other))
}

/// What the admission policy is folded from: each entry, and where it is.
fn entries(trust: &Trust) -> impl Iterator<Item = (LeafIndex, &[u8])> {
    trust.history().entries().iter().map(|entry| (entry.index, entry.statement.entry()))
}

/// Looks at what is in a directory; what cannot be looked at is not there.
fn files(path: &Path, now_ms: u64) -> Files {
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        // Of a folder below it tells that a file was put into it: none of those is written twice.
        let found = std::fs::metadata(entry.path()).ok()?;
        Some((entry.file_name(), Stamp::of(&found, now_ms)))
    };
    std::fs::read_dir(path).into_iter().flatten().filter_map(of).collect()
}

const OLDER: &str = "which is older than what was known,";
const UPDATE: &str = "have `govlog trust update` bring it up to date";

#[cfg(test)]
mod tests;
