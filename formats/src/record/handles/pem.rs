//! Finds the leaf certificate in PEM text.

use x509_cert::der::pem;

use super::{HandleError, bounded};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const CERTIFICATE: &str = "CERTIFICATE-----";

/// Finds the first certificate in PEM text, which is the leaf of a chain, and gives its DER bytes.
///
/// Text around it, and certificates and other blocks after it, are passed over.
///
/// # Errors
///
/// There is none, it is cut off, or its base64 is wrong.
pub fn certificate_from_pem(text: &[u8]) -> Result<Vec<u8>, HandleError> {
    bounded(text)?;
    let text = std::str::from_utf8(text).map_err(|_| HandleError::NoCertificate(Vec::new()))?;
    let mut others = Vec::new();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(label) = line.trim_end().strip_prefix(BEGIN) {
            if label == CERTIFICATE {
                return block(text.get(offset..).unwrap_or_default(), number + 1);
            }
            others.push(label.trim_end_matches('-').to_owned());
        }
        offset += line.len();
    }
    Err(HandleError::NoCertificate(others))
}

/// Decodes the block that begins `text`, up to its end line.
fn block(text: &str, line: usize) -> Result<Vec<u8>, HandleError> {
    let end = format!("{END}{CERTIFICATE}");
    let broken = |why: &str| HandleError::Pem { line, why: why.to_owned() };
    let at = text.find(&end).ok_or_else(|| broken("the line -----END CERTIFICATE----- is missing"))?;
    let block = text.get(..at + end.len()).unwrap_or_default();
    pem::decode_vec(block.as_bytes()).map(|(_, der)| der).map_err(|error| broken(&error.to_string()))
}
