//! What one altered byte can do to a note and to a proof file: nothing but turn a cosignature into a line of a stranger.

use govlog_formats::merkle::leaf_hash;
use govlog_formats::tlog_policy::VerifiedCheckpoint;
use govlog_formats::tlog_proof::TlogProof;

use crate::vectors::{LOG_LINE, PROOF, WITNESS_LINE, note, policy};

/// Every other value of every byte.
fn mutations(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len()).flat_map(move |at| {
        (1..=255_u8).map(move |flip| {
            let mut other = bytes.to_vec();
            other[at] ^= flip;
            (at, other)
        })
    })
}

/// The same checkpoint of the same log, signed and cosigned the same way, but for a cosignature that became a stranger's.
fn claims_no_more(verified: &VerifiedCheckpoint, original: &VerifiedCheckpoint) {
    assert_eq!(verified.checkpoint(), original.checkpoint());
    assert_eq!(verified.log(), original.log());
    assert!(verified.cosigned().is_empty());
    assert_eq!(verified.ignored().len(), 1);
    assert!(!verified.quorum().met());
    assert_eq!(verified.upper_time(), None);
}

/// Where the base64 character stands that holds the last two bits of a line's key ID and the first four of what follows.
fn shared_character(bytes: &[u8], line: &str) -> usize {
    let text = core::str::from_utf8(bytes).unwrap();
    let data = line.rsplit_once(' ').unwrap().1;
    text.find(data).unwrap() + 5
}

#[test]
fn every_altered_byte_of_the_note_is_refused_or_makes_the_witness_unknown() {
    let policy = policy("w1");
    let bytes = note().into_bytes();
    let original = policy.verify_checkpoint(&bytes).unwrap();
    let shared = shared_character(&bytes, WITNESS_LINE);
    let mut unknown = 0;
    for (at, other) in mutations(&bytes) {
        let Ok(verified) = policy.verify_checkpoint(&other) else { continue };
        assert_eq!(at, shared, "byte {at} was altered unnoticed");
        claims_no_more(&verified, &original);
        unknown += 1;
    }
    // 64 characters, less the 16 that leave the ID as it is and the 4 that leave the time as it is, the character itself
    // being in both.
    assert_eq!(unknown, 64 - 16 - 4 + 1);
}

#[test]
fn every_altered_byte_of_the_logs_line_is_refused() {
    let policy = policy("none");
    let bytes = note().into_bytes();
    let start = core::str::from_utf8(&bytes).unwrap().find(LOG_LINE).unwrap();
    let line = start..start + LOG_LINE.len() + 1;
    for (at, other) in mutations(&bytes).filter(|(at, _)| line.contains(at)) {
        assert!(policy.verify_checkpoint(&other).is_err(), "byte {at}");
    }
}

#[test]
fn every_altered_byte_of_the_proof_file_is_refused_or_makes_the_witness_unknown() {
    let policy = policy("w1");
    let leaf = leaf_hash(b"leaf 69999");
    let original = TlogProof::parse(PROOF.as_bytes()).unwrap().verify(&leaf, &policy).unwrap();
    let shared = shared_character(PROOF.as_bytes(), WITNESS_LINE);
    for (at, other) in mutations(PROOF.as_bytes()) {
        let Ok(proof) = TlogProof::parse(&other) else { continue };
        assert_eq!(proof.to_bytes(), other, "byte {at} has two spellings");
        let Ok(verified) = proof.verify(&leaf, &policy) else { continue };
        assert_eq!(at, shared, "byte {at} was altered unnoticed");
        claims_no_more(&verified, &original);
    }
}

#[test]
fn every_shortened_note_is_refused_or_lacks_the_witness() {
    let policy = policy("w1");
    let bytes = note().into_bytes();
    let original = policy.verify_checkpoint(&bytes).unwrap();
    for end in 0..bytes.len() {
        let Ok(verified) = policy.verify_checkpoint(&bytes[..end]) else { continue };
        // Cut exactly after the log's line: still the log's word, and no witness's.
        assert_eq!(end, bytes.len() - WITNESS_LINE.len() - 1);
        assert_eq!(verified.checkpoint(), original.checkpoint());
        assert!(!verified.quorum().met());
    }
}
