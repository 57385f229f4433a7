//! Keys as files: `PUBLIC KEY` (SubjectPublicKeyInfo) and `PRIVATE KEY` (PKCS#8) PEM.

use ed25519_dalek::pkcs8::{KeypairBytes, PublicKeyBytes};
use p256::pkcs8::der::pem::PemLabel as _;
use p256::pkcs8::der::{Document, SecretDocument};
use p256::pkcs8::spki::AlgorithmIdentifierRef;
use p256::pkcs8::spki::SubjectPublicKeyInfoRef;
use p256::pkcs8::{AssociatedOid as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding, PrivateKeyInfoRef};

use super::{Curve, KeyError, PublicKey, SigningKey};

const PUBLIC: &str = SubjectPublicKeyInfoRef::PEM_LABEL;
const PRIVATE: &str = PrivateKeyInfoRef::PEM_LABEL;

impl PublicKey {
    /// Reads a `PUBLIC KEY` PEM.
    ///
    /// # Errors
    ///
    /// Text that is no such PEM, or a key of another kind, is refused.
    pub fn from_spki_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = Document::from_pem(pem).map_err(public)?;
        if label != PUBLIC {
            return Err(public(format!("its label is {label:?}")));
        }
        Self::from_spki_der(der.as_bytes())
    }

    /// Reads a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// As [`PublicKey::from_spki_pem`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoRef::try_from(der).map_err(public)?;
        match curve_of(&info.algorithm) {
            Some(Curve::Ed25519) => Self::ed25519(PublicKeyBytes::try_from(info).map_err(public)?.to_bytes()),
            Some(Curve::P256) => {
                let key = p256::PublicKey::try_from(info).map_err(public)?;
                Ok(Self::from_p256(key.into()))
            }
            Some(Curve::P384) => {
                let key = p384::PublicKey::try_from(info).map_err(public)?;
                Ok(Self::from_p384(key.into()))
            }
            None => Err(public(shown(&info.algorithm))),
        }
    }

    /// Writes the key as a `PUBLIC KEY` PEM.
    #[must_use]
    pub fn to_spki_pem(&self) -> String {
        // A key of a fixed size can always be written.
        self.spki().and_then(|der| der.to_pem(PUBLIC, LineEnding::LF).map_err(public)).unwrap_or_default()
    }

    /// Writes the `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki_der(&self) -> Vec<u8> {
        self.spki().map(Document::into_vec).unwrap_or_default()
    }

    fn spki(&self) -> Result<Document, KeyError> {
        match (self.ed25519_bytes(), self.p256_key(), self.p384_key()) {
            (Some(bytes), ..) => PublicKeyBytes(*bytes).to_public_key_der().map_err(public),
            (_, Some(key), _) => key.to_public_key_der().map_err(public),
            (_, _, Some(key)) => key.to_public_key_der().map_err(public),
            (None, None, None) => Err(public("no key")),
        }
    }
}

impl SigningKey {
    /// Reads a `PRIVATE KEY` PEM (PKCS#8).
    ///
    /// # Errors
    ///
    /// Text that is no such PEM, a key of another kind, and one whose public half does not belong to it are refused.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let (label, der) = SecretDocument::from_pem(pem).map_err(private)?;
        if label != PRIVATE {
            return Err(private(format!("its label is {label:?}")));
        }
        Self::from_pkcs8_der(der.as_bytes())
    }

    /// Reads a private key in DER (PKCS#8).
    ///
    /// # Errors
    ///
    /// As [`SigningKey::from_pkcs8_pem`].
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(private)?;
        match curve_of(&info.algorithm) {
            Some(Curve::Ed25519) => {
                let key = ed25519_dalek::SigningKey::try_from(info).map_err(private)?;
                Self::from_seed(Curve::Ed25519, key.as_bytes())
            }
            Some(Curve::P256) => {
                let key = p256::SecretKey::try_from(info).map_err(private)?;
                Self::from_seed(Curve::P256, &key.to_bytes())
            }
            Some(Curve::P384) => {
                let key = p384::SecretKey::try_from(info).map_err(private)?;
                Self::from_seed(Curve::P384, &key.to_bytes())
            }
            None => Err(private(shown(&info.algorithm))),
        }
    }

    /// Writes the key as a `PRIVATE KEY` PEM (PKCS#8). The text is secret.
    #[must_use]
    pub fn to_pkcs8_pem(&self) -> String {
        let document = match (self.ed25519(), self.p256(), self.p384()) {
            // Without the public half: version 1, which every tool reads.
            (Some(key), ..) => KeypairBytes { secret_key: key.to_bytes(), public_key: None }.to_pkcs8_der().ok(),
            (_, Some(key), _) => key.to_pkcs8_der().ok(),
            (_, _, Some(key)) => key.to_pkcs8_der().ok(),
            (None, None, None) => None,
        };
        let pem = document.and_then(|der| der.to_pem(PRIVATE, LineEnding::LF).ok());
        // A key of a fixed size can always be written.
        pem.map(|pem| pem.as_str().to_owned()).unwrap_or_default()
    }
}

/// Finds the curve of an algorithm identifier, which for EC keys names it as its parameter (RFC 5480 §2.1.1).
fn curve_of(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<Curve> {
    match algorithm.oid {
        ed25519_dalek::pkcs8::ALGORITHM_OID => Some(Curve::Ed25519),
        p256::elliptic_curve::ALGORITHM_OID => match algorithm.parameters_oid().ok()? {
            p256::NistP256::OID => Some(Curve::P256),
            p384::NistP384::OID => Some(Curve::P384),
            _ => None,
        },
        _ => None,
    }
}

fn shown(algorithm: &AlgorithmIdentifierRef<'_>) -> String {
    match algorithm.parameters_oid() {
        Ok(parameter) => format!("its algorithm is {} {parameter}", algorithm.oid),
        Err(_) => format!("its algorithm is {}", algorithm.oid),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it stands in map_err as it is")]
fn public(why: impl ToString) -> KeyError {
    KeyError::Pem { label: PUBLIC, why: why.to_string() }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it stands in map_err as it is")]
fn private(why: impl ToString) -> KeyError {
    KeyError::Pem { label: PRIVATE, why: why.to_string() }
}
