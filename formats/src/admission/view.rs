//! The JSON view of an `admission-policy` record.
//!
//! ```json
//! { "v": 1, "event_ms": 1767225600000,
//!   "set": [ { "iss": "spiffe://example.org/pep", "keys": [ { "kty": "OKP", "crv": "Ed25519", "x": "…" } ],
//!              "kinds": ["decision"], "subjects": ["spiffe://example.org/"], "rate": 100, "max_age_s": 3600 } ],
//!   "retire": ["…"], "operators": [ { "kty": "EC", "crv": "P-256", "x": "…", "y": "…" } ], "threshold": 1,
//!   "log": { "origin": "…", "checkpoint": "<vkey>", "receipts": [ { "key": { … }, "from": 0, "below": 900 } ] } }
//! ```
//!
//! A COSE key prints as the JWK of the same key (RFC 7517, RFC 8037): its members are base64url without padding. A trust anchor prints as every
//! byte string of a view does, `{"$bytes": "<base64url>"}`. All else prints as itself. View → record → view is the identity.

use ciborium::Value;
use serde_json::{Map, Value as Json};

use crate::base64;

use super::change::{Change, ChangeError, LogRow, read_fields, read_log, write_fields, write_log};

impl Change {
    /// Prints the change as its JSON view.
    pub fn to_view(&self) -> Json {
        to_json(&write_fields(self.fields()))
    }

    /// Reads a change from its JSON view.
    ///
    /// # Errors
    /// As [`Change::parse`]: the same schema, in other clothes.
    pub fn from_view(view: &Json) -> Result<Self, ChangeError> {
        Self::new(read_fields(&to_cbor("", view)?)?)
    }
}

/// Prints a log's own row as it stands in the view of a change.
pub(super) fn log_to_view(log: &LogRow) -> Json {
    to_json(&write_log(log))
}

/// Reads a log's own row from the view of a change.
pub(super) fn log_from_view(view: &Json) -> Result<LogRow, ChangeError> {
    read_log(&to_cbor("log", view)?)
}

/// The parameters of the two kinds of keys: COSE label, JWK member.
const COORDINATES: [(i64, &str); 2] = [(-2, "x"), (-3, "y")];

/// COSE key type and curve, JWK `kty` and `crv`.
const CURVES: [(i64, i64, &str, &str); 3] = [(1, 6, "OKP", "Ed25519"), (2, 1, "EC", "P-256"), (2, 2, "EC", "P-384")];

// Only values made by `write_fields` come here: texts, unsigned integers, byte strings, lists, maps with text keys, COSE keys.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::from(text.as_str()),
        Value::Integer(number) => u64::try_from(*number).map_or(Json::Null, Json::from),
        Value::Bytes(bytes) => {
            Json::Object(Map::from_iter([("$bytes".to_owned(), Json::from(base64::encode_url(bytes)))]))
        }
        Value::Array(members) => members.iter().map(to_json).collect(),
        Value::Map(pairs) if is_key(pairs) => key_to_jwk(value, pairs),
        Value::Map(pairs) => Json::Object(
            pairs.iter().filter_map(|(name, value)| Some((name.as_text()?.to_owned(), to_json(value)))).collect(),
        ),
        _ => Json::Null,
    }
}

fn is_key(pairs: &[(Value, Value)]) -> bool {
    pairs.first().is_some_and(|(label, _)| label.is_integer())
}

fn key_to_jwk(key: &Value, pairs: &[(Value, Value)]) -> Json {
    let known = CURVES
        .iter()
        .find(|(kty, crv, ..)| label(key, 1) == Some(&Value::from(*kty)) && label(key, -1) == Some(&Value::from(*crv)));
    let mut jwk = Map::new();
    if let Some((_, _, kty, crv)) = known {
        jwk.insert("kty".to_owned(), Json::from(*kty));
        jwk.insert("crv".to_owned(), Json::from(*crv));
    }
    for (number, name) in COORDINATES {
        let bytes =
            pairs.iter().find(|(found, _)| *found == Value::from(number)).and_then(|(_, value)| value.as_bytes());
        jwk.extend(bytes.map(|bytes| (name.to_owned(), Json::from(base64::encode_url(bytes)))));
    }
    Json::Object(jwk)
}

fn label(key: &Value, number: i64) -> Option<&Value> {
    key.as_map()?.iter().find(|(found, _)| *found == Value::from(number)).map(|(_, value)| value)
}

fn to_cbor(field: &str, json: &Json) -> Result<Value, ChangeError> {
    match json {
        Json::String(text) => Ok(Value::from(text.as_str())),
        Json::Number(number) => {
            number.as_u64().map(Value::from).ok_or_else(|| wrong(field, "an unsigned integer of at most 64 bits"))
        }
        Json::Array(members) => {
            let members =
                members.iter().enumerate().map(|(position, member)| to_cbor(&format!("{field}[{position}]"), member));
            members.collect::<Result<_, _>>().map(Value::Array)
        }
        Json::Object(members) if members.contains_key("$bytes") => bytes_to_cbor(field, members),
        Json::Object(members) if members.contains_key("kty") => jwk_to_cbor(field, members),
        Json::Object(members) => {
            let pairs = members.iter().map(|(name, member)| {
                let at = if field.is_empty() { name.clone() } else { format!("{field}.{name}") };
                Ok((Value::from(name.as_str()), to_cbor(&at, member)?))
            });
            pairs.collect::<Result<_, _>>().map(Value::Map)
        }
        Json::Null | Json::Bool(_) => Err(wrong(field, "a text, a number, a list or an object")),
    }
}

fn bytes_to_cbor(field: &str, members: &Map<String, Json>) -> Result<Value, ChangeError> {
    let text = members.get("$bytes").and_then(Json::as_str).filter(|_| members.len() == 1);
    text.and_then(|text| base64::decode_url(text).ok())
        .map(Value::Bytes)
        .ok_or_else(|| wrong(field, "{\"$bytes\": \"<base64url without padding>\"} and nothing else"))
}

fn jwk_to_cbor(field: &str, members: &Map<String, Json>) -> Result<Value, ChangeError> {
    let member = |name: &str| members.get(name).and_then(Json::as_str);
    let known = CURVES.iter().find(|(_, _, kty, crv)| member("kty") == Some(kty) && member("crv") == Some(crv));
    let Some((kty, crv, ..)) = known else {
        return Err(wrong(
            field,
            "a JWK with kty \"OKP\" and crv \"Ed25519\", or kty \"EC\" and crv \"P-256\" or \"P-384\"",
        ));
    };
    if let Some(other) = members.keys().find(|name| !matches!(name.as_str(), "kty" | "crv" | "x" | "y")) {
        return Err(ChangeError::Unknown { field: format!("{field}.{other}") });
    }
    let mut key = vec![(Value::from(1), Value::from(*kty)), (Value::from(-1), Value::from(*crv))];
    for (number, name) in COORDINATES {
        let Some(found) = members.get(name) else { continue };
        let bytes = found.as_str().and_then(|text| base64::decode_url(text).ok());
        let bytes = bytes.ok_or_else(|| wrong(&format!("{field}.{name}"), "base64url without padding"))?;
        key.push((Value::from(number), Value::Bytes(bytes)));
    }
    Ok(Value::Map(key))
}

fn wrong(field: &str, expected: &'static str) -> ChangeError {
    let field = if field.is_empty() { "the record" } else { field };
    ChangeError::WrongType { field: field.to_owned(), expected }
}
