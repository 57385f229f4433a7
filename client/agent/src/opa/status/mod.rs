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

/// What the name of a counter of decision logs contains, with `counter_` in front or without.
const OF_DECISION_LOGS: &str = "decision_logs";

/// What an OPA instance says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// Which OPA: `labels.id`.
    pub instance: String,
    /// Its counters of decision logs, by OPA's names, as `counter_decision_logs_dropped_rate_limit_exceeded`. A counter that OPA never
    /// touched is not there. Each counts from the start of the process.
    pub counters: BTreeMap<String, u64>,
    /// The revision of each bundle that is active; a bundle that none was activated of is not there.
    pub bundles: BTreeMap<String, String>,
    /// `decision_logs.code`: there where the last upload failed.
    pub code: Option<String>,
    /// `decision_logs.message`.
    pub message: Option<String>,
    /// `decision_logs.http_code`, as the number's text.
    pub http_code: Option<String>,
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
        counters: BTreeMap::new(),
        bundles: bundles(&whole)?,
        code: None,
        message: None,
        http_code: None,
    };
    // By provider: `metrics.prometheus` as a rule.
    if let Some(providers) = object(&whole, "metrics", "metrics")? {
        for (provider, metrics) in providers.members() {
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

fn bundles(whole: &Object<'_>) -> Result<BTreeMap<String, String>, Refused> {
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
        revisions.insert(name.to_string(), revision);
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
