//! Verdicts on what a hostile hand may pass over.

mod members;

use govlog_formats::admission::ChangeFields;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::statement::{Content, SignedStatement, StatementHeader, content_type_of};
use govlog_formats::transparent;

use super::*;
use crate::testing::{COSIGNED, TestLog, decision, issuance, sign};
use crate::trust::{Trust, TrustDir};

/// A log with an issuance (2) and decisions (3, 4), and a trust directory that knows its admission policy.
struct Setup {
    log: TestLog,
    _dir: tempfile::TempDir,
    dir: TrustDir,
}

impl Setup {
    fn new() -> Self {
        let mut log = TestLog::new();
        log.add("issuance", &issuance());
        log.add("decision", &decision("d-1"));
        log.add("decision", &decision("d-2"));
        let temporary = tempfile::tempdir().unwrap();
        let dir = log.trusted_in(&temporary.path().join("trust"));
        Self { log, _dir: temporary, dir }
    }

    fn trust(&self) -> &Trust {
        self.dir.trust()
    }

    fn note(&self) -> Vec<u8> {
        self.log.note_of(self.log.size(), &[0, 2])
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        transparent_statement(self.trust(), "file", bytes)
    }
}

fn why(verdict: &Verdict) -> String {
    verdict.result.as_ref().err().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_published_entry_is_verified_with_its_witnesses_and_its_upper_time_bound() {
    let setup = Setup::new();
    let verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &setup.note()));
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", why(&verdict));
    let entry = verdict.result.as_ref().unwrap();
    assert_eq!((entry.id().to_string(), entry.included().size), ("1.3".to_owned(), TreeSize::new(5)));
    let seen: Vec<_> =
        entry.included().witnesses.iter().map(|witness| (witness.name.as_str(), witness.time_s)).collect();
    assert_eq!(seen, [("w0", COSIGNED + 100), ("w2", COSIGNED + 300)]);
    // Two of three are the quorum, so its last member bounds the time.
    assert_eq!(entry.included().bracket.upper_s, Some(COSIGNED + 300));
    let text = verdict.text(setup.trust(), COSIGNED + 110);
    assert!(text.contains("2 of 3 witnesses cosigned (w0, w2), 0 independent"), "{text}");
    assert!(text.contains("no later than 2023-11-14T22:18:20Z") && text.contains("age 10 s"), "{text}");
}

#[test]
fn every_byte_of_a_transparent_statement_is_bound() {
    let setup = Setup::new();
    let good = setup.log.transparent(LeafIndex::new(3), &setup.note());
    for at in 0..good.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let verdict = setup.judge(&bad);
            if verdict.outcome() == Outcome::Verified {
                // What may vary is only what no signature covers and no claim is read from.
                let entry = verdict.result.unwrap();
                assert_eq!(entry.statement().entry(), &setup.log.entries[3][..], "byte {at}");
                assert_eq!(entry.included().index, LeafIndex::new(3), "byte {at}");
                assert_eq!(entry.included().size, setup.log.size(), "byte {at}");
            }
        }
    }
}

#[test]
fn too_few_witnesses_do_not_satisfy_the_policy() {
    let setup = Setup::new();
    let one = setup.log.note_of(setup.log.size(), &[1]);
    let verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &one));
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied, "{}", why(&verdict));
    let none = setup.log.note_of(setup.log.size(), &[]);
    let verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &none));
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied, "a committed receipt is not enough offline");
}

#[test]
fn a_maximum_age_is_the_readers_own_policy() {
    let setup = Setup::new();
    let bytes = setup.log.transparent(LeafIndex::new(3), &setup.note());
    let mut verdict = setup.judge(&bytes);
    // Two of three are the quorum: it has signed since the slower of these two did.
    verdict.require_age(60, COSIGNED + 100 + 60);
    assert_eq!(verdict.outcome(), Outcome::Verified);
    verdict.require_age(60, COSIGNED + 100 + 61);
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied);
}

/// One witness whose clock is ahead, or that belongs to the log's operator, could otherwise hide that the rest saw nothing for long.
#[test]
fn one_witness_alone_makes_no_checkpoint_newer() {
    let setup = Setup::new();
    let note = setup.log.note_of(setup.log.size(), &[0, 1, 2]);
    let mut verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &note));
    let included = verdict.result.as_ref().unwrap().included();
    assert_eq!((included.witnesses.len(), included.checkpoint_time_s), (3, Some(COSIGNED + 200)));
    assert_eq!(verdict.json(setup.trust(), COSIGNED + 211)["checkpoint_age_s"], 11);
    verdict.require_age(10, COSIGNED + 211);
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied);
}

/// Without a quorum nobody whom the reader relies on says when.
#[test]
fn where_no_quorum_is_asked_for_the_age_is_unknown() {
    let setup = Setup::new();
    let policy = setup.log.policy().replace("quorum two", "quorum none");
    let path = setup._dir.path().join("none");
    let mut dir = TrustDir::create(&path, &policy, &setup.log.entries[0]).unwrap();
    let change = LeafIndex::new(1);
    dir.add_change(change, &setup.log.entries[1], &setup.log.tlog_proof(change, &setup.note())).unwrap();
    let mut verdict =
        transparent_statement(dir.trust(), "file", &setup.log.transparent(LeafIndex::new(3), &setup.note()));
    assert_eq!(verdict.result.as_ref().unwrap().included().checkpoint_time_s, None, "{}", why(&verdict));
    verdict.require_age(u64::MAX, COSIGNED);
    assert_eq!(verdict.outcome(), Outcome::PolicyNotSatisfied);
}

#[test]
fn a_receipt_of_an_unknown_key_is_named_and_not_checked() {
    let setup = Setup::new();
    let stranger = SigningKey::from_seed(Curve::P256, &[99; 32]).unwrap();
    let foreign = setup.log.receipt_for(LeafIndex::new(3), &setup.note(), &stranger);
    let alone = transparent::assemble(&setup.log.entries[3], std::slice::from_ref(&foreign)).unwrap();
    let verdict = setup.judge(&alone);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate);
    assert!(verdict.not_checked.iter().any(|remark| remark.contains("no receipt key")), "{:?}", verdict.not_checked);

    let ours = setup.log.receipt_for(LeafIndex::new(3), &setup.note(), &setup.log.receipt);
    let both = transparent::assemble(&setup.log.entries[3], &[foreign, ours]).unwrap();
    assert_eq!(setup.judge(&both).outcome(), Outcome::Verified);
}

#[test]
fn a_receipt_for_another_entry_or_another_note_is_refuted() {
    let setup = Setup::new();
    let other = setup.log.receipt_for(LeafIndex::new(4), &setup.note(), &setup.log.receipt);
    let verdict = setup.judge(&transparent::assemble(&setup.log.entries[3], &[other]).unwrap());
    assert_eq!(verdict.outcome(), Outcome::Refuted);

    let smaller = setup.log.note_of(TreeSize::new(4), &[0, 1]);
    let relabelled = setup.log.receipt_for(LeafIndex::new(3), &smaller, &setup.log.receipt);
    let verdict = setup.judge(&transparent::assemble(&setup.log.entries[3], &[relabelled]).unwrap());
    assert_eq!(verdict.outcome(), Outcome::Refuted, "{}", why(&verdict));
}

#[test]
fn an_issuer_that_the_known_policy_does_not_list_cannot_be_evaluated() {
    let mut setup = Setup::new();
    let fresh = TrustDir::create(&setup._dir.path().join("fresh"), &setup.log.policy(), &setup.log.entries[0]).unwrap();
    let bytes = setup.log.transparent(LeafIndex::new(3), &setup.note());
    let verdict = transparent_statement(fresh.trust(), "file", &bytes);
    assert_eq!(verdict.outcome(), Outcome::CannotEvaluate);
    assert!(why(&verdict).contains("trust update") && why(&verdict).contains("as of change 0"), "{}", why(&verdict));

    // Retired later: what was logged before stays verified, for the policy in force at its index is what counts.
    let retired =
        setup.log.change(ChangeFields { retire: vec![crate::testing::ISSUER.to_owned()], ..ChangeFields::default() });
    let note = setup.note();
    setup.dir.add_change(retired, &setup.log.entries[5], &setup.log.tlog_proof(retired, &note)).unwrap();
    let verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &note));
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", why(&verdict));
}

#[test]
fn a_statement_that_the_listed_key_did_not_sign_is_refuted() {
    let mut setup = Setup::new();
    let good = sign(&setup.log.issuer, "decision", &decision("d-9"), None).entry().to_vec();
    let mut forged = good.clone();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let index = setup.log.append(forged);
    let note = setup.note();
    let verdict = setup.judge(&setup.log.transparent(index, &note));
    assert_eq!(verdict.outcome(), Outcome::Refuted, "{}", why(&verdict));
}

#[test]
fn one_size_with_two_roots_is_a_split_view() {
    let mut setup = Setup::new();
    let note = setup.note();
    setup.dir.pin(&note).unwrap();
    setup.log.entries[4] = setup.log.entries[3].clone();
    let forked = setup.note();
    let verdict = setup.judge(&setup.log.transparent(LeafIndex::new(3), &forked));
    assert_eq!(verdict.outcome(), Outcome::Refuted);
    assert!(why(&verdict).contains("split view"), "{}", why(&verdict));
}

#[test]
fn a_proof_file_is_judged_for_the_entry_beside_it() {
    let setup = Setup::new();
    let (index, note) = (LeafIndex::new(4), setup.note());
    let proof = setup.log.tlog_proof(index, &note);
    let verdict = proof_file(setup.trust(), "file", &proof, &setup.log.entries[4]);
    assert_eq!(verdict.outcome(), Outcome::Verified, "{}", why(&verdict));
    let with_receipt = setup.log.transparent(index, &note);
    assert_eq!(proof_file(setup.trust(), "file", &proof, &with_receipt).outcome(), Outcome::Verified);
    assert_eq!(proof_file(setup.trust(), "file", &proof, &setup.log.entries[3]).outcome(), Outcome::Refuted);
}

#[test]
fn a_decision_joins_the_issuance_of_its_credential() {
    let setup = Setup::new();
    let note = setup.note();
    let verdicts: Vec<_> = [3, 2].map(|at| setup.judge(&setup.log.transparent(LeafIndex::new(at), &note))).into();
    let entries: Vec<Said> = verdicts.iter().map(|verdict| verdict.result.as_ref().unwrap().into()).collect();
    let by = format!("cert_s256 {}", "11".repeat(32));
    assert_eq!(joins(&entries), [Join { from: 0, to: 1, rel: "authenticated_by".to_owned(), by, through: None }]);
}

#[test]
fn every_decision_of_many_joins_and_none_joins_itself() {
    let mut setup = Setup::new();
    let more: Vec<LeafIndex> = (0..40).map(|n| setup.log.add("decision", &decision(&format!("more-{n}")))).collect();
    let note = setup.note();
    let places = [3, 2, 4].map(LeafIndex::new).into_iter().chain(more);
    let verdicts: Vec<_> = places.map(|at| setup.judge(&setup.log.transparent(at, &note))).collect();
    let entries: Vec<Said> = verdicts.iter().map(|verdict| verdict.result.as_ref().unwrap().into()).collect();
    let found: Vec<_> = joins(&entries).iter().map(|join| (join.from, join.to)).collect();
    assert_eq!(found, (0..43).filter(|from| *from != 1).map(|from| (from, 1)).collect::<Vec<_>>());
}

#[test]
fn a_verdict_says_what_was_decided_and_of_whose_event_it_is() {
    let mut setup = Setup::new();
    let view = serde_json::json!({
        "v": 1, "event_ms": 1_700_000_000_000_u64, "decision_id": "d-9", "result": "not-evaluated",
        "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
        "resource": { "type": "account", "id": "acct-5\nVERIFIED" },
        "source": { "system": "opa", "instance": "i-1", "native_id": "d-9" },
    });
    let payload = govlog_formats::record::view::from_json("decision", &view).unwrap();
    let index = setup.log.add("decision", &payload);
    let note = setup.note();
    let verdict = setup.judge(&setup.log.transparent(index, &note));
    let text = verdict.text(setup.trust(), COSIGNED);
    assert!(text.contains("\n  decision     not-evaluated: read account acct-5\\nVERIFIED\n"), "{text}");
    assert!(text.contains("\n  source       opa i-1, event d-9\n"), "{text}");
    let document = verdict.json(setup.trust(), COSIGNED);
    let decision = serde_json::json!({
        "decision_id": "d-9", "result": "not-evaluated", "action": "read",
        "resource_type": "account", "resource": "acct-5\nVERIFIED",
    });
    assert_eq!(document["decision"], decision);
    assert_eq!(document["source"], serde_json::json!({ "system": "opa", "instance": "i-1", "native_id": "d-9" }));

    let issued = setup.judge(&setup.log.transparent(LeafIndex::new(2), &note)).json(setup.trust(), COSIGNED);
    assert_eq!((issued.get("decision"), issued.get("source")), (None, None));
}

#[test]
fn what_an_issuer_claims_forges_no_line_of_a_verdict() {
    let mut setup = Setup::new();
    let mut claims = sign(&setup.log.issuer, "decision", &decision("d-9"), None).claims().clone();
    claims.sub = "spiffe://prod.example/a\n  witnesses    3\u{9b}2J\u{202e}".to_owned();
    let header = StatementHeader { content: Content::Plain(content_type_of("decision")), claims };
    let statement = SignedStatement::sign(&header, &decision("d-9"), &setup.log.issuer).unwrap();
    let index = setup.log.append(statement.entry().to_vec());
    let text = setup.judge(&setup.log.transparent(index, &setup.note())).text(setup.trust(), COSIGNED);
    assert!(text.contains("subject      spiffe://prod.example/a\\n  witnesses    3\\u{9b}2J\\u{202e}\n"), "{text}");
}

#[test]
fn arbitrary_bytes_are_never_verified() {
    use proptest::prelude::*;
    let setup = Setup::new();
    let bytes = proptest::collection::vec(any::<u8>(), 0..600);
    let mut runner = proptest::test_runner::TestRunner::default();
    let verdict = runner.run(&bytes, |bytes| {
        prop_assert_ne!(setup.judge(&bytes).outcome(), Outcome::Verified);
        prop_assert_ne!(proof_file(setup.trust(), "file", &bytes, &bytes).outcome(), Outcome::Verified);
        Ok(())
    });
    verdict.unwrap();
}
