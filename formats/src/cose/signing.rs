//! Private keys: deterministic signing.

use core::fmt;

use p256::ecdsa::signature::Signer as _;

use super::{Algorithm, Curve, KeyError, PublicKey};

/// A private key: signs the same message to the same bytes every time (RFC 8032, RFC 6979).
///
/// Its memory is wiped when it is dropped; it does not print.
#[derive(Clone)]
pub struct SigningKey(Inner);

#[derive(Clone)]
enum Inner {
    Ed25519(Box<ed25519_dalek::SigningKey>),
    P256(Box<p256::ecdsa::SigningKey>),
}

impl SigningKey {
    /// Makes a key from 32 secret bytes; the caller brings the randomness.
    ///
    /// # Errors
    ///
    /// For P-256, zero and what is not below the group order is refused: take 32 new bytes.
    pub fn from_seed(curve: Curve, seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ok(Self(match curve {
            Curve::Ed25519 => Inner::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))),
            Curve::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(seed).map_err(|_| KeyError::Secret)?;
                Inner::P256(Box::new(key))
            }
        }))
    }

    /// Returns the public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Inner::Ed25519(key) => PublicKey::from_dalek(key.verifying_key()),
            Inner::P256(key) => PublicKey::from_p256(*key.verifying_key()),
        }
    }

    /// Returns the key's curve.
    #[must_use]
    pub const fn curve(&self) -> Curve {
        match self.0 {
            Inner::Ed25519(_) => Curve::Ed25519,
            Inner::P256(_) => Curve::P256,
        }
    }

    /// Returns the algorithm the key signs with: −8 for Ed25519 and −7 for P-256, which stock verifiers know.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.curve() {
            Curve::Ed25519 => Algorithm::EdDsa,
            Curve::P256 => Algorithm::Es256,
        }
    }

    /// Signs a message; 64 bytes.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Inner::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    pub(super) const fn ed25519(&self) -> Option<&ed25519_dalek::SigningKey> {
        match &self.0 {
            Inner::Ed25519(key) => Some(key),
            Inner::P256(_) => None,
        }
    }

    pub(super) const fn p256(&self) -> Option<&p256::ecdsa::SigningKey> {
        match &self.0 {
            Inner::P256(key) => Some(key),
            Inner::Ed25519(_) => None,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.curve())
    }
}
