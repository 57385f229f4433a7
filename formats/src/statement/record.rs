//! What the payload must be, as far as a log judges it for every kind.

use super::StatementError;
use crate::cbor::{Item, Rules, check_at};

/// Checks the payload of an un-enveloped record kind: deterministic CBOR, a map with text keys, `v` = 1.
///
/// The rest of a record is not judged here, so that replaying admission never depends on a software version.
pub(super) fn check(payload: &[u8], at: usize) -> Result<(), StatementError> {
    let item = check_at(payload, at, Rules::Deterministic)?;
    let entries = item.as_map().ok_or(StatementError::RecordNotMap(at))?;
    if let Some(entry) = entries.iter().find(|entry| entry.key.as_text().is_none()) {
        return Err(StatementError::RecordKey(entry.key.offset()));
    }
    let is_one = |value: &Item<'_>| value.as_int() == Some(1);
    let version = entries.iter().find(|entry| entry.key.as_text() == Some("v"));
    if version.is_some_and(|entry| is_one(&entry.value)) { Ok(()) } else { Err(StatementError::RecordVersion) }
}

/// Checks the payload of a hash envelope: a SHA-256 digest.
pub(super) const fn check_digest(payload: &[u8], offset: usize) -> Result<(), StatementError> {
    match payload.len() {
        32 => Ok(()),
        bytes => Err(StatementError::EnvelopePayload { offset, bytes }),
    }
}
