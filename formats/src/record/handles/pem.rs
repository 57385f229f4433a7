//! Finds the leaf certificate, or the public key, in PEM text.

use x509_cert::der::pem;

use super::{HandleError, bounded};

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const CERTIFICATE: &str = "CERTIFICATE";
const PUBLIC_KEY: &str = "PUBLIC KEY";

/// Finds the first certificate in PEM text, which is the leaf of a chain, and gives its DER bytes.
///
/// Text around it, and certificates and other blocks after it, are passed over.
///
/// # Errors
///
/// There is none, it is cut off, or its base64 is wrong.
pub fn certificate_from_pem(text: &[u8]) -> Result<Vec<u8>, HandleError> {
    find(text, CERTIFICATE)?.map_err(HandleError::NoCertificate)
}

/// Finds all certificates in PEM text, in their order, and gives their DER bytes: a chain, or a bundle.
///
/// # Errors
///
/// As [`certificate_from_pem`].
pub fn certificates_from_pem(text: &[u8]) -> Result<Vec<Vec<u8>>, HandleError> {
    let (found, others) = blocks(text, CERTIFICATE, usize::MAX)?;
    if found.is_empty() { Err(HandleError::NoCertificate(others)) } else { Ok(found) }
}

/// Finds the first public key (SubjectPublicKeyInfo) in PEM text and gives its DER bytes.
///
/// # Errors
///
/// There is none, it is cut off, or its base64 is wrong.
pub fn public_key_from_pem(text: &[u8]) -> Result<Vec<u8>, HandleError> {
    find(text, PUBLIC_KEY)?.map_err(HandleError::NoPublicKey)
}

/// Finds the first block with a label; without one, the labels of what is there instead.
fn find(text: &[u8], wanted: &str) -> Result<Result<Vec<u8>, Vec<String>>, HandleError> {
    let (found, others) = blocks(text, wanted, 1)?;
    Ok(found.into_iter().next().ok_or(others))
}

/// Finds the first blocks with a label, and the labels of the others up to them.
fn blocks(text: &[u8], wanted: &str, most: usize) -> Result<(Vec<Vec<u8>>, Vec<String>), HandleError> {
    bounded(text)?;
    let (mut found, mut others) = (Vec::new(), Vec::new());
    let text = std::str::from_utf8(text).unwrap_or_default();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if let Some(label) = line.trim_end().strip_prefix(BEGIN) {
            let label = label.trim_end_matches('-');
            if label == wanted {
                found.push(block(text.get(offset..).unwrap_or_default(), label, number + 1)?);
                if found.len() == most {
                    break;
                }
            } else {
                others.push(label.to_owned());
            }
        }
        offset += line.len();
    }
    Ok((found, others))
}

/// Decodes the block that begins `text`, up to its end line.
fn block(text: &str, label: &str, line: usize) -> Result<Vec<u8>, HandleError> {
    let end = format!("{END}{label}-----");
    let broken = |why: String| HandleError::Pem { line, why };
    let at = text.find(&end).ok_or_else(|| broken(format!("the line {end} is missing")))?;
    let block = text.get(..at + end.len()).unwrap_or_default();
    pem::decode_vec(block.as_bytes()).map(|(_, der)| der).map_err(|error| broken(error.to_string()))
}
