//! An X.509-SVID that can be signed with.

use std::io;
use std::path::PathBuf;

use govlog_client::key_file::KeyFileError;
use govlog_formats::cose::{KeyError, SigningKey};
use govlog_formats::record::handles::HandleError;
use govlog_formats::x509::{Chain, ChainError};

/// A chain of certificates and the key of its leaf.
///
/// The log could take what it signs, as far as that can be known without its trust anchors: the chain is one, the leaf is the issuer's, the key is the
/// leaf's.
pub struct Svid {
    chain: Vec<Vec<u8>>,
    key: SigningKey,
    validity_s: (i64, i64),
}

/// Why there is no X.509-SVID to sign with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SvidError {
    /// The file of the chain cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// The file holds no certificates.
    #[error("{}: {error}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: HandleError,
    },
    /// The private key cannot be used.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The Workload API's private key cannot be used.
    #[error("the key of the X.509-SVID: {0}")]
    Key(#[from] KeyError),
    /// The Workload API gives nothing.
    #[error(
        "x509.spiffe = {endpoint:?}: {why}; is the SPIRE agent running, and does it have an entry for this program?"
    )]
    Workload {
        /// Where it should be.
        endpoint: String,
        /// What it, or the connection to it, says.
        why: String,
    },
    /// The log would refuse every statement signed with it.
    #[error("the X.509-SVID: {0}")]
    Chain(#[from] ChainError),
    /// It is somebody else's.
    #[error("the X.509-SVID is that of {found:?}, and iss is {iss:?}; they must be one")]
    Other {
        /// Whose it is.
        found: String,
        /// Who signs.
        iss: String,
    },
    /// The key is not the leaf's: so it is while two files are being replaced.
    #[error("the private key is not that of the X.509-SVID; are both files of one issuance?")]
    Pair,
    /// A record that fits an entry would not fit it with such a chain.
    #[error("the chain of the X.509-SVID has {found} bytes; at most {MAX_CHAIN_BYTES} leave room for what is signed")]
    Long {
        /// How many it has.
        found: usize,
    },
    /// This program was built without it.
    #[error(
        "x509.spiffe is set, and this program was built without the feature spiffe; set x509.svid and x509.svid_key instead"
    )]
    NotBuilt,
}

impl Svid {
    /// Takes a chain, leaf first, and the key of its leaf, for an issuer.
    ///
    /// # Errors
    ///
    /// [`SvidError`] says why the log would take nothing signed with it.
    pub fn new(iss: &str, certificates: Vec<Vec<u8>>, key: SigningKey) -> Result<Self, SvidError> {
        let found = certificates.iter().map(Vec::len).sum();
        if found > MAX_CHAIN_BYTES {
            return Err(SvidError::Long { found });
        }
        let chain = Chain::parse(&certificates)?;
        chain.check_signatures()?;
        if chain.spiffe_id() != iss {
            return Err(SvidError::Other { found: chain.spiffe_id().to_owned(), iss: iss.to_owned() });
        }
        if *chain.key() != key.public() {
            return Err(SvidError::Pair);
        }
        Ok(Self { validity_s: chain.validity_s(), chain: certificates, key })
    }

    /// The chain, leaf first, each in DER.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The key of the leaf.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The first and the last second, POSIX, at which all of the chain is valid.
    #[must_use]
    pub fn validity_s(&self) -> (i64, i64) {
        self.validity_s
    }

    /// Says why it is not valid at a time, if it is not.
    pub(crate) fn check_at(&self, now_s: i64) -> Result<(), String> {
        let (from, until) = self.validity_s;
        let utc = |at: i64| govlog_client::time::utc(u64::try_from(at).unwrap_or(0));
        match now_s {
            _ if now_s < from => Err(format!("it is valid only from {} on; is the clock right?", utc(from))),
            _ if now_s > until => Err(format!("it has ended at {}, and nobody has renewed it", utc(until))),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for Svid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Svid").field("validity_s", &self.validity_s).finish_non_exhaustive()
    }
}

/// The most bytes a chain may have: what a record of the greatest size leaves free in an entry, less what the claims take.
pub const MAX_CHAIN_BYTES: usize = 8 * 1024;
