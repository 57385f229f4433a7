//! What goes wrong in a scenario: a stolen credential, gaps and silence, what could not be mapped, what was erased, and links that lead nowhere.

use govlog_formats::cbor::Value;
use govlog_formats::digest::Digest;
use serde_json::{Value as Json, json};

use super::book::{Book, Who};
use super::operations::{Asked, Trace, decision, effect, put};
use super::workloads::{self, Credential};
use super::{Day, OPS, REPORT, SEARCH};

impl Day {
    /// Somebody uses a copy of a credential; after its revocation most enforcement points know, and one does not.
    pub(super) fn steal(&mut self) {
        let trace = Trace::new(&mut self.book);
        let number = self.book.random.below(100_000);
        let account = self.book.of_day(&format!("acct-s{number}"));
        let result = if self.revoked.is_none() || self.book.random.one_in(6) { "permit" } else { "deny" };
        let asked = Asked {
            by: "spiffe://prod.example/report",
            credential: &self.stolen.shown,
            action: "export",
            resource: ("account", &account),
            policy: &self.authz,
            result,
        };
        let record = decision(&mut self.book, Who::Opa, &asked, &trace);
        let decided = put(&mut self.book, Who::Opa, record);
        if self.book.plan.days == 1 && result == "permit" {
            let at = effect(&mut self.book, Who::Ledger, &decided, "performed", &trace);
            if self.revoked.is_some() {
                self.late = Some(at);
            }
        }
    }

    /// The theft is noticed: the credential and its registration entry are revoked, and the workload gets new ones.
    pub(super) fn revoke(&mut self) {
        let noticed = json!({
            "check": "R1", "verdict": "fail", "subject": "spiffe://prod.example/report", "reason": "a host that is not the workload's",
            "links": [{ "rel": "about", "target": { "handle": self.stolen.shown } }], "auditor": "spiffe://audit.example/auditor",
        });
        let finding = self.book.put(Who::Auditor, "finding", "spiffe://prod.example/report", noticed);
        let by = |target_type: &str, target: Json, reason: &str| {
            json!({
                "target_type": target_type, "target": target, "effective_ms": self.book.now_ms, "reason": reason, "revoked_by": "person-91c0",
                "subject": "spiffe://prod.example/report", "propagate_by_ms": self.book.now_ms + 300_000, "cause": self.book.entry(finding),
            })
        };
        let mut credential = by("credential", json!({ "handle": self.stolen.shown }), "the node's disk was copied");
        credential["handles"] = json!({ self.stolen.shown[0].as_str().unwrap(): self.stolen.shown[1] });
        let entry = by("entry", json!({ "id": self.workloads[REPORT].entry_id }), "made anew");
        self.revoked = Some(self.book.put(Who::Desk, "revocation", "spiffe://prod.example/report", credential));
        self.book.put(Who::Desk, "revocation", "spiffe://prod.example/report", entry);
        let report = &mut self.workloads[REPORT];
        workloads::change(&mut self.book, &self.domains, report, "update");
        workloads::attest(&mut self.book, &self.domains, report, &self.appraisal);
        workloads::issue(&mut self.book, &self.domains, report);
    }

    /// What else is revoked when somebody looks at everything once: by key, by whose it is, by its registry's or its publisher's name.
    pub(super) fn clean_up(&mut self) {
        let key = self.workloads[SEARCH].credential.jkt.clone();
        let (domain, delegate) = (self.domains[1].name, self.workloads[OPS].id.clone());
        let tools = json!({ "handle": ["policy_digest", self.tools.digest] });
        let unknown = json!({ "handle": self.unknown });
        let all = [
            ("key", json!({ "handle": ["jkt", key] })),
            ("credential", json!({ "id": "spiffe://prod.example/report" })),
            ("credential", unknown),
            ("agent", json!({ "id": "spiffe://prod.example/agent/triage" })),
            ("delegation", json!({ "id": delegate })),
            ("policy", tools),
            ("issuer-key", json!({ "id": self.book.of_day("prod.example-key-1") })),
            ("trust-domain", json!({ "id": format!("spiffe://{domain}") })),
        ];
        for (target_type, target) in all {
            let revocation = json!({
                "target_type": target_type, "target": target, "effective_ms": self.book.now_ms, "revoked_by": "person-91c0",
                "subject": "spiffe://prod.example/desk", "reason": "cleaned up",
            });
            self.book.put(Who::Desk, "revocation", "spiffe://prod.example/desk", revocation);
        }
        // By the key of a certificate that only its issuer's observation ties to the issuance.
        let captured = workloads::captured_key();
        let revocation = json!({
            "target_type": "key", "target": { "handle": captured }, "effective_ms": self.book.now_ms, "subject": "spiffe://prod.example/pay",
        });
        self.book.put(Who::Desk, "revocation", "spiffe://prod.example/pay", revocation);
    }

    /// A workload is not needed any more.
    pub(super) fn retire(&mut self) {
        let search = &mut self.workloads[SEARCH];
        workloads::change(&mut self.book, &self.domains, search, "delete");
        let snapshot = json!({
            "op": "snapshot", "entry_id": self.book.of_day("legacy"), "subject": "spiffe://prod.example/legacy",
            "entry_digest": self.book.digest("legacy"), "trust_domain": "prod.example",
        });
        self.book.put(Who::Spire, "registration", "spiffe://prod.example/legacy", snapshot);
    }

    /// One PDP's state is lost, with some events: it goes on in a stream of its own. Another one says nothing more.
    pub(super) fn lose(&mut self) {
        let lost = self.book.stream_of(Who::Opa).map(str::to_owned);
        self.book.begin(Who::Opa as usize, lost.as_deref());
        let now_ms = self.book.now_ms;
        let gap = json!({
            "cause": "state-lost", "from_ms": now_ms - 60_000, "to_ms": now_ms, "count": 61, "declared_by": "spiffe://prod.example/log-agent",
        });
        self.book.say(Who::Opa as usize, "gap", gap);
        self.silent = Some(Who::PartnerPdp as usize);
    }

    /// An input that is none.
    pub(super) fn quarantine(&mut self) {
        let input = format!("{{\"decision_id\": {}", self.book.now_ms);
        let digest = Digest::sha256(input.as_bytes()).to_string();
        let sealed = self.book.seal("input", Value::Bytes(input.clone().into_bytes()));
        let quarantine = json!({ "reason": "not-json", "digest": digest, "size": input.len(), "input": sealed });
        self.book.say(Who::Envoy as usize, "quarantine", quarantine);
    }

    /// Names that nobody has, and two decisions each of which says that it was caused by the other.
    pub(super) fn tangle(&mut self) {
        let nobody = |book: &mut Book| json!({ "handle": ["tbs_s256", book.random.digest()] });
        let trace = Trace::new(&mut self.book);
        let ids = [self.book.random.hex(16), self.book.random.hex(16)].map(|id| format!("opa-{id}"));
        let iss = self.book.parties[Who::Opa as usize].iss;
        for (at, id) in ids.iter().enumerate() {
            let shown = nobody(&mut self.book)["handle"].clone();
            self.unknown = shown.clone();
            let asked = Asked {
                by: "spiffe://prod.example/nobody",
                credential: &shown,
                action: "read",
                resource: ("account", "none"),
                policy: &self.authz,
                result: "deny",
            };
            let mut record = decision(&mut self.book, Who::Opa, &asked, &trace);
            record["decision_id"] = json!(id);
            record["delegation"] = json!({ "entry": self.book.random.digest() });
            let other = json!({ "handle": ["dec", [iss, ids[1 - at]]] });
            record["links"] = json!([{ "rel": "caused_by", "target": other }]);
            put(&mut self.book, Who::Opa, record);
        }
        let orphan = json!({
            "decision_id": "never-logged", "performer": "spiffe://prod.example/ledger", "outcome": "performed",
            "contradictions": ["no decision has this id"],
        });
        self.book.put(Who::Ledger, "effect", "spiffe://prod.example/ledger", orphan);
    }

    /// What is said when the day is over: findings, an erasure, other logs, and where evidence went.
    pub(super) fn look_back(&mut self, prompted: Option<usize>) {
        let first = self.late.or(self.revoked).unwrap_or_default();
        let entries = json!([self.book.entry(first)]);
        let finding = json!({
            "check": "D7", "verdict": "fail", "entries": entries, "subject": "spiffe://prod.example/report", "tool": "govlog",
            "reason": "done under a revoked credential", "auditor": "spiffe://audit.example/auditor",
        });
        let finding = self.book.put(Who::Auditor, "finding", "spiffe://prod.example/report", finding);
        if let Some(at) = prompted {
            let digests: Vec<String> =
                self.book.entries[at].openings.iter().map(|field| field.opening.seal().digest.to_string()).collect();
            let target = json!({ "target": self.book.entry(at), "extent": "fields", "fields": ["/agent/prompt"], "digests": digests });
            let redaction = json!({
                "rule": "erasure-request", "targets": [target], "legal_basis": "Art. 17", "store": "https://desk.prod.example/openings",
                "links": [self.book.link("redacts", at)],
            });
            self.book.put(Who::Desk, "redaction", "https://desk.prod.example/openings", redaction);
        }
        let case = self.book.of_day("case-2031");
        for op in ["hold", "export", "hand-over", "acknowledge", "release"] {
            self.book.pass(1000);
            let custody = json!({
                "op": op, "case": case, "entries": [self.book.entry(first), self.book.entry(finding)], "collector": "person-44d2",
                "purpose": "the stolen credential", "manifest_digest": self.book.digest("manifest"),
            });
            self.book.put(Who::Auditor, "custody", "https://desk.prod.example/cases", custody);
        }
        let leaf = self.book.random.digest();
        let other = json!({ "log_ref": { "origin": "log.example.org/ca", "index": 345, "leaf": leaf } });
        let anchor = json!({
            "relation": "other-log", "origin": "log.example.org/ca", "genesis": self.book.digest("genesis of another log"),
            "links": [{ "rel": "external_log", "target": other }],
        });
        self.book.put(Who::Import, "anchor", "https://desk.prod.example/logs", anchor);
        let tainted = json!({ "op": "tainted", "key_id": self.book.of_day("prod.example-key-1"), "issuer": "spiffe://prod.example", "reason": "rotated after the theft" });
        self.book.put(Who::Spire, "signing-key", "spiffe://prod.example", tainted);
    }
}

/// The credential that is stolen: of several days it is the same on every one, and issued on the first.
pub(super) fn stolen(book: &mut Book, report: &workloads::Workload) -> Credential {
    if book.plan.days == 1 {
        return report.credential.clone();
    }
    let tbs = Digest::sha256(format!("{} stolen", book.plan.seed).as_bytes()).to_string();
    if book.plan.day == 0 {
        let issuance = json!({
            "stage": "issued", "credential_type": "x509", "subject": report.id, "issuer": "spiffe://prod.example", "handles": { "tbs_s256": tbs },
        });
        book.put(Who::Spire, "issuance", &report.id, issuance);
    }
    Credential { shown: json!(["tbs_s256", tbs]), ..report.credential.clone() }
}
