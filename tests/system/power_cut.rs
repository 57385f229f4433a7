//! The power goes: what was written and not synced is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use govlog_client::testing::Random;
use harness::network::{FAST, Network, Plan};
use harness::power::{Cut, Power};
use harness::wait::SOON;
use harness::{Broken, Crowd, Faults, check};

use crate::NODE;

/// A store so small that tables are written and old write-ahead logs removed all the time.
const SMALL_STORE: &str = "memtables_mib = 1\nwal_mib = 1\n";

fn log_on_weak_power(settings: &str, seed: u64) -> (Network, Crowd, Power) {
    let mut network = Plan::new(NODE).settings(&format!("{FAST}{settings}")).start();
    let crowd = Crowd::admitted_to(&mut network.log);
    network.log.stop();
    let power = Power::over(&network.log.dir, &network.path("power"), seed);
    network.log.environment = power.environment();
    (network, crowd, power)
}

/// Works for a moment and loses power, a number of times; then holds the log to all that was promised.
pub(crate) fn cut_again_and_again(settings: &str, faults: &Faults, how: Cut, cuts: u64) -> Result<(), Broken> {
    let (mut network, mut crowd, mut power) = log_on_weak_power(settings, how as u64 + 77);
    let mut random = Random(how as u64 + 1234);
    for cut in 0..cuts {
        let ledger = Arc::clone(&crowd.judge().ledger);
        let before = ledger.count();
        network.log.start(faults);
        let end = Instant::now() + Duration::from_millis(100 + random.below(200) as u64);
        crowd.work(&mut network.log, |log| {
            let on = Instant::now() < end || (ledger.count() == before && Instant::now() < end + SOON);
            if !on {
                log.kill();
            }
            on
        })?;
        assert!(ledger.count() > before, "nothing was acknowledged before cut {cut}");
        power.cut(how);
    }
    let started = network.log.try_start(&Faults::none());
    started.map_err(|ended| Broken(format!("the log does not start: {}", ended.stderr)))?;
    network.log.ready();
    // Nothing is sent before this: what is lost must not be written again first.
    check::log_within(Duration::from_secs(3), &network.log, crowd.ledger())?;
    crowd.settle(&network.log)?;
    crowd.submit(&mut network.log, 20)?;
    check::log(&network.log, crowd.ledger())?;
    Ok(())
}

#[test]
fn nothing_acknowledged_is_lost_with_all_unsynced_bytes() {
    cut_again_and_again(SMALL_STORE, &Faults::none(), Cut::Clean, 12).unwrap();
}

#[test]
fn nothing_acknowledged_is_lost_when_some_unsynced_bytes_reach_the_disk() {
    cut_again_and_again(SMALL_STORE, &Faults::none(), Cut::Torn, 12).unwrap();
}
