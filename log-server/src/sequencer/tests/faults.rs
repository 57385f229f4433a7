//! Every step fails in every way it can; then the log is started again, sometimes with a second fault in that start.
//!
//! After each the same is held: what was acknowledged is in the log under its index, the log is one tree from its first
//! entry to its last, and no two heads that were ever signed contradict each other (the signer itself checks that).

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, leaf_hash};
use govlog_formats::statement::SignedStatement;
use govlog_formats::tile::TileId;

use crate::recovery::StartRefused;
use crate::refusal::Refusal;
use crate::sequencer::testing::{Disk, HeadFault, Live, NotStarted, Place, World};
use crate::sequencer::{Fatal, Flip, Limits};
use crate::store::faulty::{Fault, Rot};
use crate::store::{LogStore, MemoryStore};
use crate::tree::TreeHead;
use crate::tree::testing::identity;

/// What was acknowledged: where, and which leaf.
type Acknowledged = Vec<(LeafIndex, Digest)>;

fn statements(name: &str, count: u64) -> Vec<SignedStatement> {
    let world = World::get();
    let alone = (0..count).map(|number| world.statement(1, &Place::Alone, &format!("{name} {number}")));
    world.chain(0, name, count).into_iter().zip(alone).flat_map(|(one, other)| [one, other]).collect()
}

/// Hands statements in, in several calls, and notes what is acknowledged; returns how many were told the log has stopped.
fn drive(live: &Live, statements: &[SignedStatement], acknowledged: &mut Acknowledged) -> usize {
    let mut stopped = 0;
    for part in statements.chunks(statements.len().div_ceil(4)) {
        for (ticket, statement) in live.submit(part).into_iter().zip(part) {
            match ticket.wait() {
                Ok(committed) => acknowledged.push((committed.index(), statement.leaf_hash())),
                Err(Refusal::Stopped) => stopped += 1,
                Err(other) => panic!("{other}"),
            }
        }
    }
    stopped
}

/// Starts the log once more, hands everything in again, and checks all of it.
fn settle(disk: &Disk, statements: &[SignedStatement], acknowledged: &mut Acknowledged) {
    let live = disk.start();
    assert_eq!(drive(&live, statements, acknowledged), 0);
    live.stop();
    check_acknowledged(disk, acknowledged);
    let distinct: HashSet<LeafIndex> = acknowledged.iter().map(|(index, _)| *index).collect();
    assert_eq!(disk.store.head().unwrap().size.get(), u64::try_from(distinct.len()).unwrap() + 1, "nothing twice");
}

fn check_acknowledged(disk: &Disk, acknowledged: &Acknowledged) {
    let entries = disk.check();
    for (index, leaf) in acknowledged {
        let entry = &entries[usize::try_from(index.get()).unwrap()];
        assert_eq!(leaf_hash(entry), *leaf, "entry {index} was acknowledged");
    }
}

/// A log that has committed a few entries; they stop short of a tile's end, so that what follows completes the tile. It is
/// made once, and each test has a copy.
fn begun() -> (Disk, Acknowledged) {
    static BEGUN: OnceLock<(Arc<MemoryStore>, TreeHead, Acknowledged)> = OnceLock::new();
    let (store, head, acknowledged) = BEGUN.get_or_init(|| {
        let store = Arc::new(MemoryStore::new(&identity()));
        let (disk, mut acknowledged) = (Disk::over(Arc::clone(&store) as _), Vec::new());
        let live = disk.start();
        assert_eq!(drive(&live, &statements("before", 120), &mut acknowledged), 0);
        live.stop();
        (store, disk.head.state().head, acknowledged)
    });
    let disk = Disk::at_rest(Arc::new(store.duplicate()), *head);
    disk.signed.lock().unwrap().push(*head);
    (disk, acknowledged.clone())
}

/// Poisons a log by one fault, and checks that it says so once and signs nothing more.
fn poisoned_by(disk: &Disk, work: &[SignedStatement], acknowledged: &mut Acknowledged, arm: impl FnOnce(&Disk)) {
    let live = disk.start();
    arm(disk);
    let stopped = drive(&live, work, acknowledged);
    assert!(stopped > 0, "the fault stops the sequencer");
    assert!(live.sequencer.poisoned().is_some());
    let signed = disk.signed.lock().unwrap().len();
    assert_eq!(drive(&live, &statements("after", 2), acknowledged), 4, "it stays stopped");
    drop(live.running.stop());
    assert_eq!(disk.signed.lock().unwrap().len(), signed);
    assert_eq!(live.alarms.try_iter().count(), 1, "one alarm");
    disk.store.heal();
    disk.head.heal();
    disk.refuse_to_sign.store(false, Ordering::SeqCst);
}

/// Tells a disk what is to go wrong.
type Arm = Box<dyn Fn(&Disk)>;

/// The faults after which a start finds a sound store, by name.
fn faults() -> Vec<(&'static str, Arm)> {
    let store = |fault, after| -> Arm { Box::new(move |disk: &Disk| disk.store.fail(fault, after)) };
    let head = |fault, after| -> Arm { Box::new(move |disk: &Disk| disk.head.fail(fault, after)) };
    vec![
        ("write lost", store(Fault::CommitLost, 0)),
        ("write kept", store(Fault::CommitKept, 0)),
        ("second write lost", store(Fault::CommitLost, 1)),
        ("second write kept", store(Fault::CommitKept, 1)),
        ("read-back fails", store(Fault::ReadEntries, 0)),
        ("second read-back fails", store(Fault::ReadEntries, 1)),
        ("read-back comes short", store(Fault::CommitShort, 0)),
        ("tiles cannot be read back", store(Fault::ReadTiles, 0)),
        ("head row cannot be read back", store(Fault::Head, 0)),
        ("look-up fails", store(Fault::Find, 0)),
        ("look-up fails later", store(Fault::Find, 30)),
        ("head lost", head(HeadFault::Lost, 0)),
        ("head kept", head(HeadFault::Kept, 0)),
        ("head torn", head(HeadFault::Torn, 0)),
        ("second head lost", head(HeadFault::Lost, 1)),
        ("second head kept", head(HeadFault::Kept, 1)),
        ("second head torn", head(HeadFault::Torn, 1)),
        ("signing fails", Box::new(|disk| disk.refuse_to_sign.store(true, Ordering::SeqCst))),
    ]
}

#[test]
fn after_any_fault_a_start_finds_one_log_with_all_that_was_acknowledged() {
    let work = statements("during", 40);
    for (name, arm) in faults() {
        let (disk, mut acknowledged) = begun();
        eprintln!("{name}");
        poisoned_by(&disk, &work, &mut acknowledged, arm);
        check_acknowledged(&disk, &acknowledged);
        settle(&disk, &work, &mut acknowledged);
    }
}

#[test]
fn a_second_fault_in_the_start_changes_nothing_of_that() {
    let work = statements("during", 40);
    for (name, arm) in faults() {
        for (second, arm_second) in faults() {
            let (disk, mut acknowledged) = begun();
            eprintln!("{name}, then in the start: {second}");
            poisoned_by(&disk, &work, &mut acknowledged, &arm);
            arm_second(&disk);
            match disk.try_start(Limits::default()) {
                // The second fault met this start, or none of its steps.
                Ok(live) => {
                    disk.store.heal();
                    disk.head.heal();
                    live.stop();
                }
                Err(NotStarted::Refused(_) | NotStarted::Fatal(_)) => {}
            }
            disk.store.heal();
            disk.head.heal();
            disk.refuse_to_sign.store(false, Ordering::SeqCst);
            check_acknowledged(&disk, &acknowledged);
            settle(&disk, &work, &mut acknowledged);
        }
    }
}

#[test]
fn a_note_that_cannot_be_archived_stops_the_log_and_a_kept_one_is_found() {
    for (fault, found) in [(Fault::ArchiveLost, false), (Fault::ArchiveKept, true)] {
        let (disk, mut acknowledged) = begun();
        let live = disk.start();
        disk.store.fail(fault, 0);
        let head = live.head();
        let wait = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let note = Bytes::copy_from_slice(head.note());
        let answer = wait.block_on(live.sequencer.archive(&head, note.clone()));
        assert!(matches!(answer, Err(Refusal::Stopped)));
        drop(live.running.stop());
        assert_eq!(live.alarms.try_iter().count(), 1);
        assert_eq!(disk.store.newest_archived().unwrap().is_some_and(|archived| archived.note == note), found);
        settle_after(&disk, &mut acknowledged);
    }
}

fn settle_after(disk: &Disk, acknowledged: &mut Acknowledged) {
    disk.store.heal();
    settle(disk, &statements("last", 3), acknowledged);
}

/// Poisons a log by one bit that flips between hashing and storing; returns the head that must not be signed.
fn flipped(flip: Flip) -> (Disk, TreeHead) {
    let (disk, mut acknowledged) = begun();
    let before = disk.store.head().unwrap();
    poisoned_by(&disk, &statements("during", 40), &mut acknowledged, |disk| {
        disk.store.fail(Fault::CommitFlipped(flip), 0);
    });
    let stored = disk.store.head().unwrap();
    assert!(stored.size > before.size);
    let signed = disk.signed.lock().unwrap();
    assert_eq!(signed.last(), Some(&before), "nothing above the last good head was signed: {flip:?}");
    assert_eq!(disk.head.state().head, before, "nor was the head advanced");
    drop(signed);
    (disk, stored)
}

#[test]
fn an_entry_that_changes_on_its_way_to_the_store_is_never_signed() {
    let bits = statements("during", 40)[0].entry().len() * 8;
    for bit in (0..bits).step_by(97).chain([bits - 1]) {
        let (disk, _) = flipped(Flip::Entry { row: 0, bit });
        refused_to_start(&disk);
    }
    for row in [1, 7, 14, 15, 19] {
        refused_to_start(&flipped(Flip::Entry { row, bit: 8 * row }).0);
    }
}

/// A tail that is not what was computed is never adopted: a full tile hides a changed entry from the proofs of the right
/// edge, not from the finisher.
fn refused_to_start(disk: &Disk) {
    let signed = disk.signed.lock().unwrap().len();
    match disk.try_start(Limits::default()).err() {
        Some(NotStarted::Refused(StartRefused::StoreRoot { .. }) | NotStarted::Fatal(Fatal::ReadBack { .. })) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(disk.signed.lock().unwrap().len(), signed);
}

#[test]
fn a_tile_that_changes_on_its_way_to_the_store_is_never_signed() {
    for bit in (0..8192 * 8).step_by(2731).chain([8192 * 8 - 1]) {
        refused_to_start(&flipped(Flip::Tile { tile: 0, bit }).0);
    }
}

#[test]
fn a_root_that_changes_on_its_way_to_the_store_is_never_signed() {
    for bit in 0..256 {
        let (disk, stored) = flipped(Flip::Root { bit });
        match disk.try_start(Limits::default()).err() {
            Some(NotStarted::Refused(StartRefused::StoreRoot { stored: named, .. })) => assert_eq!(named, stored),
            other => panic!("bit {bit}: {other:?}"),
        }
    }
}

#[test]
fn a_time_that_changes_on_its_way_to_the_store_stops_the_log() {
    for bit in [0, 5, 20] {
        flipped(Flip::Time { bit });
    }
}

#[test]
fn what_rots_before_it_is_adopted_is_never_signed() {
    for rot in
        [Rot::Entry(241), Rot::Entry(255), Rot::Entry(256), Rot::Entry(260), Rot::Tile(TileId { level: 0, n: 0 }, 99)]
    {
        let (disk, mut acknowledged) = begun();
        let work = statements("during", 40);
        // The batch is written and the head is not advanced: an unsigned tail of entries 241 to 260.
        poisoned_by(&disk, &work, &mut acknowledged, |disk| disk.head.fail(HeadFault::Lost, 0));
        assert_eq!(disk.store.head().unwrap().size.get(), 261);
        disk.store.rot(rot);
        refused_to_start(&disk);
        disk.store.heal();
        settle(&disk, &work, &mut acknowledged);
    }
}

#[test]
fn a_duplicate_table_that_names_the_wrong_entry_stops_the_log() {
    let (disk, _) = begun();
    let live = disk.start();
    // The entry that the table names for this statement reads back as another.
    let known = statements("before", 120)[1].clone();
    let index = live.submit(std::slice::from_ref(&known)).pop().unwrap().wait().unwrap().index();
    disk.store.rot(Rot::Entry(index.get()));
    assert!(matches!(live.submit(&[known]).pop().unwrap().wait(), Err(Refusal::Stopped)));
    drop(live.running.stop());
    assert_eq!(live.alarms.try_iter().count(), 1);
}

#[test]
fn a_batch_behind_a_failed_one_is_never_acknowledged() {
    // The finisher fails on the first batch while the writer goes on with the next.
    let work = statements("during", 700);
    for _ in 0..8 {
        let (disk, mut acknowledged) = begun();
        let live = disk.start();
        disk.head.fail(HeadFault::Lost, 0);
        let tickets = live.submit(&work);
        assert!(tickets.into_iter().all(|ticket| matches!(ticket.wait(), Err(Refusal::Stopped))));
        drop(live.running.stop());
        let tail = disk.store.head().unwrap().size.get() - disk.head.state().head.size.get();
        assert!((1..=2048).contains(&tail), "at most two batches are under way: {tail}");
        drop(live.alarms);
        disk.head.heal();
        settle(&disk, &work, &mut acknowledged);
    }
}

#[test]
fn a_scrub_that_finds_a_fault_poisons() {
    let (disk, _) = begun();
    let live = disk.start();
    disk.store.rot(Rot::Entry(7));
    let pace = crate::tree::Pace { bytes_per_second: u32::MAX, pause: std::time::Duration::ZERO };
    let scrubber = live.sequencer.scrub(pace).unwrap();
    let why = live.alarms.recv().unwrap();
    assert!(why.contains("scrub"), "{why}");
    assert!(matches!(live.log(&statements("late", 1))[0].as_str(), "Stopped"));
    scrubber.stop();
    drop(Arc::clone(&disk.store));
    drop(live.running.stop());
}
