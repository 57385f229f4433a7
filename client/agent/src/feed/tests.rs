//! A feed in memory, read into a real outbox.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::*;
use crate::outbox::{Content, Limits, idempotency_key};
use crate::pump::Round;
use crate::testing::{Bench, INSTANCE, ROUTE, event};

/// Finds what a test puts into it, one by one, and fails when there is nothing.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    resumed: Vec<Option<Vec<u8>>>,
    recalled: Vec<Vec<Note>>,
    finds: VecDeque<Found>,
    settles: VecDeque<Result<Found, FeedError>>,
}

impl Feed for Shelf {
    fn route(&self) -> &str {
        ROUTE
    }

    fn system(&self) -> &'static str {
        "opa"
    }

    fn reads(&self) -> &str {
        "shelf"
    }

    fn resume(&mut self, place: Option<&[u8]>) -> Result<(), FeedError> {
        self.0.lock().unwrap().resumed.push(place.map(<[u8]>::to_vec));
        Ok(())
    }

    fn recall(&mut self, notes: Vec<Note>) -> Result<(), FeedError> {
        self.0.lock().unwrap().recalled.push(notes);
        Ok(())
    }

    fn read(&mut self, _now_ms: u64) -> Result<Found, FeedError> {
        self.0.lock().unwrap().finds.pop_front().ok_or_else(|| FeedError::new("nothing is on the shelf"))
    }

    fn settle(&mut self, _now_ms: u64) -> Result<Found, FeedError> {
        self.0.lock().unwrap().settles.pop_front().unwrap_or_else(|| Ok(Found::default()))
    }
}

fn found(ids: &[&str], place: &str) -> Found {
    let arrivals = ids.iter().map(|id| crate::testing::arrival(&event(id))).collect();
    Found { arrivals, place: Some(place.as_bytes().to_vec()), again: AGAIN, ..Found::default() }
}

fn reader(bench: &Bench, shelf: &Shelf, hold: Limits) -> Reader {
    let world: Arc<dyn crate::world::World> = Arc::clone(&bench.world) as _;
    Reader::new(Box::new(shelf.clone()), Arc::clone(&bench.shared), Arc::clone(&bench.names), world, hold)
}

fn waiting(bench: &Bench) -> usize {
    usize::try_from(bench.shared.outbox.backlog().waiting).unwrap()
}

const AGAIN: Duration = Duration::from_secs(5);
const ROOM: Limits = Limits { bytes: 1 << 20, streams: 8 };

#[test]
fn what_is_found_is_kept_with_its_place_and_the_next_process_goes_on_there() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    shelf.0.lock().unwrap().finds.extend([found(&["1", "2"], "two"), Found { more: true, ..found(&[], "three") }]);
    let mut first = reader(&bench, &shelf, ROOM);
    assert!(matches!(first.round().unwrap(), Round::Later(again) if again == AGAIN));
    assert_eq!(waiting(&bench), 2);
    assert!(matches!(first.round().unwrap(), Round::Worked), "there is more");
    drop(first);
    let mut second = reader(&bench, &shelf, ROOM);
    shelf.0.lock().unwrap().finds.push_back(found(&["2", "3"], "four"));
    second.round().unwrap();
    assert_eq!(waiting(&bench), 3, "an event that is found again is known");
    assert_eq!(shelf.0.lock().unwrap().resumed, [None, Some(b"three".to_vec())]);
    assert_eq!(bench.shared.outbox.place(ROUTE, "shelf").unwrap(), Some(b"four".to_vec()));
    assert_eq!(bench.shared.outbox.place(ROUTE, "other").unwrap(), None);
    assert_eq!(bench.shared.outbox.place("/other", "shelf").unwrap(), None);
}

#[test]
fn while_there_is_no_room_nothing_more_is_read_and_nothing_is_lost() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    shelf.0.lock().unwrap().finds.extend([found(&["1"], "one"), found(&["2"], "two"), found(&["3"], "three")]);
    let mut cramped = reader(&bench, &shelf, Limits { bytes: 800, streams: 8 });
    cramped.round().unwrap();
    for _ in 0..3 {
        cramped.round().unwrap();
        assert_eq!(shelf.0.lock().unwrap().finds.len(), 1, "the second is held, the third not asked for");
        assert!(!bench.shared.is_full(), "what is uploaded finds room");
    }
    cramped.hold = Limits { bytes: 400, streams: 8 };
    cramped.round().unwrap();
    assert!(bench.shared.is_full());
    assert_eq!(
        bench.shared.outbox.place(ROUTE, "shelf").unwrap(),
        Some(b"one".to_vec()),
        "the place of what is not kept is not kept"
    );
    cramped.hold = ROOM;
    cramped.round().unwrap();
    cramped.round().unwrap();
    assert_eq!(waiting(&bench), 3);
    assert!(!bench.shared.is_full());
}

#[test]
fn what_is_held_becomes_an_event_however_full_the_outbox_is_and_whatever_is_read() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    let row = |number| Held::Now { number, row: vec![b'x'; 300] };
    let settled = |id: &str, number| Found { held: vec![Held::NoMore { number }], place: None, ..found(&[id], "") };
    {
        let mut state = shelf.0.lock().unwrap();
        state.finds.push_back(Found { held: vec![row(0), row(1)], ..found(&[], "one") });
        state.finds.push_back(Found { held: vec![row(2)], ..found(&[], "two") });
        state.settles.extend([Ok(Found::default()), Ok(Found { more: true, ..settled("1", 0) }), Ok(settled("2", 1))]);
    }
    let mut cramped = reader(&bench, &shelf, Limits { bytes: 1_200, streams: 8 });
    cramped.round().unwrap();
    assert_eq!((bench.shared.outbox.backlog().held, bench.shared.is_full()), (2, false));
    assert!(matches!(cramped.round().unwrap(), Round::Worked), "there is more that waits no more");
    assert_eq!(bench.shared.outbox.backlog().held, 1);
    assert!(matches!(cramped.round().unwrap(), Round::Later(_)));
    assert_eq!((bench.shared.outbox.backlog().held, waiting(&bench)), (0, 2));
    assert!(cramped.wrong.is_some() && !bench.shared.is_full(), "what is uploaded finds room");
    assert_eq!(bench.shared.outbox.place(ROUTE, "shelf").unwrap(), Some(b"one".to_vec()));
    cramped.hold = ROOM;
    cramped.round().unwrap();
    assert_eq!(bench.shared.outbox.backlog().held, 1, "what was refused is not lost");
}

#[test]
fn a_read_that_takes_no_room_does_not_say_that_there_is_some() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    shelf.0.lock().unwrap().finds.extend([found(&["1"], "one"), found(&["1"], "again"), found(&["2"], "two")]);
    let mut cramped = reader(&bench, &shelf, Limits { bytes: 800, streams: 8 });
    cramped.round().unwrap();
    bench.shared.found_room(false);
    cramped.round().unwrap();
    assert_eq!(bench.shared.outbox.place(ROUTE, "shelf").unwrap(), Some(b"again".to_vec()));
    assert!(bench.shared.is_full(), "what is known takes no room");
    for _ in 0..2 {
        cramped.round().unwrap();
        assert!(cramped.wrong.is_some() && bench.shared.is_full(), "nor does what is refused");
    }
    cramped.hold = ROOM;
    cramped.round().unwrap();
    assert!(!bench.shared.is_full());
}

#[test]
fn while_what_was_settled_finds_no_stream_nothing_more_is_read() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    let row = |number| Found { held: vec![Held::Now { number, row: vec![b'x'; 30] }], ..found(&[], "") };
    {
        let mut state = shelf.0.lock().unwrap();
        state.finds.extend([row(0), row(1), row(2), row(3)]);
        state.settles.extend([
            Ok(Found::default()),
            Ok(Found { held: vec![Held::NoMore { number: 0 }], place: None, ..found(&["1"], "") }),
        ]);
    }
    let mut cramped = reader(&bench, &shelf, Limits { streams: 0, ..ROOM });
    for _ in 0..4 {
        cramped.round().unwrap();
    }
    assert_eq!(
        (shelf.0.lock().unwrap().finds.len(), bench.shared.outbox.backlog().held, cramped.wrong.is_some()),
        (2, 2, true)
    );
    cramped.hold = ROOM;
    cramped.round().unwrap();
    assert_eq!((bench.shared.outbox.backlog().held, waiting(&bench), cramped.wrong), (2, 1, None), "and read on");
}

/// Each of the two fails, has no more, or has more at once, whatever the other does.
#[test]
fn neither_turn_keeps_the_other_from_going_on_and_what_is_wrong_with_both_is_said() {
    let ways = [None, Some(false), Some(true)];
    for (read, settled) in ways.iter().flat_map(|read| ways.iter().map(move |settled| (*read, *settled))) {
        let (bench, shelf) = (Bench::new(), Shelf::default());
        {
            let mut state = shelf.0.lock().unwrap();
            state.finds.extend(read.map(|more| Found { more, ..found(&["1"], "one") }));
            let settles = settled.map(|more| Found { more, place: None, again: AGAIN * 2, ..found(&["2"], "") });
            state.settles.push_back(settles.ok_or_else(|| FeedError::new("nothing settles")));
        }
        let mut reader = reader(&bench, &shelf, ROOM);
        let round = reader.round().unwrap();
        let wrong = match (read, settled) {
            (None, None) => Some("nothing is on the shelf; nothing settles"),
            (None, _) => Some("nothing is on the shelf"),
            (_, None) => Some("nothing settles"),
            _ => None,
        };
        assert_eq!(reader.wrong, wrong.map(FeedError::new), "{read:?} {settled:?}");
        let kept = usize::from(read.is_some()) + usize::from(settled.is_some());
        assert_eq!(waiting(&bench), kept, "{read:?} {settled:?}");
        let again = if wrong.is_some() { Duration::from_secs(1) } else { AGAIN };
        let has_more = read == Some(true) || settled == Some(true);
        assert_eq!(round, if has_more { Round::Worked } else { Round::Later(again) }, "{read:?} {settled:?}");
    }
}

#[test]
fn a_feed_that_fails_is_tried_again_and_what_it_hears_opens_a_stream() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    let mut reader = reader(&bench, &shelf, ROOM);
    assert!(matches!(reader.round().unwrap(), Round::Later(_)));
    assert!(reader.wrong.is_some());
    let counters = BTreeMap::from([("dropped".to_owned(), "3".to_owned())]);
    let heard = vec![(INSTANCE.to_owned(), counters.clone())];
    shelf.0.lock().unwrap().finds.push_back(Found { heard, ..Found::default() });
    reader.round().unwrap();
    assert_eq!(reader.wrong, None);
    let streams = bench.shared.outbox.streams().unwrap();
    assert_eq!((streams.len(), &streams[0].1.source_counters), (1, &counters));
}

#[test]
fn a_form_of_an_adapters_own_is_kept_with_its_name() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    let content = Content::Formed { form: "activation".to_owned(), bytes: b"{}".to_vec() };
    let semantic = govlog_formats::digest::Digest::sha256(b"{}");
    let arrival =
        Arrival { instance: INSTANCE.to_owned(), key: idempotency_key("opa", INSTANCE, "a"), semantic, content };
    shelf.0.lock().unwrap().finds.push_back(Found { arrivals: vec![arrival.clone()], ..Found::default() });
    reader(&bench, &shelf, ROOM).round().unwrap();
    let (number, _) = bench.shared.outbox.streams().unwrap()[0];
    let waiting = bench.shared.outbox.waiting(number, 9, 1 << 20).unwrap();
    assert_eq!(waiting[0].content, arrival.content);
    assert_eq!(waiting[0].content.event(), Some(("activation", b"{}".as_slice())));
}

#[test]
fn what_is_remembered_of_single_things_is_kept_with_what_was_found_and_recalled() {
    let (bench, shelf) = (Bench::new(), Shelf::default());
    let note = |name: &str, note: Option<&str>| (name.to_owned(), note.map(|note| note.as_bytes().to_vec()));
    let with = |ids: &[&str], notes: &[Note]| Found { place: None, notes: notes.to_vec(), ..found(ids, "") };
    shelf.0.lock().unwrap().finds.extend([
        with(&["1"], &[note("a", Some("1")), note("b", Some("1"))]),
        with(&[], &[note("a", None), note("c", Some("2"))]),
        with(&["2"], &[note("b", Some("3"))]),
    ]);
    let mut first = reader(&bench, &shelf, ROOM);
    first.round().unwrap();
    first.round().unwrap();
    first.hold = Limits { bytes: 1, streams: 8 };
    first.round().unwrap();
    assert!(bench.shared.is_full(), "what was found last is not kept");
    drop(first);
    let outbox = &bench.shared.outbox;
    for (route, of) in [("/ing", "shelf"), (ROUTE, "shel"), (ROUTE, "shelf2"), ("/z", "")] {
        assert_eq!(outbox.notes(route, of).unwrap(), [], "{route} {of}");
    }
    reader(&bench, &shelf, ROOM).begin().unwrap().unwrap();
    let recalled = &shelf.0.lock().unwrap().recalled;
    assert_eq!(recalled[1], [note("b", Some("1")), note("c", Some("2"))]);
}
