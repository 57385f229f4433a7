//! Lines that wait in the outbox: none is lost and none comes twice, whenever a process ends.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::follow::{Lab, NOW};
use super::*;
use crate::envoy::held::{Held, Most};
use crate::feed::{Feed as _, Found};
use crate::outbox::{Joined, RequestName};

#[test]
fn when_as_many_wait_as_may_the_file_keeps_the_rest() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    let ids: Vec<String> = (0..3_500).map(|number| format!("r-{number}")).collect();
    lab.requests(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    for _ in 0..9 {
        assert!(lab.read(NOW).0.is_empty());
    }
    let waits = |lab: &Lab| lab.told.held.lock().unwrap().len();
    assert_eq!(waits(&lab), 3_000, "a thousand at a time, until there are 2,048");
    lab.told.is_awaited.store(false, Ordering::Relaxed);
    assert_eq!(lab.read(NOW + 15_000).0.len(), 1_000, "no more at a time than one write holds");
    let mut settled = 1_000;
    for _ in 0..5 {
        settled += lab.read(NOW + 15_000).0.len();
    }
    assert_eq!((settled, waits(&lab)), (3_000, 500), "what was read later has its own time");
}

#[test]
fn when_as_many_bytes_wait_as_may_the_file_keeps_the_rest() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    let ids: Vec<String> = (1_000..3_500).map(|number| format!("r-{number}")).collect();
    lab.requests(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let place = lab.read(NOW).1.place;
    let waits = |lab: &Lab| lab.told.held.lock().unwrap().len();
    assert_eq!(waits(&lab), 1_000);
    let each = lab.told.held.lock().unwrap()[&0].len() as u64;
    lab.room = each * 1_000;
    lab.restart(place.as_deref());
    lab.read(NOW);
    assert_eq!(waits(&lab), 1_000, "what an earlier process held counts");
    lab.told.tell("r-1500", "d");
    assert_eq!(lab.read(NOW + 1).0, ["d"]);
    lab.read(NOW + 2);
    assert_eq!(waits(&lab), 1_999, "there is room, and for as many as are read at once");
    lab.read(NOW + 3);
    assert_eq!(waits(&lab), 1_999);
}

#[test]
fn looking_at_all_ends_with_the_last_that_was_held_when_it_began() {
    let (mut held, most) = (Held::default(), Most { rows: 4, bytes: usize::MAX });
    let mut number = 0;
    let mut hold = |held: &mut Held, count: usize| {
        for _ in 0..count {
            number = held.hold("r", NOW, 1) + 1;
        }
        number
    };
    let due = |held: &mut Held| held.due(most, |_| None).rows.into_keys().collect::<Vec<_>>();
    hold(&mut held, 6);
    held.are_kept();
    hold(&mut held, 3);
    held.hear(Joined { requests: None, so_far: 9 });
    assert_eq!(due(&mut held), [0, 1, 2, 3]);
    assert_eq!(due(&mut held), [4, 5], "what is not kept yet comes later");
    assert!(due(&mut held).is_empty() && held.is_sweeping());
    held.are_kept();
    hold(&mut held, 9);
    held.are_kept();
    assert_eq!(due(&mut held), [6, 7, 8]);
    assert!(due(&mut held).is_empty() && !held.is_sweeping());
}

/// As many more are read each round as are looked at, and are over at once; or as many have a decision each round.
#[test]
fn looking_at_all_ends_however_many_others_are_to_be_looked_at() {
    let most = Most { rows: 2, bytes: usize::MAX };
    let rounds = |over_from: usize| {
        let mut held = Held::default();
        for _ in 0..6 {
            held.hold("r", NOW, 1);
        }
        held.are_kept();
        held.look_at_all();
        for round in 1..100 {
            for _ in 0..2 {
                held.hold("decided", NOW, 1);
            }
            held.are_kept();
            held.hear(Joined { requests: Some(vec![RequestName::of("decided")]), so_far: 1 });
            let due = held.due(most, |_| (round >= over_from).then_some(false));
            for (number, over) in due.rows {
                if over.is_some() { held.let_go(number) } else { held.waits(number) }
            }
            if !held.is_sweeping() {
                return round;
            }
        }
        panic!("it never ends");
    };
    assert_eq!(rounds(1), 3, "what is over first is what it would look at");
    assert_eq!(rounds(20), 22, "it is held up until what it would look at is over");
}

/// Two have had their time, two had a decision, and all are looked at: together they are no more at a time than one write holds.
#[test]
fn what_is_looked_at_for_several_reasons_is_bounded_together() {
    let looked_at = |most: Most| {
        let mut held = Held::default();
        for number in 0..12 {
            let request = if (2..4).contains(&number) { "decided" } else { "r" };
            held.hold(request, if number < 2 { NOW } else { NOW + 1 }, 10);
        }
        held.are_kept();
        held.hear(Joined { requests: None, so_far: 0 });
        held.hear(Joined { requests: Some(vec![RequestName::of("decided")]), so_far: 1 });
        let mut rounds = Vec::new();
        loop {
            let due = held.due(most, |since_ms| (since_ms == NOW).then_some(false));
            for (number, over) in &due.rows {
                assert_eq!(*over, (*number < 2).then_some(false), "{number}");
                if over.is_some() { held.let_go(*number) } else { held.waits(*number) }
            }
            rounds.push(due.rows.into_keys().collect::<Vec<_>>());
            if !due.more {
                break rounds;
            }
        }
    };
    let thrice: [&[u64]; 3] = [&[0, 1, 2, 3, 4], &[5, 6, 7, 8, 9], &[10, 11]];
    assert_eq!(looked_at(Most { rows: 5, bytes: usize::MAX }), thrice);
    assert_eq!(looked_at(Most { rows: usize::MAX, bytes: 45 }), thrice);
    let first: [&[u64]; 2] = [&[0], &[1]];
    assert_eq!(looked_at(Most { rows: 1, bytes: usize::MAX })[..2], first);
    assert_eq!(looked_at(Most { rows: 20, bytes: 1_000 }).len(), 1);
}

#[test]
fn a_decision_that_came_while_nobody_listened_is_found() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    let ids: Vec<String> = (0..1_500).map(|number| format!("r-{number}")).collect();
    lab.requests(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    lab.read(NOW);
    let place = lab.read(NOW).1.place;
    // Another process.
    lab.told.tell("r-1400", "d-1400");
    lab.restart(place.as_deref());
    let both = [lab.read(NOW + 1).0, lab.read(NOW + 1).0].concat();
    assert_eq!(both, ["d-1400"]);
    lab.told.tell("r-7", "d-7");
    lab.told.miss();
    assert_eq!(lab.read(NOW + 2).0, ["d-7"]);
    lab.told.tell("r-1499", "d-1499");
    assert_eq!(lab.read(NOW + 3).0, ["d-1499"]);
}

#[test]
fn another_configuration_holds_for_what_waits_too() {
    let mut lab = Lab::new();
    lab.told.is_awaited.store(true, Ordering::Relaxed);
    lab.requests(&["a", "a"]);
    let place = lab.read(NOW).1.place;
    let held = lab.told.held.lock().unwrap().clone();
    for (more, why) in
        [("decided_by = []", "nobody decides for it any more"), ("settle_s = 0", "nothing waits any more")]
    {
        let mut envoy = envoy(more);
        envoy.log = lab.envoy.log.clone();
        lab.envoy = std::sync::Arc::new(envoy);
        lab.told.held.lock().unwrap().clone_from(&held);
        lab.restart(place.as_deref());
        let (shown, found) = lab.read(NOW + 1);
        assert_eq!(shown, ["none", "none"], "{why}");
        assert_ne!(found.arrivals[0].key, found.arrivals[1].key, "which of the two came first is known all the same");
    }
}

/// What happens to a log, and to who reads it.
#[derive(Clone, Debug)]
enum Act {
    /// A request is logged, again or for the first time.
    Write(usize),
    /// Its decision comes.
    Decide(usize),
    /// More decisions came than are known.
    Miss,
    /// More are awaited, or no more.
    Await(bool),
    /// So many seconds go by.
    Wind(u64),
    /// The log is moved aside.
    Rotate,
    /// The log is read, and what waits no more is settled; the process ends before the one or the other is kept, or goes on.
    Round(Ends),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    BeforeRead,
    AfterRead,
    BeforeSettled,
    AfterSettled,
    Never,
    /// Not either, but there is no room for what was read: it is tried again.
    Full,
}

fn act() -> impl Strategy<Value = Act> {
    let ends = prop_oneof![
        Just(Ends::BeforeRead),
        Just(Ends::AfterRead),
        Just(Ends::BeforeSettled),
        Just(Ends::AfterSettled),
        Just(Ends::Never),
        Just(Ends::Never),
        Just(Ends::Full),
    ];
    prop_oneof![
        3 => (0..REQUESTS).prop_map(Act::Write),
        2 => (0..REQUESTS).prop_map(Act::Decide),
        1 => Just(Act::Miss),
        1 => any::<bool>().prop_map(Act::Await),
        2 => (1..12u64).prop_map(Act::Wind),
        1 => Just(Act::Rotate),
        5 => ends.prop_map(Act::Round),
    ]
}

const REQUESTS: usize = 6;

/// A log that is read, and what came of it.
struct Story {
    lab: Lab,
    now_ms: u64,
    place: Option<Vec<u8>>,
    /// What was read and found no room.
    left: Option<Found>,
    /// Whether something was read since the log was last moved aside: twice in between is the tail's matter.
    is_read: bool,
    /// What was logged, by what names it once: its id, and its decision.
    logged: BTreeMap<[u8; 32], (String, String)>,
    decided: BTreeSet<usize>,
}

impl Story {
    fn keep(&mut self, found: &Found) {
        self.lab.keep(found);
        self.is_read |= found.place.is_some();
        self.place = found.place.clone().or(self.place.take());
        for arrival in &found.arrivals {
            let Record::Effect(effect) = self.lab.record(arrival) else { panic!("no effect") };
            let id = effect.body().text(&["source", "native_id"]).present().unwrap().to_owned();
            let decision = effect.decision_id().present().unwrap_or("none").to_owned();
            let request: usize = id[2..].split('/').next().unwrap().parse().unwrap();
            let known = if self.decided.contains(&request) { format!("d-{request}") } else { "none".to_owned() };
            assert_eq!(decision, known, "what is known of {id}");
            assert_eq!(self.logged.insert(arrival.key, (id, decision)), None, "it came before");
        }
    }

    /// Nothing waits whose decision is known.
    fn none_waits_in_vain(&self) {
        for row in self.lab.told.held.lock().unwrap().values() {
            let (_, line) = crate::envoy::adapter::split(row).unwrap();
            let line: Value = serde_json::from_slice(line).unwrap();
            let request: usize = line["request_id"].as_str().unwrap()[2..].parse().unwrap();
            assert!(!self.decided.contains(&request), "r-{request} waits");
        }
    }

    fn round(&mut self, ends: Ends) {
        let is_new = self.left.is_none();
        let found = self.left.take().map_or_else(|| self.lab.feed.read(self.now_ms), Ok);
        // There is no file yet, or none any more.
        let Ok(found) = found else { return };
        match ends {
            Ends::BeforeRead => {}
            Ends::Full => self.left = Some(found),
            _ => self.keep(&found),
        }
        if !matches!(ends, Ends::BeforeRead | Ends::AfterRead) {
            let settled = self.lab.feed.settle(self.now_ms).unwrap();
            if ends != Ends::BeforeSettled {
                self.keep(&settled);
            }
        }
        if ends == Ends::Never && is_new {
            self.none_waits_in_vain();
        }
        if !matches!(ends, Ends::Never | Ends::Full) {
            self.lab.restart(self.place.as_deref());
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write(request) => self.lab.requests(&[&format!("r-{request}")]),
            Act::Decide(request) => {
                if self.decided.insert(request) {
                    self.lab.told.tell(&format!("r-{request}"), &format!("d-{request}"));
                }
            }
            Act::Miss => self.lab.told.miss(),
            Act::Await(is_awaited) => self.lab.told.is_awaited.store(is_awaited, Ordering::Relaxed),
            Act::Wind(seconds) => self.now_ms += seconds * 1_000,
            Act::Rotate if !self.is_read => {}
            Act::Rotate => {
                self.is_read = false;
                let path = |number: usize| match number {
                    0 => self.lab.folder.path().join("access.jsonl"),
                    _ => self.lab.folder.path().join(format!("access.jsonl.{number}")),
                };
                let count = std::fs::read_dir(self.lab.folder.path()).unwrap().count();
                (0..count).rev().for_each(|number| drop(std::fs::rename(path(number), path(number + 1))));
            }
            Act::Round(ends) => self.round(ends),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    /// However often the reading is cut, and wherever: each line is one effect, with its decision if that was known by then, and as soon as it is.
    #[test]
    fn each_line_is_one_effect_whenever_a_process_ends(acts in prop::collection::vec(act(), 0..80)) {
        let lab = Lab::new();
        lab.told.tell("nobody", "d");
        let (logged, decided) = (BTreeMap::new(), BTreeSet::new());
        let mut story = Story { lab, now_ms: NOW, place: None, left: None, is_read: false, logged, decided };
        story.lab.write(b"");
        story.round(Ends::Never);
        story.is_read = false;
        for act in &acts {
            story.act(act);
        }
        story.lab.write(b"");
        story.lab.told.is_awaited.store(false, Ordering::Relaxed);
        for _ in 0..3 {
            story.now_ms += 15_000;
            story.round(Ends::Never);
        }
        let mut counts = BTreeMap::<usize, usize>::new();
        for act in &acts {
            if let Act::Write(request) = act {
                *counts.entry(*request).or_default() += 1;
            }
        }
        let mut names: Vec<String> = Vec::new();
        for (request, count) in counts {
            let digest = govlog_formats::digest::Digest::sha256(&line(&json!({"request_id": format!("r-{request}")})));
            let name = format!("r-{request}/{}", &digest.to_string()[..16]);
            names.extend((1..=count).map(|time| if time == 1 { name.clone() } else { format!("{name}/{time}") }));
        }
        let mut logged: Vec<String> = story.logged.into_values().map(|(id, _)| id).collect();
        names.sort_unstable();
        logged.sort_unstable();
        prop_assert_eq!(logged, names);
    }
}
