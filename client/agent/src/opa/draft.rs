//! The last step of every record that is not a decision.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::record::Record;

use super::decision::{MAX_PAYLOAD_BYTES, MAX_TEXT_BYTES};
use crate::seal::{Draft, Sealer};

/// A map of a record under construction.
pub(super) type Map = Vec<(Value, Value)>;

/// Adds text, where there is some.
pub(super) fn put(map: &mut Map, key: &str, text: Option<impl Into<String>>) {
    if let Some(text) = text {
        map.push((key.into(), Value::Text(text.into())));
    }
}

/// Encodes a record, and reads it as its readers will: what is signed is known to be well formed. `sub`: none for one about its stream.
pub(super) fn drafted(kind: &'static str, sub: Option<String>, map: Map, sealer: Sealer<'_>) -> Result<Draft, String> {
    if let Some(sub) = sub.as_ref().filter(|sub| sub.len() > MAX_TEXT_BYTES) {
        return Err(format!("a subject of {} bytes, should be at most {MAX_TEXT_BYTES}", sub.len()));
    }
    let payload = to_deterministic(&Value::Map(map));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(format!("a record of {} bytes, should be at most {MAX_PAYLOAD_BYTES}", payload.len()));
    }
    Record::parse(kind, &payload).map_err(|error| format!("the record: {error}"))?;
    Ok(Draft { kind, sub, payload, openings: sealer.into_openings() })
}
