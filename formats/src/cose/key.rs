//! Public keys: what they are made from, their thumbprints, and strict verification.

use core::fmt;

use p256::ecdsa::signature::Verifier as _;

use super::label::{CRV, KTY, X, Y};
use super::{Algorithm, Curve, HeaderError, HeaderMap, Label};
use crate::cbor::{CborError, Encoder, Item, Rules, Value, check, to_deterministic};
use crate::digest::Digest;

const KTY_OKP: i64 = 1;
const KTY_EC2: i64 = 2;
const CRV_P256: i64 = 1;
const CRV_P384: i64 = 2;
const CRV_ED25519: i64 = 6;

/// A public key that has been checked: on its curve, canonical, not of small order.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(Inner);

#[derive(Clone, PartialEq, Eq)]
enum Inner {
    Ed25519(ed25519_dalek::VerifyingKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
}

/// Why a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The CBOR is not as it must be.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// The key is no map of labels.
    #[error("COSE_Key: {0}")]
    Header(#[from] HeaderError),
    /// A label is missing.
    #[error("COSE_Key: label {0} is missing")]
    Missing(i64),
    /// A label is too much.
    #[error("COSE_Key: label {0} may not stand here")]
    Unexpected(Label),
    /// A label holds something else.
    #[error("COSE_Key: label {label} must be {expected}")]
    Wrong {
        /// The label.
        label: i64,
        /// What must stand there.
        expected: &'static str,
    },
    /// The coordinates are those of no point of the curve.
    #[error("the coordinates are not those of a point on {0}")]
    NotOnCurve(Curve),
    /// The point is encoded in another than the canonical way.
    #[error("the Ed25519 key is not in its canonical encoding")]
    NotCanonical,
    /// The point has a small order: such a key verifies signatures that nobody made.
    #[error("the Ed25519 key is a point of small order")]
    SmallOrder,
    /// The secret bytes are no private key of the curve.
    #[error("a secret key on {curve} is a number of {} bytes, neither zero nor beyond the order of the group", curve.secret_bytes())]
    Secret {
        /// The curve.
        curve: Curve,
    },
    /// The text is not the PEM it should be, or its DER is wrong.
    #[error("not a {label} PEM of an Ed25519, P-256 or P-384 key: {why}")]
    Pem {
        /// The label it should have.
        label: &'static str,
        /// What is wrong.
        why: String,
    },
    /// The key is on another curve than it must be.
    #[error("the key is on {found}; it must be on {expected}")]
    Curve {
        /// The key's curve.
        found: Curve,
        /// What it must be.
        expected: Curve,
    },
    /// A key set is no array.
    #[error("a COSE_KeySet must be an array of keys")]
    NotArray,
    /// One of several keys is wrong.
    #[error("key {position}: {error}")]
    At {
        /// Which one, counted from 0.
        position: usize,
        /// What is wrong with it.
        error: Box<KeyError>,
    },
}

/// Why a signature does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The algorithm is for keys on another curve.
    #[error("{algorithm} needs a key on {}, and this one is on {key}", algorithm.curve())]
    Curve {
        /// The algorithm of the header.
        algorithm: Algorithm,
        /// The key's curve.
        key: Curve,
    },
    /// The signature has a wrong length.
    #[error("the signature has {found} bytes; on {curve} it must have {}", curve.signature_bytes())]
    Length {
        /// How many bytes it has.
        found: usize,
        /// The key's curve.
        curve: Curve,
    },
    /// The signature is not one of this message by this key.
    #[error("the signature does not verify")]
    Mismatch,
}

impl PublicKey {
    /// Reads an Ed25519 key from its 32 bytes (RFC 8032 §5.1.2).
    ///
    /// # Errors
    ///
    /// Bytes that are no point, not canonical, or of small order are refused.
    pub fn ed25519(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if !is_canonical(&bytes) {
            return Err(KeyError::NotCanonical);
        }
        let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotOnCurve(Curve::Ed25519))?;
        if key.is_weak() { Err(KeyError::SmallOrder) } else { Ok(Self(Inner::Ed25519(key))) }
    }

    /// Reads a P-256 key from its coordinates.
    ///
    /// # Errors
    ///
    /// Coordinates of no point on the curve are refused.
    pub fn p256(x: [u8; 32], y: [u8; 32]) -> Result<Self, KeyError> {
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(&point);
        key.map(|key| Self(Inner::P256(key))).map_err(|_| KeyError::NotOnCurve(Curve::P256))
    }

    /// Reads a P-384 key from its coordinates.
    ///
    /// # Errors
    ///
    /// Coordinates of no point on the curve are refused.
    pub fn p384(x: [u8; 48], y: [u8; 48]) -> Result<Self, KeyError> {
        let point = [&[4], x.as_slice(), y.as_slice()].concat();
        let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(&point);
        key.map(|key| Self(Inner::P384(key))).map_err(|_| KeyError::NotOnCurve(Curve::P384))
    }

    pub(super) const fn from_dalek(key: ed25519_dalek::VerifyingKey) -> Self {
        Self(Inner::Ed25519(key))
    }

    pub(super) const fn from_p256(key: p256::ecdsa::VerifyingKey) -> Self {
        Self(Inner::P256(key))
    }

    pub(super) const fn from_p384(key: p384::ecdsa::VerifyingKey) -> Self {
        Self(Inner::P384(key))
    }

    /// Reads a `COSE_Key` that holds exactly 1, −1, −2 and for EC2 −3, from deterministic CBOR.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the label that is missing, wrong or too much.
    pub fn from_cose_key(bytes: &[u8]) -> Result<Self, KeyError> {
        Self::from_cose_item(&check(bytes, Rules::Deterministic)?, &[])
    }

    /// Reads a `COSE_Key` as [`PublicKey::from_cose_key`] does, from a value.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_cose_key`].
    pub fn from_cose_value(value: &Value) -> Result<Self, KeyError> {
        Self::from_cose_key(&to_deterministic(value))
    }

    /// Reads a `COSE_Key`; the labels in `also` may stand in it and are left to the caller.
    pub(crate) fn from_cose_item(item: &Item<'_>, also: &[i64]) -> Result<Self, KeyError> {
        let map = HeaderMap::read(item)?;
        let key = match number(&map, KTY, "1 (OKP) or 2 (EC2)")? {
            KTY_OKP => Self::from_okp(&map)?,
            KTY_EC2 => Self::from_ec2(&map)?,
            _ => return Err(KeyError::Wrong { label: KTY, expected: "1 (OKP) or 2 (EC2)" }),
        };
        let own: &[i64] = match key.curve() {
            Curve::P256 | Curve::P384 => &[KTY, CRV, X, Y],
            Curve::Ed25519 => &[KTY, CRV, X],
        };
        let known = |label: &Label| own.iter().chain(also).any(|known| *label == Label::from(*known));
        match map.labels().find(|label| !known(label)) {
            Some(label) => Err(KeyError::Unexpected(label.clone())),
            None => Ok(key),
        }
    }

    fn from_okp(map: &HeaderMap<'_>) -> Result<Self, KeyError> {
        if number(map, CRV, "6 (Ed25519)")? != CRV_ED25519 {
            return Err(KeyError::Wrong { label: CRV, expected: "6 (Ed25519)" });
        }
        Self::ed25519(coordinate(map, X)?)
    }

    fn from_ec2(map: &HeaderMap<'_>) -> Result<Self, KeyError> {
        const CURVES: &str = "1 (P-256) or 2 (P-384)";
        match number(map, CRV, CURVES)? {
            CRV_P256 => Self::p256(coordinate(map, X)?, coordinate(map, Y)?),
            CRV_P384 => Self::p384(coordinate(map, X)?, coordinate(map, Y)?),
            _ => Err(KeyError::Wrong { label: CRV, expected: CURVES }),
        }
    }

    /// Writes the `COSE_Key` with exactly 1, −1, −2 and for EC2 −3, deterministic.
    #[must_use]
    pub fn to_cose_key(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self.curve() {
            Curve::Ed25519 => out.map(3).int(KTY).int(KTY_OKP),
            Curve::P256 | Curve::P384 => out.map(4).int(KTY).int(KTY_EC2),
        };
        self.encode_point(&mut out);
        out.into_vec()
    }

    /// Writes −1, −2 and for EC2 −3 with what stands under them.
    pub(crate) fn encode_point(&self, out: &mut Encoder) {
        match &self.0 {
            Inner::Ed25519(key) => {
                out.int(CRV).int(CRV_ED25519).int(X).bytes(key.as_bytes());
            }
            // RFC 9053 §7.1.1 lets y be a sign bit; as a byte string every stock verifier reads it.
            Inner::P256(key) => {
                let point = key.to_sec1_point(false);
                out.int(CRV).int(CRV_P256).int(X).bytes(&bytes_of(point.x())).int(Y).bytes(&bytes_of(point.y()));
            }
            Inner::P384(key) => {
                let point = key.to_sec1_point(false);
                out.int(CRV).int(CRV_P384).int(X).bytes(&bytes_of(point.x())).int(Y).bytes(&bytes_of(point.y()));
            }
        }
    }

    /// Builds the `COSE_Key` of [`PublicKey::to_cose_key`] as a value.
    #[must_use]
    pub fn to_cose_value(&self) -> Value {
        let pair = |label: i64, value| (Value::from(label), value);
        let ec2 = |crv: i64, x, y| {
            let kty = pair(KTY, Value::from(KTY_EC2));
            vec![kty, pair(CRV, Value::from(crv)), pair(X, Value::Bytes(x)), pair(Y, Value::Bytes(y))]
        };
        Value::Map(match &self.0 {
            Inner::Ed25519(key) => vec![
                pair(KTY, Value::from(KTY_OKP)),
                pair(CRV, Value::from(CRV_ED25519)),
                pair(X, Value::Bytes(key.as_bytes().to_vec())),
            ],
            Inner::P256(key) => {
                let point = key.to_sec1_point(false);
                ec2(CRV_P256, bytes_of(point.x()), bytes_of(point.y()))
            }
            Inner::P384(key) => {
                let point = key.to_sec1_point(false);
                ec2(CRV_P384, bytes_of(point.x()), bytes_of(point.y()))
            }
        })
    }

    /// Computes the thumbprint with SHA-256: what `kid` holds.
    ///
    /// "Construct a COSE_Key structure […] containing only the required parameters representing the key" (RFC 9679 §3), encode it
    /// deterministically and hash it. Those parameters are the ones [`PublicKey::to_cose_key`] writes.
    #[must_use]
    pub fn thumbprint(&self) -> Digest {
        Digest::sha256(&self.to_cose_key())
    }

    /// Returns the key's curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Inner::Ed25519(_) => Curve::Ed25519,
            Inner::P256(_) => Curve::P256,
            Inner::P384(_) => Curve::P384,
        }
    }

    /// Returns the 32 bytes of an Ed25519 key.
    #[must_use]
    pub fn ed25519_bytes(&self) -> Option<&[u8; 32]> {
        match &self.0 {
            Inner::Ed25519(key) => Some(key.as_bytes()),
            Inner::P256(_) | Inner::P384(_) => None,
        }
    }

    pub(super) const fn p256_key(&self) -> Option<&p256::ecdsa::VerifyingKey> {
        match &self.0 {
            Inner::P256(key) => Some(key),
            Inner::Ed25519(_) | Inner::P384(_) => None,
        }
    }

    pub(super) const fn p384_key(&self) -> Option<&p384::ecdsa::VerifyingKey> {
        match &self.0 {
            Inner::P384(key) => Some(key),
            Inner::Ed25519(_) | Inner::P256(_) => None,
        }
    }

    /// Checks a signature, strictly.
    ///
    /// Ed25519: cofactorless, R canonical and not of small order, S below the group order. ECDSA: r and s, each as long as the
    /// group order, in [1, n−1]; s may be high, for a statement's identity does not depend on it.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when the algorithm is for another curve, or the signature does not verify.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        if algorithm.curve() != self.curve() {
            return Err(SignatureError::Curve { algorithm, key: self.curve() });
        }
        if signature.len() != self.curve().signature_bytes() {
            return Err(SignatureError::Length { found: signature.len(), curve: self.curve() });
        }
        let result = match &self.0 {
            Inner::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .and_then(|signature| key.verify_strict(message, &signature)),
            Inner::P256(key) => {
                p256::ecdsa::Signature::from_slice(signature).and_then(|signature| key.verify(message, &signature))
            }
            Inner::P384(key) => {
                p384::ecdsa::Signature::from_slice(signature).and_then(|signature| key.verify(message, &signature))
            }
        };
        result.map_err(|_| SignatureError::Mismatch)
    }

    /// Checks a signature as certificates have it: of ECDSA the two numbers in DER (RFC 3279 §2.2.3), of Ed25519 as [`PublicKey::verify`] does.
    pub(crate) fn verify_x509(
        &self,
        algorithm: Algorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let fixed = match self.curve() {
            Curve::Ed25519 => Some(signature.to_vec()),
            Curve::P256 => p256::ecdsa::Signature::from_der(signature).ok().map(|found| found.to_bytes().to_vec()),
            Curve::P384 => p384::ecdsa::Signature::from_der(signature).ok().map(|found| found.to_bytes().to_vec()),
        };
        self.verify(algorithm, message, &fixed.ok_or(SignatureError::Mismatch)?)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, thumbprint {})", self.curve(), self.thumbprint())
    }
}

/// Says whether the y coordinate of an encoded point is below the field's prime, 2^255 − 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    *first < 0xed || middle.iter().any(|byte| *byte != 0xff) || last & 0x7f != 0x7f
}

/// Returns the bytes of a coordinate of an uncompressed point, which has both.
fn bytes_of(coordinate: Option<&impl AsRef<[u8]>>) -> Vec<u8> {
    coordinate.map(|bytes| bytes.as_ref().to_vec()).unwrap_or_default()
}

fn number(map: &HeaderMap<'_>, label: i64, expected: &'static str) -> Result<i64, KeyError> {
    let item = map.get(label).ok_or(KeyError::Missing(label))?;
    item.as_i64().ok_or(KeyError::Wrong { label, expected })
}

fn coordinate<const N: usize>(map: &HeaderMap<'_>, label: i64) -> Result<[u8; N], KeyError> {
    let item = map.get(label).ok_or(KeyError::Missing(label))?;
    let bytes = item.as_bytes().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or(KeyError::Wrong { label, expected: "a byte string as long as the curve's field (32 or 48 bytes)" })
}
