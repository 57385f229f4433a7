//! Keys in every form they come in.

use govlog_formats::base64;
use govlog_formats::cose::{Curve, PublicKey, SigningKey};
use govlog_formats::key_set;

use super::{choice, chosen, world};

pub(super) fn check(data: &[u8]) -> bool {
    let (form, bytes) = choice(data, 8);
    match (form, std::str::from_utf8(bytes)) {
        (0, _) => PublicKey::from_cose_key(bytes).is_ok_and(|key| {
            assert_eq!(key.to_cose_key(), bytes);
            let spki = key.spki_der();
            assert_eq!(PublicKey::from_spki_der(&spki).as_ref(), Ok(&key));
            assert_eq!(PublicKey::from_spki_pem(&key.to_spki_pem()).as_ref(), Ok(&key));
            assert_eq!(PublicKey::from_cose_value(&key.to_cose_value()).as_ref(), Ok(&key));
            true
        }),
        (1, _) => key_set::parse(bytes).is_ok_and(|keys| {
            assert!(keys.iter().all(|key| key.curve() == Curve::P256));
            assert_eq!(key_set::encode(&keys).as_deref(), Ok(bytes));
            true
        }),
        (2, _) => key_set::parse_key(bytes).is_ok_and(|key| key_set::encode_key(&key).unwrap() == bytes),
        (3, _) => PublicKey::from_spki_der(bytes).is_ok_and(|key| same_in_other_forms(&key)),
        (4, Ok(text)) => PublicKey::from_spki_pem(text).is_ok_and(|key| same_in_other_forms(&key)),
        (5, Ok(text)) => SigningKey::from_pkcs8_pem(text).is_ok_and(|key| {
            let again = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem()).unwrap();
            assert_eq!(again.public(), key.public());
            key.public().verify(key.algorithm(), b"message", &key.sign(b"message")).unwrap();
            true
        }),
        (6, Ok(text)) => base64::decode(text).is_ok_and(|bytes| base64::encode(&bytes) == text),
        (7, Ok(text)) => base64::decode_url(text).is_ok_and(|bytes| base64::encode_url(&bytes) == text),
        _ => false,
    }
}

fn same_in_other_forms(key: &PublicKey) -> bool {
    assert_eq!(PublicKey::from_cose_key(&key.to_cose_key()).as_ref(), Ok(key));
    assert_eq!(PublicKey::from_spki_der(&key.spki_der()).as_ref(), Ok(key));
    true
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![
        chosen(1, key_set::encode(&[world::p256(7).public(), world::p256(8).public()]).unwrap()),
        chosen(2, key_set::encode_key(&world::p256(7).public()).unwrap()),
        chosen(6, "AAEC/w=="),
        chosen(7, "AAEC_w"),
    ];
    for key in [world::ed25519(1), world::p256(1), world::p384(1)] {
        seeds.push(chosen(0, key.public().to_cose_key()));
        seeds.push(chosen(3, key.public().spki_der()));
        seeds.push(chosen(4, key.public().to_spki_pem()));
        seeds.push(chosen(5, key.to_pkcs8_pem()));
    }
    seeds
}
