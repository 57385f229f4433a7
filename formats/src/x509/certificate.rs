//! One certificate: what of it counts, and the rules for its place.

use x509_cert::Certificate as Parsed;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{self, Decode};
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectAltName};
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierOwned;
use x509_cert::time::Time;

use super::MAX_CERTIFICATE_BYTES;
use super::error::CertificateError;
use crate::cose::{Algorithm, PublicKey};
use crate::digest::Digest;
use crate::record::handles::{self, Parts};

/// A certificate that can be read, and says nothing that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) digest: Digest,
    pub(super) subject: Name,
    pub(super) issuer: Name,
    pub(super) key: PublicKey,
    /// The first and the last second of its validity, POSIX. RFC 5280 §4.1.2.5: both are part of it.
    pub(super) validity: (i64, i64),
    pub(super) uris: Vec<String>,
    /// How many that are not self-issued may stand between it and a leaf; for a CA alone.
    ca: Option<Option<u8>>,
    usage: Option<KeyUsage>,
    purposes: Option<(bool, ExtendedKeyUsage)>,
    /// As their bytes stand in it.
    tbs: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Algorithm,
}

/// A certificate that a row of the admission policy trusts: it may sign others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor(Certificate);

impl Anchor {
    /// Reads a trust anchor in DER. Its own signature is not looked at: it is trusted for being listed.
    ///
    /// # Errors
    ///
    /// It is no certificate of an authority whose signatures are verified here.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let certificate = Certificate::parse(der)?;
        certificate.check_authority(false)?;
        Ok(Self(certificate))
    }

    /// Its subject, as RFC 4514 writes names.
    #[must_use]
    pub fn subject(&self) -> String {
        self.0.subject.to_string()
    }

    /// SHA-256 of its DER bytes.
    #[must_use]
    pub fn digest(&self) -> &Digest {
        &self.0.digest
    }

    /// The last second of its validity, POSIX.
    #[must_use]
    pub fn not_after_s(&self) -> i64 {
        self.0.validity.1
    }

    /// The trust domain that it says it is the authority of, `spiffe://TD`, if it says so.
    #[must_use]
    pub fn trust_domain(&self) -> Option<&str> {
        self.0.uris.iter().map(String::as_str).find(|uri| uri.starts_with(SPIFFE))
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.0
    }
}

impl Certificate {
    pub(super) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLong { bytes: der.len() });
        }
        let parts = Parts::find(der).map_err(malformed)?;
        let parsed = Parsed::from_der(der).map_err(malformed)?;
        let tbs = parsed.tbs_certificate();
        check_extensions(&parsed)?;
        // RFC 5280 §4.1.1.2: "This field MUST contain the same algorithm identifier as the signature field in the sequence tbsCertificate".
        if parsed.signature_algorithm() != tbs.signature() {
            return Err(rule("it names two signature algorithms"));
        }
        let signature = parsed.signature().as_bytes();
        let constraints = extension::<BasicConstraints>(&parsed)?;
        Ok(Self {
            digest: Digest::sha256(der),
            subject: tbs.subject().clone(),
            issuer: tbs.issuer().clone(),
            key: PublicKey::from_spki_der(parts.spki)
                .map_err(|error| key_error(tbs.subject_public_key_info(), &error))?,
            validity: (seconds(tbs.validity().not_before), seconds(tbs.validity().not_after)),
            uris: handles::uris(&parsed).map_err(malformed)?,
            ca: constraints.filter(|(_, found)| found.ca).map(|(_, found)| found.path_len_constraint),
            usage: extension::<KeyUsage>(&parsed)?.map(|(_, usage)| usage),
            purposes: extension::<ExtendedKeyUsage>(&parsed)?,
            tbs: parts.tbs.to_vec(),
            signature: signature.ok_or_else(|| rule("its signature is no whole number of bytes"))?.to_vec(),
            algorithm: algorithm(tbs.signature())?,
        })
    }

    /// Whether subject and issuer are one: RFC 5280 §6.1.4 (l) does not count these against a path length.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    pub(super) fn is_valid_at(&self, at: i64) -> bool {
        (self.validity.0..=self.validity.1).contains(&at)
    }

    /// Checks that this one says that another has signed it.
    pub(super) fn check_names_issuer(&self, issuer: &Self) -> Result<(), &'static str> {
        if self.issuer == issuer.subject { Ok(()) } else { Err("it names another issuer") }
    }

    /// Checks that this one was signed by another; says what shows that it was not.
    pub(super) fn check_signed_by(&self, issuer: &Self) -> Result<(), &'static str> {
        self.check_names_issuer(issuer)?;
        #[cfg(test)]
        super::tests::count::verification();
        let verified = issuer.key.verify_x509(self.algorithm, &self.tbs, &self.signature);
        verified.map_err(|_| "its signature does not verify under that key")
    }

    /// Checks that one may stand over `below` certificates that are not self-issued and not the leaf.
    pub(super) fn check_path_len(&self, below: usize) -> Result<(), CertificateError> {
        match self.ca.flatten() {
            Some(most) if below > usize::from(most) => Err(CertificateError::Rule(format!(
                "{below} certificates of authorities below it, and it allows {most}"
            ))),
            _ => Ok(()),
        }
    }

    /// Checks the rules for one that signs others. `in_chain`: it is no anchor, which RFC 5280 asks less of.
    pub(super) fn check_authority(&self, in_chain: bool) -> Result<(), CertificateError> {
        // RFC 5280 §6.1.4 (k) and (n).
        if self.ca.is_none() {
            return Err(rule("it is no authority (basicConstraints without cA), so it may not sign others"));
        }
        match &self.usage {
            Some(usage) if !usage.key_cert_sign() => return Err(rule("its keyUsage has no keyCertSign")),
            // X509-SVID §4.3: "The key usage extension MUST be set on all SVIDs".
            None if in_chain => return Err(rule("it has no keyUsage")),
            _ => {}
        }
        if self.purposes.as_ref().is_some_and(|(is_critical, _)| *is_critical) {
            return Err(CertificateError::Extension(format!("{} (extKeyUsage, critical)", ExtendedKeyUsage::OID)));
        }
        Ok(())
    }

    /// X509-SVID §3.2, of a signing certificate's SPIFFE ID: it "MUST NOT have a path component, and MUST reside in the trust domain of any leaf SVIDs
    /// it issues".
    pub(super) fn check_domain(&self, domain: &str) -> Result<(), CertificateError> {
        match self.uris.iter().find(|uri| uri.starts_with(SPIFFE) && *uri != domain) {
            Some(other) => Err(CertificateError::Rule(format!("it is an authority of {other:?}, not of {domain:?}"))),
            None => Ok(()),
        }
    }

    /// Checks the rules for a workload's own certificate, and gives its SPIFFE ID.
    pub(super) fn check_leaf(&self) -> Result<String, CertificateError> {
        // X509-SVID §5.2: "Leaf certificates […] the CA field in the basic constraints extension is set to false, and […] keyCertSign and cRLSign
        // in the key usage extension are not set."
        if self.ca.is_some() {
            return Err(rule("it is an authority's own certificate; statements are signed with a workload's"));
        }
        let usage = self.usage.as_ref().ok_or_else(|| rule("it has no keyUsage"))?;
        if usage.key_cert_sign() || usage.crl_sign() {
            return Err(rule("its keyUsage has keyCertSign or cRLSign; a workload's has neither"));
        }
        if !usage.digital_signature() {
            return Err(rule("its keyUsage has no digitalSignature"));
        }
        // X509-SVID §4.4: when the extension is there, both purposes are set.
        if let Some((_, purposes)) = &self.purposes
            && !PURPOSES.iter().all(|purpose| purposes.0.contains(purpose))
        {
            return Err(rule("its extKeyUsage lacks serverAuth or clientAuth; an X.509-SVID has both"));
        }
        // X509-SVID §2: "An X.509 SVID MUST contain exactly one URI SAN, and by extension, exactly one SPIFFE ID."
        match self.uris.as_slice() {
            [uri] if handles::is_spiffe_id(uri) => Ok(uri.clone()),
            [uri] => Err(CertificateError::Rule(format!("its URI {uri:?} is not a SPIFFE ID with a path"))),
            uris => Err(CertificateError::Rule(format!("{} URIs among its names; an X.509-SVID has one", uris.len()))),
        }
    }
}

/// RFC 5280 §4.2: "A certificate-using system MUST reject the certificate if it encounters a critical extension it does not recognize", and "A certificate
/// MUST NOT include more than one instance of a particular extension."
fn check_extensions(parsed: &Parsed) -> Result<(), CertificateError> {
    let extensions = parsed.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
    for (position, extension) in extensions.iter().enumerate() {
        let id = extension.extn_id;
        if extensions.iter().take(position).any(|other| other.extn_id == id) {
            return Err(CertificateError::Rule(format!("its extension {id} stands twice")));
        }
        // A constraint that is not enforced would be as good as none, whoever forgot to mark it critical.
        if id == NameConstraints::OID {
            return Err(CertificateError::Extension(format!("{id} (nameConstraints)")));
        }
        if extension.critical && !UNDERSTOOD.contains(&id) {
            return Err(CertificateError::Extension(format!("{id} (critical)")));
        }
    }
    Ok(())
}

fn extension<'a, T: Decode<'a, Error = der::Error> + AssociatedOid>(
    parsed: &'a Parsed,
) -> Result<Option<(bool, T)>, CertificateError> {
    parsed.tbs_certificate().get_extension::<T>().map_err(malformed)
}

/// RFC 5758 §3.2, RFC 8410 §3: these have no parameters.
fn algorithm(found: &AlgorithmIdentifierOwned) -> Result<Algorithm, CertificateError> {
    let unknown = || CertificateError::Algorithm(format!("signatures by {} are not verified here", named(found.oid)));
    let known = SIGNATURES.iter().find(|(id, _)| *id == found.oid).map(|(_, algorithm)| *algorithm);
    let algorithm = known.ok_or_else(unknown)?;
    if found.parameters.is_some() { Err(rule("its signature algorithm has parameters")) } else { Ok(algorithm) }
}

/// A key of another kind may be verified by a later version; one that is malformed never will.
fn key_error(info: &x509_cert::spki::SubjectPublicKeyInfoOwned, error: &crate::cose::KeyError) -> CertificateError {
    let curve = info.algorithm.parameters.as_ref().and_then(|parameter| parameter.decode_as::<ObjectIdentifier>().ok());
    let is_known = match info.algorithm.oid {
        EC => curve.is_some_and(|curve| CURVES.contains(&curve)),
        other => other == ED25519,
    };
    if is_known {
        return CertificateError::Rule(format!("its key: {error}"));
    }
    let curve = curve.map(|curve| format!(" on {curve}")).unwrap_or_default();
    CertificateError::Algorithm(format!("keys of {}{curve} are not used here", named(info.algorithm.oid)))
}

fn named(id: ObjectIdentifier) -> String {
    let text = id.to_string();
    if text.starts_with(PKCS1) { format!("RSA ({text})") } else { text }
}

fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

fn rule(why: &str) -> CertificateError {
    CertificateError::Rule(why.to_owned())
}

fn malformed(error: der::Error) -> CertificateError {
    CertificateError::Der(error.to_string())
}

const SPIFFE: &str = "spiffe://";
const PKCS1: &str = "1.2.840.113549.1.1.";
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// P-256 and P-384.
const CURVES: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), ObjectIdentifier::new_unwrap("1.3.132.0.34")];
const SIGNATURES: [(ObjectIdentifier, Algorithm); 3] = [
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2"), Algorithm::Es256),
    (ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3"), Algorithm::Es384),
    (ED25519, Algorithm::EdDsa),
];
/// serverAuth and clientAuth.
const PURPOSES: [ObjectIdentifier; 2] =
    [ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1"), ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2")];
const UNDERSTOOD: [ObjectIdentifier; 4] =
    [BasicConstraints::OID, KeyUsage::OID, SubjectAltName::OID, ExtendedKeyUsage::OID];
