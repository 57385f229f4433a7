//! Permits become members of batches; everything else stands alone; nothing waits longer than it must.

use std::time::Duration;

use govlog_client::openings::Openings;
use govlog_formats::member::tally;
use govlog_formats::record::{Decision, Record, Recorded};
use govlog_formats::statement::SignedStatement;
use serde_json::{Value, json};

use super::record;
use crate::sign::Replaced;
use crate::testing::{Bench, DAY, capture, event};

fn permits(ids: std::ops::Range<u32>) -> Vec<Value> {
    ids.map(|id| event(&format!("d-{id}"))).collect()
}

fn deny(id: &str) -> Value {
    let mut event = event(id);
    event["result"] = json!(false);
    event
}

fn kinds(bench: &Bench, number: u64) -> Vec<String> {
    bench.signed(number).iter().map(|statement| statement.kind().to_owned()).collect()
}

/// The ids of a batch's members; everything that it says of them is so.
fn members(bench: &Bench, number: u64, seq: u64) -> Vec<String> {
    let row = bench.shared.outbox.signed(number, seq, 1, u64::MAX).unwrap().remove(0).1;
    let batch = record(&SignedStatement::parse_entry(&row.entry).unwrap());
    let openings = Openings::decode(&row.openings).unwrap();
    let records: Vec<_> = openings.members.iter().map(|member| member.record.clone()).collect();
    assert_eq!(tally::check(batch.body().unwrap(), &records), Ok(Vec::new()));
    assert_eq!(row.members.len(), records.len());
    for member in &openings.members {
        let decision = decision(&member.record);
        assert!(!member.openings.is_empty());
        for field in &member.openings {
            let Recorded::Sealed(sealed) = decision.body().at(&[&field.path]) else { panic!("{}", field.path) };
            sealed.open(&field.opening).unwrap();
        }
    }
    records.iter().map(|record| decision(record).decision_id().present().unwrap().to_owned()).collect()
}

fn decision(bytes: &[u8]) -> Decision {
    govlog_formats::member::decision(bytes).unwrap()
}

#[test]
fn permits_wait_for_others_and_denies_do_not() {
    let bench = Bench::batching();
    bench.receive(&permits(0..2));
    bench.receive(&[deny("d-2")]);
    bench.sign();
    assert_eq!(kinds(&bench, 0), ["stream", "decision"], "the deny");
    bench.world.wind(Duration::from_millis(999));
    bench.receive(&permits(3..4));
    bench.sign();
    assert_eq!(kinds(&bench, 0).len(), 2);
    bench.world.wind(Duration::from_millis(1));
    bench.sign();
    assert_eq!(kinds(&bench, 0)[2..], ["policy", "decision-batch"]);
    assert_eq!(members(&bench, 0, 3), ["d-0", "d-1", "d-3"]);
    assert_eq!(bench.shared.outbox.backlog().waiting, 0);
}

#[test]
fn a_batch_names_the_rule_that_is_logged_before_it_and_the_rule_is_logged_once() {
    let bench = Bench::batching();
    for round in 0..2 {
        bench.receive(&permits(round * 4..round * 4 + 4));
        bench.sign();
    }
    assert_eq!(kinds(&bench, 0), ["stream", "policy", "decision-batch", "decision-batch"]);
    let signed = bench.signed(0);
    let (rule, batch) = (record(&signed[1]), record(&signed[2]));
    let (rule, batch) = (rule.body().unwrap(), batch.body().unwrap());
    assert_eq!(batch.scheme_digest(&["capture"]), rule.scheme_digest(&["policy_digest"]));
    assert_eq!(batch.scheme_digest(&["capture"]).present().unwrap().bytes, capture().digest().as_bytes());
    assert_eq!(batch.links()[0].rel, "governed_by");
    // No enforcement point is named: it is filed under who signs, and so is the rule.
    assert_eq!(signed[2].claims().sub, signed[2].claims().iss);
    assert_eq!(signed[1].claims().sub, format!("{}/capture", signed[1].claims().iss));
    assert_eq!(signed[1].claims().stream.as_ref().unwrap().seq, 1);
    // After a restart with the same rule it is not logged again.
    let bench = bench.restart();
    bench.receive(&permits(8..12));
    bench.sign();
    assert_eq!(kinds(&bench, 0)[4..], ["decision-batch"]);
}

#[test]
fn a_lone_permit_is_an_entry_of_its_own_after_the_window() {
    let bench = Bench::batching();
    bench.receive(&permits(0..1));
    bench.sign();
    assert_eq!(kinds(&bench, 0), ["stream"]);
    let left = bench.shared.with_signer(|signer| signer.closes_in(0, crate::world::World::now_ms(&*bench.world)));
    assert_eq!(left, Some(Duration::from_secs(1)));
    bench.world.wind(Duration::from_secs(1));
    bench.sign();
    assert_eq!(kinds(&bench, 0), ["stream", "decision"]);
    assert_eq!(bench.shared.with_signer(|signer| signer.closes_in(0, 0)), None);
}

#[test]
fn a_full_batch_closes_at_once_and_none_has_more_members_than_it_may() {
    let bench = Bench::batching();
    bench.receive(&permits(0..9));
    for _ in 0..4 {
        bench.sign();
    }
    let found: Vec<Vec<String>> = [2, 3].map(|seq| members(&bench, 0, seq)).into();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4]);
    bench.world.wind(Duration::from_secs(1));
    bench.sign();
    assert_eq!(kinds(&bench, 0), ["stream", "policy", "decision-batch", "decision-batch", "decision"]);
}

/// Arrivals get their numbers again when what had them is gone: what is held must not hide what comes after.
#[test]
fn denies_that_come_and_go_behind_held_permits_hide_nothing() {
    let bench = Bench::batching();
    bench.receive(&permits(0..1));
    bench.sign();
    for round in 0..3 {
        bench.receive(&[deny(&format!("n-{round}"))]);
        bench.sign();
        assert_eq!(kinds(&bench, 0).len(), 2 + round, "the deny is signed at once");
    }
    bench.receive(&permits(1..3));
    bench.sign();
    bench.world.wind(Duration::from_secs(1));
    bench.sign();
    assert_eq!(kinds(&bench, 0)[4..], ["policy", "decision-batch"]);
    assert_eq!(members(&bench, 0, 5), ["d-0", "d-1", "d-2"]);
    assert_eq!(bench.shared.outbox.backlog().waiting, 0);
}

#[test]
fn other_enforcement_points_have_batches_of_their_own() {
    let bench = Bench::batching();
    let of = |id: u32, by: &str| {
        let mut event = event(&format!("d-{id}"));
        event["labels"]["id"] = json!(by);
        event
    };
    bench.receive(&[of(0, "a"), of(1, "b"), of(2, "a"), of(3, "b")]);
    bench.world.wind(Duration::from_secs(1));
    bench.sign();
    for (number, ids) in [(0, ["d-0", "d-2"]), (1, ["d-1", "d-3"])] {
        assert_eq!(kinds(&bench, number), ["stream", "policy", "decision-batch"]);
        assert_eq!(members(&bench, number, 2), ids);
    }
}

#[test]
fn a_heartbeat_counts_members() {
    let bench = Bench::batching();
    bench.receive(&permits(0..4));
    bench.receive(&[deny("d-9")]);
    bench.sign();
    bench.world.wind(Duration::from_secs(60));
    bench.sign();
    let last = bench.signed(0).pop().unwrap();
    let Record::Stream(beat) = record(&last) else { panic!() };
    let counted = ["received", "emitted", "quarantined", "waiting"].map(|name| beat.counter(name).present());
    assert_eq!(counted, [Some(5), Some(5), Some(0), Some(0)]);
}

#[test]
fn a_clock_that_was_set_back_holds_nothing() {
    let bench = Bench::batching();
    bench.receive(&permits(0..2));
    bench.sign();
    bench.world.set(1_000);
    bench.sign();
    assert!(kinds(&bench, 0).contains(&"decision-batch".to_owned()));
}

#[test]
fn a_refused_batch_gives_its_place_to_its_members() {
    let bench = Bench::batching();
    bench.receive(&permits(0..4));
    bench.sign();
    bench.receive(&[deny("d-9")]);
    bench.sign();
    let keys = bench.shared.outbox.signed(0, 2, 1, u64::MAX).unwrap().remove(0).1.members;
    let replaced = bench.shared.with_signer(|signer| signer.replace_refused(0, 2, 413).unwrap());
    assert_eq!(replaced, Replaced::Unbatched);
    assert_eq!(kinds(&bench, 0), ["stream", "policy", "decision", "decision", "decision", "decision", "decision"]);
    let rows = bench.shared.outbox.signed(0, 2, 5, u64::MAX).unwrap();
    assert_eq!(rows.iter().take(4).map(|(_, row)| row.key).collect::<Vec<_>>(), keys);
    for (_, row) in &rows {
        assert!(row.members.is_empty());
        Openings::decode(&row.openings).unwrap();
    }
    // One that is refused alone is quarantined alone; the rule is the agent's own, and is not.
    let alone = bench.shared.with_signer(|signer| signer.replace_refused(0, 3, 400).unwrap());
    assert_eq!(alone, Replaced::Quarantined);
    let rule = bench.shared.with_signer(|signer| signer.replace_refused(0, 1, 400).unwrap());
    assert_eq!(rule, Replaced::Stuck);
}

#[test]
fn what_is_signed_anew_or_goes_on_elsewhere_keeps_its_members() {
    let bench = Bench::batching();
    bench.receive(&permits(0..4));
    bench.sign();
    let before = members(&bench, 0, 2);
    bench.world.wind(DAY);
    bench.shared.with_signer(|signer| signer.sign_anew(0, 1).unwrap());
    assert_eq!(members(&bench, 0, 2), before);
    let number = bench.shared.with_signer(|signer| signer.fork(0, 2, "opa-new".into()).unwrap()).unwrap();
    assert_eq!(kinds(&bench, number), ["stream", "policy", "decision-batch"]);
    assert_eq!(members(&bench, number, 2), before);
    // The restart reads all of it back from disk.
    assert_eq!(members(&bench.restart(), number, 2), before);
}
