//! The governance plane: policies with their approvals, publications and activations, owners, and what the agents are.

use govlog_formats::cbor::Value;
use govlog_formats::digest::Digest;
use serde_json::{Value as Json, json};

use super::book::{Book, Who};

/// A policy, as decisions name it.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) name: &'static str,
    pub(super) revision: &'static str,
    /// `[scheme, digest]`.
    pub(super) digest: Json,
    pub(super) bundle: Json,
}

impl Policy {
    /// As decisions refer to it: OPA knows its bundle, others the policy.
    pub(super) fn reference(&self, by_bundle: bool) -> Json {
        let (key, digest) = if by_bundle { ("bundle_digest", &self.bundle) } else { ("policy_digest", &self.digest) };
        json!({ "name": self.name, "revision": self.revision, key: digest })
    }
}

/// Publishes a policy that so many people have approved, one of them not at first.
pub(super) fn publish(
    book: &mut Book,
    engine: &str,
    name: &'static str,
    revision: &'static str,
    approvers: usize,
) -> Policy {
    let digest = json!(["sha256", book.digest(&format!("policy {name} {revision}"))]);
    let bundle = json!(["sha256", book.digest(&format!("bundle {name} {revision}"))]);
    let uri = uri(name);
    let mut policy = json!({
        "engine": engine, "name": name, "uri": uri, "revision": revision, "policy_digest": digest, "bundle_digest": bundle,
        "author": "person-7f3a", "source_commit": book.random.hex(40), "scope": { "services": ["spiffe://prod.example/ledger"] },
    });
    if engine == "capture" {
        policy["content"] = json!({ "batch": "permits", "per_ms": 1000 });
    }
    // The payload is fixed before it is approved, and published after.
    let payload = book.payload("policy", policy);
    let approved = Digest::sha256(&payload).to_string();
    let thread = book.of_day(&format!("CHG-{name}-{revision}"));
    let decisions = if approvers > 1 { &["reject", "approve", "approve"][..] } else { &["approve"][..approvers] };
    for (decision, approver) in decisions.iter().zip(["person-91c0", "person-91c0", "person-0b17"]) {
        book.pass(1000);
        let reason = book.seal("reason", Value::from(format!("{decision}: {name}")));
        let approval = json!({
            "type": "change", "approved": { "payload": approved }, "decision": decision, "approver": approver, "method": "web",
            "shown_digest": approved, "reason": reason, "reason_code": thread, "thread": thread,
        });
        book.put(Who::Desk, "approval", &uri, approval);
    }
    book.put_payload(Who::Pipeline as usize, "policy", &uri, payload);
    Policy { name, revision, digest, bundle }
}

fn uri(name: &str) -> String {
    format!("https://policies.prod.example/{name}")
}

/// Puts a policy in force at a PDP, or takes it out of force.
pub(super) fn activate(book: &mut Book, who: Who, op: &str, policy: &Policy) {
    let activation = json!({
        "op": op, "pdp": book.of_day(&format!("{who:?}-1").to_lowercase()), "policy_digest": policy.digest, "bundle_digest": policy.bundle,
        "name": policy.name, "revision": policy.revision, "from_ms": book.now_ms, "learned": "status", "uri": uri(policy.name),
    });
    book.put(who, "activation", &uri(policy.name), activation);
}

/// Says who answers for an identity, or for all below a path.
pub(super) fn own(book: &mut Book, prefix: &str, owner: &str) {
    let ownership = json!({
        "prefix": prefix, "owner": owner, "roles": { "policy": owner, "evidence": "team-audit" }, "environment": "production",
        "review_ms": book.now_ms + 90 * 86_400_000,
    });
    book.put(Who::Desk, "ownership", prefix, ownership);
}

/// Says what an AI agent is; gives the position of its record.
pub(super) fn describe(book: &mut Book, agent_id: &str, runs_as: &str, version: &str, before: Option<usize>) -> usize {
    let prompt =
        book.seal("system_prompt_digest", Value::Bytes(Digest::sha256(agent_id.as_bytes()).as_bytes().to_vec()));
    let schema = book.digest("schema of read_account");
    let mut agent = json!({
        "agent_id": agent_id, "sponsor": "team-ledger", "version": version, "runs_as": [runs_as], "purpose": "answers questions about accounts",
        "model": { "provider": "models.prod.example", "id": "assistant-large" }, "system_prompt_digest": prompt,
        "tools": [{ "server": "https://tools.prod.example/ledger", "name": "read_account", "schema_digest": schema }],
    });
    if let Some(before) = before {
        agent["links"] = json!([book.link("supersedes", before)]);
    }
    book.put(Who::Desk, "agent", runs_as, agent)
}
