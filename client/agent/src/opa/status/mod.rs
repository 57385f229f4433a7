//! A status upload: what OPA counts of itself, and which bundles it has.
//!
//! Decisions bear no sequence number, so the counters are how one learns that some never came: the heartbeats of a stream repeat them.

use std::collections::BTreeMap;

use super::event::{bounded_text, instance};
use super::upload::Refused;
use crate::json::{self, JsonError, Kind, Object, RawValue};

#[cfg(test)]
mod tests;

/// The most bytes a status upload may have. One with all metrics of the Go runtime has 60 kB.
pub const MAX_STATUS_BYTES: usize = 4 * 1024 * 1024;

/// The most counters that are taken: OPA has fewer than thirty of decision logs.
const MAX_COUNTERS: usize = 128;

/// The most bundles that are taken.
const MAX_BUNDLES: usize = 256;

/// The most bytes a name, a revision or a message may have.
const MAX_TEXT_BYTES: usize = 2048;

/// The most bytes of what went wrong with a bundle.
const MAX_TROUBLE_BYTES: usize = 8 * 1024;

/// Members of a bundle's status that say what went wrong.
const TROUBLE: [&str; 4] = ["code", "message", "http_code", "errors"];

/// The histogram of requests, by handler, method and code.
const REQUESTS: &str = "http_request_duration_seconds";

/// The handlers whose requests make decisions, and so events of the decision log. `health` makes none.
const QUESTIONS: [&str; 6] = ["v0/data", "v1/data", "v1/batch/data", "v1/query", "v1/compile", "index"];

/// The most series of one metric, and labels of one series.
const MAX_SERIES: usize = 1024;

/// What the name of a counter of decision logs contains, with `counter_` in front or without.
const OF_DECISION_LOGS: &str = "decision_logs";

/// What an OPA instance says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Which OPA: `labels.id`.
    pub instance: String,
    /// Of which version it is: `labels.version`.
    pub version: Option<String>,
    /// Its counters of decision logs, by OPA's names, as `counter_decision_logs_dropped_rate_limit_exceeded`. A counter that OPA never
    /// touched is not there. Each counts from the start of the process.
    pub counters: BTreeMap<String, u64>,
    /// What is active of each bundle; a bundle that nothing was activated of is not there.
    pub bundles: BTreeMap<String, Loaded>,
    /// How many questions OPA's HTTP interface has answered that make decisions, since the process began. None: its metrics do not say.
    pub asked: Option<u64>,
    /// `decision_logs.code`: there where the last upload failed.
    pub code: Option<String>,
    /// `decision_logs.message`.
    pub message: Option<String>,
    /// `decision_logs.http_code`, as the number's text.
    pub http_code: Option<String>,
}

/// What an instance has loaded of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// `active_revision`.
    pub revision: String,
    /// `last_successful_activation`, as OPA writes it. It moves whenever a bundle is loaded anew, with the same revision too.
    pub activated: Option<String>,
    /// What went wrong with the bundle last, as an object of OPA's own members.
    pub trouble: Option<String>,
}

/// Reads a status upload, unpacked. Members it does not know are passed over.
///
/// # Errors
///
/// It is too long, no JSON object, names no instance, or a member that is taken has another form.
pub fn status(bytes: &[u8]) -> Result<Status, Refused> {
    if bytes.len() > MAX_STATUS_BYTES {
        return Err(Refused::Body { found: bytes.len(), most: MAX_STATUS_BYTES });
    }
    let whole = json::value(bytes).and_then(Object::parse).map_err(at("status"))?;
    let mut status = Status {
        instance: instance(&whole)?,
        version: object(&whole, "labels", "labels")?
            .map(|labels| text(&labels, "version", "labels.version"))
            .transpose()?
            .flatten(),
        counters: BTreeMap::new(),
        bundles: bundles(&whole)?,
        asked: None,
        code: None,
        message: None,
        http_code: None,
    };
    // By provider: `metrics.prometheus` as a rule.
    if let Some(providers) = object(&whole, "metrics", "metrics")? {
        for (provider, metrics) in providers.members() {
            if provider == "prometheus" {
                status.asked = asked(metrics);
            }
            count(&mut status.counters, metrics, &format!("metrics.{}", json::excerpt(provider)))?;
        }
    }
    if let Some(logs) = object(&whole, "decision_logs", "decision_logs")? {
        if let Some(metrics) = member(&logs, "metrics") {
            count(&mut status.counters, metrics, "decision_logs.metrics")?;
        }
        status.code = text(&logs, "code", "decision_logs.code")?;
        status.message = text(&logs, "message", "decision_logs.message")?;
        status.http_code = number(&logs, "http_code", "decision_logs.http_code")?;
    }
    Ok(status)
}

fn bundles(whole: &Object<'_>) -> Result<BTreeMap<String, Loaded>, Refused> {
    let mut revisions = BTreeMap::new();
    let Some(bundles) = object(whole, "bundles", "bundles")? else { return Ok(revisions) };
    for (name, bundle) in bundles.members() {
        let at = format!("bundles.{}", json::excerpt(name));
        let Some(bundle) = present(bundle) else { continue };
        let bundle = Object::parse(bundle).map_err(self::at(&at))?;
        let Some(revision) = text(&bundle, "active_revision", &format!("{at}.active_revision"))? else { continue };
        if name.len() > MAX_TEXT_BYTES {
            return Err(Refused::Length { at, found: name.len(), most: MAX_TEXT_BYTES });
        }
        if revisions.len() == MAX_BUNDLES {
            return Err(Refused::Json { at: "bundles".to_owned(), problem: JsonError::Members(MAX_BUNDLES) });
        }
        let activated = text(&bundle, "last_successful_activation", &format!("{at}.last_successful_activation"))?;
        let trouble =
            bundle.select(|member| TROUBLE.contains(&member) && bundle.get(member).and_then(present).is_some());
        let trouble =
            String::from_utf8(trouble).ok().filter(|trouble| trouble != "{}" && trouble.len() <= MAX_TROUBLE_BYTES);
        revisions.insert(name.to_string(), Loaded { revision, activated, trouble });
    }
    Ok(revisions)
}

/// Takes the counters of decision logs among metrics. Timers and histograms have other forms than a whole number, and are passed over.
fn count(counters: &mut BTreeMap<String, u64>, metrics: &RawValue, at: &str) -> Result<(), Refused> {
    if json::kind(metrics) != Kind::Object {
        return Ok(());
    }
    let metrics = Object::parse(metrics).map_err(self::at(at))?;
    for (name, value) in metrics.members().filter(|(name, _)| name.contains(OF_DECISION_LOGS)) {
        let Ok(value) = value.get().parse::<u64>() else { continue };
        if name.len() > MAX_TEXT_BYTES {
            return Err(Refused::Length { at: at.to_owned(), found: name.len(), most: MAX_TEXT_BYTES });
        }
        if counters.len() == MAX_COUNTERS && !counters.contains_key(&**name) {
            return Err(Refused::Json { at: at.to_owned(), problem: JsonError::Members(MAX_COUNTERS) });
        }
        // OPA may show one counter in two places, read one after the other: the greater is the later.
        let counter = counters.entry(name.to_string()).or_default();
        *counter = value.max(*counter);
    }
    Ok(())
}

/// Sums up the requests that make decisions. Without any the metric is not there; other forms than OPA's tell nothing.
fn asked(metrics: &RawValue) -> Option<u64> {
    let metrics = Object::parse(metrics).ok()?;
    let Some(requests) = metrics.get(REQUESTS) else { return Some(0) };
    let series = Object::parse(requests).ok()?.get("metric")?;
    let mut sum = 0_u64;
    for series in json::array(series, MAX_SERIES).ok()? {
        let series = Object::parse(series).ok()?;
        if is_question(series.get("label")?)? {
            // A count of 64 bits is text in this form of JSON.
            let count = Object::parse(series.get("histogram")?).ok()?.get("sampleCount")?;
            sum = sum.checked_add(count.get().trim_matches('"').parse().ok()?)?;
        }
    }
    Some(sum)
}

/// Whether labels are those of answered questions: `GET` and `POST` of data and queries.
fn is_question(labels: &RawValue) -> Option<bool> {
    let mut of = (String::new(), String::new());
    for label in json::array(labels, MAX_SERIES).ok()? {
        let label = Object::parse(label).ok()?;
        let value = json::text(label.get("value")?).ok()?.into_owned();
        match &*json::text(label.get("name")?).ok()? {
            "handler" => of.0 = value,
            "code" => of.1 = value,
            _ => {}
        }
    }
    let (handler, code) = of;
    Some(QUESTIONS.contains(&handler.as_str()) && matches!(code.as_str(), "200" | "500"))
}

/// Finds a member; `null` is none.
fn member<'a>(object: &Object<'a>, name: &str) -> Option<&'a RawValue> {
    object.get(name).and_then(present)
}

fn present(raw: &RawValue) -> Option<&RawValue> {
    Some(raw).filter(|raw| json::kind(raw) != Kind::Null)
}

fn object<'a>(whole: &Object<'a>, name: &str, at: &str) -> Result<Option<Object<'a>>, Refused> {
    member(whole, name).map(Object::parse).transpose().map_err(self::at(at))
}

/// Reads text; the empty one is none, as OPA leaves it out too.
fn text(object: &Object<'_>, name: &str, at: &str) -> Result<Option<String>, Refused> {
    let given = member(object, name).filter(|raw| raw.get() != "\"\"");
    given.map(|raw| bounded_text(raw, at, MAX_TEXT_BYTES)).transpose()
}

/// Reads a number as its text.
fn number(object: &Object<'_>, name: &str, at: &str) -> Result<Option<String>, Refused> {
    let Some(raw) = member(object, name) else { return Ok(None) };
    match (json::kind(raw), raw.get().len()) {
        (Kind::Number, 1..=MAX_TEXT_BYTES) => Ok(Some(raw.get().to_owned())),
        (Kind::Number, found) => Err(Refused::Length { at: at.to_owned(), found, most: MAX_TEXT_BYTES }),
        (found, _) => Err(self::at(at)(JsonError::Kind { found, expected: Kind::Number })),
    }
}

fn at(at: &str) -> impl Fn(JsonError) -> Refused {
    let at = at.to_owned();
    move |problem| Refused::Json { at: at.clone(), problem }
}
