mod vectors;

use proptest::collection::vec;
use proptest::prelude::*;

use self::vectors::{DETERMINISTIC, ILL_FORMED, WELL_FORMED_ONLY};
use super::float::{self, Float};
use super::*;
use crate::limits::MAX_CBOR_DEPTH;

/// Reads hex; spaces are for the reader of the test.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    let digits: String = digits.chars().filter(|c| !c.is_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "odd number of digits in {digits}");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn why(bytes: &[u8], rules: Rules) -> CborFault {
    check(bytes, rules).unwrap_err().why
}

fn ciborium_reads(bytes: &[u8]) -> Value {
    ciborium::de::from_reader(bytes).unwrap()
}

fn ciborium_writes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::ser::into_writer(value, &mut out).unwrap();
    out
}

#[test]
fn deterministic_examples_pass_every_rule_and_are_written_alike() {
    for digits in DETERMINISTIC {
        let bytes = unhex(digits);
        for rules in [Rules::Deterministic, Rules::Protected, Rules::WellFormed] {
            assert_eq!(check(&bytes, rules).unwrap().bytes(), bytes, "{digits} {rules:?}");
        }
        let value = parse(&bytes).unwrap();
        assert_eq!(to_deterministic(&value), bytes, "{digits}");
        assert_eq!(to_deterministic(&ciborium_reads(&bytes)), bytes, "{digits}: ciborium reads something else");
    }
}

#[test]
fn other_examples_are_well_formed_and_no_more() {
    for (digits, fault) in WELL_FORMED_ONLY {
        let bytes = unhex(digits);
        assert!(check(&bytes, Rules::WellFormed).is_ok(), "{digits}");
        assert_eq!(why(&bytes, Rules::Deterministic), *fault, "{digits}");
        assert_eq!(why(&bytes, Rules::Protected), *fault, "{digits}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused_by_every_rule() {
    for digits in ILL_FORMED {
        for rules in [Rules::Deterministic, Rules::Protected, Rules::WellFormed] {
            assert!(check(&unhex(digits), rules).is_err(), "{digits} {rules:?}");
        }
    }
}

#[test]
fn every_prefix_of_an_item_is_refused() {
    for digits in DETERMINISTIC.iter().chain(WELL_FORMED_ONLY.iter().map(|(digits, _)| digits)) {
        let bytes = unhex(digits);
        for end in 0..bytes.len() {
            assert!(check(&bytes[..end], Rules::WellFormed).is_err(), "{digits} cut to {end} bytes");
        }
    }
}

#[test]
fn bytes_after_the_item_are_refused() {
    assert_eq!(
        check(&[0x80, 0, 0], Rules::Deterministic).unwrap_err(),
        CborError { offset: 1, why: CborFault::Trailing(2) }
    );
    assert_eq!(why(&[0x80, 0], Rules::Protected), CborFault::Trailing(1));
    assert_eq!(why(&[0x80, 0], Rules::WellFormed), CborFault::Trailing(1));
}

#[test]
fn nothing_is_an_error_not_an_item() {
    assert_eq!(why(&[], Rules::WellFormed), CborFault::Truncated);
}

#[test]
fn heads_must_be_shortest() {
    for (digits, number) in [
        ("1817", 23),
        ("1900ff", 255),
        ("1a0000ffff", 65_535),
        ("1b00000000ffffffff", 0xffff_ffff),
        ("3800", 0),
        ("580100", 1),
        ("780161", 1),
        ("980100", 1),
        ("b8010000", 1),
        ("d80200", 2),
        ("d90012 00", 18),
    ] {
        assert_eq!(why(&unhex(digits), Rules::Deterministic), CborFault::NotShortest(number), "{digits}");
        assert_eq!(why(&unhex(digits), Rules::Protected), CborFault::NotShortest(number), "{digits}");
        assert!(check(&unhex(digits), Rules::WellFormed).is_ok(), "{digits}");
    }
}

#[test]
fn map_keys_ascend_by_their_bytes() {
    // RFC 8949 §4.2.1: 10, 100, −1, "z", "aa", [100], [−1], false.
    let ascending = "a8 0a00 186400 2000 617a00 62616100 81186400 812000 f400";
    check_deterministic(&unhex(ascending)).unwrap();
    let faults = [
        ("a2 0200 0100", 3, CborFault::KeyOrder),
        ("a2 2000 0a00", 3, CborFault::KeyOrder),
        ("a2 62616100 617a00", 5, CborFault::KeyOrder),
        ("a2 0100 0101", 3, CborFault::DuplicateKey),
        ("82 00 a2 0200 0100", 5, CborFault::KeyOrder),
        ("a1 a2 0200 0100 00", 4, CborFault::KeyOrder),
    ];
    for (digits, offset, why) in faults {
        assert_eq!(check_deterministic(&unhex(digits)).unwrap_err(), CborError { offset, why }, "{digits}");
    }
}

#[test]
fn protected_keys_stand_in_any_order_and_once_at_every_depth() {
    check_protected(&unhex("a3 0200 0100 6161 a2 0200 0100")).unwrap();
    let faults = [
        ("a3 0100 0200 0101", 5),
        ("a2 0200 01 a2 0100 0100", 7),
        ("a2 0200 01 82 00 a2 6100 00 6100 00", 10),
        ("a1 a2 0100 0100 00", 4),
        ("a1 01 c1 a2 0000 0000", 6),
    ];
    for (digits, offset) in faults {
        let error = check_protected(&unhex(digits)).unwrap_err();
        assert_eq!(error, CborError { offset, why: CborFault::DuplicateKey }, "{digits}");
    }
}

#[test]
fn tags_2_and_3_are_for_integers_beyond_64_bits() {
    for digits in ["c249010000000000000000", "c349ffffffffffffffffff", "c24affffffffffffffffffff"] {
        check_deterministic(&unhex(digits)).unwrap();
        check_protected(&unhex(digits)).unwrap();
    }
    // Within 64 bits, empty, with leading zeros, and not a byte string at all.
    for digits in ["c248ffffffffffffffff", "c340", "c24101", "c24900ffffffffffffffff", "c200", "c360", "c2d82041ff"] {
        assert_eq!(why(&unhex(digits), Rules::Deterministic), CborFault::Bignum, "{digits}");
        assert_eq!(why(&unhex(digits), Rules::Protected), CborFault::Bignum, "{digits}");
        check(&unhex(digits), Rules::WellFormed).unwrap();
    }
}

#[test]
fn simple_values_are_false_true_and_null() {
    for value in 0..=255u8 {
        let bytes = if value < 24 { vec![0xe0 | value] } else { vec![0xf8, value] };
        assert_eq!(check_deterministic(&bytes).is_ok(), matches!(value, 20..=22), "{value}");
        assert_eq!(check_protected(&bytes).is_ok(), matches!(value, 20..=22), "{value}");
        assert_eq!(check(&bytes, Rules::WellFormed).is_ok(), !(24..32).contains(&value), "{value}");
    }
    assert_eq!(why(&[0xf7], Rules::Deterministic), CborFault::Simple(23));
}

#[test]
fn text_is_utf_8() {
    for digits in ["61ff", "62c328", "63eda080", "62c080", "64f4908080"] {
        assert_eq!(why(&unhex(digits), Rules::Deterministic), CborFault::NotUtf8, "{digits}");
        assert_eq!(why(&unhex(digits), Rules::Protected), CborFault::NotUtf8, "{digits}");
        let item = check(&unhex(digits), Rules::WellFormed).map(|item| item.to_value());
        assert_eq!(item.unwrap().unwrap_err().why, CborFault::NotUtf8, "{digits}: well-formed, but no text");
    }
}

#[test]
fn sixteen_containers_pass_and_seventeen_do_not() {
    for prefix in ["81", "c1", "a100", "a1"] {
        // Under the last prefix the inner item is a key, so that a value must follow each.
        let nested = |depth: usize| {
            let tail = if prefix == "a1" { "00".repeat(depth) } else { String::new() };
            unhex(&format!("{}00{tail}", prefix.repeat(depth)))
        };
        for rules in [Rules::Deterministic, Rules::Protected, Rules::WellFormed] {
            check(&nested(MAX_CBOR_DEPTH), rules).unwrap();
            assert_eq!(why(&nested(MAX_CBOR_DEPTH + 1), rules), CborFault::Depth, "{prefix} {rules:?}");
        }
    }
    // An empty container is an item like another: what counts is what stands around it.
    check_deterministic(&unhex(&format!("{}80", "81".repeat(16)))).unwrap();
    assert_eq!(why(&unhex(&format!("{}80", "81".repeat(17))), Rules::Deterministic), CborFault::Depth);
    assert_eq!(why(&unhex(&"9f".repeat(100_000)), Rules::WellFormed), CborFault::Depth);
}

#[test]
fn lengths_and_counts_beyond_the_input_are_refused_before_anything_is_read() {
    for digits in
        ["5bffffffffffffffff", "7bfffffffffffffff0", "9bffffffffffffffff", "bb7fffffffffffffff", "9a7fffffff00"]
    {
        for rules in [Rules::Deterministic, Rules::Protected, Rules::WellFormed] {
            assert_eq!(check(&unhex(digits), rules).unwrap_err(), CborError { offset: 0, why: CborFault::Truncated });
        }
    }
}

#[test]
fn errors_name_the_offset_and_what_would_be_right() {
    let error = check_deterministic(&unhex("82 00 a1 61ff 00")).unwrap_err();
    assert_eq!(error.to_string(), "offset 3: the text is not UTF-8");
    let error = check_at(&unhex("82 00 1800"), 100, Rules::Deterministic).unwrap_err();
    assert_eq!(error.to_string(), "offset 102: 0 is not written in the shortest form");
}

#[test]
#[expect(clippy::cast_possible_truncation, reason = "every half is a single, exactly")]
fn every_half_is_shortest_and_only_one_nan_is_accepted() {
    for bits in 0..=u16::MAX {
        let number = float::from_half(bits);
        let [high, low] = bits.to_be_bytes();
        let half = [0xf9, high, low];
        let single = [&[0xfa][..], &(number as f32).to_bits().to_be_bytes()].concat();
        let double = [&[0xfb][..], &number.to_bits().to_be_bytes()].concat();
        if number.is_nan() {
            assert_eq!(check_deterministic(&half).is_ok(), bits == float::NAN, "{bits:#06x}");
            assert_eq!(why(&single, Rules::Deterministic), CborFault::NotANumber);
            assert_eq!(why(&double, Rules::Deterministic), CborFault::NotANumber);
            continue;
        }
        check_deterministic(&half).unwrap();
        assert_eq!(why(&single, Rules::Deterministic), CborFault::FloatNotShortest, "{bits:#06x}");
        assert_eq!(why(&double, Rules::Deterministic), CborFault::FloatNotShortest, "{bits:#06x}");
        assert_eq!(float::shortest(number), Float::Half(bits));
        assert_eq!(ciborium_writes(&Value::Float(number)), half, "{bits:#06x}");
        assert_eq!(parse(&half).unwrap(), ciborium_reads(&half));
    }
}

#[test]
fn every_nan_but_one_is_refused() {
    for digits in ["f97e01", "f97c01", "f9fe00", "fa7fc00000", "faffffffff", "fb7ff8000000000000", "fb7ff0000000000001"]
    {
        assert_eq!(why(&unhex(digits), Rules::Deterministic), CborFault::NotANumber, "{digits}");
    }
    check_deterministic(&unhex("f97e00")).unwrap();
    assert_eq!(to_deterministic(&Value::Float(-f64::NAN)), unhex("f97e00"));
}

#[test]
fn items_are_read_where_they_stand() {
    let bytes = unhex("a4 01 20 02 43010203 03 82 f6 6161 04 c5 1864");
    let item = check(&bytes, Rules::Deterministic).unwrap();
    let entries = item.as_map().unwrap();
    let values: Vec<_> = entries.iter().map(|entry| entry.value).collect();
    assert_eq!(entries.iter().map(|entry| entry.key.as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!((values[0].as_i64(), values[0].as_u64(), values[0].offset()), (Some(-1), None, 2));
    assert_eq!((values[1].as_bytes(), values[1].offset(), values[1].content_offset()), (Some(&[1, 2, 3][..]), 4, 5));
    let list = values[2].as_array().unwrap();
    assert!(list[0].is_null());
    assert_eq!((list[1].as_text(), list[1].as_bytes(), list[1].offset()), (Some("a"), None, 11));
    let (tag, content) = values[3].as_tag().unwrap();
    assert_eq!((tag, content.as_int(), content.offset()), (5, Some(100), 15));
    assert_eq!((item.as_array(), item.as_tag(), item.as_int(), item.as_text()), (None, None, None, None));
    assert_eq!(check(&unhex("3bffffffffffffffff"), Rules::Deterministic).unwrap().as_int(), Some(-(1 << 64)));
}

#[test]
fn indefinite_forms_are_joined_as_values() {
    for (digits, short) in [
        ("5f42010243030405ff", "450102030405"),
        ("7f657374726561646d696e67ff", "6973747265616d696e67"),
        ("9f018202039f0405ffff", "8301820203820405"),
        ("bf61610161629f0203ffff", "a26161016162820203"),
    ] {
        let value = check(&unhex(digits), Rules::WellFormed).unwrap().to_value().unwrap();
        assert_eq!(to_deterministic(&value), unhex(short), "{digits}");
    }
}

#[test]
fn sequences_are_framed_and_no_more() {
    assert_eq!(split_sequence(&[], 4).unwrap(), Vec::<&[u8]>::new());
    // Three items, the second of them far from deterministic.
    let bytes = unhex("01 bf0100 0100ff 6161");
    assert_eq!(split_sequence(&bytes, 3).unwrap(), [&bytes[..1], &bytes[1..7], &bytes[7..]]);
    let too_many = split_sequence(&bytes, 2).unwrap_err();
    assert_eq!(too_many, CborError { offset: 7, why: CborFault::TooManyItems(2) });
    let cut = split_sequence(&bytes[..8], 3).unwrap_err();
    assert_eq!(cut, CborError { offset: 7, why: CborFault::Truncated });
    let deep = [&[0x00][..], &[0x81; 17], &[0]].concat();
    assert_eq!(split_sequence(&deep, 3).unwrap_err().why, CborFault::Depth);
    split_sequence(&[&[0x81; 16][..], &[0]].concat(), 1).unwrap();
}

#[test]
fn the_encoder_reduces_small_bignums_and_sorts_keys() {
    let tag = |tag, bytes: &str| Value::Tag(tag, Box::new(Value::Bytes(unhex(bytes))));
    assert_eq!(to_deterministic(&tag(2, "00ffffffffffffffff")), unhex("1bffffffffffffffff"));
    assert_eq!(to_deterministic(&tag(3, "")), unhex("20"));
    assert_eq!(to_deterministic(&tag(2, "0001ffffffffffffffff")), unhex("c24901ffffffffffffffff"));
    let map = Value::Map(vec![
        (Value::from("b"), Value::Null),
        (Value::from(-1), Value::Bool(true)),
        (Value::from(100), Value::Bool(false)),
        (Value::from(5), Value::Array(vec![])),
    ]);
    assert_eq!(to_deterministic(&map), unhex("a4 0580 1864f4 20f5 6162f6"));
}

/// Any value whose maps have distinct keys.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (any::<bool>(), vec(any::<u8>(), 0..12))
            .prop_map(|(negative, bytes)| { Value::Tag(if negative { 3 } else { 2 }, Box::new(Value::Bytes(bytes))) }),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        "\\PC{0,20}".prop_map(Value::Text),
        any::<f64>().prop_map(Value::Float),
        any::<f32>().prop_map(|single| Value::Float(single.into())),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::Array),
            vec((inner.clone(), inner.clone()), 0..6).prop_map(|mut pairs| {
                let mut seen = std::collections::BTreeSet::new();
                pairs.retain(|(key, _)| seen.insert(to_deterministic(key)));
                Value::Map(pairs)
            }),
            (4..u64::MAX, inner).prop_map(|(tag, content)| Value::Tag(tag, Box::new(content))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_deterministic_and_read_back(value in any_value()) {
        let bytes = to_deterministic(&value);
        check_deterministic(&bytes).unwrap();
        check_protected(&bytes).unwrap();
        prop_assert_eq!(to_deterministic(&parse(&bytes).unwrap()), bytes.clone());
        prop_assert_eq!(to_deterministic(&ciborium_reads(&bytes)), bytes);
    }

    #[test]
    fn floats_are_written_as_the_oracle_does(bits in any::<u64>(), single in any::<u32>()) {
        for number in [f64::from_bits(bits), f32::from_bits(single).into()] {
            if !number.is_nan() {
                prop_assert_eq!(to_deterministic(&Value::Float(number)), ciborium_writes(&Value::Float(number)));
            }
        }
    }

    #[test]
    fn no_bytes_make_the_walker_panic(bytes in vec(any::<u8>(), 0..200)) {
        for rules in [Rules::Deterministic, Rules::Protected, Rules::WellFormed] {
            if let Ok(item) = check(&bytes, rules) {
                let _ = item.to_value();
            }
        }
        let _ = split_sequence(&bytes, 10);
    }

    #[test]
    fn whatever_passes_has_one_encoding(value in any_value(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = to_deterministic(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(value) = parse(&bytes) {
            prop_assert_eq!(to_deterministic(&value), bytes.clone());
            check_protected(&bytes).unwrap();
        }
        if check(&bytes, Rules::Deterministic).is_ok() {
            check(&bytes, Rules::WellFormed).unwrap();
        }
    }
}
