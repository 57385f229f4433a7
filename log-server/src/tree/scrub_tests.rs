//! The scrub: silent on a sound log, loud on every flipped byte.

use std::sync::Arc;
use std::sync::mpsc;

use super::*;
use crate::store::faulty::{FaultyStore, Rot};
use crate::store::{LogStore, MemoryStore};
use crate::tree::RightEdge;
use crate::tree::testing::{fill, identity, view};

const FAST: Pace = Pace { bytes_per_second: u32::MAX, pause: Duration::ZERO };

fn faulty(end: u64) -> Arc<FaultyStore> {
    let store = MemoryStore::new(&identity());
    fill(&store, &mut RightEdge::new(), end, 1024);
    Arc::new(FaultyStore::over(Arc::new(store)))
}

fn scrub_once(tree: &TreeView) -> Result<(), ScrubError> {
    let (_stop, stopped) = mpsc::channel();
    match round(tree, &Brake { stopped, bytes_per_second: u32::MAX }) {
        Ok(()) => Ok(()),
        Err(Ended::Fault(fault)) => Err(fault),
        Err(Ended::Stopped) => panic!("nobody asked to stop"),
    }
}

#[test]
fn a_sound_log_is_found_sound() {
    for end in [0, 1, 255, 256, 257, 700, 65_536, 65_800] {
        let store = faulty(end);
        scrub_once(&view(Arc::clone(&store) as Arc<dyn LogStore>)).unwrap();
    }
}

#[test]
fn every_rotten_entry_and_tile_is_found() {
    let store = faulty(700);
    let tree = view(Arc::clone(&store) as Arc<dyn LogStore>);
    for index in (0..700).step_by(13).chain([0, 255, 256, 511, 512, 699]) {
        store.rot(Rot::Entry(index));
        match (scrub_once(&tree), index < 512) {
            (Err(ScrubError::Entries { n }), true) => assert_eq!(n, index / 256),
            (Err(ScrubError::Tail { first }), false) => assert_eq!(first.get(), 512),
            other => panic!("entry {index}: {other:?}"),
        }
    }
    for (n, byte) in [(0, 0), (0, 8191), (1, 4000)] {
        store.rot(Rot::Tile(TileId { level: 0, n }, byte));
        assert!(matches!(scrub_once(&tree), Err(ScrubError::Entries { n: found }) if found == n));
    }
    store.heal();
    scrub_once(&tree).unwrap();
}

#[test]
fn rot_above_the_lowest_level_is_found() {
    let store = faulty(65_800);
    let tree = view(Arc::clone(&store) as Arc<dyn LogStore>);
    for byte in [0, 77 * 32 + 3, 8191] {
        store.rot(Rot::Tile(TileId { level: 1, n: 0 }, byte));
        let found = scrub_once(&tree);
        assert!(matches!(found, Err(ScrubError::Parent { level: 0, n }) if n == u64::try_from(byte / 32).unwrap()));
    }
}

#[test]
fn the_thread_reports_a_fault_once_and_ends() {
    let store = faulty(300);
    let tree = view(Arc::clone(&store) as Arc<dyn LogStore>);
    let (report, reports) = mpsc::channel();
    let scrubber = Scrubber::start(move || tree.clone(), FAST, move |fault| report.send(fault).unwrap()).unwrap();
    store.rot(Rot::Entry(299));
    assert!(matches!(reports.recv().unwrap(), ScrubError::Tail { .. }));
    assert!(reports.recv().is_err(), "the thread has let go of it");
    scrubber.stop();
}

#[test]
fn the_thread_stops_when_asked_also_in_a_pause() {
    let store = faulty(300);
    let tree = view(Arc::clone(&store) as Arc<dyn LogStore>);
    let slow = Pace { bytes_per_second: 1, pause: Duration::from_secs(3600) };
    Scrubber::start(move || tree.clone(), slow, |fault| panic!("{fault}")).unwrap().stop();
}
