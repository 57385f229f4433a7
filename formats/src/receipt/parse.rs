//! Reading receipts: exactly our form, nothing beside it.

use super::{INCLUSION, MAX_NAME_BYTES, MAX_RECEIPT_BYTES, RFC9162_SHA256, Receipt, ReceiptClaims, ReceiptError};
use crate::cbor::{Item, Rules, check_at};
use crate::cose::label::{ALG, CHECKPOINT, CWT_CLAIMS, IAT, ISS, KID, SUB, VDP, VDS};
use crate::cose::{Algorithm, HeaderMap, Label, Sign1};
use crate::digest::Digest;
use crate::limits::MAX_PROOF_HASHES;
use crate::merkle::{InclusionProof, LeafIndex, TreeSize};

const PROTECTED: &str = "a receipt's protected header";
const CLAIMS: &str = "a receipt's claims";
const UNPROTECTED: &str = "a receipt's unprotected header";

pub(super) fn parse(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
    if bytes.len() > MAX_RECEIPT_BYTES {
        return Err(ReceiptError::TooLarge { bytes: bytes.len(), most: MAX_RECEIPT_BYTES });
    }
    let parts = Sign1::read(bytes, Rules::Deterministic)?;
    if let Some((_, offset)) = parts.payload {
        return Err(ReceiptError::Attached(offset));
    }
    let (kid, claims) = protected(&parts.protected_map)?;
    let (proof, note) = unprotected(&parts.unprotected_map)?;
    Ok(Receipt {
        bytes: bytes.to_vec(),
        protected: parts.protected.0.to_vec(),
        kid,
        claims,
        proof,
        note,
        signature: parts.signature.0.to_vec(),
    })
}

/// Reads exactly 1 = −7, 4, 15 and 395 = 1.
fn protected(map: &HeaderMap<'_>) -> Result<(Digest, ReceiptClaims), ReceiptError> {
    only(map, &[ALG.into(), KID.into(), CWT_CLAIMS.into(), VDS.into()], PROTECTED)?;
    constant(map, ALG, "1 alg", Algorithm::Es256.label(), "-7 (ES256)")?;
    constant(map, VDS, "395 vds", RFC9162_SHA256, "1 (RFC9162_SHA256)")?;
    let expected = "a byte string of 32 bytes, the key's thumbprint";
    let kid = field(map, KID, "4 kid", expected)?;
    let kid = kid.as_bytes().and_then(Digest::from_slice).ok_or_else(|| wrong(&kid, "4 kid", expected))?;
    let claims = field(map, CWT_CLAIMS, "15 CWT claims", "a map of the claims iss, sub and iat")?;
    Ok((kid, read_claims(&HeaderMap::read(&claims)?)?))
}

/// Reads exactly 1 `iss`, 2 `sub` and 6 `iat`.
fn read_claims(map: &HeaderMap<'_>) -> Result<ReceiptClaims, ReceiptError> {
    only(map, &[ISS.into(), SUB.into(), IAT.into()], CLAIMS)?;
    let iat = field(map, IAT, "claim 6 iat", "an integer")?;
    Ok(ReceiptClaims {
        iss: name(map, ISS, "claim 1 iss")?,
        sub: name(map, SUB, "claim 2 sub")?,
        iat: iat.as_i64().ok_or_else(|| wrong(&iat, "claim 6 iat", "an integer of 64 bits"))?,
    })
}

/// Reads exactly {396: {−1: [one byte string]}, "govlog.checkpoint": byte string}.
fn unprotected(map: &HeaderMap<'_>) -> Result<(InclusionProof, Vec<u8>), ReceiptError> {
    only(map, &[VDP.into(), Label::Text(CHECKPOINT.to_owned())], UNPROTECTED)?;
    let proofs = HeaderMap::read(&field(map, VDP, "396 vdp", "a map with -1, the inclusion proofs")?)?;
    only(&proofs, &[INCLUSION.into()], "396 vdp")?;
    let expected = "an array of one byte string";
    let list = field(&proofs, INCLUSION, "396 vdp, -1", expected)?;
    let one = list.as_array().and_then(|items| <[Item<'_>; 1]>::try_from(items).ok());
    let Some((bytes, offset)) = one.and_then(|[item]| Some((item.as_bytes()?, item.content_offset()))) else {
        return Err(wrong(&list, "396 vdp, -1", expected));
    };
    let proof = read_proof(&check_at(bytes, offset, Rules::Deterministic)?)?;
    let expected = "a byte string, the checkpoint note";
    let note = map.get_text(CHECKPOINT).ok_or(ReceiptError::Missing { field: CHECKPOINT, expected })?;
    let note = note.as_bytes().ok_or_else(|| wrong(&note, CHECKPOINT, expected))?;
    Ok((proof, note.to_vec()))
}

/// "inclusion-proof = bstr .cbor [ tree-size: uint, leaf-index: uint, inclusion-path: [ + bstr ] ]" (RFC 9942, `RFC9162_SHA256`)
fn read_proof(item: &Item<'_>) -> Result<InclusionProof, ReceiptError> {
    let whole = || wrong(item, "the inclusion proof", "an array of tree size, leaf index and path");
    let parts: [Item<'_>; 3] = item.as_array().and_then(|parts| parts.try_into().ok()).ok_or_else(whole)?;
    let [size, index, path] = parts;
    let number = |item: &Item<'_>, field| item.as_u64().ok_or_else(|| wrong(item, field, "an unsigned integer"));
    let size_read = TreeSize::new(number(&size, "the tree size")?);
    if size_read > TreeSize::MAX {
        return Err(wrong(&size, "the tree size", "at most 2^62"));
    }
    if size_read.get() < 2 {
        return Err(ReceiptError::TooSmall(size_read));
    }
    let index = LeafIndex::new(number(&index, "the leaf index")?);
    let expected = "an array of 1 to 63 byte strings of 32 bytes";
    let hashes = path.as_array().filter(|hashes| (1..=MAX_PROOF_HASHES).contains(&hashes.len()));
    let hash = |item: &Item<'_>| item.as_bytes().and_then(Digest::from_slice);
    let hashes: Option<Vec<_>> = hashes.and_then(|hashes| hashes.iter().map(hash).collect());
    let hashes = hashes.ok_or_else(|| wrong(&path, "the path", expected))?;
    let proof = InclusionProof { index, size: size_read, path: hashes };
    // Whether a path has the right length for its index and size does not depend on the leaf.
    proof.fold(&Digest::ZERO)?;
    Ok(proof)
}

fn only(map: &HeaderMap<'_>, known: &[Label], place: &'static str) -> Result<(), ReceiptError> {
    match map.labels().find(|label| !known.contains(label)) {
        Some(label) => Err(ReceiptError::Unexpected { label: label.clone(), place }),
        None => Ok(()),
    }
}

fn constant(
    map: &HeaderMap<'_>,
    label: i64,
    name: &'static str,
    value: i64,
    expected: &'static str,
) -> Result<(), ReceiptError> {
    let item = field(map, label, name, expected)?;
    if item.as_i64() == Some(value) { Ok(()) } else { Err(wrong(&item, name, expected)) }
}

fn name(map: &HeaderMap<'_>, label: i64, name: &'static str) -> Result<String, ReceiptError> {
    let expected = "text of 1 to 2,056 bytes";
    let item = field(map, label, name, expected)?;
    let text = item.as_text().filter(|text| (1..=MAX_NAME_BYTES).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| wrong(&item, name, expected))
}

fn field<'a>(
    map: &HeaderMap<'a>,
    label: i64,
    field: &'static str,
    expected: &'static str,
) -> Result<Item<'a>, ReceiptError> {
    map.get(label).ok_or(ReceiptError::Missing { field, expected })
}

const fn wrong(item: &Item<'_>, field: &'static str, expected: &'static str) -> ReceiptError {
    ReceiptError::Wrong { field, offset: item.offset(), expected }
}
