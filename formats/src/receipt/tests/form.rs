//! The exact form of a receipt.

use coset::{CoseSign1, TaggedCborSerializable as _};

use super::*;
use crate::cbor::CborFault;

/// A receipt in pieces, so that each can be spoilt; it is signed again by whoever writes it.
struct Draft {
    protected: Vec<(Value, Value)>,
    claims: Vec<(Value, Value)>,
    unprotected: Vec<(Value, Value)>,
    vdp: Vec<(Value, Value)>,
    proofs: Vec<Value>,
    proof: Value,
    payload: Option<Vec<u8>>,
}

fn draft() -> Draft {
    let tree = tree(3);
    let path = InclusionProof::build(&tree, LeafIndex::new(0), tree.size()).unwrap().path;
    let path = path.iter().map(|hash| Value::Bytes(hash.as_bytes().to_vec())).collect();
    Draft {
        protected: vec![
            (1.into(), Value::from(-7)),
            (4.into(), Value::Bytes(key().public().thumbprint().as_bytes().to_vec())),
            (395.into(), Value::from(1)),
        ],
        claims: vec![(1.into(), Value::from(claims().iss)), (2.into(), Value::from(SUB)), (6.into(), Value::from(IAT))],
        unprotected: vec![("govlog.checkpoint".into(), Value::Bytes(note(&checkpoint(&tree))))],
        vdp: vec![],
        proofs: vec![],
        proof: Value::Array(vec![Value::from(3), Value::from(0), Value::Array(path)]),
        payload: None,
    }
}

fn set(pairs: &mut Vec<(Value, Value)>, label: impl Into<Value>, value: impl Into<Value>) {
    let label = label.into();
    pairs.retain(|(found, _)| *found != label);
    pairs.push((label, value.into()));
}

fn drop_label(pairs: &mut Vec<(Value, Value)>, label: impl Into<Value>) {
    let label = label.into();
    pairs.retain(|(found, _)| *found != label);
}

impl Draft {
    fn protected(&self) -> Vec<u8> {
        let mut pairs = self.protected.clone();
        if !self.claims.is_empty() {
            pairs.push((15.into(), Value::Map(self.claims.clone())));
        }
        to_deterministic(&Value::Map(pairs))
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes_under(&self.protected())
    }

    fn bytes_under(&self, protected: &[u8]) -> Vec<u8> {
        let mut proofs = vec![Value::Bytes(to_deterministic(&self.proof))];
        proofs.extend(self.proofs.clone());
        let mut vdp = vec![(Value::from(-1), Value::Array(proofs))];
        vdp.extend(self.vdp.clone());
        let mut unprotected = self.unprotected.clone();
        if !unprotected.iter().any(|(label, _)| *label == Value::from(396)) {
            unprotected.push((396.into(), Value::Map(vdp)));
        }
        let signature = key().sign(&sig_structure(protected, tree(3).root().as_bytes()));
        encode_sign1(protected, &to_deterministic(&Value::Map(unprotected)), self.payload.as_deref(), &signature)
    }

    fn error(&self) -> ReceiptError {
        Receipt::parse(&self.bytes()).unwrap_err()
    }
}

fn spoilt(spoil: impl FnOnce(&mut Draft)) -> Draft {
    let mut draft = draft();
    spoil(&mut draft);
    draft
}

fn field_of(error: ReceiptError) -> &'static str {
    match error {
        ReceiptError::Missing { field, .. } | ReceiptError::Wrong { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn the_draft_is_a_receipt_as_we_write_it() {
    assert_eq!(draft().bytes(), receipt(0, 3).0);
    assert!(judge(&draft().bytes(), &entry(0)).is_some());
}

#[test]
fn every_byte_stands_where_it_is_specified() {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (bytes, _) = receipt(1, 2);
    let note = note(&checkpoint(&tree(2)));
    let protected = format!(
        "a4 01 26 04 5820{} 0f a3 01 75{} 02 781d{} 06 1a6ab13b80 19018b 01",
        key().public().thumbprint(),
        hex(b"https://log.example/1"),
        hex(SUB.as_bytes()),
    );
    let proof = format!("83 02 01 81 5820{}", entry(0));
    let unprotected = format!(
        "a2 19018c a1 20 81 58{:02x} {proof} 71{} 58{:02x} {}",
        unhex(&proof).len(),
        hex(b"govlog.checkpoint"),
        note.len(),
        hex(&note)
    );
    let structure =
        format!("84 6a{} 58{:02x} {protected} 40 5820{}", hex(b"Signature1"), unhex(&protected).len(), tree(2).root());
    let signature = hex(&key().sign(&unhex(&structure)));
    let expected = format!("d2 84 58{:02x} {protected} {unprotected} f6 5840{signature}", unhex(&protected).len());
    assert_eq!(hex(&bytes), hex(&unhex(&expected)));
}

#[test]
fn an_oracle_reads_and_verifies_our_receipts() {
    let (bytes, checkpoint) = receipt(4, 7);
    let oracle = CoseSign1::from_tagged_slice(&bytes).unwrap();
    assert_eq!(oracle.payload, None);
    assert_eq!(oracle.protected.header.key_id, key().public().thumbprint().as_bytes());
    let labels =
        |rest: &[(coset::Label, coset::cbor::Value)]| rest.iter().map(|(label, _)| label.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&oracle.protected.header.rest), [coset::Label::Int(15), coset::Label::Int(395)]);
    assert_eq!(
        labels(&oracle.unprotected.rest),
        [coset::Label::Int(396), coset::Label::Text("govlog.checkpoint".to_owned())]
    );
    let structure = oracle.tbs_detached_data(checkpoint.root.as_bytes(), &[]);
    assert_eq!(key().public().verify(Algorithm::Es256, &structure, &oracle.signature), Ok(()));
    assert_eq!(oracle.to_tagged_vec().unwrap(), bytes);
}

#[test]
fn the_protected_header_holds_exactly_1_4_15_and_395() {
    for (label, name) in [(1, "1 alg"), (4, "4 kid"), (395, "395 vds")] {
        assert_eq!(field_of(spoilt(|draft| drop_label(&mut draft.protected, label)).error()), name);
    }
    assert_eq!(field_of(spoilt(|draft| draft.claims.clear()).error()), "15 CWT claims");
    for extra in [2, 3, 16, 33, -70_000] {
        let error = spoilt(|draft| set(&mut draft.protected, extra, Value::Array(vec![]))).error();
        assert!(matches!(error, ReceiptError::Unexpected { label, .. } if label == Label::from(extra)));
    }
    let error = spoilt(|draft| set(&mut draft.protected, "x", 1)).error();
    assert!(matches!(error, ReceiptError::Unexpected { .. }));
}

#[test]
fn alg_is_es256_and_vds_is_1() {
    for alg in [-8, -9, -19, -35, 0] {
        assert_eq!(field_of(spoilt(|draft| set(&mut draft.protected, 1, alg)).error()), "1 alg");
    }
    for vds in [0, 2, 3, -1] {
        assert_eq!(field_of(spoilt(|draft| set(&mut draft.protected, 395, vds)).error()), "395 vds");
    }
}

#[test]
fn vds_and_kid_stand_in_the_protected_header_only() {
    for label in [4, 395] {
        let moved = spoilt(|draft| {
            let at = draft.protected.iter().position(|(found, _)| *found == Value::from(label)).unwrap();
            let pair = draft.protected.remove(at);
            draft.unprotected.push(pair);
        });
        field_of(moved.error());
        let both = spoilt(|draft| draft.unprotected.push((label.into(), Value::from(1))));
        assert!(matches!(both.error(), ReceiptError::Unexpected { .. }));
    }
}

#[test]
fn kid_is_32_bytes_and_claims_are_exactly_iss_sub_and_iat() {
    for kid in [Value::Bytes(vec![1; 31]), Value::Bytes(vec![]), Value::from("kid")] {
        assert_eq!(field_of(spoilt(|draft| set(&mut draft.protected, 4, kid)).error()), "4 kid");
    }
    for (label, name) in [(1, "claim 1 iss"), (2, "claim 2 sub"), (6, "claim 6 iat")] {
        assert_eq!(field_of(spoilt(|draft| drop_label(&mut draft.claims, label)).error()), name);
        assert_eq!(field_of(spoilt(|draft| set(&mut draft.claims, label, Value::Null)).error()), name);
    }
    for label in [1, 2] {
        field_of(spoilt(|draft| set(&mut draft.claims, label, "")).error());
        field_of(spoilt(|draft| set(&mut draft.claims, label, "x".repeat(2057))).error());
    }
    field_of(spoilt(|draft| set(&mut draft.claims, 6, 1u64 << 63)).error());
    for extra in [3, 4, 5, 7] {
        let error = spoilt(|draft| set(&mut draft.claims, extra, 1)).error();
        assert!(matches!(error, ReceiptError::Unexpected { .. }));
    }
    let error = spoilt(|draft| draft.protected.push((15.into(), Value::from(1))));
    let without_claims = Draft { claims: vec![], ..error };
    assert!(matches!(without_claims.error(), ReceiptError::Header(_)));
}

#[test]
fn the_unprotected_header_holds_exactly_396_and_the_checkpoint() {
    let error = spoilt(|draft| draft.unprotected.clear()).error();
    assert_eq!(field_of(error), "govlog.checkpoint");
    let error = spoilt(|draft| set(&mut draft.unprotected, "govlog.checkpoint", "text")).error();
    assert_eq!(field_of(error), "govlog.checkpoint");
    for extra in [Value::from(394), Value::from(33), Value::from("govlog.checkpoint2")] {
        let error = spoilt(|draft| set(&mut draft.unprotected, extra, 1)).error();
        assert!(matches!(error, ReceiptError::Unexpected { .. }));
    }
    let missing =
        encode_sign1(&draft().protected(), &unhex("a1 71676f766c6f672e636865636b706f696e74 40"), None, &[0; 64]);
    assert_eq!(field_of(Receipt::parse(&missing).unwrap_err()), "396 vdp");
    let error = spoilt(|draft| set(&mut draft.unprotected, 396, 1)).error();
    assert!(matches!(error, ReceiptError::Header(_)));
}

#[test]
fn there_is_exactly_one_inclusion_proof_in_a_byte_string() {
    let two = spoilt(|draft| draft.proofs.push(Value::Bytes(to_deterministic(&draft.proof))));
    assert_eq!(field_of(two.error()), "396 vdp, -1");
    let consistency = spoilt(|draft| draft.vdp.push((Value::from(-2), Value::Array(vec![Value::Bytes(vec![])]))));
    assert!(matches!(consistency.error(), ReceiptError::Unexpected { .. }));
    let vdp =
        |proofs: Value| spoilt(|draft| set(&mut draft.unprotected, 396, Value::Map(vec![(Value::from(-1), proofs)])));
    // The proof written inline, the proof not in an array, no proof.
    for proofs in
        [Value::Array(vec![draft().proof]), Value::Bytes(to_deterministic(&draft().proof)), Value::Array(vec![])]
    {
        assert_eq!(field_of(vdp(proofs).error()), "396 vdp, -1");
    }
    let empty = spoilt(|draft| set(&mut draft.unprotected, 396, Value::Map(vec![])));
    assert_eq!(field_of(empty.error()), "396 vdp, -1");
}

#[test]
fn the_proof_is_size_index_and_path() {
    let hash = Value::Bytes(vec![1; 32]);
    let proof = |parts: Vec<Value>| spoilt(|draft| draft.proof = Value::Array(parts)).error();
    let (size, index) = (Value::from(3), Value::from(0));
    let path = |hashes: usize| Value::Array(vec![hash.clone(); hashes]);
    assert_eq!(field_of(proof(vec![size.clone(), index.clone()])), "the inclusion proof");
    assert_eq!(field_of(proof(vec![size.clone(), index.clone(), path(2), path(2)])), "the inclusion proof");
    assert_eq!(field_of(proof(vec![Value::from(-3), index.clone(), path(2)])), "the tree size");
    assert_eq!(field_of(proof(vec![Value::from((1u64 << 62) + 1), index.clone(), path(2)])), "the tree size");
    assert_eq!(field_of(proof(vec![size.clone(), Value::from("0"), path(2)])), "the leaf index");
    assert_eq!(field_of(proof(vec![size.clone(), index.clone(), path(0)])), "the path");
    assert_eq!(field_of(proof(vec![size.clone(), index.clone(), path(64)])), "the path");
    assert_eq!(field_of(proof(vec![size.clone(), index.clone(), hash.clone()])), "the path");
    let short = Value::Array(vec![hash.clone(), Value::Bytes(vec![1; 31])]);
    assert_eq!(field_of(proof(vec![size.clone(), index.clone(), short])), "the path");
    for hashes in [1, 3] {
        let error = proof(vec![size.clone(), index.clone(), path(hashes)]);
        assert_eq!(error, ReceiptError::Proof(ProofError::Length { expected: 2, found: hashes }));
    }
    let error = proof(vec![size, Value::from(3), path(2)]);
    assert!(matches!(error, ReceiptError::Proof(ProofError::Index { .. })));
    assert_eq!(field_of(spoilt(|draft| draft.proof = Value::Map(vec![])).error()), "the inclusion proof");
}

#[test]
fn the_proof_bytes_are_deterministic() {
    let good = to_deterministic(&draft().proof);
    let with_proof = |bytes: Vec<u8>| {
        let proofs = Value::Array(vec![Value::Bytes(bytes)]);
        spoilt(|draft| set(&mut draft.unprotected, 396, Value::Map(vec![(Value::from(-1), proofs)]))).error()
    };
    let long_size = [&[0x83, 0x18, 0x03], &good[2..]].concat();
    assert!(matches!(with_proof(long_size), ReceiptError::ProofBytes(error) if error.why == CborFault::NotShortest(3)));
    let trailing = [&good[..], &[0]].concat();
    assert!(matches!(with_proof(trailing), ReceiptError::ProofBytes(error) if error.why == CborFault::Trailing(1)));
}

#[test]
fn no_receipt_at_tree_size_1() {
    let root = SignedRoot::sign(&key(), &claims(), &tree(1).root()).unwrap();
    for size in [0, 1] {
        let proof = InclusionProof { index: LeafIndex::new(0), size: TreeSize::new(size), path: vec![] };
        assert_eq!(root.receipt(&proof, b"note"), Err(ReceiptError::TooSmall(TreeSize::new(size))));
        let parts = vec![Value::from(size), Value::from(0), Value::Array(vec![])];
        let error = spoilt(|draft| draft.proof = Value::Array(parts)).error();
        assert_eq!(error, ReceiptError::TooSmall(TreeSize::new(size)));
    }
}

#[test]
fn the_payload_is_detached() {
    let attached = spoilt(|draft| draft.payload = Some(tree(3).root().as_bytes().to_vec()));
    assert!(matches!(attached.error(), ReceiptError::Attached(_)));
}

#[test]
fn the_encoding_is_deterministic_and_tagged() {
    let good = draft().bytes();
    assert!(matches!(Receipt::parse(&good[1..]), Err(ReceiptError::Envelope(Sign1Error::NotSign1))));
    for (bytes, fault) in [
        ([&good[..], &[0]].concat(), CborFault::Trailing(1)),
        ([&[0xd8, 0x12], &good[1..]].concat(), CborFault::NotShortest(18)),
    ] {
        assert!(
            matches!(Receipt::parse(&bytes), Err(ReceiptError::Envelope(Sign1Error::Cbor(error))) if error.why == fault)
        );
    }
    for end in 0..good.len() {
        assert!(Receipt::parse(&good[..end]).is_err(), "cut to {end} bytes");
    }
    // The protected header in another order: a statement may do that, a receipt of ours never does.
    let protected = draft().protected();
    let (first, rest) = (&protected[1..3], &protected[3..]);
    let turned = [&protected[..1], rest, first].concat();
    let error = Receipt::parse(&draft().bytes_under(&turned)).unwrap_err();
    assert!(matches!(error, ReceiptError::Envelope(Sign1Error::Cbor(error)) if error.why == CborFault::KeyOrder));
}

#[test]
fn bounds_hold_when_reading_and_when_writing() {
    assert!(matches!(Receipt::parse(&vec![0xd2; MAX_RECEIPT_BYTES + 1]), Err(ReceiptError::TooLarge { .. })));
    let tree = tree(2);
    let proof = InclusionProof::build(&tree, LeafIndex::new(0), tree.size()).unwrap();
    let root = SignedRoot::sign(&key(), &claims(), &tree.root()).unwrap();
    assert!(matches!(root.receipt(&proof, &vec![0; MAX_RECEIPT_BYTES]), Err(ReceiptError::TooLarge { .. })));
    // The longest names, path and note fit.
    let names = ReceiptClaims { iss: ReceiptClaims::issuer(&"x".repeat(2048)), sub: "x".repeat(2048), iat: i64::MIN };
    let size = TreeSize::MAX;
    let longest = InclusionProof { index: LeafIndex::new(0), size, path: vec![Digest::ZERO; 62] };
    let root = SignedRoot::sign(&key(), &names, &tree.root()).unwrap();
    let bytes = root.receipt(&longest, &vec![0; MAX_NOTE_BYTES]).unwrap();
    assert_eq!(Receipt::parse(&bytes).unwrap().bytes(), bytes);
}

#[test]
fn only_p_256_keys_sign_receipts_and_only_good_proofs_go_in() {
    let okp = SigningKey::from_seed(Curve::Ed25519, &[1; 32]).unwrap();
    let error = SignedRoot::sign(&okp, &claims(), &Digest::ZERO).unwrap_err();
    assert_eq!(error, ReceiptError::KeyCurve(Curve::Ed25519));
    for (iss, sub) in [("", SUB), ("x", ""), ("x", "y".repeat(3000).as_str())] {
        let claims = ReceiptClaims { iss: iss.to_owned(), sub: sub.to_owned(), iat: 0 };
        assert!(matches!(SignedRoot::sign(&key(), &claims, &Digest::ZERO), Err(ReceiptError::Name { .. })));
    }
    let root = SignedRoot::sign(&key(), &claims(), &Digest::ZERO).unwrap();
    let crooked = InclusionProof { index: LeafIndex::new(0), size: TreeSize::new(4), path: vec![Digest::ZERO] };
    assert!(matches!(root.receipt(&crooked, b"note"), Err(ReceiptError::Proof(_))));
}
