//! Key names, key IDs and verifier keys (vkeys).

use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::base64;
use crate::cosignature::{self, TimestampedSignature};

/// The name of a key, as it stands in signature lines and vkeys.
///
/// "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus (U+002B) characters."
/// (C2SP signed-note v1.0.0, Format)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// Checks and wraps a name.
    ///
    /// # Errors
    /// [`KeyError::EmptyName`], or [`KeyError::NameCharacter`] for a space, a plus or a control character.
    pub fn new(name: impl Into<String>) -> Result<Self, KeyError> {
        let name = name.into();
        if name.is_empty() {
            return Err(KeyError::EmptyName);
        }
        // "Signed notes […] MUST NOT contain any ASCII control characters (those below U+0020) other than
        // newline." (signed-note v1.0.0, Format): such a name could stand in no note.
        let forbidden = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        match name.chars().find(|&c| forbidden(c)) {
            Some(found) => Err(KeyError::NameCharacter { name, found }),
            None => Ok(Self(name)),
        }
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyError;

    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::new(name)
    }
}

/// The 4-byte identifier of a key, printed as eight lower-case hex digits.
///
/// It tells keys of one name apart and is no cryptographic commitment: anyone can compute a key with a given ID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// Wraps the four bytes, big-endian as in a signature line.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Computes the ID of a key.
    ///
    /// `key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]` (signed-note v1.0.0, Signatures)
    #[must_use]
    pub fn compute(name: &KeyName, algorithm: SignatureAlgorithm, public_key: &[u8]) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', algorithm.type_byte()])
            .chain_update(public_key)
            .finalize();
        let [a, b, c, d, ..] = <[u8; 32]>::from(hash);
        Self([a, b, c, d])
    }

    /// Returns the four bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A signature type this crate can verify.
///
/// A key of another type is refused where it is configured, and a line of another type is an unknown line. `0x06`
/// (timestamped ML-DSA-44) is the one to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// `0x01`: Ed25519 over the note text. Logs sign with it.
    Ed25519,
    /// `0x04`: timestamped Ed25519 cosignature. Witnesses sign with it.
    CosignatureEd25519,
}

impl SignatureAlgorithm {
    /// Returns the signature type identifier byte (signed-note v1.0.0, Signature types).
    #[must_use]
    pub const fn type_byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureEd25519 => 0x04,
        }
    }

    /// Returns the algorithm of a type byte, if it is one this crate verifies.
    #[must_use]
    pub const fn from_type_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureEd25519),
            _ => None,
        }
    }
}

/// A verifier key: name, key ID, algorithm and public key.
///
/// Prints and parses as `name+<8 hex digits>+<base64 of type byte and public key>`. The ID always is the computed one,
/// and the public key a canonical encoding of a point that is not of small order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vkey {
    name: KeyName,
    id: KeyId,
    algorithm: SignatureAlgorithm,
    key: VerifyingKey,
}

impl Vkey {
    /// Makes a verifier key from its parts and computes its ID.
    ///
    /// # Errors
    /// [`KeyError::KeyLength`], [`KeyError::NotAPoint`] or [`KeyError::SmallOrder`].
    pub fn new(name: KeyName, algorithm: SignatureAlgorithm, public_key: &[u8]) -> Result<Self, KeyError> {
        let key = strict_key(public_key)?;
        let id = KeyId::compute(&name, algorithm, public_key);
        Ok(Self { name, id, algorithm, key })
    }

    /// Returns the key's name.
    #[must_use]
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns the key's ID.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the key's algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Returns the raw public key, 32 bytes for both Ed25519 types.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// Checks a signature (the bytes of a line after the key ID) over a note's text.
    ///
    /// Returns the time of a timestamped type, in POSIX seconds. Strict: canonical encodings only, no small-order
    /// points, no cofactor.
    ///
    /// # Errors
    /// Says whether the length, the timestamp or the signature is wrong.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, SignatureError> {
        match self.algorithm {
            SignatureAlgorithm::Ed25519 => {
                let bytes: &[u8; 64] = signature
                    .try_into()
                    .map_err(|_| SignatureError::Length { expected: 64, found: signature.len() })?;
                self.verify_raw(text.as_bytes(), bytes)?;
                Ok(None)
            }
            SignatureAlgorithm::CosignatureEd25519 => {
                let stamped = TimestampedSignature::parse(signature)?;
                let message = cosignature::signed_message(stamped.timestamp(), text);
                self.verify_raw(&message, stamped.signature())?;
                Ok(Some(stamped.timestamp()))
            }
        }
    }

    fn verify_raw(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| SignatureError::Mismatch)
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = vec![self.algorithm.type_byte()];
        bytes.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, base64::encode(&bytes))
    }
}

impl FromStr for Vkey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, bytes) = split_key(text)?;
        let (type_byte, public_key) = bytes.split_first().ok_or(KeyError::Form)?;
        let algorithm = SignatureAlgorithm::from_type_byte(*type_byte).ok_or(KeyError::Algorithm(*type_byte))?;
        let vkey = Self::new(name, algorithm, public_key)?;
        check_id(id, vkey.id)?;
        Ok(vkey)
    }
}

/// Splits `name+hexid+base64`; the base64 itself may hold plus signs, the name may not.
pub(super) fn split_key(text: &str) -> Result<(KeyName, KeyId, Vec<u8>), KeyError> {
    let mut parts = text.splitn(3, '+');
    let (Some(name), Some(id), Some(data)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(KeyError::Form);
    };
    let bytes = base64::decode(data).map_err(|_| KeyError::Base64(data.to_owned()))?;
    Ok((KeyName::new(name)?, parse_id(id)?, bytes))
}

pub(super) fn check_id(stated: KeyId, computed: KeyId) -> Result<(), KeyError> {
    if stated == computed { Ok(()) } else { Err(KeyError::IdMismatch { stated, computed }) }
}

fn parse_id(hex: &str) -> Result<KeyId, KeyError> {
    let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if hex.len() != 8 || !hex.bytes().all(lower_hex) {
        return Err(KeyError::Id(hex.to_owned()));
    }
    let id = u32::from_str_radix(hex, 16).map_err(|_| KeyError::Id(hex.to_owned()))?;
    Ok(KeyId(id.to_be_bytes()))
}

/// Decodes an Ed25519 public key and refuses what strict verification could never accept, or could accept for anyone.
fn strict_key(bytes: &[u8]) -> Result<VerifyingKey, KeyError> {
    let array: &[u8; 32] = bytes.try_into().map_err(|_| KeyError::KeyLength { expected: 32, found: bytes.len() })?;
    let key = VerifyingKey::from_bytes(array).map_err(|_| KeyError::NotAPoint)?;
    if key.to_edwards().compress().as_bytes() != array {
        return Err(KeyError::NotAPoint);
    }
    if key.is_weak() {
        return Err(KeyError::SmallOrder);
    }
    Ok(key)
}

/// Why a key name or a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The name is empty.
    #[error("the key name is empty")]
    EmptyName,
    /// The name holds a space, a plus or a control character.
    #[error("the key name {name:?} holds {found:?}; spaces, '+' and control characters are not allowed")]
    NameCharacter {
        /// The name as given.
        name: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The text has not the three parts of a key.
    #[error("not a key of the form name+<8 hex digits>+<base64>")]
    Form,
    /// The key ID is not eight lower-case hex digits.
    #[error("key ID {0:?} is not eight lower-case hex digits")]
    Id(String),
    /// The key data is not canonical base64.
    #[error("key data {0:?} is not canonical base64")]
    Base64(String),
    /// The signature type is not one this crate verifies.
    #[error("signature type 0x{0:02x} is not supported; 0x01 (Ed25519) and 0x04 (Ed25519 cosignature) are")]
    Algorithm(u8),
    /// The public key or seed has the wrong length.
    #[error("the key has {found} bytes instead of {expected}")]
    KeyLength {
        /// Bytes the algorithm needs.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The public key is no canonical encoding of a curve point.
    #[error("the public key is not the canonical encoding of a point on Curve25519")]
    NotAPoint,
    /// The public key has small order, so that one signature would fit many texts.
    #[error("the public key is a small-order point")]
    SmallOrder,
    /// The stated key ID is not that of the name and the key.
    #[error("key ID {stated} does not belong to this name and key; it is {computed}")]
    IdMismatch {
        /// The ID in the text.
        stated: KeyId,
        /// The ID of name, type and key.
        computed: KeyId,
    },
}

/// Why a signature does not verify under a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature has a length the algorithm never produces.
    #[error("the signature has {found} bytes instead of {expected}")]
    Length {
        /// Bytes the algorithm needs.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The timestamp of a cosignature is zero or above 2^63 − 1.
    #[error("the cosignature's timestamp {0} is not between 1 and 2^63 - 1")]
    Timestamp(u64),
    /// The signature is not one of this key over this text.
    #[error("the signature does not verify")]
    Mismatch,
}
