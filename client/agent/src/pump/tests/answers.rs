//! What each answer of the log leads to.

use govlog_client::submit::Answer;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::Record;
use govlog_formats::statement::SignedStatement;

use super::{Memory, Round};
use crate::testing::{Bench, event, refused};

fn is_decision(statement: &SignedStatement, id: &str) -> bool {
    let record = Record::parse(statement.kind(), statement.payload()).unwrap();
    matches!(record, Record::Decision(decision) if decision.decision_id().present() == Some(id))
}

/// An event of another instance than the usual one.
fn event_of(instance: &str, id: &str) -> serde_json::Value {
    let mut event = event(id);
    event["labels"]["id"] = instance.into();
    event
}

/// What a log says that does not admit the usual instance's stream yet.
fn refuse_all_but_another(statement: &SignedStatement) -> Option<Answer> {
    let stream = &statement.claims().stream.as_ref().unwrap().stream;
    (!stream.contains("another")).then(|| refused(403, "not yet"))
}

#[test]
fn a_definitive_refusal_becomes_a_quarantine_in_that_place() {
    for status in [400, 413] {
        let bench = Bench::new();
        bench.receive(&[event("d-1"), event("d-2"), event("d-3")]);
        bench.log.with(|state| {
            state.refuse = Box::new(move |statement| is_decision(statement, "d-2").then(|| refused(status, "never")));
        });
        bench.drain();
        assert_eq!(bench.decisions(), ["d-1", "d-3"]);
        let records = bench.log.records();
        let Record::Quarantine(quarantine) = &records[2].1 else { panic!("{:?}", records[2].1) };
        assert_eq!(quarantine.refused().present(), Some(u64::from(status)));
        let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
        assert!(metrics.contains("govlog_agent_alarms_total{kind=\"refused\"} 1"), "{metrics}");
    }
}

#[test]
fn a_403_holds_the_stream_until_the_policy_is_mended() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    bench.log.with(|state| {
        state.refuse = Box::new(|statement| (statement.kind() == "decision").then(|| refused(403, "kind not allowed")));
    });
    bench.send(3);
    assert_eq!(bench.shared.outbox.backlog().signed, 3, "nothing is thrown away");
    let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
    assert!(metrics.contains("alarms_total{kind=\"forbidden\"}") && metrics.contains("streams_held 1"), "{metrics}");
    let before = bench.signed(0);
    bench.log.with(|state| state.refuse = Box::new(|_| None));
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2"]);
    let logged: Vec<_> = bench.log.records().into_iter().map(|(statement, _)| statement).collect();
    assert_eq!(logged, before, "the same statements");
}

#[test]
fn one_held_stream_does_not_hold_the_others() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event_of("another-instance", "d-9")]);
    bench.sign();
    bench.log.with(|state| state.refuse = Box::new(refuse_all_but_another));
    bench.send(2);
    assert_eq!(bench.decisions(), ["d-9"]);
}

/// More than may be signed ahead waits in the held one.
#[test]
fn a_backlog_in_a_held_stream_does_not_hold_the_others() {
    let bench = Bench::new();
    let held: Vec<_> = (0..4_200).map(|n| event(&format!("held-{n}"))).collect();
    bench.receive(&held);
    bench.log.with(|state| state.refuse = Box::new(refuse_all_but_another));
    for _ in 0..10 {
        bench.sign();
    }
    assert!(bench.shared.outbox.backlog().waiting > 0, "a bounded number is signed ahead");
    bench.receive(&[event_of("another-instance", "d-9")]);
    bench.sign();
    bench.send(2);
    assert_eq!(bench.decisions(), ["d-9"]);
}

#[test]
fn a_status_about_one_statement_holds_its_stream_alone() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event_of("another-instance", "d-9")]);
    bench.sign();
    bench.log.with(|state| {
        state.refuse = Box::new(|statement| is_decision(statement, "d-1").then(|| refused(500, "broken")));
    });
    assert!(bench.send(1).iter().all(|round| *round == Round::Worked), "the sender does not pause");
    assert_eq!(bench.decisions(), ["d-9"]);
}

#[test]
fn back_pressure_is_waited_out() {
    for status in [429, 503] {
        let bench = Bench::new();
        bench.receive(&[event("d-1")]);
        bench.sign();
        bench.log.with(|state| {
            let mut left = 2;
            state.refuse = Box::new(move |_| {
                left -= 1;
                (left >= 0).then(|| Answer { retry_s: Some(1), ..refused(status, "later") })
            });
        });
        assert!(matches!(bench.send(1)[0], Round::Later(_)));
        bench.drain();
        assert_eq!(bench.decisions(), ["d-1"]);
    }
}

#[test]
fn a_committed_statement_without_its_proof_in_time_is_asked_for_later() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.log.with(|state| state.has_witnesses = false);
    bench.send(1);
    bench.log.with(|state| state.has_witnesses = true);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1"]);
}

#[test]
fn a_proof_that_does_not_hold_lets_go_of_nothing() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    // The log says yes to everything and proves something else.
    bench.log.with(|state| {
        let note = state.log.note_of(state.log.size(), &[0, 1]);
        let proof = state.log.tlog_proof(govlog_formats::merkle::LeafIndex::new(1), &note);
        state.refuse = Box::new(move |_| {
            let id = "1.1".parse().ok();
            Some(Answer { status: 201, id, proof: Some(proof.clone()), ..Answer::default() })
        });
    });
    bench.send(2);
    bench.confirm(&super::Memory::default()).unwrap();
    assert_eq!(bench.shared.outbox.backlog().signed, 2);
    let metrics = bench.shared.telemetry.render(&crate::telemetry::Depth::default());
    assert!(metrics.contains("alarms_total{kind=\"unproved\"}"), "{metrics}");
    bench.log.with(|state| state.refuse = Box::new(|_| None));
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1"]);
}

/// A log that grants a few statements at a time says so in every round; what it takes is progress all the same.
#[test]
fn a_rate_limit_does_not_make_the_waits_longer_and_longer() {
    let bench = Bench::new();
    let events: Vec<_> = (0..12).map(|n| event(&format!("d-{n}"))).collect();
    bench.receive(&events);
    bench.sign();
    bench.log.with(|state| {
        // Of each batch the first.
        let mut last = u64::MAX;
        state.refuse = Box::new(move |statement| {
            let seq = statement.claims().stream.as_ref().unwrap().seq;
            let is_first = seq <= last;
            last = seq;
            (!is_first).then(|| refused(429, "over the rate"))
        });
    });
    let waits = bench.send_patiently(8, std::time::Duration::from_secs(30));
    assert!(waits.iter().all(|wait| *wait <= std::time::Duration::from_millis(100)), "{waits:?}");
    assert_eq!(bench.decisions().len(), 7, "an opening, and a decision for each round");
}

#[test]
fn a_statement_names_the_newest_checkpoint_whichever_proof_came_last() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.send(1);
    let newest = bench.log.with(|state| {
        let older = state.log.size();
        state.older.insert(LeafIndex::new(older.get() - 1), older);
        state.log.append(b"another's".to_vec());
        state.log.note_of(state.log.size(), &[0, 2])
    });
    bench.confirm(&Memory::default()).unwrap();
    assert_eq!(bench.shared.outbox.backlog().signed, 0, "both proofs hold");
    bench.receive(&[event("d-2")]);
    bench.sign();
    let named = bench.signed(0).last().unwrap().claims().head;
    assert_eq!(named, Some(Digest::sha256(&newest)), "and not that of the last proof");
}
