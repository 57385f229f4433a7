//! Base64 (RFC 4648), accepted in its one canonical form.

use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Why a text is not canonical base64.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not canonical base64: {0}")]
pub struct Base64Error(::base64::DecodeError);

/// Encodes with the standard alphabet and padding (RFC 4648 §4).
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes what [`encode`] writes, and nothing else.
///
/// # Errors
///
/// Foreign characters, missing or surplus padding, and spare bits that are not zero are refused.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(Base64Error)
}

/// Encodes with the URL-safe alphabet, without padding (RFC 4648 §5).
#[must_use]
pub fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes what [`encode_url`] writes, and nothing else.
///
/// # Errors
///
/// Foreign characters, padding, and spare bits that are not zero are refused.
pub fn decode_url(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(Base64Error)
}
