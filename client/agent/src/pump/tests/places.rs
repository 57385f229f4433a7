//! Streams find back to their place, or go on under another name.

use govlog_formats::record::Record;

use super::Round;
use crate::testing::{Bench, DAY, event, refused};

#[test]
fn a_log_that_lost_what_it_had_committed_gets_it_again() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2"), event("d-3")]);
    bench.sign();
    bench.send(1);
    bench.log.with(|state| state.roll_back(3));
    assert!(bench.decisions().is_empty());
    bench.receive(&[event("d-4")]);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3", "d-4"]);
    assert_eq!(bench.shared.outbox.streams().unwrap().len(), 1, "the stream goes on");
}

#[test]
fn a_log_that_lost_what_was_published_raises_an_alarm_and_nothing_is_signed_over_it() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.drain();
    bench.log.with(|state| state.roll_back(1));
    bench.receive(&[event("d-3")]);
    bench.sign();
    bench.send(3);
    let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
    assert!(metrics.contains("alarms_total{kind=\"rolled-back\"}"), "{metrics}");
    assert_eq!(bench.shared.outbox.backlog().signed, 1, "it waits");
}

/// What a restored copy of the outbox looks like: it does not know what was signed after the copy was made, `d-2`.
fn with_an_older_outbox() -> Bench {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.drain();
    let copy = bench.copy_of_outbox();
    bench.receive(&[event("d-2")]);
    bench.drain();
    bench.restart_with(|outbox| std::fs::write(outbox.join("outbox.redb"), &copy).unwrap())
}

#[test]
fn an_older_outbox_goes_on_in_a_new_stream_that_names_the_old_one() {
    let bench = with_an_older_outbox();
    let old = bench.shared.outbox.stream(0).unwrap().unwrap().name;
    bench.receive(&[event("d-3"), event("d-4")]);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3", "d-4"]);
    let opened = bench.log.records().into_iter().filter_map(|(_, record)| match record {
        Record::Stream(stream) => stream.predecessor().present().map(str::to_owned),
        _ => None,
    });
    assert_eq!(opened.collect::<Vec<_>>(), [old]);
}

/// The copy also holds what was sent after it was made, and the log has: that must not be logged again.
#[test]
fn what_an_older_outbox_holds_and_the_log_has_is_not_logged_again() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let copy = bench.copy_of_outbox();
    bench.drain();
    bench.receive(&[event("d-3")]);
    bench.drain();
    let bench = bench.restart_with(|outbox| std::fs::write(outbox.join("outbox.redb"), &copy).unwrap());
    bench.receive(&[event("d-4")]);
    bench.sign();
    // Nothing is confirmed meanwhile: everything is in the outbox when the histories part.
    bench.send(4);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3", "d-4"]);
}

#[test]
fn after_the_outbox_is_lost_a_new_stream_names_the_old_one() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.drain();
    let old = bench.shared.outbox.stream(0).unwrap().unwrap().name;
    let bench = bench.restart_with(|outbox| std::fs::remove_dir_all(outbox).unwrap());
    bench.receive(&[event("d-2")]);
    bench.drain();
    let predecessors: Vec<_> =
        bench.shared.outbox.streams().unwrap().into_iter().map(|(_, row)| row.predecessor).collect();
    assert_eq!(predecessors, [Some(old)]);
}

#[test]
fn statements_that_waited_too_long_are_signed_anew_once() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let before = bench.signed(0);
    bench.world.wind(2 * DAY);
    let oldest = before[0].claims().iat + 86_400;
    bench.log.with(|state| {
        state.refuse =
            Box::new(move |statement| (statement.claims().iat < oldest).then(|| refused(403, "iat too old")));
    });
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2"]);
    let logged = bench.log.records();
    assert_eq!(logged[1].0.payload(), before[1].payload(), "the same record");
    assert_eq!(logged[1].0.claims().iat, before[1].claims().iat + 2 * 86_400);
}

#[test]
fn statements_from_a_clock_that_was_ahead_are_signed_anew() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    let ahead = bench.signed(0)[0].claims().iat;
    bench.world.set(1_795_320_442_000 - 86_400_000);
    bench.log.with(|state| {
        state.refuse = Box::new(move |statement| (statement.claims().iat >= ahead).then(|| refused(403, "iat ahead")));
    });
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1"]);
}

#[test]
fn a_log_that_contradicts_itself_is_not_asked_in_circles() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    bench.send(1);
    let statements = bench.signed(0);
    bench.log.with(|state| {
        state.roll_back(2);
        let first = statements[0].sig_structure_digest();
        // Whatever comes, the log expects the place after the first statement, and refuses what stands there.
        state.refuse = Box::new(move |_| {
            Some(govlog_client::submit::Answer { seq: Some(1), prev: Some(first), ..refused(409, "another place") })
        });
    });
    for _ in 0..5 {
        bench.send(1);
    }
    let sent = bench.log.with(|state| state.sent.len());
    assert!(sent < 100, "{sent} statements were sent");
    let rounds = bench.send(4);
    assert_ne!(rounds[3], Round::Worked, "{rounds:?}");
    assert_eq!(bench.shared.outbox.backlog().signed, 3, "nothing is lost");
}

/// Keys are forgotten by the witnesses' time, for a clock can be wrong by years for a minute.
#[test]
fn a_clock_that_jumps_makes_nothing_be_logged_twice() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.drain();
    for now_ms in [4_000_000_000_000, 1_000, 1_795_320_442_000] {
        bench.world.set(now_ms);
        bench.sign();
        bench.receive(&[event("d-1")]);
        bench.drain();
    }
    assert_eq!(bench.decisions(), ["d-1"]);
}

/// The log looks at the time before it looks at the place.
#[test]
fn an_older_outbox_whose_statements_are_too_old_as_well_finds_its_way_out() {
    let bench = with_an_older_outbox();
    bench.receive(&[event("d-3")]);
    bench.sign();
    let oldest = bench.signed(0)[0].claims().iat + 86_400;
    bench.world.wind(2 * DAY);
    bench.log.with(|state| {
        state.refuse =
            Box::new(move |statement| (statement.claims().iat < oldest).then(|| refused(403, "iat too old")));
    });
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3"]);
}
