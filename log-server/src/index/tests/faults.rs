//! What is wrong with an index is found.

use std::fs;

use govlog_formats::search::{Column, Term};
use serde_json::json;

use super::*;
use crate::index::rebuild;
use crate::index::rows::{Segment, Span};
use crate::index::segments::{MARKER, clear};
use crate::store::{Identity, StoreId};

fn gaps(range: std::ops::Range<u64>, text: &str) -> Vec<SignedStatement> {
    range.map(|number| record("gap", number % 4, &json!({"v": 1, "event_ms": 5, "cause": text, "x": number}))).collect()
}

fn issuer(number: u64) -> Filter {
    Filter::default().with(Term::new(Column::ISSUER, &format!("spiffe://prod.example/pep/{number}")).unwrap())
}

/// An index of 90 entries in segments of 20.
fn built(log: &Log) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let shared = log.open(directory.path(), 20).unwrap();
    log.catch_up(&shared).unwrap();
    shared.close();
    directory
}

#[test]
fn an_index_of_another_store_or_another_log_is_refused() {
    let log = Log::of(&gaps(0..90, "crash"));
    let directory = built(&log);
    let shorter = Log::of(&gaps(0..79, "crash"));
    assert!(matches!(shorter.open(directory.path(), 20), Err(Fault::Newer { end: 80, size: 79 })));
    let other = Log::of(&gaps(0..90, "other"));
    assert!(matches!(other.open(directory.path(), 20), Err(Fault::OtherEntry(79))));
    let identity = Identity { store: StoreId::from_bytes([9; 32]), ..identity() };
    let foreign = Log { store: Arc::new(MemoryStore::new(&identity)), ..Log::new() };
    assert!(matches!(foreign.open(directory.path(), 20), Err(Fault::OtherStore { .. })));
    log.open(directory.path(), 20).unwrap().close();
}

/// The last entry is the same, and one before it is not: the first search that meets it says so, and is not answered.
#[test]
fn an_entry_that_has_not_what_it_is_listed_under_gives_the_index_away() {
    let (mut one, mut other) = (gaps(0..40, "crash"), gaps(0..40, "crash"));
    one.swap(3, 6);
    let directory = built(&Log::of(&one));
    other.truncate(40);
    let log = Log::of(&other);
    let shared = log.open(directory.path(), 20).unwrap();
    assert!(matches!(page(&shared, &issuer(2), 0, 40, 100), Err(SearchError::NotReady)));
    assert!(matches!(shared.reported(), Some(Fault::WrongHit(3))));
    shared.close();
}

/// Each bit may flip: what is opened then, or is answered, is right, or is known to be wrong.
#[test]
fn a_flipped_bit_is_never_believed() {
    let log = Log::of(&gaps(0..90, "crash"));
    let directory = built(&log);
    let files: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.is_file())
        .collect();
    let (mut answered, mut found) = (0, 0);
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 12 + 1) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&file, &flipped).unwrap();
            let copy = tempfile::tempdir().unwrap();
            for file in fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap()) {
                fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
            }
            match log.open(copy.path(), 20).and_then(|shared| log.catch_up(&shared).map(|()| shared)) {
                Err(_) => found += 1,
                Ok(shared) => {
                    for number in 0..4 {
                        match search(&shared, &issuer(number), 90, 7) {
                            Ok(all) => {
                                assert_eq!(all, log.brute(&issuer(number), 90), "{} at {at}", file.display());
                                answered += 1;
                            }
                            Err(_) => found += 1,
                        }
                    }
                    shared.close();
                }
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    assert!(answered > 0 && found > 0, "{answered} answered, {found} found");
}

#[test]
fn a_missing_file_is_found_and_a_draft_is_nobodys() {
    let log = Log::of(&gaps(0..90, "crash"));
    let directory = built(&log);
    fs::write(directory.path().join("draft.segment"), b"cut short").unwrap();
    let shared = log.open(directory.path(), 20).unwrap();
    log.catch_up(&shared).unwrap();
    assert_eq!(search(&shared, &issuer(1), 90, 9).unwrap(), log.brute(&issuer(1), 90));
    shared.close();
    let sorted = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().path());
    let sorted = sorted.filter(|path| path.extension().is_some_and(|extension| extension == "sst"));
    fs::remove_file(sorted.min().unwrap()).unwrap();
    assert!(log.open(directory.path(), 20).is_err());
}

/// A name in the configuration that is another directory's costs nobody their files.
#[test]
fn a_directory_that_is_no_index_is_left_alone() {
    let log = Log::of(&gaps(0..5, "crash"));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.txt"), b"years of work").unwrap();
    assert!(matches!(log.open(directory.path(), 20), Err(Fault::NotOurs { .. })));
    assert!(matches!(clear(directory.path()), Err(Fault::NotOurs { .. })));
    assert!(matches!(
        rebuild(directory.path(), Arc::clone(&log.store) as Arc<dyn LogStore>, |_, _| ()),
        Err(Fault::NotOurs { .. })
    ));
    assert_eq!(fs::read(directory.path().join("thesis.txt")).unwrap(), b"years of work");
}

#[test]
fn clearing_leaves_the_marker_and_nothing_else() {
    let directory = built(&Log::of(&gaps(0..90, "crash")));
    clear(directory.path()).unwrap();
    let left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, [MARKER]);
    clear(&directory.path().join("absent")).unwrap();
}

#[test]
fn what_is_rebuilt_covers_all_and_is_opened_as_it_stands() {
    let log = Log::of(&gaps(0..300, "crash"));
    let directory = built(&log);
    let mut told = Vec::new();
    let store = Arc::clone(&log.store) as Arc<dyn LogStore>;
    let built = rebuild(directory.path(), store, |done, of| told.push((done, of))).unwrap();
    assert_eq!((built.entries, told), (300, vec![(256, 300), (300, 300)]));
    let shared = log.open(directory.path(), 20).unwrap();
    assert_eq!(shared.read().tail.base(), 300);
    assert_eq!(search(&shared, &issuer(3), 300, 100).unwrap(), log.brute(&issuer(3), 300));
    shared.close();
}

#[test]
fn a_segments_row_reads_back_and_no_other_does() {
    let store = identity().store;
    let leaf = govlog_formats::digest::Digest::sha256(b"x");
    let segment = Segment { base: 40, end: 60, times: Span { earliest_ms: 1, latest_ms: u64::MAX }, last_leaf: leaf };
    let (key, row) = (crate::index::rows::segment_key(b's', 40), segment.encode(&store));
    assert_eq!((row.len(), Segment::decode(&key, &row, &store).unwrap()), (120, segment));
    assert!(matches!(Segment::decode(&key, &[&[!row[0]][..], &row[1..]].concat(), &store), Err(Fault::OtherRules)));
    for length in 0..120 {
        assert!(Segment::decode(&key, &row[..length], &store).is_err(), "{length}");
    }
    for end in [40u64, 39, 40 + 65_537] {
        let row = Segment { end, ..segment }.encode(&store);
        assert!(matches!(Segment::decode(&key, &row, &store), Err(Fault::Row { .. })), "{end}");
    }
}
