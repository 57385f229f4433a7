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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digests_are_sha_256_in_lower_case_hex() {
        let digest = Digest::sha256(b"abc");
        assert_eq!(digest.to_string(), ABC);
        assert_eq!(format!("{digest:?}"), ABC);
        assert_eq!(Digest::sha256_of(&[b"a", b"", b"bc"]), digest);
        assert_eq!(ABC.parse(), Ok(digest));
        assert_eq!(Digest::ZERO.to_string(), "0".repeat(64));
    }

    #[test]
    fn slices_of_another_length_are_no_digests() {
        for length in 0..70 {
            let digest = Digest::from_slice(&vec![7; length]);
            assert_eq!(digest, (length == 32).then_some(Digest::from_bytes([7; 32])));
        }
    }

    #[test]
    fn hex_has_one_spelling() {
        for length in (0..130).filter(|length| *length != 64) {
            assert_eq!("a".repeat(length).parse::<Digest>(), Err(DigestError::Digits(length)));
        }
        for (position, bad) in [(0, 'A'), (63, 'g'), (10, ':'), (10, ' '), (0, '+'), (5, 'é'), (5, '/'), (5, '`')] {
            let text: String = ABC.chars().enumerate().map(|(i, c)| if i == position { bad } else { c }).collect();
            assert_eq!(text.parse::<Digest>(), Err(DigestError::Character(bad)));
        }
    }

    #[test]
    fn lenient_hex_takes_what_people_copy() {
        let digest = Digest::sha256(b"abc");
        let colons: Vec<String> = digest.as_bytes().iter().map(|byte| format!("{byte:02X}")).collect();
        let upper = ABC.to_uppercase();
        for text in
            [ABC.into(), format!("sha256:{ABC}"), upper, colons.join(":"), format!("sha256:{}\n", colons.join(":"))]
        {
            assert_eq!(Digest::from_hex_lenient(&text), Ok(digest));
        }
        for text in ["", "sha256:", "sha256:sha256:", &ABC[1..], &format!("{ABC}0"), &format!("sha512:{ABC}"), "::"] {
            assert!(Digest::from_hex_lenient(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn base64_is_strict_and_of_32_bytes() {
        let digest = Digest::sha256(b"");
        let text = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(digest.to_base64(), text);
        assert_eq!(Digest::from_base64(text), Ok(digest));
        assert_eq!(Digest::from_base64("AAAA"), Err(DigestError::Bytes(3)));
        assert_eq!(Digest::from_base64(&base64::encode(&[0; 33])), Err(DigestError::Bytes(33)));
        // The last character holds two spare bits.
        assert!(matches!(Digest::from_base64(&text.replace("FU=", "FV=")), Err(DigestError::Base64(_))));
        assert!(matches!(Digest::from_base64(text.trim_end_matches('=')), Err(DigestError::Base64(_))));
    }

    proptest! {
        #[test]
        fn digests_come_back(bytes in any::<[u8; 32]>()) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(digest.to_string().parse(), Ok(digest));
            prop_assert_eq!(Digest::from_base64(&digest.to_base64()), Ok(digest));
            prop_assert_eq!(Digest::from_hex_lenient(&digest.to_string().to_uppercase()), Ok(digest));
        }

        #[test]
        fn parsers_never_panic_and_print_what_they_read(text in "\\PC{0,80}|[0-9a-f]{62,66}|[0-9A-Za-z+/=]{42,46}") {
            if let Ok(digest) = text.parse::<Digest>() {
                prop_assert_eq!(digest.to_string(), text.as_str());
            }
            if let Ok(digest) = Digest::from_base64(&text) {
                prop_assert_eq!(digest.to_base64(), text.as_str());
            }
            let _ = Digest::from_hex_lenient(&text);
        }
    }
}
