//! Lines held until their decision is known.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::adapter::{Adapter, Kept};
use crate::feed::{Feed, Found};
use crate::outbox::{Arrival, Awaited, Content, Decided, Decisions, Held, Joined, OutboxError, Question, RequestName};

/// The decisions that a test makes known, and whether more are awaited.
#[derive(Default)]
pub(super) struct Told {
    decided: Mutex<BTreeMap<String, Vec<Decided>>>,
    pub(super) is_awaited: AtomicBool,
    /// Whether nothing can be looked up.
    pub(super) is_broken: AtomicBool,
    /// What comes just after it was said that nothing will.
    pub(super) late: Mutex<Option<(String, Decided)>>,
    /// Up to when it was said that everything was looked at.
    pub(super) reached_ms: Mutex<Option<u64>>,
    /// The requests that had a decision, in order, and how many of them are not known any more.
    joined: Mutex<Vec<RequestName>>,
    missed: AtomicU64,
    /// What waits.
    pub(super) held: Mutex<BTreeMap<u64, Vec<u8>>>,
}

impl Told {
    pub(super) fn tell(&self, request: &str, decision: &str) {
        self.decided(request, Decided { id: decision.to_owned(), ..Decided::default() });
    }

    pub(super) fn decided(&self, request: &str, decided: Decided) {
        self.decided.lock().unwrap().entry(request.to_owned()).or_default().push(decided);
        self.joined.lock().unwrap().push(RequestName::of(request));
    }
}

impl Told {
    /// More came than are known.
    pub(super) fn miss(&self) {
        self.missed.store(self.joined.lock().unwrap().len().try_into().unwrap(), Ordering::Relaxed);
    }
}

impl Decisions for Told {
    fn decisions_of(&self, request_ids: &[&str]) -> Result<Vec<Vec<Decided>>, OutboxError> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(OutboxError::Damaged { path: "outbox".into(), what: "no decisions".to_owned() });
        }
        let told = self.decided.lock().unwrap();
        Ok(request_ids.iter().map(|id| told.get(*id).cloned().unwrap_or_default()).collect())
    }

    fn reached(&self, reader: &str, at_ms: u64) {
        assert_eq!(reader, "envoy:edge-1");
        *self.reached_ms.lock().unwrap() = Some(at_ms);
    }

    fn awaited(&self, _question: &Question<'_>) -> Awaited {
        if let Some((request, decided)) = self.late.lock().unwrap().take() {
            self.decided(&request, decided);
        }
        match self.is_awaited.load(Ordering::Relaxed) {
            true => Awaited::Instance("a".to_owned()),
            false => Awaited::Nobody,
        }
    }

    fn joined_since(&self, so_far: u64) -> Joined {
        let joined = self.joined.lock().unwrap();
        let is_known = so_far >= self.missed.load(Ordering::Relaxed);
        let requests = is_known.then(|| joined[usize::try_from(so_far).unwrap()..].to_vec());
        Joined { requests, so_far: joined.len().try_into().unwrap() }
    }

    fn held_of(&self, reader: &str, from: u64, most: usize) -> Result<Vec<(u64, Vec<u8>)>, OutboxError> {
        assert_eq!(reader, "envoy:edge-1");
        let held = self.held.lock().unwrap();
        Ok(held.range(from..).take(most).map(|(number, row)| (*number, row.clone())).collect())
    }

    fn held_rows(&self, _reader: &str, numbers: &[u64]) -> Result<Vec<Vec<u8>>, OutboxError> {
        let held = self.held.lock().unwrap();
        Ok(numbers.iter().map(|number| held[number].clone()).collect())
    }
}

/// A log, and a feed that follows it.
pub(super) struct Lab {
    pub(super) folder: tempfile::TempDir,
    pub(super) envoy: Arc<Envoy>,
    pub(super) told: Arc<Told>,
    pub(super) feed: AccessLog,
    /// How many bytes may wait.
    pub(super) room: u64,
    /// What the feed noted, as the outbox keeps it.
    notes: BTreeMap<String, Vec<u8>>,
}

pub(super) const NOW: u64 = 1_795_320_500_000;

impl Lab {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut envoy = envoy("line_kib = 1");
        envoy.log = folder.path().join("access.jsonl");
        let (envoy, told) = (Arc::new(envoy), Arc::new(Told::default()));
        let feed = followed(&envoy, &told, (u64::MAX, None));
        Self { folder, envoy, told, feed, room: u64::MAX, notes: BTreeMap::new() }
    }

    pub(super) fn write(&self, bytes: &[u8]) {
        let path = self.folder.path().join("access.jsonl");
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    pub(super) fn requests(&self, ids: &[&str]) {
        for id in ids {
            self.write(&[line(&json!({"request_id": id})), b"\n".to_vec()].concat());
        }
    }

    /// Begins anew at a place; at none: without anything that was kept.
    pub(super) fn restart(&mut self, place: Option<&[u8]>) {
        if place.is_none() {
            self.told.held.lock().unwrap().clear();
        }
        // Which decisions came is in memory alone.
        self.told.joined.lock().unwrap().clear();
        self.told.missed.store(0, Ordering::Relaxed);
        self.feed = followed(&self.envoy, &self.told, (self.room, place));
        if place.is_some() {
            let note = |(key, value): (&String, &Vec<u8>)| (key.clone(), Some(value.clone()));
            self.feed.recall(self.notes.iter().map(note).collect()).unwrap();
        }
    }

    /// The record that an arrival becomes.
    pub(super) fn record(&self, arrival: &Arrival) -> Record {
        let (form, bytes) = arrival.content.event().unwrap();
        let kept = Kept { instance: &arrival.instance, form, received_ms: NOW, bytes };
        let mut random = || [1; 32];
        let draft = Effects::new(self.envoy.clone(), ISS).draft(&kept, Sealer::new(&mut random)).unwrap();
        Record::parse(draft.kind, &draft.payload).unwrap()
    }

    /// What an arrival becomes: the decision of an effect, or which kind it is.
    pub(super) fn shown(&self, arrivals: &[Arrival]) -> Vec<String> {
        arrivals.iter().map(|arrival| self.one(arrival)).collect()
    }

    fn one(&self, arrival: &Arrival) -> String {
        assert_eq!(arrival.instance, "envoy-lab");
        if let Content::Input { reason, .. } | Content::Digest { reason, .. } = &arrival.content {
            return reason.clone();
        }
        match self.record(arrival) {
            Record::Effect(effect) => effect.decision_id().present().unwrap_or("none").to_owned(),
            other => other.kind().to_owned(),
        }
    }

    pub(super) fn read(&mut self, now_ms: u64) -> (Vec<String>, Found) {
        let found = self.feed.read(now_ms).unwrap();
        self.keep(&found);
        let settled = self.settle(now_ms);
        let both = Found {
            arrivals: [found.arrivals, settled.arrivals].concat(),
            alarms: [found.alarms, settled.alarms].concat(),
            more: found.more || settled.more,
            heard: settled.heard,
            ..found
        };
        (self.shown(&both.arrivals), both)
    }

    pub(super) fn settle(&mut self, now_ms: u64) -> Found {
        let found = self.feed.settle(now_ms).unwrap();
        self.keep(&found);
        found
    }

    /// Keeps what the outbox would.
    pub(super) fn keep(&mut self, found: &Found) {
        for (key, value) in &found.notes {
            assert!(found.place.is_some(), "notes are kept with a place");
            match value {
                Some(value) => drop(self.notes.insert(key.clone(), value.clone())),
                None => drop(self.notes.remove(key)),
            }
        }
        let mut held = self.told.held.lock().unwrap();
        for change in &found.held {
            match change {
                Held::Now { number, row } => {
                    assert!(held.insert(*number, row.clone()).is_none(), "{number} is another's");
                }
                Held::NoMore { number } => drop(held.remove(number).expect("what is let go of was held")),
            }
        }
    }
}

fn followed(envoy: &Arc<Envoy>, told: &Arc<Told>, (room, place): (u64, Option<&[u8]>)) -> AccessLog {
    let mut feed = AccessLog::new(envoy.clone()).with_room(room);
    feed.meet(told.clone());
    feed.resume(place).unwrap();
    feed
}

#[test]
fn a_line_waits_for_its_decision_or_has_had_its_time() {
    let mut lab = Lab::new();
    assert!(lab.feed.read(NOW).unwrap_err().to_string().contains("no such file"));
    lab.requests(&["a", "b", "c"]);
    lab.told.tell("b", "d-b");
    let (shown, found) = lab.read(NOW);
    assert_eq!(shown, ["d-b"], "those around it wait, and not it behind them");
    let place = found.place.unwrap();
    assert_eq!((found.held.len(), lab.read(NOW).1.place), (2, None));
    lab.told.tell("a", "d-a");
    assert_eq!(lab.read(NOW + 1).0, ["d-a"]);
    assert!(lab.read(NOW + 14_999).0.is_empty());
    // As if that process had ended before the last was kept.
    let held = lab.told.held.lock().unwrap().clone();
    assert_eq!(lab.read(NOW + 15_000).0, ["none"]);
    *lab.told.held.lock().unwrap() = held;
    lab.restart(Some(&place));
    assert!(lab.read(NOW + 20_000).0.is_empty(), "a new process waits anew");
    lab.told.tell("c", "d-c");
    lab.told.tell("c", "d-again");
    let (shown, found) = lab.read(NOW + 20_001);
    assert_eq!(shown, ["none"], "which of two is meant is not guessed");
    assert_eq!(found.heard[0].1["effects of several decisions"], "1");
}

#[test]
fn the_same_line_is_the_same_event_whatever_is_known_of_it() {
    let mut lab = Lab::new();
    lab.requests(&["a"]);
    lab.told.tell("a", "d-a");
    let with = lab.read(NOW).1.arrivals.remove(0);
    lab.told.decided.lock().unwrap().clear();
    lab.restart(None);
    assert_eq!(lab.read(NOW).1.arrivals, []);
    let without = lab.read(NOW + 60_000).1.arrivals.remove(0);
    assert_eq!((with.key, with.semantic), (without.key, without.semantic));
    assert_ne!(with.content, without.content);
}

#[test]
fn lines_without_a_request_id_are_told_apart_and_nothing_waits() {
    let mut lab = Lab::new();
    let anonymous = [line(&json!({"request_id": "-"})), b"\n".to_vec()].concat();
    lab.write(&[anonymous.clone(), anonymous].concat());
    lab.write(&[line(&json!({"path": "/v1/data/ledger/health"})), b"\n".to_vec()].concat());
    lab.write(&[line(&json!({"decision_id": "d-own"})), b"\n".to_vec()].concat());
    let (shown, found) = lab.read(NOW);
    assert_eq!(shown, ["none", "none", "none", "d-own"]);
    assert_ne!(found.arrivals[0].key, found.arrivals[1].key);
    assert_eq!(found.heard[0].0, "envoy-lab");
    assert_eq!(found.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), ["effect-without-decision"]);
    let counters = &found.heard[0].1;
    assert_eq!(counters["effects without a decision"], "2");
    assert_eq!(counters["effects that need no decision"], "1");
    assert_eq!(counters["effects with their decision"], "1");
    lab.requests(&["a", "b"]);
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    assert!(lab.read(NOW + 1_000).1.heard.is_empty(), "nothing new is told");
    let heard = lab.read(NOW + 61_000).1.heard;
    assert_eq!((heard.len(), &*heard[0].1["lines that wait"]), (1, "2"), "it lives");
}

#[test]
fn what_is_no_line_is_kept_as_what_it_is_and_loss_is_declared() {
    let mut lab = Lab::new();
    lab.write(b"not json\n\xff\xfe\n");
    lab.write(&[vec![b'x'; 4_096], b"\n".to_vec()].concat());
    lab.write(b"{\"start\":\"1795320442\",\"code\":200,\"code\":403}\n");
    let (shown, found) = lab.read(NOW);
    assert!(shown[0].contains("not JSON") && shown[1].contains("not UTF-8"), "{shown:?}");
    assert!(shown[2].contains("more than 1024 bytes") && shown[3].contains("twice"), "{shown:?}");
    assert!(shown.iter().all(|reason| !reason.contains("xx")), "no reason repeats the input");
    let place = found.place.unwrap();
    std::fs::write(lab.folder.path().join("access.jsonl"), "").unwrap();
    lab.requests(&["after"]);
    lab.told.tell("after", "d-after");
    lab.restart(Some(&place));
    assert_eq!(lab.read(NOW).0, ["gap", "d-after"]);
}

#[test]
fn a_line_cut_by_rotation_waits_for_its_rest_in_the_old_file() {
    let mut lab = Lab::new();
    let whole = line(&json!({"request_id": "a"}));
    let (first, rest) = whole.split_at(100);
    lab.write(first);
    assert!(lab.read(NOW).0.is_empty());
    let rotated = lab.folder.path().join("access.jsonl.1");
    std::fs::rename(lab.folder.path().join("access.jsonl"), &rotated).unwrap();
    let mut old = std::fs::OpenOptions::new().append(true).open(&rotated).unwrap();
    old.write_all(rest).unwrap();
    lab.requests(&["b"]);
    lab.told.tell("a", "d-a");
    lab.told.tell("b", "d-b");
    assert_eq!(lab.read(NOW).0, ["d-a", "d-b"]);
}

#[test]
fn a_clock_that_jumps_back_makes_lines_wait_no_longer_than_once_more() {
    let mut lab = Lab::new();
    lab.requests(&["a"]);
    assert!(lab.read(NOW).0.is_empty());
    lab.requests(&["b"]);
    assert!(lab.read(NOW + 10_000).0.is_empty());
    assert!(lab.read(NOW - 86_400_000).0.is_empty());
    let settled = u64::try_from(Duration::from_secs(15).as_millis()).unwrap();
    assert_eq!(lab.read(NOW - 86_400_000 + settled).0, ["none", "none"], "all of them at once");
}
