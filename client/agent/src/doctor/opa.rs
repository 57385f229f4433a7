//! OPA's side, from `GET /v1/config`.

use std::time::Duration;

use serde_json::Value;

use super::{ok, wrong};
use crate::check::Finding;

pub(super) const WHAT: &str = "OPA";

/// Says what is wrong with the configuration of an OPA whose decisions are to come here. `prefixes`: where this agent takes uploads; `settle`:
/// how long effects wait for them, where there are any.
#[must_use]
pub fn judge(config: &Value, prefixes: &[&str], settle: Option<Duration>) -> Vec<Finding> {
    let Some((service, url)) = service(config, prefixes) else {
        let known = prefixes.join(", ");
        return vec![wrong(
            WHAT,
            format!("none of its services has a url that ends with {known}: nothing is sent here"),
        )];
    };
    let mut findings = vec![ok(WHAT, format!("its service {service} is {url}"))];
    findings.extend(decision_logs(config, service, settle));
    findings.extend(status(config, service));
    findings.extend(bundles(config));
    findings
}

/// Finds the service that leads to this agent. OPA prints services as a map, and takes a list as well.
fn service<'a>(config: &'a Value, prefixes: &[&str]) -> Option<(&'a str, &'a str)> {
    let leads_here = |url: &str| prefixes.iter().any(|prefix| url.trim_end_matches('/').ends_with(prefix));
    let services = config.get("services")?;
    let named: Vec<(&str, &Value)> = match services {
        Value::Object(map) => map.iter().map(|(name, service)| (name.as_str(), service)).collect(),
        Value::Array(list) => {
            list.iter().filter_map(|service| Some((service.get("name")?.as_str()?, service))).collect()
        }
        _ => return None,
    };
    let url = |service: &'a Value| service.get("url").and_then(Value::as_str);
    named.into_iter().find_map(|(name, service)| Some((name, url(service).filter(|url| leads_here(url))?)))
}

fn decision_logs(config: &Value, service: &str, settle: Option<Duration>) -> Vec<Finding> {
    let Some(logs) = config.get("decision_logs") else {
        return vec![wrong(WHAT, "it has no decision_logs: no decision is sent anywhere")];
    };
    let mut findings = Vec::new();
    if text(logs, "service").is_some_and(|named| named != service) || logs.get("plugin").is_some() {
        findings.push(wrong(WHAT, format!("decision_logs.service is not {service}: decisions go elsewhere; `forward` in [[opa]] sends them on there")));
    }
    if let Some(resource) = text(logs, "resource").filter(|resource| resource.trim_matches('/') != "logs") {
        findings.push(wrong(WHAT, format!("decision_logs.resource is {resource}, should be /logs")));
    }
    findings.extend(reporting(logs.get("reporting").unwrap_or(&Value::Null), settle));
    let headers = logs.pointer("/request_context/http/headers").and_then(Value::as_array);
    let has = |name: &&&str| {
        headers.is_some_and(|list| list.iter().filter_map(Value::as_str).any(|h| h.eq_ignore_ascii_case(name)))
    };
    let missing: Vec<&str> = HEADERS.iter().filter(|name| !has(name)).copied().collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        findings.push(wrong(WHAT, format!("decision_logs.request_context.http.headers lacks {missing}: decisions are not joined to certificate, effect or trace")));
    }
    if config.get("nd_builtin_cache") != Some(&Value::Bool(true)) {
        findings.push(wrong(
            WHAT,
            "nd_builtin_cache is not true: decisions that asked the clock or another system cannot be replayed",
        ));
    }
    if findings.is_empty() {
        findings.push(ok(WHAT, "its decision log comes here, in time and with what joins it"));
    }
    findings
}

/// When it uploads, and how much.
fn reporting(reporting: &Value, settle: Option<Duration>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match text(reporting, "trigger").unwrap_or("periodic") {
        "periodic" => {}
        "immediate" => findings.push(wrong(
            WHAT,
            "decision_logs.reporting.trigger is immediate: after one failed upload it may never send a chunk that is not full; use periodic",
        )),
        other => findings.push(wrong(WHAT, format!("decision_logs.reporting.trigger is {other}: nothing is sent; use periodic"))),
    }
    let most = reporting.get("max_delay_seconds").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_DELAY_S);
    if most > MAX_DELAY_S {
        findings.push(wrong(
            WHAT,
            format!("decision_logs.reporting.max_delay_seconds is {most}: a crash loses as much; set min_delay_seconds = 1, max_delay_seconds = 5"),
        ));
    } else if let Some(settle) = settle.map(|settle| settle.as_secs()).filter(|settle| *settle <= most) {
        findings.push(wrong(
            WHAT,
            format!("decision_logs.reporting.max_delay_seconds is {most}, settle_s of an [[envoy]] {settle}: its decisions always look late, and lines wait for them up to settle_most_s; set settle_s above it"),
        ));
    }
    if let Some(limit) = reporting.get("max_decisions_per_second").filter(|limit| !limit.is_null()) {
        findings.push(wrong(
            WHAT,
            format!("decision_logs.reporting.max_decisions_per_second is {limit}: what is beyond is dropped"),
        ));
    }
    findings
}

fn status(config: &Value, service: &str) -> Option<Finding> {
    let to = config.get("status").and_then(|status| text(status, "service"));
    (to != Some(service)).then(|| {
        wrong(
            WHAT,
            format!("status.service is not {service}: what it drops, and which policy it activates, is not seen here"),
        )
    })
}

fn bundles(config: &Value) -> Vec<Finding> {
    let Some(bundles) = config.get("bundles").and_then(Value::as_object) else {
        return vec![wrong(WHAT, "it has no bundles: nothing says by which policy it decides")];
    };
    let unsigned = bundles.iter().filter(|(_, bundle)| bundle.get("signing").is_none_or(Value::is_null));
    let unsigned: Vec<&str> = unsigned.map(|(name, _)| name.as_str()).collect();
    if unsigned.is_empty() {
        return vec![ok(
            WHAT,
            format!("its bundles are verified: {}", bundles.keys().cloned().collect::<Vec<_>>().join(", ")),
        )];
    }
    vec![wrong(
        WHAT,
        format!("bundles {} have no signing: whoever serves them can change the policy", unsigned.join(", ")),
    )]
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// What joins a decision: to its trace, to its effect, to the certificate of who asked.
const HEADERS: [&str; 3] = ["traceparent", "x-request-id", "x-forwarded-client-cert"];
/// OPA's default (ecosystem of 1.22): ten minutes.
const DEFAULT_MAX_DELAY_S: u64 = 600;
/// More is a long time not to know, and to lose in a crash.
const MAX_DELAY_S: u64 = 60;
