//! Making signature lines.

use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::key::{check_id, split_key};
use super::{KeyError, KeyName, NoteError, SignatureAlgorithm, SignatureError, SignatureLine, Vkey, check_text};
use crate::base64;
use crate::cosignature::{TimestampedSignature, check_timestamp, signed_message};

/// A private key that signs notes under a name.
///
/// Signs the same bytes for the same input. The seed is wiped from memory on drop and is never printed by `Debug`.
pub struct NoteSigner {
    vkey: Vkey,
    key: SigningKey,
}

impl NoteSigner {
    /// Makes a signer from a 32-byte Ed25519 seed.
    ///
    /// # Errors
    /// [`KeyError`]; a public key computed from a seed is always acceptable, so in practice none.
    pub fn from_seed(name: KeyName, algorithm: SignatureAlgorithm, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = SigningKey::from_bytes(seed);
        let vkey = Vkey::new(name, algorithm, key.verifying_key().as_bytes())?;
        Ok(Self { vkey, key })
    }

    /// Reads the text form that note tools use for private keys, `PRIVATE+KEY+name+hexid+base64(type ‖ seed)`.
    ///
    /// # Errors
    /// [`KeyError`] says which part is malformed; it never holds the seed.
    pub fn from_secret_text(text: &str) -> Result<Self, KeyError> {
        let rest = text.strip_prefix(SECRET_START).ok_or(KeyError::Form)?;
        let (name, id, bytes) = split_key(rest).map_err(without_secret)?;
        let (type_byte, seed) = bytes.split_first().ok_or(KeyError::Form)?;
        let algorithm = SignatureAlgorithm::from_type_byte(*type_byte).ok_or(KeyError::Algorithm(*type_byte))?;
        let seed: &[u8; 32] = seed.try_into().map_err(|_| KeyError::KeyLength { expected: 32, found: seed.len() })?;
        let signer = Self::from_seed(name, algorithm, seed)?;
        check_id(id, signer.vkey.id())?;
        Ok(signer)
    }

    /// Writes the private key in the form [`NoteSigner::from_secret_text`] reads. Whoever holds this text can sign.
    #[must_use]
    pub fn to_secret_text(&self) -> String {
        let mut bytes = vec![self.vkey.algorithm().type_byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        format!("{SECRET_START}{}+{}+{}", self.vkey.name(), self.vkey.id(), base64::encode(&bytes))
    }

    /// Returns the key that verifies what this one signs.
    #[must_use]
    pub const fn vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Signs a note's text, which ends in LF.
    ///
    /// A log's key (`0x01`) signs without a time, a cosigner's (`0x04`) with one, in POSIX seconds.
    ///
    /// # Errors
    /// [`SignerError`] when the text is none a note can have, or the time is missing, superfluous or out of range.
    pub fn sign(&self, text: &str, timestamp: Option<u64>) -> Result<SignatureLine, SignerError> {
        check_text(text)?;
        let bytes = match (self.vkey.algorithm(), timestamp) {
            (SignatureAlgorithm::Ed25519, None) => self.key.sign(text.as_bytes()).to_bytes().to_vec(),
            (SignatureAlgorithm::Ed25519, Some(_)) => return Err(SignerError::TimeNotSigned),
            (SignatureAlgorithm::CosignatureEd25519, None) => return Err(SignerError::TimeMissing),
            (SignatureAlgorithm::CosignatureEd25519, Some(time)) => self.cosign(text, time)?,
        };
        Ok(SignatureLine::new(self.vkey.name().clone(), self.vkey.id(), bytes)?)
    }

    fn cosign(&self, text: &str, timestamp: u64) -> Result<Vec<u8>, SignatureError> {
        check_timestamp(timestamp)?;
        let signature = self.key.sign(&signed_message(timestamp, text)).to_bytes();
        Ok(TimestampedSignature::new(timestamp, signature)?.to_bytes())
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.vkey)
    }
}

const SECRET_START: &str = "PRIVATE+KEY+";

/// Keeps the malformed text of a private key out of the error, for errors are printed.
fn without_secret(error: KeyError) -> KeyError {
    match error {
        KeyError::Base64(_) => KeyError::Base64("(not shown)".to_owned()),
        other => other,
    }
}

/// Why a signer does not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// The text is none a note can have.
    #[error(transparent)]
    Text(#[from] NoteError),
    /// A cosigner's key signs a time, and none was given.
    #[error("a cosignature needs a time")]
    TimeMissing,
    /// A log's key signs no time, and one was given.
    #[error("an Ed25519 log signature carries no time")]
    TimeNotSigned,
    /// The time is out of range.
    #[error(transparent)]
    Time(#[from] SignatureError),
    /// The signature makes no line.
    #[error(transparent)]
    Line(#[from] super::LineError),
}
