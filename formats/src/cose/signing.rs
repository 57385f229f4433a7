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
    P384(Box<p384::ecdsa::SigningKey>),
}

impl SigningKey {
    /// Makes a key from secret bytes, [`Curve::secret_bytes`] of them; the caller brings the randomness.
    ///
    /// # Errors
    ///
    /// Another number of bytes is refused, and on P-256 and P-384 zero and what is not below the group order: take new bytes.
    pub fn from_seed(curve: Curve, seed: &[u8]) -> Result<Self, KeyError> {
        let refused = || KeyError::Secret { curve };
        // The curves' own readers would take a shorter one.
        if seed.len() != curve.secret_bytes() {
            return Err(refused());
        }
        Ok(Self(match curve {
            Curve::Ed25519 => {
                let key = ed25519_dalek::SigningKey::try_from(seed).map_err(|_| refused())?;
                Inner::Ed25519(Box::new(key))
            }
            Curve::P256 => {
                let key = p256::ecdsa::SigningKey::from_slice(seed).map_err(|_| refused())?;
                Inner::P256(Box::new(key))
            }
            Curve::P384 => {
                let key = p384::ecdsa::SigningKey::from_slice(seed).map_err(|_| refused())?;
                Inner::P384(Box::new(key))
            }
        }))
    }

    /// Returns the public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match &self.0 {
            Inner::Ed25519(key) => PublicKey::from_dalek(key.verifying_key()),
            Inner::P256(key) => PublicKey::from_p256(*key.verifying_key()),
            Inner::P384(key) => PublicKey::from_p384(*key.verifying_key()),
        }
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

    /// Returns the algorithm the key signs with: −8 for Ed25519, −7 for P-256 and −35 for P-384, which stock verifiers know.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.curve() {
            Curve::Ed25519 => Algorithm::EdDsa,
            Curve::P256 => Algorithm::Es256,
            Curve::P384 => Algorithm::Es384,
        }
    }

    /// Signs a message; [`Curve::signature_bytes`] long.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Inner::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Inner::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
            Inner::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_bytes().to_vec()
            }
        }
    }

    pub(super) const fn ed25519(&self) -> Option<&ed25519_dalek::SigningKey> {
        match &self.0 {
            Inner::Ed25519(key) => Some(key),
            Inner::P256(_) | Inner::P384(_) => None,
        }
    }

    pub(super) const fn p256(&self) -> Option<&p256::ecdsa::SigningKey> {
        match &self.0 {
            Inner::P256(key) => Some(key),
            Inner::Ed25519(_) | Inner::P384(_) => None,
        }
    }

    pub(super) const fn p384(&self) -> Option<&p384::ecdsa::SigningKey> {
        match &self.0 {
            Inner::P384(key) => Some(key),
            Inner::Ed25519(_) | Inner::P256(_) => None,
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.curve())
    }
}
