//! The suite that every [`LogStore`] runs: what its doc comments promise, each sentence a test.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::tile::TileId;

use super::{ArchivedNote, ConflictRow, LogStore, StoreError, StreamId, StreamKey, StreamRow};
use crate::clock::Millis;
use crate::sequencer::Batch;
use crate::tree::testing::{check_log, entry, fill, identity, rows, size, stream};
use crate::tree::{RightEdge, TreeHead};

/// A store under test.
pub(crate) trait Subject: Sized {
    /// Makes an empty store with the identity of the tests.
    fn fresh() -> Self;
    /// Closes the store and opens it again; a store without a place of its own stays as it is.
    fn reopened(self) -> Self;
    fn store(&self) -> &dyn LogStore;
}

/// Makes the suite's tests for one implementation.
macro_rules! contract {
    ($subject:ty) => {
        contract!($subject:
            a_new_store_is_empty_and_knows_who_it_is
            what_was_committed_is_all_there
            what_was_committed_is_there_after_opening_again
            a_batch_that_does_not_follow_is_refused_and_nothing_written
            rows_are_read_in_order_and_a_gap_is_named
            tiles_come_in_the_order_asked_for
            positions_are_found_in_their_stream_and_no_other
            a_streams_tail_respects_the_size
            notes_are_written_once
            notes_are_listed_in_order_and_within_bounds
            conflicts_come_and_go_and_are_listed_in_order
            readers_see_a_batch_whole_or_not_at_all
        );
    };
    ($subject:ty: $($name:ident)*) => {
        $(#[test] fn $name() { crate::store::contract::$name::<$subject>(); })*
    };
}
pub(crate) use contract;

pub(crate) fn a_new_store_is_empty_and_knows_who_it_is<S: Subject>() {
    let subject = S::fresh();
    for subject in [subject.reopened(), S::fresh()] {
        let store = subject.store();
        assert_eq!(store.identity().unwrap(), identity());
        assert_eq!(store.head().unwrap(), TreeHead::EMPTY);
        assert_eq!(store.last_entry().unwrap(), None);
        assert_eq!(store.entry(LeafIndex::new(0)).unwrap(), None);
        assert_eq!(store.tiles(&[TileId { level: 0, n: 0 }]).unwrap(), [None]);
        assert_eq!(store.find(&StreamKey::Alone(Digest::ZERO)).unwrap(), None);
        assert_eq!(store.stream_tail(&stream(), TreeSize::MAX).unwrap(), None);
        assert_eq!(store.newest_archived().unwrap(), None);
        assert_eq!(store.archived(size(0), TreeSize::MAX, 9).unwrap(), []);
        assert!(!store.is_strained().unwrap());
    }
}

/// Sizes around the boundaries of tiles of level 0.
const SIZES: [u64; 7] = [1, 255, 256, 257, 511, 513, 1200];

pub(crate) fn what_was_committed_is_all_there<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    for end in SIZES {
        fill(subject.store(), &mut edge, end, 1000);
        check_all(subject.store(), end);
    }
}

pub(crate) fn what_was_committed_is_there_after_opening_again<S: Subject>() {
    let (mut subject, mut edge) = (S::fresh(), RightEdge::new());
    for end in SIZES {
        fill(subject.store(), &mut edge, end, 1000);
        subject = subject.reopened();
        check_all(subject.store(), end);
        assert_eq!(subject.store().identity().unwrap(), identity());
    }
}

fn check_all(store: &dyn LogStore, end: u64) {
    let head = store.head().unwrap();
    assert_eq!((head.size, head.time), (size(end), Millis::new(end)));
    let entries = check_log(store, &head);
    for (row, index) in rows(0, end).iter().zip(0u64..) {
        assert_eq!(&entries[usize::try_from(index).unwrap()], row.entry());
        assert_eq!(store.entry(LeafIndex::new(index)).unwrap().unwrap(), entry(index));
        assert_eq!(store.find(row.key()).unwrap(), Some(LeafIndex::new(index)));
    }
    assert_eq!(store.last_entry().unwrap(), Some(LeafIndex::new(end - 1)));
    assert_eq!(store.entry(LeafIndex::new(end)).unwrap(), None);
}

pub(crate) fn a_batch_that_does_not_follow_is_refused_and_nothing_written<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    let store = subject.store();
    fill(store, &mut edge, 10, 10);
    let next = Batch::build(&mut edge.clone(), rows(10, 12), Millis::new(20)).unwrap();
    let mut ahead = edge.clone();
    Batch::build(&mut ahead, rows(10, 11), Millis::new(20)).unwrap();
    let gap = Batch::build(&mut ahead, rows(11, 12), Millis::new(20)).unwrap();
    let again = Batch::build(&mut RightEdge::new(), rows(0, 10), Millis::new(20)).unwrap();
    for wrong in [&gap, &again] {
        match store.commit(wrong) {
            Err(StoreError::NotNext { stored, offered }) => {
                assert_eq!((stored, offered), (size(10), wrong.first()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.head().unwrap().size, size(10));
        assert_eq!(store.last_entry().unwrap(), Some(LeafIndex::new(9)));
        assert_eq!(store.entry(LeafIndex::new(11)).unwrap(), None);
    }
    store.commit(&next).unwrap();
    assert!(matches!(store.commit(&next), Err(StoreError::NotNext { .. })), "not twice");
}

pub(crate) fn rows_are_read_in_order_and_a_gap_is_named<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    fill(subject.store(), &mut edge, 300, 300);
    let read = |first, end| {
        let mut found = Vec::new();
        let result = subject.store().read_entries(LeafIndex::new(first), size(end), &mut |index, bytes| {
            assert_eq!(bytes, entry(index.get()));
            found.push(index.get());
        });
        (result, found)
    };
    for (first, end) in [(0, 300), (0, 0), (7, 8), (250, 260), (299, 300), (300, 300)] {
        let (result, found) = read(first, end);
        result.unwrap();
        assert_eq!(found, (first..end).collect::<Vec<_>>());
    }
    let (result, found) = read(290, 310);
    assert!(matches!(result, Err(StoreError::Missing { family: "entries", key }) if key == "300"));
    assert_eq!(found.len(), 10);
}

pub(crate) fn tiles_come_in_the_order_asked_for<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    fill(subject.store(), &mut edge, 800, 1000);
    let id = |n| TileId { level: 0, n };
    let one = |n| subject.store().tiles(&[id(n)]).unwrap().pop().unwrap();
    assert_eq!(subject.store().tiles(&[]).unwrap(), []);
    let asked = [id(2), id(0), id(3), id(1), id(0), TileId { level: 1, n: 0 }];
    let found = subject.store().tiles(&asked).unwrap();
    assert_eq!(found, [one(2), one(0), None, one(1), one(0), None]);
    assert!(one(0).is_some() && one(0) != one(1));
}

pub(crate) fn positions_are_found_in_their_stream_and_no_other<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    fill(subject.store(), &mut edge, 31, 31);
    let store = subject.store();
    let other = StreamId::new("https://issuer.example", "rowt");
    for seq in 0..=10 {
        let key = |stream| StreamKey::Position { stream, seq };
        assert_eq!(store.find(&key(stream())).unwrap(), Some(LeafIndex::new(seq * 3)));
        assert_eq!(store.find(&key(other)).unwrap(), None);
    }
    assert_eq!(store.find(&StreamKey::Position { stream: stream(), seq: 11 }).unwrap(), None);
    // A stream's own digest as the key of a statement alone is another key.
    assert_eq!(store.find(&StreamKey::Alone(*stream().digest())).unwrap(), None);
    let row = |seq| StreamRow { seq, index: LeafIndex::new(seq * 3) };
    assert_eq!(store.stream_rows(&stream(), 0, 100).unwrap(), (0..=10).map(row).collect::<Vec<_>>());
    assert_eq!(store.stream_rows(&stream(), 4, 3).unwrap(), [row(4), row(5), row(6)]);
    assert_eq!(store.stream_rows(&stream(), 11, 3).unwrap(), []);
    assert_eq!(store.stream_rows(&other, 0, 3).unwrap(), []);
}

pub(crate) fn a_streams_tail_respects_the_size<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    fill(subject.store(), &mut edge, 31, 31);
    let tail = |below| subject.store().stream_tail(&stream(), size(below)).unwrap();
    assert_eq!(tail(0), None);
    for below in 1..=31 {
        let seq = (below - 1) / 3;
        assert_eq!(tail(below), Some(StreamRow { seq, index: LeafIndex::new(seq * 3) }), "below {below}");
    }
    assert_eq!(subject.store().stream_tail(&StreamId::new("a", "b"), TreeSize::MAX).unwrap(), None);
}

fn note(at: u64, text: &'static str) -> ArchivedNote {
    ArchivedNote { size: size(at), time: Millis::new(at * 10), note: Bytes::from_static(text.as_bytes()) }
}

pub(crate) fn notes_are_written_once<S: Subject>() {
    let mut subject = S::fresh();
    subject.store().archive(&note(5, "five\n")).unwrap();
    subject.store().archive(&note(5, "five\n")).unwrap();
    let later = ArchivedNote { time: Millis::new(51), ..note(5, "five\n") };
    for other in [note(5, "FIVE\n"), later] {
        assert!(matches!(subject.store().archive(&other), Err(StoreError::Rewrite { .. })));
        assert_eq!(subject.store().archived(size(5), size(5), 9).unwrap(), [note(5, "five\n")]);
    }
    subject = subject.reopened();
    assert_eq!(subject.store().newest_archived().unwrap(), Some(note(5, "five\n")));
}

pub(crate) fn notes_are_listed_in_order_and_within_bounds<S: Subject>() {
    let subject = S::fresh();
    for at in [700, 1, 256, 5] {
        subject.store().archive(&note(at, "n\n")).unwrap();
    }
    let sizes = |from, to, limit| -> Vec<u64> {
        let notes = subject.store().archived(from, to, limit).unwrap();
        notes.iter().map(|note| note.size.get()).collect()
    };
    assert_eq!(sizes(size(0), TreeSize::MAX, 9), [1, 5, 256, 700]);
    assert_eq!(sizes(size(1), size(700), 9), [1, 5, 256, 700]);
    assert_eq!(sizes(size(2), size(699), 9), [5, 256]);
    assert_eq!(sizes(size(0), size(u64::MAX), 3), [1, 5, 256]);
    assert_eq!(sizes(size(6), size(5), 9), [0; 0]);
    assert_eq!(sizes(size(0), size(9), 0), [0; 0]);
    assert_eq!(subject.store().newest_archived().unwrap().unwrap().size, size(700));
}

pub(crate) fn conflicts_come_and_go_and_are_listed_in_order<S: Subject>() {
    let (subject, mut edge) = (S::fresh(), RightEdge::new());
    let store = subject.store();
    fill(store, &mut edge, 3, 10);
    let row = |number: u64| ConflictRow {
        number,
        entry: LeafIndex::new(number + 1),
        statement: Bytes::from(number.to_string()),
    };
    let next = |store: &dyn LogStore| store.conflict_table().unwrap().next;
    assert_eq!((store.conflicts(0, 9).unwrap(), next(store)), (vec![], 0));
    store.keep_conflicts(&[row(255), row(2), row(256)], &[]).unwrap();
    assert_eq!(store.conflicts(0, 9).unwrap(), [row(2), row(255), row(256)]);
    assert_eq!(store.conflicts(3, 1).unwrap(), [row(255)]);
    assert_eq!(store.conflicts(257, 9).unwrap(), []);
    assert_eq!(next(store), 257);
    store.keep_conflicts(&[row(300)], &[2, 256, 999]).unwrap();
    let subject = subject.reopened();
    assert_eq!(subject.store().conflicts(0, 9).unwrap(), [row(255), row(300)]);
    // A number is given once, also when its row is gone.
    subject.store().keep_conflicts(&[], &[300]).unwrap();
    let subject = subject.reopened();
    assert_eq!((subject.store().conflicts(0, 9).unwrap(), next(subject.store())), (vec![row(255)], 301));
    // Nothing else has changed.
    check_all(subject.store(), 3);
    assert_eq!(subject.store().identity().unwrap(), identity());
}

pub(crate) fn readers_see_a_batch_whole_or_not_at_all<S: Subject>() {
    let subject = S::fresh();
    let (store, done) = (subject.store(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut edge = RightEdge::new();
            for batch in 1..=60 {
                fill(store, &mut edge, batch * 100, 100);
            }
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let seen = store.head().unwrap().size.get();
            assert_eq!(seen % 100, 0);
            let mut count = 0;
            store.read_entries(LeafIndex::new(0), size(seen), &mut |_, _| count += 1).unwrap();
            assert_eq!(count, seen);
            if let Some(last) = seen.checked_sub(1) {
                let key = rows(last, seen)[0].key;
                assert_eq!(store.find(&key).unwrap(), Some(LeafIndex::new(last)));
            }
        }
    });
}
