//! COSE keys, thumbprints, PEM.

use coset::{CborSerializable as _, CoseKey};
use proptest::prelude::*;

use super::*;
use crate::cbor::{CborFault, Value, to_deterministic};
use crate::digest::Digest;

const X: &str = "65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d";
const Y: &str = "1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c";

fn cose_key(pairs: &[(i64, Value)]) -> Vec<u8> {
    to_deterministic(&Value::Map(pairs.iter().map(|(label, value)| (Value::from(*label), value.clone())).collect()))
}

fn ec2() -> Vec<(i64, Value)> {
    vec![
        (label::KTY, Value::from(2)),
        (label::CRV, Value::from(1)),
        (label::X, Value::Bytes(unhex(X))),
        (label::Y, Value::Bytes(unhex(Y))),
    ]
}

/// The generator of P-384 as a key (SEC 2 §2.5.1).
fn p384() -> Vec<(i64, Value)> {
    let x = "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7";
    let y = "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
    vec![
        (label::KTY, Value::from(2)),
        (label::CRV, Value::from(2)),
        (label::X, Value::Bytes(unhex(x))),
        (label::Y, Value::Bytes(unhex(y))),
    ]
}

fn okp() -> Vec<(i64, Value)> {
    let x = key(Curve::Ed25519, 1).public().ed25519_bytes().unwrap().to_vec();
    vec![(label::KTY, Value::from(1)), (label::CRV, Value::from(6)), (label::X, Value::Bytes(x))]
}

fn with(mut pairs: Vec<(i64, Value)>, label: i64, value: Value) -> Vec<(i64, Value)> {
    pairs.retain(|(found, _)| *found != label);
    pairs.push((label, value));
    pairs
}

#[test]
fn rfc_9679_thumbprint() {
    // The example of RFC 9679 §6, whose key is the first of RFC 9052 appendix C.7.1.
    let key = PublicKey::p256(array(X), array(Y)).unwrap();
    let expected = "496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec";
    assert_eq!(key.thumbprint(), expected.parse().unwrap());
    // The thumbprint's input once more, by hand.
    let input = unhex(&format!("a4 0102 2001 21 5820{X} 22 5820{Y}"));
    assert_eq!(key.to_cose_key(), input);
    assert_eq!(key.thumbprint(), Digest::sha256(&input));
}

#[test]
fn an_okp_thumbprint_hashes_three_labels() {
    let key = key(Curve::Ed25519, 5).public();
    let input = [&unhex("a3 0101 2006 21 5820")[..], key.ed25519_bytes().unwrap()].concat();
    assert_eq!(key.to_cose_key(), input);
    assert_eq!(key.thumbprint(), Digest::sha256(&input));
}

#[test]
fn cose_keys_are_read_back_and_an_oracle_agrees() {
    for curve in CURVES {
        let key = key(curve, 21).public();
        let bytes = key.to_cose_key();
        assert_eq!(PublicKey::from_cose_key(&bytes).unwrap(), key);
        assert_eq!(PublicKey::from_cose_value(&key.to_cose_value()).unwrap(), key);
        assert_eq!(to_deterministic(&key.to_cose_value()), bytes);
        let mut oracle = CoseKey::from_slice(&bytes).unwrap();
        oracle.canonicalize(coset::CborOrdering::Lexicographic);
        assert_eq!(oracle.to_vec().unwrap(), bytes);
    }
}

#[test]
fn a_cose_key_holds_exactly_its_labels() {
    for pairs in [ec2(), p384(), okp()] {
        PublicKey::from_cose_key(&cose_key(&pairs)).unwrap();
        for missing in 0..pairs.len() {
            let mut fewer = pairs.clone();
            let (label, _) = fewer.remove(missing);
            assert_eq!(PublicKey::from_cose_key(&cose_key(&fewer)), Err(KeyError::Missing(label)));
        }
        for extra in [2, 3, 4, 5, -4, -70] {
            let more = with(pairs.clone(), extra, Value::Bytes(vec![0]));
            assert_eq!(PublicKey::from_cose_key(&cose_key(&more)), Err(KeyError::Unexpected(extra.into())));
        }
    }
    let more = with(okp(), label::Y, Value::Bytes(unhex(Y)));
    assert_eq!(PublicKey::from_cose_key(&cose_key(&more)), Err(KeyError::Unexpected(label::Y.into())));
}

#[test]
fn a_cose_key_holds_what_its_labels_say() {
    let wrong: &[(Vec<(i64, Value)>, i64)] = &[
        (with(ec2(), label::KTY, Value::from(4)), label::KTY),
        (with(ec2(), label::KTY, Value::from("EC2")), label::KTY),
        (with(ec2(), label::CRV, Value::from(3)), label::CRV),
        (with(ec2(), label::CRV, Value::from(6)), label::CRV),
        // The coordinates of one curve under the other's name.
        (with(ec2(), label::CRV, Value::from(2)), label::X),
        (with(p384(), label::CRV, Value::from(1)), label::X),
        (with(p384(), label::Y, Value::Bytes(vec![1; 32])), label::Y),
        (with(p384(), label::Y, Value::Bool(true)), label::Y),
        (with(okp(), label::CRV, Value::from(7)), label::CRV),
        (with(okp(), label::CRV, Value::from(4)), label::CRV),
        (with(ec2(), label::X, Value::Bytes(vec![1; 31])), label::X),
        (with(ec2(), label::Y, Value::Bytes(vec![1; 33])), label::Y),
        // "EC2 keys carry `y` as a byte string": no compressed points.
        (with(ec2(), label::Y, Value::Bool(true)), label::Y),
        (with(okp(), label::X, Value::from("x")), label::X),
    ];
    for (pairs, expected) in wrong {
        let error = PublicKey::from_cose_key(&cose_key(pairs)).unwrap_err();
        assert!(matches!(error, KeyError::Wrong { label, .. } if label == *expected), "{error}");
    }
    let off = with(ec2(), label::Y, Value::Bytes(vec![1; 32]));
    assert_eq!(PublicKey::from_cose_key(&cose_key(&off)), Err(KeyError::NotOnCurve(Curve::P256)));
    let off = with(p384(), label::Y, Value::Bytes(vec![1; 48]));
    assert_eq!(PublicKey::from_cose_key(&cose_key(&off)), Err(KeyError::NotOnCurve(Curve::P384)));
    let weak = with(okp(), label::X, Value::Bytes([&[1][..], &[0; 31]].concat()));
    assert_eq!(PublicKey::from_cose_key(&cose_key(&weak)), Err(KeyError::SmallOrder));
}

#[test]
fn a_cose_key_is_deterministic() {
    let bytes = unhex(&format!("a4 2001 0102 21 5820{X} 22 5820{Y}"));
    let error = PublicKey::from_cose_key(&bytes).unwrap_err();
    assert!(matches!(error, KeyError::Cbor(error) if error.why == CborFault::KeyOrder));
    assert!(matches!(PublicKey::from_cose_key(&[0x80]), Err(KeyError::Header(HeaderError::NotMap(0)))));
}

/// The keys of RFC 8410 §10.3 and §10.1.
const ED25519_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const ED25519_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
";

/// A pair that another tool has made.
const P256_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgaib9YeCDllXQj0J9
+cbD7nA/wjXQsnD5wzPGT2hhI+6hRANCAAR4f0Huw5cb3YBoIq011knS4Mq7OM3K
+OJMsaSAb000Q2OmJ1eZFVQHhD0IQXqWr5YxSdDPGwhX9k980n9YHWrF
-----END PRIVATE KEY-----
";
const P256_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeH9B7sOXG92AaCKtNdZJ0uDKuzjN
yvjiTLGkgG9NNENjpidXmRVUB4Q9CEF6lq+WMUnQzxsIV/ZPfNJ/WB1qxQ==
-----END PUBLIC KEY-----
";

const P384_PRIVATE: &str = "-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDhe0k2iYxZZ7FMjkC0
2Lb7NF8hEO5xUE62unGR7IgjOHkF/MjRtHCBAIrTZS+u3HGhZANiAATm9/I9ImCo
G+NZjEAZNReQWeJhszymkS5eBiyZxesqNrDQGtAY2+o6nB0WfH/sINkcxPx4meMU
X2l1S7BGYjIPS6khVM8OOUyfOsJkVEAMtYHwGHzCM7qdQlyPQ+4HyxE=
-----END PRIVATE KEY-----
";
const P384_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE5vfyPSJgqBvjWYxAGTUXkFniYbM8ppEu
XgYsmcXrKjaw0BrQGNvqOpwdFnx/7CDZHMT8eJnjFF9pdUuwRmIyD0upIVTPDjlM
nzrCZFRADLWB8Bh8wjO6nUJcj0PuB8sR
-----END PUBLIC KEY-----
";

/// A key on P-521, which no statement may be signed with.
const P521_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB37F4sCFw2JAjFpTFaAmRbHR2PK0J
5nOrkUKfa4bmpLZ4VulcdRXTzi1KytXHN9ywUzxN8KPEDVzlFPi3hu+Co2wA/B3F
cb8X5h4lNqqfXgcHI1xt06enj0iFDCqPbpaY/FA7J5vkmDn7Q9j4Nk1IvXsEAZwJ
9D2ydzTtUCWXMcfp7/g=
-----END PUBLIC KEY-----
";

/// Pairs of files that belong together.
const PAIRS: [(&str, &str); 3] =
    [(ED25519_PRIVATE, ED25519_PUBLIC), (P256_PRIVATE, P256_PUBLIC), (P384_PRIVATE, P384_PUBLIC)];

#[test]
fn pem_files_of_other_tools_are_read_and_written_alike() {
    for (private, public) in PAIRS {
        let key = SigningKey::from_pkcs8_pem(private).unwrap();
        assert_eq!(key.public(), PublicKey::from_spki_pem(public).unwrap());
        assert_eq!(key.public().to_spki_pem(), public);
        assert_eq!(key.to_pkcs8_pem(), private);
        assert_eq!(PublicKey::from_spki_der(&key.public().spki_der()).unwrap(), key.public());
    }
}

#[test]
fn pem_of_another_kind_is_refused() {
    for (private, public) in PAIRS {
        assert!(matches!(SigningKey::from_pkcs8_pem(public), Err(KeyError::Pem { .. })));
        assert!(matches!(PublicKey::from_spki_pem(private), Err(KeyError::Pem { .. })));
        let renamed = public.replace("PUBLIC", "CERTIFICATE");
        assert!(matches!(PublicKey::from_spki_pem(&renamed), Err(KeyError::Pem { .. })));
        assert!(matches!(PublicKey::from_spki_pem(&public[..40]), Err(KeyError::Pem { .. })));
    }
    // An X25519 key: the same bytes under another algorithm.
    let x25519 = ED25519_PUBLIC.replace("K2Vw", "K2Vu");
    assert!(matches!(PublicKey::from_spki_pem(&x25519), Err(KeyError::Pem { .. })));
    assert!(matches!(PublicKey::from_spki_pem(""), Err(KeyError::Pem { .. })));
    let p521 = PublicKey::from_spki_pem(P521_PUBLIC).unwrap_err().to_string();
    assert!(p521.contains("1.3.132.0.35"), "{p521}");
}

#[test]
fn weak_keys_do_not_come_in_by_pem() {
    let mut der = PublicKey::from_spki_pem(ED25519_PUBLIC).unwrap().spki_der();
    let at = der.len() - 32;
    der[at..].copy_from_slice(&[&[1][..], &[0; 31]].concat());
    assert_eq!(PublicKey::from_spki_der(&der), Err(KeyError::SmallOrder));
}

proptest! {
    #[test]
    fn every_key_survives_pem_and_cose(seed in any::<[u8; 48]>(), curve in prop::sample::select(&CURVES)) {
        if let Ok(key) = SigningKey::from_seed(curve, &seed[..curve.secret_bytes()]) {
            let again = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
            prop_assert_eq!(again.sign(b"m"), key.sign(b"m"));
            prop_assert_eq!(PublicKey::from_spki_pem(&key.public().to_spki_pem()).unwrap(), key.public());
            prop_assert_eq!(PublicKey::from_cose_key(&key.public().to_cose_key()).unwrap(), key.public());
        }
    }

    #[test]
    fn no_bytes_make_a_key_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        text in "\\PC{0,200}",
    ) {
        let _ = (PublicKey::from_cose_key(&bytes), PublicKey::from_spki_der(&bytes));
        let _ = (PublicKey::from_spki_pem(&text), SigningKey::from_pkcs8_pem(&text));
        let mut mutated = cose_key(&ec2());
        let at = at.index(mutated.len());
        mutated[at] = byte;
        if let Ok(key) = PublicKey::from_cose_key(&mutated) {
            prop_assert_eq!(key.to_cose_key(), mutated);
        }
        let mut pem = P256_PRIVATE.as_bytes().to_vec();
        let at = at % pem.len();
        pem[at] = byte & 0x7f;
        let _ = SigningKey::from_pkcs8_pem(core::str::from_utf8(&pem).unwrap());
    }
}
