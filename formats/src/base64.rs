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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The test vectors of RFC 4648 §10.
    #[test]
    fn the_rfc_vectors_hold() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
            let unpadded = text.trim_end_matches('=');
            assert_eq!(encode_url(bytes.as_bytes()), unpadded);
            assert_eq!(decode_url(unpadded).unwrap(), bytes.as_bytes());
        }
    }

    #[test]
    fn each_alphabet_refuses_the_other() {
        assert_eq!((encode(&[0xfb, 0xef, 0xff]), encode_url(&[0xfb, 0xef, 0xff])), ("++//".into(), "--__".into()));
        assert!(decode("--__").is_err());
        assert!(decode_url("++//").is_err());
    }

    #[test]
    fn other_spellings_are_refused() {
        // In turn: no padding, too much, spare bits, padding within, line ends, spaces, a lone character.
        for text in ["Zg", "Zg=", "Zm9v=", "Zg===", "Zh==", "Zm9=", "Zg==Zg==", "Zm9v\n", " Zm9v", "Zm 9v", "=", "Z"] {
            assert!(decode(text).is_err(), "{text:?}");
        }
        for text in ["Zg==", "Zh", "Zm9", "Zm9v\n", " Zm9v", "=", "Z"] {
            assert!(decode_url(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(&encode(&bytes)).unwrap(), bytes.as_slice());
            prop_assert_eq!(decode_url(&encode_url(&bytes)).unwrap(), bytes);
        }

        #[test]
        fn whatever_is_read_is_written_the_same(text in "\\PC{0,20}|[A-Za-z0-9+/]{0,12}={0,3}|[A-Za-z0-9_-]{0,12}") {
            if let Ok(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text.as_str());
            }
            if let Ok(bytes) = decode_url(&text) {
                prop_assert_eq!(encode_url(&bytes), text);
            }
        }
    }
}
