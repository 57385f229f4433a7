//! Strict Ed25519: "cofactorless, A and R canonical, S < L, no small-order A".

use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity as _;
use sha2::{Digest as _, Sha512};

use super::*;

const MESSAGE: &[u8] = b"message";

/// k = SHA-512(R ‖ A ‖ message) mod L (RFC 8032 §5.1.7).
fn challenge(r: &[u8; 32], a: &[u8; 32], message: &[u8]) -> Scalar {
    let hash = Sha512::new().chain_update(r).chain_update(a).chain_update(message).finalize();
    Scalar::from_bytes_mod_order_wide(&hash.into())
}

/// What a signer who knows a and r makes of any encodings of A and R.
fn signature(r: Scalar, r_bytes: [u8; 32], a: Scalar, a_bytes: &[u8; 32], message: &[u8]) -> Vec<u8> {
    let s = r + challenge(&r_bytes, a_bytes, message) * a;
    [r_bytes, s.to_bytes()].concat()
}

fn verify(key: [u8; 32], message: &[u8], signature: &[u8]) -> bool {
    PublicKey::ed25519(key).unwrap().verify(Algorithm::EdDsa, message, signature).is_ok()
}

/// y + p for a small y: the other encoding of y, with or without the sign bit.
fn unreduced(y: u8, sign: bool) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed + y;
    bytes[31] = if sign { 0xff } else { 0x7f };
    bytes
}

#[test]
fn rfc_8032_vectors() {
    let vectors = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ];
    for (secret, public, message, expected) in vectors {
        let key = SigningKey::from_seed(Curve::Ed25519, &unhex(secret)).unwrap();
        assert_eq!(key.public().ed25519_bytes(), Some(&array(public)));
        assert_eq!(key.sign(&unhex(message)), unhex(expected));
        assert!(verify(array(public), &unhex(message), &unhex(expected)));
    }
}

#[test]
fn every_key_of_small_order_is_refused() {
    for point in EIGHT_TORSION {
        assert_eq!(PublicKey::ed25519(point.compress().to_bytes()), Err(KeyError::SmallOrder));
    }
    // The known encodings of those points, with a sign bit where x is 0.
    for digits in [
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ] {
        assert!(PublicKey::ed25519(array(digits)).is_err(), "{digits}");
    }
}

#[test]
fn every_unreduced_key_is_refused_though_some_are_points() {
    let mut points = 0;
    for y in 0..=18 {
        for sign in [false, true] {
            let bytes = unreduced(y, sign);
            assert_eq!(PublicKey::ed25519(bytes), Err(KeyError::NotCanonical), "{y} + p");
            let mut reduced = [0; 32];
            (reduced[0], reduced[31]) = (y, if sign { 0x80 } else { 0 });
            points += usize::from(PublicKey::ed25519(reduced).is_ok());
        }
    }
    assert!(points > 0, "no unreduced key was a good point in another encoding");
}

#[test]
fn s_must_be_below_the_group_order() {
    let key = key(Curve::Ed25519, 9);
    let mut signature: [u8; 64] = key.sign(MESSAGE).try_into().unwrap();
    // L = 2^252 + 27742317777372353535851937790883648493, little-endian.
    let order: [u8; 32] = array("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = ((sum & 0xff) as u8, sum >> 8);
    }
    assert_eq!(carry, 0, "S + L fits 32 bytes");
    assert_eq!(key.public().verify(Algorithm::EdDsa, MESSAGE, &signature), Err(SignatureError::Mismatch));
}

#[test]
fn verification_is_cofactorless() {
    let (a, r) = (Scalar::from(12_345_u64), Scalar::from(67_890_u64));
    let r_bytes = (ED25519_BASEPOINT_POINT * r).compress().to_bytes();
    for torsion in EIGHT_TORSION.into_iter().filter(|point| !point.is_identity()) {
        let a_bytes = (ED25519_BASEPOINT_POINT * a + torsion).compress().to_bytes();
        let (mut good, mut refused) = (0, 0);
        for counter in 0..64u8 {
            let message = [counter];
            // The equation without cofactor holds exactly when k·T is the identity; with the cofactor it always does.
            let holds = (torsion * challenge(&r_bytes, &a_bytes, &message)).is_identity();
            let signature = signature(r, r_bytes, a, &a_bytes, &message);
            assert_eq!(verify(a_bytes, &message, &signature), holds, "{counter}");
            (good, refused) = (good + usize::from(holds), refused + usize::from(!holds));
        }
        assert!(good > 0 && refused > 0, "both cases occur");
    }
}

#[test]
fn r_with_torsion_is_refused() {
    let (a, r) = (Scalar::from(12_345_u64), Scalar::from(67_890_u64));
    let a_bytes = (ED25519_BASEPOINT_POINT * a).compress().to_bytes();
    for torsion in EIGHT_TORSION {
        let r_bytes = (ED25519_BASEPOINT_POINT * r + torsion).compress().to_bytes();
        let signature = signature(r, r_bytes, a, &a_bytes, MESSAGE);
        assert_eq!(verify(a_bytes, MESSAGE, &signature), torsion.is_identity());
    }
}

#[test]
fn r_of_small_order_is_refused_in_every_encoding() {
    let a = Scalar::from(12_345_u64);
    let a_bytes = (ED25519_BASEPOINT_POINT * a).compress().to_bytes();
    let canonical = EIGHT_TORSION.map(|point: EdwardsPoint| point.compress().to_bytes());
    // 0 and 1 are the only y of small order with another encoding.
    let others = [unreduced(0, false), unreduced(0, true), unreduced(1, false), unreduced(1, true)];
    for r_bytes in canonical.into_iter().chain(others) {
        let signature = signature(Scalar::ZERO, r_bytes, a, &a_bytes, MESSAGE);
        assert!(!verify(a_bytes, MESSAGE, &signature), "{r_bytes:02x?}");
    }
}

#[test]
fn r_must_be_canonical() {
    // R = y + p for every y is refused whatever S is; here S is what the signer of the reduced R would write.
    let a = Scalar::from(12_345_u64);
    let a_bytes = (ED25519_BASEPOINT_POINT * a).compress().to_bytes();
    for y in 0..=18 {
        for sign in [false, true] {
            let signature = signature(Scalar::ONE, unreduced(y, sign), a, &a_bytes, MESSAGE);
            assert!(!verify(a_bytes, MESSAGE, &signature));
        }
    }
}
