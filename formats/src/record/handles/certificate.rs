//! Handles of X.509 certificates.

use ciborium::Value;
use serde_json::{Map, Value as Json};
use x509_cert::Certificate;
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, TagNumber};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};
use x509_cert::time::Time;

use super::{HandleError, bounded, spki_thumbprint};
use crate::digest::Digest;
use crate::record::{Handle, view};

/// What a leaf certificate shows of itself. Its signature is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateHandles {
    /// SHA-256 of the DER bytes.
    pub cert_s256: Digest,
    /// SHA-256 of the TBSCertificate, hashed as found: the same whoever signs it again.
    pub tbs_s256: Digest,
    /// SHA-256 of the SubjectPublicKeyInfo, hashed as found.
    pub spki_s256: Digest,
    /// RFC 7638 thumbprint of the key, where one is defined.
    pub jkt: Option<Digest>,
    /// Serial number without leading zeros; none if it is negative.
    pub serial: Option<Vec<u8>>,
    /// The issuer's key id, from the authority key identifier.
    pub aki: Option<Vec<u8>>,
    /// The SPIFFE ID, the certificate's only URI.
    pub spiffe_id: Option<String>,
    /// From when it is valid: POSIX milliseconds.
    pub not_before_ms: u64,
    /// Until when it is valid: POSIX milliseconds.
    pub not_after_ms: u64,
}

impl CertificateHandles {
    /// Takes the handles of a certificate in DER.
    ///
    /// # Errors
    ///
    /// It is no certificate, or has several URIs, or one that is no SPIFFE ID of a workload.
    pub fn from_der(bytes: &[u8]) -> Result<Self, HandleError> {
        bounded(bytes)?;
        let parts = Parts::find(bytes).map_err(malformed)?;
        let certificate = Certificate::from_der(bytes).map_err(malformed)?;
        let tbs = certificate.tbs_certificate();
        let aki = tbs.get_extension::<AuthorityKeyIdentifier>().map_err(malformed)?;
        Ok(Self {
            cert_s256: Digest::sha256(bytes),
            tbs_s256: Digest::sha256(parts.tbs),
            spki_s256: Digest::sha256(parts.spki),
            jkt: spki_thumbprint(parts.spki).ok(),
            serial: magnitude(parts.serial),
            aki: aki.and_then(|(_, aki)| aki.key_identifier).map(|id| id.as_bytes().to_vec()),
            spiffe_id: spiffe_id(&certificate)?,
            not_before_ms: milliseconds(tbs.validity().not_before),
            not_after_ms: milliseconds(tbs.validity().not_after),
        })
    }

    /// Gives the handles a record of this certificate bears.
    #[must_use]
    pub fn handles(&self) -> Vec<Handle> {
        let digests = [
            ("cert_s256", Some(self.cert_s256)),
            ("tbs_s256", Some(self.tbs_s256)),
            ("spki_s256", Some(self.spki_s256)),
            ("jkt", self.jkt),
        ];
        let mut handles: Vec<Handle> =
            digests.iter().filter_map(|(name, digest)| digest.map(|digest| Handle::of_digest(name, &digest))).collect();
        if let (Some(serial), Some(aki)) = (&self.serial, &self.aki) {
            let value = Value::Array(vec![Value::Bytes(serial.clone()), Value::Bytes(aki.clone())]);
            handles.push(Handle { name: "serial_aki".to_owned(), value });
        }
        handles
    }
}

/// Gives the SubjectPublicKeyInfo of a certificate in DER, as found.
///
/// # Errors
///
/// It is no certificate.
pub fn certificate_spki(bytes: &[u8]) -> Result<Vec<u8>, HandleError> {
    bounded(bytes)?;
    Parts::find(bytes).map(|parts| parts.spki.to_vec()).map_err(malformed)
}

/// Gives what a certificate proves of an issuance, as a view: `v`, `credential_type`, `subject` if it has a SPIFFE ID, `not_before_ms`,
/// `not_after_ms`, `handles`.
///
/// `stage` and `event_ms` are the submitter's to say. Merge with [`super::super::view::fill`].
///
/// # Errors
///
/// As [`CertificateHandles::from_der`].
pub fn issuance_from_certificate(der: &[u8]) -> Result<Map<String, Json>, HandleError> {
    let found = CertificateHandles::from_der(der)?;
    let handles = found.handles().into_iter().map(|handle| (handle.name.into(), handle.value)).collect();
    let mut record = vec![
        (Value::from("v"), Value::from(1)),
        ("credential_type".into(), "x509".into()),
        ("not_before_ms".into(), found.not_before_ms.into()),
        ("not_after_ms".into(), found.not_after_ms.into()),
        ("handles".into(), Value::Map(handles)),
    ];
    if let Some(spiffe_id) = found.spiffe_id {
        record.push(("subject".into(), spiffe_id.into()));
    }
    Ok(view::of_map("issuance", &record))
}

/// Parts of a certificate, as their bytes stand in it.
pub(crate) struct Parts<'a> {
    pub(crate) tbs: &'a [u8],
    pub(crate) spki: &'a [u8],
    /// The serial number's content bytes.
    serial: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(crate) fn find(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let tbs = reader.sequence(|certificate| {
            let tbs = certificate.tlv_bytes()?;
            certificate.tlv_bytes()?;
            certificate.tlv_bytes()?;
            der::Result::Ok(tbs)
        })?;
        reader.finish()?;
        let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
        SliceReader::new(tbs)?.sequence(|fields| {
            if Tag::peek(fields)? == version {
                fields.tlv_bytes()?;
            }
            let serial = der::asn1::IntRef::decode(fields)?.as_bytes();
            // Signature algorithm, issuer, validity, subject.
            for _ in 0..4 {
                fields.tlv_bytes()?;
            }
            let spki = fields.tlv_bytes()?;
            while !fields.is_finished() {
                fields.tlv_bytes()?;
            }
            Ok(Self { tbs, spki, serial })
        })
    }
}

/// Strips a serial number's sign byte; none if it is negative.
fn magnitude(serial: &[u8]) -> Option<Vec<u8>> {
    match serial {
        [0, rest @ ..] if !rest.is_empty() => Some(rest.to_vec()),
        [first, ..] if *first < 0x80 => Some(serial.to_vec()),
        _ => None,
    }
}

fn spiffe_id(certificate: &Certificate) -> Result<Option<String>, HandleError> {
    let uris = uris(certificate).map_err(malformed)?;
    match uris.as_slice() {
        [] => Ok(None),
        // X509-SVID §2: "An X.509 SVID MUST contain exactly one URI SAN, and by extension, exactly one SPIFFE ID."
        [uri] if is_spiffe_id(uri) => Ok(Some(uri.clone())),
        [uri] => Err(HandleError::SpiffeId(uri.clone())),
        several => Err(HandleError::Uris(several.len())),
    }
}

/// The URIs among a certificate's names.
pub(crate) fn uris(certificate: &Certificate) -> der::Result<Vec<String>> {
    let names = certificate.tbs_certificate().get_extension::<SubjectAltName>()?;
    let uri = |name: &GeneralName| match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str().to_owned()),
        _ => None,
    };
    Ok(names.iter().flat_map(|(_, names)| &names.0).filter_map(uri).collect())
}

/// Says whether text is a workload's SPIFFE ID: at most 2,048 bytes, a trust domain and a path, in their own characters alone.
#[must_use]
pub fn is_spiffe_id(uri: &str) -> bool {
    let Some((trust_domain, path)) = uri.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    uri.len() <= 2048
        && !trust_domain.is_empty()
        && trust_domain.len() <= 255
        && trust_domain.bytes().all(in_domain)
        && path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && segment.bytes().all(in_path))
}

pub(super) fn milliseconds(time: Time) -> u64 {
    time.to_unix_duration().as_secs().saturating_mul(1000)
}

pub(super) fn malformed(error: der::Error) -> HandleError {
    HandleError::Certificate(error.to_string())
}
