//! Whatever is done to a receipt's bytes: refused, or nothing that was signed has changed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn check_mutation(original: &[u8], changed: &[u8], leaf: &Digest) {
    if let Some(bound) = judge(changed, leaf) {
        assert_eq!(Some(bound), judge(original, leaf));
        let (original, changed) = (Receipt::parse(original).unwrap(), Receipt::parse(changed).unwrap());
        assert_eq!(changed.claims(), original.claims());
        assert_eq!(changed.proof(), original.proof());
        assert_eq!(changed.protected, original.protected);
    }
}

#[test]
fn every_changed_byte_is_refused_or_changes_nothing_that_was_signed() {
    let (bytes, _) = receipt(2, 3);
    for at in 0..bytes.len() {
        let bits = (0..8).map(|bit| bytes[at] ^ (1 << bit));
        for change in bits.chain([bytes[at].wrapping_add(1), bytes[at].wrapping_sub(1)]) {
            let mut changed = bytes.clone();
            changed[at] = change;
            check_mutation(&bytes, &changed, &entry(2));
        }
    }
}

#[test]
fn no_single_byte_makes_the_parser_panic() {
    let (bytes, _) = receipt(6, 7);
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for change in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = change;
            accepted += usize::from(Receipt::parse(&changed).is_ok_and(|receipt| receipt.bytes() == changed));
        }
    }
    assert!(accepted > bytes.len(), "every byte was left as it was once");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = Receipt::parse(&bytes);
        let _ = Receipt::parse(&[&[0xd2, 0x84][..], &bytes].concat());
    }

    #[test]
    fn several_changes_are_refused_or_change_nothing_that_was_signed(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let (bytes, _) = receipt(1, 4);
        let mut changed = bytes.clone();
        for (at, byte) in changes {
            let at = at.index(changed.len());
            changed[at] = byte;
        }
        check_mutation(&bytes, &changed, &entry(1));
    }

    #[test]
    fn what_is_written_is_read_back(
        iss in "\\PC{1,40}",
        sub in "\\PC{1,40}",
        iat in any::<i64>(),
        size in 2..200u64,
        index in any::<prop::sample::Index>(),
        note in vec(any::<u8>(), 0..300),
    ) {
        let tree = tree(size);
        let index = LeafIndex::new(index.index(usize::try_from(size).unwrap()) as u64);
        let proof = InclusionProof::build(&tree, index, tree.size()).unwrap();
        let claims = ReceiptClaims { iss, sub, iat };
        let root = SignedRoot::sign(&key(), &claims, &tree.root()).unwrap();
        let bytes = root.receipt(&proof, &note).unwrap();
        let receipt = Receipt::parse(&bytes).unwrap();
        prop_assert_eq!(receipt.claims(), &claims);
        prop_assert_eq!(receipt.proof(), &proof);
        prop_assert_eq!(receipt.note(), &note[..]);
        prop_assert!(receipt.verify(&entry(index.get()), &claims.sub, &key().public()).is_ok());
    }
}
