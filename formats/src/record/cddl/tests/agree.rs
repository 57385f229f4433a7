//! The files, the tables and the view judge alike.
//!
//! The files are read by [`super::grammar`] as text, so that what is tested is what they say to others. The published validator that could
//! be a dependency brings a command line and a browser's bindings with it, and its matching of maps is still being mended.
//!
//! Beyond what CDDL can say lies one rule: at every depth, in places of any value too, the tag of sealed values is on sealed values alone.
//! Records that break it are left out here; `tests/fields.rs` has them refused.

use ciborium::Value;
use proptest::prelude::*;

use super::super::cddl;
use super::grammar::{self, Rules};
use crate::cbor;
use crate::record::arbitrary::{any_value, typed_record};
use crate::record::sealed::{Sealed, TAG};
use crate::record::tables::{ADMISSION_POLICY, TYPED};
use crate::record::{KINDS, Record, view};

/// The rules of a kind, from its file and the common one.
fn rules(kind: &str) -> Rules {
    let common = if kind == ADMISSION_POLICY { String::new() } else { cddl("common").unwrap() };
    grammar::rules(&format!("{}{common}", cddl(kind).unwrap()))
}

fn example(kind: &str) -> Value {
    let view = view::parse_text(crate::record::example(kind).unwrap()).unwrap();
    cbor::parse(&view::from_json(kind, &view).unwrap()).unwrap()
}

/// Says what all three make of a record, which must be the same.
#[track_caller]
fn judged(kind: &str, rules: &Rules, record: &Value) -> bool {
    let payload = cbor::to_deterministic(record);
    let parsed = Record::parse(kind, &payload);
    assert_eq!(rules.fit(kind, record), parsed.is_ok(), "{kind}: {record:?}: {parsed:?}");
    let viewed = view::to_json(kind, &payload).unwrap();
    assert_eq!(view::from_json(kind, &viewed).unwrap(), payload, "{kind}: {viewed}");
    parsed.is_ok()
}

fn seals_are_whole(value: &Value) -> bool {
    match value {
        Value::Tag(TAG, _) => Sealed::from_value(value).is_ok(),
        Value::Tag(_, inner) => seals_are_whole(inner),
        Value::Array(items) => items.iter().all(seals_are_whole),
        Value::Map(pairs) => pairs.iter().all(|(key, value)| seals_are_whole(key) && seals_are_whole(value)),
        _ => true,
    }
}

/// How a record is changed in one place.
#[derive(Clone, Debug)]
enum Change {
    Replace(Value),
    Remove,
    /// Another key in the place of this one; in a list, one more element.
    Rename(Value),
}

fn any_change() -> BoxedStrategy<Change> {
    let key = prop_oneof![any::<i64>().prop_map(Value::from), "[a-z_]{0,8}".prop_map(Value::from)];
    prop_oneof![4 => any_value().prop_map(Change::Replace), 2 => Just(Change::Remove), 1 => key.prop_map(Change::Rename)].boxed()
}

/// Changes the value that is met as number `place` on a walk through everything; gives how many were met.
fn change(value: &mut Value, place: &mut usize, how: &Change) {
    match value {
        Value::Array(items) => {
            for at in 0..items.len() {
                if take(place) {
                    return match how {
                        Change::Replace(other) => items[at] = other.clone(),
                        Change::Remove => drop(items.remove(at)),
                        Change::Rename(other) => items.insert(at, other.clone()),
                    };
                }
                change(&mut items[at], place, how);
            }
        }
        Value::Map(pairs) => {
            for at in 0..pairs.len() {
                if take(place) {
                    match how {
                        Change::Replace(other) => pairs[at].1 = other.clone(),
                        Change::Remove => drop(pairs.remove(at)),
                        Change::Rename(other) => pairs[at].0 = other.clone(),
                    }
                    let changed = crate::record::arbitrary::map(std::mem::take(pairs));
                    *value = changed;
                    return;
                }
                change(&mut pairs[at].1, place, how);
            }
        }
        Value::Tag(_, inner) => change(inner, place, how),
        _ => {}
    }
}

/// Counts down, and says once that the place is reached.
fn take(place: &mut usize) -> bool {
    let reached = *place == 1;
    *place = place.saturating_sub(1);
    reached
}

/// Says whether a record can be one at all: a map with text keys, canonical, sealed values whole.
fn is_judged(record: &Value) -> bool {
    let keys = record.as_map().is_some_and(|pairs| pairs.iter().all(|(key, _)| key.is_text()));
    keys && seals_are_whole(record) && cbor::check_deterministic(&cbor::to_deterministic(record)).is_ok()
}

#[test]
fn every_example_is_what_its_file_says_and_nothing_of_it_can_be_anything() {
    for kind in KINDS {
        let (rules, example) = (rules(kind), example(kind));
        assert!(judged(kind, &rules, &example), "{kind}");
        let mut refused = 0;
        let mut place = 1;
        loop {
            let mut left = place;
            let mut changed = example.clone();
            change(&mut changed, &mut left, &Change::Replace(Value::Null));
            if left > 0 {
                break;
            }
            place += 1;
            if !seals_are_whole(&changed) {
                continue;
            }
            if kind == ADMISSION_POLICY {
                // Change refuses more than the file can say, and nothing less.
                assert!(rules.fit(kind, &changed) || Record::parse(kind, &cbor::to_deterministic(&changed)).is_err());
                refused += usize::from(!rules.fit(kind, &changed));
            } else {
                refused += usize::from(!judged(kind, &rules, &changed));
            }
        }
        assert!(refused > 3, "{kind}: {refused} of {place}");
    }
}

#[test]
fn a_known_handle_with_a_wrong_value_is_no_unknown_one() {
    let rules = rules("decision");
    let pair = |name: &str, value: Value| Value::Array(vec![name.into(), value]);
    for field in crate::record::tables::HANDLES.fields {
        assert!(!rules.fit("handle", &pair(field.key, Value::Null)), "{}", field.key);
    }
    assert!(rules.fit("handle", &pair("of-tomorrow", Value::Null)));
}

#[test]
fn a_name_means_one_thing_in_all_files() {
    let mut rules = std::collections::BTreeMap::new();
    for kind in ["common"].into_iter().chain(TYPED.map(|group| group.name)) {
        for block in cddl(kind).unwrap().split("\n\n") {
            let rule: String = block.lines().filter(|line| !line.starts_with(';')).collect();
            let Some((name, _)) = rule.split_once(" =") else { continue };
            let first = rules.entry(name.to_owned()).or_insert_with(|| rule.clone());
            assert_eq!(*first, rule, "{name} in {kind}");
        }
    }
}

proptest! {
    #[test]
    fn a_record_of_the_tables_is_one_of_the_files((kind, record) in typed_record()) {
        prop_assume!(is_judged(&record));
        prop_assert!(judged(kind, &rules(kind), &record));
    }

    #[test]
    fn a_changed_record_is_judged_alike((kind, mut record) in typed_record(), how in any_change(), place in 1_usize..40) {
        let mut place = place;
        change(&mut record, &mut place, &how);
        prop_assume!(is_judged(&record));
        judged(kind, &rules(kind), &record);
    }
}
