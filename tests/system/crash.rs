//! The process is killed, or a step fails, at every named place of a commit, while submitters are at work.
//!
//! After each restart every acknowledged (id, leaf hash) is compared with the log, the whole log is derived again from its
//! entries, and what was sent before the crash is sent once more: it must get the place it had.

use std::time::{Duration, Instant};

use govlog_client::testing::Random;
use harness::network::Plan;
use harness::{Crowd, Ended, Faults, Network, check};

use crate::NODE;

/// The fail points of a commit, in the order of their documentation.
pub(crate) const POINTS: [&str; 12] = [
    "sequencer::before_write",
    "store::after_write",
    "finisher::before_read_back",
    "head::before_write",
    "head::after_first_half",
    "head::after_write",
    "head::after_sync",
    "finisher::before_sign",
    "finisher::before_ack",
    "archive::before",
    "archive::after",
    RECOVERY,
];

const RECOVERY: &str = "recovery::before_adopt";

/// What a poisoned log exits with.
const POISONED: i32 = 70;

/// A log that has worked for a while and is down.
fn used_log() -> (Network, Crowd) {
    let mut network = Plan::new(NODE).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    crowd.submit(&mut network.log, 20).unwrap();
    network.log.kill();
    (network, crowd)
}

/// Starts the log with a fault and works until it has struck.
fn strike(network: &mut Network, crowd: &mut Crowd, faults: &Faults) -> Ended {
    match network.log.try_start(faults) {
        Ok(()) => crowd.work_until_end(&mut network.log).unwrap(),
        Err(ended) => ended,
    }
}

/// Starts the log without a fault, and holds it to all that was promised.
fn recover(network: &mut Network, crowd: &mut Crowd) {
    network.log.start(&Faults::none());
    crowd.settle(&network.log).unwrap();
    crowd.submit(&mut network.log, 10).unwrap();
    check::log(&network.log, crowd.ledger()).unwrap();
    network.log.kill();
}

/// Leaves a batch in the store that the head does not cover.
fn leave_a_tail(network: &mut Network, crowd: &mut Crowd) {
    let ended = strike(network, crowd, &Faults::kill("store::after_write", 2));
    assert!(ended.aborted(), "{ended:?}");
}

fn killed_at(point: &str) {
    let (mut network, mut crowd) = used_log();
    for passes in [0, 1, 6] {
        if point == RECOVERY {
            leave_a_tail(&mut network, &mut crowd);
        }
        let passes = if point == RECOVERY { 0 } else { passes };
        let ended = strike(&mut network, &mut crowd, &Faults::kill(point, passes));
        assert!(ended.aborted(), "{point} after {passes}: {} {}", ended.status, ended.stderr);
        recover(&mut network, &mut crowd);
    }
}

fn failed_at(point: &str) {
    let (mut network, mut crowd) = used_log();
    for passes in [0, 3] {
        if point == RECOVERY {
            leave_a_tail(&mut network, &mut crowd);
        }
        let passes = if point == RECOVERY { 0 } else { passes };
        let ended = strike(&mut network, &mut crowd, &Faults::error(point, passes));
        assert_eq!(ended.code(), Some(POISONED), "{point} after {passes}: {} {}", ended.status, ended.stderr);
        assert!(ended.stderr.contains(point), "the message does not name the step: {}", ended.stderr);
        recover(&mut network, &mut crowd);
    }
}

macro_rules! at_each_point {
    ($($name:ident: $number:literal)*) => {
        mod killed {
            $(#[test] fn $name() { super::killed_at(super::POINTS[$number]); })*
        }
        /// The step reports an error: before it, nothing was done; after it, all was.
        mod failed {
            $(#[test] fn $name() { super::failed_at(super::POINTS[$number]); })*
        }
    };
}

at_each_point! {
    before_the_batch_is_written: 0
    after_the_batch_is_written: 1
    before_the_read_back: 2
    before_the_head_is_written: 3
    in_the_middle_of_the_head: 4
    before_the_head_is_synced: 5
    after_the_head_is_synced: 6
    before_the_head_is_signed: 7
    before_the_acknowledgements: 8
    before_a_note_is_archived: 9
    after_a_note_is_archived: 10
    before_a_tail_is_adopted: 11
}

/// The start after a crash dies as well, at each step that it takes, and then once more; the third one recovers.
fn second_fault_after(first: &str, seconds: &[&str]) {
    let (mut network, mut crowd) = used_log();
    for second in seconds {
        for fault in [Faults::kill(second, 0), Faults::error(second, 0)] {
            let ended = strike(&mut network, &mut crowd, &Faults::kill(first, 1));
            assert!(ended.aborted(), "{first}: {ended:?}");
            let ended = strike(&mut network, &mut crowd, &fault);
            assert!(ended.aborted() || ended.code() == Some(POISONED), "{first}, {fault}: {ended:?}");
            network.log.start(&Faults::none());
            crowd.settle(&network.log).unwrap();
            network.log.kill();
        }
    }
    recover(&mut network, &mut crowd);
}

#[test]
fn a_second_fault_while_a_tail_is_adopted() {
    second_fault_after("store::after_write", &[&ADOPTING[..], &SIGNING].concat());
}

#[test]
fn a_second_fault_while_a_torn_head_is_mended() {
    second_fault_after("head::after_first_half", &[&ADOPTING[..], &SIGNING].concat());
}

/// There is no tail to adopt: the head is advanced.
#[test]
fn a_second_fault_after_an_unsigned_head() {
    second_fault_after("finisher::before_sign", &SIGNING);
}

/// What a start does with a tail.
const ADOPTING: [&str; 5] =
    [RECOVERY, "head::before_write", "head::after_first_half", "head::after_write", "head::after_sync"];

/// What every start does.
const SIGNING: [&str; 3] = ["finisher::before_sign", "archive::before", "archive::after"];

/// Kills at random times, also while the log starts.
#[test]
fn killed_at_any_time() {
    let (mut network, mut crowd) = used_log();
    let (mut random, begun) = (Random(0x9e37_79b9_7f4a_7c15), Instant::now());
    let mut rounds = 0;
    while rounds < 30 || begun.elapsed() < Duration::from_secs(15) {
        rounds += 1;
        if random.below(4) == 0 {
            network.log.kill_while_starting(Duration::from_millis(random.below(150) as u64));
            continue;
        }
        network.log.start(&Faults::none());
        let end = Instant::now() + Duration::from_millis(random.below(300) as u64);
        let work = crowd.work(&mut network.log, |log| {
            let on = Instant::now() < end;
            if !on {
                log.kill();
            }
            on
        });
        work.unwrap();
        if rounds % 10 == 0 {
            recover(&mut network, &mut crowd);
        }
        if begun.elapsed() > Duration::from_secs(40) {
            break;
        }
    }
    assert!(rounds >= 30, "only {rounds} rounds in 40 s");
    recover(&mut network, &mut crowd);
}
