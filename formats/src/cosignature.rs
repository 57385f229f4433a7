//! Timestamped Ed25519 cosignatures (signature type `0x04`).
//!
//! A cosignature is a note signature whose bytes are a time and an Ed25519 signature over that time and the whole note
//! text. The ML-DSA-44 type `0x06` is not here yet.

use crate::note::SignatureError;

/// The newest time a cosignature can state, in POSIX seconds.
///
/// "It MUST NOT exceed 2^63 - 1" (C2SP tlog-cosignature v1.0.0, Format)
pub const MAX_TIMESTAMP: u64 = (1 << 63) - 1;

/// Returns the bytes an Ed25519 cosignature signs.
///
/// "The signed message MUST be two newline (U+000A) terminated lines (one header line and one timestamp line) followed by
/// the whole note body of the cosigned checkpoint (including the final newline, but not including any signature lines).
/// The header line MUST be the fixed string `cosignature/v1` […] The timestamp line MUST consist of the string `time`, a
/// single space (0x20), and `timestamped_signature.timestamp` encoded as an ASCII decimal with no leading zeroes."
/// (C2SP tlog-cosignature v1.0.0, Ed25519 signed message)
#[must_use]
pub fn signed_message(timestamp: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{text}").into_bytes()
}

/// The bytes of a cosignature after its key ID: a time and an Ed25519 signature.
///
/// The time is never zero: "non-zero timestamp" is what `add-checkpoint` must answer with, and a time bound of 1970 would
/// mean nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampedSignature {
    timestamp: u64,
    signature: [u8; 64],
}

impl TimestampedSignature {
    /// Length in bytes: `u64 timestamp; […] opaque ed25519_signature[64]` (tlog-cosignature v1.0.0, Format).
    pub const LENGTH: usize = 72;

    /// Joins a time in POSIX seconds and a signature.
    ///
    /// # Errors
    /// [`SignatureError::Timestamp`] when the time is zero or above [`MAX_TIMESTAMP`].
    pub fn new(timestamp: u64, signature: [u8; 64]) -> Result<Self, SignatureError> {
        check_timestamp(timestamp)?;
        Ok(Self { timestamp, signature })
    }

    /// Reads the 72 bytes; verifies nothing.
    ///
    /// # Errors
    /// [`SignatureError::Length`] or [`SignatureError::Timestamp`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let wrong_length = || SignatureError::Length { expected: Self::LENGTH, found: bytes.len() };
        let (time, signature) = bytes.split_first_chunk::<8>().ok_or_else(wrong_length)?;
        let signature: [u8; 64] = signature.try_into().map_err(|_| wrong_length())?;
        // "these are serialized in sequence, with the timestamp encoded in big-endian order" (Format)
        Self::new(u64::from_be_bytes(*time), signature)
    }

    /// Writes the 72 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.timestamp.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Returns the time at which the cosigner says it signed, in POSIX seconds.
    #[must_use]
    pub const fn timestamp(&self) -> u64 {
        self.timestamp
    }

    /// Returns the Ed25519 signature.
    #[must_use]
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }
}

/// Refuses a time that no cosignature on a checkpoint can have.
pub(crate) const fn check_timestamp(timestamp: u64) -> Result<(), SignatureError> {
    if timestamp == 0 || timestamp > MAX_TIMESTAMP {
        return Err(SignatureError::Timestamp(timestamp));
    }
    Ok(())
}
