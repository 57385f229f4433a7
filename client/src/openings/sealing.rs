//! Encryption at rest: age files (C2SP age, v1) to X25519 recipients, which every age tool reads.
//!
//! Whoever writes the store needs recipients alone, which are public: a stolen agent can write openings and read none of those that were
//! stored. Whoever opens has the identity.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use age::secrecy::{ExposeSecret as _, SecretString, zeroize::Zeroize as _};
use age::{Decryptor, Encryptor, x25519};

use super::MAX_DOCUMENT_BYTES;

/// Whom openings are encrypted to: at least one.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipients(Vec<x25519::Recipient>);

/// Why texts are no recipients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecipientError {
    /// There is none, or there are too many.
    #[error("{0} recipients; at least 1 and at most {MAX_RECIPIENTS}. Make one with: govlog key new --alg age")]
    Count(usize),
    /// A text is none.
    #[error("{text:?}: {why}; a recipient is age1…, as `govlog key new --alg age` prints it")]
    Malformed {
        /// What was found.
        text: String,
        /// What is wrong.
        why: &'static str,
    },
}

impl Recipients {
    /// Reads recipients, `age1…` each.
    ///
    /// # Errors
    ///
    /// There is none, or one is malformed.
    pub fn parse<S: AsRef<str>>(texts: &[S]) -> Result<Self, RecipientError> {
        if texts.is_empty() || texts.len() > MAX_RECIPIENTS {
            return Err(RecipientError::Count(texts.len()));
        }
        let one = |text: &S| {
            let text = text.as_ref();
            // An identity that was pasted here must not be printed.
            let shown = if text.starts_with(IDENTITY_PREFIX) { "an identity, which is secret" } else { text };
            x25519::Recipient::from_str(text).map_err(|why| RecipientError::Malformed { text: shown.to_owned(), why })
        };
        Ok(Self(texts.iter().map(one).collect::<Result<_, _>>()?))
    }

    /// Gives their texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Encrypts bytes to all of them, under a key of their own.
    pub(super) fn seal(&self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let recipients = self.0.iter().map(|recipient| -> &dyn age::Recipient { recipient });
        let encryptor = Encryptor::with_recipients(recipients).map_err(io::Error::other)?;
        let mut sealed = Vec::with_capacity(bytes.len() + bytes.len() / 1024 + 1024);
        let mut writer = encryptor.wrap_output(&mut sealed)?;
        writer.write_all(bytes)?;
        writer.finish()?;
        Ok(sealed)
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

/// What opens what was encrypted; none of it for a reader of what lies in clear.
#[derive(Clone, Default)]
pub struct Identities(Vec<x25519::Identity>);

/// Why an identity file is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file cannot be read.
    #[error("{}: {cause}", path.display())]
    File {
        /// The identity file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Others than its owner can read or write the file.
    #[error("{path}: others can read this identity (mode {mode:04o}); run: chmod 600 {path}", path = path.display())]
    Readable {
        /// The identity file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no identity.
    #[error(
        "{}: line {line} is no age identity (AGE-SECRET-KEY-1…); make one with: govlog key new --alg age. One that is itself encrypted is decrypted first, with an age tool",
        path.display()
    )]
    Malformed {
        /// The identity file.
        path: PathBuf,
        /// Where; 0: it has none.
        line: usize,
    },
}

impl Identities {
    /// Reads an identity file, as `govlog key new --alg age` and age tools write it.
    ///
    /// # Errors
    ///
    /// The file cannot be read, can be read by others, or holds no identity.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let failed = |cause| IdentityError::File { path: path.to_owned(), cause };
        let file = File::open(path).map_err(failed)?;
        // Of the open file, so that no other can take its place in between.
        let mode = file.metadata().map_err(failed)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(IdentityError::Readable { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(MAX_IDENTITY_BYTES).read_to_string(&mut text).map_err(failed)?;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let read = |(line, text): (usize, &str)| {
            x25519::Identity::from_str(text.trim())
                .map_err(|_| IdentityError::Malformed { path: path.to_owned(), line })
        };
        let identities = lines.map(read).collect::<Result<Vec<_>, _>>();
        text.zeroize();
        match identities? {
            identities if identities.is_empty() => Err(IdentityError::Malformed { path: path.to_owned(), line: 0 }),
            identities => Ok(Self(identities)),
        }
    }

    /// Says whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decrypts what [`Recipients::seal`] wrote, or any age tool; the reason is for people.
    pub(super) fn unseal(&self, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let words = |error: age::DecryptError| match error {
            age::DecryptError::NoMatchingKeys => "it is encrypted to none of these identities".to_owned(),
            other => other.to_string(),
        };
        let decryptor = Decryptor::new_buffered(sealed).map_err(words)?;
        let identities = self.0.iter().map(|identity| -> &dyn age::Identity { identity });
        let reader = decryptor.decrypt(identities).map_err(words)?;
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
        reader.take(most + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if bytes.len() > MAX_DOCUMENT_BYTES {
            return Err(format!("it holds more than {MAX_DOCUMENT_BYTES} bytes"));
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of an identity is printed.
        f.debug_struct("Identities").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

/// A new identity, from the system's randomness.
#[derive(Debug)]
pub struct NewIdentity {
    /// The identity file: secret.
    pub file: SecretString,
    /// The recipient: public.
    pub recipient: String,
}

impl NewIdentity {
    /// Draws an identity.
    #[must_use]
    pub fn draw() -> Self {
        let identity = x25519::Identity::generate();
        let recipient = identity.to_public().to_string();
        let secret = identity.to_string();
        let file = format!("# recipient: {recipient}\n{}\n", secret.expose_secret());
        Self { file: file.into(), recipient }
    }

    /// Gives the bytes of the identity file: secret.
    #[must_use]
    pub fn file_bytes(&self) -> &[u8] {
        self.file.expose_secret().as_bytes()
    }
}

/// The most bytes a file in the store has: each chunk of 64 KiB takes 16 more, and the header about 150 for each recipient.
pub(super) const MAX_FILE_BYTES: usize = MAX_DOCUMENT_BYTES + MAX_DOCUMENT_BYTES / 4096 + 64 * 1024;

/// The most that openings are encrypted to: each costs the writer a multiplication for every entry.
pub const MAX_RECIPIENTS: usize = 16;

const IDENTITY_PREFIX: &str = "AGE-SECRET-KEY-";
const MAX_IDENTITY_BYTES: u64 = 64 * 1024;
