//! Records for property tests: of any content, and of a kind's own shape.

use ciborium::Value;
use proptest::prelude::*;
use proptest::strategy::Union;

use super::schema::{Field, Group, Shape};
use super::sealed::TAG;
use super::tables::{COMMON, TYPED};
use crate::cbor;

/// Any value a record may hold, a few levels deep.
pub(crate) fn any_value() -> BoxedStrategy<Value> {
    simple()
        .prop_recursive(4, 48, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                prop::collection::vec((key().prop_map(Value::Text), inner.clone()), 0..5).prop_map(map),
                prop::collection::vec((simple(), inner.clone()), 0..4).prop_map(map),
                (tag(), inner).prop_map(|(tag, inner)| Value::Tag(tag, Box::new(inner))),
                sealed(),
            ]
        })
        .boxed()
}

/// Any record: known keys with values right and wrong, and unknown keys.
pub(crate) fn any_record() -> BoxedStrategy<Value> {
    prop::collection::vec((key(), any_value()), 0..8)
        .prop_map(|pairs| map(pairs.into_iter().map(|(key, value)| (Value::Text(key), value)).collect()))
        .boxed()
}

/// A record that has what its kind requires, any of its other fields, and unknown ones.
fn valid_record(group: &'static Group) -> BoxedStrategy<Value> {
    let common = if group.name == COMMON.name { Just(Vec::new()).boxed() } else { fields(COMMON.fields) };
    (fields(group.fields), common, unknown())
        .prop_map(|(own, common, unknown)| map(own.into_iter().chain(common).chain(unknown).collect()))
        .boxed()
}

/// A valid record of any kind with a table, with the kind's name.
pub(crate) fn typed_record() -> BoxedStrategy<(&'static str, Value)> {
    Union::new(TYPED.map(|group| valid_record(group).prop_map(|record| (group.name, record)))).boxed()
}

/// Drops keys that stand twice; the first stays.
pub(crate) fn map(pairs: Vec<(Value, Value)>) -> Value {
    let mut kept: Vec<(Value, Value)> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (key, value) in pairs {
        if seen.insert(cbor::to_deterministic(&key)) {
            kept.push((key, value));
        }
    }
    Value::Map(kept)
}

fn simple() -> BoxedStrategy<Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        integer_below_64_bits(),
        float(),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        prop::array::uniform32(any::<u8>()).prop_map(|bytes| Value::Bytes(bytes.to_vec())),
        text().prop_map(Value::Text),
        bignum(),
    ]
    .boxed()
}

fn integer_below_64_bits() -> BoxedStrategy<Value> {
    (0..=u64::MAX / 2)
        .prop_map(|below| i128::from(i64::MIN) - 1 - i128::from(below))
        .prop_map(|number| Value::Integer(number.try_into().unwrap()))
        .boxed()
}

fn float() -> BoxedStrategy<Value> {
    let special =
        [0.0, -0.0, 1.0, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE, 5e-324, 65504.0, 1e300];
    prop_oneof![
        prop::sample::select(special.to_vec()),
        any::<f64>(),
        any::<f32>().prop_map(f64::from),
        any::<i32>().prop_map(f64::from)
    ]
    .prop_map(|number| Value::Float(if number.is_nan() { f64::NAN } else { number }))
    .boxed()
}

/// An integer beyond 64 bits.
fn bignum() -> BoxedStrategy<Value> {
    (2..=3_u64, 1..=255_u8, prop::collection::vec(any::<u8>(), 8..24))
        .prop_map(|(tag, first, mut bytes)| {
            bytes.insert(0, first);
            Value::Tag(tag, Box::new(Value::Bytes(bytes)))
        })
        .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof![
        ".{0,12}",
        r"\$[a-z$]{0,6}",
        "[0-9a-f]{64}",
        "[0-9a-f]{0,6}",
        "permit|deny|performed|issued|open|x509|cert_s256|tbs_s256"
    ]
    .boxed()
}

/// Keys that mean something somewhere, and others.
fn key() -> BoxedStrategy<String> {
    let known = [
        "v",
        "event_ms",
        "links",
        "handles",
        "rel",
        "target",
        "entry",
        "handle",
        "log_ref",
        "leaf",
        "index",
        "origin",
        "cert_s256",
        "serial_aki",
        "policy_digest",
        "policies",
        "pop",
        "jkt",
        "digests",
        "governance",
        "counters",
        "dropped",
        "digest",
        "op_digest",
        "subject",
        "credential",
        "agent",
        "$bytes",
        "$sealed",
        "$tag",
        "$$",
        "$",
        "value",
        "ref",
        "d",
    ];
    prop_oneof![3 => prop::sample::select(known.to_vec()).prop_map(str::to_owned), 1 => text()].boxed()
}

/// Tags with no rule of their own.
fn tag() -> BoxedStrategy<u64> {
    prop_oneof![0..2_u64, 4..100_u64, any::<u64>().prop_filter("not a bignum", |tag| !matches!(tag, 2 | 3)), Just(TAG)]
        .boxed()
}

fn sealed() -> BoxedStrategy<Value> {
    (prop::array::uniform32(any::<u8>()), prop::option::of(prop::collection::vec(any::<u8>(), 0..40)))
        .prop_map(|(digest, reference)| {
            let mut pairs = vec![(Value::from("d"), Value::Bytes(digest.to_vec()))];
            pairs.extend(reference.map(|reference| (Value::from("ref"), Value::Bytes(reference))));
            Value::Tag(TAG, Box::new(Value::Map(pairs)))
        })
        .boxed()
}

fn unknown() -> BoxedStrategy<Vec<(Value, Value)>> {
    prop::collection::vec(("x_[a-z]{1,6}".prop_map(Value::Text), well_sealed()), 0..3).boxed()
}

/// Any value in which the tag of sealed values is on sealed values alone.
fn well_sealed() -> BoxedStrategy<Value> {
    prop_oneof![simple(), sealed(), prop::collection::vec(prop_oneof![simple(), sealed()], 0..3).prop_map(Value::Array)]
        .boxed()
}

fn fields(fields: &'static [Field]) -> BoxedStrategy<Vec<(Value, Value)>> {
    let each: Vec<BoxedStrategy<Option<(Value, Value)>>> = fields
        .iter()
        .map(|field| {
            let pair = sealable(&field.shape).prop_map(|value| (Value::from(field.key), value));
            if field.required { pair.prop_map(Some).boxed() } else { prop::option::weighted(0.3, pair).boxed() }
        })
        .collect();
    each.prop_map(|pairs| pairs.into_iter().flatten().collect()).boxed()
}

fn sealable(shape: &'static Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::Version => of(shape),
        _ => prop_oneof![9 => of(shape), 1 => sealed()].boxed(),
    }
}

/// Values a shape allows.
fn of(shape: &'static Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::Any => well_sealed(),
        Shape::Version => Just(Value::from(1)).boxed(),
        Shape::Text => text().prop_map(Value::Text).boxed(),
        Shape::Name | Shape::Open(_) => ".{1,12}".prop_map(Value::Text).boxed(),
        Shape::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Shape::Uint | Shape::Millis => any::<u64>().prop_map(Value::from).boxed(),
        Shape::Int => any::<i64>().prop_map(Value::from).boxed(),
        Shape::Bytes => prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes).boxed(),
        Shape::DigestBytes => prop::collection::vec(any::<u8>(), 1..40).prop_map(Value::Bytes).boxed(),
        Shape::TextOrBytes => prop_oneof![of(&Shape::Text), of(&Shape::Bytes)].boxed(),
        Shape::Digest => prop::array::uniform32(any::<u8>()).prop_map(|bytes| Value::Bytes(bytes.to_vec())).boxed(),
        Shape::Closed(names) => prop::sample::select(names.to_vec()).prop_map(Value::from).boxed(),
        Shape::List(shape) => prop::collection::vec(sealable(shape), 0..3).prop_map(Value::Array).boxed(),
        Shape::Tuple(parts) => {
            parts.iter().map(|(_, shape)| sealable(shape)).collect::<Vec<_>>().prop_map(Value::Array).boxed()
        }
        Shape::Map(group) => (fields(group.fields), unknown())
            .prop_map(|(known, unknown)| map(known.into_iter().chain(unknown).collect()))
            .boxed(),
        Shape::OneOf(group) => prop::sample::select(group.fields.iter().collect::<Vec<_>>())
            .prop_flat_map(|field| sealable(&field.shape).prop_map(|value| Value::Map(vec![(field.key.into(), value)])))
            .boxed(),
        Shape::Each(shape) => {
            prop::collection::vec(("[a-z]{1,4}".prop_map(Value::Text), sealable(shape)), 0..3).prop_map(map).boxed()
        }
        Shape::Pair(group) => prop::sample::select(group.fields.iter().collect::<Vec<_>>())
            .prop_flat_map(|field| sealable(&field.shape).prop_map(|value| Value::Array(vec![field.key.into(), value])))
            .boxed(),
    }
}
