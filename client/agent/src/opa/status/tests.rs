//! Tests of what OPA says of itself.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn example() -> Value {
    json!({
        "labels": {"id": "opa-1", "version": "1.22.2"},
        "bundles": {
            "authz": {"name": "authz", "active_revision": "r2", "size": 2050},
            "fresh": {"name": "fresh"}, "empty": {"active_revision": ""}, "gone": null,
        },
        "decision_logs": {
            "code": "decision_log_error", "message": "Post: 503", "http_code": 503,
            "metrics": {"counter_decision_logs_chunks_uploaded": 9, "counter_decision_logs_dropped_rate_limit_exceeded": 4},
        },
        "metrics": {
            "prometheus": {
                "counter_decision_logs_chunks_uploaded": 7, "counter_decision_logs_encoding_failure": 1,
                "counter_status_dropped_buffer_limit_exceeded": 3, "go_info": {"name": "go_info", "metric": []},
                "counter_decision_logs_negative": -1, "counter_decision_logs_fraction": 1.5, "timer_decision_logs": {"mean": 1},
            },
            "other": null,
        },
        "plugins": {"status": {"state": "OK"}},
    })
}

fn read(status: &Value) -> Result<Status, Refused> {
    super::status(status.to_string().as_bytes())
}

/// What is said of the example with another value in one place.
#[track_caller]
fn refusal(pointer: &str, value: Value) -> String {
    let mut status = example();
    *status.pointer_mut(pointer).unwrap() = value;
    read(&status).unwrap_err().to_string()
}

#[test]
fn counters_are_found_wherever_they_stand() {
    let status = read(&example()).unwrap();
    assert_eq!(status.instance, "opa-1");
    let counters: Vec<(&str, u64)> = status.counters.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let expected = [
        ("counter_decision_logs_chunks_uploaded", 9),
        ("counter_decision_logs_dropped_rate_limit_exceeded", 4),
        ("counter_decision_logs_encoding_failure", 1),
    ];
    assert_eq!(counters, expected);
    let loaded = Loaded { revision: "r2".to_owned(), activated: None, trouble: None };
    assert_eq!(status.bundles, [("authz".to_owned(), loaded)].into());
    assert_eq!(status.asked, Some(0), "there are metrics, and none of questions");
    let said = (status.code.as_deref(), status.message.as_deref(), status.http_code.as_deref());
    assert_eq!(said, (Some("decision_log_error"), Some("Post: 503"), Some("503")));
}

#[test]
fn a_status_needs_no_more_than_an_instance() {
    let status = read(&json!({"labels": {"id": "opa-1"}})).unwrap();
    assert!(status.counters.is_empty() && status.bundles.is_empty() && status.code.is_none());
    assert!(read(&json!({"labels": {"id": "opa-1"}, "metrics": null, "decision_logs": {}, "bundles": null})).is_ok());
}

#[test]
fn what_was_asked_and_what_went_wrong_is_found() {
    let series = |handler: &str, code: &str, count: Value| {
        let label = |name: &str, value: &str| json!({"name": name, "value": value});
        json!({"label": [label("code", code), label("handler", handler)], "histogram": {"sampleCount": count}})
    };
    let mut status = example();
    let requests = [
        series("v1/data", "200", json!("68")),
        series("v1/data", "500", json!(2)),
        series("v1/data", "400", json!("7")),
        series("health", "200", json!("9")),
    ];
    status["metrics"]["prometheus"]["http_request_duration_seconds"] = json!({ "metric": requests });
    status["bundles"]["authz"]["code"] = json!("bundle_error");
    status["bundles"]["authz"]["last_successful_activation"] = json!("2026-11-22T04:07:21.642498156Z");
    let read = read(&status).unwrap();
    assert_eq!(read.asked, Some(70));
    let loaded = &read.bundles["authz"];
    assert_eq!(loaded.activated.as_deref(), Some("2026-11-22T04:07:21.642498156Z"));
    assert_eq!(loaded.trouble.as_deref(), Some("{\"code\":\"bundle_error\"}"));
    status["metrics"]["prometheus"]["http_request_duration_seconds"] = json!({ "metric": [{}] });
    assert_eq!(super::status(status.to_string().as_bytes()).unwrap().asked, None, "another form tells nothing");
    status["metrics"] = json!({});
    assert_eq!(super::status(status.to_string().as_bytes()).unwrap().asked, None);
}

#[test]
fn what_has_another_form_is_refused_by_name() {
    assert_eq!(read(&json!({})).unwrap_err().to_string(), "labels: missing");
    assert_eq!(read(&json!([])).unwrap_err().to_string(), "status: an array, should be an object");
    assert_eq!(refusal("/bundles/authz", json!(7)), "bundles.\"authz\": a number, should be an object");
    assert!(
        refusal("/bundles/authz/active_revision", json!(7)).starts_with("bundles.\"authz\".active_revision: a number")
    );
    assert_eq!(refusal("/decision_logs/code", json!(7)), "decision_logs.code: a number, should be text");
    assert_eq!(refusal("/decision_logs/http_code", json!("503")), "decision_logs.http_code: text, should be a number");
    assert_eq!(refusal("/metrics", json!([])), "metrics: an array, should be an object");
    assert!(refusal("/decision_logs/message", json!("x".repeat(2049))).contains("text of 2049 bytes"));
}

#[test]
fn a_status_is_bounded() {
    let many: Value = (0..129).map(|n| (format!("decision_logs_{n}"), json!(n))).collect();
    assert!(refusal("/metrics/prometheus", many).contains("more than 128 members"));
    let many: Value = (0..257).map(|n| (format!("b{n}"), json!({"active_revision": "r"}))).collect();
    assert!(refusal("/bundles", many).contains("more than 256 members"));
    assert!(refusal("/bundles", json!({"b".repeat(2049): {"active_revision": "r"}})).contains("text of 2049 bytes"));
    assert!(refusal("/metrics/prometheus", json!({"decision_logs".repeat(200): 1})).contains("text of 2600 bytes"));
    let long = vec![b' '; MAX_STATUS_BYTES + 1];
    assert!(matches!(super::status(&long), Err(Refused::Body { .. })));
    assert!(super::status("[".repeat(100_000).as_bytes()).is_err());
    assert!(super::status(b"{\"labels\":{\"id\":\"\xff\"}}").is_err());
    let huge = example().to_string().replace("503,", &format!("{},", "5".repeat(3000)));
    assert!(super::status(huge.as_bytes()).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), at in any::<prop::sample::Index>(), new in any::<u8>()) {
        let _ = super::status(&bytes);
        let mut changed = example().to_string().into_bytes();
        let at = at.index(changed.len());
        changed[at] = new;
        let _ = super::status(&changed);
    }
}
