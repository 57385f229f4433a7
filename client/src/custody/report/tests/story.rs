//! A matter with everything in it: a person lets an agent act, a policy permits it, it is done, and later a credential is revoked.

use govlog_formats::admission::{ChangeFields, IssuerRow};
use govlog_formats::cbor::{self, Value, to_deterministic};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::{KINDS, view};
use serde_json::{Value as Json, json};

use crate::custody::Contents;
use crate::custody::tests::{contents, trust};
use crate::openings::{FieldOpening, Openings};
use crate::testing::TestLog;
use crate::trust::Trust;

const AT: u64 = 1_795_320_442_504;

pub(super) struct Story {
    pub(super) log: TestLog,
    pub(super) trust: Trust,
    /// What was asked for first, then all others.
    pub(super) entries: Vec<u64>,
    pub(super) openings: Vec<(Digest, Openings)>,
    _dir: tempfile::TempDir,
}

impl Story {
    /// The log's admission policy alone, which lets its issuer submit every kind.
    pub(super) fn begin() -> Self {
        let mut log = TestLog::new();
        let records = KINDS.into_iter().filter(|kind| *kind != "admission-policy");
        let kinds = records.chain(["text/plain"]).map(str::to_owned).collect();
        let row = IssuerRow { kinds, ..log.issuer_row() };
        log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        let (dir, trust) = trust(&log);
        Self { log, trust, entries: Vec::new(), openings: Vec::new(), _dir: dir }
    }

    /// The whole of it.
    pub(super) fn whole() -> Self {
        let mut story = Self::begin();
        let hex = |byte: &str| byte.repeat(32);
        let digest = |byte: &str| json!(["sha256", hex(byte)]);
        story.say(
            "ownership",
            json!({ "prefix": "spiffe://prod.example/", "owner": "team-ledger", "environment": "production" }),
        );
        let policy = json!({ "engine": "opa", "name": "authz", "version": "3.2.0", "policy_digest": digest("22"), "author": "person-7f3a", "approvers": ["person-91c0"] });
        let approved = json!({ "payload": Digest::sha256(&record("policy", policy.clone())).to_string() });
        let approval = story.say("approval", json!({ "type": "change", "approved": approved, "decision": "approve", "approver": "person-91c0", "method": "cli" }));
        story.say_linked("policy", policy, &[("authorised_by", approval)]);
        story.say("activation", json!({ "op": "activate", "pdp": "opa/pdp-1", "policy_digest": digest("22"), "name": "authz", "from_ms": AT }));
        let registration = story.say(
            "registration",
            json!({ "op": "create", "entry_id": "pay", "revision": 3, "subject": "spiffe://prod.example/pay" }),
        );
        let attested = story.say("attestation", json!({ "subject": "spiffe://prod.example/pay", "method": "k8s_psat", "strength": "platform-signed", "result": "accepted" }));
        story.say_linked(
            "issuance",
            json!({
                "stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/pay", "not_after_ms": AT + 3_600_000,
                "handles": { "cert_s256": hex("11") },
            }),
            &[("registered_as", registration), ("attested_by", attested)],
        );
        let agent = story.say("agent", json!({ "agent_id": "ledger-assistant", "sponsor": "team-ledger", "version": "14", "runs_as": ["spiffe://prod.example/pay"] }));
        let delegation = story.say(
            "delegation",
            json!({
                "delegator": { "id": "person-7f3a", "type": "user" }, "delegate": { "id": "spiffe://prod.example/pay", "type": "agent" },
                "scope": ["ledger:read"], "expires_ms": AT + 1_800_000, "max_hops": 0,
            }),
        );
        let decision = story.decision(agent, delegation);
        story.say(
            "effect",
            json!({
                "decision_id": "d-1", "performer": "spiffe://prod.example/ledger", "outcome": "performed", "status": 200,
                "resource": { "type": "account", "id": "acct-5" },
            }),
        );
        story.say(
            "revocation",
            json!({
                "target_type": "credential", "target": { "handle": ["cert_s256", hex("11")] }, "effective_ms": AT + 600_000,
                "subject": "spiffe://prod.example/pay", "revoked_by": "person-91c0", "reason": "the node's disk was copied",
            }),
        );
        story.of_stream("gap", json!({ "cause": "the collector was away", "count": 3, "from_ms": AT }));
        story.of_stream("stream", json!({ "op": "heartbeat", "instance": "agent-1", "next_seq": 14 }));
        story.entries.retain(|index| *index != decision);
        story.entries.insert(0, decision);
        story
    }

    /// A decision with a value that stays sealed, and one that is disclosed.
    fn decision(&mut self, agent: u64, delegation: u64) -> u64 {
        let disclosed = Opening { salt: [7; 32], value: Value::Map(vec![("ticket".into(), "CHG-2041".into())]) };
        let closed = Opening { salt: [8; 32], value: "secret".into() };
        let mut pairs = pairs(
            "decision",
            json!({
                "decision_id": "d-1", "pdp": "opa/pdp-1", "result": "permit", "enforcement": "enforced",
                "subject": { "id": "spiffe://prod.example/pay", "credential": { "type": "x509", "handle": ["cert_s256", "11".repeat(32)] } },
                "action": { "name": "read" }, "resource": { "type": "account", "id": "acct-5" },
                "policies": [{ "name": "authz", "policy_digest": ["sha256", "22".repeat(32)] }],
                "agent": { "link": { "entry": self.leaf(agent).to_string() } },
                "delegation": { "entry": self.leaf(delegation).to_string() },
                "output": { "$bytes": "eyJhbGxvdyI6dHJ1ZX0" },
            }),
        );
        pairs.push(("context".into(), disclosed.seal().to_value()));
        pairs.push(("input".into(), closed.seal().to_value()));
        let index = self.add("decision", &to_deterministic(&Value::Map(pairs)));
        let fields = vec![FieldOpening { path: "context".to_owned(), opening: disclosed }];
        self.openings.push((self.leaf(index), Openings::new("decision", fields)));
        index
    }

    pub(super) fn say(&mut self, kind: &str, record: Json) -> u64 {
        self.add(kind, &self::record(kind, record))
    }

    fn say_linked(&mut self, kind: &str, mut record: Json, links: &[(&str, u64)]) -> u64 {
        // An approval is of the payload that it saw: that of a policy has no links.
        if kind != "policy" {
            let links: Vec<Json> = links
                .iter()
                .map(|(rel, to)| json!({ "rel": rel, "target": { "entry": self.leaf(*to).to_string() } }))
                .collect();
            record["links"] = links.into();
        }
        self.say(kind, record)
    }

    /// Appends bytes as a payload.
    pub(super) fn add(&mut self, kind: &str, payload: &[u8]) -> u64 {
        let index = self.log.add(kind, payload).get();
        self.entries.push(index);
        index
    }

    /// What a stream says of itself stands under its own name.
    fn of_stream(&mut self, kind: &str, record: Json) {
        let index = self.log.add_at(kind, &self::record(kind, record), ("s-1", 1_700_000_000)).get();
        self.entries.push(index);
    }

    pub(super) fn leaf(&self, index: u64) -> Digest {
        govlog_formats::merkle::leaf_hash(&self.log.entries[usize::try_from(index).unwrap()])
    }

    /// The file's contents: the first of the entries is what was asked for.
    pub(super) fn contents(&self, at: TreeSize) -> Contents {
        let mut made = contents(&self.log, at, &self.entries);
        let third = contents(&self.log, at, &[2]);
        made.changes.extend(third.entries.into_iter().filter(|(index, _)| *index == LeafIndex::new(2)));
        made.earlier.extend(third.earlier);
        made.query.search = [("decision".to_owned(), vec!["d-1".to_owned()])].into();
        made.openings = self.openings.iter().cloned().collect();
        made
    }
}

fn record(kind: &str, record: Json) -> Vec<u8> {
    to_deterministic(&Value::Map(pairs(kind, record)))
}

fn pairs(kind: &str, mut record: Json) -> Vec<(Value, Value)> {
    record["v"] = 1.into();
    record["event_ms"] = AT.into();
    let bytes = view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}"));
    cbor::parse(&bytes).unwrap().into_map().unwrap()
}
