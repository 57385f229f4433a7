//! Members of batches: one is proved by the batch's receipt and its own path, and by nothing less.

use govlog_formats::admission::IssuerRow;
use govlog_formats::cbor::{self, Value, to_deterministic};
use govlog_formats::member::MemberProof;

use super::*;
use crate::testing::batch;

/// A log with a batch, and what it is made of.
struct Batched {
    setup: Setup,
    members: Vec<Vec<u8>>,
    index: LeafIndex,
}

impl Batched {
    fn new() -> Self {
        let members: Vec<Vec<u8>> = (0..5).map(|n| decision(&format!("m-{n}"))).collect();
        Self::of(&batch(&members), members)
    }

    fn of(payload: &[u8], members: Vec<Vec<u8>>) -> Self {
        let mut setup = Setup::new();
        let index = setup.log.add("decision-batch", payload);
        Self { setup, members, index }
    }

    /// The verdict on an entry.
    fn entry(&self, index: LeafIndex) -> Verdict {
        self.setup.judge(&self.setup.log.transparent(index, &self.setup.note()))
    }

    fn proof(&self, place: u64) -> MemberProof {
        let leaf = self.entry(self.index).result.unwrap().statement().leaf_hash();
        MemberProof::build(leaf, &self.members, LeafIndex::new(place)).unwrap()
    }

    /// The verdict on a member, with the entries at these places at hand.
    fn judge(&self, proof: &MemberProof, entries: &[LeafIndex]) -> MemberVerdict {
        let entries: Vec<_> = entries.iter().map(|at| self.entry(*at).result.unwrap()).collect();
        let entries: Vec<_> = entries.iter().collect();
        member("file", &proof.to_bytes(), &entries)
    }
}

fn because(verdict: &MemberVerdict) -> String {
    verdict.result.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_member_is_verified_by_its_batch_and_says_what_an_entry_would() {
    let batched = Batched::new();
    let verdict = batched.judge(&batched.proof(2), &[batched.index]);
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", because(&verdict));
    let text = verdict.text(batched.setup.trust(), COSIGNED + 110);
    for part in [
        "member       2 of 5 in the decision-batch 1.5 of log.example/test",
        "subject      spiffe://prod.example/pay",
        "decision     permit: read account acct-5",
        "2 of 3 witnesses cosigned (w0, w2)",
        "no later than 2023-11-14T22:18:20Z",
        "whether the batch's other members are as it counts them",
        "whether what the issuer states is true",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let json = verdict.json(batched.setup.trust(), COSIGNED);
    assert_eq!((&json["id"], &json["decision"]["decision_id"]), (&"1.5#2".into(), &"m-2".into()));
    assert_eq!((&json["batch"]["id"], &json["batch"]["member"], &json["index"]), (&"1.5".into(), &2.into(), &5.into()));

    let issued = batched.entry(LeafIndex::new(2)).result.unwrap();
    let said = [Said::from(verdict.result.as_ref().unwrap()), Said::from(&issued)];
    assert_eq!(joins(&said)[0].rel, "authenticated_by", "its credential's issuance is found");
}

#[test]
fn a_member_is_as_old_as_the_checkpoint_over_its_batch() {
    let batched = Batched::new();
    let mut verdict = batched.judge(&batched.proof(2), &[batched.index]);
    verdict.require_age(10, COSIGNED + 110);
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", because(&verdict));
    verdict.require_age(9, COSIGNED + 110);
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied);
    assert!(because(&verdict).contains("more than --max-age 9 s"), "{}", because(&verdict));
}

#[test]
fn a_member_without_its_batch_cannot_be_evaluated() {
    let batched = Batched::new();
    let proof = batched.proof(2);
    let verdict = batched.judge(&proof, &[LeafIndex::new(3)]);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate);
    assert!(because(&verdict).contains(&proof.batch.to_string()) && because(&verdict).contains("govlog get"));
}

#[test]
fn relabelled_members_are_refuted() {
    let batched = Batched::new();
    let good = batched.proof(2);
    let bad = [
        MemberProof { index: LeafIndex::new(3), ..good.clone() },
        MemberProof { size: TreeSize::new(4), ..good.clone() },
        MemberProof { record: decision("m-3"), ..good.clone() },
        MemberProof { path: good.path[1..].to_vec(), ..good.clone() },
    ];
    for proof in bad {
        let verdict = batched.judge(&proof, &[batched.index]);
        assert_eq!(verdict.outcome(), Outcome::Refuted, "{proof:?}");
    }
    // An entry that is no batch has no members, whatever is said.
    let plain = LeafIndex::new(3);
    let leaf = batched.entry(plain).result.unwrap().statement().leaf_hash();
    let verdict = batched.judge(&MemberProof { batch: leaf, ..good }, &[plain]);
    assert_eq!(verdict.outcome(), Outcome::Refuted);
    assert!(because(&verdict).contains("no decision-batch"), "{}", because(&verdict));
}

#[test]
fn a_batch_lets_nobody_speak_about_others_subjects() {
    let Value::Map(mut pairs) = cbor::parse(&decision("m-1")).unwrap() else { panic!() };
    for (key, value) in &mut pairs {
        if key.as_text() == Some("subject") {
            *value = Value::Map(vec![("id".into(), "spiffe://else.example/pay".into())]);
        }
    }
    let members = vec![decision("m-0"), to_deterministic(&Value::Map(pairs))];
    let batched = Batched::of(&batch(&members), members);
    assert_eq!(batched.judge(&batched.proof(0), &[batched.index]).outcome(), Outcome::Verified);
    let verdict = batched.judge(&batched.proof(1), &[batched.index]);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate);
    assert!(because(&verdict).contains("may not speak about spiffe://else.example/pay"), "{}", because(&verdict));
    let mut all = batched.entry(batched.index);
    all.hold_against(&all.result.clone().unwrap(), &batched.members);
    assert_eq!(all.outcome(), Outcome::CannotEvaluate);
    assert!(why(&all).contains("member 1: ") && why(&all).contains("may not speak about"), "{}", why(&all));
}

#[test]
fn a_batch_lets_nobody_decide_who_may_not_log_decisions() {
    let mut batched = Batched::new();
    let kinds = vec!["decision-batch".to_owned()];
    let set = vec![IssuerRow { kinds, ..batched.setup.log.issuer_row() }];
    let at = batched.setup.log.change(ChangeFields { set, ..ChangeFields::default() });
    batched.index = batched.setup.log.add("decision-batch", &batch(&batched.members));
    let (note, log) = (batched.setup.note(), &batched.setup.log);
    batched.setup.dir.add_change(at, &log.entries[6], &log.tlog_proof(at, &note)).unwrap();
    let one = batched.judge(&batched.proof(1), &[batched.index]);
    let mut all = batched.entry(batched.index);
    all.hold_against(&all.result.clone().unwrap(), &batched.members);
    assert_eq!((one.outcome(), all.outcome()), (Outcome::CannotEvaluate, Outcome::CannotEvaluate));
    for why in [because(&one), why(&all)] {
        assert!(why.contains("may not submit decisions") && why.contains("as of change 2"), "{why}");
    }
}

#[test]
fn a_batch_is_held_against_its_members() {
    let batched = Batched::new();
    let mut verdict = batched.entry(batched.index);
    let entry = verdict.result.clone().unwrap();
    verdict.hold_against(&entry, &batched.members);
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", why(&verdict));

    let mut fewer = batched.entry(batched.index);
    fewer.hold_against(&entry, &batched.members[1..]);
    assert_eq!(fewer.outcome(), Outcome::Refuted);

    // It counts another result than its members have.
    let Value::Map(mut pairs) = cbor::parse(&batch(&batched.members)).unwrap() else { panic!() };
    pairs.retain(|(key, _)| key.as_text() != Some("counts"));
    let row = [("result", Value::from("deny")), ("count", 5.into()), ("subject", "spiffe://prod.example/pay".into())];
    let row = Value::Map(row.into_iter().map(|(key, value)| (key.into(), value)).collect());
    pairs.push(("counts".into(), Value::Array(vec![row])));
    let lying = Batched::of(&to_deterministic(&Value::Map(pairs)), batched.members);
    let mut verdict = lying.entry(lying.index);
    let entry = verdict.result.clone().unwrap();
    verdict.hold_against(&entry, &lying.members);
    assert_eq!(verdict.outcome(), Outcome::Refuted);
    assert!(
        why(&verdict).contains("counts say 0 of permit") || why(&verdict).contains("counts say 5 of deny"),
        "{}",
        why(&verdict)
    );
}

#[test]
fn arbitrary_bytes_prove_no_member() {
    use proptest::prelude::*;
    let batched = Batched::new();
    let entry = batched.entry(batched.index).result.unwrap();
    let good = batched.proof(1).to_bytes();
    let mut runner = proptest::test_runner::TestRunner::default();
    let place = (0..good.len(), any::<u8>());
    let verdict = runner.run(&place, |(at, byte)| {
        let mut bad = good.clone();
        prop_assume!(bad[at] != byte);
        bad[at] = byte;
        prop_assert_ne!(member("file", &bad, &[&entry]).outcome(), Outcome::Verified);
        Ok(())
    });
    verdict.unwrap();
}
