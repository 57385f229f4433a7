//! COSE (RFC 9052, RFC 9053): algorithms, keys, thumbprints, strict verification and deterministic signing.

use core::fmt;

use crate::cbor::Value;
use crate::digest::Digest;

/// A signature algorithm a statement may name.
///
/// "−7 and −9 P-256 only; −8 and −19 Ed25519 only".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ES256, −7: ECDSA with SHA-256.
    Es256,
    /// `EdDSA`, −8.
    EdDsa,
    /// ESP256, −9: ECDSA on P-256 with SHA-256.
    Esp256,
    /// Ed25519, −19.
    Ed25519,
}

/// The curve a key lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256 (EC2, crv 1).
    P256,
    /// Ed25519 (OKP, crv 6).
    Ed25519,
}

/// A public key that has been checked: on its curve, canonical, not of small order.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey;

/// A private key.
#[derive(Clone)]
pub struct SigningKey;

/// Why a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Placeholder.
    #[error("the key is refused")]
    Refused,
}

/// Why a signature does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// Placeholder.
    #[error("the signature is refused")]
    Refused,
}

impl Algorithm {
    /// Returns the COSE number.
    #[must_use]
    pub const fn label(self) -> i64 {
        unimplemented!()
    }

    /// Finds the algorithm with a COSE number, if it is accepted.
    #[must_use]
    pub const fn from_label(label: i64) -> Option<Self> {
        let _ = label;
        unimplemented!()
    }

    /// Returns the curve its keys lie on.
    #[must_use]
    pub const fn curve(self) -> Curve {
        unimplemented!()
    }
}

impl PublicKey {
    /// Reads an Ed25519 key from its 32 bytes.
    ///
    /// # Errors
    ///
    /// Bytes that are no point, not canonical, or of small order are refused.
    pub fn ed25519(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Reads a P-256 key from its coordinates.
    ///
    /// # Errors
    ///
    /// Coordinates of no point on the curve are refused.
    pub fn p256(x: [u8; 32], y: [u8; 32]) -> Result<Self, KeyError> {
        let _ = (x, y);
        unimplemented!()
    }

    /// Reads a `COSE_Key` that holds exactly 1, −1, −2 and for EC2 −3, from deterministic CBOR.
    ///
    /// # Errors
    ///
    /// [`KeyError`] names the label that is missing, wrong or too much.
    pub fn from_cose_key(bytes: &[u8]) -> Result<Self, KeyError> {
        let _ = bytes;
        unimplemented!()
    }

    /// Reads a `COSE_Key` as [`PublicKey::from_cose_key`] does, from a value.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_cose_key`].
    pub fn from_cose_value(value: &Value) -> Result<Self, KeyError> {
        let _ = value;
        unimplemented!()
    }

    /// Writes the `COSE_Key` with exactly 1, −1, −2 and for EC2 −3, deterministic.
    #[must_use]
    pub fn to_cose_key(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Builds the `COSE_Key` of [`PublicKey::to_cose_key`] as a value.
    #[must_use]
    pub fn to_cose_value(&self) -> Value {
        unimplemented!()
    }

    /// Computes the thumbprint (RFC 9679) with SHA-256: what `kid` holds.
    #[must_use]
    pub fn thumbprint(&self) -> Digest {
        unimplemented!()
    }

    /// Returns the key's curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        unimplemented!()
    }

    /// Reads a `PUBLIC KEY` PEM (SubjectPublicKeyInfo).
    ///
    /// # Errors
    ///
    /// Text that is no such PEM, or a key of another kind, is refused.
    pub fn from_spki_pem(pem: &str) -> Result<Self, KeyError> {
        let _ = pem;
        unimplemented!()
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_spki_pem`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let _ = der;
        unimplemented!()
    }

    /// Writes the key as a `PUBLIC KEY` PEM.
    #[must_use]
    pub fn to_spki_pem(&self) -> String {
        unimplemented!()
    }

    /// Writes the `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Checks a signature, strictly.
    ///
    /// # Errors
    ///
    /// [`SignatureError`] when the algorithm is for another curve, or the signature does not verify.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let _ = (algorithm, message, signature);
        unimplemented!()
    }
}

impl SigningKey {
    /// Makes a key from 32 secret bytes; the caller brings the randomness.
    ///
    /// # Errors
    ///
    /// For P-256, zero and what is not below the group order is refused: take 32 new bytes.
    pub fn from_seed(curve: Curve, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let _ = (curve, seed);
        unimplemented!()
    }

    /// Reads a `PRIVATE KEY` PEM (PKCS#8).
    ///
    /// # Errors
    ///
    /// Text that is no such PEM, or a key of another kind, is refused.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let _ = pem;
        unimplemented!()
    }

    /// Writes the key as a `PRIVATE KEY` PEM (PKCS#8).
    ///
    /// The text is secret.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> String {
        unimplemented!()
    }

    /// Returns the public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        unimplemented!()
    }

    /// Returns the algorithm the key signs with: −8 for Ed25519, −7 for P-256.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        unimplemented!()
    }

    /// Signs a message, deterministically (RFC 8032, RFC 6979); 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let _ = message;
        unimplemented!()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// Builds the `Sig_structure` of a `COSE_Sign1` without external data: what is signed, and whose SHA-256 is the statement's identity.
///
/// Deterministic CBOR of `["Signature1", protected bytes, h'', payload bytes]`.
#[must_use]
pub fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let _ = (protected, payload);
    unimplemented!()
}
