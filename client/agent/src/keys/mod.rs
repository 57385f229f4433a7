//! What statements are signed with: a key of the issuer's own, or an X.509-SVID that others renew.
//!
//! ```text
//! files, Workload API ─▶ Svid ─▶ Credential, the newest that is valid now ─▶ statement (x5chain)
//! ```
//!
//! Who signs is `iss`, and a stream is `iss` and a name: neither is the key's, so a stream goes on from one SVID to the next. While none is valid
//! nothing is signed, and everything waits in the outbox.
//!
//! Trust: whoever writes the files, or answers at the Workload API's socket, decides what this agent signs with. An SVID of somebody else, or one
//! that the log could not take, is refused here, before anything is signed with it.

mod files;
mod rotating;
mod svid;
#[cfg(test)]
mod tests;
#[cfg(feature = "spiffe")]
mod workload;

use std::path::PathBuf;
use std::sync::Arc;

use govlog_formats::cose::{PublicKey, SigningKey};
use govlog_formats::statement::{SignedStatement, Signer, StatementError, StatementHeader};

pub use files::Files;
pub use rotating::Rotating;
pub use svid::{MAX_CHAIN_BYTES, Svid, SvidError};
#[cfg(feature = "spiffe")]
pub use workload::Workload;

/// Where X.509-SVIDs come from.
///
/// Trust: see the module; what it gives is checked by [`Svid::new`].
pub trait Svids: Send + Sync {
    /// Gives the newest one there is, or why there is none. Asked once a second at most.
    ///
    /// # Errors
    ///
    /// [`SvidError`] says what to do.
    fn newest(&self) -> Result<Arc<Svid>, SvidError>;
}

/// What an issuer signs with, from one time to the next.
#[derive(Debug)]
pub enum Keys {
    /// One key, for as long as the agent runs.
    One(Credential),
    /// The newest X.509-SVID.
    Svids(Arc<Rotating>),
}

/// What one statement is signed with.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A key, named by its thumbprint.
    Key(Arc<SigningKey>),
    /// A workload's certificate and its key.
    Svid(Arc<Svid>),
}

/// Nothing can be signed now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no X.509-SVID to sign with: {0}")]
pub struct Unsigned(pub(crate) String);

/// `[x509]`: where the X.509-SVID is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// In files that somebody replaces.
    Files {
        /// The chain, leaf first, PEM.
        svid: PathBuf,
        /// Its private key, PKCS#8 PEM, mode 0600.
        key: PathBuf,
    },
    /// From a SPIFFE Workload API at this socket.
    Workload(String),
}

impl From<SigningKey> for Keys {
    fn from(key: SigningKey) -> Self {
        Self::One(Credential::Key(Arc::new(key)))
    }
}

impl Keys {
    /// Gives what a statement made now is signed with.
    ///
    /// # Errors
    ///
    /// No X.509-SVID is valid now.
    pub fn at(&self, now_ms: u64) -> Result<Credential, Unsigned> {
        match self {
            Self::One(credential) => Ok(credential.clone()),
            Self::Svids(rotating) => rotating.at(now_ms).map(Credential::Svid),
        }
    }
}

impl Credential {
    /// Signs a payload under a header.
    ///
    /// # Errors
    ///
    /// As [`SignedStatement::sign`].
    pub fn sign(&self, header: &StatementHeader, payload: &[u8]) -> Result<SignedStatement, StatementError> {
        match self {
            Self::Key(key) => SignedStatement::sign(header, payload, key),
            Self::Svid(svid) => SignedStatement::sign_x509(header, payload, svid.key(), svid.chain()),
        }
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        match self {
            Self::Key(key) => key.public(),
            Self::Svid(svid) => svid.key().public(),
        }
    }

    /// Whether a statement was signed with a certificate that is not this one.
    #[must_use]
    pub fn supersedes(&self, statement: &SignedStatement) -> bool {
        match (self, statement.signer()) {
            (Self::Svid(svid), Signer::X5chain(chain)) => svid.chain() != chain.as_slice(),
            (Self::Svid(_), Signer::Kid(_)) | (Self::Key(_), Signer::X5chain(_)) => true,
            (Self::Key(_), Signer::Kid(_)) => false,
        }
    }

    /// The last second at which it may sign, POSIX; a key has none.
    #[must_use]
    pub fn not_after_s(&self) -> Option<i64> {
        match self {
            Self::Key(_) => None,
            Self::Svid(svid) => Some(svid.validity_s().1),
        }
    }
}

/// Opens what a configuration names for `iss`; the first SVID may come later.
///
/// # Errors
///
/// This program was built without the Workload API, or the system has no thread for it.
pub fn open(settings: &Settings, iss: &str) -> Result<Box<dyn Svids>, SvidError> {
    match settings {
        Settings::Files { svid, key } => Ok(Box::new(Files::new(svid.clone(), key.clone(), iss))),
        #[cfg(feature = "spiffe")]
        Settings::Workload(endpoint) => Ok(Box::new(Workload::start(endpoint, iss)?)),
        #[cfg(not(feature = "spiffe"))]
        Settings::Workload(_) => Err(SvidError::NotBuilt),
    }
}
