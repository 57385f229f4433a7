//! The head file as a file: made once, locked, advanced in turn, torn at every byte.

use std::path::PathBuf;

use tempfile::TempDir;

use super::super::slot::sample;
use super::*;

fn made() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("head");
    let first = sample(1, 1);
    HeadFile::create(&path, first.owner, &first.head).unwrap();
    (dir, path)
}

fn head_at(size: u64) -> TreeHead {
    sample(1, size).head
}

#[test]
fn it_is_made_once_with_both_slots_valid() {
    let (_dir, path) = made();
    let file = HeadFile::open(&path).unwrap();
    let state = file.read().unwrap();
    assert_eq!((state.owner, state.generation, state.head, state.torn), (sample(1, 1).owner, 2, head_at(1), None));
    let again = HeadFile::create(&path, state.owner, &head_at(9));
    assert!(matches!(again, Err(HeadError::Exists(_))));
    assert_eq!(file.read().unwrap().head, head_at(1));
}

#[test]
fn opening_never_makes_one() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(HeadFile::open(&dir.path().join("head")), Err(HeadError::Absent(_))));
    assert!(!dir.path().join("head").exists());
}

#[test]
fn only_one_may_hold_it() {
    let (_dir, path) = made();
    let first = HeadFile::open(&path).unwrap();
    assert!(matches!(HeadFile::open(&path), Err(HeadError::Locked(found)) if found == path));
    drop(first);
    HeadFile::open(&path).unwrap();
}

#[test]
fn it_advances_and_is_found_advanced() {
    let (_dir, path) = made();
    for (from, to) in [(1, 2), (2, 5), (5, 1000), (1000, 1001)] {
        let mut file = HeadFile::open(&path).unwrap();
        file.advance(&head_at(from), &head_at(to)).unwrap();
        let state = file.read().unwrap();
        assert_eq!((state.head, state.torn), (head_at(to), None));
    }
    assert_eq!(HeadFile::open(&path).unwrap().read().unwrap().generation, 6);
}

#[test]
fn a_step_from_another_head_back_or_in_place_is_refused_and_nothing_written() {
    let (_dir, path) = made();
    let mut file = HeadFile::open(&path).unwrap();
    file.advance(&head_at(1), &head_at(7)).unwrap();
    let before = std::fs::read(&path).unwrap();
    let root = TreeHead { root: head_at(8).root, ..head_at(7) };
    assert!(matches!(file.advance(&head_at(1), &head_at(9)), Err(HeadError::Unexpected { .. })));
    assert!(matches!(file.advance(&root, &head_at(9)), Err(HeadError::Unexpected { .. })));
    assert!(matches!(file.advance(&head_at(7), &head_at(7)), Err(HeadError::NotLarger { .. })));
    assert!(matches!(file.advance(&head_at(7), &root), Err(HeadError::NotLarger { .. })));
    assert!(matches!(file.advance(&head_at(7), &head_at(6)), Err(HeadError::NotLarger { .. })));
    let earlier = TreeHead { time: head_at(6).time, ..head_at(9) };
    assert!(matches!(file.advance(&head_at(7), &earlier), Err(HeadError::Earlier { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn another_hand_is_noticed_at_the_next_advance() {
    let (_dir, path) = made();
    let mut file = HeadFile::open(&path).unwrap();
    // Past the lock, as a copy restored over the file would be.
    let mut bytes = std::fs::read(&path).unwrap();
    let other = sample(3, 40).encode();
    bytes[4096..].copy_from_slice(&other);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(file.advance(&head_at(1), &head_at(2)), Err(HeadError::Unexpected { .. })));
}

/// Writes the slots of two generations, the later one cut at `cut`, over what generation `later − 2` left there.
fn torn_at(path: &Path, later: u64, cut: usize) {
    let (older, newer, before) = (sample(later - 1, later - 1), sample(later, later), sample(later - 2, later - 2));
    let mut file = vec![0; 2 * SLOT_BYTES];
    let place = |slot: &Slot| usize::try_from(offset(slot.generation)).unwrap();
    file[place(&older)..][..SLOT_BYTES].copy_from_slice(&older.encode());
    let torn = [&newer.encode()[..cut], &before.encode()[cut..]].concat();
    file[place(&newer)..][..SLOT_BYTES].copy_from_slice(&torn);
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_write_torn_at_any_byte_gives_the_old_or_the_new_head() {
    let (_dir, path) = made();
    for later in [6u64, 7] {
        torn_at(&path, later, 0);
        let (file, hand) = (HeadFile::open(&path).unwrap(), OpenOptions::new().write(true).open(&path).unwrap());
        let (newer, before) = (sample(later, later).encode(), sample(later - 2, later - 2).encode());
        let (mut old, mut new, mut torn) = (0, 0, 0);
        for cut in 0..=SLOT_BYTES {
            hand.write_all_at(&[&newer[..cut], &before[cut..]].concat(), offset(later)).unwrap();
            let state = file.read().unwrap();
            match (state.head, state.torn) {
                (head, None) if head == head_at(later) => new += 1,
                (head, None) if head == head_at(later - 1) => old += 1,
                (head, Some(_)) if head == head_at(later - 1) => torn += 1,
                other => panic!("cut {cut}: {other:?}"),
            }
        }
        assert!(old > 0 && new > 0 && torn > 50, "old {old} new {new} torn {torn}");
    }
}

#[test]
fn after_a_tear_the_next_advance_writes_the_torn_slot_again() {
    let (_dir, path) = made();
    for later in [6u64, 7] {
        torn_at(&path, later, 100);
        let mut file = HeadFile::open(&path).unwrap();
        assert!(file.read().unwrap().torn.is_some());
        file.advance(&head_at(later - 1), &head_at(later)).unwrap();
        let state = file.read().unwrap();
        assert_eq!((state.head, state.generation, state.torn), (head_at(later), later, None));
    }
}

#[test]
fn two_slots_that_cannot_follow_each_other_are_refused() {
    let (_dir, path) = made();
    let foreign = Slot {
        owner: HeadOwner { store: crate::store::StoreId::from_bytes([9; 32]), ..sample(7, 7).owner },
        ..sample(7, 7)
    };
    for (even, odd) in [
        (sample(2, 2), sample(5, 5)),
        (sample(6, 6), foreign),
        (sample(6, 9), sample(7, 7)),
        (sample(8, 3), sample(7, 7)),
    ] {
        write_private(&path, &[even.encode(), odd.encode()].concat());
        assert!(matches!(HeadFile::open(&path), Err(HeadError::Slots { .. })), "{even:?} {odd:?}");
    }
}

#[test]
fn a_file_without_a_valid_slot_or_of_another_length_is_refused() {
    let (_dir, path) = made();
    write_private(&path, &[0; 2 * SLOT_BYTES]);
    assert!(matches!(HeadFile::open(&path), Err(HeadError::NoValidSlot { .. })));
    // Slots in each other's places.
    write_private(&path, &[sample(7, 7).encode(), sample(6, 6).encode()].concat());
    assert!(matches!(HeadFile::open(&path), Err(HeadError::NoValidSlot { .. })));
    for length in [0, 1, 4096, 8191, 8193] {
        let both = [sample(6, 6).encode(), sample(7, 7).encode(), vec![0]].concat();
        write_private(&path, &both[..length]);
        assert!(matches!(HeadFile::open(&path), Err(HeadError::Length { found, .. }) if found == length as u64));
    }
}

/// Writes a file as the log makes it: its owner's alone.
fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Whoever can write it can roll the log back.
#[test]
fn a_head_file_that_others_can_read_or_write_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_dir, path) = made();
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = HeadFile::open(&path).unwrap_err();
        assert!(
            matches!(&error, HeadError::File { source, .. } if source.to_string().contains("chmod 600")),
            "{error}"
        );
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    HeadFile::open(&path).unwrap();
}
