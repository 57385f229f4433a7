//! People, by their pseudonyms: what they approve, and what they let agents do for them, thirty minutes at a time.

use govlog_formats::cbor::Value;
use serde_json::{Value as Json, json};

use super::book::{Book, Who};
use super::clock::MINUTE;
use super::workloads::Workload;

/// Somebody let an agent act in their name.
#[derive(Clone, Debug)]
pub(super) struct Delegation {
    pub(super) at: usize,
    pub(super) expires_ms: u64,
    pub(super) txn: String,
    /// The token that the agent got.
    pub(super) token: String,
}

/// Approves an operation by its digest; gives the approval's position.
pub(super) fn approve_operation(book: &mut Book, what: &str, approver: &str) -> usize {
    let operation = book.digest(what);
    approve(book, &operation, "operation", approver, what)
}

/// Approves an operation of this digest.
pub(super) fn approve(book: &mut Book, operation: &str, type_: &str, approver: &str, why: &str) -> usize {
    let reason = book.seal("reason", Value::from(why));
    let approval = json!({
        "type": type_, "approved": { "op_digest": operation }, "decision": "approve", "approver": approver, "method": "web",
        "reason": reason, "expires_ms": book.now_ms + 30 * MINUTE,
    });
    book.put(Who::Desk, "approval", &format!("https://desk.prod.example/{approver}"), approval)
}

/// How long a person lets an agent act.
const LASTS_MS: u64 = 30 * MINUTE;

/// A person consents, and the token service gives an agent a token to act with.
pub(super) fn delegate(book: &mut Book, agent: &Workload) -> Delegation {
    let person = *book.random.pick(&["person-7f3a", "person-44d2", "person-c1c1"]);
    let txn = format!("txn-{}", book.random.hex(10));
    let consent = approve_operation(book, &txn, person);
    let (signed_in, token) = (book.random.digest(), book.random.digest());
    let purpose = book.seal("purpose", Value::from("answer a question about an account"));
    let expires_ms = book.now_ms + LASTS_MS;
    let delegation = json!({
        "delegator": { "id": person, "type": "user" }, "purpose": purpose,
        "delegate": { "id": agent.id, "type": "agent", "credential": { "type": "x509", "handle": agent.credential.shown } },
        "scope": ["ledger:read", "ledger:post"], "not_before_ms": book.now_ms, "expires_ms": expires_ms, "max_hops": 1, "redelegation": true,
        "consent": book.entry(consent), "tokens_in": [{ "tok_s256": signed_in }], "tokens_out": [tokens(book, &token)],
        "bound_key": { "jkt": agent.credential.jkt }, "txn": txn, "exchange_endpoint": "https://sts.prod.example/token",
    });
    let at = book.put(Who::Sts, "delegation", &agent.id, delegation);
    Delegation { at, expires_ms, txn, token }
}

/// An agent lets another one do a part of it.
pub(super) fn redelegate(book: &mut Book, parent: &Delegation, from: &Workload, to: &Workload) -> Delegation {
    let token = book.random.digest();
    let delegation = json!({
        "delegator": { "id": from.id, "type": "agent", "credential": { "type": "x509", "handle": from.credential.shown } },
        "delegate": { "id": to.id, "type": "agent" }, "actors": [{ "id": from.id, "type": "agent" }, { "id": to.id, "type": "agent" }],
        "parent": book.entry(parent.at), "scope": ["ledger:read"], "expires_ms": parent.expires_ms, "max_hops": 0, "redelegation": false,
        "tokens_in": [{ "tok_s256": parent.token }], "tokens_out": [tokens(book, &token)], "txn": parent.txn,
    });
    let at = book.put(Who::Sts, "delegation", &to.id, delegation);
    Delegation { at, expires_ms: parent.expires_ms, txn: parent.txn.clone(), token }
}

fn tokens(book: &Book, token: &str) -> Json {
    let jti = format!("dlg-{}", token.get(..12).unwrap_or_default());
    json!({ "tok_s256": token, "jws_input_s256": book.digest(token), "jti_iss": [jti, "https://sts.prod.example"] })
}
