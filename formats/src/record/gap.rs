//! The kind `gap`: events of the source were lost before they reached the stream.

use super::body::{Body, Recorded};

/// A `gap` record.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap(pub(super) Body);

impl Gap {
    /// All fields, the untyped ones too.
    #[must_use]
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// Why they are lost.
    #[must_use]
    pub fn cause(&self) -> Recorded<&str> {
        self.0.text(&["cause"])
    }

    /// Not before and not after these times: POSIX milliseconds.
    #[must_use]
    pub fn time_ms(&self) -> (Recorded<u64>, Recorded<u64>) {
        (self.0.uint(&["from_ms"]), self.0.uint(&["to_ms"]))
    }

    /// The ids of the first and the last one, as the source numbers or names its events.
    #[must_use]
    pub fn source_range(&self) -> (Recorded<&str>, Recorded<&str>) {
        (self.0.text(&["first_id"]), self.0.text(&["last_id"]))
    }

    /// How many, where that is known.
    #[must_use]
    pub fn count(&self) -> Recorded<u64> {
        self.0.uint(&["count"])
    }
}
