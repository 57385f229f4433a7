//! Checks a map against what is known of its kind, and says all that is wrong with it.

use std::fmt;

use ciborium::Value;

use super::schema::{Field, Group, Shape, is_sealed};
use super::sealed::{self, Sealed, SealedError};
use super::tables::COMMON;

/// How many wrong fields one refusal names.
const MAX_ERRORS: usize = 16;

/// A field that is missing or has the wrong form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Where, as `subject.id` or `links[0].target`.
    pub path: String,
    /// What is wrong there.
    pub problem: FieldProblem,
    /// What would be right, in words.
    pub expected: String,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldProblem {
    /// A required field is not there.
    Missing,
    /// There is something else, described.
    Found(String),
    /// A sealed value's tag encloses something else.
    Seal(SealedError),
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problem {
            FieldProblem::Missing => write!(f, "{}: missing, should be {}", self.path, self.expected),
            FieldProblem::Found(found) => write!(f, "{}: {found}, should be {}", self.path, self.expected),
            FieldProblem::Seal(error) => write!(f, "{}: {error}", self.path),
        }
    }
}

/// Checks a record's map against its kind's fields and the common ones.
pub(crate) fn check(group: &'static Group, pairs: &[(Value, Value)]) -> Vec<FieldError> {
    let mut checker = Checker { path: Path::default(), errors: Vec::new() };
    checker.fields(group.fields, pairs);
    if group.name != COMMON.name {
        checker.fields(COMMON.fields, pairs);
    }
    for (key, value) in pairs {
        let known = |group: &Group| group.fields.iter().any(|field| Some(field.key) == key.as_text());
        if !known(group) && !known(&COMMON) {
            checker.within(key, |checker| checker.seals(value));
        }
    }
    checker.errors
}

/// A place inside a record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    /// Goes to the value under `key`; gives what [`Self::leave`] needs.
    pub(crate) fn enter_key(&mut self, key: &str) -> usize {
        let back = self.0.len();
        if back > 0 {
            self.0.push('.');
        }
        self.0.push_str(key);
        back
    }

    /// Goes to a list's element.
    pub(crate) fn enter_element(&mut self, position: usize) -> usize {
        let back = self.0.len();
        self.0.push_str(&format!("[{position}]"));
        back
    }

    /// Goes back to where an `enter` came from.
    pub(crate) fn leave(&mut self, back: usize) {
        self.0.truncate(back);
    }

    /// Names the place; the top is `record`.
    pub(crate) fn name(&self) -> String {
        if self.0.is_empty() { "record".to_owned() } else { self.0.clone() }
    }
}

struct Checker {
    path: Path,
    errors: Vec<FieldError>,
}

impl Checker {
    /// Checks the known fields of a map; unknown keys are kept unjudged.
    fn fields(&mut self, fields: &'static [Field], pairs: &[(Value, Value)]) {
        for field in fields {
            let back = self.path.enter_key(field.key);
            match find(pairs, field.key) {
                Some(value) => self.value(&field.shape, value),
                None if field.required => self.refuse(FieldProblem::Missing, &field.shape),
                None => {}
            }
            self.path.leave(back);
        }
    }

    fn value(&mut self, shape: &'static Shape, value: &Value) {
        if matches!(value, Value::Tag(sealed::TAG, _)) && !matches!(shape, Shape::Version) {
            return self.seals(value);
        }
        match (shape, value) {
            (Shape::Any, _) => self.seals(value),
            (Shape::Map(group), Value::Map(pairs)) => self.map(group, pairs),
            (Shape::OneOf(group), Value::Map(pairs)) if has_one_of(group, pairs) => self.map(group, pairs),
            (Shape::List(_), Value::Array(items)) => self.elements(shape, items),
            (Shape::Tuple(shapes), Value::Array(items)) if items.len() == shapes.len() => self.elements(shape, items),
            (Shape::Pair(_), Value::Array(items)) if matches!(items.as_slice(), [Value::Text(_), _]) => {
                self.elements(shape, items)
            }
            (Shape::Each(each), Value::Map(pairs)) => {
                self.text_keys(pairs);
                for (key, value) in pairs {
                    self.within(key, |checker| checker.value(each, value));
                }
            }
            _ if is_simple(shape, value) => {}
            _ => self.refuse(FieldProblem::Found(describe(value)), shape),
        }
    }

    fn map(&mut self, group: &'static Group, pairs: &[(Value, Value)]) {
        self.text_keys(pairs);
        self.fields(group.fields, pairs);
        for (key, value) in pairs {
            if !group.fields.iter().any(|field| Some(field.key) == key.as_text()) {
                self.within(key, |checker| checker.seals(value));
            }
        }
    }

    /// Checks that a known map has text keys alone, as the record itself.
    fn text_keys(&mut self, pairs: &[(Value, Value)]) {
        if let Some((key, _)) = pairs.iter().find(|(key, _)| !key.is_text()) {
            self.error(
                FieldProblem::Found(format!("a key that is {}", describe(key))),
                "a map with text keys".to_owned(),
            );
        }
    }

    fn elements(&mut self, shape: &'static Shape, items: &[Value]) {
        let first = items.first().and_then(Value::as_text);
        for (position, item) in items.iter().enumerate() {
            let back = self.path.enter_element(position);
            self.value(shape.of_element(position, first), item);
            self.path.leave(back);
        }
    }

    /// Checks that what bears a sealed value's tag is one, at any depth.
    fn seals(&mut self, value: &Value) {
        match value {
            Value::Tag(sealed::TAG, _) => {
                if let Err(error) = Sealed::from_value(value) {
                    self.refuse(FieldProblem::Seal(error), &Shape::Any);
                }
            }
            Value::Tag(_, inner) => self.seals(inner),
            Value::Array(items) => self.elements(&Shape::Any, items),
            Value::Map(pairs) => {
                for (key, value) in pairs {
                    self.within(key, |checker| checker.seals(value));
                }
            }
            _ => {}
        }
    }

    fn within(&mut self, key: &Value, step: impl FnOnce(&mut Self)) {
        let back = match key.as_text() {
            Some(text) => self.path.enter_key(text),
            None => self.path.enter_key(&describe(key)),
        };
        step(self);
        self.path.leave(back);
    }

    fn refuse(&mut self, problem: FieldProblem, shape: &Shape) {
        self.error(problem, expected(shape));
    }

    fn error(&mut self, problem: FieldProblem, expected: String) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(FieldError { path: self.path.name(), problem, expected });
        }
    }
}

/// Finds the value of a text key.
pub(crate) fn find<'a>(pairs: &'a [(Value, Value)], key: &str) -> Option<&'a Value> {
    pairs.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| value)
}

fn has_one_of(group: &Group, pairs: &[(Value, Value)]) -> bool {
    matches!(pairs, [(key, _)] if group.fields.iter().any(|field| Some(field.key) == key.as_text()))
}

/// Judges the shapes that hold no others.
fn is_simple(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Version, Value::Integer(number)) => *number == 1.into(),
        (Shape::Text | Shape::TextOrBytes, Value::Text(_)) | (Shape::Bytes | Shape::TextOrBytes, Value::Bytes(_)) => {
            true
        }
        (Shape::Bool, Value::Bool(_)) | (Shape::Int, Value::Integer(_)) => true,
        (Shape::Name | Shape::Open(_), Value::Text(text)) => !text.is_empty(),
        (Shape::Closed(names), Value::Text(text)) => names.contains(&text.as_str()),
        (Shape::Uint | Shape::Millis, Value::Integer(number)) => u64::try_from(*number).is_ok(),
        (Shape::Digest, Value::Bytes(bytes)) => bytes.len() == 32,
        (Shape::DigestBytes, Value::Bytes(bytes)) => !bytes.is_empty(),
        _ => false,
    }
}

/// Says in words what is there.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Integer(number) => format!("integer {}", i128::from(*number)),
        Value::Bytes(bytes) => format!("byte string of {}", bytes.len()),
        Value::Float(number) => format!("float {number}"),
        Value::Text(text) if text.chars().count() <= 64 => format!("text {text:?}"),
        Value::Text(text) => format!("text of {} bytes", text.len()),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::Tag(..) if is_sealed(value) => "a sealed value".to_owned(),
        Value::Tag(tag, _) => format!("tag {tag}"),
        Value::Array(items) => format!("list of {}", items.len()),
        Value::Map(pairs) => format!("map of {}", pairs.len()),
        _ => "something else".to_owned(),
    }
}

/// Says in words what a shape wants.
pub(crate) fn expected(shape: &Shape) -> String {
    match shape {
        Shape::Any => "any value".to_owned(),
        Shape::Version => "the integer 1".to_owned(),
        Shape::Text => "text".to_owned(),
        Shape::Name | Shape::Open(_) => "text that is not empty".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::Uint => "an integer of 0 or more".to_owned(),
        Shape::Int => "an integer".to_owned(),
        Shape::Millis => "a time in POSIX milliseconds, an integer of 0 or more".to_owned(),
        Shape::Bytes => "a byte string".to_owned(),
        Shape::TextOrBytes => "text or a byte string".to_owned(),
        Shape::Digest => "a digest of 32 bytes".to_owned(),
        Shape::DigestBytes => "the bytes of a digest".to_owned(),
        Shape::Closed(names) => format!("one of {}", names.join(", ")),
        Shape::List(of) => format!("a list, each element {}", expected(of)),
        Shape::Tuple(parts) => format!("a list [{}]", names_of(parts.iter().map(|(name, _)| *name))),
        Shape::Map(group) => expected_map(group),
        Shape::OneOf(group) => {
            format!("a map with exactly one of the keys {}", names_of(group.fields.iter().map(|field| field.key)))
        }
        Shape::Each(of) => format!("a map, each value {}", expected(of)),
        Shape::Pair(group) => format!("a list [name, value], a name of {}", group.name),
    }
}

fn expected_map(group: &Group) -> String {
    let required = names_of(group.fields.iter().filter(|field| field.required).map(|field| field.key));
    if required.is_empty() { "a map".to_owned() } else { format!("a map with {required}") }
}

fn names_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}
