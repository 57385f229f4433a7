//! CBOR to JSON.

use ciborium::Value;
use serde_json::{Number, Value as Json, json};

use super::{MARK, Object, shape_of_key};
use crate::base64;
use crate::record::schema::{ANY, Group, Shape};
use crate::record::sealed::Sealed;

/// Prints a record: a map with text keys.
pub(super) fn print(group: &'static Group, record: &[(Value, Value)]) -> Object {
    text_map(record, |key| shape_of_key(group, key)).unwrap_or_default()
}

fn print_value(shape: &'static Shape, value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Integer(number) => print_integer(i128::from(*number)),
        Value::Float(number) => print_float(*number),
        Value::Bytes(bytes) => print_bytes(shape, bytes),
        Value::Text(text) if is_hex(shape) => json!({ "$text": text }),
        Value::Text(text) => Json::String(text.clone()),
        Value::Array(items) => {
            let first = items.first().and_then(Value::as_text);
            items
                .iter()
                .enumerate()
                .map(|(position, item)| print_value(shape.of_element(position, first), item))
                .collect()
        }
        Value::Map(pairs) => text_map(pairs, |key| shape.of_key(key)).map_or_else(|| any_map(pairs), Json::Object),
        Value::Tag(tag, inner) => match Sealed::from_value(value) {
            Ok(sealed) => print_sealed(&sealed),
            Err(_) => json!({ "$tag": tag, "value": print_value(&ANY, inner) }),
        },
        // `Value` may gain variants; the CBOR of a record has none but these.
        _ => Json::Null,
    }
}

fn print_integer(number: i128) -> Json {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => number.into(),
        (_, Ok(number)) => number.into(),
        _ => json!({ "$int": number.to_string() }),
    }
}

fn print_float(number: f64) -> Json {
    match Number::from_f64(number) {
        Some(number) => Json::Number(number),
        None if number.is_nan() => json!({ "$float": "NaN" }),
        None if number > 0.0 => json!({ "$float": "Infinity" }),
        None => json!({ "$float": "-Infinity" }),
    }
}

fn print_bytes(shape: &Shape, bytes: &[u8]) -> Json {
    match shape {
        Shape::Digest if bytes.len() == 32 => Json::String(hex(bytes)),
        Shape::DigestBytes => Json::String(hex(bytes)),
        _ => json!({ "$bytes": base64::encode_url(bytes) }),
    }
}

fn print_sealed(sealed: &Sealed) -> Json {
    let mut object = Object::new();
    object.insert("$sealed".to_owned(), base64::encode_url(sealed.digest.as_bytes()).into());
    if let Some(reference) = &sealed.reference {
        object.insert("ref".to_owned(), base64::encode_url(reference).into());
    }
    Json::Object(object)
}

/// Prints a map whose keys are text; `None` if one is not.
fn text_map(pairs: &[(Value, Value)], shape_of: impl Fn(&str) -> &'static Shape) -> Option<Object> {
    pairs
        .iter()
        .map(|(key, value)| {
            let key = key.as_text()?;
            let name = if key.starts_with(MARK) { format!("{MARK}{key}") } else { key.to_owned() };
            Some((name, print_value(shape_of(key), value)))
        })
        .collect()
}

fn any_map(pairs: &[(Value, Value)]) -> Json {
    let pairs: Vec<Json> =
        pairs.iter().map(|(key, value)| json!([print_value(&ANY, key), print_value(&ANY, value)])).collect();
    json!({ "$map": pairs })
}

/// Says whether byte strings in this place print as hex, so that text must be told apart from them.
pub(super) fn is_hex(shape: &Shape) -> bool {
    matches!(shape, Shape::Digest | Shape::DigestBytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
