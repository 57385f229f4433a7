use coset::{CborSerializable as _, CoseKeySet};
use proptest::prelude::*;

use super::*;
use crate::cbor::tests::unhex;
use crate::cbor::{CborFault, Value, to_deterministic};
use crate::cose::SigningKey;

fn key(fill: u8) -> PublicKey {
    SigningKey::from_seed(Curve::P256, &[fill; 32]).unwrap().public()
}

fn okp() -> PublicKey {
    SigningKey::from_seed(Curve::Ed25519, &[1; 32]).unwrap().public()
}

#[test]
fn each_key_carries_its_thumbprint_and_es256() {
    let own = key(1).to_cose_key();
    // {1: 2, 2: thumbprint, 3: −7, −1: …, −2: …, −3: …}
    let expected = [&unhex("a6 0102 02 5820")[..], key(1).thumbprint().as_bytes(), &[0x03, 0x26], &own[3..]].concat();
    assert_eq!(encode_key(&key(1)).unwrap(), expected);
    crate::cbor::check_deterministic(&expected).unwrap();
    assert_eq!(parse_key(&expected).unwrap(), key(1));
}

#[test]
fn a_set_is_an_array_of_keys() {
    for count in 0..4 {
        let keys: Vec<_> = (1..=count).map(key).collect();
        let bytes = encode(&keys).unwrap();
        assert_eq!(bytes[0], 0x80 | count);
        assert_eq!(parse(&bytes).unwrap(), keys);
        assert_eq!(CoseKeySet::from_slice(&bytes).unwrap().0.len(), keys.len());
    }
}

#[test]
fn a_set_holds_ec2_keys_only() {
    let refused = KeyError::Curve { found: Curve::Ed25519, expected: Curve::P256 };
    assert_eq!(encode_key(&okp()), Err(refused.clone()));
    let p384 = SigningKey::from_seed(Curve::P384, &[1; 48]).unwrap().public();
    assert_eq!(encode_key(&p384), Err(KeyError::Curve { found: Curve::P384, expected: Curve::P256 }));
    let at = KeyError::At { position: 1, error: Box::new(refused) };
    assert_eq!(encode(&[key(1), okp()]), Err(at.clone()));
    let okp = to_deterministic(&Value::Map(vec![
        (Value::from(1), Value::from(1)),
        (Value::from(2), Value::Bytes(okp().thumbprint().as_bytes().to_vec())),
        (Value::from(3), Value::from(-8)),
        (Value::from(-1), Value::from(6)),
        (Value::from(-2), Value::Bytes(okp().ed25519_bytes().unwrap().to_vec())),
    ]));
    let set = [&[0x82][..], &encode_key(&key(1)).unwrap(), &okp].concat();
    assert_eq!(parse(&set), Err(at));
}

#[test]
fn a_key_of_a_set_has_exactly_its_labels() {
    let with = |label: i64, value: Option<Value>| {
        let Value::Map(mut pairs) = crate::cbor::parse(&encode_key(&key(1)).unwrap()).unwrap() else { panic!("a map") };
        pairs.retain(|(found, _)| *found != Value::from(label));
        pairs.extend(value.map(|value| (Value::from(label), value)));
        parse_key(&to_deterministic(&Value::Map(pairs))).unwrap_err()
    };
    for label in [2, 3] {
        assert_eq!(with(label, None), KeyError::Missing(label));
    }
    assert!(matches!(with(2, Some(Value::Bytes(vec![0; 32]))), KeyError::Wrong { label: 2, .. }));
    assert!(matches!(with(3, Some(Value::from(-9))), KeyError::Wrong { label: 3, .. }));
    assert_eq!(with(4, Some(Value::Array(vec![]))), KeyError::Unexpected(4.into()));
}

#[test]
fn a_set_is_deterministic() {
    assert_eq!(parse(&[0xa0]), Err(KeyError::NotArray));
    let bytes = [&encode(&[key(1)]).unwrap()[..], &[0]].concat();
    assert!(matches!(parse(&bytes), Err(KeyError::Cbor(error)) if error.why == CborFault::Trailing(1)));
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), bytes in any::<Vec<u8>>()) {
        let _ = parse(&bytes);
        let mut mutated = encode(&[key(1), key(2)]).unwrap();
        let at = at.index(mutated.len());
        mutated[at] = byte;
        if let Ok(keys) = parse(&mutated) {
            prop_assert_eq!(encode(&keys).unwrap(), mutated);
        }
    }
}
