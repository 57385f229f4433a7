//! RFC 7638 thumbprints of keys.

use serde_json::Value as Json;
use x509_cert::der::asn1::{ObjectIdentifier, UintRef};
use x509_cert::der::{self, Decode, Reader, SliceReader};
use x509_cert::spki::SubjectPublicKeyInfoRef;

use super::{HandleError, bounded};
use crate::base64;
use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::record::Handle;
use crate::record::view::parse_text;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// Curves: object identifier, JOSE name, bytes of a coordinate.
const CURVES: [(ObjectIdentifier, &str, usize); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), "P-256", 32),
    (ObjectIdentifier::new_unwrap("1.3.132.0.34"), "P-384", 48),
    (ObjectIdentifier::new_unwrap("1.3.132.0.35"), "P-521", 66),
];

/// Gives the thumbprint of a key written as a JWK. Members that take no part in it are passed over.
///
/// # Errors
///
/// Not a JSON object, a type of key without thumbprint, or a member that is missing or not base64url.
pub fn jwk_thumbprint(jwk: &str) -> Result<Digest, HandleError> {
    bounded(jwk.as_bytes())?;
    let jwk = parse_text(jwk).map_err(|error| HandleError::Json { part: "key", why: error.to_string() })?;
    let Json::Object(_) = &jwk else {
        return Err(HandleError::Json { part: "key", why: "a JWK is a JSON object".to_owned() });
    };
    let kty = member(&jwk, "kty")?;
    // RFC 7638 §3.2: the required members of each type, in lexicographic order. OKP: RFC 8037 §2.
    let names: &[&str] = match kty {
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        "RSA" => &["e", "kty", "n"],
        other => return Err(HandleError::KeyType(other.to_owned())),
    };
    let mut members = Vec::with_capacity(names.len());
    for name in names {
        let value = member(&jwk, name)?;
        if !matches!(*name, "crv" | "kty") && (value.is_empty() || base64::decode_url(value).is_err()) {
            return Err(HandleError::Member { member: (*name).to_owned(), expected: "base64url without padding" });
        }
        members.push((*name, value));
    }
    Ok(thumbprint(&members))
}

/// Gives the thumbprint that the JWK of a SubjectPublicKeyInfo in DER would have.
///
/// # Errors
///
/// Not such a structure, or not a P-256, P-384, P-521, Ed25519 or RSA key.
pub fn spki_thumbprint(der: &[u8]) -> Result<Digest, HandleError> {
    bounded(der)?;
    let spki = SubjectPublicKeyInfoRef::from_der(der)
        .map_err(|error| HandleError::Json { part: "key", why: error.to_string() })?;
    let oid = spki.algorithm.oid;
    let unknown = || HandleError::KeyType(oid.to_string());
    let key = spki.subject_public_key.as_bytes().ok_or_else(unknown)?;
    match oid {
        EC => ec_thumbprint(spki.algorithm.parameters_oid().ok(), key).ok_or_else(unknown),
        ED25519 if key.len() == 32 => {
            Ok(thumbprint(&[("crv", "Ed25519"), ("kty", "OKP"), ("x", &base64::encode_url(key))]))
        }
        RSA => rsa_thumbprint(key).map_err(|_| unknown()),
        _ => Err(unknown()),
    }
}

/// Gives the handles of a SubjectPublicKeyInfo in DER: `spki_s256`, and `jkt` where a thumbprint is defined.
///
/// # Errors
///
/// Not such a structure.
pub fn key_handles(der: &[u8]) -> Result<Vec<Handle>, HandleError> {
    let spki = Handle::of_digest("spki_s256", &Digest::sha256(der));
    match spki_thumbprint(der) {
        Ok(jkt) => Ok(vec![spki, Handle::of_digest("jkt", &jkt)]),
        Err(HandleError::KeyType(_)) => Ok(vec![spki]),
        Err(error) => Err(error),
    }
}

/// Gives the SubjectPublicKeyInfo, in DER, of a JWK that is a P-256, P-384 or Ed25519 key; none of another.
#[must_use]
pub fn jwk_spki(jwk: &Json) -> Option<Vec<u8>> {
    let coordinate = |name: &str| base64::decode_url(jwk.get(name)?.as_str()?).ok();
    let (kty, curve) = (jwk.get("kty")?.as_str()?, jwk.get("crv")?.as_str()?);
    let key = match (kty, curve) {
        ("EC", "P-256") => PublicKey::p256(coordinate("x")?.try_into().ok()?, coordinate("y")?.try_into().ok()?),
        ("EC", "P-384") => PublicKey::p384(coordinate("x")?.try_into().ok()?, coordinate("y")?.try_into().ok()?),
        ("OKP", "Ed25519") => PublicKey::ed25519(coordinate("x")?.try_into().ok()?),
        _ => return None,
    };
    key.ok().map(|key| key.spki_der())
}

fn ec_thumbprint(curve: Option<ObjectIdentifier>, point: &[u8]) -> Option<Digest> {
    let (_, name, len) = CURVES.into_iter().find(|(oid, _, _)| Some(*oid) == curve)?;
    let [4, coordinates @ ..] = point else { return None };
    let (x, y) = coordinates.split_at_checked(len).filter(|(_, y)| y.len() == len)?;
    Some(thumbprint(&[("crv", name), ("kty", "EC"), ("x", &base64::encode_url(x)), ("y", &base64::encode_url(y))]))
}

fn rsa_thumbprint(key: &[u8]) -> der::Result<Digest> {
    let mut reader = SliceReader::new(key)?;
    let (n, e) = reader.sequence(|key| der::Result::Ok((UintRef::decode(key)?, UintRef::decode(key)?)))?;
    reader.finish()?;
    Ok(thumbprint(&[
        ("e", &base64::encode_url(e.as_bytes())),
        ("kty", "RSA"),
        ("n", &base64::encode_url(n.as_bytes())),
    ]))
}

/// Hashes the members, in lexicographic order, as JSON without whitespace.
fn thumbprint(members: &[(&str, &str)]) -> Digest {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{}:{}", Json::from(*name), Json::from(*value))).collect();
    Digest::sha256(format!("{{{}}}", members.join(",")).as_bytes())
}

fn member<'a>(jwk: &'a Json, name: &str) -> Result<&'a str, HandleError> {
    jwk.get(name)
        .and_then(Json::as_str)
        .ok_or_else(|| HandleError::Member { member: name.to_owned(), expected: "a string" })
}
