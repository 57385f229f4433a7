//! The tests bind: with each safety removed in turn, a scenario that otherwise holds is seen to break.
//!
//! A fail point switches the safety off in the real process. Each scenario is run both ways.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::network::{Plan, copy_dir, replace_dir};
use harness::power::Cut;
use harness::wait::SOON;
use harness::{Broken, Crowd, Faults, Network, check};

use crate::NODE;
use crate::power_cut::cut_again_and_again;

/// Shows what a scenario found, and that it is what it must find.
#[expect(clippy::print_stdout, reason = "what was found is part of the report")]
fn found(safety: &str, result: Result<(), Broken>, expected: &str) {
    let broken = result.expect_err(&format!("without {safety} the scenario holds: the test does not bind"));
    println!("without {safety}: {broken}");
    assert!(broken.0.contains(expected), "without {safety} something else broke: {broken}");
}

fn used_log() -> (Network, Crowd) {
    let mut network = Plan::new(NODE).start();
    let mut crowd = Crowd::admitted_to(&mut network.log);
    crowd.submit(&mut network.log, 30).unwrap();
    network.log.stop();
    (network, crowd)
}

/// With all syncs left out, a power cut loses what was acknowledged; with them it does not (`power_cut`).
#[test]
fn without_sync_acknowledged_entries_are_lost() {
    found("sync", cut_again_and_again("", &Faults::off("skip_sync"), Cut::Clean, 1), "is lost");
}

/// A bit changes between hashing and writing, as in a faulty memory.
fn a_bit_flips(faults: Faults) -> Result<(), Broken> {
    let (mut network, mut crowd) = used_log();
    network.log.start(&faults.and("flip_stored_entry", "2*off->1*return"));
    let goal = crowd.ledger().count() + 50;
    let (ledger, end) = (Arc::clone(&crowd.judge().ledger), Instant::now() + SOON);
    crowd.work(&mut network.log, |log| log.is_running() && ledger.count() < goal && Instant::now() < end)?;
    if ledger.count() >= goal {
        return check::log(&network.log, crowd.ledger()).map(drop);
    }
    let ended = network.log.ended(SOON);
    assert_eq!(ended.code(), Some(70), "{ended:?}");
    assert!(ended.stderr.contains("read back"), "{}", ended.stderr);
    // What was acknowledged lies below the head, and the head below the flipped bit.
    assert!(crowd.ledger().covering_size() <= network.log.head_on_disk().size.get());
    let refused = network.log.refuse_start(&Faults::none());
    assert!(refused.stderr.contains("store-damaged"), "{}", refused.stderr);
    Ok(())
}

#[test]
fn a_flipped_bit_is_never_signed() {
    a_bit_flips(Faults::none()).unwrap();
}

#[test]
fn without_the_read_back_a_flipped_bit_is_signed() {
    found("the read-back", a_bit_flips(Faults::off("skip_read_back")), "the root that the entries give");
}

/// The process is killed while the head waits to be written; the head file is then looked at.
fn the_head_waits(faults: Faults) -> Result<(), Broken> {
    let (mut network, mut crowd) = used_log();
    network.log.start(&Faults::pause("head::before_write", 5).with(faults));
    let ledger = Arc::clone(&crowd.judge().ledger);
    let (mut last, mut since) = (ledger.count(), Instant::now());
    let begun = last;
    crowd.work(&mut network.log, |log| {
        if ledger.count() > last {
            (last, since) = (ledger.count(), Instant::now());
        }
        // Nobody tells from outside that the head waits; that nothing is acknowledged any more does.
        let on = last == begun || since.elapsed() < STANDSTILL;
        if !on {
            log.kill();
        }
        on
    })?;
    let (promised, head) = (ledger.covering_size(), network.log.head_on_disk().size);
    if promised > head.get() {
        return Err(Broken(format!("acknowledged up to size {promised}, the head file says {head}")));
    }
    network.log.start(&Faults::none());
    crowd.settle(&network.log)?;
    check::log(&network.log, &ledger).map(drop)
}

const STANDSTILL: Duration = Duration::from_millis(500);

#[test]
fn nothing_is_acknowledged_above_the_head() {
    the_head_waits(Faults::none()).unwrap();
}

#[test]
fn without_the_head_first_entries_are_acknowledged_above_it() {
    found("the head before the acknowledgement", the_head_waits(Faults::off("ack_before_head")), "the head file says");
}

/// The store is replaced by an older copy of itself.
fn the_store_goes_back(faults: &Faults) -> Result<(), Broken> {
    let (mut network, mut crowd) = used_log();
    let (store, copy) = (network.log.dir.join("store"), network.path("copy"));
    copy_dir(&store, &copy);
    network.log.start(&Faults::none());
    crowd.submit(&mut network.log, 30)?;
    network.log.stop();
    replace_dir(&store, &copy);
    match network.log.try_start(faults) {
        Err(refused) => {
            assert!(refused.stderr.contains("store-behind-head"), "{}", refused.stderr);
            Ok(())
        }
        Ok(()) => {
            network.log.ready();
            check::log_within(Duration::from_secs(1), &network.log, crowd.ledger()).map(drop)
        }
    }
}

#[test]
fn a_store_older_than_the_head_is_refused() {
    the_store_goes_back(&Faults::none()).unwrap();
}

#[test]
fn without_the_head_check_an_older_store_is_accepted() {
    found("the head check at start-up", the_store_goes_back(&Faults::off("skip_head_check")), "is lost");
}
