//! Tests of what a record must hold, kind by kind.

use ciborium::Value;
use serde_json::{Value as Json, json};

use super::view::from_json;
use super::*;

mod examples;
mod fields;
mod optional;
mod properties;
mod reading;

const HEX: &str = "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9";

/// A record of each typed kind with what it requires and no more.
fn least(kind: &str) -> Json {
    let common = json!({"v": 1, "event_ms": 1_795_320_442_504_u64});
    let own = match kind {
        "decision" => json!({
            "decision_id": "d-1", "result": "permit",
            "subject": {"id": "spiffe://prod.example/pay"}, "action": {"name": "read"}, "resource": {"type": "account", "id": "acct-5"},
        }),
        "effect" => json!({"decision_id": "d-1", "outcome": "performed", "performer": "spiffe://prod.example/ledger"}),
        "issuance" => json!({"stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/pay"}),
        "stream" => json!({"op": "open", "instance": "opa-1", "next_seq": 1}),
        "quarantine" => json!({"reason": "not-json", "digest": HEX}),
        "policy" => json!({"engine": "opa", "name": "authz"}),
        "activation" => json!({"op": "activate", "pdp": "opa-1"}),
        "approval" => {
            json!({"type": "operation", "approved": {"op_digest": HEX}, "decision": "approve", "approver": "person-1"})
        }
        "ownership" => json!({"prefix": "spiffe://prod.example/ledger/", "owner": "team-ledger"}),
        "agent" => json!({"agent_id": "assistant"}),
        "registration" => json!({"op": "create", "entry_id": "pay"}),
        "attestation" => json!({"subject": "spiffe://prod.example/pay", "method": "unix", "result": "accepted"}),
        "signing-key" => json!({"op": "active", "key_id": "k-1"}),
        "revocation" => {
            json!({"target_type": "credential", "target": {"handle": ["tbs_s256", HEX]}, "effective_ms": 5})
        }
        "federation" => json!({"op": "observe", "domain": "partner.example"}),
        "delegation" => json!({"delegator": {"id": "person-1"}, "delegate": {"id": "spiffe://prod.example/pay"}}),
        "decision-batch" => json!({"count": 2, "root": HEX, "from_ms": 5, "to_ms": 6}),
        "observation" => json!({"observed": "credential"}),
        "gap" => json!({"cause": "crash"}),
        "redaction" => json!({"rule": "order", "targets": [{"target": {"entry": HEX}, "extent": "all"}]}),
        "finding" => json!({"check": "D4", "verdict": "fail"}),
        "custody" => json!({"op": "export"}),
        "anchor" => json!({"relation": "other-log", "origin": "log.example"}),
        _ => json!({}),
    };
    with(common, own)
}

/// Puts the members of one object into another, replacing what is there.
fn with(mut record: Json, more: Json) -> Json {
    let Json::Object(more) = more else { panic!("not an object") };
    record.as_object_mut().unwrap().extend(more);
    record
}

#[track_caller]
fn parse(kind: &str, view: &Json) -> Result<Record, RecordError> {
    Record::parse(kind, &from_json(kind, view).unwrap())
}

#[track_caller]
fn parsed(kind: &str, view: &Json) -> Record {
    parse(kind, view).unwrap()
}

/// Parses a record with one wrong field and gives what is said of it.
#[track_caller]
fn fault(kind: &str, view: &Json) -> String {
    match parse(kind, view).unwrap_err() {
        RecordError::Fields(errors) => {
            assert_eq!(errors.len(), 1, "{errors:?}");
            errors[0].to_string()
        }
        other => other.to_string(),
    }
}

fn sealed_value() -> Json {
    json!({"$sealed": crate::base64::encode_url(&[7; 32])})
}
