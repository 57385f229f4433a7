//! The protected header: every rule on what it holds.

use super::{Field, StatementError};
use crate::cbor::Item;
use crate::cose::label::{
    ALG, AUD, CONTENT_TYPE, CRIT, CWT_CLAIMS, IAT, ISS, KID, PAYLOAD_HASH_ALG, PAYLOAD_LOCATION, PREIMAGE_CONTENT_TYPE,
    SUB, X5CHAIN,
};
use crate::cose::{Algorithm, HeaderMap, Label, Sign1};
use crate::digest::Digest;
use crate::limits::{MAX_STREAM_BYTES, MAX_SUBJECT_BYTES};

/// The COSE number of SHA-256.
pub(super) const SHA_256: i64 = -16;

/// The CWT claims of a statement (label 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Who signs: a URI.
    pub iss: String,
    /// What it is about.
    pub sub: String,
    /// The origin of the log it is meant for.
    pub aud: Option<String>,
    /// When it was signed, in seconds: a claim, not proof.
    pub iat: i64,
    /// Its place in a stream.
    pub stream: Option<StreamPosition>,
    /// SHA-256 of an archived note the signer had seen.
    pub head: Option<Digest>,
}

/// A statement's place in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream's name: 1–255 of `[A-Za-z0-9._-]`.
    pub stream: String,
    /// The position, from 0 without gaps, below 2^63.
    pub seq: u64,
    /// SHA-256 of the previous statement's `Sig_structure`; zero at 0.
    pub prev: Digest,
}

/// What names the key a statement is signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The key's thumbprint (label 4).
    Kid(Digest),
    /// A certificate chain, leaf first, each in DER (label 33).
    X5chain(Vec<Vec<u8>>),
}

/// A protected header that obeys every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) signer: Signer,
    pub(super) content_type: String,
    pub(super) is_hash_envelope: bool,
    pub(super) location: Option<String>,
    pub(super) claims: Claims,
}

/// Reads the protected header. Labels it does not know are carried unjudged.
pub(super) fn read(parts: &Sign1<'_>) -> Result<Header, StatementError> {
    let map = &parts.protected_map;
    if map.get(CRIT).is_some() {
        return Err(StatementError::Crit);
    }
    let algorithm = algorithm(&required(map, ALG, Field::Alg)?)?;
    let signer = signer(map)?;
    let is_hash_envelope = is_hash_envelope(map)?;
    let content_type = if is_hash_envelope {
        text(&required(map, PREIMAGE_CONTENT_TYPE, Field::PreimageContentType)?, Field::PreimageContentType)?
    } else {
        text(&required(map, CONTENT_TYPE, Field::ContentType)?, Field::ContentType)?
    };
    let location = map.get(PAYLOAD_LOCATION).map(|item| text(&item, Field::PayloadLocation)).transpose()?;
    let claims = claims(&required(map, CWT_CLAIMS, Field::CwtClaims)?)?;
    Ok(Header { algorithm, signer, content_type, is_hash_envelope, location, claims })
}

/// Checks the unprotected header of a submission, before it is replaced.
pub(super) fn check_unprotected(parts: &Sign1<'_>, header: &Header) -> Result<(), StatementError> {
    let map = &parts.unprotected_map;
    if map.get(CRIT).is_some() {
        return Err(StatementError::Crit);
    }
    // "Applications SHOULD verify that the same label does not occur in both the protected and unprotected header parameters."
    // (RFC 9052 §3)
    if let Some(label) = map.labels().find(|label| parts.protected_map.has(label)) {
        return Err(StatementError::LabelTwice(label.clone()));
    }
    // RFC 9995: the labels of a hash envelope stand in the protected header only, and beside them content type (3) in neither.
    let envelope = [PAYLOAD_HASH_ALG, PREIMAGE_CONTENT_TYPE, PAYLOAD_LOCATION];
    let content_type = header.is_hash_envelope.then_some(CONTENT_TYPE);
    match envelope.into_iter().chain(content_type).find(|label| map.get(*label).is_some()) {
        Some(label) => Err(StatementError::LabelUnprotected(Label::from(label))),
        None => Ok(()),
    }
}

fn algorithm(item: &Item<'_>) -> Result<Algorithm, StatementError> {
    let label = match (item.as_int(), item.as_text()) {
        (Some(label), _) => label,
        (_, Some(name)) => return Err(StatementError::Algorithm(format!("{name:?}"))),
        _ => return Err(wrong(item, Field::Alg)),
    };
    let known = i64::try_from(label).ok().and_then(Algorithm::from_label);
    known.ok_or_else(|| StatementError::Algorithm(label.to_string()))
}

/// "Exactly one of 4 (kid) and 33 (x5chain)."
fn signer(map: &HeaderMap<'_>) -> Result<Signer, StatementError> {
    match (map.get(KID), map.get(X5CHAIN)) {
        (Some(kid), None) => Ok(Signer::Kid(digest(&kid, Field::Kid)?)),
        (None, Some(chain)) => chain_of(&chain).map(Signer::X5chain).ok_or_else(|| wrong(&chain, Field::X5chain)),
        (None, None) => Err(StatementError::Signer(0)),
        (Some(_), Some(_)) => Err(StatementError::Signer(2)),
    }
}

/// "COSE_X509 = bstr / [ 2*certs: bstr ]" (RFC 9360 §2)
fn chain_of(item: &Item<'_>) -> Option<Vec<Vec<u8>>> {
    let certificate = |item: &Item<'_>| item.as_bytes().filter(|der| !der.is_empty()).map(<[u8]>::to_vec);
    match item.as_array() {
        Some(items) if items.len() >= 2 => items.iter().map(certificate).collect(),
        Some(_) => None,
        None => certificate(item).map(|one| vec![one]),
    }
}

/// "Exactly one of 3 and 258 […]; 258 is −16 […] and needs 259, the content type; 259 or 260 without 258: 400."
fn is_hash_envelope(map: &HeaderMap<'_>) -> Result<bool, StatementError> {
    match (map.get(CONTENT_TYPE), map.get(PAYLOAD_HASH_ALG)) {
        (None, None) => Err(StatementError::Content(0)),
        (Some(_), Some(_)) => Err(StatementError::Content(2)),
        (None, Some(hash)) if hash.as_i64() == Some(SHA_256) => Ok(true),
        (None, Some(hash)) => Err(wrong(&hash, Field::PayloadHashAlg)),
        (Some(_), None) if map.get(PREIMAGE_CONTENT_TYPE).is_some() => {
            Err(StatementError::NoEnvelope(Field::PreimageContentType))
        }
        (Some(_), None) if map.get(PAYLOAD_LOCATION).is_some() => {
            Err(StatementError::NoEnvelope(Field::PayloadLocation))
        }
        (Some(_), None) => Ok(false),
    }
}

fn claims(item: &Item<'_>) -> Result<Claims, StatementError> {
    let map = HeaderMap::read(item)?;
    let iat = required(&map, IAT, Field::Iat)?;
    let claims = Claims {
        iss: name(&required(&map, ISS, Field::Iss)?, Field::Iss)?,
        sub: name(&required(&map, SUB, Field::Sub)?, Field::Sub)?,
        aud: map.get(AUD).map(|item| text(&item, Field::Aud)).transpose()?,
        iat: iat.as_i64().ok_or_else(|| wrong(&iat, Field::Iat))?,
        stream: stream_position(&map)?,
        head: map.get_text("head").map(|item| digest(&item, Field::Head)).transpose()?,
    };
    // "`stream`, `seq`, `prev` all or none, and then `aud` too."
    if claims.stream.is_some() && claims.aud.is_none() {
        return Err(StatementError::StreamWithoutAudience);
    }
    Ok(claims)
}

fn stream_position(map: &HeaderMap<'_>) -> Result<Option<StreamPosition>, StatementError> {
    let (stream, seq, prev) = match (map.get_text("stream"), map.get_text("seq"), map.get_text("prev")) {
        (None, None, None) => return Ok(None),
        (None, ..) => return Err(StatementError::PartialStream(Field::Stream)),
        (_, None, _) => return Err(StatementError::PartialStream(Field::Seq)),
        (.., None) => return Err(StatementError::PartialStream(Field::Prev)),
        (Some(stream), Some(seq), Some(prev)) => (stream, seq, prev),
    };
    let is_name = |name: &&str| (1..=MAX_STREAM_BYTES).contains(&name.len()) && name.bytes().all(is_stream_byte);
    Ok(Some(StreamPosition {
        stream: stream.as_text().filter(is_name).ok_or_else(|| wrong(&stream, Field::Stream))?.to_owned(),
        seq: seq.as_u64().filter(|seq| *seq < 1 << 63).ok_or_else(|| wrong(&seq, Field::Seq))?,
        prev: digest(&prev, Field::Prev)?,
    }))
}

/// "so that no stream can pose as a subject": a subject holds a `:` or a `/`.
const fn is_stream_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn required<'a>(map: &HeaderMap<'a>, label: i64, field: Field) -> Result<Item<'a>, StatementError> {
    map.get(label).ok_or(StatementError::Missing { field })
}

fn text(item: &Item<'_>, field: Field) -> Result<String, StatementError> {
    item.as_text().map(str::to_owned).ok_or_else(|| wrong(item, field))
}

fn name(item: &Item<'_>, field: Field) -> Result<String, StatementError> {
    let text = item.as_text().filter(|text| (1..=MAX_SUBJECT_BYTES).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| wrong(item, field))
}

fn digest(item: &Item<'_>, field: Field) -> Result<Digest, StatementError> {
    item.as_bytes().and_then(Digest::from_slice).ok_or_else(|| wrong(item, field))
}

const fn wrong(item: &Item<'_>, field: Field) -> StatementError {
    StatementError::Wrong { field, offset: item.offset() }
}
