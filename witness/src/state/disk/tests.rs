use std::{
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use tempfile::TempDir;

use super::*;
use crate::state::contract;

fn hash(n: u8) -> OriginHash {
    format!("{n:02x}").repeat(32).parse().unwrap()
}

fn with_note(note: &[u8]) -> (TempDir, DiskStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(store.swap(&hash(1), None, note).unwrap(), Swap::Done);
    (folder, store)
}

#[test]
fn keeps_the_contract() {
    let folders = Mutex::new(Vec::new());
    contract::check(|| {
        let folder = tempfile::tempdir().unwrap();
        let store = DiskStore::open(folder.path()).unwrap();
        folders.lock().unwrap().push(folder);
        Arc::new(store)
    });
}

#[test]
fn what_was_swapped_in_is_there_after_opening_again() {
    let (folder, store) = with_note(b"one");
    assert_eq!(store.swap(&hash(1), Some(b"one"), b"two").unwrap(), Swap::Done);
    drop(store);
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"two"[..]));
    assert_eq!(store.origins(), [hash(1)]);
}

/// A crash before the rename leaves the old content and a temporary file, at any length.
#[test]
fn a_crash_before_the_rename_leaves_the_old_note() {
    for length in 0..=encode(b"two").len() {
        let (folder, store) = with_note(b"one");
        drop(store);
        let temporary = folder.path().join(format!("{}.tmp", hash(1)));
        fs::write(&temporary, &encode(b"two")[..length]).unwrap();
        let store = DiskStore::open(folder.path()).unwrap();
        assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"one"[..]));
        assert!(!temporary.exists());
    }
}

/// A crash before the very first rename leaves only a temporary file, which is no note.
#[test]
fn a_crash_before_the_first_rename_leaves_no_note() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(format!("{}.tmp", hash(1))), encode(b"one")).unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(store.load(&hash(1)).unwrap(), None);
    assert_eq!(store.swap(&hash(1), None, b"one").unwrap(), Swap::Done);
}

/// A crash after the rename and before the folder is synced leaves the new note: it was not answered for, but it is whole.
#[test]
fn a_crash_after_the_rename_leaves_the_new_note() {
    let (folder, store) = with_note(b"one");
    drop(store);
    let temporary = folder.path().join(format!("{}.tmp", hash(1)));
    fs::write(&temporary, encode(b"two")).unwrap();
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&temporary, folder.path().join(hash(1).to_string())).unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"two"[..]));
}

#[test]
fn every_flipped_bit_and_every_cut_keeps_the_store_from_opening() {
    let (folder, store) = with_note(b"a note\n");
    drop(store);
    let path = folder.path().join(hash(1).to_string());
    let good = fs::read(&path).unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(matches!(&error, StateError::Corrupt { path: named, .. } if *named == path), "{error}");
        assert!(error.to_string().contains(&path.display().to_string()));
    };
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        refused(&bad);
    }
    for length in 0..good.len() {
        refused(&good[..length]);
    }
    refused(&[&good[..], b"\n"].concat());
    fs::write(&path, &good).unwrap();
    DiskStore::open(folder.path()).unwrap();
}

#[test]
fn a_stranger_in_the_folder_keeps_the_store_from_opening() {
    for name in ["README", "0123", &hash(0xab).to_string().to_uppercase()] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), b"").unwrap();
        assert!(matches!(DiskStore::open(folder.path()), Err(StateError::Stranger { .. })), "{name}");
    }
}

#[test]
fn a_file_changed_beneath_us_puts_the_origin_out_of_use() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 3] = [
        ("rolled back", |path| fs::write(path, encode(b"one")).unwrap()),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("damaged", |path| fs::write(path, b"nonsense").unwrap()),
    ];
    for (what, damage) in damages {
        let (folder, store) = with_note(b"one");
        assert_eq!(store.swap(&hash(1), Some(b"one"), b"two").unwrap(), Swap::Done);
        assert_eq!(store.swap(&hash(2), None, b"other").unwrap(), Swap::Done);
        let path = folder.path().join(hash(1).to_string());
        let good = fs::read(&path).unwrap();
        damage(&path);
        assert!(matches!(store.load(&hash(1)), Err(StateError::Changed { .. } | StateError::Corrupt { .. })), "{what}");
        assert!(store.swap(&hash(1), Some(b"one"), b"three").is_err(), "{what}");
        assert!(store.swap(&hash(1), None, b"three").is_err(), "{what}");
        // Putting it back does not help: who knows what else was changed.
        fs::write(&path, good).unwrap();
        assert!(matches!(store.load(&hash(1)), Err(StateError::Poisoned { .. })), "{what}");
        assert_eq!(store.troubles().len(), 1);
        assert_eq!(store.load(&hash(2)).unwrap().as_deref(), Some(&b"other"[..]), "{what}: other logs go on");
    }
}

#[test]
fn a_file_that_appears_beneath_us_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let store = DiskStore::open(folder.path()).unwrap();
    let planted = folder.path().join(hash(1).to_string());
    fs::write(&planted, encode(b"planted")).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(store.load(&hash(1)), Err(StateError::Changed { .. })));
    assert!(store.swap(&hash(1), Some(b"planted"), b"two").is_err());
}

#[test]
fn a_failed_write_leaves_the_old_note_and_the_next_one_succeeds() {
    let (folder, store) = with_note(b"one");
    // A folder in the temporary file's place makes opening it fail, for root too.
    let temporary = folder.path().join(format!("{}.tmp", hash(1)));
    fs::create_dir(&temporary).unwrap();
    assert!(matches!(store.swap(&hash(1), Some(b"one"), b"two"), Err(StateError::NotWritten { .. })));
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"one"[..]));
    fs::remove_dir(&temporary).unwrap();
    assert_eq!(store.swap(&hash(1), Some(b"one"), b"two").unwrap(), Swap::Done);
}

/// After a rename or a sync of the folder failed, a restart might find either note: nothing is cosigned on top of a guess.
#[test]
fn a_write_of_unknown_effect_puts_the_origin_out_of_use_until_a_restart() {
    let (folder, mut store) = with_note(b"one");
    store.replace = |path, content| {
        replace_state(path, content)?;
        Err(ReplaceError::Unknown(io::Error::other("the folder could not be synced")))
    };
    assert!(matches!(store.swap(&hash(1), Some(b"one"), b"two"), Err(StateError::Unknown { .. })));
    store.replace = replace_state;
    assert!(matches!(store.load(&hash(1)), Err(StateError::Poisoned { .. })));
    for expected in [None, Some(&b"one"[..]), Some(b"two")] {
        assert!(matches!(store.swap(&hash(1), expected, b"three"), Err(StateError::Poisoned { .. })));
    }
    assert_eq!(store.origins(), [hash(1)]);
    drop(store);
    let store = DiskStore::open(folder.path()).unwrap();
    assert_eq!(store.load(&hash(1)).unwrap().as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_failed_rename_is_of_unknown_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::create_dir_all(path.join("not empty")).unwrap();
    assert!(matches!(replace_state(&path, b"x"), Err(ReplaceError::Unknown(_))));
}

#[test]
fn state_is_its_owners_alone_and_refused_when_it_is_not() {
    let (folder, store) = with_note(b"one");
    let path = folder.path().join(hash(1).to_string());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    for mode in [0o640, 0o604, 0o620, 0o644] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = DiskStore::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    DiskStore::open(folder.path()).unwrap();
}
