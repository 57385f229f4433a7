//! Trust anchors of a row, as an operator is given them: files of certificates.

use govlog_formats::admission::Credentials;
use govlog_formats::record::handles::{HandleError, certificates_from_pem, is_spiffe_id};
use govlog_formats::visible::visible;
use govlog_formats::x509::{Anchor, CertificateError};

use crate::time;

/// Why certificates are not made the trust anchors of an issuer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// X.509-SVIDs are of workloads alone.
    #[error(
        "iss {0:?} is neither a trust domain, spiffe://prod.example, nor a workload of one, spiffe://prod.example/pep/envoy"
    )]
    Iss(String),
    /// A file holds no certificates.
    #[error("{file}: {error}")]
    Pem {
        /// The file.
        file: String,
        /// What is wrong.
        error: HandleError,
    },
    /// A certificate is not one of an authority that could admit anybody.
    #[error("{file}, certificate {position}: {error}")]
    Certificate {
        /// The file.
        file: String,
        /// Which of it, counted from 1.
        position: usize,
        /// What is wrong.
        error: CertificateError,
    },
    /// The authority says that it is another trust domain's.
    #[error("{file}, certificate {position}: it is an authority of {found}, and the issuers are of {expected}")]
    Domain {
        /// The file.
        file: String,
        /// Which of it, counted from 1.
        position: usize,
        /// The trust domain in the certificate.
        found: String,
        /// The issuers' trust domain.
        expected: String,
    },
    /// It has ended: it would admit nobody.
    #[error("{file}, certificate {position}: it ended {until}; leave it out")]
    Ended {
        /// The file.
        file: String,
        /// Which of it, counted from 1.
        position: usize,
        /// When.
        until: String,
    },
}

/// Takes all certificates of these files, each with its name, for the trust anchors of an issuer.
///
/// Any byte string may stand in a row, and what is no authority's certificate admits nobody: an operator is told before it is signed.
///
/// # Errors
///
/// [`AnchorsError`] names the file and the certificate.
pub fn anchors(iss: &str, files: &[(String, Vec<u8>)], now_s: u64) -> Result<Credentials, AnchorsError> {
    let domain = trust_domain(iss).ok_or_else(|| AnchorsError::Iss(iss.to_owned()))?;
    let mut anchors: Vec<Vec<u8>> = Vec::new();
    for (file, pem) in files {
        let found = certificates_from_pem(pem).map_err(|error| AnchorsError::Pem { file: file.clone(), error })?;
        for (position, der) in (1..).zip(found) {
            check(&der, domain, (file, position), now_s)?;
            if !anchors.contains(&der) {
                anchors.push(der);
            }
        }
    }
    Ok(Credentials::X509(anchors))
}

fn check(der: &[u8], domain: &str, (file, position): (&String, usize), now_s: u64) -> Result<(), AnchorsError> {
    let file = || file.clone();
    let anchor = Anchor::parse(der).map_err(|error| AnchorsError::Certificate { file: file(), position, error })?;
    match anchor.trust_domain() {
        Some(found) if found != domain => {
            let (found, expected) = (found.to_owned(), domain.to_owned());
            Err(AnchorsError::Domain { file: file(), position, found, expected })
        }
        _ if u64::try_from(anchor.not_after_s()).unwrap_or(0) < now_s => {
            Err(AnchorsError::Ended { file: file(), position, until: until(&anchor) })
        }
        _ => Ok(()),
    }
}

/// The trust domain of an issuer, `spiffe://TD`, which may be the issuer itself.
fn trust_domain(iss: &str) -> Option<&str> {
    let is_domain = |domain: &str| is_spiffe_id(&format!("{domain}/w"));
    match iss.strip_prefix("spiffe://")?.find('/') {
        None => Some(iss).filter(|domain| is_domain(domain)),
        Some(at) => Some(iss).filter(|iss| is_spiffe_id(iss))?.get(.."spiffe://".len() + at),
    }
}

/// Says what an anchor is, for people.
pub(super) fn in_words(der: &[u8]) -> String {
    match Anchor::parse(der) {
        Ok(anchor) => {
            let (subject, digest) = (anchor.subject(), anchor.digest());
            format!("{} (SHA-256 {digest}, until {})", visible(&subject), until(&anchor))
        }
        Err(error) => format!("a certificate that admits nobody ({})", visible(&error.to_string())),
    }
}

fn until(anchor: &Anchor) -> String {
    time::utc(u64::try_from(anchor.not_after_s()).unwrap_or(0))
}
