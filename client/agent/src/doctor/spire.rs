//! SPIRE's side, from the end of its server's log.

use serde_json::Value;

use super::{ok, wrong};
use crate::check::Finding;

const WHAT: &str = "SPIRE server";

/// Says what is wrong with the log of a SPIRE server, from its last part. A first line that is cut off is passed over.
#[must_use]
pub fn judge(path: &str, end: &[u8]) -> Vec<Finding> {
    let lines: Vec<&[u8]> = end.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let parsed: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect();
    if lines.is_empty() {
        return vec![wrong(WHAT, format!("{path} is empty; is log_file in its server {{ }} this file?"))];
    }
    if parsed.is_empty() {
        return vec![wrong(WHAT, format!("{path}: no line is JSON; set log_format = \"json\""))];
    }
    let has = |key: &str, value: &str| parsed.iter().any(|line| line.get(key).and_then(Value::as_str) == Some(value));
    let mut findings = Vec::new();
    if !has("type", "audit") {
        findings.push(wrong(WHAT, format!("{path}: there is no audit line; set audit_log_enabled = true")));
    }
    if !has("level", "debug") {
        let why = "serial numbers of certificates are only logged at debug level; set log_level = \"DEBUG\"";
        findings.push(wrong(WHAT, format!("{path}: there is no line of level debug: {why}")));
    }
    if findings.is_empty() {
        findings.push(ok(WHAT, format!("{path} has audit lines and debug lines")));
    }
    findings
}
