//! Statements that collided: kept as evidence, once, whatever happens to the log, and nothing else is kept.

use std::sync::Arc;

use govlog_formats::digest::Digest;
use govlog_formats::statement::SignedStatement;

use crate::refusal::Refusal;
use crate::sequencer::testing::{Disk, Live, NotStarted, Place, World};
use crate::sequencer::{Fatal, Limits};
use crate::store::faulty::Fault;
use crate::store::{ConflictRow, LogStore, RocksStore};
use crate::tree::testing::identity;

fn rival(seq: u64, prev: Digest, text: &str) -> SignedStatement {
    World::get().statement(0, &Place::at("s", seq, prev), text)
}

/// The rows of the table: number, entry, statement.
fn kept(disk: &Disk) -> Vec<(u64, u64, Vec<u8>)> {
    let row = |row: ConflictRow| (row.number, row.entry.get(), row.statement.to_vec());
    disk.store.conflicts(0, 99).unwrap().into_iter().map(row).collect()
}

#[test]
fn what_collides_is_kept_once_with_the_entry_that_has_its_place() {
    let disk = Disk::fresh();
    let live = disk.start();
    let chain = World::get().chain(0, "s", 2);
    let first = rival(0, Digest::ZERO, "another first");
    // In one batch with the entry it collides with, and after it.
    assert_eq!(live.log(&[chain[0].clone(), first.clone(), chain[1].clone()]), ["=1", "conflict, expected 1", "=2"]);
    let second = rival(1, chain[0].sig_structure_digest(), "another second");
    assert_eq!(live.log(&[second.clone(), first.clone()]), ["conflict, expected 2", "conflict, expected 2"]);
    let expected = [(0, 1, first.entry().to_vec()), (1, 2, second.entry().to_vec())];
    assert_eq!(kept(&disk), expected);
    let is_known = |live: &Live| {
        [&chain[0], &first, &second].map(|one| live.sequencer.collided().has(&one.sig_structure_digest()))
    };
    assert_eq!(is_known(&live), [false, true, true], "the door knows what is kept");

    // A place that nobody has, a wrong predecessor at the next place, and a duplicate contradict nothing.
    let others = [rival(7, Digest::ZERO, "ahead"), rival(2, Digest::ZERO, "no successor"), chain[0].clone()];
    assert_eq!(live.log(&others), ["conflict, expected 2", "conflict, expected 2", "+1"]);
    assert_eq!(kept(&disk), expected);
    live.stop();

    let live = disk.start();
    assert_eq!(is_known(&live), [false, true, true], "after a restart too");
    let third = rival(1, Digest::ZERO, "a third");
    assert_eq!(live.log(&[first, third.clone()]), ["conflict, expected 2", "conflict, expected 2"]);
    assert_eq!(kept(&disk), [&expected[..], &[(2, 2, third.entry().to_vec())]].concat());
    live.stop();
    assert_eq!(disk.check().len(), 3);
}

#[test]
fn a_table_that_can_not_be_written_stops_the_log_and_what_was_committed_is_there() {
    let disk = Disk::fresh();
    let live = disk.start();
    let chain = World::get().chain(0, "s", 2);
    assert_eq!(live.log(&chain[..1]), ["=1"]);
    disk.store.fail(Fault::Conflicts, 0);
    let rival = rival(0, Digest::ZERO, "lost at first");
    for ticket in live.submit(&[rival.clone(), chain[1].clone()]) {
        assert_eq!(ticket.wait().unwrap_err(), Refusal::Stopped);
    }
    assert!(live.sequencer.poisoned().is_some());
    assert_eq!(live.alarms.recv().unwrap(), live.sequencer.poisoned().unwrap().to_string());
    drop(live.running.stop());
    assert_eq!(kept(&disk), []);
    // A start adopts the batch, and who sends the other one again finds it kept.
    let live = disk.start();
    assert_eq!(live.log(&[chain[1].clone(), rival.clone()]), ["+2", "conflict, expected 2"]);
    assert_eq!(kept(&disk), [(0, 1, rival.entry().to_vec())]);
    live.stop();
    assert_eq!(disk.check().len(), 3);
}

#[test]
fn a_table_that_can_not_be_read_is_not_taken_for_empty() {
    let disk = Disk::fresh();
    disk.store.fail(Fault::ReadConflicts, 0);
    let refused = disk.try_start(Limits::default()).err();
    assert!(matches!(refused, Some(NotStarted::Fatal(Fatal::Store(_)))), "{refused:?}");
    disk.start().stop();
}

#[test]
fn the_table_is_on_disk_and_no_part_of_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    RocksStore::create(&path, &identity()).unwrap();
    let chain = World::get().chain(0, "s", 1);
    let first = rival(0, Digest::ZERO, "another first");
    {
        let disk = Disk::over(Arc::new(RocksStore::open(&path).unwrap()));
        let live = disk.start();
        assert_eq!(live.log(&[chain[0].clone(), first.clone()]), ["=1", "conflict, expected 1"]);
        live.stop();
        assert_eq!(disk.check().len(), 2);
    }
    let rows = RocksStore::open(&path).unwrap().conflicts(0, 9).unwrap();
    assert_eq!(rows.iter().map(|row| row.statement.to_vec()).collect::<Vec<_>>(), [first.entry()]);
}
