//! Envoy's side, from `GET /config_dump` of its admin interface.

use serde_json::{Map, Value};

use super::{ok, wrong};
use crate::check::Finding;

pub(super) const WHAT: &str = "Envoy";

/// An access log that this agent follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// The file.
    pub path: String,
    /// The `node.id` that it is said to be of.
    pub node: String,
}

/// Says what is wrong with the configuration of an Envoy whose access log comes here.
#[must_use]
pub fn judge(dump: &Value, logs: &[AccessLog]) -> Vec<Finding> {
    let node = find_text(dump, &["bootstrap", "node", "id"]).unwrap_or_default();
    let mut managers = Vec::new();
    collect(dump, HTTP_CONNECTION_MANAGER, 0, &mut managers);
    if managers.is_empty() {
        return vec![wrong(WHAT, format!("{node}: it has no HTTP connection manager; is this its admin address?"))];
    }
    let Some(log) = logs.iter().find(|log| managers.iter().any(|manager| writes(manager, &log.path).is_some())) else {
        let paths: Vec<&str> = logs.iter().map(|log| log.path.as_str()).collect();
        return vec![wrong(
            WHAT,
            format!("{node}: nothing writes an access log to {}; see [[envoy]] log", paths.join(", ")),
        )];
    };
    let mut findings = Vec::new();
    if log.node != node {
        findings.push(wrong(
            WHAT,
            format!("its node.id is {node:?}, [[envoy]] node = {:?}: one stream must be of one Envoy", log.node),
        ));
    }
    for manager in managers {
        match writes(manager, &log.path) {
            Some(access_log) => findings.extend(manager_of(manager, access_log, &log.path)),
            None => findings.push(wrong(
                WHAT,
                format!("{}: it writes nothing to {}: what passes it has no effect here", prefix_of(manager), log.path),
            )),
        }
    }
    if findings.is_empty() {
        findings.push(ok(WHAT, format!("{node} writes {} with all that joins", log.path)));
    }
    findings
}

/// Judges a connection manager that writes to the log.
fn manager_of(manager: &Map<String, Value>, access_log: &Value, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = prefix_of(manager);
    let format = access_log.pointer("/log_format/json_format");
    let Some(format) = format.and_then(Value::as_object) else {
        return vec![wrong(WHAT, format!("{name}: {path} is not written with log_format.json_format"))];
    };
    let operators: Vec<&str> = format.values().filter_map(Value::as_str).collect();
    let missing = OPERATORS.iter().filter(|(operator, _)| !operators.iter().any(|text| text.contains(operator)));
    for (operator, why) in missing {
        findings.push(wrong(WHAT, format!("{name}: json_format has no %{operator}%: {why}")));
    }
    match manager.get("forward_client_cert_details").and_then(Value::as_str).unwrap_or("SANITIZE") {
        "SANITIZE_SET" => {}
        "SANITIZE" => findings.push(wrong(
            WHAT,
            format!("{name}: forward_client_cert_details is SANITIZE, so no decision is joined to a certificate; use SANITIZE_SET"),
        )),
        other => findings.push(wrong(
            WHAT,
            format!("{name}: forward_client_cert_details is {other}, so a client can name a certificate that it does not have; use SANITIZE_SET"),
        )),
    }
    findings
}

/// Finds the access log that a connection manager writes to a file.
fn writes<'a>(manager: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let logs = manager.get("access_log")?.as_array()?.iter().filter_map(|log| log.get("typed_config"));
    logs.into_iter().find(|log| log.get("path").and_then(Value::as_str) == Some(path))
}

fn prefix_of(manager: &Map<String, Value>) -> &str {
    manager.get("stat_prefix").and_then(Value::as_str).unwrap_or("a connection manager")
}

/// Collects the objects of a type, wherever they stand: listeners are static, dynamic, or in a filter chain of either.
fn collect<'a>(value: &'a Value, of_type: &str, depth: usize, found: &mut Vec<&'a Map<String, Value>>) {
    // Deeper than any configuration; parsing bounds it as well.
    if depth > 64 {
        return;
    }
    match value {
        Value::Object(map) => {
            if map.get("@type").and_then(Value::as_str).is_some_and(|name| name.ends_with(of_type)) {
                found.push(map);
            }
            map.values().for_each(|value| collect(value, of_type, depth + 1, found));
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, of_type, depth + 1, found)),
        _ => {}
    }
}

/// Finds text below the first member of a name in the dump's list of configurations.
fn find_text<'a>(dump: &'a Value, path: &[&str]) -> Option<&'a str> {
    let configs = dump.get("configs")?.as_array()?;
    configs.iter().find_map(|config| path.iter().try_fold(config, |value, key| value.get(key))?.as_str())
}

const HTTP_CONNECTION_MANAGER: &str = ".HttpConnectionManager";
/// What an effect is made of, and what is missing without it.
const OPERATORS: [(&str, &str); 4] = [
    ("REQ(X-REQUEST-ID)", "no effect is joined to its decision"),
    ("DOWNSTREAM_PEER_FINGERPRINT_256", "no effect is joined to a certificate"),
    ("RESPONSE_CODE", "nobody knows what became of a request"),
    ("START_TIME", "nobody knows when it was"),
];
