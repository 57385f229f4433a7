//! What a start refuses: each disagreement between store, head, notes and configuration, with the runbook it names.

mod real;

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::TreeSize;
use govlog_formats::note::{NoteSigner, SignatureAlgorithm};

use crate::clock::Millis;
use crate::head::{HeadOwner, HeadState, SlotFault};
use crate::recovery::{Configured, StartRefused, recover};
use crate::sequencer::testing::{Disk, World, configured};
use crate::store::{ArchivedNote, LogStore, StoreId};
use crate::tree::TreeHead;
use crate::tree::testing::ORIGIN;

/// A log at rest with entry 0 and eleven more.
fn log() -> Disk {
    let disk = Disk::fresh();
    let live = disk.start();
    live.log(&World::get().chain(0, "s", 11));
    live.stop();
    disk
}

fn refused_with(disk: &Disk, configured: &Configured) -> StartRefused {
    let head = Box::new(disk.head.clone());
    let before = (disk.head.state(), disk.store.head().unwrap());
    let refused = recover(std::sync::Arc::clone(&disk.store) as _, head, configured).unwrap_err();
    assert_eq!((disk.head.state(), disk.store.head().unwrap()), before, "a refusing start changes nothing");
    assert!(refused.to_string().contains(refused.runbook()), "{refused}");
    refused
}

fn refused(disk: &Disk) -> StartRefused {
    refused_with(disk, &configured())
}

#[test]
fn a_log_at_rest_starts_where_it_ended() {
    let disk = log();
    let recovered = disk.recover().unwrap();
    assert_eq!(recovered.finished(), recovered.stored());
    assert_eq!(recovered.stored().size, TreeSize::new(12));
    assert_eq!(recovered.policy().origin(), ORIGIN);
}

#[test]
fn the_head_of_another_store_is_refused() {
    let disk = log();
    disk.head.tamper(|state| state.owner = HeadOwner::new(StoreId::from_bytes([9; 32]), ORIGIN));
    assert!(matches!(refused(&disk), StartRefused::ForeignHead { .. }));
    disk.head.tamper(|state| state.owner = HeadOwner::new(disk.store.identity().unwrap().store, "another.example"));
    assert!(matches!(refused(&disk), StartRefused::HeadOrigin { .. }));
}

#[test]
fn a_store_of_another_origin_epoch_or_key_is_refused() {
    let disk = log();
    let other = Configured { origin: "another.example".into(), ..configured() };
    assert!(matches!(refused_with(&disk, &other), StartRefused::Origin { .. }));
    let other = Configured { epoch: 2, ..configured() };
    assert!(matches!(refused_with(&disk, &other), StartRefused::Epoch { .. }));
    let name = World::get().note.vkey().name().clone();
    let key = NoteSigner::from_seed(name, SignatureAlgorithm::Ed25519, &[77; 32]).unwrap();
    let other = Configured { vkey: key.vkey().clone(), ..configured() };
    assert!(matches!(refused_with(&disk, &other), StartRefused::Key { .. }));
}

#[test]
fn a_store_behind_the_head_is_refused() {
    let disk = log();
    let old = Disk::fresh();
    old.head.tamper(|state| *state = disk.head.state());
    let refusal = refused(&old);
    assert!(matches!(&refusal, StartRefused::StoreBehind { .. }), "{refusal}");
    assert_eq!(refusal.runbook(), "store-behind-head");
}

#[test]
fn a_head_that_no_crash_leaves_so_far_behind_is_refused() {
    let disk = Disk::fresh();
    let first = disk.head.state();
    let live = disk.start();
    live.log(&World::get().chain(0, "s", 2048));
    live.stop();
    // Two batches may be above the head: exactly so many are adopted, one more is refused.
    disk.head.tamper(|state| *state = first.clone());
    assert_eq!(disk.recover().unwrap().stored().size, TreeSize::new(2049));
    let live = disk.start();
    live.log(&World::get().chain(1, "t", 1));
    live.stop();
    disk.head.tamper(|state| *state = first);
    assert!(matches!(refused(&disk), StartRefused::TailTooLong { .. }));
}

#[test]
fn one_size_with_two_roots_or_two_times_is_refused() {
    let disk = log();
    let good = disk.head.state();
    disk.head.tamper(|state| state.head.root = Digest::sha256(b"another"));
    assert!(matches!(refused(&disk), StartRefused::SameSize { .. }));
    disk.head.tamper(|state| state.head = TreeHead { time: Millis::new(good.head.time.get() + 1), ..good.head });
    assert!(matches!(refused(&disk), StartRefused::SameSize { .. }));
}

#[test]
fn a_smaller_head_must_be_of_the_same_tree_and_not_of_the_future() {
    let disk = log();
    let smaller = TreeHead { size: TreeSize::new(7), ..disk.head.state().head };
    disk.head.tamper(|state| state.head = smaller);
    assert!(matches!(refused(&disk), StartRefused::HeadRoot { .. }));
    disk.head.tamper(|state| state.head.time = Millis::new(u64::MAX));
    assert!(matches!(refused(&disk), StartRefused::TimeBack { .. }));
}

#[test]
fn a_torn_slot_needs_a_store_that_is_larger() {
    let disk = log();
    disk.head.tamper(|state| state.torn = Some(SlotFault::Digest));
    let refusal = refused(&disk);
    assert!(matches!(&refusal, StartRefused::TornWithoutTail { .. }), "{refusal}");
    assert_eq!(refusal.runbook(), "head-damaged");
}

#[test]
fn a_tail_above_the_head_is_adopted_and_signed() {
    let disk = log();
    let (stored, first) = (disk.store.head().unwrap(), Disk::fresh().head.state());
    disk.head.tamper(|state| *state = HeadState { torn: Some(SlotFault::Digest), ..first });
    let live = disk.start();
    assert_eq!(live.head().head(), &stored);
    live.stop();
    assert_eq!((disk.head.state().head, disk.head.state().torn), (stored, None));
    assert_eq!(disk.signed.lock().unwrap().last(), Some(&stored));
}

#[test]
fn an_archived_note_must_be_of_this_tree_and_not_above_the_head() {
    let archive = |disk: &Disk, size: u64, note: Vec<u8>| {
        let note = ArchivedNote { size: TreeSize::new(size), time: Millis::new(1), note: Bytes::from(note) };
        disk.store.archive(&note).unwrap();
    };
    let disk = log();
    archive(&disk, 13, b"whatever it says".to_vec());
    assert!(matches!(refused(&disk), StartRefused::NoteAhead { .. }));

    let disk = log();
    archive(&disk, 12, b"no note".to_vec());
    assert!(matches!(refused(&disk), StartRefused::Note { .. }));

    let disk = log();
    archive(&disk, 12, note(12, Digest::sha256(b"another tree")));
    assert!(matches!(refused(&disk), StartRefused::Note { .. }));

    let disk = log();
    let root = disk.store.head().unwrap().root;
    archive(&disk, 12, note(12, root));
    disk.recover().unwrap();
}

/// A note with the log's own signature over a size and root.
fn note(size: u64, root: Digest) -> Vec<u8> {
    use govlog_formats::checkpoint::{Checkpoint, Origin};
    use govlog_formats::note::Note;
    let text = Checkpoint::new(Origin::new(ORIGIN).unwrap(), TreeSize::new(size), root).to_string();
    let line = World::get().note.sign(&text, None).unwrap();
    Note::with_lines(&text, &[line]).unwrap().to_bytes()
}
