//! The trust directory of an agent that runs: read again when somebody has changed it, as `govlog trust update` does.
//!
//! Trust: as the directory's own. What cannot be read, is of another log, or knows less of this one than was known, changes nothing and is said:
//! the agent goes on with what it knew. Whoever puts an old directory back cannot bring back what was taken from somebody since.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use govlog_client::trust::{Trust, TrustDir, TrustError};
use govlog_formats::merkle::TreeSize;

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
        let (found, known) = (trust.history().newest().index, was.history().newest().index);
        if found < known {
            return Err(format!("{at}: its newest admission change is at index {found}, {OLDER} {known}; {UPDATE}"));
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

/// Whether all that was read in a directory is surely as it was.
fn are_still(read: &Files, now: &Files) -> bool {
    let is_still = |(name, stamp): (_, &Stamp)| now.get(name).is_some_and(|now| stamp.is_still(now));
    read.len() == now.len() && read.iter().all(is_still)
}

/// Whether two readings of one directory, neither of which knows less than the other, are the same.
fn says_the_same(one: &Trust, other: &Trust) -> bool {
    let of = |trust: &Trust| {
        let pinned = trust.pinned().map(|pinned| pinned.note.clone());
        (trust.fingerprint(), trust.notes().clone(), trust.history().newest().index, pinned)
    };
    of(one) == of(other)
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
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use govlog_client::testing::TestLog;
    use govlog_formats::admission::{ChangeFields, GenesisRequest, IssuerRow, LogRow, ReceiptKey};
    use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};

    use super::*;
    use crate::testing::Bench;

    const AT_ONCE: Duration = Duration::ZERO;
    const NOW_MS: u64 = 1_700_000_000_000;

    #[test]
    fn what_is_updated_is_read_again_and_what_is_damaged_changes_nothing() {
        let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
        let mut updated = log.trusted_in(dir.path());
        let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
        let first = trusted.trust();
        assert!(trusted.is_still(&first, &telemetry, NOW_MS) && first.pinned().is_none());
        updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        assert!(!trusted.is_still(&first, &telemetry, NOW_MS));
        let second = trusted.trust();
        assert!(trusted.is_still(&second, &telemetry, NOW_MS) && second.pinned().is_some());
        let policy = std::fs::read(dir.path().join("policy.txt")).unwrap();
        std::fs::write(dir.path().join("policy.txt"), "half").unwrap();
        assert!(trusted.is_still(&second, &telemetry, NOW_MS) && trusted.is_still(&second, &telemetry, NOW_MS));
        assert!(trusted.now().wrong.as_ref().is_some_and(|wrong| wrong.contains("policy.txt")));
        assert_eq!(
            telemetry
                .render(&crate::telemetry::Depth::default())
                .lines()
                .filter(|line| line.contains("kind=\"trust\"} 1"))
                .count(),
            1,
            "once"
        );
        std::fs::write(dir.path().join("policy.txt"), policy).unwrap();
        assert!(!trusted.is_still(&second, &telemetry, NOW_MS));
        assert_eq!(trusted.now().wrong, None);
    }

    /// What was read may be older than what has the same stamp: it is read until that cannot be, and whoever judges by it is not disturbed.
    #[test]
    fn what_is_written_within_one_step_of_the_clock_is_seen() {
        let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
        let mut updated = log.trusted_in(dir.path());
        let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
        let first = trusted.trust();
        updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        let (at_once, later) = (written_ms(dir.path()), written_ms(dir.path()) + 3_000);
        trusted.now().files = files(dir.path(), at_once);
        assert!(!trusted.is_still(&first, &telemetry, at_once) && trusted.trust().pinned().is_some());
        let second = trusted.trust();
        let is_settled = || {
            let now = trusted.now();
            are_still(&now.files, &now.files)
        };
        for (now_ms, settled) in [(at_once, false), (at_once, false), (later, true), (later, true)] {
            assert!(trusted.is_still(&second, &telemetry, now_ms), "it is the same");
            assert_eq!(is_settled(), settled, "{}", now_ms - at_once);
        }
    }

    /// When something in a directory was last written.
    fn written_ms(dir: &Path) -> u64 {
        let changed = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().ctime());
        u64::try_from(changed.max().unwrap()).unwrap() * 1_000
    }

    /// An old directory that is put back, whole and well signed: who was put out since would be believed again.
    #[test]
    fn what_is_older_or_of_another_log_is_refused() {
        let (dir, mut log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
        let (path, at) = (dir.path().join("trust"), |name: &str| dir.path().join(name));
        log.trusted_in(&at("before")).pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        let row = IssuerRow { max_age_s: Some(60), ..log.issuer_row() };
        let change = log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        let note = log.note_of(log.size(), &[0, 1]);
        let changed = |name: &str| {
            let mut changed = log.trusted_in(&at(name));
            let (entry, proof) = (log.entries.last().unwrap(), log.tlog_proof(change, &note));
            changed.add_change(change, entry, &proof).unwrap();
            changed
        };
        changed("unpinned");
        changed("now").pin(&note).unwrap();
        other_log(&log, &at("other"));
        let put = |name: &str| {
            let _ = std::fs::remove_file(&path);
            std::os::unix::fs::symlink(at(name), &path).unwrap();
        };
        put("now");
        let trusted = Trusted::load(&path, AT_ONCE, NOW_MS).unwrap();
        let first = trusted.trust();
        for (name, why) in [("before", "admission change"), ("unpinned", "pinned head"), ("other", "other.example")] {
            put(name);
            assert!(trusted.is_still(&first, &telemetry, NOW_MS), "{name}");
            let wrong = trusted.now().wrong.clone();
            assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(why)), "{name}: {wrong:?}");
        }
        let told = telemetry.render(&crate::telemetry::Depth::default());
        assert!(told.contains("kind=\"trust\"} 3"), "{told}");
        put("now");
        assert!(!trusted.is_still(&first, &telemetry, NOW_MS) && trusted.now().wrong.is_none());
    }

    /// The trust directory of a log with another origin, under the same operator.
    fn other_log(log: &TestLog, path: &Path) {
        let name = KeyName::new("other.example").unwrap();
        let signer = NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[77; 32]).unwrap();
        let row = LogRow {
            origin: "other.example".to_owned(),
            checkpoint: signer.vkey().clone(),
            receipts: vec![ReceiptKey { key: log.receipt.public(), from: 0, below: None }],
        };
        let genesis = GenesisRequest::new(row).unwrap().sign(&log.operator, 1_700_000_000_000).unwrap();
        TrustDir::create(path, &format!("log {}\nquorum none\n", signer.vkey()), genesis.entry()).unwrap();
    }

    #[test]
    fn it_is_not_looked_at_all_the_time() {
        let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
        let mut updated = log.trusted_in(dir.path());
        let trusted = Trusted::load(dir.path(), Duration::from_secs(3_600), NOW_MS).unwrap();
        let first = trusted.trust();
        updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        assert!(
            trusted.is_still(&first, &telemetry, NOW_MS) && trusted.is_still(&first, &telemetry, NOW_MS + 3_599_999)
        );
        assert!(!trusted.is_still(&first, &telemetry, NOW_MS + 3_600_000));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_from_looking() {
        let (dir, log, telemetry) = (tempfile::tempdir().unwrap(), TestLog::new(), Telemetry::new().unwrap());
        let mut updated = log.trusted_in(dir.path());
        let trusted = Trusted::load(dir.path(), Duration::from_secs(10), NOW_MS).unwrap();
        updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
        assert!(!trusted.is_still(&trusted.trust(), &telemetry, NOW_MS - 3_600_000));
    }

    #[test]
    fn a_station_begins_anew_with_what_is_new_and_ends_with_all_others() {
        let (dir, log, bench) = (tempfile::tempdir().unwrap(), TestLog::new(), Bench::new());
        let mut updated = log.trusted_in(dir.path());
        let trusted = Trusted::load(dir.path(), AT_ONCE, NOW_MS).unwrap();
        let mut pinned = Vec::new();
        let station = |trust: &Trust, goes_on: &dyn Fn() -> bool| {
            pinned.push(trust.pinned().is_some());
            if pinned.len() == 2 {
                bench.shared.stop();
            } else {
                updated.pin(&log.note_of(log.size(), &[0, 1])).unwrap();
            }
            // Even while it waits for a log that is away.
            bench.shared.run_while(goes_on, || Ok(crate::pump::Round::Later(Duration::from_secs(3_600))))
        };
        trusted.judge(&bench.shared, &*bench.world, station).unwrap();
        assert_eq!(pinned, [false, true]);
    }
}
