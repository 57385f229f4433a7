//! What is refused, and that nothing makes the mapping panic.

use proptest::prelude::*;

use super::*;
use crate::outbox::Finds as _;

#[test]
fn what_a_record_needs_is_named_where_it_is_missing() {
    for (pointer, name) in [
        ("/labels", "labels"),
        ("/labels/id", "labels.id"),
        ("/decision_id", "decision_id"),
        ("/timestamp", "timestamp"),
        ("/input/subject/id", "/input/subject/id"),
        ("/input/action", "/input/action/name"),
        ("/input/resource/type", "/input/resource/type"),
        ("/input", "/input/subject/id"),
    ] {
        assert_eq!(refusal(pointer, Json::Null), format!("{name}: missing, should be text"));
    }
    assert_eq!(refusal("/input/subject/id", json!(7)), "/input/subject/id: a number, should be text");
    assert_eq!(refusal("/input/subject/type", json!({})), "/input/subject/type: an object, should be text");
    assert_eq!(refusal("/labels/version", json!(1)), "labels.version: a number, should be text");
    assert_eq!(refusal("/path", json!(["a"])), "path: an array, should be text");
    assert_eq!(refusal("/bundles/authz", json!("r1")), "bundles.\"authz\": text, should be an object");
    assert_eq!(refusal("/bundles/authz/revision", json!(1)), "bundles.\"authz\".revision: a number, should be text");
    assert_eq!(refusal("/erased", json!("x")), "erased: text, should be an array");
    assert_eq!(refusal("/masked", json!([1])), "masked/0: a number, should be text");
}

#[test]
fn a_subject_needs_a_type_unless_it_is_a_uri_or_path() {
    let untyped = |id: &str| {
        let mut event = event_with("/input/subject", json!({"id": id}));
        event["request_context"] = json!({});
        mapped_by(&event, &group())
    };
    assert_eq!(untyped(PAY).unwrap().sub.as_deref(), Some(PAY));
    assert_eq!(untyped("a/b").unwrap().sub.as_deref(), Some("a/b"));
    let said = untyped("alice").unwrap_err().to_string();
    assert_eq!(said, "/input/subject/id: the id has neither ':' nor '/' and no subject_type says what it is");
    let long = event_with("/input/subject/id", json!("a".repeat(2048)));
    let said = mapped_by(&long, &group()).unwrap_err().to_string();
    assert!(said.contains("a subject of 2057 bytes, should be at most 2048"), "{said}");
}

#[test]
fn text_in_clear_is_bounded_and_never_cut() {
    let long = "x".repeat(2049);
    for pointer in [
        "/decision_id",
        "/labels/id",
        "/labels/version",
        "/path",
        "/input/subject/id",
        "/input/subject/type",
        "/input/action/name",
        "/input/resource/id",
        "/input/resource/type",
        "/bundles/authz/revision",
        "/timestamp",
    ] {
        assert!(refusal(pointer, json!(long)).ends_with("text of 2049 bytes, should be 1 to 2048"), "{pointer}");
    }
    assert!(refusal("/bundles", json!({long.as_str(): {}})).ends_with("text of 2049 bytes, should be 1 to 2048"));
    assert!(refusal("/erased", json!([long])).starts_with("erased/0: text of 2049"));
    assert!(refusal("/error", json!({"code": long})).starts_with("error.code: text of 2049"));
    assert!(refusal("/input/action/name", json!("")).contains("text of 0 bytes"));
    assert!(refusal("/erased", json!(vec!["/a"; 1025])).contains("more than 1024 elements"));
}

#[test]
fn a_record_that_no_entry_holds_is_refused() {
    let erased = |count: usize| json!(vec!["x".repeat(2000); count]);
    assert!(mapped(&event_with("/erased", erased(20))).payload.len() < MAX_PAYLOAD_BYTES);
    let said = refusal("/erased", erased(25));
    assert!(said.starts_with("a record of 5") && said.ends_with("should be at most 49152"), "{said}");
    // What is sealed does not count.
    let large = event_with("/input/context", json!("x".repeat(4_000_000)));
    assert!(mapped(&large).payload.len() < 2048);
}

#[test]
fn what_becomes_no_decision_joins_nothing() {
    let joins = |event: &Json| group().find(event.to_string().as_bytes()).is_some();
    assert!(joins(&event()));
    for (pointer, value) in [
        ("/result", json!("yes")),
        ("/timestamp", json!("now")),
        ("/input/subject", json!({"id": "alice"})),
        ("/input/action", json!({})),
        ("/labels/id", Json::Null),
        ("/erased", json!(vec!["x".repeat(2000); 25])),
    ] {
        let event = event_with(pointer, value);
        assert!(mapped_by(&event, &group()).is_err() && !joins(&event), "{pointer}");
    }
    // The digest of a bundle that is not known yet must have its place, too.
    let full = |short_of: usize| {
        let erased = |bytes| {
            event_with(
                "/erased",
                json!([vec!["x".repeat(2000); 20], vec!["x".repeat(1000); 7], vec!["x".repeat(bytes)]].concat()),
            )
        };
        let left = MAX_PAYLOAD_BYTES - mapped(&erased(300)).payload.len();
        erased(300 + left - short_of)
    };
    assert_eq!(mapped(&full(0)).payload.len(), MAX_PAYLOAD_BYTES);
    assert!(!joins(&full(0)) && joins(&full(200)));
}

#[test]
fn times_are_of_rfc_3339_and_of_this_age() {
    let at = |text: &str| mapped_by(&event_with("/timestamp", json!(text)), &group());
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.0019Z", 1),
        ("2026-11-22T05:07:22.453999345+01:00", 1_795_320_442_453),
        ("2199-12-31T23:59:59.999999999Z", 7_258_118_399_999_u64),
    ] {
        assert_eq!(record(&at(text).unwrap()).body().event_ms().present(), Some(expected), "{text}");
    }
    for text in [
        "1969-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00Z",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "99999-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-11-22T04:07:22",
        "2026-11-22",
        "now",
        "1795320442",
        "20261122T040722Z",
        "2026-11-22T04:07:22Z[UTC]",
        "-002026-11-22T04:07:22Z",
        "2026-11-22 04:07:22Z",
    ] {
        let said = at(text).unwrap_err().to_string();
        assert_eq!(said, "timestamp: no time of RFC 3339 between 1970 and 2200", "{text}");
    }
    assert_eq!(refusal("/timestamp", json!(1)), "timestamp: a number, should be text");
}

#[test]
fn hostile_events_are_refused_by_value() {
    let deep = "[".repeat(100_000);
    let closed = format!("{deep}{}", "]".repeat(100_000));
    for text in ["", "[]", "7", "null", "{}", "{\"a\":1,\"a\":2}", "\u{feff}{}", deep.as_str(), closed.as_str()] {
        assert!(draft_of(text.as_bytes(), &group()).is_err(), "{}", json::excerpt(text));
    }
    assert!(draft_of(b"{\"labels\":\"\xff\"}", &group()).is_err());
    let twice = event().to_string().replace("\"type\":\"workload\"", "\"id\":\"spiffe://prod.example/root\"");
    let said = draft_of(twice.as_bytes(), &group()).unwrap_err().to_string();
    assert_eq!(said, "/input/subject/id: an object has a member twice");
    let half = event().to_string().replace("acct-5", "\\ud800");
    assert!(draft_of(half.as_bytes(), &group()).unwrap_err().to_string().contains("half of a surrogate pair"));
    // Deep values that nothing leads into are kept as they are.
    let input = event().to_string().replace("589", &closed);
    assert!(draft_of(input.as_bytes(), &group()).is_ok());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>(), new in any::<u8>()) {
        let _ = draft_of(&bytes, &group());
        let mut changed = event().to_string().into_bytes();
        let at = at.index(changed.len());
        changed[at] = new;
        if let Ok(draft) = draft_of(&changed, &group()) {
            prop_assert!(draft.payload.len() <= MAX_PAYLOAD_BYTES);
            prop_assert!(Record::parse("decision", &draft.payload).is_ok());
            prop_assert!(draft.sub.is_some_and(|sub| sub.contains([':', '/'])));
        }
    }

    #[test]
    fn values_of_any_kind_anywhere_give_a_record_or_a_refusal(
        member in prop::sample::select(vec!["/labels", "/bundles", "/path", "/input", "/result", "/error", "/erased", "/request_context", "/trace_id"]),
        value in prop::sample::select(vec![json!(0), json!(""), json!("x"), json!([]), json!([{}]), json!({}), json!({"a": 1}), json!(true)]),
    ) {
        if let Ok(draft) = mapped_by(&event_with(member, value), &group()) {
            prop_assert!(Record::parse("decision", &draft.payload).is_ok());
        }
    }
}
