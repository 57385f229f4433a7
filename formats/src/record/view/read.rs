//! JSON to CBOR.

use ciborium::Value;
use ciborium::value::Integer;
use serde_json::{Number, Value as Json};

use super::print::is_hex;
use super::{MARK, Object, ViewError, shape_of_key};
use crate::base64;
use crate::digest::Digest;
use crate::record::check::Path;
use crate::record::schema::{ANY, Group, Shape};
use crate::record::sealed::{self, Sealed};

/// How deep values may be nested: exact.md §1, "16 pass, 17 do not".
const MAX_DEPTH: usize = 16;

/// Reads a record; its top level may be any value.
pub(super) fn read(group: &'static Group, record: &Json) -> Result<Value, ViewError> {
    let mut reader = Reader { path: Path::default(), depth: 0 };
    match record {
        Json::Object(object) if special(object).is_none() => reader.text_map(object, |key| shape_of_key(group, key)),
        other => reader.value(&ANY, other),
    }
}

/// How keys are written that would make an object special.
const DOUBLED: &str = "a key that begins with $ is written with $$";

struct Reader {
    path: Path,
    depth: usize,
}

impl Reader {
    fn value(&mut self, shape: &'static Shape, json: &Json) -> Result<Value, ViewError> {
        match json {
            Json::Null => Ok(Value::Null),
            Json::Bool(value) => Ok(Value::Bool(*value)),
            Json::Number(number) => self.number(number),
            Json::String(text) if is_hex(shape) => self.hex(shape, text),
            Json::String(text) => Ok(Value::Text(text.clone())),
            Json::Array(items) => self.list(shape, items),
            Json::Object(object) => match special(object) {
                Some(mark) => self.special(shape, mark, object),
                None => self.text_map(object, |key| shape.of_key(key)),
            },
        }
    }

    fn number(&self, number: &Number) -> Result<Value, ViewError> {
        if let Some(number) = number.as_u64() {
            return Ok(Value::from(number));
        }
        if let Some(number) = number.as_i64() {
            return Ok(Value::from(number));
        }
        number.as_f64().map(Value::Float).ok_or_else(|| self.error("integers fit 64 bits"))
    }

    fn list(&mut self, shape: &'static Shape, items: &[Json]) -> Result<Value, ViewError> {
        let first = items.first().and_then(Json::as_str);
        self.deeper(|reader| {
            let mut list = Vec::with_capacity(items.len());
            for (position, item) in items.iter().enumerate() {
                let back = reader.path.enter_element(position);
                list.push(reader.value(shape.of_element(position, first), item)?);
                reader.path.leave(back);
            }
            Ok(Value::Array(list))
        })
    }

    fn text_map(&mut self, object: &Object, shape_of: impl Fn(&str) -> &'static Shape) -> Result<Value, ViewError> {
        self.deeper(|reader| {
            let mut pairs = Vec::with_capacity(object.len());
            for (name, json) in object {
                let back = reader.path.enter_key(name);
                // Only doubled marks come here: a single one makes the object special.
                let key = name.strip_prefix(MARK).unwrap_or(name);
                pairs.push((Value::from(key), reader.value(shape_of(key), json)?));
                reader.path.leave(back);
            }
            Ok(Value::Map(pairs))
        })
    }

    /// Reads an object that stands for something JSON does not have.
    fn special(&mut self, shape: &'static Shape, mark: &str, object: &Object) -> Result<Value, ViewError> {
        // What may, or must, stand beside the mark.
        let beside = match mark {
            "$sealed" => Some("ref"),
            "$tag" => Some("value"),
            _ => None,
        };
        if let Some(other) = object.keys().find(|key| *key != mark && Some(key.as_str()) != beside) {
            return Err(self.error(format!("{mark:?} and {other:?} do not stand together; {DOUBLED}")));
        }
        let json = object.get(mark).unwrap_or(&Json::Null);
        let beside = beside.and_then(|key| object.get(key));
        match mark {
            "$bytes" => self.bytes(shape, json),
            "$sealed" => self.sealed(json, beside),
            "$text" => self.text(shape, json),
            "$float" => self.float(json),
            "$int" => self.integer(json),
            "$tag" => self.tag(json, beside),
            "$map" => self.any_map(json),
            other => {
                Err(self
                    .error(format!("{other:?} is none of $bytes, $sealed, $text, $float, $int, $tag, $map; {DOUBLED}")))
            }
        }
    }

    fn bytes(&self, shape: &Shape, json: &Json) -> Result<Value, ViewError> {
        let bytes = self.base64(json)?;
        match shape {
            Shape::Digest if bytes.len() == 32 => Err(self.error("a digest is written as 64 lower-case hex digits")),
            Shape::DigestBytes => Err(self.error("a digest is written as lower-case hex digits")),
            _ => Ok(Value::Bytes(bytes)),
        }
    }

    fn sealed(&self, json: &Json, reference: Option<&Json>) -> Result<Value, ViewError> {
        let digest = Digest::from_slice(&self.base64(json)?)
            .ok_or_else(|| self.error("\"$sealed\" is 32 bytes in base64url"))?;
        let reference = reference.map(|json| self.base64(json)).transpose()?;
        Ok(Sealed { digest, reference }.to_value())
    }

    fn text(&self, shape: &Shape, json: &Json) -> Result<Value, ViewError> {
        match json.as_str() {
            Some(text) if is_hex(shape) => Ok(Value::from(text)),
            Some(_) => Err(self.error("text is written as a plain string here")),
            None => Err(self.error("\"$text\" is a string")),
        }
    }

    fn float(&self, json: &Json) -> Result<Value, ViewError> {
        match json.as_str() {
            Some("NaN") => Ok(Value::Float(f64::NAN)),
            Some("Infinity") => Ok(Value::Float(f64::INFINITY)),
            Some("-Infinity") => Ok(Value::Float(f64::NEG_INFINITY)),
            _ => {
                Err(self
                    .error("\"$float\" is \"NaN\", \"Infinity\" or \"-Infinity\"; other numbers are written plainly"))
            }
        }
    }

    fn integer(&self, json: &Json) -> Result<Value, ViewError> {
        let number =
            json.as_str().and_then(|text| text.parse::<i128>().ok().filter(|number| number.to_string() == text));
        match number {
            Some(number) if number >= i128::from(i64::MIN) && number <= i128::from(u64::MAX) => {
                Err(self.error("an integer of 64 bits is written plainly"))
            }
            Some(number) => match Integer::try_from(number) {
                Ok(number) => Ok(Value::Integer(number)),
                Err(_) => Err(self.error("\"$int\" is at least -18446744073709551616; larger ones are tags 2 and 3")),
            },
            None => Err(self.error("\"$int\" is a decimal number in a string")),
        }
    }

    fn tag(&mut self, tag: &Json, inner: Option<&Json>) -> Result<Value, ViewError> {
        let tag = tag.as_u64().ok_or_else(|| self.error("\"$tag\" is an integer of 0 or more"))?;
        let inner = inner.ok_or_else(|| self.error("\"value\" belongs beside \"$tag\""))?;
        let back = self.path.enter_key("value");
        let inner = self.deeper(|reader| reader.value(&ANY, inner))?;
        self.path.leave(back);
        if let (2 | 3, Value::Bytes(bytes)) = (tag, &inner)
            && (bytes.len() <= 8 || bytes.first() == Some(&0))
        {
            return Err(self.error("tags 2 and 3 are for integers beyond 64 bits, without leading zeros"));
        }
        let value = Value::Tag(tag, Box::new(inner));
        if Sealed::from_value(&value).is_ok() {
            return Err(self.error(format!("tag {} is written as \"$sealed\"", sealed::TAG)));
        }
        Ok(value)
    }

    fn any_map(&mut self, json: &Json) -> Result<Value, ViewError> {
        let wrong = "\"$map\" is a list of lists [key, value], with a key that is not text";
        let Json::Array(items) = json else { return Err(self.error(wrong)) };
        let pairs = self.deeper(|reader| {
            let mut pairs = Vec::with_capacity(items.len());
            for (position, item) in items.iter().enumerate() {
                let back = reader.path.enter_element(position);
                let Some([key, value]) = item.as_array().map(Vec::as_slice) else { return Err(reader.error(wrong)) };
                pairs.push((reader.value(&ANY, key)?, reader.value(&ANY, value)?));
                reader.path.leave(back);
            }
            Ok(pairs)
        })?;
        if pairs.iter().all(|(key, _)| key.is_text()) {
            return Err(self.error(wrong));
        }
        Ok(Value::Map(pairs))
    }

    fn hex(&self, shape: &Shape, text: &str) -> Result<Value, ViewError> {
        match unhex(text) {
            Some(bytes) if !matches!(shape, Shape::Digest) || bytes.len() == 32 => Ok(Value::Bytes(bytes)),
            _ if matches!(shape, Shape::Digest) => {
                Err(self.error(format!("{text:?} is not a digest: 64 lower-case hex digits")))
            }
            _ => Err(self.error(format!("{text:?} is not a digest: lower-case hex digits, an even number of them"))),
        }
    }

    fn base64(&self, json: &Json) -> Result<Vec<u8>, ViewError> {
        let text = json.as_str().ok_or_else(|| self.error("bytes are base64url in a string"))?;
        base64::decode_url(text).map_err(|error| self.error(format!("not base64url without padding: {error}")))
    }

    fn deeper<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, ViewError>) -> Result<T, ViewError> {
        // Depth counts what stands around an item: 17 levels of lists are allowed if nothing stands in the last.
        if self.depth > MAX_DEPTH {
            return Err(self.error(format!("nested deeper than {MAX_DEPTH}")));
        }
        self.depth += 1;
        let done = step(self)?;
        self.depth -= 1;
        Ok(done)
    }

    fn error(&self, why: impl Into<String>) -> ViewError {
        ViewError::new(self.path.name(), why)
    }
}

/// Finds the key with a single mark, which makes an object special.
fn special(object: &Object) -> Option<&str> {
    object
        .keys()
        .find(|key| key.starts_with(MARK) && !key.get(1..).is_some_and(|rest| rest.starts_with(MARK)))
        .map(String::as_str)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}
