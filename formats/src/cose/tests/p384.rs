//! ECDSA on P-384: "ES384 −35", under the same rules as ES256.

use super::*;

/// The order of the group, big-endian.
const ORDER: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973";
/// The field's prime, big-endian.
const PRIME: &str = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff";

/// The key of RFC 6979 appendix A.2.6.
const SECRET: &str = "6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5";
const X: &str = "ec3a4e415b4e19a4568618029f427fa5da9a8bc4ae92e02e06aae5286b300c64def8f0ea9055866064a254515480bc13";
const Y: &str = "8015d9b72d7d57244ea8ef9ac0c621896708a59367f9dfb9f54ca84b3f1c9db1288b231c3ae0d4fe7344fd2533264720";

#[test]
fn rfc_6979_vectors() {
    let key = SigningKey::from_seed(Curve::P384, &unhex(SECRET)).unwrap();
    assert_eq!(key.public(), PublicKey::p384(array(X), array(Y)).unwrap());
    let sample = "94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46\
                  99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8";
    let test = "8203b63d3c853e8d77227fb377bcf7b7b772e97892a80f36ab775d509d7a5feb0542a7f0812998da8f1dd3ca3cf023db\
                ddd0760448d42d8a43af45af836fce4de8be06b485e9b61b827c2f13173923e06a739f040649a667bf3b828246baa5a5";
    for (message, signature) in [(b"sample".as_slice(), sample), (b"test", test)] {
        assert_eq!(key.sign(message), unhex(signature));
        for algorithm in [Algorithm::Es384, Algorithm::Esp384] {
            assert_eq!(key.public().verify(algorithm, message, &unhex(signature)), Ok(()));
        }
    }
}

#[test]
fn high_and_low_s_are_both_accepted() {
    let key = key(Curve::P384, 11);
    for message in [b"a", b"b", b"c", b"d"] {
        let signature = key.sign(message);
        let other = [&signature[..48], &negated(ORDER, &signature[48..])].concat();
        assert_ne!(signature, other);
        assert_eq!(key.public().verify(Algorithm::Es384, message, &signature), Ok(()));
        assert_eq!(key.public().verify(Algorithm::Es384, message, &other), Ok(()));
    }
}

#[test]
fn r_and_s_lie_between_1_and_the_order() {
    let key = key(Curve::P384, 11);
    let signature = key.sign(b"message");
    let (r, s) = signature.split_at(48);
    let mut above = unhex(ORDER);
    above[47] += 1;
    for bad in [vec![0; 48], unhex(ORDER), above, vec![0xff; 48]] {
        for forged in [[&bad[..], s].concat(), [r, &bad[..]].concat(), [&bad[..], &bad[..]].concat()] {
            assert_eq!(key.public().verify(Algorithm::Es384, b"message", &forged), Err(SignatureError::Mismatch));
        }
    }
}

#[test]
fn only_points_of_the_curve_are_keys() {
    let (x, y): ([u8; 48], [u8; 48]) = (array(X), array(Y));
    let mut off = y;
    off[47] ^= 1;
    for (x, y) in [(x, off), (y, x), ([0; 48], [0; 48]), (array(PRIME), y), (x, array(PRIME))] {
        assert_eq!(PublicKey::p384(x, y), Err(KeyError::NotOnCurve(Curve::P384)));
    }
}

#[test]
fn a_secret_has_48_bytes_and_lies_between_zero_and_the_order() {
    let refused = KeyError::Secret { curve: Curve::P384 };
    for seed in [vec![0; 48], unhex(ORDER), vec![0xff; 48], vec![7; 32], vec![7; 47], vec![7; 49], Vec::new()] {
        assert_eq!(SigningKey::from_seed(Curve::P384, &seed).unwrap_err(), refused);
    }
    assert_eq!(
        SigningKey::from_seed(Curve::P256, &[7; 48]).unwrap_err(),
        KeyError::Secret { curve: Curve::P256 },
        "a secret of another curve's length"
    );
    let largest = negated(ORDER, &[&[0; 47][..], &[1]].concat());
    SigningKey::from_seed(Curve::P384, &largest).unwrap();
}
