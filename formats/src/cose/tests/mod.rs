mod ed25519;
mod keys;
mod p256;
mod p384;

use super::*;
use crate::cbor::tests::unhex;

fn array<const N: usize>(digits: &str) -> [u8; N] {
    unhex(digits).try_into().unwrap()
}

const CURVES: [Curve; 3] = [Curve::Ed25519, Curve::P256, Curve::P384];

fn key(curve: Curve, fill: u8) -> SigningKey {
    SigningKey::from_seed(curve, &vec![fill; curve.secret_bytes()]).unwrap()
}

/// order − s, big-endian.
fn negated(order: &str, s: &[u8]) -> Vec<u8> {
    let mut result = unhex(order);
    let mut borrow = 0;
    for (byte, s) in result.iter_mut().zip(s).rev() {
        let difference = i16::from(*byte) - i16::from(*s) - borrow;
        (*byte, borrow) = (u8::try_from(difference.rem_euclid(256)).unwrap(), i16::from(difference < 0));
    }
    result
}

#[test]
fn six_algorithms_are_accepted_and_each_has_one_curve() {
    for label in -300..300 {
        let algorithm = Algorithm::from_label(label);
        let curve = match label {
            -7 | -9 => Some(Curve::P256),
            -8 | -19 => Some(Curve::Ed25519),
            -35 | -51 => Some(Curve::P384),
            _ => None,
        };
        assert_eq!(algorithm.map(Algorithm::curve), curve, "{label}");
        assert!(algorithm.is_none_or(|algorithm| algorithm.label() == label));
    }
}

#[test]
fn an_algorithm_verifies_with_keys_of_its_own_curve_only() {
    let algorithms = [-7, -8, -9, -19, -35, -51].map(|label| Algorithm::from_label(label).unwrap());
    for curve in CURVES {
        let key = key(curve, 7);
        let signature = key.sign(b"message");
        for algorithm in algorithms {
            let result = key.public().verify(algorithm, b"message", &signature);
            if algorithm.curve() == curve {
                assert_eq!(result, Ok(()));
            } else {
                assert_eq!(result, Err(SignatureError::Curve { algorithm, key: curve }));
            }
        }
    }
}

#[test]
fn our_keys_sign_with_what_stock_verifiers_know() {
    assert_eq!(key(Curve::Ed25519, 1).algorithm().label(), -8);
    assert_eq!(key(Curve::P256, 1).algorithm().label(), -7);
    assert_eq!(key(Curve::P384, 1).algorithm().label(), -35);
}

#[test]
fn signing_is_deterministic_and_verification_sees_every_bit() {
    for curve in CURVES {
        let key = key(curve, 3);
        let message = b"what was said".to_vec();
        let signature = key.sign(&message);
        assert_eq!(signature, key.sign(&message));
        assert_eq!(signature.len(), curve.signature_bytes());
        let verify = |message: &[u8], signature: &[u8]| key.public().verify(key.algorithm(), message, signature);
        assert_eq!(verify(&message, &signature), Ok(()));
        for bit in 0..8 * signature.len() {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&message, &flipped), Err(SignatureError::Mismatch), "{curve} bit {bit}");
        }
        for bit in 0..8 * message.len() {
            let mut flipped = message.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&flipped, &signature), Err(SignatureError::Mismatch), "{curve} bit {bit}");
        }
        let (short, long) = (&signature[..signature.len() - 1], [&signature[..], &[0]].concat());
        for wrong in [short, &long, &[]] {
            let refused = SignatureError::Length { found: wrong.len(), curve };
            assert_eq!(verify(&message, wrong), Err(refused));
        }
    }
}

#[test]
fn the_sig_structure_is_the_one_an_oracle_builds() {
    let protected = unhex("a10126");
    let payload = vec![7; 300];
    let ours = sig_structure(&protected, &payload);
    let by_hand = [&unhex("84 6a5369676e617475726531 43 a10126 40 59012c")[..], &payload].concat();
    assert_eq!(ours, by_hand);
    let header = coset::ProtectedHeader::from_cbor_bstr(coset::cbor::Value::Bytes(protected)).unwrap();
    let oracle = coset::sig_structure_data(coset::SignatureContext::CoseSign1, header, None, &[], &payload);
    assert_eq!(ours, oracle);
    crate::cbor::check_deterministic(&ours).unwrap();
}

#[test]
fn secrets_do_not_print() {
    let key = key(Curve::P256, 0x5a);
    assert_eq!(format!("{key:?}"), "SigningKey(P-256, …)");
    assert!(!format!("{:?}", key.public()).contains("5a5a"));
}
