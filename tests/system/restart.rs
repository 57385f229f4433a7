//! What a start refuses, and what a stop finishes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::network::{Plan, copy_dir, replace_dir};
use harness::wait::SOON;
use harness::{Crowd, Faults, Network, check};

use crate::NODE;

/// A log with a head and a store that were copied after 20 entries, and 20 entries later.
struct TwoTimes {
    network: Network,
    crowd: Crowd,
    before: PathBuf,
}

fn two_times(plan: Plan) -> TwoTimes {
    let mut network = plan.start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    crowd.submit(&mut network.log, 20).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
    network.log.stop();
    let before = network.path("before");
    for part in ["store", "head"] {
        copy_dir(&network.log.dir.join(part), &before.join(part));
    }
    network.log.start(&Faults::none());
    crowd.settle(&network.log).unwrap();
    crowd.submit(&mut network.log, 20).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
    network.log.stop();
    TwoTimes { network, crowd, before }
}

impl TwoTimes {
    fn put_back(&self, part: &str) {
        replace_dir(&self.network.log.dir.join(part), &self.before.join(part));
    }

    fn refused(&mut self, runbook: &str) {
        let refused = self.network.log.refuse_start(&Faults::none());
        assert!(refused.code().is_some_and(|code| code != 0), "{refused:?}");
        assert!(refused.stderr.contains(&format!("runbook {runbook}")), "{}", refused.stderr);
    }
}

#[test]
fn a_head_older_than_the_store_is_refused() {
    let mut log = two_times(Plan::new(NODE));
    log.put_back("head");
    log.refused("head-rolled-back");
}

/// Store and head restored together look right from inside; the witnesses know better.
#[test]
fn store_and_head_restored_together_are_stopped_by_the_witnesses() {
    let mut log = two_times(Plan::new(NODE).witnesses(3, 2));
    log.put_back("store");
    log.put_back("head");
    let ended = match log.network.log.try_start(&Faults::none()) {
        Ok(()) => {
            // While it lives it takes nothing.
            let outcome = log.crowd.work_until_end(&mut log.network.log);
            outcome.unwrap()
        }
        Err(ended) => ended,
    };
    assert_eq!(ended.code(), Some(70), "{}", ended.stderr);
}

#[test]
fn the_head_of_another_store_is_refused() {
    let mut log = two_times(Plan::new(NODE));
    let other = two_times(Plan::new(NODE));
    replace_dir(&log.network.log.dir.join("head"), &other.network.log.dir.join("head"));
    log.refused("foreign-store");
}

#[test]
fn another_logs_key_is_refused() {
    let mut log = two_times(Plan::new(NODE));
    let other = Plan::new(NODE).build();
    std::fs::copy(other.log.dir.join("checkpoint.key"), log.network.log.dir.join("checkpoint.key")).unwrap();
    let refused = log.network.log.refuse_start(&Faults::none());
    assert!(refused.stderr.contains("key"), "{}", refused.stderr);
}

#[test]
fn a_missing_head_is_never_made_anew() {
    let mut log = two_times(Plan::new(NODE));
    std::fs::remove_file(log.network.log.dir.join("head/head")).unwrap();
    log.refused("head-missing");
}

/// A torn slot can only be the trace of a batch that was synced before; without that batch it is damage.
#[test]
fn a_damaged_head_slot_without_a_tail_is_refused() {
    let mut log = two_times(Plan::new(NODE));
    let path = log.network.log.dir.join("head/head");
    let whole = std::fs::read(&path).unwrap();
    for at in [100, 4096 + 100] {
        let mut torn = whole.clone();
        torn[at] ^= 1;
        std::fs::write(&path, torn).unwrap();
        log.network.log.refuse_start(&Faults::none());
    }
    std::fs::write(&path, whole).unwrap();
    log.network.log.start(&Faults::none());
    check::log(&log.network.log, log.crowd.ledger()).unwrap();
}

#[test]
fn a_second_process_on_one_directory_is_refused() {
    let mut network = Plan::new(NODE).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    let second = network.log.launch(&Faults::none()).finish();
    assert!(second.stderr.contains("runbook two-processes"), "{}", second.stderr);
    assert!(second.code().is_some_and(|code| code != 0), "{second:?}");
    crowd.submit(&mut network.log, 20).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
}

/// SIGTERM under load: what was acknowledged stays, the process ends well and in time, the next start finds nothing to mend.
#[test]
fn a_stop_under_load_loses_nothing() {
    let mut network = Plan::new(NODE).witnesses(3, 2).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    for _ in 0..3 {
        let goal = crowd.ledger().count() + 20;
        let (ledger, end) = (Arc::clone(&crowd.judge().ledger), Instant::now() + SOON);
        let mut told = None;
        crowd
            .work(&mut network.log, |log| {
                if told.is_none() && ledger.count() >= goal {
                    log.process().terminate();
                    told = Some(Instant::now());
                }
                log.is_running() && Instant::now() < end
            })
            .unwrap();
        let ended = network.log.ended(Duration::from_secs(1));
        assert_eq!(ended.code(), Some(0), "{}", ended.stderr);
        assert!(told.unwrap().elapsed() < Duration::from_secs(10), "it took {:?}", told.unwrap().elapsed());
        network.log.start(&Faults::none());
        network.log.ready();
        crowd.settle(&network.log).unwrap();
        check::log(&network.log, crowd.ledger()).unwrap();
    }
}

/// With witnesses that never answer, a stop still takes no longer than 10 s.
#[test]
fn a_stop_waits_for_nobody_who_is_away() {
    use harness::fake_witness::{FakeWitness, Manner};
    let fake = FakeWitness::start(Manner::Cosigns);
    let mut network = Plan::new(NODE).other(fake.line()).quorum(1).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    fake.behave(Manner::Silent);
    crowd.submit(&mut network.log, 20).unwrap();
    let begun = Instant::now();
    network.log.stop();
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
