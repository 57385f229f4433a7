//! One event of OPA's decision log: what tells it from others, and from itself sent again.

use govlog_formats::digest::Digest;

use super::upload::{Limits, Refused};
use crate::json::{self, Object, RawValue};

#[cfg(test)]
mod tests;

/// The most bytes an instance's id or a decision's id may have: UUIDs as a rule.
pub const MAX_ID_BYTES: usize = 512;

/// What a repeated event may lack. OPA drops it from an event that is too large for an upload with it, and may do so only when it
/// encodes a chunk again: the same decision then comes once with and once without.
const MAY_BE_DROPPED: [&str; 1] = ["nd_builtin_cache"];

/// An event of a decision log.
///
/// `(instance, native_id)` names it. An event of the same name whose `semantic` differs is not the same event sent again: somebody
/// changed it, or two instances share an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Which OPA: `labels.id`.
    pub instance: String,
    /// Which decision of it: `decision_id`.
    pub native_id: String,
    /// The digest of all it says but `nd_builtin_cache`, which a repeated event may lack.
    pub semantic: Digest,
    /// The event as it came.
    pub bytes: &'a [u8],
}

impl<'a> Event<'a> {
    /// Reads one event.
    ///
    /// # Errors
    ///
    /// It is too long, not JSON, has no ids, or says something twice.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, Refused> {
        within(bytes, limits)?;
        Self::of_raw(json::value(bytes).map_err(at_event)?, limits)
    }

    pub(super) fn of_raw(raw: &'a RawValue, limits: &Limits) -> Result<Self, Refused> {
        let bytes = raw.get().as_bytes();
        within(bytes, limits)?;
        let event = Object::parse(raw).map_err(at_event)?;
        let instance = instance(&event)?;
        let native_id = id(event.get("decision_id"), "decision_id")?;
        let semantic = json::canonical_digest_without(raw, &MAY_BE_DROPPED).map_err(at_event)?;
        Ok(Self { instance, native_id, semantic, bytes })
    }
}

/// Reads `labels.id` of an event or a status.
pub(super) fn instance(whole: &Object<'_>) -> Result<String, Refused> {
    let labels = whole.get("labels").ok_or_else(|| Refused::Missing("labels".to_owned()))?;
    let labels = Object::parse(labels).map_err(|problem| Refused::Json { at: "labels".to_owned(), problem })?;
    id(labels.get("id"), "labels.id")
}

fn id(raw: Option<&RawValue>, at: &str) -> Result<String, Refused> {
    let raw = raw.ok_or_else(|| Refused::Missing(at.to_owned()))?;
    bounded_text(raw, at, MAX_ID_BYTES)
}

/// Reads text of 1 to `most` bytes.
pub(super) fn bounded_text(raw: &RawValue, at: &str, most: usize) -> Result<String, Refused> {
    let text = json::text(raw).map_err(|problem| Refused::Json { at: at.to_owned(), problem })?;
    match text.len() {
        found if found == 0 || found > most => Err(Refused::Length { at: at.to_owned(), found, most }),
        _ => Ok(text.into_owned()),
    }
}

fn within(bytes: &[u8], limits: &Limits) -> Result<(), Refused> {
    match bytes.len() {
        found if found > limits.event_bytes => Err(Refused::Event { found, most: limits.event_bytes }),
        _ => Ok(()),
    }
}

fn at_event(problem: json::JsonError) -> Refused {
    Refused::Json { at: "event".to_owned(), problem }
}
