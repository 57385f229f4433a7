//! What is taken from the headers of the request that asked.

use super::*;

/// The event with these headers alone.
fn with_headers(headers: &Json) -> Json {
    event_with("/request_context", json!({"http": {"headers": headers}}))
}

fn correlation(event: &Json) -> [Json; 3] {
    let shown = shown(&mapped(event));
    ["trace_id", "span_id", "request_id"].map(|name| shown.get(name).cloned().unwrap_or_default())
}

const TRACE: &str = "b0b4ffc0043079a03a1c6f5a90a8638e";
const SPAN: &str = "4a27020f7f249e9d";

#[test]
fn names_of_headers_have_no_case() {
    let event = with_headers(&json!({"TraceParent": [format!("00-{TRACE}-{SPAN}-00")], "X-Request-ID": ["r-1"]}));
    assert_eq!(correlation(&event), [json!(TRACE), json!(SPAN), json!("r-1")]);
}

#[test]
fn the_events_own_ids_come_first_and_are_not_mixed() {
    let mut event = event_with("/trace_id", json!("own-trace"));
    assert_eq!(correlation(&event)[..2], [json!("own-trace"), Json::Null]);
    event["span_id"] = json!("own-span");
    assert_eq!(correlation(&event)[..2], [json!("own-trace"), json!("own-span")]);
}

#[test]
fn a_trace_parent_follows_its_grammar() {
    let trace_of = |value: String| correlation(&with_headers(&json!({"traceparent": [value]})))[0].clone();
    let good = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(trace_of(good.clone()), TRACE);
    assert_eq!(trace_of(format!("cc-{TRACE}-{SPAN}-01-more-of-it")), TRACE);
    for bad in [
        format!("{good}-x"),
        format!("{good}0"),
        good.to_uppercase(),
        good.replace("00-", "ff-"),
        good.replace("00-", "0-"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        good.replace('b', "g"),
        String::new(),
        "-".repeat(55),
    ] {
        assert_eq!(trace_of(bad.clone()), Json::Null, "{bad}");
    }
}

#[test]
fn no_header_keeps_a_decision_from_being_recorded() {
    let own = "x".repeat(3000);
    for headers in [
        json!(7),
        json!([]),
        json!({"traceparent": "text", "x-request-id": [1], "x-forwarded-client-cert": {}}),
        json!({"x-request-id": [own], "traceparent": [own]}),
        json!({"x-request-id": ["a", "b"], "traceparent": []}),
        json!({"x-request-id": ["a"], "X-Request-Id": ["b"]}),
        json!({"x-request-id": [""]}),
        json!({"x-forwarded-client-cert": ["\""]}),
        json!({"x-forwarded-client-cert": vec!["By=a"; 2000]}),
    ] {
        let event = with_headers(&headers);
        assert_eq!(correlation(&event), [Json::Null, Json::Null, Json::Null], "{event}");
        assert!(shown(&mapped(&event)).get("links").is_none());
    }
    assert_eq!(correlation(&event_with("/trace_id", json!(own)))[0], json!(TRACE));
    for context in [json!(7), json!({"http": 7}), json!({"http": {"headers": null}})] {
        assert!(mapped_by(&event_with("/request_context", context), &group()).is_ok());
    }
}

#[test]
fn a_client_is_believed_from_the_named_proxy_alone() {
    let name = "x-forwarded-client-cert";
    let trusted = format!("By={ENVOY};Hash={HASH};URI=spiffe://prod.example/other");
    let forged = trusted.replace("/envoy", "/evil");
    let read = |event: &Json| client(event.to_string().as_bytes(), &group());

    let other = with_headers(&json!({name: [trusted]}));
    let subject = shown(&mapped(&other))["subject"].clone();
    assert_eq!(subject["transport"], "spiffe://prod.example/other");
    assert_eq!(subject["credential"]["trust_domain"], "prod.example");
    assert_eq!(read(&other).unwrap().by, ENVOY);

    for values in [json!([forged]), json!([trusted, forged]), json!([format!("{trusted},{forged}")])] {
        let event = with_headers(&json!({name: values}));
        let shown = shown(&mapped(&event));
        assert!(shown.get("links").is_none() && shown.get("pep").is_none(), "{shown}");
        assert!(shown["subject"].get("credential").is_none() && shown["subject"].get("transport").is_none());
        assert_eq!(read(&event), Err(Unknown::NotTrusted));
    }
    let spelled_twice = with_headers(&json!({name: [trusted], "X-Forwarded-Client-Cert": [trusted]}));
    assert!(matches!(read(&spelled_twice), Err(Unknown::Malformed(_))));
    assert_eq!(read(&with_headers(&json!({}))), Err(Unknown::Absent));
    assert!(matches!(client(b"[]", &group()), Err(Unknown::Malformed(_))));

    let nameless = with_headers(&json!({name: [format!("By={ENVOY};Hash={HASH}")]}));
    let subject = shown(&mapped(&nameless))["subject"].clone();
    assert_eq!(subject["credential"], json!({"type": "x509", "handle": ["cert_s256", HASH]}));
}
