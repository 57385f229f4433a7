//! The walker, and what it lets through to be read.

use ciborium::Value;
use govlog_formats::cbor::{self, CborFault, Item, Rules};

pub(super) fn check(data: &[u8]) -> bool {
    let [well, protected, deterministic] =
        [Rules::WellFormed, Rules::Protected, Rules::Deterministic].map(|rules| cbor::check(data, rules));
    assert!(deterministic.is_err() || protected.is_ok(), "deterministic, and not by the rules of a protected header");
    assert!(protected.is_err() || well.is_ok(), "by the rules of a protected header, and not well-formed");
    if let Ok(item) = &well {
        let _ = item.to_value();
        assert_eq!(cbor::split_sequence(data, 1).unwrap(), [data], "one item is a sequence of one");
    }
    if let Ok(item) = &protected {
        let value = item.to_value().unwrap();
        if has_plain_keys(&value) {
            cbor::check_deterministic(&cbor::to_deterministic(&value)).unwrap();
        }
    }
    if let Ok(item) = &deterministic {
        children_fill_their_parent(item);
        assert_eq!(cbor::to_deterministic(&item.to_value().unwrap()), data, "written as it was read");
    }
    agrees_with_ciborium(data, deterministic.as_ref().map(|_| ()).map_err(|error| &error.why));
    if let Ok(items) = cbor::split_sequence(data, 64) {
        assert_eq!(items.concat(), data);
        assert!(items.iter().all(|item| cbor::check(item, Rules::WellFormed).is_ok()));
    }
    deterministic.is_ok()
}

/// Another implementation reads what ours accepts, and reads the same; what it reads and ours would write so, ours accepts.
fn agrees_with_ciborium(data: &[u8], ours: Result<(), &CborFault>) {
    let mut rest = data;
    let theirs = ciborium::de::from_reader::<Value, _>(&mut rest);
    match (ours, theirs) {
        // It does not read integers beyond 128 bits, the sign included.
        (Ok(()), Err(error)) => {
            assert!(data.windows(2).any(|tag| matches!(tag, [0xc2 | 0xc3, 0x50..=0x5f])), "{error}")
        }
        (Ok(()), Ok(value)) => assert_eq!(cbor::to_deterministic(&value), data, "{value:?}"),
        (Err(fault), Ok(value)) if rest.is_empty() && cbor::to_deterministic(&value) == data => {
            // Only it takes: bignums that are none, keys twice, any depth.
            let known = matches!(fault, CborFault::Bignum | CborFault::DuplicateKey | CborFault::Depth);
            assert!(known, "{fault}: {value:?}");
        }
        (Err(_), _) => {}
    }
}

/// The items in a container stand one after the other, up to its end.
fn children_fill_their_parent(item: &Item<'_>) {
    let pairs = item.as_map().unwrap_or_default();
    let of_map = pairs.iter().flat_map(|entry| [entry.key, entry.value]);
    let children: Vec<Item<'_>> = item
        .as_array()
        .unwrap_or_default()
        .into_iter()
        .chain(of_map)
        .chain(item.as_tag().map(|(_, item)| item))
        .collect();
    let mut at = item.offset() + item.bytes().len();
    for child in children.iter().rev() {
        assert_eq!(child.offset() + child.bytes().len(), at);
        at = child.offset();
        children_fill_their_parent(child);
    }
    assert!(children.is_empty() || at > item.offset());
}

/// Says whether no key of a map holds a map: two such keys can be one when their own keys are put in order.
fn has_plain_keys(value: &Value) -> bool {
    match value {
        Value::Map(pairs) => pairs.iter().all(|(key, value)| !has_map(key) && has_plain_keys(value)),
        Value::Array(items) => items.iter().all(has_plain_keys),
        Value::Tag(_, inner) => has_plain_keys(inner),
        _ => true,
    }
}

fn has_map(value: &Value) -> bool {
    match value {
        Value::Map(_) => true,
        Value::Array(items) => items.iter().any(has_map),
        Value::Tag(_, inner) => has_map(inner),
        _ => false,
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let values = [
        Value::Array(vec![Value::from(0), Value::from(23), Value::from(24), Value::from(u64::MAX), Value::from(-1)]),
        Value::Array(vec![
            Value::Null,
            Value::Bool(true),
            Value::Float(1.5),
            Value::Float(1.1),
            Value::Float(f64::NAN),
        ]),
        Value::Tag(2, Box::new(Value::Bytes(vec![1; 9]))),
        Value::Tag(1, Box::new(Value::Map(vec![(Value::from("a"), Value::Bytes(vec![0; 30]))]))),
        Value::Map(vec![(Value::from(-8), Value::from("text")), (Value::from("key"), Value::Map(Vec::new()))]),
    ];
    let seeds = values.iter().map(cbor::to_deterministic);
    seeds.chain(super::record::payloads().into_iter().map(|(_, payload)| payload)).collect()
}
