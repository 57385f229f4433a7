//! The folder: who can read it, and what is left of a crash.

use std::os::unix::fs::MetadataExt as _;

use super::*;

#[test]
fn a_folder_in_clear_keeps_its_promise() {
    let stores = Stores::new();
    conformance::check(&stores.open(CLEAR));
}

#[test]
fn an_encrypted_folder_keeps_its_promise() {
    let stores = Stores::new();
    conformance::check(&stores.open(stores.age()));
}

#[test]
fn a_folder_that_was_in_clear_before_keeps_its_promise() {
    let stores = Stores::new();
    let leaf = Digest::sha256(b"0");
    let clear = stores.open(CLEAR);
    clear.put(&[(leaf, b"before")]).unwrap();
    let store = stores.open(stores.age());
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"before");
    conformance::check(&store);
    store.replace(&leaf, b"after").unwrap();
    assert!(!clear.file(&leaf).exists(), "what was in clear is gone");
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"after");
}

#[test]
fn openings_are_files_that_only_their_owner_can_read() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&store.file(&leaf)), 0o600);
    assert_eq!(mode(store.file(&leaf).parent().unwrap()), 0o700);
    assert_eq!(mode(&stores.path().join("store.toml")), 0o600);
    assert_eq!(Folder::existing(&stores.path(), Identities::default()).unwrap().settings(), &stores.age());
}

#[test]
fn what_others_can_read_is_refused() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    std::fs::set_permissions(store.file(&leaf), Permissions::from_mode(0o640)).unwrap();
    assert!(store.get(&leaf).unwrap_err().to_string().contains("chmod 600"));
    std::fs::set_permissions(stores.path(), Permissions::from_mode(0o755)).unwrap();
    assert!(Folder::open(&stores.path(), CLEAR).unwrap_err().to_string().contains("chmod 700"));
    let key = stores.dir.path().join("openings.key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    assert!(Identities::load(&key).unwrap_err().to_string().contains("chmod 600"));
}

#[test]
fn a_folder_without_settings_is_no_store() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
    let error = Folder::existing(dir.path(), Identities::default()).unwrap_err().to_string();
    assert!(error.contains("store.toml") && error.contains("no opening store"), "{error}");
    for damaged in ["", "version = 2\nplaintext = true", "version = 1", "version = 1\nplaintext = true\nother = 1"] {
        std::fs::write(dir.path().join("store.toml"), damaged).unwrap();
        assert!(matches!(Folder::existing(dir.path(), Identities::default()), Err(StoreError::Settings { .. })));
    }
}

#[test]
fn who_writes_cannot_read_and_another_identity_cannot_either() {
    let stores = Stores::new();
    let writer = Folder::open(&stores.path(), stores.age()).unwrap();
    let leaf = Digest::sha256(b"1");
    writer.put(&[(leaf, b"a secret, which stands in no file")]).unwrap();
    assert!(matches!(writer.get(&leaf), Err(StoreError::NoIdentity { .. })));
    let bytes = std::fs::read(writer.file(&leaf)).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"), "any age tool reads it");
    assert!(!bytes.windows(8).any(|window| window == b"a secret"));
    let (other, _) = identity(stores.dir.path(), "other.key");
    let error = Folder::existing(&stores.path(), other).unwrap().get(&leaf).unwrap_err().to_string();
    assert!(error.contains("none of these identities"), "{error}");
}

#[test]
fn a_file_that_was_changed_or_cut_is_not_read() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let (path, whole) = (store.file(&leaf), std::fs::read(store.file(&leaf)).unwrap());
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).unwrap();
        assert!(matches!(store.get(&leaf), Err(StoreError::Sealed { .. })), "{length} bytes of it");
    }
    for at in 0..whole.len() {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        assert!(matches!(store.get(&leaf), Err(StoreError::Sealed { .. })), "byte {at} changed");
    }
    // A crash may leave any of these: the caller puts it again.
    store.put(&[(leaf, b"first")]).unwrap();
    assert_eq!(store.get(&leaf).unwrap().unwrap(), b"first");
}

#[test]
fn what_a_crash_left_of_a_replacement_is_destroyed_too() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let left = crate::durable::beside(&store.file(&leaf));
    std::fs::copy(store.file(&leaf), &left).unwrap();
    assert_eq!(store.remove(&[leaf]).unwrap(), 1);
    assert!(!left.exists());
}

#[test]
fn retention_counts_from_when_an_opening_was_stored_first() {
    let stores = Stores::new();
    let store = stores.open(stores.age());
    let leaf = Digest::sha256(b"1");
    store.put(&[(leaf, b"first")]).unwrap();
    let then = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
    std::fs::OpenOptions::new().write(true).open(store.file(&leaf)).unwrap().set_modified(then).unwrap();
    assert_eq!(store.stored().unwrap(), [(leaf, then)]);
    store.replace(&leaf, b"less").unwrap();
    assert_eq!(store.stored().unwrap(), [(leaf, then)]);
}

#[test]
fn what_is_put_again_is_kept_as_the_store_is_kept_now() {
    let stores = Stores::new();
    let leaf = Digest::sha256(b"1");
    let clear = stores.open(CLEAR);
    clear.put(&[(leaf, b"first")]).unwrap();
    let store = stores.open(stores.age());
    store.put(&[(leaf, b"first")]).unwrap();
    assert!(store.file(&leaf).exists() && !clear.file(&leaf).exists());
}

#[test]
fn a_folder_is_not_written_by_anybody_but_its_owner() {
    let stores = Stores::new();
    drop(stores.open(CLEAR));
    let owner = std::fs::metadata(stores.path()).unwrap().uid();
    super::super::folder::check_owner(&stores.path(), owner).unwrap();
    let error = super::super::folder::check_owner(&stores.path(), owner + 1).unwrap_err().to_string();
    assert!(error.contains(&format!("sudo -u '#{owner}'")), "{error}");
}
