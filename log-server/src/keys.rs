//! The log's two private keys and the files they lie in.
//!
//! | File | Key | Form |
//! |---|---|---|
//! | `checkpoint.key` | Ed25519, signs checkpoints | the line note tools use, `PRIVATE+KEY+<origin>+<key ID>+<base64>` |
//! | `receipt.key` | P-256, signs receipts | PKCS#8 PEM |
//!
//! Whoever reads the first can fork the log, which witnesses show; whoever reads the second can fool verifiers that ignore checkpoints. Neither
//! can make a statement of somebody else's.

use std::path::PathBuf;

use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::note::{KeyName, NoteSigner, SignatureAlgorithm};

use crate::config::Config;
use crate::files::{self, FileError};

/// The log's private keys.
#[derive(Debug)]
pub struct LogKeys {
    /// Signs checkpoints; its name is the origin.
    pub checkpoint: NoteSigner,
    /// Signs receipts.
    pub receipt: SigningKey,
}

/// Why the log's keys can not be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A file can not be read, or others can read it.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds no checkpoint key.
    #[error("{path}: no checkpoint key: {why}", path = .path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The checkpoint key is another log's.
    #[error("{path}: the key is named {found:?}; the configured origin is {origin:?}", path = .path.display())]
    OtherOrigin {
        /// The file.
        path: PathBuf,
        /// The key's name.
        found: String,
        /// The origin of the configuration.
        origin: String,
    },
    /// The file holds no receipt key.
    #[error("{path}: no receipt key: {why}", path = .path.display())]
    Receipt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system gives no randomness.
    #[error("no randomness from the system: {0}")]
    Randomness(String),
}

impl LogKeys {
    /// Makes new keys from the system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate(origin: &KeyName) -> Result<Self, KeyFileError> {
        let checkpoint = NoteSigner::from_seed(origin.clone(), SignatureAlgorithm::Ed25519, &seed()?)
            .map_err(|error| KeyFileError::Randomness(error.to_string()))?;
        Ok(Self { checkpoint, receipt: generate(Curve::P256)? })
    }

    /// Reads the keys that a configuration names.
    ///
    /// # Errors
    /// When a file is missing, open to others, malformed, or another log's.
    pub fn load(config: &Config) -> Result<Self, KeyFileError> {
        let path = &config.files.checkpoint_key;
        let checkpoint = NoteSigner::from_secret_text(files::read_secret(path)?.trim_end_matches('\n'))
            .map_err(|error| KeyFileError::Checkpoint { path: path.clone(), why: error.to_string() })?;
        let vkey = checkpoint.vkey();
        if vkey.algorithm() != SignatureAlgorithm::Ed25519 {
            let why = "it is a cosigner's key; a log signs with type 0x01".to_owned();
            return Err(KeyFileError::Checkpoint { path: path.clone(), why });
        }
        if *vkey.name() != config.origin {
            let (found, origin) = (vkey.name().to_string(), config.origin.to_string());
            return Err(KeyFileError::OtherOrigin { path: path.clone(), found, origin });
        }
        let path = &config.files.receipt_key;
        let receipt = SigningKey::from_pkcs8_pem(&files::read_secret(path)?)
            .map_err(|error| KeyFileError::Receipt { path: path.clone(), why: error.to_string() })?;
        if receipt.public().curve() != Curve::P256 {
            let why = "receipts are signed with a P-256 key".to_owned();
            return Err(KeyFileError::Receipt { path: path.clone(), why });
        }
        Ok(Self { checkpoint, receipt })
    }
}

/// Makes a new key from the system's randomness.
///
/// # Errors
/// When there is none.
pub(crate) fn generate(curve: Curve) -> Result<SigningKey, KeyFileError> {
    // One seed in 2³² is no P-256 key; a second one is never seen.
    let mut refused = String::new();
    for _ in 0..8 {
        match SigningKey::from_seed(curve, &seed()?) {
            Ok(key) => return Ok(key),
            Err(error) => refused = error.to_string(),
        }
    }
    Err(KeyFileError::Randomness(refused))
}

fn seed() -> Result<[u8; 32], KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| KeyFileError::Randomness(error.to_string()))?;
    Ok(seed)
}
