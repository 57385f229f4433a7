//! The golden vectors, byte for byte.

use govlog_formats::checkpoint::{Checkpoint, Origin};
use govlog_formats::cosignature;
use govlog_formats::merkle::{InclusionProof, LeafIndex, TreeSize, leaf_hash};
use govlog_formats::note::{Note, SignatureLine, Vkey};
use govlog_formats::tlog_proof::{TlogProof, TlogProofVerifyError};
use govlog_formats::wire::add_checkpoint::monitoring_path;

use crate::vectors::{
    CHECKPOINT, COSIGNED_AT, LOG_LINE, LOG_VKEY, PROOF, WITNESS_LINE, WITNESS_VKEY, log, note, policy, tree, witness,
};

#[test]
fn keys_come_from_seeds() {
    assert_eq!(log().vkey().to_string(), LOG_VKEY);
    assert_eq!(witness().vkey().to_string(), WITNESS_VKEY);
    assert_eq!(LOG_VKEY.parse::<Vkey>().unwrap(), *log().vkey());
    assert_eq!(WITNESS_VKEY.parse::<Vkey>().unwrap(), *witness().vkey());
    assert_eq!(log().vkey().id().to_string(), "917002f4");
    assert_eq!(witness().vkey().id().to_string(), "df1c0a35");
}

#[test]
fn the_log_signs_the_checkpoint_and_the_witness_cosigns_it() {
    assert_eq!(log().sign(CHECKPOINT, None).unwrap().to_string(), LOG_LINE);
    assert_eq!(witness().sign(CHECKPOINT, Some(COSIGNED_AT)).unwrap().to_string(), WITNESS_LINE);
}

#[test]
fn the_cosigned_message_is_header_time_and_text() {
    let expected = format!("cosignature/v1\ntime 1700000000\n{CHECKPOINT}");
    assert_eq!(cosignature::signed_message(COSIGNED_AT, CHECKPOINT), expected.as_bytes());
}

#[test]
fn the_checkpoint_is_that_of_the_tree() {
    let tree = tree();
    let checkpoint = Checkpoint::new(Origin::new("example.com/trial").unwrap(), tree.size(), tree.root());
    assert_eq!(checkpoint.to_string(), CHECKPOINT);
    assert_eq!(Checkpoint::parse(CHECKPOINT).unwrap(), checkpoint);
}

#[test]
fn the_note_is_put_together_of_its_lines() {
    let lines: Vec<SignatureLine> = [LOG_LINE, WITNESS_LINE].iter().map(|line| line.parse().unwrap()).collect();
    let built = Note::with_lines(CHECKPOINT, &lines).unwrap();
    assert_eq!(built.to_bytes(), note().as_bytes());
    assert_eq!(Note::parse(note().as_bytes()).unwrap(), built);
}

#[test]
fn the_note_verifies_under_a_policy() {
    let verified = policy("w1").verify_checkpoint(note().as_bytes()).unwrap();
    assert!(verified.quorum().met());
    assert_eq!(verified.checkpoint().size, TreeSize::new(70_000));
    assert_eq!((verified.lower_time(), verified.upper_time()), (Some(COSIGNED_AT), Some(COSIGNED_AT)));
    assert_eq!(verified.note().to_bytes(), note().as_bytes());
}

#[test]
fn the_proof_file_is_built_from_the_tree() {
    let tree = tree();
    let built = InclusionProof::build(&tree, LeafIndex::new(69_999), tree.size()).unwrap();
    let proof =
        TlogProof { extra: None, index: LeafIndex::new(69_999), path: built.path, checkpoint: note().into_bytes() };
    assert_eq!(String::from_utf8(proof.to_bytes()).unwrap(), PROOF);
    assert_eq!(TlogProof::parse(PROOF.as_bytes()).unwrap(), proof);
}

#[test]
fn the_proof_file_verifies_for_its_entry_and_no_other() {
    let proof = TlogProof::parse(PROOF.as_bytes()).unwrap();
    let verified = proof.verify(&leaf_hash(b"leaf 69999"), &policy("w1")).unwrap();
    assert!(verified.quorum().met());
    let refused = proof.verify(&leaf_hash(b"leaf 69998"), &policy("w1")).unwrap_err();
    assert!(matches!(refused, TlogProofVerifyError::Inclusion(_)));
    for index in [0, 69_998, 70_000] {
        let moved = TlogProof { index: LeafIndex::new(index), ..proof.clone() };
        let refused = moved.verify(&leaf_hash(b"leaf 69999"), &policy("w1")).unwrap_err();
        assert!(matches!(refused, TlogProofVerifyError::Inclusion(_)), "{index}");
    }
}

#[test]
fn a_proof_whose_checkpoint_is_refused_proves_nothing() {
    let proof = TlogProof::parse(PROOF.replacen("70000", "70001", 1).as_bytes()).unwrap();
    let refused = proof.verify(&leaf_hash(b"leaf 69999"), &policy("w1")).unwrap_err();
    assert!(matches!(refused, TlogProofVerifyError::Checkpoint(_)));
}

#[test]
fn a_witness_serves_a_log_under_the_hash_of_its_origin() {
    let path = monitoring_path(&Origin::new("example.com/trial").unwrap());
    assert_eq!(path, "3c2cbcb0cd5d9eda8fe58490264574268e4393a61c6cea4b0937182a0a3f500b/checkpoint");
}
