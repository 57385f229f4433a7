//! JSON text, read strictly: what a lenient reader would silently change is refused.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Number, Value as Json};

use super::{Object, ViewError};

/// Reads JSON text strictly: no key twice in one object, no integer beyond 64 bits.
///
/// # Errors
///
/// As said, or no JSON at all; the line is named.
pub fn parse_text(text: &str) -> Result<Json, ViewError> {
    check_integers(text)?;
    serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| {
        let line = format!("line {}", error.line());
        let why = error.to_string();
        ViewError::new(line, why.split(" at line ").next().unwrap_or(&why))
    })
}

/// Refuses integers that a reader would round to a float.
fn check_integers(text: &str) -> Result<(), ViewError> {
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (_, from) = rest.split_at(start);
        if let Some(inside) = from.strip_prefix('"') {
            rest = after_string(inside);
            continue;
        }
        let end =
            from.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))).unwrap_or(from.len());
        let (number, after) = from.split_at(end);
        if is_integer(number) && number.parse::<u64>().is_err() && number.parse::<i64>().is_err() {
            let line = text.len() - from.len();
            let line = text.get(..line).map_or(1, |before| before.matches('\n').count() + 1);
            return Err(ViewError::new(format!("line {line}"), format!("the integer {number} does not fit 64 bits")));
        }
        rest = after;
    }
    Ok(())
}

fn is_integer(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Gives what follows a string's closing quote.
fn after_string(inside: &str) -> &str {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return inside.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    ""
}

/// JSON whose objects have no key twice.
struct Strict(Json);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Json, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Json, E> {
        Number::from_f64(number).map(Json::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Json, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Json, A::Error> {
        let mut object = Object::new();
        while let Some(key) = pairs.next_key::<String>()? {
            let Strict(value) = pairs.next_value()?;
            match object.entry(key) {
                Entry::Vacant(place) => place.insert(value),
                Entry::Occupied(place) => {
                    return Err(A::Error::custom(format!("the key {:?} stands twice in one object", place.key())));
                }
            };
        }
        Ok(Json::Object(object))
    }
}
