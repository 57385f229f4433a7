//! A record with its sealed values opened: each opening is checked against the commitment that stands in its place.

use std::collections::HashMap;

use ciborium::Value;
use govlog_formats::cbor::{self, CborError};
use govlog_formats::record::sealed::{Opening, Sealed, SealedError};

use super::FieldOpening;

/// A record as far as it could be opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The payload with every value in place that was opened; the others are sealed as before.
    pub payload: Vec<u8>,
    /// Its sealed values, in the order they stand.
    pub fields: Vec<Field>,
    /// Paths of openings that nothing in the record is sealed for.
    pub stray: Vec<String>,
}

/// A sealed value of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Where, as `subject.properties` or `links[0].target`.
    pub path: String,
    /// The same as a JSON pointer into the record's view, as `redaction` records name it.
    pub pointer: String,
    /// The commitment.
    pub sealed: Sealed,
    /// What became of it.
    pub state: State,
}

/// What became of a sealed value.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It was opened, and the opening is the commitment's.
    Opened(Value),
    /// There is no opening for it.
    Closed,
    /// There is an opening, and it is another value's or has another salt.
    Mismatch(SealedError),
}

impl Field {
    /// Says whether this is the field that a person or a `redaction` names, by path or by JSON pointer.
    #[must_use]
    pub fn is_named(&self, name: &str) -> bool {
        self.path == name || self.pointer == name
    }
}

/// Opens the sealed values of a record.
///
/// # Errors
///
/// The payload is not deterministic CBOR.
pub fn open(payload: &[u8], openings: &[FieldOpening]) -> Result<Opened, CborError> {
    let mut record = cbor::parse(payload)?;
    let by_path = openings.iter().map(|field| (field.path.as_str(), &field.opening)).collect();
    let mut opener = Opener { openings: by_path, fields: Vec::new() };
    opener.walk(&mut record, &Place::default());
    let stray = opener.openings.keys().map(|path| (*path).to_owned()).collect();
    Ok(Opened { payload: cbor::to_deterministic(&record), fields: opener.fields, stray })
}

/// Says whether a record holds something where a name leads, by path or by JSON pointer.
#[must_use]
pub fn is_recorded(payload: &[u8], name: &str) -> bool {
    fn find(value: &Value, place: &Place, name: &str) -> bool {
        place.is_named(name)
            || match value {
                Value::Map(pairs) => pairs.iter().any(|(key, value)| find(value, &place.key(key), name)),
                Value::Array(items) => items.iter().enumerate().any(|(at, item)| find(item, &place.item(at), name)),
                _ => false,
            }
    }
    cbor::parse(payload).is_ok_and(|record| find(&record, &Place::default(), name))
}

struct Opener<'o> {
    openings: HashMap<&'o str, &'o Opening>,
    fields: Vec<Field>,
}

impl Opener<'_> {
    fn walk(&mut self, value: &mut Value, place: &Place) {
        if let Ok(sealed) = Sealed::from_value(value) {
            return self.open(value, place, sealed);
        }
        match value {
            Value::Map(pairs) => {
                for (key, value) in pairs {
                    self.walk(value, &place.key(key));
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.walk(item, &place.item(at));
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, value: &mut Value, place: &Place, sealed: Sealed) {
        // Each opening is used once; the depth bounds what a value that holds sealed values can hold in turn.
        let opening = self.openings.remove(place.path.as_str()).filter(|_| place.depth <= MAX_DEPTH);
        let state = match opening {
            None => State::Closed,
            Some(opening) => match sealed.open(opening) {
                Ok(()) => State::Opened(opening.value.clone()),
                Err(error) => State::Mismatch(error),
            },
        };
        let (path, pointer) = (place.path.clone(), place.pointer.clone());
        let opened = if let State::Opened(opened) = &state { Some(opened.clone()) } else { None };
        self.fields.push(Field { path, pointer, sealed, state });
        if let Some(opened) = opened {
            *value = opened;
            self.walk(value, place);
        }
    }
}

/// A place in a record, by both of its names.
#[derive(Clone, Default)]
struct Place {
    path: String,
    pointer: String,
    depth: usize,
}

impl Place {
    fn key(&self, key: &Value) -> Self {
        let key = key.as_text().unwrap_or_default();
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        // records.md §1: "a text key that begins with `$` gets a second `$`"; RFC 6901 §3 for `~` and `/`.
        let mark = if key.starts_with('$') { "$" } else { "" };
        let pointer = format!("{}/{mark}{}", self.pointer, key.replace('~', "~0").replace('/', "~1"));
        Self { path, pointer, depth: self.depth + 1 }
    }

    fn item(&self, at: usize) -> Self {
        Self { path: format!("{}[{at}]", self.path), pointer: format!("{}/{at}", self.pointer), depth: self.depth + 1 }
    }

    fn is_named(&self, name: &str) -> bool {
        self.depth > 0 && (self.path == name || self.pointer == name)
    }
}

/// How deep values are opened inside of values that were opened.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(path: &str, salt: u8, value: Value) -> FieldOpening {
        FieldOpening { path: path.into(), opening: Opening { salt: [salt; 32], value } }
    }

    fn map(pairs: Vec<(&str, Value)>) -> Value {
        Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    fn sealed(opening: &FieldOpening) -> Value {
        opening.opening.seal().to_value()
    }

    /// A record with a sealed value in a sealed value, one in a list, and one nothing opens.
    fn record() -> (Vec<u8>, Vec<FieldOpening>) {
        let inner = opening("context.who", 1, "me".into());
        let outer = opening("context", 2, map(vec![("who", sealed(&inner)), ("n", 1.into())]));
        let listed = opening("links[1]", 3, Value::Null);
        let closed = opening("$a/b", 4, 5.into());
        let record = map(vec![
            ("v", 1.into()),
            ("context", sealed(&outer)),
            ("links", Value::Array(vec![0.into(), sealed(&listed)])),
            ("$a/b", sealed(&closed)),
        ]);
        (cbor::to_deterministic(&record), vec![outer, inner, listed])
    }

    #[test]
    fn every_sealed_value_is_found_by_both_its_names() {
        let (payload, openings) = record();
        let opened = open(&payload, &openings).unwrap();
        let found: Vec<_> = opened
            .fields
            .iter()
            .map(|field| (field.path.as_str(), field.pointer.as_str(), matches!(field.state, State::Opened(_))))
            .collect();
        assert_eq!(
            found,
            [
                ("$a/b", "/$$a~1b", false),
                ("links[1]", "/links/1", true),
                ("context", "/context", true),
                ("context.who", "/context/who", true),
            ]
        );
        let read = cbor::parse(&opened.payload).unwrap();
        let context = read.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some("context")).unwrap();
        assert_eq!(context.1, map(vec![("n", 1.into()), ("who", "me".into())]));
        assert!(opened.stray.is_empty());
    }

    #[test]
    fn an_opening_of_something_else_opens_nothing() {
        let (payload, mut openings) = record();
        openings[0].opening.salt[0] ^= 1;
        openings.push(opening("v", 9, 1.into()));
        let opened = open(&payload, &openings).unwrap();
        let context = opened.fields.iter().find(|field| field.is_named("/context")).unwrap();
        assert!(matches!(context.state, State::Mismatch(SealedError::Mismatch { .. })));
        let mut stray = opened.stray.clone();
        stray.sort();
        assert_eq!(stray, ["context.who", "v"], "what is in a value that does not open is not looked for");
        let untouched = cbor::parse(&payload).unwrap();
        let before = untouched.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some("context")).unwrap();
        let after = cbor::parse(&opened.payload).unwrap();
        assert!(after.as_map().unwrap().contains(before), "the commitment stays in its place");
    }

    #[test]
    fn what_is_not_recorded_is_told_apart() {
        let (payload, openings) = record();
        let opened = open(&payload, &openings).unwrap();
        for name in ["v", "/v", "context.n", "/context/n", "/context/who"] {
            assert!(is_recorded(&opened.payload, name), "{name}");
        }
        assert!(!is_recorded(&payload, "context.n"), "it is sealed");
        assert!(!is_recorded(&payload, "output") && !is_recorded(&payload, ""));
    }
}
