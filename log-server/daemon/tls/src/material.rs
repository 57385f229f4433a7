//! Certificates and keys in PEM files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::provider;
use crate::secret::{self, SecretError};

/// Why files cannot be used for TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// A file of certificates cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// A file of certificates is no PEM, or has none.
    #[error("{}: holds no certificates in PEM: {why}", path.display())]
    NoCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The private key cannot be read, or others can read it.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The key file holds no private key in PEM.
    #[error("{}: holds no private key in PEM (PKCS#8, SEC1 or PKCS#1)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// Key and certificate do not belong together, or are of a kind that is not used.
    #[error("{} and {}: {why}", cert.display(), key.display())]
    Pair {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
        /// What is wrong.
        why: rustls::Error,
    },
    /// A setting needs another.
    #[error("{found} needs {missing} beside it")]
    Alone {
        /// What stands there.
        found: &'static str,
        /// What does not.
        missing: &'static str,
    },
    /// The settings make no TLS configuration.
    #[error("TLS: {0}")]
    Tls(String),
}

/// A certificate chain, leaf first, and its private key, as text.
#[derive(Clone, PartialEq, Eq)]
pub struct PairText {
    cert: PathBuf,
    key: PathBuf,
    cert_pem: Vec<u8>,
    key_pem: String,
}

impl PairText {
    /// Reads both files.
    ///
    /// # Errors
    /// One cannot be read, or others can read the key.
    pub fn read(cert: &Path, key: &Path) -> Result<Self, MaterialError> {
        let cert_pem = read(cert)?;
        Ok(Self { cert: cert.to_owned(), key: key.to_owned(), cert_pem, key_pem: secret::read(key)? })
    }

    /// Makes of the text what a handshake needs.
    ///
    /// # Errors
    /// It is no PEM, or the key is another certificate's: so it is while the two files are being replaced.
    pub fn parse(&self) -> Result<Arc<CertifiedKey>, MaterialError> {
        let chain = certificates(&self.cert, &self.cert_pem)?;
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes());
        let key = key.map_err(|_| MaterialError::NoKey { path: self.key.clone() })?;
        let pair = CertifiedKey::from_der(chain, key, &provider());
        let pair = pair.map_err(|why| MaterialError::Pair { cert: self.cert.clone(), key: self.key.clone(), why })?;
        Ok(Arc::new(pair))
    }
}

impl std::fmt::Debug for PairText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PairText").field("cert", &self.cert).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Reads a file of certificates as text.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> Result<Vec<u8>, MaterialError> {
    fs::read(path).map_err(|cause| MaterialError::File { path: path.to_owned(), cause })
}

/// Takes the certificates in `pem` for authorities; `path` is where they were read.
///
/// # Errors
/// There is none, or one that is malformed.
pub fn authorities(path: &Path, pem: &[u8]) -> Result<RootCertStore, MaterialError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, pem)? {
        let added = roots.add(certificate);
        added.map_err(|why| MaterialError::NoCertificates { path: path.to_owned(), why: why.to_string() })?;
    }
    Ok(roots)
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, MaterialError> {
    let none = |why: String| MaterialError::NoCertificates { path: path.to_owned(), why };
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|why| none(why.to_string()))?;
    if found.is_empty() { Err(none("it has no CERTIFICATE section".to_owned())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    #[test]
    fn a_pair_is_read_and_one_of_two_is_no_pair() {
        let dir = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let one = authority.server("one").write(dir.path(), "one");
        let two = authority.server("two").write(dir.path(), "two");
        assert_eq!(PairText::read(&one.cert, &one.key).unwrap().parse().unwrap().cert.len(), 1);
        let mixed = PairText::read(&one.cert, &two.key).unwrap().parse();
        assert!(matches!(mixed, Err(MaterialError::Pair { .. })), "{mixed:?}");
        assert!(matches!(PairText::read(&one.cert, &one.cert), Err(MaterialError::Secret(_))));
        let swapped = PairText::read(&one.key, &one.key).unwrap().parse();
        assert!(matches!(swapped, Err(MaterialError::NoCertificates { .. })), "{swapped:?}");
    }

    #[test]
    fn no_error_and_no_debug_output_shows_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let pair = Authority::new().server("one").write(dir.path(), "one");
        let text = PairText::read(&pair.cert, &pair.key).unwrap();
        let secret = text.key_pem.lines().nth(1).unwrap();
        assert!(!format!("{text:?}").contains(secret));
        let broken = PairText { key_pem: text.key_pem.replace("END", "DNE"), ..text.clone() };
        let error = broken.parse().unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error:?}");
    }

    #[test]
    fn authorities_are_at_least_one() {
        let path = Path::new("ca.pem");
        assert_eq!(authorities(path, Authority::new().pem().as_bytes()).unwrap().len(), 1);
        for none in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(matches!(authorities(path, none.as_bytes()), Err(MaterialError::NoCertificates { .. })), "{none}");
        }
    }
}
