//! What an authority's certificate shows of the key that signs with it.

use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectKeyIdentifier;

use super::certificate::{Parts, malformed, milliseconds};
use super::{HandleError, bounded};
use crate::digest::Digest;

/// What the certificate of an authority shows of its key. Its signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthorityHandles {
    /// SHA-256 of the SubjectPublicKeyInfo, hashed as found.
    pub spki_s256: Digest,
    /// The key's id as the certificates it signs name it, from the subject key identifier.
    pub key_id: Option<Vec<u8>>,
    /// From when the certificate is valid: POSIX milliseconds.
    pub not_before_ms: u64,
    /// Until when it is valid: POSIX milliseconds.
    pub not_after_ms: u64,
}

impl AuthorityHandles {
    /// Takes them from a certificate in DER.
    ///
    /// # Errors
    ///
    /// It is no certificate.
    pub fn from_der(bytes: &[u8]) -> Result<Self, HandleError> {
        bounded(bytes)?;
        let parts = Parts::find(bytes).map_err(malformed)?;
        let certificate = Certificate::from_der(bytes).map_err(malformed)?;
        let tbs = certificate.tbs_certificate();
        let key_id = tbs.get_extension::<SubjectKeyIdentifier>().map_err(malformed)?;
        Ok(Self {
            spki_s256: Digest::sha256(parts.spki),
            key_id: key_id.map(|(_, id)| id.0.as_bytes().to_vec()),
            not_before_ms: milliseconds(tbs.validity().not_before),
            not_after_ms: milliseconds(tbs.validity().not_after),
        })
    }
}
