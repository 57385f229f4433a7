//! Tests of what names an event.

use super::*;

const EVENT: &str = r#"{"labels":{"id":"opa-1","version":"1.22.2"},"decision_id":"d-1","input":{"n":1e999},"nd_builtin_cache":{"time.now_ns":{"[]":1}}}"#;

fn read(text: &str) -> Result<Event<'_>, Refused> {
    Event::read(text.as_bytes(), &Limits::default())
}

#[track_caller]
fn refusal(text: &str) -> String {
    read(text).unwrap_err().to_string()
}

#[test]
fn an_event_is_named_by_instance_and_decision() {
    let event = read(EVENT).unwrap();
    assert_eq!((event.instance.as_str(), event.native_id.as_str()), ("opa-1", "d-1"));
    assert_eq!(event.bytes, EVENT.as_bytes());
}

#[test]
fn a_repeated_event_may_lack_what_opa_drops() {
    let first = read(EVENT).unwrap().semantic;
    let without = EVENT.replace(r#","nd_builtin_cache":{"time.now_ns":{"[]":1}}"#, "");
    assert_eq!(read(&without).unwrap().semantic, first);
    let other = EVENT.replace("[]\":1", "[]\":2");
    assert_eq!(read(&other).unwrap().semantic, first);
    let reordered = r#" {"input": {"n":1e999}, "decision_id":"d-1","labels":{"version":"1.22.2","id":"opa-\u0031"}}"#;
    assert_eq!(read(reordered).unwrap().semantic, first);
    for (from, to) in [("1e999", "1e998"), ("1.22.2", "1.22.3"), ("\"input\"", "\"inputs\"")] {
        assert_ne!(read(&EVENT.replace(from, to)).unwrap().semantic, first, "{to}");
    }
    // Only the event's own member may go, not one of that name inside the input.
    let inside = |text| EVENT.replace("{\"n\":1e999}", text);
    let [one, two] = [inside("{\"nd_builtin_cache\":1}"), inside("{\"nd_builtin_cache\":2}")];
    assert_ne!(read(&one).unwrap().semantic, read(&two).unwrap().semantic);
}

#[test]
fn ids_are_text_of_a_length() {
    assert_eq!(refusal(&EVENT.replace("labels", "label")), "labels: missing");
    assert_eq!(refusal(&EVENT.replace("\"id\"", "\"ID\"")), "labels.id: missing");
    assert_eq!(refusal(&EVENT.replace("decision_id", "decisionid")), "decision_id: missing");
    assert_eq!(refusal(&EVENT.replace("\"d-1\"", "7")), "decision_id: a number, should be text");
    assert_eq!(refusal(&EVENT.replace("\"opa-1\"", "null")), "labels.id: null, should be text");
    assert_eq!(refusal(&EVENT.replace("opa-1", "")), "labels.id: text of 0 bytes, should be 1 to 512");
    assert_eq!(refusal(&EVENT.replace("d-1", "\\ud800")), "decision_id: a string holds half of a surrogate pair");
    assert!(read(&EVENT.replace("d-1", &"é".repeat(256))).is_ok());
    let long = refusal(&EVENT.replace("d-1", &"é".repeat(257)));
    assert_eq!(long, "decision_id: text of 514 bytes, should be 1 to 512");
    let labels = EVENT.replace(r#"{"id":"opa-1","version":"1.22.2"}"#, "[]");
    assert_eq!(refusal(&labels), "labels: an array, should be an object");
}

#[test]
fn an_event_that_says_something_twice_or_too_deep_is_refused() {
    assert!(refusal(&EVENT.replace("{\"n\"", "{\"n\":1,\"n\"")).contains("twice"));
    let deep = |levels: usize| EVENT.replace("1e999", &format!("{}1{}", "[".repeat(levels), "]".repeat(levels)));
    assert!(read(&deep(62)).is_ok());
    assert_eq!(refusal(&deep(63)), "event: objects and arrays nested deeper than 64");
    assert!(refusal(&deep(100_000)).contains("deeper"));
}

#[test]
fn an_event_is_bounded() {
    let limits = Limits { event_bytes: EVENT.len(), ..Limits::default() };
    assert!(Event::read(EVENT.as_bytes(), &limits).is_ok());
    let limits = Limits { event_bytes: EVENT.len() - 1, ..limits };
    let refused = Event::read(EVENT.as_bytes(), &limits).unwrap_err();
    assert_eq!(refused, Refused::Event { found: EVENT.len(), most: EVENT.len() - 1 });
}
