//! ECDSA on P-256: "r, s in [1, n−1]; high s is accepted".

use super::*;

/// The order of the group, big-endian.
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The field's prime, big-endian.
const PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

#[test]
fn rfc_6979_vectors() {
    let secret = unhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    let key = SigningKey::from_seed(Curve::P256, &secret).unwrap();
    let x = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
    let y = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    assert_eq!(key.public(), PublicKey::p256(array(x), array(y)).unwrap());
    let sample = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    let test = "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";
    assert_eq!(key.sign(b"sample"), unhex(sample));
    assert_eq!(key.sign(b"test"), unhex(test));
}

#[test]
fn high_and_low_s_are_both_accepted() {
    let key = key(Curve::P256, 11);
    for message in [b"a", b"b", b"c", b"d"] {
        let signature = key.sign(message);
        let other = [&signature[..32], &negated(ORDER, &signature[32..])].concat();
        assert_ne!(signature, other);
        assert_eq!(key.public().verify(Algorithm::Es256, message, &signature), Ok(()));
        assert_eq!(key.public().verify(Algorithm::Es256, message, &other), Ok(()));
    }
}

#[test]
fn r_and_s_lie_between_1_and_the_order() {
    let key = key(Curve::P256, 11);
    let signature = key.sign(b"message");
    let (r, s) = signature.split_at(32);
    let mut above = unhex(ORDER);
    above[31] += 1;
    for bad in [vec![0; 32], unhex(ORDER), above, vec![0xff; 32]] {
        for forged in [[&bad[..], s].concat(), [r, &bad[..]].concat(), [&bad[..], &bad[..]].concat()] {
            assert_eq!(key.public().verify(Algorithm::Es256, b"message", &forged), Err(SignatureError::Mismatch));
        }
    }
}

#[test]
fn signatures_are_r_and_s_not_der() {
    // "ECDSA signatures are raw r‖s, not DER": this one verifies when it is read as DER.
    let key = key(Curve::P256, 11);
    let signature = key.sign(b"message");
    let der = ::p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der();
    let length = der.as_bytes().len();
    let wrong = SignatureError::Length { found: length, curve: Curve::P256 };
    assert_eq!(key.public().verify(Algorithm::Es256, b"message", der.as_bytes()), Err(wrong));
}

#[test]
fn only_points_of_the_curve_are_keys() {
    let x: [u8; 32] = array("60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6");
    let y: [u8; 32] = array("7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    assert!(PublicKey::p256(x, y).is_ok());
    let mut off = y;
    off[31] ^= 1;
    for (x, y) in [(x, off), (y, x), ([0; 32], [0; 32]), (array(PRIME), y), (x, array(PRIME))] {
        assert_eq!(PublicKey::p256(x, y), Err(KeyError::NotOnCurve(Curve::P256)));
    }
}

#[test]
fn zero_and_what_is_not_below_the_order_is_no_secret() {
    for seed in [vec![0; 32], unhex(ORDER), vec![0xff; 32], vec![7; 31]] {
        assert_eq!(SigningKey::from_seed(Curve::P256, &seed).unwrap_err(), KeyError::Secret { curve: Curve::P256 });
    }
    let largest = negated(ORDER, &[&[0; 31][..], &[1]].concat());
    SigningKey::from_seed(Curve::P256, &largest).unwrap();
}
