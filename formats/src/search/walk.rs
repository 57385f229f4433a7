//! From a record's map to terms, along the field tables.
//!
//! Nothing here refuses: a log takes records whose fields are wrong, and what has not the form its field asks for is only not found by it.

use std::collections::BTreeSet;

use ciborium::Value;

use super::term::{handle_values, scheme_digest};
use super::text::{self, canonical, join};
use super::{Column, Term};
use crate::record::body::as_digest;
use crate::record::find;
use crate::record::schema::{Field, Group, Shape};
use crate::record::tables::{COMMON, HANDLES, group_of};

/// What is collected from an entry.
#[derive(Debug, Default)]
pub(super) struct Walk {
    pub(super) terms: BTreeSet<Term>,
    /// The least and the greatest time found.
    pub(super) time: Option<(u64, u64)>,
}

/// Which further columns a handle answers under, besides [`Column::HANDLE`].
const OF_HANDLES: [(&str, &[Column]); 14] = [
    ("attested", &[Column::PARTY]),
    ("bundle_digest", &[Column::POLICY]),
    ("cert_s256", &[Column::CREDENTIAL]),
    ("dec", &[Column::DECISION]),
    ("entry_digest", &[Column::ENTRY]),
    ("jkt", &[Column::CREDENTIAL, Column::KEY]),
    ("jti_iss", &[Column::CREDENTIAL]),
    ("jws_input_s256", &[Column::CREDENTIAL]),
    ("key_iss", &[Column::KEY]),
    ("policy_digest", &[Column::POLICY]),
    ("serial_aki", &[Column::CREDENTIAL]),
    ("spki_s256", &[Column::CREDENTIAL, Column::KEY]),
    ("tbs_s256", &[Column::CREDENTIAL]),
    ("tok_s256", &[Column::CREDENTIAL]),
];

/// Which part of a handle's value names the thing by itself, where one does: the serial number, the token's id, the decision's.
const NAMING_PART: [(&str, usize); 5] =
    [("attested", 0), ("dec", 1), ("jti_iss", 0), ("key_iss", 0), ("serial_aki", 0)];

impl Walk {
    /// Collects what a record of `kind` says. `iss`: who signed it.
    pub(super) fn record(&mut self, kind: &str, iss: &str, pairs: &[(Value, Value)]) {
        let group = group_of(kind);
        self.fields(group, group.name, pairs);
        if group.name != COMMON.name {
            self.fields(&COMMON, COMMON.name, pairs);
        }
        self.time_of(find(pairs, "event_ms"));
        self.unknown(&[group, &COMMON], pairs);
        let text = |key| find(pairs, key).and_then(Value::as_text);
        if let Some(id) = text("decision_id") {
            // records.md §2: "`dec` (PDP's iss, decision_id): a decision id alone is not unique"
            self.handle("dec", &Value::Array(vec![text("decision_iss").unwrap_or(iss).into(), id.into()]));
        }
    }

    /// Adds a handle, under every column it answers to.
    pub(super) fn handle(&mut self, name: &str, value: &Value) {
        // A name with a colon could not be told from its value.
        let values = if name.contains(':') { Vec::new() } else { handle_values(value) };
        let columns = OF_HANDLES.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, columns)| columns);
        for value in values.iter().filter(|value| !name.is_empty() && !value.is_empty()) {
            self.add(Column::HANDLE, format!("{name}:{value}"));
            columns.iter().for_each(|column| self.add(*column, value.clone()));
        }
        let naming = NAMING_PART.iter().find(|(known, _)| *known == name).map(|(_, at)| *at);
        let part = naming.and_then(|at| text::parts(value)?.into_iter().nth(at));
        if let Some(part) = part {
            columns.iter().for_each(|column| self.single(*column, &part));
        }
    }

    /// Adds a text in the spelling its column has.
    pub(super) fn single(&mut self, column: Column, text: &str) {
        self.add(column, if column.is_list() { join([text].into_iter()) } else { canonical(text) });
    }

    /// Adds a value that has its one spelling already.
    pub(super) fn add(&mut self, column: Column, value: String) {
        if !value.is_empty() {
            self.terms.insert(Term::found(column, value));
        }
    }

    fn fields(&mut self, group: &'static Group, under: &'static str, pairs: &[(Value, Value)]) {
        for field in group.fields {
            if let Some(value) = find(pairs, field.key) {
                self.field(group, field, under, value);
            }
        }
    }

    fn field(&mut self, group: &'static Group, field: &'static Field, under: &'static str, value: &Value) {
        if Column::is_found_by(field) {
            let columns = Column::of_field(group, field, under);
            self.indexed(&columns, &field.shape, value);
        }
        if HANDLES.fields.iter().any(|handle| handle.key == field.key && is_same(&handle.shape, &field.shape)) {
            self.handle(field.key, value);
        }
        self.structure(&field.shape, field.key, value);
    }

    /// Adds the values of a field that records are to be found by: those in a list or a map each for itself.
    fn indexed(&mut self, columns: &[Column], shape: &'static Shape, value: &Value) {
        match (shape, value) {
            (Shape::Millis, _) => self.time_of(Some(value)),
            (Shape::List(of), Value::Array(items)) => items.iter().for_each(|item| self.indexed(columns, of, item)),
            (Shape::Map(group), Value::Map(pairs)) if group.name == "resource" => self.resource(columns, pairs),
            (Shape::Map(group), Value::Map(pairs)) if group.name == "log-ref" => {
                self.values(columns, find(pairs, "leaf").and_then(text::single));
            }
            (Shape::Map(group) | Shape::OneOf(group), Value::Map(pairs)) => {
                for field in group.fields {
                    if let Some(value) = find(pairs, field.key) {
                        self.indexed(columns, &field.shape, value);
                    }
                }
            }
            (Shape::Each(_), Value::Map(pairs)) => {
                for (name, value) in pairs {
                    let both = text::single(name).zip(text::single(value));
                    self.values(columns, both.map(|(name, value)| canonical(&format!("{name}:{value}"))));
                }
            }
            (Shape::Pair(_), Value::Array(parts)) => {
                if let [Value::Text(name), value] = parts.as_slice() {
                    self.values(columns, handle_values(value).into_iter().map(|value| format!("{name}:{value}")));
                }
            }
            (Shape::Tuple(_), _) => {
                let whole = || text::parts(value).map(|parts| join(parts.iter().map(String::as_str)));
                self.values(columns, scheme_digest(value).unwrap_or_else(|| whole().into_iter().collect()));
            }
            _ => {
                if let Some(text) = text::single(value) {
                    columns.iter().for_each(|column| self.single(*column, &text));
                }
            }
        }
    }

    /// A resource is found by its id, and by type and id.
    fn resource(&mut self, columns: &[Column], pairs: &[(Value, Value)]) {
        let text = |key| find(pairs, key).and_then(Value::as_text);
        let id = text("id");
        let whole = text("type").zip(id).map(|(kind, id)| canonical(&format!("{kind}:{id}")));
        self.values(columns, id.map(canonical).into_iter().chain(whole));
    }

    fn values(&mut self, columns: &[Column], values: impl IntoIterator<Item = String>) {
        for value in values {
            columns.iter().for_each(|column| self.add(*column, value.clone()));
        }
    }

    /// Goes down to handles, links and sealed values, wherever they stand.
    fn structure(&mut self, shape: &'static Shape, key: &'static str, value: &Value) {
        if let Some(reference) = text::reference(value) {
            return reference.into_iter().for_each(|reference| self.add(Column::SEALED, reference));
        }
        match (shape, value) {
            (Shape::Map(group), Value::Map(pairs)) if group.name == HANDLES.name => self.handles(pairs),
            (Shape::Map(group) | Shape::OneOf(group), Value::Map(pairs)) => {
                self.link(group, pairs);
                self.fields(group, key, pairs);
                self.unknown(&[group], pairs);
            }
            (Shape::Pair(_), Value::Array(parts)) => {
                if let [Value::Text(name), value] = parts.as_slice() {
                    self.handle(name, value);
                    self.structure(shape.of_element(1, Some(name)), key, value);
                }
            }
            (Shape::List(of) | Shape::Each(of), _) => {
                children(value).for_each(|child| self.structure(of, key, child));
            }
            _ => children(value).for_each(|child| self.structure(&Shape::Any, key, child)),
        }
    }

    /// Adds every handle of a map of them, the known ones and the others.
    fn handles(&mut self, pairs: &[(Value, Value)]) {
        for (name, value) in pairs {
            if let Some(name) = name.as_text() {
                self.handle(name, value);
                self.structure(HANDLES.shape_of(name), "handles", value);
            }
        }
    }

    /// Adds what a link's target points at.
    fn link(&mut self, group: &Group, pairs: &[(Value, Value)]) {
        let (leaf, is_log_ref) = match group.name {
            "link-target" | "revocation-target" => (find(pairs, "entry"), false),
            "log-ref" => (find(pairs, "leaf"), true),
            _ => return,
        };
        self.values(&[Column::LINKS_TO], leaf.and_then(as_digest).map(|leaf| leaf.to_string()));
        if is_log_ref {
            let part = |key| find(pairs, key).and_then(text::single);
            let place = part("origin").zip(part("index"));
            self.values(&[Column::LOG_REF], place.map(|(origin, index)| join([&*origin, &*index].into_iter())));
        }
    }

    /// Looks through the values of keys that are in no table.
    fn unknown(&mut self, groups: &[&Group], pairs: &[(Value, Value)]) {
        let is_known =
            |key: &Value| groups.iter().any(|group| group.fields.iter().any(|f| Some(f.key) == key.as_text()));
        for (_, value) in pairs.iter().filter(|(key, _)| !is_known(key)) {
            self.structure(&Shape::Any, "", value);
        }
    }

    pub(super) fn time_of(&mut self, value: Option<&Value>) {
        let Some(time) = value.and_then(Value::as_integer).and_then(|number| u64::try_from(number).ok()) else {
            return;
        };
        let (least, greatest) = self.time.unwrap_or((time, time));
        self.time = Some((least.min(time), greatest.max(time)));
    }
}

/// The values inside one.
fn children(value: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match value {
        Value::Array(items) => Box::new(items.iter()),
        Value::Map(pairs) => Box::new(pairs.iter().map(|(_, value)| value)),
        Value::Tag(_, inner) => Box::new(std::iter::once(&**inner)),
        _ => Box::new(std::iter::empty()),
    }
}

/// Says whether a field has the shape of the handle of its name; a tool's `schema_digest` shares the name only.
fn is_same(handle: &Shape, field: &Shape) -> bool {
    match (handle, field) {
        (Shape::Digest, Shape::Digest) => true,
        (Shape::Map(one), Shape::Map(other)) => one.name == other.name,
        (Shape::Tuple(one), Shape::Tuple(other)) => {
            one.iter().map(|(name, _)| *name).eq(other.iter().map(|(name, _)| *name))
        }
        _ => false,
    }
}
