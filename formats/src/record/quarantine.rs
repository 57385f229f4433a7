//! The kind `quarantine`: what stands in the place of an input that could not be mapped, or of a statement that the log refused.

use super::body::{Body, Recorded};
use crate::digest::Digest;

/// A `quarantine` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantine(pub(super) Body);

impl Quarantine {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// Why it was set aside.
    #[must_use]
    pub fn reason(&self) -> Recorded<&str> {
        self.0.text(&["reason"])
    }

    /// SHA-256 of the input, or of the statement that was refused.
    #[must_use]
    pub fn digest(&self) -> Recorded<Digest> {
        self.0.digest(&["digest"])
    }

    /// How many bytes the input has.
    #[must_use]
    pub fn size(&self) -> Recorded<u64> {
        self.0.uint(&["size"])
    }

    /// The input's exact bytes.
    #[must_use]
    pub fn input(&self) -> Recorded<&[u8]> {
        self.0.bytes(&["input"])
    }

    /// The HTTP status with which the log refused the statement that stood in this place.
    #[must_use]
    pub fn refused(&self) -> Recorded<u64> {
        self.0.uint(&["refused"])
    }
}
