//! Tests of reading JSON without loss.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn raw(text: &str) -> &RawValue {
    value(text.as_bytes()).unwrap()
}

fn digest(text: &str) -> Result<govlog_formats::digest::Digest, JsonError> {
    canonical_digest(raw(text))
}

fn canonical_text(text: &str, without: &[&str]) -> String {
    String::from_utf8(canonical::canonical(raw(text), without).unwrap()).unwrap()
}

/// A value inside so many arrays.
fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn an_object_keeps_its_members_in_order_and_byte_for_byte() {
    let huge = "9".repeat(400);
    let text = format!(r#"{{ "b" : 1e999, "a":{huge}, "\u0061b":  [1 , 2],"c":"x\u003cy" }}"#);
    let object = Object::parse(raw(&text)).unwrap();
    let members: Vec<(String, &str)> = object.members().map(|(name, raw)| (name.to_string(), raw.get())).collect();
    let expected = [("b", "1e999"), ("a", huge.as_str()), ("ab", "[1 , 2]"), ("c", r#""x\u003cy""#)];
    assert_eq!(members, expected.map(|(name, value)| (name.to_owned(), value)));
    assert_eq!(object.get("ab").unwrap().get(), "[1 , 2]");
    assert!(object.get("B").is_none());
    let chosen = object.select(|name| name != "a");
    assert_eq!(chosen, br#"{"b":1e999,"\u0061b":[1 , 2],"c":"x\u003cy"}"#);
    assert_eq!(object.select(|_| false), b"{}");
}

#[test]
fn a_member_twice_is_refused_however_it_is_spelled() {
    for text in [r#"{"a":1,"b":2,"a":1}"#, r#"{"a":1,"\u0061":2}"#] {
        assert_eq!(Object::parse(raw(text)).unwrap_err(), JsonError::Duplicate, "{text}");
        assert_eq!(digest(text), Err(JsonError::Duplicate), "{text}");
    }
    assert_eq!(digest(r#"[{"x":{"a":1,"a":1}}]"#), Err(JsonError::Duplicate));
    assert!(digest(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn typed_reads_say_what_is_there_instead() {
    assert_eq!(text(raw(r#""a\n\u00e9""#)).unwrap(), "a\né");
    assert!(matches!(text(raw(r#""plain""#)), Ok(Cow::Borrowed("plain"))));
    assert_eq!((boolean(raw("true")), boolean(raw("false"))), (Ok(true), Ok(false)));
    let kinds = ["{}", "[]", r#""""#, "-1", "true", "null"];
    let expected = [Kind::Object, Kind::Array, Kind::Text, Kind::Number, Kind::Bool, Kind::Null];
    assert_eq!(kinds.map(|text| kind(raw(text))), expected);
    assert_eq!(text(raw("1")).unwrap_err().to_string(), "a number, should be text");
    assert_eq!(boolean(raw("null")).unwrap_err().to_string(), "null, should be true or false");
    assert_eq!(Object::parse(raw("[]")).unwrap_err().to_string(), "an array, should be an object");
    assert!(array(raw("{}"), 9).is_err());
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    for text in [r#""\ud800""#, r#""a\udc00b""#, r#""\ud800\u0041""#] {
        assert_eq!(super::text(raw(text)), Err(JsonError::Surrogate), "{text}");
        assert_eq!(digest(text), Err(JsonError::Surrogate), "{text}");
        let object = format!("{{{text}:1}}");
        assert_eq!(Object::parse(raw(&object)).unwrap_err(), JsonError::Surrogate);
    }
    assert_eq!(super::text(raw(r#""\ud83d\ude00""#)).unwrap(), "😀");
}

#[test]
fn arrays_are_read_up_to_their_bound() {
    let elements = array(raw("[1, \"a\" ,[2]]"), 3).unwrap();
    assert_eq!(elements.iter().map(|raw| raw.get()).collect::<Vec<_>>(), ["1", "\"a\"", "[2]"]);
    assert_eq!(array(raw("[1,2,3]"), 2).unwrap_err(), JsonError::Elements(2));
    assert!(array(raw("[]"), 0).unwrap().is_empty());
    // What follows the bound is not read: it is not even JSON.
    let mut seen = 0;
    let cut = each_element("[1,2,3,!", 2, |_| seen += 1);
    assert_eq!((cut, seen), (Err(JsonError::Elements(2)), 2));
    let cut = each_element("[1,2,!", 9, |_| seen += 1);
    assert!(matches!(cut, Err(JsonError::Syntax(_))));
    assert!(matches!(each_element("[1] 2", 9, |_| ()), Err(JsonError::Syntax(_))));
    for (text, found) in [(" {}", Kind::Object), ("\"long\"", Kind::Text), ("-", Kind::Number), ("n", Kind::Null)] {
        let expected = Kind::Array;
        assert_eq!(each_element(text, 9, |_| ()), Err(JsonError::Kind { found, expected }));
    }
    for text in ["", "x", "\u{feff}[]"] {
        assert!(matches!(each_element(text, 9, |_| ()), Err(JsonError::Syntax(_))));
    }
}

#[test]
fn an_object_of_too_many_members_is_refused() {
    let members: Vec<String> = (0..=MAX_MEMBERS).map(|n| format!("\"{n}\":0")).collect();
    let text = format!("{{{}}}", members.join(","));
    assert_eq!(Object::parse(raw(&text)).unwrap_err(), JsonError::Members(MAX_MEMBERS));
    assert!(digest(&text).is_ok());
}

#[test]
fn bytes_that_are_no_json_are_refused() {
    assert_eq!(value(b"[\"\xff\"]").unwrap_err(), JsonError::Utf8(2));
    for text in ["", " ", "[1", "{\"a\":}", "01", "1 2", "\"a", "nul", "NaN", "'a'", "[1,]", "\"\u{1}\""] {
        assert!(matches!(value(text.as_bytes()), Err(JsonError::Syntax(_))), "{text}");
    }
}

#[test]
fn pointers_lead_through_objects_and_arrays() {
    let document = raw(r#"{"a":{"b":[10,{"c":1e999}]},"":{"":7},"m~n":8,"x/y":9,"a\u0062":5}"#);
    let found = [
        ("/a/b/0", Some("10")),
        ("/a/b/1/c", Some("1e999")),
        ("//", Some("7")),
        ("/m~0n", Some("8")),
        ("/x~1y", Some("9")),
        ("/ab", Some("5")),
        ("/a/b/2", None),
        ("/a/b/-", None),
        ("/a/b/00", None),
        ("/a/b/+1", None),
        ("/a/b/", None),
        ("/a/b/0/c", None),
        ("/q", None),
        ("/x/y", None),
        ("/a/b/99999999999999999999", None),
        ("a", None),
        ("", None),
        ("/a~2", None),
    ];
    for (text, expected) in found {
        assert_eq!(pointer(document, text).unwrap().map(RawValue::get), expected, "{text}");
    }
    assert_eq!(pointer(raw(r#"{"a":1,"a":2}"#), "/a").unwrap_err(), JsonError::Duplicate);
}

#[test]
fn what_is_no_pointer_is_refused_with_a_hint() {
    assert!(matches!(Pointer::parse("a/b"), Err(PointerError::Slash(_))));
    assert!(matches!(Pointer::parse(""), Err(PointerError::Slash(_))));
    for text in ["/~", "/a~2", "/a~é", "/~~"] {
        assert!(matches!(Pointer::parse(text), Err(PointerError::Escape(_))), "{text}");
    }
    assert!(matches!(Pointer::parse(&"/a".repeat(65)), Err(PointerError::Long(_))));
    assert!(matches!(Pointer::parse(&format!("/{}", "a".repeat(1024))), Err(PointerError::Long(_))));
    assert_eq!(Pointer::parse("/~01/a").unwrap().to_string(), "/~01/a");
}

#[test]
fn the_canonical_text_is_compact_and_sorted() {
    let text = " { \"b\" : [ 1 , { } , [ ] ] , \"a\\u0041\" : \"\\/\\u003c\\u0001\" , \"\" : null }\n";
    assert_eq!(canonical_text(text, &[]), "{\"\":null,\"aA\":\"/<\\u0001\",\"b\":[1,{},[]]}");
    let event = r#"{"c":{"nd":1},"nd":{"x":[{"y":"}]\"{"}]},"a":1}"#;
    assert_eq!(canonical_text(event, &["nd"]), r#"{"a":1,"c":{"nd":1}}"#);
    assert_eq!(canonical_text(r#"{"nd":-1e5 , "a":true}"#, &["nd"]), r#"{"a":true}"#);
    assert_eq!(canonical_text(r#"{"a":true,"nd":false}"#, &["nd"]), r#"{"a":true}"#);
    assert_eq!(canonical_text(r#"{"nd":[]}"#, &["nd"]), "{}");
    assert_eq!(canonical_text("-0.10E+2", &[]), "-0.10E+2");
}

#[test]
fn digests_go_by_what_is_said_and_numbers_by_their_text() {
    let same = digest(r#"{"a":1,"b":["x",null]}"#).unwrap();
    assert_eq!(digest("{ \"\\u0062\":[\"\\u0078\",null],\"a\":1 }").unwrap(), same);
    for other in [r#"{"a":1.0,"b":["x",null]}"#, r#"{"a":1,"b":[null,"x"]}"#, r#"{"a":"1","b":["x",null]}"#] {
        assert_ne!(digest(other).unwrap(), same, "{other}");
    }
    assert_ne!(digest(&"1".repeat(400)).unwrap(), digest(&"1".repeat(401)).unwrap());
}

#[test]
fn depth_is_bounded_without_a_deep_stack() {
    assert!(digest(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(digest(&nested(MAX_DEPTH + 1)), Err(JsonError::Depth(MAX_DEPTH)));
    let deep = nested(100_000);
    assert_eq!(digest(&deep), Err(JsonError::Depth(MAX_DEPTH)));
    // What is left out is passed over at any depth.
    let event = format!("{{\"nd\":{deep},\"a\":1}}");
    assert_eq!(canonical_text(&event, &["nd"]), "{\"a\":1}");
    assert_eq!(Object::parse(raw(&event)).unwrap().get("nd").unwrap().get(), deep);
    assert!(value("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn excerpts_are_short_and_plain() {
    assert_eq!(excerpt("a\n"), "\"a\\n\"");
    assert_eq!(excerpt(&"é".repeat(100)), format!("\"{}\"… (200 bytes)", "é".repeat(64)));
}

/// Any JSON value of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,6}|[\\x00-\\x20\"\\\\/]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c\"\\\\é]{0,3}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Writes the value anew: members backwards, spaces everywhere, every character of a string escaped.
fn rewritten(value: &Value) -> String {
    let string = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::String(text) => string(text),
        Value::Array(elements) => {
            let elements: Vec<String> = elements.iter().map(rewritten).collect();
            format!("[ {} ]", elements.join("\t,\n"))
        }
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().rev().map(|(name, value)| format!("{} : {}", string(name), rewritten(value))).collect();
            format!("{{\r\n{} }}", members.join(" , "))
        }
        other => other.to_string(),
    }
}

proptest! {
    #[test]
    fn the_digest_does_not_see_order_spaces_and_escapes(value in any_json(), other in any_json()) {
        let text = value.to_string();
        let canonical = canonical_text(&text, &[]);
        prop_assert_eq!(&canonical_text(&rewritten(&value), &[]), &canonical);
        prop_assert!(canonical.len() <= text.len());
        prop_assert_eq!(serde_json::from_str::<Value>(&canonical).unwrap(), value.clone());
        prop_assert_eq!(digest(&text) == digest(&other.to_string()), value == other);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), text in "[\\[\\]{}:,\"\\\\ua0-9e. ]{0,40}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            if let Ok(raw) = value(bytes) {
                let _ = (canonical_digest(raw), Object::parse(raw).map(|object| object.select(|_| true)), super::text(raw));
                let _ = (pointer(raw, "/a/0"), array(raw, 2));
            }
        }
        let _ = Pointer::parse(&text);
    }
}
