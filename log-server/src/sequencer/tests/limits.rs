//! Doors and bounds: who is kept out, with what answer, and that room comes back.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{DiskGuard, Reserve};
use crate::refusal::{Refusal, Unavailable};
use crate::sequencer::testing::{Disk, Place, World, decoded};
use crate::sequencer::{Limits, Load, Parts, Sequencer};
use crate::store::LogStore;

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn statements(count: usize) -> Vec<govlog_formats::statement::SignedStatement> {
    (0..count).map(|number| World::get().statement(0, &Place::Alone, &format!("{number}"))).collect()
}

const NOTHING: Load = Load { statements: 0, bytes: 0 };

#[test]
fn where_one_finds_no_room_neither_do_those_after_it() {
    let disk = Disk::fresh();
    let all = statements(20);
    let bytes = all.iter().take(8).map(|one| one.entry().len()).sum::<usize>();
    for limits in [Limits { statements: 8, ..Limits::default() }, Limits { bytes: bytes + 1, ..Limits::default() }] {
        let live = disk.try_start(limits).unwrap();
        let answers = live.log(&all);
        assert!(answers[..8].iter().all(|answer| answer.starts_with(['=', '+'])), "{answers:?}");
        assert!(answers[8..].iter().all(|answer| answer == "Queue"), "{answers:?}");
        // Room comes back with the answers, or the duplicates would find none.
        assert_eq!(live.sequencer.load(), NOTHING);
        assert_eq!(live.log(&all[..8]).len(), 8);
        live.stop();
    }
    assert_eq!(disk.check().len(), 9);
}

#[test]
fn statements_are_held_off_until_the_sequencer_is_opened() {
    let disk = Disk::fresh();
    let parts = Parts {
        signer: Box::new(disk.signer()),
        clock: Arc::clone(&disk.clock) as Arc<dyn crate::clock::Clock>,
        disk: DiskGuard::new(vec![], Reserve::default()),
        limits: Limits::default(),
        telemetry: crate::telemetry::Telemetry::new().unwrap(),
        on_fatal: Box::new(|cause| panic!("{cause}")),
    };
    let (sequencer, running) = Sequencer::start(disk.recover().unwrap(), parts).unwrap();
    let policy = sequencer.policy().load_full();
    let admitted = |number: usize| {
        let one = statements(number + 1).pop().unwrap();
        vec![crate::admission::Admitted::judge(&policy, one, None).unwrap()]
    };
    let answer = |number| decoded(sequencer.submit(admitted(number)).pop().unwrap().wait());
    assert_eq!(answer(0), "Unconfirmed");
    assert!(matches!(sequencer.check(), Err(Refusal::Unavailable { why: Unavailable::Unconfirmed, .. })));
    sequencer.open();
    sequencer.check().unwrap();
    assert_eq!(answer(0), "=1");
    sequencer.hold(Unavailable::Unconfirmed);
    assert_eq!(answer(1), "Unconfirmed");
    // Notes are archived all the same.
    let head = sequencer.committed().borrow().clone();
    let archived = wait(sequencer.archive(&head, Bytes::from_static(b"note\n"))).unwrap();
    assert_eq!(archived.size.get(), 2);
    sequencer.open();
    assert_eq!(answer(1), "=2");
    assert!(running.stop().is_some());
    assert_eq!(answer(2), "ShuttingDown");
    sequencer.open();
    assert_eq!(answer(2), "ShuttingDown", "nothing opens it again");
}

#[test]
fn a_full_disk_keeps_statements_out() {
    let disk = Disk::fresh();
    let parts = Parts {
        signer: Box::new(disk.signer()),
        clock: Arc::clone(&disk.clock) as Arc<dyn crate::clock::Clock>,
        disk: DiskGuard::new(vec!["/".into()], Reserve { bytes: u64::MAX, percent: 0 }),
        limits: Limits::default(),
        telemetry: crate::telemetry::Telemetry::new().unwrap(),
        on_fatal: Box::new(|cause| panic!("{cause}")),
    };
    let (sequencer, running) = Sequencer::start(disk.recover().unwrap(), parts).unwrap();
    sequencer.open();
    let policy = sequencer.policy().load_full();
    let one = crate::admission::Admitted::judge(&policy, statements(1).pop().unwrap(), None).unwrap();
    assert_eq!(decoded(sequencer.submit(vec![one]).pop().unwrap().wait()), "Disk");
    assert!(running.stop().is_some());
    assert_eq!(disk.check().len(), 1);
}

#[test]
fn a_store_that_is_about_to_stall_keeps_statements_out_until_it_is_not() {
    let disk = Disk::fresh();
    let live = disk.start();
    let all = statements(3);
    disk.store.strain(true);
    // The write that finds the store strained is still answered.
    assert_eq!(live.log(&all[..1]), ["=1"]);
    assert_eq!(live.log(&all[1..]), ["Store", "Store"]);
    disk.store.strain(false);
    assert_eq!(live.log(&all), ["+1", "=2", "=3"]);
    live.stop();
}

#[test]
fn the_first_note_of_a_size_stays_for_ever() {
    let disk = Disk::fresh();
    let live = disk.start();
    let head = live.head();
    let first = wait(live.sequencer.archive(&head, Bytes::from_static(b"first\n"))).unwrap();
    assert_eq!((first.size, first.time, first.note.as_ref()), (head.size(), head.time(), b"first\n".as_slice()));
    let second = wait(live.sequencer.archive(&head, Bytes::from_static(b"second\n"))).unwrap();
    assert_eq!(second, first);
    assert_eq!(disk.store.newest_archived().unwrap(), Some(first));
    live.stop();
}

#[test]
fn stopping_finishes_what_was_taken() {
    let disk = Disk::fresh();
    for round in 0..20 {
        let live = disk.start();
        let all: Vec<_> =
            (0..300).map(|number| World::get().statement(0, &Place::Alone, &format!("{round} {number}"))).collect();
        let tickets = live.submit(&all);
        live.stop();
        for ticket in tickets {
            ticket.wait().unwrap();
        }
    }
    assert_eq!(disk.check().len(), 6001);
}

#[test]
fn a_submitter_that_goes_away_changes_nothing() {
    let disk = Disk::fresh();
    let live = disk.start();
    let all = statements(100);
    drop(live.submit(&all));
    assert_eq!(live.log(&all), (1..=100).map(|index| format!("+{index}")).collect::<Vec<_>>());
    assert_eq!(live.sequencer.load(), NOTHING);
    live.stop();
}

#[test]
fn poison_from_outside_stops_it_once_and_for_good() {
    let disk = Disk::fresh();
    let live = disk.start();
    assert_eq!(live.log(&statements(1)), ["=1"]);
    let (before, head) = (disk.check(), live.head());
    live.sequencer.poison("a witness holds a larger note of ours");
    live.sequencer.poison("again");
    assert_eq!(live.log(&statements(3)), ["Stopped", "Stopped", "Stopped"]);
    assert!(matches!(wait(live.sequencer.archive(&head, Bytes::new())), Err(Refusal::Stopped)));
    live.sequencer.open();
    assert_eq!(live.log(&statements(1)), ["Stopped"], "nothing opens it again");
    assert_eq!(live.alarms.recv().unwrap(), "a witness holds a larger note of ours");
    drop(live.running.stop());
    assert!(live.alarms.try_recv().is_err(), "one alarm");
    assert_eq!(disk.check(), before);
}
