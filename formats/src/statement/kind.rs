//! Kinds and content types.

const PREFIX: &str = "application/vnd.govlog.";
const SUFFIX: &str = "+cbor";

/// Returns the short kind of a content type `application/vnd.govlog.<kind>+cbor`.
///
/// A kind has no `/`: what has one is a content type of its own.
#[must_use]
pub fn kind_of(content_type: &str) -> Option<&str> {
    middle(content_type).filter(|kind| !kind.is_empty() && !kind.contains('/'))
}

/// Returns the content type of a kind: a kind without `/` stands for `application/vnd.govlog.<kind>+cbor`.
#[must_use]
pub fn content_type_of(kind: &str) -> String {
    if kind.contains('/') { kind.to_owned() } else { format!("{PREFIX}{kind}{SUFFIX}") }
}

/// Says whether a content type is `application/vnd.govlog.*+cbor`, so that the payload obeys the rules of a record.
pub(super) fn is_record(content_type: &str) -> bool {
    middle(content_type).is_some()
}

fn middle(content_type: &str) -> Option<&str> {
    content_type.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)
}
