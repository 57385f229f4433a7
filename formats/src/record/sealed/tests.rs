use proptest::prelude::*;

use super::*;
use crate::record::arbitrary::any_value;

fn opening() -> Opening {
    let salt = std::array::from_fn(|at| u8::try_from(at).unwrap());
    Opening { salt, value: Value::Map(vec![("amount".into(), 250.into())]) }
}

/// Digest and reference were computed with another implementation of SHA-256 and HMAC over bytes written by hand.
#[test]
fn known_answer() {
    let sealed = opening().seal_searchable(b"tenant lookup key");
    assert_eq!(sealed.digest.to_string(), "30aaab5fa044e8925ee61e38f685f4013801d748e850d3da7468e1a91e18ecca");
    let reference = Digest::from_slice(&sealed.reference.clone().unwrap()).unwrap();
    assert_eq!(reference.to_string(), "65b99565240223ed0b3bcf049539f9ac5d1efa2051095aefc8c2912f67fc3a99");
    assert_eq!(opening().seal(), Sealed { reference: None, ..sealed });
}

#[test]
fn opens_with_its_own_salt_and_value_alone() {
    let sealed = opening().seal();
    sealed.open(&opening()).unwrap();
    let other_salt = Opening { salt: [1; 32], ..opening() };
    let other_value = Opening { value: 250.into(), ..opening() };
    for other in [other_salt, other_value] {
        assert!(matches!(sealed.open(&other), Err(SealedError::Mismatch { .. })));
    }
}

#[test]
fn malformed_ones_are_refused() {
    let tagged = |inner| Value::Tag(TAG, Box::new(inner));
    let map =
        |pairs: &[(&str, Value)]| Value::Map(pairs.iter().map(|(key, value)| ((*key).into(), value.clone())).collect());
    let digest = Value::Bytes(vec![7; 32]);
    let cases = [
        (map(&[("d", digest.clone())]), SealedError::NoTag),
        (Value::Tag(1, Box::new(map(&[("d", digest.clone())]))), SealedError::NoTag),
        (tagged(5.into()), SealedError::NotAMap),
        (tagged(Value::Map(vec![(1.into(), digest.clone())])), SealedError::NotAMap),
        (tagged(map(&[])), SealedError::Digest),
        (tagged(map(&[("d", Value::Bytes(vec![7; 31]))])), SealedError::Digest),
        (tagged(map(&[("d", "x".into())])), SealedError::Digest),
        (tagged(map(&[("d", digest.clone()), ("ref", "x".into())])), SealedError::Reference),
        (tagged(map(&[("d", digest), ("e", 1.into())])), SealedError::UnknownKey("e".to_owned())),
    ];
    for (value, error) in cases {
        assert_eq!(Sealed::from_value(&value), Err(error), "{value:?}");
    }
}

proptest! {
    #[test]
    fn the_cbor_form_is_read_back(digest in any::<[u8; 32]>(), reference in prop::option::of(prop::collection::vec(any::<u8>(), 0..40))) {
        let sealed = Sealed { digest: Digest::from_bytes(digest), reference };
        let bytes = cbor::to_deterministic(&sealed.to_value());
        prop_assert_eq!(Sealed::from_value(&cbor::parse(&bytes).unwrap()), Ok(sealed));
    }

    #[test]
    fn any_value_can_be_sealed(value in any_value(), salt in any::<[u8; 32]>()) {
        let opening = Opening { salt, value };
        prop_assert!(opening.seal().open(&opening).is_ok());
        let _ = Sealed::from_value(&opening.value);
    }
}
