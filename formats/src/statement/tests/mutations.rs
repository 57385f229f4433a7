//! Whatever is done to a statement's bytes: refused, or nothing that was signed has changed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Bytes that stand for what a byte can be changed to: every single bit, and its neighbours.
fn changes(byte: u8) -> impl Iterator<Item = u8> {
    let bits = (0..8).map(move |bit| byte ^ (1 << bit));
    bits.chain([0, 0xff, byte.wrapping_add(1), byte.wrapping_sub(1)]).filter(move |changed| *changed != byte)
}

fn check_mutation(original: &SignedStatement, bytes: &[u8], key: &PublicKey) {
    let Ok(statement) = SignedStatement::parse(bytes) else { return };
    if statement.verify_signature(key).is_ok() {
        assert_eq!(statement.sig_structure_digest(), original.sig_structure_digest());
        assert_eq!(statement.claims(), original.claims());
        assert_eq!(statement.payload(), original.payload());
    }
}

#[test]
fn every_changed_byte_is_refused_or_changes_nothing_that_was_signed() {
    // The unprotected header holds what is not signed.
    let draft = draft().with_claim("head", digest_value(Digest::ZERO)).with_unprotected("a2 1820 4101 6161 f5");
    let bytes = draft.bytes();
    let original = draft.parse().unwrap();
    for at in 0..bytes.len() {
        for change in changes(bytes[at]) {
            let mut changed = bytes.clone();
            changed[at] = change;
            check_mutation(&original, &changed, &draft.key.public());
        }
    }
}

#[test]
fn no_changed_byte_of_an_entry_verifies() {
    let draft = draft();
    let bytes = draft.bytes();
    for at in 0..bytes.len() {
        for change in changes(bytes[at]) {
            let mut changed = bytes.clone();
            changed[at] = change;
            let verified = SignedStatement::parse_entry(&changed)
                .is_ok_and(|statement| statement.verify_signature(&draft.key.public()).is_ok());
            assert!(!verified, "byte {at} as {change:#04x}");
        }
    }
}

#[test]
fn no_single_byte_makes_the_parser_panic() {
    let bytes = envelope().with_unprotected("a1 6161 f5").bytes();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for change in 0..=255 {
            let mut changed = bytes.clone();
            changed[at] = change;
            accepted += usize::from(SignedStatement::parse(&changed).is_ok());
        }
    }
    assert!(accepted > bytes.len(), "every byte was left as it was once");
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..300)) {
        let _ = SignedStatement::parse(&bytes);
        let _ = SignedStatement::parse(&[&[0xd2, 0x84][..], &bytes].concat());
    }

    #[test]
    fn no_header_or_payload_makes_the_parser_panic(protected in vec(any::<u8>(), 0..80), payload in vec(any::<u8>(), 0..80)) {
        let _ = SignedStatement::parse(&encode_sign1(&protected, &[0xa0], Some(&payload), &[0; 64]));
    }

    #[test]
    fn several_changes_are_refused_or_change_nothing_that_was_signed(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let draft = draft().with_unprotected("a1 6161 f5");
        let mut bytes = draft.bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check_mutation(&draft.parse().unwrap(), &bytes, &draft.key.public());
    }

    #[test]
    fn what_parses_as_an_entry_prints_as_it_was(
        iss in "\\PC{1,30}",
        sub in "\\PC{1,30}",
        iat in any::<i64>(),
        seq in 0..u64::MAX / 2,
        extra in crate::cbor::tests::any_value(),
        p256 in any::<bool>(),
    ) {
        let curve = if p256 { Curve::P256 } else { Curve::Ed25519 };
        let key = key(curve);
        let draft = draft().with_claim(ISS, iss.as_str()).with_claim(SUB, sub.as_str()).with_claim(IAT, iat);
        let kid = digest_value(key.public().thumbprint());
        let draft = draft.with_claim("seq", seq).with(KID, kid).with(ALG, key.algorithm().label());
        let draft = Draft { key, ..draft }.with("extra", extra);
        let statement = SignedStatement::parse_entry(&draft.bytes()).unwrap();
        prop_assert_eq!(statement.entry(), draft.bytes());
        prop_assert_eq!(&statement.claims().iss, &iss);
        prop_assert_eq!(&statement.claims().sub, &sub);
        prop_assert_eq!(statement.verify_signature(&draft.key.public()), Ok(()));
    }
}
