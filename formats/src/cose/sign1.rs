//! The envelope of a single signer (`COSE_Sign1`, RFC 9052 §4.2) and what is signed.

use super::{HeaderError, HeaderMap};
use crate::cbor::{CborError, Encoder, Item, Rules, check, check_at};

/// The tag of a `COSE_Sign1`.
pub(crate) const TAG: u64 = 18;

/// Why bytes are not a tagged `COSE_Sign1` in deterministic encoding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Sign1Error {
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The outermost item is not tag 18 over an array of four.
    #[error("offset 0: must be a COSE_Sign1, tag 18 over an array of four (d2 84 …)")]
    NotSign1,
    /// An element of the array has the wrong type.
    #[error("offset {offset}: {element} must be {expected}")]
    Element {
        /// Where the element begins.
        offset: usize,
        /// Which one it is.
        element: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// The protected or unprotected header is no map of labels.
    #[error("{header} header: {error}")]
    Header {
        /// Which header.
        header: &'static str,
        /// What is wrong with it.
        error: HeaderError,
    },
}

/// The parts of a `COSE_Sign1`, borrowed from its bytes.
pub(crate) struct Sign1<'a> {
    /// The protected header's bytes, and where they begin.
    pub(crate) protected: (&'a [u8], usize),
    pub(crate) protected_map: HeaderMap<'a>,
    pub(crate) unprotected: Item<'a>,
    pub(crate) unprotected_map: HeaderMap<'a>,
    /// The payload's bytes, and where they begin; none when it is detached.
    pub(crate) payload: Option<(&'a [u8], usize)>,
    /// The signature, and where it begins.
    pub(crate) signature: (&'a [u8], usize),
}

impl<'a> Sign1<'a> {
    /// Reads the envelope; `protected_rules` say whether the protected header's keys may stand in any order.
    pub(crate) fn read(bytes: &'a [u8], protected_rules: Rules) -> Result<Self, Sign1Error> {
        let item = check(bytes, Rules::Deterministic)?;
        let content = item.as_tag().filter(|(tag, _)| *tag == TAG).and_then(|(_, content)| content.as_array());
        let content = content.ok_or(Sign1Error::NotSign1)?;
        let [protected, unprotected, payload, signature] = content.as_slice() else { return Err(Sign1Error::NotSign1) };
        let protected = byte_string(protected, "the protected header")?;
        let map = check_at(protected.0, protected.1, protected_rules)?;
        Ok(Self {
            protected,
            protected_map: header("protected", &map)?,
            unprotected: *unprotected,
            unprotected_map: header("unprotected", unprotected)?,
            payload: if payload.is_null() { None } else { Some(byte_string(payload, "the payload")?) },
            signature: byte_string(signature, "the signature")?,
        })
    }
}

fn header<'a>(header: &'static str, map: &Item<'a>) -> Result<HeaderMap<'a>, Sign1Error> {
    HeaderMap::read(map).map_err(|error| Sign1Error::Header { header, error })
}

fn byte_string<'a>(item: &Item<'a>, element: &'static str) -> Result<(&'a [u8], usize), Sign1Error> {
    let wrong = || Sign1Error::Element { offset: item.offset(), element, expected: "a byte string" };
    Ok((item.as_bytes().ok_or_else(wrong)?, item.content_offset()))
}

/// Writes a tagged `COSE_Sign1`; without a payload, the payload is detached (nil).
pub(crate) fn encode_sign1(protected: &[u8], unprotected: &[u8], payload: Option<&[u8]>, signature: &[u8]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.tag(TAG).array(4).bytes(protected).raw(unprotected);
    match payload {
        Some(payload) => out.bytes(payload),
        None => out.null(),
    };
    out.bytes(signature);
    out.into_vec()
}

/// Builds the `Sig_structure` of a `COSE_Sign1` without external data: what is signed, and whose SHA-256 is the statement's identity.
///
/// Deterministic CBOR of `["Signature1", protected bytes, h'', payload bytes]` (RFC 9052 §4.4).
#[must_use]
pub fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.array(4).text("Signature1").bytes(protected).bytes(&[]).bytes(payload);
    out.into_vec()
}
