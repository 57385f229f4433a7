//! The outbox keeps what it promised, across reopening, and against a model.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use govlog_formats::digest::Digest;
use proptest::prelude::*;
use tempfile::TempDir;

use super::receive::CONFLICT;
use super::*;
use crate::names::Fresh;

const LIMITS: Limits = Limits { bytes: 1 << 20, streams: 4 };

fn folder(dir: &TempDir) -> PathBuf {
    dir.path().join("outbox")
}

fn open(dir: &TempDir) -> Outbox {
    Outbox::open(&folder(dir), "log.example", "spiffe://prod.example/agent").unwrap()
}

fn event(instance: &str, id: &str, says: &str) -> Arrival {
    Arrival {
        instance: instance.into(),
        key: idempotency_key("opa", instance, id),
        semantic: Digest::sha256(says.as_bytes()),
        content: Content::Event(says.as_bytes().to_vec()),
    }
}

fn receive(outbox: &Outbox, arrivals: &[Arrival]) -> Result<Taken, ReceiveError> {
    outbox.receive("/r", arrivals, LIMITS, 1_000, &|instance| Fresh {
        name: format!("opa-{instance}"),
        predecessor: None,
    })
}

fn row(key: [u8; 32], entry: &str) -> Signed {
    Signed { received_ms: 1_000, key, members: Vec::new(), entry: entry.as_bytes().to_vec(), openings: b"o".to_vec() }
}

fn sign(outbox: &Outbox, number: StreamNumber, waiting: &[Waiting]) {
    let stream = outbox.stream(number).unwrap().unwrap();
    let rows: Vec<Signed> = waiting.iter().map(|waiting| row(waiting.key, "signed")).collect();
    let taken: Vec<u64> = waiting.iter().map(|waiting| waiting.arrival).collect();
    let more = u64::try_from(rows.len()).unwrap();
    let written = outbox.write(number, stream.next_seq, &rows, &taken, |stream| {
        stream.next_seq += more;
        true
    });
    assert!(written.unwrap());
}

fn settle(outbox: &Outbox, number: StreamNumber, seqs: std::ops::RangeInclusive<u64>, until_ms: u64) {
    let rows = outbox.signed(number, *seqs.start(), 1_000, 1 << 30).unwrap();
    let published: Vec<(u64, &[u8])> =
        rows.iter().filter(|(seq, _)| seqs.contains(seq)).map(|(seq, row)| (*seq, row.entry.as_slice())).collect();
    outbox.settle(number, &published, until_ms).unwrap();
}

#[test]
fn what_was_signed_anew_meanwhile_is_not_deleted_for_what_it_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 10, 1 << 20).unwrap());
    assert!(outbox.write(0, 0, &[row([9; 32], "anew")], &[], |_| true).unwrap());
    outbox.settle(0, &[(0, b"signed")], 5_000).unwrap();
    assert_eq!(outbox.backlog().signed, 1);
}

fn close(stream: &mut Stream) -> bool {
    stream.closed = true;
    true
}

#[test]
fn a_stream_into_which_something_came_is_not_closed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 10, 1 << 20).unwrap());
    // After whoever closes it has looked, and before it writes.
    receive(&outbox, &[event("a", "2", "y")]).unwrap();
    let before = (outbox.backlog(), outbox.signed(0, 0, 9, 1 << 20).unwrap());
    assert!(!outbox.write(0, 1, &[row([9; 32], "closing")], &[], close).unwrap());
    assert_eq!((outbox.backlog(), outbox.signed(0, 0, 9, 1 << 20).unwrap()), before, "nothing is written");
    assert!(!outbox.stream(0).unwrap().unwrap().closed);
}

#[test]
fn no_stream_gets_the_number_of_one_that_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 1, 1 << 20).unwrap());
    settle(&outbox, 0, 0..=0, 5_000);
    outbox.write(0, 1, &[], &[], close).unwrap();
    outbox.forget(0, 2_000).unwrap();
    assert_eq!(outbox.streams().unwrap(), []);
    receive(&outbox, &[event("a", "2", "y")]).unwrap();
    assert_eq!(outbox.streams().unwrap()[0].0, 1);
}

#[test]
fn an_instance_that_only_reports_has_a_stream_too() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    let counted = BTreeMap::from([("decision_logs_dropped".to_owned(), "7".to_owned())]);
    let name = |instance: &str| Fresh { name: format!("opa-{instance}"), predecessor: None };
    outbox.heard("/r", "a", &counted, LIMITS, 1_000, &name).unwrap();
    let (_, stream) = outbox.streams().unwrap().remove(0);
    assert_eq!((stream.name.as_str(), stream.source_counters), ("opa-a", counted));
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    assert_eq!(outbox.streams().unwrap().len(), 1);
}

#[test]
fn an_outbox_that_others_can_read_is_refused() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    drop(open(&dir));
    std::fs::set_permissions(folder(&dir).join(FILE), Permissions::from_mode(0o640)).unwrap();
    let error = Outbox::open(&folder(&dir), "log.example", "spiffe://prod.example/agent").unwrap_err();
    assert!(error.to_string().contains("chmod go-rwx"), "{error}");
}

#[test]
fn what_was_taken_is_there_after_reopening_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    let arrivals = [event("a", "1", "x"), event("b", "1", "y"), event("a", "2", "z"), event("a", "1", "x")];
    let taken = receive(&outbox, &arrivals).unwrap();
    assert_eq!((taken.new, taken.duplicate), (3, 1));
    drop(outbox);
    let outbox = open(&dir);
    assert_eq!(receive(&outbox, &arrivals).unwrap(), Taken { duplicate: 4, ..Taken::default() });
    let streams = outbox.streams().unwrap();
    assert_eq!(streams.len(), 2);
    let waiting = outbox.waiting(streams[0].0, 10, 1 << 20).unwrap();
    let said: Vec<&Content> = waiting.iter().map(|waiting| &waiting.content).collect();
    assert_eq!(said, [&Content::Event(b"x".to_vec()), &Content::Event(b"z".to_vec())]);
    assert_eq!(streams[0].1.counters, Counters { received: 6, duplicate: 4, ..Counters::default() });
    assert_eq!(outbox.backlog(), Backlog { waiting: 3, waiting_bytes: 3, ..Backlog::default() });
}

#[test]
fn another_content_under_a_known_id_is_kept_once_beside_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    let taken = receive(&outbox, &[event("a", "1", "other"), event("a", "1", "other"), event("a", "1", "x")]).unwrap();
    assert_eq!(taken, Taken { conflicting: 1, duplicate: 2, ..Taken::default() });
    let waiting = outbox.waiting(0, 10, 1 << 20).unwrap();
    assert_eq!(waiting[1].content, Content::Input { reason: CONFLICT.into(), bytes: b"other".to_vec() });
}

#[test]
fn inputs_come_back_as_they_were_put_in() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    let contents = [
        Content::Input { reason: "no array".into(), bytes: b"{".to_vec() },
        Content::Digest { reason: "too large".into(), digest: Digest::sha256(b"d"), size: 1 << 40 },
    ];
    let arrivals = contents.clone().map(|content| {
        let semantic = Digest::sha256(format!("{content:?}").as_bytes());
        Arrival { instance: String::new(), key: *semantic.as_bytes(), semantic, content }
    });
    assert_eq!(receive(&outbox, &arrivals).unwrap().inputs, 2);
    let found: Vec<Content> =
        outbox.waiting(0, 9, 1 << 20).unwrap().into_iter().map(|waiting| waiting.content).collect();
    assert_eq!(found, contents);
}

#[test]
fn settled_keys_are_remembered_until_their_time_has_passed() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x"), event("a", "2", "y")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 10, 1 << 20).unwrap());
    assert_eq!(outbox.backlog().signed, 2);
    settle(&outbox, 0, 0..=0, 5_000);
    settle(&outbox, 0, 1..=1, 9_000);
    assert_eq!(outbox.backlog(), Backlog::default());
    let again = [event("a", "1", "x"), event("a", "2", "y")];
    assert_eq!(outbox.forget(4_999, 0).unwrap(), 0);
    assert_eq!(receive(&outbox, &again).unwrap().duplicate, 2);
    assert_eq!(outbox.forget(5_000, 0).unwrap(), 1);
    assert_eq!(receive(&outbox, &again).unwrap(), Taken { new: 1, duplicate: 1, ..Taken::default() });
}

#[test]
fn a_full_outbox_takes_nothing_and_neither_does_one_with_too_many_streams() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    let large = event("a", "1", &"x".repeat(1 << 20));
    assert_eq!(receive(&outbox, &[large]).unwrap().new, 1);
    let more = receive(&outbox, &[event("a", "2", "y")]);
    assert!(matches!(more, Err(ReceiveError::Full { held, .. }) if held == (1 << 20) + 1), "{more:?}");
    assert_eq!(outbox.backlog().waiting, 1);
    let known = event("a", "1", &"x".repeat(1 << 20));
    assert_eq!(receive(&outbox, &[known]).unwrap().duplicate, 1, "what is known takes no room");
    sign(&outbox, 0, &outbox.waiting(0, 10, 1 << 30).unwrap());
    settle(&outbox, 0, 0..=0, 5_000);
    let five: Vec<Arrival> = ["a", "b", "c", "d", "e"].map(|instance| event(instance, "3", "z")).to_vec();
    assert!(matches!(receive(&outbox, &five), Err(ReceiveError::Streams(4))));
    assert_eq!((outbox.streams().unwrap().len(), outbox.backlog().waiting), (1, 0));
    assert_eq!(receive(&outbox, &five[..4]).unwrap().new, 4);
}

#[test]
fn the_tail_of_a_stream_can_be_signed_anew_and_a_stream_go_on_under_another_name() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x"), event("a", "2", "y"), event("a", "3", "z")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 2, 1 << 20).unwrap());
    assert!(outbox.write(0, 1, &[row([9; 32], "anew")], &[], |_| true).unwrap());
    let entries: Vec<Vec<u8>> = outbox.signed(0, 0, 9, 1 << 20).unwrap().into_iter().map(|row| row.1.entry).collect();
    assert_eq!(entries, [b"signed".to_vec(), b"anew".to_vec()]);

    let stream = Stream { next_seq: 1, ..Stream::new("/r", "a", "opa-a-2".into(), Some("opa-a".into()), 2_000) };
    let number = outbox.fork(0, 0, &Fork { stream, rows: vec![row([9; 32], "first")] }).unwrap().unwrap();
    assert_eq!(outbox.first_signed(0).unwrap(), None);
    assert!(outbox.stream(0).unwrap().unwrap().closed);
    assert_eq!(outbox.waiting(number, 9, 1 << 20).unwrap().len(), 1);
    assert_eq!(outbox.signed(number, 0, 9, 1 << 20).unwrap().len(), 1);
    assert_eq!(
        outbox.backlog(),
        Backlog { waiting: 1, waiting_bytes: 1, signed: 1, signed_bytes: 6, ..Backlog::default() }
    );
    // The source goes on in the new one.
    receive(&outbox, &[event("a", "4", "w")]).unwrap();
    assert_eq!(outbox.waiting(number, 9, 1 << 20).unwrap().len(), 2);
}

#[test]
fn a_closed_stream_has_a_successor_that_names_it_and_is_forgotten_after_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", "x")]).unwrap();
    sign(&outbox, 0, &outbox.waiting(0, 1, 1 << 20).unwrap());
    assert!(outbox.write(0, 1, &[], &[], close).unwrap());
    receive(&outbox, &[event("a", "2", "y")]).unwrap();
    let (_, next) = outbox.streams().unwrap().remove(1);
    assert_eq!(next.predecessor.as_deref(), Some("opa-a"));
    // As long as something of it is not published it stays.
    outbox.forget(0, 2_000).unwrap();
    assert_eq!(outbox.streams().unwrap().len(), 2);
    settle(&outbox, 0, 0..=0, 5_000);
    outbox.forget(0, 2_000).unwrap();
    assert_eq!(outbox.streams().unwrap().len(), 1);
    receive(&outbox, &[event("a", "3", "z")]).unwrap();
    assert_eq!(outbox.waiting(1, 9, 1 << 20).unwrap().len(), 2);
}

#[test]
fn an_outbox_belongs_to_one_issuer_one_log_and_one_process() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    let second = Outbox::open(&folder(&dir), "log.example", "spiffe://prod.example/agent");
    assert!(matches!(second, Err(OutboxError::Held { .. })));
    drop(outbox);
    let other = Outbox::open(&folder(&dir), "other.example", "spiffe://prod.example/agent").unwrap_err();
    assert!(matches!(&other, OutboxError::Foreign { key: "log", .. }), "{other}");
    let other = Outbox::open(&folder(&dir), "log.example", "spiffe://prod.example/other").unwrap_err();
    assert!(other.to_string().contains("spiffe://prod.example/other"), "{other}");
}

#[test]
fn a_damaged_file_is_refused_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = open(&dir);
    receive(&outbox, &[event("a", "1", &"x".repeat(100_000))]).unwrap();
    drop(outbox);
    let path = folder(&dir).join(FILE);
    let good = std::fs::read(&path).unwrap();
    let middle = good.len() / 2;
    let mut bad = good.clone();
    bad[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
    std::fs::write(&path, &bad).unwrap();
    let opened = Outbox::open(&folder(&dir), "log.example", "spiffe://prod.example/agent");
    // The damage may lie in a free page: then nothing of value was hit, and all of it is there.
    if let Ok(outbox) = opened {
        let waiting = outbox.waiting(0, 9, 1 << 30).unwrap();
        assert_eq!(waiting[0].content, Content::Event("x".repeat(100_000).into_bytes()));
    }
    std::fs::write(&path, b"no database").unwrap();
    assert!(matches!(
        Outbox::open(&folder(&dir), "log.example", "spiffe://prod.example/agent"),
        Err(OutboxError::Store { .. })
    ));
    assert_eq!(std::fs::read(&path).unwrap(), b"no database");
}

/// What a test does to the outbox and to its model.
#[derive(Clone, Debug)]
enum Act {
    Receive(Vec<(u8, u8, u8)>),
    Sign(u8, usize),
    Settle(u8, u64),
    Forget(u64),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => prop::collection::vec((0u8..3, 0u8..12, 0u8..2), 0..6).prop_map(Act::Receive),
        3 => (0u8..3, 1usize..4).prop_map(|(stream, count)| Act::Sign(stream, count)),
        2 => (0u8..3, 1u64..4).prop_map(|(stream, count)| Act::Settle(stream, count)),
        1 => (0u64..10).prop_map(Act::Forget),
        1 => Just(Act::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    /// Until when a key is remembered, and with what content.
    seen: BTreeMap<[u8; 32], ([u8; 32], u64)>,
    waiting: BTreeMap<u64, Vec<[u8; 32]>>,
    signed: BTreeMap<u64, Vec<(u64, [u8; 32])>>,
    numbers: BTreeMap<u8, u64>,
    recorded: BTreeSet<[u8; 32]>,
}

impl Model {
    fn receive(&mut self, events: &[(u8, u8, u8)]) {
        for (instance, id, says) in events {
            let next = u64::try_from(self.numbers.len()).unwrap();
            let number = *self.numbers.entry(*instance).or_insert(next);
            let mut key = idempotency_key("opa", &instance.to_string(), &id.to_string());
            let semantic = *Digest::sha256(says.to_string().as_bytes()).as_bytes();
            if let Some((first, _)) = self.seen.get(&key).filter(|(first, _)| *first != semantic) {
                key = *Digest::sha256(&[*first, key, semantic].concat()).as_bytes();
            }
            if let Entry::Vacant(place) = self.seen.entry(key) {
                place.insert((semantic, u64::MAX));
                self.waiting.entry(number).or_default().push(key);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_model_does(acts in prop::collection::vec(act(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let mut outbox = open(&dir);
        let mut model = Model::default();
        let mut now = 1;
        for act in acts {
            match act {
                Act::Receive(events) => {
                    let arrivals: Vec<Arrival> = events
                        .iter()
                        .map(|(instance, id, says)| event(&instance.to_string(), &id.to_string(), &says.to_string()))
                        .collect();
                    receive(&outbox, &arrivals).unwrap();
                    model.receive(&events);
                }
                Act::Sign(instance, count) => if let Some(&number) = model.numbers.get(&instance) {
                    sign(&outbox, number, &outbox.waiting(number, count, 1 << 20).unwrap());
                    let seq = model.signed.entry(number).or_default().len();
                    let waiting = model.waiting.entry(number).or_default();
                    let taken: Vec<[u8; 32]> = waiting.drain(..count.min(waiting.len())).collect();
                    let rows = (u64::try_from(seq).unwrap()..).zip(taken);
                    for (seq, key) in rows {
                        prop_assert!(model.recorded.insert(key), "a key is recorded twice");
                        model.signed.entry(number).or_default().push((seq, key));
                    }
                },
                Act::Settle(instance, count) => if let Some(&number) = model.numbers.get(&instance)
                    && let Some(first) = outbox.first_signed(number).unwrap()
                {
                    now += 1;
                    settle(&outbox, number, first..=first + count - 1, now + 3);
                    for (seq, key) in model.signed.get(&number).cloned().unwrap_or_default() {
                        if (first..first + count).contains(&seq) {
                            model.seen.get_mut(&key).unwrap().1 = now + 3;
                        }
                    }
                },
                Act::Forget(by) => {
                    now += by;
                    outbox.forget(now, 0).unwrap();
                    let gone: Vec<[u8; 32]> =
                        model.seen.iter().filter(|(_, (_, until))| *until <= now).map(|(key, _)| *key).collect();
                    for key in gone {
                        model.seen.remove(&key);
                        model.recorded.remove(&key);
                    }
                }
                Act::Reopen => {
                    drop(outbox);
                    outbox = open(&dir);
                }
            }
        }
        for number in model.numbers.values() {
            let found: Vec<[u8; 32]> =
                outbox.waiting(*number, 1_000, 1 << 20).unwrap().iter().map(|waiting| waiting.key).collect();
            prop_assert_eq!(&found, model.waiting.entry(*number).or_default());
        }
        let waiting: usize = model.waiting.values().map(Vec::len).sum();
        prop_assert_eq!(outbox.backlog().waiting, u64::try_from(waiting).unwrap());
    }
}
