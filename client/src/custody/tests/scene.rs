//! An organisation's entries, made by chance and the same in every run.

use std::sync::Arc;

use ciborium::Value;
use govlog_formats::base64;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::record::handles::{CertificateHandles, certificate_from_pem};
use govlog_formats::record::{LinkTarget, view};
use govlog_formats::statement::{Claims, Content, StatementHeader, content_type_of};
use serde_json::{Value as Json, json};

use super::*;
use crate::custody::Node;

/// An organisation's entries: every kind that relations lead to or from, tied to each other by chance.
pub(super) struct Scene {
    random: Random,
    pub(super) statements: Vec<SignedStatement>,
    log: TestLog,
    certificates: Vec<Vec<u8>>,
}

const ISSUERS: [&str; 3] = ["spiffe://a/spire", "spiffe://a/pdp", "https://a.example/desk"];

impl Scene {
    pub(super) fn new(seed: u64, count: usize) -> Self {
        let certificates = PEMS.iter().map(|pem| certificate_from_pem(pem.as_bytes()).unwrap()).collect();
        let mut scene = Self { random: Random(seed), statements: Vec::new(), log: TestLog::new(), certificates };
        while scene.statements.len() < count {
            let (kind, mut record) = scene.record();
            let iss = ISSUERS[scene.random.below(ISSUERS.len())];
            record["v"] = json!(1);
            record["event_ms"] = json!(1_700_000_000_000_u64 + scene.statements.len() as u64 * 1000);
            let payload = view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}: {record}"));
            let statement = scene.sign(iss, kind, &payload);
            scene.statements.push(statement);
        }
        scene
    }

    pub(super) fn sign(&self, iss: &str, kind: &str, payload: &[u8]) -> SignedStatement {
        govlog_formats::record::Record::parse(kind, payload).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let claims = Claims {
            iss: iss.to_owned(),
            sub: "spiffe://a/x".to_owned(),
            aud: None,
            iat: 1_700_000_000,
            stream: None,
            head: None,
        };
        let header = StatementHeader { content: Content::Plain(content_type_of(kind)), claims };
        SignedStatement::sign(&header, payload, &self.log.issuer).unwrap()
    }

    /// One of a few names, so that things meet.
    fn one(&mut self, of: &str) -> String {
        format!("{of}{}", self.random.below(6))
    }

    fn digest(&mut self, of: &str) -> String {
        Digest::sha256(self.one(of).as_bytes()).to_string()
    }

    fn scheme(&mut self, of: &str) -> Json {
        json!(["sha256", self.digest(of)])
    }

    fn leaf(&mut self) -> Json {
        let at = self.random.below(self.statements.len() + 1);
        // One in many leads nowhere.
        let leaf = self.statements.get(at).map_or_else(|| Digest::sha256(b"nobody"), SignedStatement::leaf_hash);
        json!({ "entry": leaf.to_string() })
    }

    fn handle(&mut self) -> Json {
        match self.random.below(6) {
            0 => json!(["tbs_s256", self.digest("cert")]),
            1 => json!(["jkt", self.digest("key")]),
            2 => json!(["policy_digest", self.scheme("policy")]),
            3 => json!(["dec", [ISSUERS[self.random.below(3)], self.one("d-")]]),
            4 => json!(["entry_digest", self.digest("registration")]),
            _ => json!(["tok_s256", self.digest("token")]),
        }
    }

    fn target(&mut self) -> Json {
        if self.random.below(2) == 0 { self.leaf() } else { json!({ "handle": self.handle() }) }
    }

    /// A certificate, with the two of its names by which others know it.
    fn certificate(&mut self) -> (Vec<u8>, Vec<Json>) {
        let der = self.certificates[self.random.below(PEMS.len())].clone();
        let handles = CertificateHandles::from_der(&der).unwrap().handles();
        let shown = handles.iter().filter(|handle| ["cert_s256", "serial_aki"].contains(&handle.name.as_str()));
        let shown = shown.map(|handle| {
            let map = Value::Map(vec![
                ("v".into(), 1.into()),
                ("event_ms".into(), 1.into()),
                (
                    "links".into(),
                    Value::Array(vec![Value::Map(vec![
                        ("rel".into(), "about".into()),
                        ("target".into(), LinkTarget::Handle(handle.clone()).to_value()),
                    ])]),
                ),
            ]);
            view::to_json("other", &to_deterministic(&map)).unwrap()["links"][0]["target"]["handle"].clone()
        });
        (der.clone(), shown.collect())
    }

    fn record(&mut self) -> (&'static str, Json) {
        let domain = ["a", "a", "a", "b"][self.random.below(4)];
        let subject = format!("spiffe://{domain}/{}/{}", self.one("team"), self.one("w"));
        let (kind, mut record) = match self.random.below(20) {
            0..=4 => self.operation(&subject),
            5..=12 => self.identity(&subject),
            13..=17 => self.word(),
            _ => self.other(&subject),
        };
        let rels =
            ["authorised_by", "caused_by", "supersedes", "external_log", "derived_from", "observes", "governed_by"];
        let mut links: Vec<Json> = Vec::new();
        for rel in rels {
            if self.random.below(25) == 0 {
                links.push(json!({ "rel": rel, "target": self.target() }));
            }
        }
        if kind == "observation" {
            let handle = self.certificate().1[1].clone();
            links.push(json!({ "rel": "observes", "target": { "handle": handle } }));
        }
        if !links.is_empty() {
            record["links"] = links.into();
        }
        (kind, record)
    }

    fn operation(&mut self, subject: &str) -> (&'static str, Json) {
        if self.random.below(3) == 0 {
            let mut effect = json!({ "outcome": "performed", "performer": subject, "decision_id": self.one("d-") });
            if self.random.below(2) == 0 {
                effect["decision_iss"] = json!(ISSUERS[self.random.below(3)]);
            }
            return ("effect", effect);
        }
        let handle = match self.random.below(3) {
            0 => json!(["tbs_s256", self.digest("cert")]),
            1 => json!(["jkt", self.digest("key")]),
            _ => self.certificate().1[0].clone(),
        };
        let mut decision = json!({
            "decision_id": self.one("d-"), "result": "permit", "action": { "name": "read" },
            "resource": { "type": "account", "id": "a" }, "policies": [{ "policy_digest": self.scheme("policy") }],
            "subject": { "id": subject, "credential": { "handle": handle } }, "op_digest": self.digest("op"),
        });
        if self.random.below(3) == 0 {
            decision["delegation"] = self.leaf();
        }
        if self.random.below(3) == 0 {
            decision["agent"] = json!({ "link": self.leaf() });
        }
        ("decision", decision)
    }

    fn identity(&mut self, subject: &str) -> (&'static str, Json) {
        let op = ["create", "delete"][self.random.below(2)];
        match self.random.below(8) {
            0 | 1 => ("issuance", self.issuance(subject)),
            2 => (
                "registration",
                json!({ "op": op, "entry_id": self.one("e"), "subject": subject, "entry_digest": self.digest("registration") }),
            ),
            3 => (
                "policy",
                json!({ "engine": "opa", "name": self.one("p"), "policy_digest": self.scheme("policy"), "bundle_digest": self.scheme("bundle") }),
            ),
            4 => ("activation", json!({ "op": "activate", "pdp": "p", "policy_digest": self.scheme("policy") })),
            5 => (
                "signing-key",
                json!({ "op": "active", "key_id": self.one("k"), "issuer": "spiffe://a", "spki_s256": self.digest("key") }),
            ),
            6 => (
                "federation",
                json!({ "op": "change", "domain": self.one("td"), "bundle_digest": self.scheme("bundle") }),
            ),
            _ => (
                "delegation",
                json!({
                    "delegator": { "id": "u" }, "delegate": { "id": subject }, "parent": self.leaf(),
                    "tokens_out": [{ "tok_s256": self.digest("token") }], "tokens_in": [{ "tok_s256": self.digest("token") }],
                }),
            ),
        }
    }

    fn issuance(&mut self, subject: &str) -> Json {
        let handles = match self.random.below(2) {
            0 => json!({ "tbs_s256": self.digest("cert"), "jkt": self.digest("key") }),
            _ => json!({ "serial_aki": self.certificate().1[1][1] }),
        };
        let mut issuance = json!({
            "stage": "issued", "credential_type": "x509", "subject": subject, "handles": handles, "issuer": "spiffe://a",
            "issuer_key_id": self.one("k"),
        });
        match self.random.below(3) {
            0 => issuance["entry_digest"] = json!(self.digest("registration")),
            1 => issuance["entry_id"] = json!(self.one("e")),
            _ => issuance["governance"] = json!({ "policy_digest": self.scheme("policy") }),
        }
        issuance
    }

    fn word(&mut self) -> (&'static str, Json) {
        match self.random.below(5) {
            0 | 1 => {
                let at = self.random.below(self.statements.len() + 1);
                let approved = match (self.statements.get(at), self.random.below(3)) {
                    (Some(statement), 0) => json!({ "sig_structure": statement.sig_structure_digest().to_string() }),
                    (Some(statement), 1) => json!({ "payload": Digest::sha256(statement.payload()).to_string() }),
                    _ => json!({ "op_digest": self.digest("op") }),
                };
                (
                    "approval",
                    json!({ "type": "change", "approved": approved, "decision": "approve", "approver": "p-1" }),
                )
            }
            2 | 3 => {
                let (target_type, target) = match self.random.below(8) {
                    4 => {
                        let written = ["spiffe://b", "b", "spiffe://b/"][self.random.below(3)];
                        ("trust-domain", json!({ "id": written }))
                    }
                    5 | 6 => {
                        let target_type = ["credential", "key", "entry", "agent", "delegation"][self.random.below(5)];
                        (target_type, json!({ "id": format!("spiffe://a/{}/{}", self.one("team"), self.one("w")) }))
                    }
                    7 => {
                        let certificate = self.certificate().0;
                        let certificate = CertificateHandles::from_der(&certificate).unwrap();
                        let by_key = self.random.below(2) == 0;
                        let (target_type, name, digest) = if by_key {
                            ("key", "spki_s256", certificate.spki_s256)
                        } else {
                            ("credential", "tbs_s256", certificate.tbs_s256)
                        };
                        (target_type, json!({ "handle": [name, digest.to_string()] }))
                    }
                    0 => ("entry", json!({ "id": self.one("e") })),
                    1 => ("key", json!({ "handle": ["jkt", self.digest("key")] })),
                    2 => ("credential", json!({ "handle": ["tbs_s256", self.digest("cert")] })),
                    _ => ("policy", self.leaf()),
                };
                let handles = json!({ "tbs_s256": self.digest("cert") });
                let mut revocation = json!({ "target_type": target_type, "target": target, "effective_ms": 1 });
                revocation["cause"] = self.leaf();
                revocation["handles"] = handles;
                ("revocation", revocation)
            }
            _ => ("finding", json!({ "check": "D4", "verdict": "fail", "entries": [self.leaf(), self.leaf()] })),
        }
    }

    fn other(&mut self, subject: &str) -> (&'static str, Json) {
        match self.random.below(6) {
            0 => ("ownership", json!({ "prefix": format!("spiffe://a/{}/", self.one("team")), "owner": "o" })),
            1 => ("agent", json!({ "agent_id": self.one("agent"), "runs_as": [subject] })),
            2 => ("redaction", json!({ "rule": "retention", "targets": [{ "target": self.leaf(), "extent": "all" }] })),
            _ => {
                let der = base64::encode_url(&self.certificate().0);
                ("observation", json!({ "observed": "credential", "certificate": { "$bytes": der } }))
            }
        }
    }

    pub(super) fn nodes(&self) -> Vec<Arc<Node>> {
        let node =
            |(at, statement): (usize, &SignedStatement)| Arc::new(Node::new(LeafIndex::new(at as u64), statement));
        self.statements.iter().enumerate().map(node).collect()
    }
}

const PEMS: [&str; 3] = [
    include_str!("../../../agent/tests/data/capture/spire/pay-1.pem"),
    include_str!("../../../agent/tests/data/capture/spire/pay-2.pem"),
    include_str!("../../../agent/tests/data/capture/spire/ledger-1.pem"),
];
