//! Members and their proofs: every size and place, every byte changed, every label replaced.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::record::view;

fn record(number: usize) -> Vec<u8> {
    let record = json!({
        "v": 1, "event_ms": 1_795_320_442_000_u64 + number as u64, "decision_id": format!("d-{number}"), "result": "permit",
        "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
        "resource": { "type": "account", "id": format!("acct-{}", number % 7) },
    });
    view::from_json("decision", &record).unwrap()
}

fn records(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(record).collect()
}

fn root(records: &[Vec<u8>]) -> Digest {
    tree(records.iter().map(Vec::as_slice)).root()
}

fn at(index: usize) -> LeafIndex {
    LeafIndex::new(index as u64)
}

fn size(count: usize) -> TreeSize {
    TreeSize::new(count as u64)
}

const BATCH: Digest = Digest::from_bytes([7; 32]);

#[test]
fn every_member_of_every_small_batch_is_proved_and_no_other_label_is() {
    for count in 1..=40 {
        let records = records(count);
        let root = root(&records);
        for index in 0..count {
            let proof = MemberProof::build(BATCH, &records, at(index)).unwrap();
            let read = MemberProof::parse(&proof.to_bytes()).unwrap();
            assert_eq!(read, proof);
            let decision = read.verify(&BATCH, size(count), &root).unwrap();
            assert_eq!(decision.decision_id().present(), Some(format!("d-{index}").as_str()));
            // The same hashes under another index, whatever size is said.
            for other in (0..2 * count).filter(|other| *other != index) {
                let relabelled = MemberProof { index: at(other), ..proof.clone() };
                assert!(relabelled.verify(&BATCH, size(count), &root).is_err(), "{index} of {count} as {other}");
            }
            // The same hashes under another size: the batch's count is what is believed.
            for other in (0..2 * count).filter(|other| *other != count) {
                let relabelled = MemberProof { size: size(other), ..proof.clone() };
                assert_eq!(
                    relabelled.verify(&BATCH, size(count), &root),
                    Err(MemberError::Count { said: size(other), count: size(count) })
                );
            }
        }
    }
}

#[test]
fn there_is_no_member_behind_the_last_and_none_of_an_empty_batch() {
    let none = |records: &[Vec<u8>], index| MemberProof::build(BATCH, records, at(index)).unwrap_err();
    assert_eq!(none(&[], 0), MemberError::NoSuchMember { index: at(0), count: size(0) });
    assert_eq!(none(&records(3), 3), MemberError::NoSuchMember { index: at(3), count: size(3) });
}

#[test]
fn a_proof_is_of_its_batch_alone() {
    let records = records(5);
    let proof = MemberProof::build(BATCH, &records, at(2)).unwrap();
    let other = Digest::from_bytes([8; 32]);
    assert_eq!(
        proof.verify(&other, size(5), &root(&records)),
        Err(MemberError::OtherBatch { named: BATCH, found: other })
    );
    assert!(matches!(proof.verify(&BATCH, size(5), &other), Err(MemberError::Proof(ProofError::Root { .. }))));
}

#[test]
fn any_byte_changed_is_refused() {
    let records = records(6);
    let root = root(&records);
    let good = MemberProof::build(BATCH, &records, at(3)).unwrap().to_bytes();
    for place in 0..good.len() {
        for flip in [0x01, 0x02, 0x20, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[place] ^= flip;
            let verified = MemberProof::parse(&bad).and_then(|proof| proof.verify(&BATCH, size(6), &root));
            assert!(verified.is_err(), "byte {place} changed by {flip:#x}");
        }
    }
}

#[test]
fn a_file_cut_short_or_followed_by_something_is_refused() {
    let good = MemberProof::build(BATCH, &records(6), at(3)).unwrap().to_bytes();
    for end in 0..good.len() {
        assert!(MemberProof::parse(&good[..end]).is_err(), "{end}");
    }
    assert!(MemberProof::parse(&[good, vec![0]].concat()).is_err());
    assert_eq!(
        MemberProof::parse(&vec![0; MAX_MEMBER_PROOF_BYTES + 1]),
        Err(MemberError::TooLarge(MAX_MEMBER_PROOF_BYTES + 1))
    );
}

/// A map with the pairs of a good proof, one of them changed, left out or added.
fn altered(change: impl FnOnce(&mut Vec<(Value, Value)>)) -> Result<MemberProof, MemberError> {
    let good = MemberProof::build(BATCH, &records(2), at(1)).unwrap();
    let Value::Map(mut pairs) = cbor::parse(&good.to_bytes()).unwrap() else { panic!() };
    change(&mut pairs);
    MemberProof::parse(&cbor::to_deterministic(&Value::Map(pairs)))
}

#[test]
fn the_map_is_exactly_what_its_cddl_says() {
    let named: Vec<&str> = include_str!("member-proof.cddl")
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.split(':').next())
        .collect();
    let mut known = KEYS.to_vec();
    known.sort_by_key(|name| named.iter().position(|other| other == name));
    assert_eq!(known, named);
    assert_eq!(altered(|pairs| pairs.push(("extra".into(), 1.into()))), Err(MemberError::NotTheMap));
    for name in KEYS {
        let without = altered(|pairs| pairs.retain(|(key, _)| key.as_text() != Some(name)));
        assert_eq!(without, Err(MemberError::NotTheMap), "{name}");
        let set = |value: Value| {
            altered(|pairs| {
                pairs.iter_mut().filter(|(key, _)| key.as_text() == Some(name)).for_each(|pair| pair.1 = value.clone())
            })
        };
        for wrong in [Value::Null, (-1).into(), "1".into(), Value::Bytes(vec![0; 33]), Value::Array(vec![1.into()])] {
            // Any bytes may be a record until it is read as one.
            if (name, &wrong) != ("record", &Value::Bytes(vec![0; 33])) {
                assert!(matches!(set(wrong), Err(MemberError::Wrong { field, .. }) if field == name), "{name}");
            }
        }
    }
    assert!(
        altered(|pairs| pairs.iter_mut().for_each(|pair| if pair.0.as_text() == Some("v") {
            pair.1 = 2.into()
        }))
        .is_err()
    );
}

#[test]
fn a_path_or_a_record_beyond_its_bound_is_refused() {
    let good = MemberProof::build(BATCH, &records(2), at(1)).unwrap();
    let long = MemberProof { path: vec![BATCH; MAX_INCLUSION_PATH + 1], ..good.clone() };
    assert!(matches!(MemberProof::parse(&long.to_bytes()), Err(MemberError::Wrong { field: "path", .. })));
    for length in [0, MAX_ENTRY_BYTES + 1] {
        let odd = MemberProof { record: vec![0; length], ..good.clone() };
        assert!(
            matches!(MemberProof::parse(&odd.to_bytes()), Err(MemberError::Wrong { field: "record", .. })),
            "{length}"
        );
    }
    // The largest of all fits the bound on files.
    let most = MemberProof {
        index: LeafIndex::new(u64::MAX),
        size: TreeSize::new(u64::MAX),
        path: vec![BATCH; MAX_INCLUSION_PATH],
        record: vec![0; MAX_ENTRY_BYTES],
        ..good
    };
    assert_eq!(MemberProof::parse(&most.to_bytes()).unwrap(), most);
}

#[test]
fn a_member_that_is_no_decision_is_refused_though_it_is_under_the_root() {
    for record in [b"\x01".to_vec(), b"\xa1av\x01".to_vec(), vec![0xff]] {
        let batch = [record];
        let proof = MemberProof::build(BATCH, &batch, at(0)).unwrap();
        assert!(matches!(proof.verify(&BATCH, size(1), &root(&batch)), Err(MemberError::Record(_))));
    }
}

proptest! {
    #[test]
    fn any_member_of_any_batch_is_proved(count in 1_usize..300, pick in any::<prop::sample::Index>()) {
        let (records, index) = (records(count), pick.index(count));
        let proof = MemberProof::build(BATCH, &records, at(index)).unwrap();
        let read = MemberProof::parse(&proof.to_bytes()).unwrap();
        prop_assert!(read.verify(&BATCH, size(count), &root(&records)).is_ok());
        let mut without = records.clone();
        without.remove(index);
        prop_assert!(read.verify(&BATCH, size(count - 1), &root(&without)).is_err());
    }

    #[test]
    fn what_is_read_is_written_the_same(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = MemberProof::parse(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
        }
    }
}
