//! SHA-256 digests.

use core::fmt;
use core::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::base64::{self, Base64Error};

/// A SHA-256 digest: 32 bytes, shown as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// How many bytes a digest has.
    pub const LEN: usize = 32;

    /// Thirty-two zero bytes: what `prev` holds at the start of a stream.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes bytes.
    #[must_use]
    pub fn sha256(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hashes the concatenation of several parts.
    #[must_use]
    pub fn sha256_of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// Takes 32 bytes for a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Takes a slice for a digest if it has 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Writes the digest as standard base64, as checkpoints and proof files hold it.
    #[must_use]
    pub fn to_base64(&self) -> String {
        base64::encode(&self.0)
    }

    /// Reads what [`Digest::to_base64`] writes.
    ///
    /// # Errors
    ///
    /// Text that is not canonical base64, or not of 32 bytes, is refused.
    pub fn from_base64(text: &str) -> Result<Self, DigestError> {
        let bytes = base64::decode(text)?;
        Self::from_slice(&bytes).ok_or(DigestError::Bytes(bytes.len()))
    }

    /// Reads hex as people copy it: upper or lower case, colons between bytes, `sha256:` in front.
    ///
    /// # Errors
    ///
    /// Anything but 64 hex digits after that is refused.
    pub fn from_hex_lenient(text: &str) -> Result<Self, DigestError> {
        let text = text.trim();
        let digits = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: String = digits.chars().filter(|c| *c != ':').collect();
        digits.to_ascii_lowercase().parse()
    }
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// A digest is 64 hex digits; this many characters were found.
    #[error("a digest is 64 hex digits, not {0} characters")]
    Digits(usize),
    /// A character is no lower-case hex digit.
    #[error("{0:?} is not a lower-case hex digit")]
    Character(char),
    /// A digest is 32 bytes; this many were found.
    #[error("a digest is 32 bytes, not {0}")]
    Bytes(usize),
    /// The text is not base64.
    #[error(transparent)]
    Base64(#[from] Base64Error),
}

/// Reads 64 lower-case hex digits, and nothing else.
impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if let Some(bad) = text.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
            return Err(DigestError::Character(bad));
        }
        let mut bytes = [0; Self::LEN];
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != Self::LEN || !rest.is_empty() {
            return Err(DigestError::Digits(text.len()));
        }
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = nibble(*high) << 4 | nibble(*low);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Gives the value of a digit that is known to be lower-case hex.
fn nibble(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}
