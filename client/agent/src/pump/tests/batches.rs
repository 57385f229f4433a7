//! Batches on their way: members are known again, kept in the opening store, and lost by no answer.

use std::time::Duration;

use govlog_client::openings::{OpeningStore as _, Openings};
use govlog_formats::record::Record;
use serde_json::Value;

use super::Memory;
use crate::testing::{Bench, event, refused};

fn permits(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| event(&format!("d-{id}"))).collect()
}

/// Signs what is due, sends and confirms it.
fn settle(bench: &Bench, openings: &Memory) {
    bench.world.wind(Duration::from_secs(1));
    for _ in 0..6 {
        bench.sign();
        bench.send(3);
        bench.confirm(openings).unwrap();
    }
    let backlog = bench.shared.outbox.backlog();
    assert_eq!((backlog.waiting, backlog.signed), (0, 0));
}

/// The ids of all decisions: entries, and members as the opening store keeps them.
fn decisions(bench: &Bench, openings: &Memory) -> Vec<String> {
    let id = |bytes: &[u8]| {
        let decision = govlog_formats::member::decision(bytes).unwrap();
        decision.decision_id().present().unwrap().to_owned()
    };
    let mut found = Vec::new();
    for (statement, record) in bench.log.records() {
        match record {
            Record::Decision(_) => found.push(id(statement.payload())),
            record if record.kind() == "decision-batch" => {
                let kept = Openings::decode(&openings.get(&statement.leaf_hash()).unwrap().unwrap()).unwrap();
                found.extend(kept.members.iter().map(|member| id(&member.record)));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn members_are_kept_before_they_are_let_go_of_and_known_again() {
    let (bench, openings) = (Bench::batching(), Memory::default());
    bench.receive(&permits(0..4));
    bench.sign();
    bench.send(2);
    openings.is_full.store(true, std::sync::atomic::Ordering::Relaxed);
    bench.confirm(&openings).unwrap();
    assert_eq!(bench.shared.outbox.backlog().signed, 3, "a full opening store keeps all of it in the outbox");
    openings.is_full.store(false, std::sync::atomic::Ordering::Relaxed);
    settle(&bench, &openings);
    assert_eq!(decisions(&bench, &openings), ["d-0", "d-1", "d-2", "d-3"]);
    let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
    assert!(metrics.contains("govlog_agent_published_events_total 4"), "{metrics}");
    let bench = bench.restart();
    bench.receive(&permits(0..5));
    assert_eq!(bench.shared.outbox.backlog().waiting, 1, "four of five are known");
    settle(&bench, &openings);
    assert_eq!(decisions(&bench, &openings).len(), 5);
}

#[test]
fn keys_of_members_are_forgotten_in_their_time() {
    let (bench, openings) = (Bench::batching(), Memory::default());
    bench.receive(&permits(0..4));
    settle(&bench, &openings);
    let later = crate::world::World::now_ms(&*bench.world) + 8 * 86_400_000;
    assert_eq!(bench.shared.outbox.forget(later, 0).unwrap(), 4);
}

#[test]
fn a_batch_that_is_refused_for_good_loses_no_member() {
    for status in [400, 413] {
        let (bench, openings) = (Bench::batching(), Memory::default());
        bench.receive(&permits(0..6));
        bench.log.with(|state| {
            state.refuse =
                Box::new(move |statement| (statement.kind() == "decision-batch").then(|| refused(status, "never")));
        });
        settle(&bench, &openings);
        let mut found = decisions(&bench, &openings);
        found.sort();
        assert_eq!(found, ["d-0", "d-1", "d-2", "d-3", "d-4", "d-5"]);
        assert!(bench.log.records().iter().all(|(_, record)| record.kind() != "quarantine"));
        let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
        assert!(metrics.contains("govlog_agent_alarms_total{kind=\"refused\"}"), "{metrics}");
    }
}

#[test]
fn held_permits_are_in_the_next_process_too() {
    let (bench, openings) = (Bench::batching(), Memory::default());
    bench.receive(&permits(0..2));
    bench.sign();
    let bench = bench.restart();
    settle(&bench, &openings);
    assert_eq!(decisions(&bench, &openings), ["d-0", "d-1"]);
}

#[test]
fn the_stations_wake_when_a_batch_is_due() {
    let bench = Bench::batching();
    bench.receive(&permits(0..1));
    let round = |bench: &Bench| bench.shared.sign(&*bench.world, Duration::from_secs(1)).unwrap();
    assert_eq!(round(&bench), super::Round::Worked, "the stream is opened");
    assert_eq!(round(&bench), super::Round::IdleFor(Duration::from_secs(1)));
    bench.world.wind(Duration::from_millis(400));
    assert_eq!(round(&bench), super::Round::IdleFor(Duration::from_millis(600)));
    bench.world.wind(Duration::from_millis(600));
    assert_eq!(round(&bench), super::Round::Worked);
    assert_eq!(round(&bench), super::Round::Idle);
}
