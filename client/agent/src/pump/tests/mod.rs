//! From waiting to published against a strict log in memory.

mod answers;
mod batches;
mod places;
mod svids;

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use govlog_client::openings::{OpeningStore, StoreError};
use govlog_formats::digest::Digest;

use super::{Confirmer, PumpError, Round, Sender, Terms};
use crate::testing::{Bench, DAY, event};

/// Keeps what it is given, unless it is told not to.
#[derive(Default)]
pub(super) struct Memory {
    pub(super) kept: Mutex<Vec<(Digest, Vec<u8>)>>,
    pub(super) is_full: std::sync::atomic::AtomicBool,
}

impl OpeningStore for Memory {
    fn put(&self, openings: &[(Digest, &[u8])]) -> Result<(), StoreError> {
        if self.is_full.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(StoreError::Io { path: "memory".into(), cause: io::ErrorKind::StorageFull.into() });
        }
        self.kept.lock().unwrap().extend(openings.iter().map(|(leaf, bytes)| (*leaf, bytes.to_vec())));
        Ok(())
    }

    fn get(&self, leaf: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let kept = self.kept.lock().unwrap();
        Ok(kept.iter().find(|(other, _)| other == leaf).map(|(_, bytes)| bytes.clone()))
    }

    fn leaves(&self) -> Result<Vec<Digest>, StoreError> {
        Ok(self.kept.lock().unwrap().iter().map(|(leaf, _)| *leaf).collect())
    }

    fn replace(&self, _: &Digest, _: &[u8]) -> Result<(), StoreError> {
        unreachable!("an agent replaces nothing")
    }

    fn remove(&self, _: &[Digest]) -> Result<usize, StoreError> {
        unreachable!("an agent removes nothing")
    }
}

impl Bench {
    /// Lets the sender work a number of rounds.
    pub(super) fn send(&self, rounds: usize) -> Vec<Round> {
        let terms = Terms {
            world: &*self.world,
            trust: self.trust.trust(),
            names: &self.names,
            max_age: DAY,
            retry_most: Duration::from_millis(1),
        };
        let mut sender = Sender::new(&self.shared, &self.log, terms);
        (0..rounds).map(|_| sender.round().unwrap()).collect()
    }

    /// Lets the sender work a number of rounds with real back-off, and gives the waits it asks for.
    pub(super) fn send_patiently(&self, rounds: usize, retry_most: Duration) -> Vec<Duration> {
        let (world, trust, names) = (&*self.world, self.trust.trust(), &*self.names);
        let mut sender = Sender::new(&self.shared, &self.log, Terms { world, trust, names, max_age: DAY, retry_most });
        let wait = |round| match round {
            Round::Later(wait) => Some(wait),
            Round::Worked | Round::Idle | Round::IdleFor(_) => None,
        };
        (0..rounds).filter_map(|_| wait(sender.round().unwrap())).collect()
    }

    pub(super) fn confirm(&self, openings: &dyn OpeningStore) -> Result<Round, PumpError> {
        let times = (7 * DAY, Duration::from_millis(1));
        Confirmer::new(&self.shared, &self.log, openings, &*self.world, self.trust.trust(), times).round()
    }

    /// Signs, sends and confirms until nothing is left.
    pub(super) fn drain(&self) {
        for _ in 0..20 {
            self.sign();
            self.send(3);
            self.confirm(&Memory::default()).unwrap();
            let backlog = self.shared.outbox.backlog();
            if backlog.waiting + backlog.signed == 0 {
                return;
            }
        }
        panic!("not drained: {:?}", self.shared.outbox.backlog());
    }

    /// The ids of the decisions in the log, in its order.
    pub(super) fn decisions(&self) -> Vec<String> {
        let id = |record: &govlog_formats::record::Record| match record {
            govlog_formats::record::Record::Decision(decision) => decision.decision_id().present().map(str::to_owned),
            _ => None,
        };
        self.log.records().iter().filter_map(|(_, record)| id(record)).collect()
    }
}

#[test]
fn what_waits_is_logged_its_openings_are_stored_and_then_it_is_gone() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    assert_eq!(bench.send(2), [Round::Worked, Round::Idle]);
    assert_eq!(bench.shared.outbox.backlog().signed, 3, "nothing is deleted before it is published");
    let openings = Memory::default();
    assert_eq!(bench.confirm(&openings).unwrap(), Round::Worked);
    assert_eq!(bench.shared.outbox.backlog().signed, 0);
    assert_eq!(bench.decisions(), ["d-1", "d-2"]);
    let leaves: Vec<Digest> = bench.log.records()[1..].iter().map(|(statement, _)| statement.leaf_hash()).collect();
    let kept: Vec<Digest> = openings.kept.lock().unwrap().iter().map(|(leaf, _)| *leaf).collect();
    assert_eq!(kept, leaves);
    // They are known again.
    bench.receive(&[event("d-1"), event("d-2")]);
    assert_eq!(bench.shared.outbox.backlog().waiting, 0);
}

#[test]
fn without_a_quorum_nothing_is_let_go_of() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.send(1);
    bench.log.with(|state| state.has_witnesses = false);
    assert!(matches!(bench.confirm(&Memory::default()).unwrap(), Round::Later(_)));
    assert_eq!(bench.shared.outbox.backlog().signed, 2);
    bench.log.with(|state| state.has_witnesses = true);
    bench.confirm(&Memory::default()).unwrap();
    assert_eq!(bench.shared.outbox.backlog().signed, 0);
}

#[test]
fn a_full_opening_store_keeps_everything_in_the_outbox() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.send(1);
    let openings = Memory::default();
    openings.is_full.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(bench.confirm(&openings).unwrap(), Round::Later(_)));
    assert_eq!(bench.shared.outbox.backlog().signed, 2);
}

#[test]
fn a_log_that_is_away_gets_the_same_bytes_again_also_from_the_next_process() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    bench.log.with(|state| state.is_there = false);
    assert!(matches!(bench.send(1)[0], Round::Later(_)));
    let bench = bench.restart();
    bench.log.with(|state| state.is_there = true);
    bench.drain();
    let sent = bench.log.with(|state| state.sent.clone());
    assert_eq!(sent[..3], sent[3..6], "the same bytes");
    assert_eq!(bench.decisions(), ["d-1", "d-2"]);
}

#[test]
fn a_restart_between_commit_and_publication_logs_nothing_twice() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    bench.send(1);
    let bench = bench.restart();
    bench.receive(&[event("d-2"), event("d-3")]);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3"]);
}
