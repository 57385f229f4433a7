//! Checkpoints: a log's origin, tree size and root hash as the text of a note (C2SP tlog-checkpoint v1.0.0).

use core::fmt;
use core::str::FromStr;

use crate::digest::Digest;
use crate::merkle::TreeSize;
use crate::note::{KeyName, Note};

pub use crate::tlog_policy::VerifiedCheckpoint;

/// The unique name of a log: the first line of its checkpoints.
///
/// "The origin MUST be non-empty, and it SHOULD be a schema-less URL containing neither Unicode spaces nor plus (U+002B)
/// […] clients MUST NOT assume that the origin is following this format" (tlog-checkpoint v1.0.0, Note text). Only what
/// cannot stand in a note's line is refused here; a log of ours has a [`KeyName`] for an origin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Checks and wraps an origin.
    ///
    /// # Errors
    /// [`CheckpointError::EmptyOrigin`] or [`CheckpointError::OriginCharacter`].
    pub fn new(origin: impl Into<String>) -> Result<Self, CheckpointError> {
        let origin = origin.into();
        if origin.is_empty() {
            return Err(CheckpointError::EmptyOrigin);
        }
        if origin.bytes().any(|b| b < 0x20) {
            return Err(CheckpointError::OriginCharacter(origin));
        }
        Ok(Self(origin))
    }

    /// Returns the origin as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether a key has the origin for a name.
    ///
    /// "The log's key name in its signature line SHOULD match the origin line." (tlog-checkpoint v1.0.0, Signatures)
    #[must_use]
    pub fn is_name(&self, name: &KeyName) -> bool {
        self.0 == name.as_str()
    }

    /// Returns the SHA-256 of the origin: its lower-case hex is the path under which witnesses and mirrors serve the log.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::sha256(self.0.as_bytes())
    }
}

impl From<KeyName> for Origin {
    fn from(name: KeyName) -> Self {
        Self(name.as_str().to_owned())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    fn from_str(origin: &str) -> Result<Self, CheckpointError> {
        Self::new(origin)
    }
}

/// The text of a checkpoint: what a log says about its tree.
///
/// Prints as the note text, final LF included; parsing that gives the same value and printing it the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: Origin,
    /// The number of leaves.
    pub size: TreeSize,
    /// The root hash at that size.
    pub root: Digest,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// Makes a checkpoint without extension lines, as our log signs them.
    #[must_use]
    pub const fn new(origin: Origin, size: TreeSize, root: Digest) -> Self {
        Self { origin, size, root, extensions: Vec::new() }
    }

    /// Returns the extension lines another log may have added. "The use of extension lines is NOT RECOMMENDED, as they
    /// are not auditable by log monitors." (tlog-checkpoint v1.0.0, Note text): nothing here gives them a meaning.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Reads the text of a note as a checkpoint.
    ///
    /// "The note text is a sequence of at least three non-empty lines, separated by newlines (U+000A)." (tlog-checkpoint
    /// v1.0.0, Note text)
    ///
    /// # Errors
    /// [`CheckpointError`] names the line that is wrong.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Unterminated)?;
        let mut lines = body.split('\n');
        let origin = Origin::new(lines.next().ok_or(CheckpointError::EmptyOrigin)?)?;
        // "the ASCII decimal representation of the number of leaves in the tree, with no leading zeroes (unless the tree is
        // empty, in which case the tree size is `0`)" (Note text)
        let size = lines.next().ok_or(CheckpointError::TooFewLines)?;
        let size = size.parse().map_err(|_| CheckpointError::Size(size.to_owned()))?;
        // "the base64 encoding of the root of the RFC 6962 Merkle hash tree at the specified tree size" (Note text)
        let root = lines.next().ok_or(CheckpointError::TooFewLines)?;
        let root = Digest::from_base64(root).map_err(|_| CheckpointError::Root(root.to_owned()))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        // "Extension lines, if any, MUST be non-empty." (Note text)
        if let Some(position) = extensions.iter().position(String::is_empty) {
            return Err(CheckpointError::EmptyLine(position + 4));
        }
        if extensions.iter().any(|line| line.bytes().any(|b| b < 0x20)) {
            return Err(CheckpointError::ExtensionCharacter);
        }
        Ok(Self { origin, size, root, extensions })
    }

    /// Reads the checkpoint a note carries.
    ///
    /// # Errors
    /// As [`Checkpoint::parse`].
    pub fn of_note(note: &Note) -> Result<Self, CheckpointError> {
        Self::parse(note.text())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        Self::parse(text)
    }
}

/// How a text fails to be a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text does not end in LF.
    #[error("the checkpoint does not end in a newline")]
    Unterminated,
    /// The first line is empty.
    #[error("line 1 of the checkpoint, the origin, is empty")]
    EmptyOrigin,
    /// The origin holds a control character.
    #[error("the origin {0:?} holds a control character")]
    OriginCharacter(String),
    /// Fewer than three lines.
    #[error("the checkpoint has fewer than three lines: origin, tree size, root hash")]
    TooFewLines,
    /// The second line is no canonical decimal, or too large.
    #[error("line 2 of the checkpoint, {0:?}, is not a tree size in decimal without leading zeros, at most 2^62")]
    Size(String),
    /// The third line is not the canonical base64 of 32 bytes.
    #[error("line 3 of the checkpoint, {0:?}, is not the base64 of a 32-byte root hash")]
    Root(String),
    /// A line is empty.
    #[error("line {0} of the checkpoint is empty")]
    EmptyLine(usize),
    /// An extension line holds a control character.
    #[error("an extension line holds a control character")]
    ExtensionCharacter,
}
