//! The thread that keeps the index, beside a log that runs.

use std::fs;
use std::time::Duration;

use govlog_formats::merkle::TreeSize;
use govlog_formats::search::{Column, Term};

use super::*;
use crate::index::{Index, Indexer, Parts};
use crate::sequencer::testing::{Disk, Live, World};
use crate::telemetry::Telemetry;

const PATIENCE: Duration = Duration::from_secs(30);

struct Rig {
    live: Live,
    index: Index,
    indexer: Indexer,
    telemetry: Telemetry,
}

fn start(disk: &Disk, path: &Path) -> Rig {
    let (live, telemetry) = (disk.start(), Telemetry::new().unwrap());
    let parts = Parts {
        path: path.to_owned(),
        store: Arc::clone(&disk.store) as Arc<dyn LogStore>,
        heads: live.sequencer.committed(),
        busy: Box::new(|| false),
        telemetry: telemetry.clone(),
    };
    let (index, indexer) = Index::start_within(parts, Room { entries: 16, ..Room::default() }).unwrap();
    Rig { live, index, indexer, telemetry }
}

impl Rig {
    /// Waits until the index covers so many entries.
    async fn reaches(&self, size: u64) {
        let mut progress = self.index.progress();
        let reached = progress.wait_for(|progress| progress.ready && progress.size >= size);
        tokio::time::timeout(PATIENCE, reached).await.expect("the index gets there in time").unwrap();
    }

    /// Waits for a search to be answered, while the index is mended if it must be.
    async fn find(&self, filter: &Filter, size: u64) -> Vec<u64> {
        loop {
            self.reaches(size).await;
            match self.index.search(filter.clone(), 0, TreeSize::new(size), 1000).await {
                Ok(page) => return page.found.iter().map(|index| index.get()).collect(),
                Err(SearchError::NotReady) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for a line of the metrics, which follow the index.
    async fn measures(&self, line: &str) {
        let measured = async {
            while !self.telemetry.render().lines().any(|one| one == line) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, measured).await.expect(line);
    }

    async fn stop(self) {
        let Self { live, index, indexer, .. } = self;
        drop(index);
        tokio::task::spawn_blocking(move || {
            indexer.stop();
            live.stop();
        })
        .await
        .unwrap();
    }
}

fn stream(name: &str) -> Filter {
    Filter::default().with(Term::new(Column::STREAM, name).unwrap())
}

/// Commits statements on a thread that may block.
async fn log(rig: &Rig, statements: Vec<SignedStatement>) {
    for ticket in rig.live.submit(&statements) {
        ticket.await.unwrap();
    }
}

#[tokio::test]
async fn it_follows_the_log_and_goes_on_after_a_restart() {
    let (disk, directory) = (Disk::fresh(), tempfile::tempdir().unwrap());
    let path = directory.path().join("index");
    let rig = start(&disk, &path);
    rig.reaches(1).await;
    log(&rig, World::get().chain(0, "a", 40)).await;
    assert_eq!(rig.find(&stream("a"), 41).await, (1..41).collect::<Vec<_>>());
    rig.stop().await;
    let rig = start(&disk, &path);
    assert_eq!(rig.find(&stream("a"), 41).await, (1..41).collect::<Vec<_>>());
    log(&rig, World::get().chain(1, "b", 3)).await;
    assert_eq!(rig.find(&stream("b"), 44).await, [41, 42, 43]);
    for wanted in ["govlog_index_size 44", "govlog_index_ready 1", "govlog_index_lag_entries 0"] {
        rig.measures(wanted).await;
    }
    assert!(!rig.telemetry.render().contains("govlog_index_rebuilds_total"));
    rig.stop().await;
}

/// Deleted under a running log it is missed when the next segment is written, and built anew; no answer is wrong meanwhile.
#[tokio::test]
async fn it_may_be_deleted_while_the_log_runs() {
    let (disk, directory) = (Disk::fresh(), tempfile::tempdir().unwrap());
    let path = directory.path().join("index");
    let rig = start(&disk, &path);
    log(&rig, World::get().chain(0, "a", 40)).await;
    rig.reaches(41).await;
    fs::remove_dir_all(&path).unwrap();
    log(&rig, World::get().chain(1, "b", 60)).await;
    assert_eq!(rig.find(&stream("a"), 101).await, (1..41).collect::<Vec<_>>());
    assert_eq!(rig.find(&stream("b"), 101).await, (41..101).collect::<Vec<_>>());
    assert!(path.join("CURRENT").exists());
    rig.stop().await;
}

#[tokio::test]
async fn what_a_search_finds_wrong_is_built_anew() {
    let (disk, directory) = (Disk::fresh(), tempfile::tempdir().unwrap());
    let rig = start(&disk, &directory.path().join("index"));
    log(&rig, World::get().chain(0, "a", 40)).await;
    rig.reaches(41).await;
    rig.index.shared.report(Fault::WrongHit(7));
    assert!(!rig.index.progress().borrow().ready);
    assert_eq!(rig.find(&stream("a"), 41).await, (1..41).collect::<Vec<_>>());
    rig.measures("govlog_index_rebuilds_total 1").await;
    rig.stop().await;
}

/// A bit flips in a sorted file while nobody runs: the answers after the next start are those of the entries.
#[tokio::test]
async fn flipped_bits_change_no_answer() {
    let (disk, directory) = (Disk::fresh(), tempfile::tempdir().unwrap());
    let path = directory.path().join("index");
    let rig = start(&disk, &path);
    log(&rig, World::get().chain(0, "a", 40)).await;
    rig.reaches(41).await;
    rig.stop().await;
    for step in 0..8 {
        for file in fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()) {
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.len() * step / 8;
            if file.extension().is_some_and(|extension| extension == "sst") && at < bytes.len() {
                bytes[at] ^= 0x10;
                fs::write(&file, bytes).unwrap();
            }
        }
        let rig = start(&disk, &path);
        assert_eq!(rig.find(&stream("a"), 41).await, (1..41).collect::<Vec<_>>(), "{step}");
        rig.stop().await;
    }
}

/// The log runs whatever is the matter with the index.
#[tokio::test]
async fn a_directory_of_others_leaves_the_log_without_search() {
    let (disk, directory) = (Disk::fresh(), tempfile::tempdir().unwrap());
    fs::write(directory.path().join("thesis.txt"), b"x").unwrap();
    let rig = start(&disk, directory.path());
    log(&rig, World::get().chain(0, "a", 5)).await;
    let refused = rig.index.search(stream("a"), 0, TreeSize::new(6), 10).await;
    assert!(matches!(refused, Err(SearchError::NotReady)), "{refused:?}");
    fs::remove_file(directory.path().join("thesis.txt")).unwrap();
    assert_eq!(rig.find(&stream("a"), 6).await, [1, 2, 3, 4, 5]);
    rig.stop().await;
}
