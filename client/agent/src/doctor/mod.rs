//! What is misconfigured on the other side: the systems whose events come here, asked for the configuration that they run with.
//!
//! [`check`] looks at this agent alone. Most of what goes wrong goes wrong silently at the source: an OPA that uploads too late,
//! an Envoy whose log has no request id, a SPIRE that logs no audit lines. Nothing is changed here, and nothing is sent but questions.
//!
//! Trust: none is needed. What a system answers is data; the worst it can do is to look well.

mod envoy;
mod opa;
mod spire;
#[cfg(test)]
mod tests;

pub use envoy::{AccessLog, judge as judge_envoy};
pub use opa::judge as judge_opa;
pub use spire::judge as judge_spire;

use std::path::Path;
use std::time::Duration;

use govlog_client::source::{Outbound, Source};
use serde_json::Value;

use crate::check::{self, Finding};
use crate::config::Config;

/// Where the systems on the other side answer questions about themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Addresses of OPAs: their own HTTP interface.
    pub opa: Vec<String>,
    /// Addresses of Envoys' admin interfaces.
    pub envoy: Vec<String>,
}

/// Tries everything that [`check`](check::check()) tries, then asks the other side.
#[must_use]
pub fn doctor(path: &Path, others: &Others) -> Vec<Finding> {
    let mut findings = check::check(path);
    // That it cannot be read is among the findings.
    let Ok(config) = Config::load(path) else { return findings };
    let outbound = Outbound::default();
    let prefixes: Vec<&str> = config.groups.iter().map(|group| group.prefix()).collect();
    findings.extend(others.opa.iter().flat_map(|url| ask_opa(url, &outbound, &prefixes, config.settle())));
    let logs: Vec<AccessLog> = config
        .envoys
        .iter()
        .map(|envoy| AccessLog { path: envoy.log.display().to_string(), node: envoy.node.clone() })
        .collect();
    findings.extend(others.envoy.iter().flat_map(|url| ask_envoy(url, &outbound, &logs)));
    if others.opa.is_empty() {
        findings.push(ok(opa::WHAT, "not asked: --opa http://127.0.0.1:8181 does"));
    }
    if others.envoy.is_empty() && !logs.is_empty() {
        findings.push(ok(envoy::WHAT, "not asked: --envoy with the address of its admin interface does"));
    }
    findings
}

/// Asks an OPA for its configuration and says what is wrong with it. `prefixes` and `settle` as [`judge_opa`] takes them.
#[must_use]
pub fn ask_opa(url: &str, outbound: &Outbound, prefixes: &[&str], settle: Option<Duration>) -> Vec<Finding> {
    match ask(url, outbound, "v1/config") {
        Ok(answer) => opa::judge(answer.get("result").unwrap_or(&answer), prefixes, settle),
        Err(why) => vec![wrong(opa::WHAT, format!("{url}/v1/config: {why}"))],
    }
}

/// Asks an Envoy's admin interface for its configuration and says what is wrong with it.
#[must_use]
pub fn ask_envoy(url: &str, outbound: &Outbound, logs: &[AccessLog]) -> Vec<Finding> {
    match ask(url, outbound, "config_dump") {
        Ok(answer) => envoy::judge(&answer, logs),
        Err(why) => vec![wrong(envoy::WHAT, format!("{url}/config_dump: {why}"))],
    }
}

fn ask(url: &str, outbound: &Outbound, path: &str) -> Result<Value, String> {
    let source = Source::open_as(url, outbound).map_err(|error| error.to_string())?;
    let body = source.get(path, MAX_ANSWER_BYTES).map_err(|error| error.to_string())?;
    let body = body.ok_or("there is no such path; is this its own address, and not that of a service behind it?")?;
    serde_json::from_slice(&body).map_err(|error| format!("the answer is no JSON: {error}"))
}

fn ok(what: &'static str, found: impl Into<String>) -> Finding {
    Finding { what, found: found.into(), wrong: None }
}

fn wrong(what: &'static str, why: impl Into<String>) -> Finding {
    Finding { what, found: String::new(), wrong: Some(why.into()) }
}

/// A configuration dump of an Envoy in a large mesh has tens of MiB.
const MAX_ANSWER_BYTES: usize = 256 * 1024 * 1024;
