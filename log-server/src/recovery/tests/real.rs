//! The same on real files: RocksDB and the head file, opened, run, closed, copied under load, and kept apart.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use tempfile::TempDir;

use crate::admission::Admitted;
use crate::clock::Clock;
use crate::disk::{DiskGuard, Reserve};
use crate::head::{HeadError, HeadFile, HeadOwner};
use crate::recovery::{Paths, StartRefused, open};
use crate::sequencer::testing::{Disk, Place, World, configured, first_batch};
use crate::sequencer::{Limits, Parts, Running, Sequencer};
use crate::store::{Bounds, Identity, LogStore, RocksStore, StoreError};
use crate::tree::testing::{ORIGIN, check_log, identity};

fn paths(dir: &Path) -> Paths {
    Paths { store: dir.join("store"), head: dir.join("head") }
}

/// Makes a log of entry 0.
fn made(dir: &Path, identity: &Identity) {
    let batch = first_batch(&World::get().genesis);
    RocksStore::create(&paths(dir).store, identity).unwrap();
    RocksStore::open(&paths(dir).store).unwrap().commit(&batch).unwrap();
    HeadFile::create(&paths(dir).head, HeadOwner::new(identity.store, ORIGIN), batch.head()).unwrap();
}

fn fresh() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    made(dir.path(), &identity());
    dir
}

fn refused(dir: &Path) -> StartRefused {
    match open(&paths(dir), &Bounds::default(), &configured()) {
        Err(refused) => refused,
        Ok(_) => panic!("it starts"),
    }
}

/// A log that runs on real files.
struct Real {
    store: Arc<RocksStore>,
    sequencer: Sequencer,
    running: Running,
}

impl Real {
    fn start(dir: &Path) -> Self {
        let (store, recovered) = open(&paths(dir), &Bounds::default(), &configured()).unwrap();
        let outside = Disk::fresh();
        let parts = Parts {
            signer: Box::new(outside.signer()),
            clock: Arc::clone(&outside.clock) as Arc<dyn Clock>,
            disk: DiskGuard::new(vec![dir.into()], Reserve { bytes: 0, percent: 0 }),
            limits: Limits::default(),
            telemetry: crate::telemetry::Telemetry::new().unwrap(),
            on_fatal: Box::new(|cause| panic!("{cause}")),
        };
        let (sequencer, running) = Sequencer::start(recovered, parts).unwrap();
        sequencer.open();
        Self { store, sequencer, running }
    }

    fn submit(&self, texts: impl Iterator<Item = String>) -> Vec<(LeafIndex, Digest)> {
        let policy = self.sequencer.policy().load_full();
        let statements: Vec<_> = texts.map(|text| World::get().statement(0, &Place::Alone, &text)).collect();
        let admitted = statements.iter().map(|one| Admitted::judge(&policy, one.clone(), None).unwrap()).collect();
        let tickets = self.sequencer.submit(admitted);
        let indexes = tickets.into_iter().map(|ticket| ticket.wait().unwrap().index());
        indexes.zip(&statements).map(|(index, statement)| (index, statement.leaf_hash())).collect()
    }

    fn stop(self) {
        let head = self.running.stop().expect("not poisoned");
        drop(self.sequencer);
        self.store.close().unwrap();
        drop(head);
    }
}

#[test]
fn a_log_is_run_closed_and_run_again() {
    let dir = fresh();
    let mut logged = Vec::new();
    for round in 0..8 {
        let log = Real::start(dir.path());
        assert_eq!(log.sequencer.committed().borrow().size().get(), 1 + round * 100);
        logged.extend(log.submit((0..100).map(|number| format!("{round} {number}"))));
        log.stop();
    }
    let store = RocksStore::open(&paths(dir.path()).store).unwrap();
    let entries = check_log(&store, &store.head().unwrap());
    assert_eq!(entries.len(), 801);
    for (index, leaf) in logged {
        assert_eq!(leaf_hash(&entries[usize::try_from(index.get()).unwrap()]), leaf);
    }
}

#[test]
fn a_second_start_on_the_same_files_is_refused() {
    let dir = fresh();
    let log = Real::start(dir.path());
    let refusal = refused(dir.path());
    assert!(matches!(refusal, StartRefused::Head(HeadError::Locked(_))), "{refusal}");
    assert_eq!(refusal.runbook(), "two-processes");
    // The store alone, beside another head file, is locked as well.
    let beside = Paths { head: dir.path().join("other-head"), ..paths(dir.path()) };
    HeadFile::create(&beside.head, HeadOwner::new(identity().store, ORIGIN), first_batch(&World::get().genesis).head())
        .unwrap();
    let second = open(&beside, &Bounds::default(), &configured());
    assert!(matches!(second, Err(StartRefused::Store(StoreError::Engine { .. }))));
    log.stop();
    Real::start(dir.path()).stop();
}

#[test]
fn a_store_or_a_head_that_is_not_there_is_refused_and_not_made() {
    let dir = fresh();
    std::fs::rename(dir.path().join("store"), dir.path().join("away")).unwrap();
    assert_eq!(refused(dir.path()).runbook(), "init-unfinished");
    assert!(!dir.path().join("store").exists());
    std::fs::rename(dir.path().join("away"), dir.path().join("store")).unwrap();
    std::fs::remove_file(dir.path().join("head")).unwrap();
    assert_eq!(refused(dir.path()).runbook(), "head-missing");
    assert!(!dir.path().join("head").exists());
}

#[test]
fn an_empty_store_under_an_old_head_never_signs() {
    let dir = fresh();
    let log = Real::start(dir.path());
    log.submit((0..5).map(|number| number.to_string()));
    log.stop();
    // The same identity, made anew: everything but its age is right.
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    std::fs::rename(dir.path().join("head"), dir.path().join("kept")).unwrap();
    made(dir.path(), &identity());
    std::fs::rename(dir.path().join("kept"), dir.path().join("head")).unwrap();
    let refusal = refused(dir.path());
    assert!(matches!(refusal, StartRefused::StoreBehind { .. }), "{refusal}");
}

#[test]
fn a_store_restored_from_a_backup_never_signs() {
    let dir = fresh();
    let log = Real::start(dir.path());
    log.submit((0..5).map(|number| number.to_string()));
    log.stop();
    let backup = dir.path().join("backup");
    copy(&dir.path().join("store"), &backup);
    let log = Real::start(dir.path());
    log.submit((5..6).map(|number| number.to_string()));
    log.stop();
    std::fs::remove_dir_all(dir.path().join("store")).unwrap();
    std::fs::rename(backup, dir.path().join("store")).unwrap();
    assert_eq!(refused(dir.path()).runbook(), "store-behind-head");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[test]
fn files_copied_under_load_are_a_crash_that_loses_nothing_acknowledged_before() {
    let dir = fresh();
    let log = Real::start(dir.path());
    let (acknowledged, done) = (Mutex::new(HashMap::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            for round in 0.. {
                let new = log.submit((0..round % 7 + 1).map(|number| format!("{round} {number}")));
                acknowledged.lock().unwrap().extend(new);
                if done.load(Ordering::Acquire) {
                    return;
                }
            }
        });
        for round in 0..12 {
            let known = acknowledged.lock().unwrap().clone();
            // The head first, so that the store is never behind it: as a crash leaves them.
            let crashed = dir.path().join(format!("crash-{round}"));
            std::fs::create_dir(&crashed).unwrap();
            std::fs::copy(dir.path().join("head"), crashed.join("head")).unwrap();
            copy(&dir.path().join("store"), &crashed.join("store"));
            let copied = Real::start(&crashed);
            let head = *copied.sequencer.committed().borrow().head();
            let entries = check_log(copied.store.as_ref(), &head);
            for (index, leaf) in known {
                assert_eq!(leaf_hash(&entries[usize::try_from(index.get()).unwrap()]), leaf, "entry {index}");
            }
            copied.stop();
            std::fs::remove_dir_all(crashed).unwrap();
        }
    });
    log.stop();
}

/// Ends the load also when a check has failed.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
