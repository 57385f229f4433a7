//! The tables: every field that is marked is asked for by some parameter.

use ciborium::Value;

use super::*;
use crate::cbor::to_deterministic;
use crate::record::schema::{Field, Group, Shape};
use crate::record::tables::{COMMON, TYPED};

/// From a kind's map down to a field: the fields that hold the maps in between, and the one that is marked.
type Way = Vec<&'static Field>;

#[test]
fn every_marked_field_of_every_kind_is_found_by_a_parameter() {
    let mut fields = 0;
    for group in TYPED.into_iter().chain([&COMMON]) {
        for way in ways(group) {
            let names: Vec<&str> = way.iter().map(|field| field.key).collect();
            let without = marks(group.name, &[]);
            let with = marks(group.name, &way);
            let found: Vec<&Term> = with.terms().difference(without.terms()).filter(|term| !is_own(term)).collect();
            let is_time = (with.earliest_ms(), with.latest_ms()) != (without.earliest_ms(), without.latest_ms());
            assert!(!found.is_empty() || is_time, "{}: {}", group.name, names.join("."));
            for term in found {
                let filter = Filter::from_pairs([(term.column().name(), term.value())]).unwrap();
                assert!(filter.matches_marks(&with) && !filter.matches_marks(&without), "{term}");
            }
            fields += 1;
        }
    }
    assert!(fields > 80, "{fields}");
}

/// Each column is one that some entry can be found by.
#[test]
fn every_parameter_finds_something() {
    let of_fields =
        TYPED.into_iter().chain([&COMMON]).flat_map(|group| ways(group).into_iter().map(|way| (group.name, way)));
    let mut columns: Vec<Column> = of_fields
        .flat_map(|(kind, way)| marks(kind, &way).terms().iter().map(Term::column).collect::<Vec<_>>())
        .collect();
    let examples = KINDS.map(|kind| Marks::of(&of_example(kind)));
    columns.extend(examples.iter().flat_map(|marks| marks.terms().iter().map(Term::column)));
    columns.sort_unstable();
    columns.dedup();
    assert_eq!(columns, Column::all());
}

/// Whatever has the form of a handle is found as one, marked or not.
#[test]
fn handles_are_found_wherever_they_stand() {
    let bound = json!({"v": 1, "event_ms": 1, "delegator": {"id": "a:b"}, "delegate": {"id": "c:d"}, "bound_key": {"jkt": HEX, "x_new": "n-1"}});
    let statement = of_view("delegation", &bound);
    assert!(finds("handle", &format!("jkt:{HEX}"), &statement) && finds("handle", "x_new:n-1", &statement));
    let governed = json!({
        "v": 1, "event_ms": 1, "stage": "issued", "credential_type": "x509", "subject": "a:b",
        "governance": {"policy_digest": ["opa-files", HEX]},
    });
    let statement = of_view("issuance", &governed);
    for (parameter, value) in [
        ("policy", HEX.to_owned()),
        ("policy", format!("opa-files:{HEX}")),
        ("handle", format!("policy_digest:opa-files:{}", HEX.to_uppercase())),
    ] {
        assert!(finds(parameter, &value, &statement), "{value}");
    }
    assert!(!finds("policy", &format!("cedar:{HEX}"), &statement));
}

/// All ways from a kind's map to fields that records are to be found by.
fn ways(group: &'static Group) -> Vec<Way> {
    let mut found = Vec::new();
    for field in group.fields {
        if Column::is_found_by(field) {
            found.push(vec![field]);
        } else if let Shape::Map(inner) | Shape::OneOf(inner) = innermost(&field.shape) {
            found.extend(ways(inner).into_iter().map(|way| [vec![field], way].concat()));
        }
    }
    found
}

fn innermost(shape: &'static Shape) -> &'static Shape {
    match shape {
        Shape::List(of) => innermost(of),
        other => other,
    }
}

/// The marks of a record that has the field at the end of a way, and nothing else of its own.
fn marks(kind: &str, way: &[&'static Field]) -> Marks {
    let mut pairs = vec![(Value::from("v"), Value::from(1)), ("event_ms".into(), Value::from(2_000))];
    if let Some((first, rest)) = way.split_first() {
        pairs.push((first.key.into(), within(&first.shape, rest)));
    }
    Marks::of(&signed(kind, &to_deterministic(&Value::Map(pairs))))
}

fn within(shape: &'static Shape, way: &[&'static Field]) -> Value {
    match (shape, way.split_first()) {
        (_, None) => sample(shape),
        (Shape::List(of), Some(_)) => Value::Array(vec![within(of, way)]),
        (_, Some((field, rest))) => Value::Map(vec![(field.key.into(), within(&field.shape, rest))]),
    }
}

/// A value of a shape.
fn sample(shape: &'static Shape) -> Value {
    match shape {
        Shape::Bool => Value::Bool(true),
        Shape::Version | Shape::Uint | Shape::Int | Shape::Millis => Value::from(7),
        Shape::Bytes | Shape::Digest | Shape::DigestBytes => Value::Bytes(vec![7; 32]),
        Shape::List(of) => Value::Array(vec![sample(of)]),
        Shape::Tuple(parts) => Value::Array(parts.iter().map(|(_, shape)| sample(shape)).collect()),
        Shape::Map(group) => {
            Value::Map(group.fields.iter().map(|field| (field.key.into(), sample(&field.shape))).collect())
        }
        Shape::OneOf(group) => {
            Value::Map(group.fields.iter().take(1).map(|field| (field.key.into(), sample(&field.shape))).collect())
        }
        Shape::Each(of) => Value::Map(vec![("name".into(), sample(of))]),
        Shape::Pair(_) => Value::Array(vec!["cert_s256".into(), Value::Bytes(vec![7; 32])]),
        Shape::Any | Shape::Text | Shape::Name | Shape::TextOrBytes | Shape::Closed(_) | Shape::Open(_) => "x:y".into(),
    }
}

/// What differs between any two statements.
fn is_own(term: &Term) -> bool {
    [Column::LEAF, Column::SIG_STRUCTURE, Column::PAYLOAD].contains(&term.column())
}
