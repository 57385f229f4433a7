//! Each mistake is named, and what was run for real is found well.

use serde_json::{Value, json};

use super::*;

fn problems(findings: &[Finding]) -> Vec<&str> {
    findings.iter().filter_map(|finding| finding.wrong.as_deref()).collect()
}

fn opa() -> Value {
    json!({
        "services": { "govlog": { "url": "http://127.0.0.1:7481/ingest/opa/v1" }, "policies": { "url": "http://127.0.0.1:1" } },
        "nd_builtin_cache": true,
        "decision_logs": {
            "service": "govlog", "resource": "/logs",
            "reporting": { "trigger": "periodic", "min_delay_seconds": 1, "max_delay_seconds": 5 },
            "request_context": { "http": { "headers": ["traceparent", "x-request-id", "X-Forwarded-Client-Cert"] } },
        },
        "status": { "service": "govlog" },
        "bundles": { "authz": { "service": "policies", "signing": { "keyid": "policy-signer" } } },
    })
}

const PREFIXES: &[&str] = &["/ingest/opa/v1"];
const SETTLE: Option<Duration> = Some(Duration::from_secs(15));

#[test]
fn an_opa_that_is_well_is_found_well_and_each_mistake_is_named() {
    assert_eq!(problems(&judge_opa(&opa(), PREFIXES, SETTLE)), [""; 0]);
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 14] = [
        (|config| config["services"]["govlog"]["url"] = json!("http://elsewhere/v1"), "none of its services"),
        (|config| drop(config.as_object_mut().unwrap().remove("decision_logs")), "no decision_logs"),
        (|config| config["decision_logs"]["service"] = json!("policies"), "decision_logs.service is not govlog"),
        (|config| config["decision_logs"]["resource"] = json!("/decisions"), "should be /logs"),
        (|config| config["decision_logs"]["reporting"]["trigger"] = json!("immediate"), "immediate"),
        (|config| config["decision_logs"]["reporting"]["trigger"] = json!("manual"), "nothing is sent"),
        (|config| config["decision_logs"]["reporting"] = json!({}), "max_delay_seconds is 600"),
        (|config| config["decision_logs"]["reporting"]["max_delay_seconds"] = json!(15), "always look late"),
        (|config| config["decision_logs"]["reporting"]["max_decisions_per_second"] = json!(10), "is dropped"),
        (
            |config| config["decision_logs"]["request_context"] = json!(null),
            "lacks traceparent, x-request-id, x-forwarded-client-cert",
        ),
        (|config| config["nd_builtin_cache"] = json!(false), "cannot be replayed"),
        (|config| config["status"] = json!({}), "status.service is not govlog"),
        (|config| drop(config.as_object_mut().unwrap().remove("bundles")), "no bundles"),
        (|config| config["bundles"]["authz"]["signing"] = json!(null), "bundles authz have no signing"),
    ];
    for (change, expected) in changes {
        let mut config = opa();
        change(&mut config);
        let findings = judge_opa(&config, PREFIXES, SETTLE);
        assert!(matches!(problems(&findings)[..], [problem] if problem.contains(expected)), "{expected}: {findings:?}");
    }
    // A list of services, and an answer of any other form.
    let mut config = opa();
    config["services"] = json!([{ "name": "govlog", "url": "http://127.0.0.1:7481/ingest/opa/v1/" }]);
    assert_eq!(problems(&judge_opa(&config, PREFIXES, SETTLE)), [""; 0]);
    for other in [json!(null), json!([]), json!({ "services": 1 }), json!({ "services": [1] })] {
        assert_eq!(problems(&judge_opa(&other, PREFIXES, SETTLE)).len(), 1);
    }
}

fn envoy() -> Value {
    let format = json!({
        "start": "%START_TIME(%s.%3f)%", "request_id": "%REQ(X-REQUEST-ID)%", "code": "%RESPONSE_CODE%",
        "peer_s256": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    });
    let log = json!({ "name": "file", "typed_config": { "path": "/var/log/envoy/access.jsonl", "log_format": { "json_format": format } } });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "mtls", "forward_client_cert_details": "SANITIZE_SET", "access_log": [log],
    });
    json!({ "configs": [
        { "bootstrap": { "node": { "id": "envoy-1" } } },
        { "static_listeners": [{ "listener": { "filter_chains": [{ "filters": [{ "typed_config": manager }] }] } }] },
    ] })
}

#[test]
fn an_envoy_that_is_well_is_found_well_and_each_mistake_is_named() {
    const MANAGER: &str = "/configs/1/static_listeners/0/listener/filter_chains/0/filters/0/typed_config";
    let logs = [AccessLog { path: "/var/log/envoy/access.jsonl".to_owned(), node: "envoy-1".to_owned() }];
    assert_eq!(problems(&judge_envoy(&envoy(), &logs)), [""; 0]);
    type Change = fn(&mut Value);
    let changes: [(Change, &str); 7] = [
        (|manager| drop(manager.as_object_mut().unwrap().remove("@type")), "no HTTP connection manager"),
        (|manager| manager["access_log"] = json!([]), "nothing writes an access log to /var/log/envoy/access.jsonl"),
        (
            |manager| manager["access_log"][0]["typed_config"]["log_format"] = json!({ "text_format": "%START_TIME%" }),
            "json_format",
        ),
        (
            |manager| manager["access_log"][0]["typed_config"]["log_format"]["json_format"]["request_id"] = json!("-"),
            "REQ(X-REQUEST-ID)",
        ),
        (|manager| manager["forward_client_cert_details"] = json!("APPEND_FORWARD"), "does not have"),
        (|manager| drop(manager.as_object_mut().unwrap().remove("forward_client_cert_details")), "SANITIZE, so no"),
        (|manager| manager["access_log"][0]["typed_config"]["path"] = json!("/dev/stdout"), "nothing writes"),
    ];
    for (change, expected) in changes {
        let mut dump = envoy();
        change(dump.pointer_mut(MANAGER).unwrap());
        let findings = judge_envoy(&dump, &logs);
        assert!(matches!(problems(&findings)[..], [problem] if problem.contains(expected)), "{expected}: {findings:?}");
    }
    let mut dump = envoy();
    dump["configs"][0]["bootstrap"]["node"]["id"] = json!("envoy-2");
    assert!(problems(&judge_envoy(&dump, &logs))[0].contains("envoy-2"));
    let second = json!({ "@type": "x.HttpConnectionManager", "stat_prefix": "plain" });
    dump["configs"][1]["dynamic_listeners"] = json!([second]);
    assert!(problems(&judge_envoy(&dump, &logs))[1].contains("plain: it writes nothing"));
}

#[test]
fn the_log_of_a_spire_server_shows_how_it_is_configured() {
    let audit = r#"{"level":"info","type":"audit"}"#;
    let debug = r#"{"level":"debug","msg":"Signed X509 SVID"}"#;
    let of = |text: &str| judge_spire("server.log", text.as_bytes());
    assert_eq!(problems(&of(&format!("off\"}}\n{audit}\n{debug}\n"))), [""; 0]);
    for (text, expected) in [
        (String::new(), "is empty"),
        ("time=1 level=info\n".to_owned(), "log_format"),
        (format!("{audit}\n"), "log_level"),
        (format!("{debug}\n"), "audit_log_enabled"),
    ] {
        let findings = of(&text);
        assert!(matches!(problems(&findings)[..], [problem] if problem.contains(expected)), "{expected}: {findings:?}");
    }
}
