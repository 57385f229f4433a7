//! One line for each kind: what a record says, as a sentence with places for its fields.
//!
//! In a phrase `{path}` is a field's value, `-` if it is not recorded, `(sealed)` if it is sealed. What stands between `[` and `]` is left
//! out when one of its fields is not recorded. A field whose name ends in `_ms` is a time.

use ciborium::Value;
use govlog_formats::record::{Body, Handle, LinkTarget, Record, Recorded};
use govlog_formats::visible::visible;

use crate::time;

/// The kinds with what each says; `admission-policy` is shown by `govlog admission show`.
const PHRASES: [(&str, &str); 23] = [
    ("policy", "published {engine} {name}[ {version}][, {policy_digest}][, by {author}]"),
    ("activation", "{op}[ {name}][ {policy_digest}] at {pdp}[ from {from_ms}][ until {to_ms}]"),
    (
        "approval",
        "{decision}: {type} of {approved} by {approver}[ ({method})][, {reason_code}][, until {expires_ms}][, thread {thread}]",
    ),
    (
        "ownership",
        "{owner} answers for {prefix}[, {environment}][, roles {roles}][, review by {review_ms}][, leaves {offboard_ms}]",
    ),
    (
        "agent",
        "{agent_id}[ version {version}][, model {model.id}][, sponsor {sponsor}][, runs as {runs_as}][, autonomy: {autonomy}]",
    ),
    (
        "registration",
        "{op} entry {entry_id}[ revision {revision}][ for {subject}][ under {parent}][, until {expires_ms}]",
    ),
    ("attestation", "{result}: {subject} by {method}[ ({strength})]"),
    ("issuance", "{stage} {credential_type} for {subject}[, until {not_after_ms}][: {reason}]"),
    ("signing-key", "{op} key {key_id}[ of {issuer}][, until {not_after_ms}][: {reason}]"),
    (
        "revocation",
        "{target_type} {target}[ of {subject}] from {effective_ms}[, everywhere by {propagate_by_ms}][, by {revoked_by}][: {reason}]",
    ),
    ("federation", "{op} {domain}[, bundle {bundle_digest}][, sequence {sequence}]"),
    (
        "delegation",
        "{delegator.id} lets {delegate.id} act[: {scope}][ on {resources}][, until {expires_ms}][, further hops {max_hops}]",
    ),
    ("decision", "{result}: {action.name} {resource.type} {resource.id}"),
    ("decision-batch", "{count} decisions from {from_ms} to {to_ms}[ by {pdp}]"),
    ("effect", "{outcome}[: decision {decision_id}] by {performer}[: {method} {resource.id}]"),
    ("observation", "saw {observed}[ of {domain}][ at {where}][, by {observer}]"),
    ("stream", "{op} by {instance}, next position {next_seq}"),
    ("gap", "{cause}[, {count} events][, from {from_ms}][ to {to_ms}][, declared by {declared_by}]"),
    ("quarantine", "{reason}[, {size} bytes]"),
    ("redaction", "{rule}[, {legal_basis}][ in {store}][ at {destroyed_ms}]"),
    ("finding", "{verdict}: check {check}[, by {auditor}][: {reason}]"),
    ("custody", "{op}[ of {case}][ by {collector}][ to {recipient}][: {purpose}]"),
    ("anchor", "{relation} {origin}[, epoch {epoch}]"),
];

/// The kind and what the record says, on one line whatever its issuer wrote.
pub(super) fn phrase(record: &Record) -> Option<(&'static str, String)> {
    let body = record.body()?;
    let (kind, phrase) = PHRASES.into_iter().find(|(kind, _)| *kind == record.kind())?;
    let mut said = String::new();
    let mut rest = phrase;
    while let Some((before, after)) = rest.split_once('[') {
        said.push_str(&fill(body, before).0);
        let (group, tail) = after.split_once(']').unwrap_or((after, ""));
        let (text, complete) = fill(body, group);
        if complete {
            said.push_str(&text);
        }
        rest = tail;
    }
    said.push_str(&fill(body, rest).0);
    Some((kind, said))
}

/// Fills in the fields of a part; says whether all of them are recorded.
fn fill(body: &Body, part: &str) -> (String, bool) {
    let (mut text, mut complete, mut rest) = (String::new(), true, part);
    while let Some((before, after)) = rest.split_once('{') {
        let (path, tail) = after.split_once('}').unwrap_or((after, ""));
        let path: Vec<&str> = path.split('.').collect();
        text.push_str(before);
        match body.at(&path) {
            Recorded::Present(value) => text.push_str(&word(path.last().copied().unwrap_or_default(), value)),
            Recorded::Sealed(_) => text.push_str(SEALED),
            Recorded::Absent => {
                complete = false;
                text.push('-');
            }
        }
        rest = tail;
    }
    text.push_str(rest);
    (text, complete)
}

/// Writes a value in a word or a few.
fn word(name: &str, value: &Value) -> String {
    let uint = || value.as_integer().and_then(|number| u64::try_from(number).ok());
    match value {
        Value::Text(text) => visible(text),
        Value::Integer(_) if name.ends_with("_ms") => time::utc(uint().unwrap_or_default() / 1000),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::Bool(value) => value.to_string(),
        // A sealed part of a list or map.
        Value::Tag(..) => SEALED.to_owned(),
        Value::Array(_) if name.ends_with("_digest") => words(value, ":"),
        Value::Array(_) => words(value, ", "),
        Value::Map(_) => match LinkTarget::from_value(value) {
            Some(LinkTarget::Handle(handle)) => handle.to_string(),
            Some(LinkTarget::Entry(leaf)) => format!("leaf {leaf}"),
            Some(LinkTarget::LogRef { origin, index, .. }) => format!("entry {index} of {}", visible(&origin)),
            None => map(value),
        },
        _ => "-".to_owned(),
    }
}

fn words(value: &Value, between: &str) -> String {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| word("", item)).collect::<Vec<_>>().join(between)
}

/// A resource is its type and id; of any other map the key tells what the value is.
fn map(value: &Value) -> String {
    let pairs = value.as_map().map(Vec::as_slice).unwrap_or_default();
    let of = |key: &str| pairs.iter().find(|(name, _)| name.as_text() == Some(key)).map(|(_, value)| word(key, value));
    if let (Some(kind), Some(id)) = (of("type"), of("id")) {
        return format!("{kind} {id}");
    }
    let pair = |(key, value): &(Value, Value)| match key.as_text() {
        Some("id") => word("id", value),
        Some("handle") => Handle::from_value(value).map_or_else(|| SEALED.to_owned(), |handle| handle.to_string()),
        key => format!("{} {}", visible(key.unwrap_or_default()), word(key.unwrap_or_default(), value)),
    };
    pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
}

const SEALED: &str = "(sealed)";

#[cfg(test)]
mod tests {
    use govlog_formats::record::{KINDS, view};

    use super::*;

    fn example(kind: &str) -> String {
        let path = format!("{}/../formats/examples/{kind}.json", env!("CARGO_MANIFEST_DIR"));
        let view = view::parse_text(&std::fs::read_to_string(path).unwrap()).unwrap();
        let record = Record::parse(kind, &view::from_json(kind, &view).unwrap()).unwrap();
        phrase(&record).unwrap().1
    }

    #[test]
    fn every_kind_says_something_on_one_line() {
        for kind in KINDS.into_iter().filter(|kind| *kind != "admission-policy") {
            let said = example(kind);
            assert!(!said.is_empty() && !said.contains(['{', '}', '[', ']', '\n']), "{kind}: {said}");
        }
    }

    #[test]
    fn what_people_sign_is_said_in_full() {
        assert_eq!(
            example("approval"),
            "approve: change of payload 8ebdd66e76fc09e42fb7911fb88eab24970c273053aa548aa89d1c2033664967 by person-91c0 (cli), CHG-2041, \
             until 2026-11-23T04:06:40Z, thread CHG-2041"
        );
        assert_eq!(
            example("revocation"),
            "credential tbs_s256 e9aa25946a8eb5746728ed47ff7d7d228f911842a393d47e774ab4ef8f4d7bcf of spiffe://prod.example/pay from \
             2026-11-22T04:15:40Z, everywhere by 2026-11-22T04:20:40Z, by person-91c0: the node's disk was copied"
        );
        assert_eq!(
            example("delegation"),
            "person-7f3a lets spiffe://prod.example/agent/ledger-assistant act: ledger:read on account acct-5, until \
             2026-11-22T04:34:40Z, further hops 0"
        );
        assert!(
            example("agent")
                .starts_with("ledger-assistant version 14, model assistant-large-2026-09, sponsor team-ledger")
        );
    }

    #[test]
    fn what_is_sealed_or_not_recorded_is_said_so() {
        let record = |view: serde_json::Value| {
            Record::parse("ownership", &view::from_json("ownership", &view).unwrap()).unwrap()
        };
        let sealed = serde_json::json!({ "$sealed": "A".repeat(43) });
        let view = serde_json::json!({ "v": 1, "event_ms": 1, "prefix": "spiffe://a/\u{202e}b", "owner": sealed, "environment": "x" });
        assert_eq!(phrase(&record(view)).unwrap().1, "(sealed) answers for spiffe://a/\\u{202e}b, x");
    }
}
