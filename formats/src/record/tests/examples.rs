//! The examples that lie beside the schemas.

use super::*;
use crate::digest::Digest;
use crate::record::sealed::Opening;
use crate::record::view::{parse_text, to_json};

/// The example of a kind, with more members.
#[track_caller]
fn example(kind: &str, more: Json) -> Record {
    parsed(kind, &with(parse_text(super::example(kind).unwrap()).unwrap(), more))
}

/// An example shows what there is to know.
#[test]
fn each_has_many_fields_of_its_kind() {
    for group in tables::TYPED {
        let record = example(group.name, json!({}));
        let has = |key| record.body().unwrap().at(&[key]) != Recorded::Absent;
        let shown = group.fields.iter().filter(|field| has(field.key)).count();
        assert!(shown * 3 >= group.fields.len(), "{}: {shown} of {}", group.name, group.fields.len());
    }
}

#[test]
fn each_is_a_record_and_its_own_view() {
    for kind in KINDS {
        let view = parse_text(super::example(kind).unwrap()).unwrap();
        let payload = from_json(kind, &view).unwrap();
        assert_eq!(Record::parse(kind, &payload).unwrap().kind(), kind);
        assert_eq!(to_json(kind, &payload).unwrap(), view, "{kind}");
    }
}

#[test]
fn the_decision_finds_its_issuance_and_the_effect_its_decision() {
    let records = ["decision", "effect", "issuance"].map(|kind| example(kind, json!({})));
    let [Record::Decision(decision), Record::Effect(effect), Record::Issuance(issuance)] = records else { panic!() };
    assert!(issuance.body().handles().contains(&decision.credential().present().unwrap()));
    assert_eq!(effect.decision_id(), decision.decision_id());
}

#[test]
fn the_stream_carries_the_events_of_the_source_that_was_quarantined() {
    let records = ["stream", "quarantine"].map(|kind| example(kind, json!({})));
    let [Record::Stream(stream), Record::Quarantine(quarantine)] = records else { panic!() };
    assert_eq!(quarantine.body().text(&["source", "instance"]), stream.instance());
    assert_eq!(stream.counter("quarantined"), Recorded::Present(1));
}

#[test]
fn the_quarantined_input_opens() {
    let Record::Quarantine(quarantine) = example("quarantine", json!({})) else { panic!() };
    let input = br#"{"decision_id":"9c1f2f0e-0c3a-4d0c-8f4e-5a1c2b7e6d90","result":true,"path":"#;
    let Recorded::Sealed(sealed) = quarantine.input() else { panic!() };
    sealed.open(&Opening { salt: salt(), value: Value::Bytes(input.to_vec()) }).unwrap();
    assert_eq!(quarantine.digest(), Recorded::Present(Digest::sha256(input)));
    assert_eq!(quarantine.size(), Recorded::Present(u64::try_from(input.len()).unwrap()));
}

#[test]
fn the_sealed_context_opens() {
    let Record::Decision(decision) = example("decision", json!({})) else { panic!() };
    let Recorded::Sealed(sealed) = decision.body().at(&["context"]) else { panic!() };
    let opening = Opening { salt: salt(), value: Value::Map(vec![("amount".into(), 250.into())]) };
    sealed.open(&opening).unwrap();
    assert_eq!(opening.seal_searchable(b"tenant lookup key"), sealed);
}

#[test]
fn the_decision_keeps_what_its_engine_was_asked_and_answered() {
    let Record::Decision(decision) = example("decision", json!({})) else { panic!() };
    let input = json!({
        "action": {"name": "read"}, "context": {"amount": 250}, "resource": {"id": "acct-5", "type": "account"},
        "subject": {"id": "spiffe://prod.example/pay", "type": "workload"},
    });
    let Recorded::Sealed(sealed) = decision.input() else { panic!() };
    sealed.open(&Opening { salt: salt(), value: Value::Bytes(input.to_string().into_bytes()) }).unwrap();
    let output: Json = serde_json::from_slice(decision.output().present().unwrap()).unwrap();
    assert_eq!(output["allow"], true);
    let native: Json = serde_json::from_slice(decision.native().present().unwrap()).unwrap();
    assert!(native.is_object());
    assert_eq!(decision.erased(), Recorded::Present(vec!["/input/context/session_token"]));
    assert_eq!((decision.masked(), decision.error()), (Recorded::Absent, Recorded::Absent));
}

/// The batch's members are the example decision three times, under ids of their own.
#[test]
fn the_batch_is_of_decisions_as_the_example() {
    let mut tree = crate::merkle::MemoryTree::new();
    let mut counted = None;
    for number in 8841..=8843 {
        let member = with(
            parse_text(super::example("decision").unwrap()).unwrap(),
            json!({"decision_id": format!("d-{number}")}),
        );
        let payload = from_json("decision", &member).unwrap();
        let Record::Decision(decision) = Record::parse("decision", &payload).unwrap() else { panic!() };
        counted = Some((decision.result().present().unwrap(), decision.policies()));
        tree.push(crate::merkle::leaf_hash(&payload));
    }
    let Record::DecisionBatch(batch) = example("decision-batch", json!({})) else { panic!() };
    assert_eq!(batch.root(), Recorded::Present(tree.root()));
    assert_eq!(batch.count(), Recorded::Present(3));
    let [count] = batch.counts().try_into().unwrap();
    assert_eq!((count.result, count.policies), counted.unwrap());
}

/// The salt of every sealed value in the examples.
fn salt() -> [u8; 32] {
    std::array::from_fn(|at| u8::try_from(at).unwrap())
}
