//! What statuses told becomes records.

use ciborium::Value;
use govlog_formats::digest::Digest;

use super::{Activation, Finding, Gap};
use crate::adapter::Kept;
use crate::opa::bundle::{Policies, governed_by, scheme_digest};
use crate::opa::draft::{Map, drafted, put};
use crate::opa::{Group, SYSTEM};
use crate::seal::{Draft, Sealer};

/// The id of the check that a silent stream fails.
const CHECK: &str = "opa-silent-stream";

/// Makes an `activation`.
///
/// # Errors
///
/// It is none that this program wrote, or too long for a record.
pub fn activation(event: &Kept<'_>, group: &Group, known: &Policies, mut sealer: Sealer<'_>) -> Result<Draft, String> {
    let told: Activation = read(event)?;
    let table = group.bundles().iter().find(|table| table.name() == told.bundle);
    let policy: Option<Digest> = known.find(&told.bundle, &told.revision);
    let event_ms = told.to_ms.or(told.from_ms).ok_or("an activation without a time")?;
    let mut map = begun(event_ms.into(), source(&told.instance, told.version, &told.native_id));
    put(&mut map, "op", Some(if told.is_retired { "retire" } else { "activate" }));
    put(&mut map, "pdp", Some(pdp(group, &told.instance)));
    put(&mut map, "uri", table.and_then(|table| table.uri()));
    put(&mut map, "learned", Some("status"));
    for (key, time) in [("from_ms", told.from_ms), ("to_ms", told.to_ms)] {
        if let Some(time) = time {
            map.push((key.into(), time.into()));
        }
    }
    if let Some(policy) = &policy {
        map.push(("policy_digest".into(), scheme_digest(policy).to_value()));
        map.push(("links".into(), Value::Array(vec![governed_by(policy).to_value()])));
    }
    if let Some(trouble) = told.trouble {
        // Messages name addresses, and what is in them.
        let trouble = Value::Array(vec![Value::Bytes(trouble.into_bytes())]);
        map.push(("errors".into(), sealer.seal("errors", trouble)));
    }
    let sub = table.map_or_else(|| format!("policy:{}", told.bundle), |table| table.subject());
    put(&mut map, "name", Some(told.bundle));
    put(&mut map, "revision", Some(told.revision));
    drafted("activation", Some(sub), map, sealer)
}

/// Says whether a revision that came into force is not known of a bundle that is read.
pub(in crate::opa) fn awaits(event: &Kept<'_>, known: &Policies) -> bool {
    read::<Activation>(event).is_ok_and(|told| known.awaits(&told.bundle, &told.revision))
}

/// Makes a `gap`, which is about its stream.
///
/// # Errors
///
/// As [`activation`].
pub fn gap(event: &Kept<'_>, group: &Group, sealer: Sealer<'_>) -> Result<Draft, String> {
    let told: Gap = read(event)?;
    let mut map = begun(told.to_ms.into(), source(&told.instance, told.version, &told.native_id));
    put(&mut map, "cause", Some(told.cause));
    // OPA itself counts them.
    put(&mut map, "declared_by", Some(pdp(group, &told.instance)));
    put(&mut map, "counter", Some(told.counter));
    map.push(("to_ms".into(), told.to_ms.into()));
    for (key, number) in [("from_ms", told.from_ms), ("count", told.count)] {
        if let Some(number) = number {
            map.push((key.into(), number.into()));
        }
    }
    drafted("gap", None, map, sealer)
}

/// Makes a `finding`: that a stream is silent, or speaks again.
///
/// # Errors
///
/// As [`activation`].
pub fn finding(event: &Kept<'_>, group: &Group, sealer: Sealer<'_>) -> Result<Draft, String> {
    let told: Finding = read(event)?;
    let event_ms = told.until_ms.unwrap_or(told.now_ms);
    let mut map = begun(event_ms.into(), source(&told.instance, told.version, &told.native_id));
    let (verdict, reason) = match (told.until_ms, told.asked) {
        (Some(_), _) => ("pass", "decisions come again; whether all of the silence came is not known"),
        (None, Some(_)) => (
            "fail",
            "OPA answered questions and reports its status, but sent no decisions; or a drop rule dropped all of them",
        ),
        (None, None) => (
            "unverifiable",
            "OPA reports its status and sent no decisions; whether it was asked anything its status does not say",
        ),
    };
    let mut details: Map = vec![("silent_since_ms".into(), told.since_ms.into())];
    for (key, number) in [("answered_since", told.asked), ("spoke_again_ms", told.until_ms)] {
        if let Some(number) = number {
            details.push((key.into(), number.into()));
        }
    }
    put(&mut details, "instance", Some(told.instance.as_str()));
    map.push(("details".into(), Value::Map(details)));
    put(&mut map, "check", Some(CHECK));
    put(&mut map, "verdict", Some(verdict));
    put(&mut map, "reason", Some(reason));
    put(&mut map, "tool", Some("govlog-agent"));
    put(&mut map, "tool_version", Some(env!("CARGO_PKG_VERSION")));
    let subject = subject(group, &told.instance);
    put(&mut map, "subject", Some(subject.as_str()));
    drafted("finding", Some(subject), map, sealer)
}

/// Whom a finding about an instance is about, in the form that every subject of a record has.
#[must_use]
pub fn subject(group: &Group, instance: &str) -> String {
    let pdp = pdp(group, instance);
    if pdp.contains([':', '/']) { pdp } else { format!("pdp:{pdp}") }
}

/// Who decides, as decisions name it.
fn pdp(group: &Group, instance: &str) -> String {
    group.pdp().map_or_else(|| format!("opa/{instance}"), str::to_owned)
}

fn begun(event_ms: Value, source: Value) -> Map {
    vec![
        ("v".into(), 1.into()),
        ("event_ms".into(), event_ms),
        ("source".into(), source),
        ("assurance".into(), "adapter-signed".into()),
    ]
}

fn source(instance: &str, version: Option<String>, native_id: &str) -> Value {
    let mut source: Map = vec![("system".into(), SYSTEM.into())];
    put(&mut source, "version", version);
    put(&mut source, "instance", Some(instance));
    put(&mut source, "native_id", Some(native_id));
    Value::Map(source)
}

fn read<T: serde::de::DeserializeOwned>(event: &Kept<'_>) -> Result<T, String> {
    serde_json::from_slice(event.bytes)
        .map_err(|_| "what a status told, in another form than this version writes".to_owned())
}
