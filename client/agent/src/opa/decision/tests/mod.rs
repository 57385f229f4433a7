//! Tests of events becoming records.

mod bounds;
mod headers;
mod mapped;

use govlog_formats::record::{Decision, view};
use serde_json::{Value as Json, json};

use super::*;
use crate::opa::mapping::RawGroup;

pub(super) const ENVOY: &str = "spiffe://prod.example/pep/envoy";
pub(super) const PAY: &str = "spiffe://prod.example/pay";
pub(super) const HASH: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

/// An event with an AuthZEN request, as OPA 1.22 writes it.
pub(super) fn event() -> Json {
    json!({
        "labels": {"id": "opa-1", "version": "1.22.2", "region": "eu-1"},
        "decision_id": "d-1",
        "bundles": {"authz": {"revision": "r1"}, "data": {}},
        "path": "ledger/authz/decision",
        "input": {
            "subject": {"id": PAY, "type": "workload"}, "action": {"name": "post"},
            "resource": {"id": "acct-5", "type": "account"}, "context": {"amount": 589},
        },
        "result": true,
        "nd_builtin_cache": {"time.now_ns": {"[]": 1}},
        "erased": ["/input/context/session_token"],
        "masked": ["/input/context/email"],
        "requested_by": "127.0.0.1:39316",
        "timestamp": "2026-11-22T04:07:22.453999345Z",
        "metrics": {"timer_server_handler_ns": 2_958_469},
        "req_id": 2,
        "request_context": {"http": {"headers": {
            "traceparent": ["00-b0b4ffc0043079a03a1c6f5a90a8638e-4a27020f7f249e9d-01"],
            "x-request-id": ["9ecad910-3b21-427e-bc9f-a890b387a776"],
            "x-forwarded-client-cert": [format!("By={ENVOY};Hash={HASH};Subject=\"O=SPIRE\";URI={PAY}")],
        }}},
    })
}

/// The event with another value in one place; `null` takes the member away.
pub(super) fn event_with(pointer: &str, value: Json) -> Json {
    let mut event = event();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = event.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Json::Null => drop(parent.remove(name)),
        value => drop(parent.insert(name.to_owned(), value)),
    }
    event
}

pub(super) fn group_of(table: &str) -> Group {
    toml::from_str::<RawGroup>(table).unwrap().try_into().unwrap()
}

/// A group without mappings that believes one proxy.
pub(super) fn group() -> Group {
    group_of(&format!("prefix = \"/opa\"\nxfcc_from = [\"{ENVOY}\"]"))
}

pub(super) fn draft_of(bytes: &[u8], group: &Group) -> Result<Draft, Unmapped> {
    let mut count = 0;
    let mut random = || {
        count += 1;
        [count; 32]
    };
    decision(bytes, group, Sealer::new(&mut random))
}

pub(super) fn mapped_by(event: &Json, group: &Group) -> Result<Draft, Unmapped> {
    draft_of(event.to_string().as_bytes(), group)
}

#[track_caller]
pub(super) fn mapped(event: &Json) -> Draft {
    mapped_by(event, &group()).unwrap()
}

/// What is said of the event with another value in one place.
#[track_caller]
pub(super) fn refusal(pointer: &str, value: Json) -> String {
    mapped_by(&event_with(pointer, value), &group()).unwrap_err().to_string()
}

pub(super) fn record(draft: &Draft) -> Decision {
    match Record::parse(draft.kind, &draft.payload).unwrap() {
        Record::Decision(decision) => decision,
        other => panic!("{other:?}"),
    }
}

/// The record as JSON, what is sealed left out.
pub(super) fn shown(draft: &Draft) -> Json {
    let Json::Object(mut members) = view::to_json("decision", &draft.payload).unwrap() else { panic!("not an object") };
    members.retain(|_, value| value.get("$sealed").is_none());
    Json::Object(members)
}

/// The bytes sealed under a path.
pub(super) fn opened<'a>(draft: &'a Draft, path: &str) -> &'a [u8] {
    let opening = draft.openings.iter().find(|opening| opening.path == path).unwrap();
    opening.opening.value.as_bytes().unwrap()
}
