//! What is RocksDB's own: making, opening, settings, closing, and what a damaged file does.

use tempfile::TempDir;

use super::*;
use crate::clock::Millis;
use crate::store::contract::{Subject, contract};
use crate::tree::RightEdge;
use crate::tree::testing::{check_log, fill, identity, rows};

struct OnDisk {
    store: Option<RocksStore>,
    dir: TempDir,
}

impl Subject for OnDisk {
    fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        RocksStore::create(&dir.path().join("store"), &identity()).unwrap();
        let store = RocksStore::open(&dir.path().join("store")).unwrap();
        Self { store: Some(store), dir }
    }

    fn reopened(mut self) -> Self {
        drop(self.store.take());
        self.store = Some(RocksStore::open(&self.dir.path().join("store")).unwrap());
        self
    }

    fn store(&self) -> &dyn LogStore {
        self.store.as_ref().unwrap()
    }
}

contract!(OnDisk);

#[test]
fn opening_never_makes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().to_owned(), dir.path().join("none")] {
        assert!(matches!(RocksStore::open(&path), Err(StoreError::Absent(found)) if found == path));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn making_never_touches_what_is_there() {
    let subject = OnDisk::fresh().reopened();
    let path = subject.dir.path().join("store");
    assert!(matches!(RocksStore::create(&path, &identity()), Err(StoreError::Exists(_))));
    std::fs::create_dir(subject.dir.path().join("other")).unwrap();
    std::fs::write(subject.dir.path().join("other/file"), "kept").unwrap();
    assert!(matches!(RocksStore::create(&subject.dir.path().join("other"), &identity()), Err(StoreError::Exists(_))));
    assert!(!subject.dir.path().join("other/CURRENT").exists());
}

#[test]
fn a_second_opening_is_refused() {
    let subject = OnDisk::fresh();
    let second = RocksStore::open(&subject.dir.path().join("store"));
    assert!(matches!(second, Err(StoreError::Engine { during: "opening", .. })));
}

#[test]
fn the_settings_are_in_force_in_the_file_that_the_engine_wrote() {
    let mut subject = OnDisk::fresh();
    let path = subject.dir.path().join("store");
    options::assert_settings(&path, &Bounds::default()).unwrap();
    let other = Bounds { wal: 64 << 20, ..Bounds::default() };
    let error = options::assert_settings(&path, &other).unwrap_err().to_string();
    assert!(error.contains("max_total_wal_size") && error.contains("268435456"), "{error}");
    // An opening with other bounds is in force, and checked, as well.
    drop(subject.store.take());
    subject.store = Some(RocksStore::open_with(&path, &other).unwrap());
    options::assert_settings(&path, &other).unwrap();
}

#[test]
fn a_damaged_row_of_the_table_of_conflicts_hides_no_other_and_keeps_its_number() {
    let subject = OnDisk::fresh();
    let store = subject.store.as_ref().unwrap();
    let row = |number| ConflictRow { number, entry: LeafIndex::new(1), statement: Bytes::from_static(b"a statement") };
    store.keep_conflicts(&[row(0), row(1), row(2)], &[]).unwrap();
    let damage = |key: &[u8], value: &[u8]| {
        let mut rows = WriteBatch::default();
        rows.put_cf(store.family(META).unwrap(), key, value);
        store.write(rows, "damaging a row").unwrap();
    };
    damage(&keys::conflict_key(1), b"short");
    damage(&keys::conflict_key(7), b"");
    damage(b"conflict/nine", b"more than eight bytes");
    let subject = subject.reopened();
    assert_eq!(subject.store().conflicts(0, 9).unwrap(), [row(0), row(2)]);
    let table = subject.store().conflict_table().unwrap();
    assert_eq!(table.next, 8);
    let told: Vec<String> = table.malformed.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|told| told.contains("meta row 636f6e666c6963742f")), "{told:?}");
}

#[test]
fn closing_waits_for_the_last_handle() {
    let mut subject = OnDisk::fresh();
    let store = Arc::new(subject.store.take().unwrap());
    let reader = Arc::clone(&store);
    assert!(matches!(store.close(), Err(StoreError::InUse(1))));
    reader.close().unwrap();
    RocksStore::open(&subject.dir.path().join("store")).unwrap();
}

#[test]
fn statistics_cover_every_family() {
    let subject = OnDisk::fresh();
    fill(subject.store(), &mut RightEdge::new(), 600, 600);
    let statistics = subject.store.as_ref().unwrap().statistics().unwrap();
    let rows: Vec<(&str, u64)> = statistics.iter().map(|family| (family.family, family.rows)).collect();
    assert_eq!(rows, [("entries", 600), ("tiles", 2), ("streams", 600), ("checkpoints", 0), ("meta", 3)]);
    assert!(statistics.iter().all(|family| family.background_errors == 0 && family.memtable_bytes > 0));
}

/// Flips each of some bits of a file in turn, and tells what opening and reading everything gives.
fn damage(path: &Path, count: usize, mut outcome: impl FnMut(usize)) {
    let bytes = std::fs::read(path).unwrap();
    let step = (bytes.len() * 8 / count).max(1) | 1;
    for bit in (0..bytes.len() * 8).step_by(step) {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(path, flipped).unwrap();
        outcome(bit);
    }
    std::fs::write(path, bytes).unwrap();
}

/// Finds the one file of a store with a given ending that is not empty.
fn file_of(store: &Path, ending: &str) -> PathBuf {
    let files = std::fs::read_dir(store).unwrap().map(|file| file.unwrap());
    let fits = |file: &std::fs::DirEntry| {
        file.file_name().to_str().unwrap().ends_with(ending) && file.metadata().unwrap().len() > 0
    };
    files.filter(fits).map(|file| file.path()).max().unwrap()
}

/// Copies a store's files, so that opening the copy leaves the original alone.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(|file| file.unwrap()) {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// A store of a few batches whose rows are all in the write-ahead log, with its heads in order.
fn in_the_log() -> (TempDir, Vec<TreeHead>) {
    let mut subject = OnDisk::fresh();
    let (mut edge, mut heads) = (RightEdge::new(), vec![TreeHead::EMPTY]);
    for end in (20..=200).step_by(20) {
        fill(subject.store(), &mut edge, end, 20);
        heads.push(subject.store().head().unwrap());
    }
    drop(subject.store.take());
    (subject.dir, heads)
}

#[test]
fn a_bit_that_flips_in_the_middle_of_the_log_never_loses_rows_in_silence() {
    let (dir, heads) = in_the_log();
    let path = dir.path().join("store");
    let log = file_of(&path, ".log");
    let (mut refused, mut shorter) = (0, 0);
    damage(&log, 60, |bit| {
        let trial = dir.path().join(format!("trial-{bit}"));
        copy(&path, &trial);
        match RocksStore::open(&trial) {
            Err(_) => refused += 1,
            // A length that reads as a record torn at the end of the file is all that may be taken for a tear; what is left
            // is a whole number of batches, and the head file shows that some are missing.
            Ok(store) => {
                let head = store.head().unwrap();
                assert!(heads.contains(&head), "bit {bit}: {head}");
                check_log(&store, &head);
                shorter += 1;
            }
        }
        std::fs::remove_dir_all(&trial).unwrap();
    });
    assert!(refused > shorter * 3, "{refused} refused, {shorter} shorter");
}

#[test]
fn a_log_cut_anywhere_opens_with_whole_batches() {
    let (dir, heads) = in_the_log();
    let path = dir.path().join("store");
    let bytes = std::fs::read(file_of(&path, ".log")).unwrap();
    let mut seen = Vec::new();
    for cut in (0..=bytes.len()).step_by(bytes.len() / 40) {
        let trial = dir.path().join(format!("trial-{cut}"));
        copy(&path, &trial);
        std::fs::write(file_of(&trial, ".log"), &bytes[..cut]).unwrap();
        // The rows that `create` wrote are in an earlier file.
        let store = RocksStore::open(&trial).unwrap();
        let head = store.head().unwrap();
        check_log(&store, &head);
        seen.push(heads.iter().position(|known| *known == head).expect("the head of a batch"));
        drop(store);
        std::fs::remove_dir_all(&trial).unwrap();
    }
    assert!(seen.is_sorted() && seen.first() == Some(&0) && seen.last() > Some(&8), "{seen:?}");
}

#[test]
fn a_bit_that_flips_in_a_table_file_is_never_served() {
    let mut subject = OnDisk::fresh();
    let mut edge = RightEdge::new();
    fill(subject.store(), &mut edge, 300, 300);
    let head = *Batch::build(&mut RightEdge::new(), rows(0, 300), Millis::new(300)).unwrap().head();
    let store = subject.store.take().unwrap();
    store.db.flush_cf(store.family(ENTRIES).unwrap()).unwrap();
    drop(store);
    let path = subject.dir.path().join("store");
    let table = file_of(&path, ".sst");
    let mut found = 0;
    damage(&table, 40, |bit| {
        let trial = subject.dir.path().join(format!("trial-{bit}"));
        copy(&path, &trial);
        let read = RocksStore::open(&trial).and_then(|store| {
            let mut all = Vec::new();
            store.read_entries(LeafIndex::new(0), head.size, &mut |_, entry| all.push(entry.to_vec()))?;
            Ok(all)
        });
        match read {
            Err(_) => found += 1,
            Ok(all) => assert!(all.iter().zip(rows(0, 300)).all(|(entry, row)| entry == row.entry()), "bit {bit}"),
        }
        std::fs::remove_dir_all(&trial).unwrap();
    });
    assert!(found > 10, "{found} found");
}

/// With some of these bits flipped the engine alone never came back from opening.
#[test]
fn a_damaged_list_of_files_is_refused_and_its_torn_end_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    RocksStore::create(&path, &identity()).unwrap();
    drop(RocksStore::open(&path).unwrap());
    let current = std::fs::read_to_string(path.join("CURRENT")).unwrap();
    let manifest = path.join(current.trim_end());
    let bytes = std::fs::read(&manifest).unwrap();
    for at in [6, 7, bytes.len() / 2, bytes.len() - 1] {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        std::fs::write(&manifest, &flipped).unwrap();
        let refused = RocksStore::open(&path).err().unwrap();
        assert!(
            matches!(&refused, StoreError::Engine { during, .. } if during.contains("list of files")),
            "{at}: {refused}"
        );
    }
    std::fs::write(&manifest, [&bytes[..], &[1, 2, 3]].concat()).unwrap();
    RocksStore::open(&path).unwrap();
}
