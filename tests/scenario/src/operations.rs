//! The operation plane: what workloads, agents and CI ask for, what is decided of it, and what comes of it.

use govlog_formats::cbor::{Value, parse, to_deterministic};
use govlog_formats::member::{self, tally::Tally};
use serde_json::{Value as Json, json};

use super::book::{Book, Who};
use super::people::{self, Delegation};
use super::policies::Policy;
use super::workloads::{self, Workload};
use super::{Day, LEDGER, OPS, PAY, PORTAL, REPORT, TRIAGE};

/// What ties the records of one request to each other, for those who believe it.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    trace: String,
    request: String,
    pub(super) txn: Option<String>,
}

/// A decision, as others name it.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    at: usize,
    /// `dec`, as a link's target.
    pub(super) target: Json,
}

/// What is asked.
pub(super) struct Asked<'a> {
    pub(super) by: &'a str,
    pub(super) credential: &'a Json,
    pub(super) action: &'a str,
    pub(super) resource: (&'a str, &'a str),
    pub(super) policy: &'a Policy,
    pub(super) result: &'a str,
}

impl Trace {
    pub(super) fn new(book: &mut Book) -> Self {
        Self { trace: book.random.hex(32), request: format!("req-{}", book.random.hex(16)), txn: None }
    }

    fn on(&self, book: &mut Book, record: &mut Json) {
        record["trace_id"] = json!(self.trace);
        record["request_id"] = json!(self.request);
        record["span_id"] = json!(book.random.hex(16));
        if let Some(txn) = &self.txn {
            record["txn"] = json!(txn);
        }
    }
}

/// Writes down what was asked and decided; whoever puts it may add to it.
pub(super) fn decision(book: &mut Book, who: Who, asked: &Asked<'_>, trace: &Trace) -> Json {
    let id = format!("{who:?}-{}", book.random.hex(16)).to_lowercase();
    let context = book.seal("context", Value::from(format!("from {}", book.now_ms % 251)));
    let mut record = json!({
        "decision_id": id, "pdp": format!("{who:?}-1").to_lowercase(), "pep": "spiffe://prod.example/pep/envoy", "result": asked.result,
        "subject": { "type": "workload", "id": asked.by, "credential": { "handle": asked.credential } }, "action": { "name": asked.action },
        "resource": { "type": asked.resource.0, "id": asked.resource.1 }, "context": context,
        "policies": [asked.policy.reference(who == Who::Opa)], "enforcement": "enforced",
        "source": { "system": "opa", "version": "1.22.2", "instance": format!("{who:?}"), "native_id": id }, "assurance": "adapter-signed",
    });
    trace.on(book, &mut record);
    record
}

pub(super) fn put(book: &mut Book, who: Who, record: Json) -> Decided {
    let sub = record["subject"]["id"].as_str().unwrap().to_owned();
    let iss = book.parties[who as usize].iss;
    let target = json!({ "handle": ["dec", [iss, record["decision_id"]]] });
    Decided { at: book.put(who, "decision", &sub, record), target }
}

/// Writes down what became of a decision.
pub(super) fn effect(book: &mut Book, who: Who, of: &Decided, outcome: &str, trace: &Trace) -> usize {
    book.pass(3);
    let iss = book.parties[who as usize].iss;
    let [decision_iss, decision_id] = [&of.target["handle"][1][0], &of.target["handle"][1][1]];
    let mut record = json!({
        "decision_id": decision_id, "decision_iss": decision_iss, "performer": iss, "outcome": outcome, "status": 200,
        "output_digest": book.random.digest(), "start_ms": book.now_ms - 3, "end_ms": book.now_ms,
    });
    trace.on(book, &mut record);
    book.put(who, "effect", iss, record)
}

impl Day {
    /// Something happens.
    pub(super) fn operate(&mut self) {
        match self.book.random.below(20) {
            0..=6 => self.read(),
            7..=10 => self.pay(),
            11..=14 => self.ask_agent(),
            15 => self.batch(),
            16 => self.refuse(),
            17 => self.partner(),
            18 => self.observe(),
            _ => self.approved_payment(),
        }
    }

    fn account(&mut self) -> String {
        let number = self.book.random.below(400);
        self.book.of_day(&format!("acct-{number}"))
    }

    /// One workload reads an account.
    fn read(&mut self) {
        let account = self.account();
        let who = *self.book.random.pick(&[PAY, PORTAL, REPORT, OPS]);
        let trace = Trace::new(&mut self.book);
        let decided = self.decide(who, Who::Opa, "read", ("account", &account), "permit", &trace, &[]);
        effect(&mut self.book, Who::Ledger, &decided, "performed", &trace);
    }

    /// A request that goes from workload to workload, each asking for a decision of its own.
    fn pay(&mut self) {
        let account = self.account();
        let mut trace = Trace::new(&mut self.book);
        trace.txn = Some(format!("txn-{}", self.book.random.hex(10)));
        let first = self.decide(PORTAL, Who::Opa, "open", ("form", "payment"), "permit", &trace, &[]);
        let second = self.decide(PAY, Who::Opa, "read", ("account", &account), "permit", &trace, &[&first]);
        let read = effect(&mut self.book, Who::Ledger, &second, "performed", &trace);
        let result = if self.book.random.one_in(9) { "deny" } else { "permit" };
        let third = self.decide(LEDGER, Who::Opa, "post", ("account", &account), result, &trace, &[&second]);
        let outcome = if result == "deny" { "blocked" } else { "performed" };
        let posted = effect(&mut self.book, Who::Ledger, &third, outcome, &trace);
        if self.book.random.one_in(3) {
            // What was written down besides was caused by the posting itself.
            let link = self.book.link("caused_by", posted.max(read));
            let record = json!({ "outcome": "performed", "performer": "spiffe://prod.example/ledger", "tool": "journal", "links": [link] });
            self.book.put(Who::Ledger, "effect", "spiffe://prod.example/ledger", record);
        }
    }

    /// Has a workload's request decided, caused by other decisions.
    #[expect(clippy::too_many_arguments, reason = "a request has that many sides")]
    fn decide(
        &mut self,
        who: usize,
        pdp: Who,
        action: &str,
        resource: (&str, &str),
        result: &str,
        trace: &Trace,
        causes: &[&Decided],
    ) -> Decided {
        self.book.pass(40);
        let (workload, policy) = (&self.workloads[who], if pdp == Who::Opa { &self.authz } else { &self.tools });
        let asked =
            Asked { by: &workload.id, credential: &workload.credential.shown, action, resource, policy, result };
        let mut record = decision(&mut self.book, pdp, &asked, trace);
        let links: Vec<Json> =
            causes.iter().map(|cause| json!({ "rel": "caused_by", "target": cause.target })).collect();
        if !links.is_empty() {
            record["links"] = links.into();
        }
        put(&mut self.book, pdp, record)
    }

    /// A person's agent calls tools, and has another one do a part of it.
    fn ask_agent(&mut self) {
        let now_ms = self.book.now_ms;
        if self.delegation.as_ref().is_none_or(|known| known.expires_ms + 60_000 < now_ms) {
            self.delegation = Some(people::delegate(&mut self.book, &self.workloads[TRIAGE]));
        }
        let Some(delegation) = self.delegation.clone() else { return };
        let mut trace = Trace::new(&mut self.book);
        trace.txn = Some(delegation.txn.clone());
        let is_late = delegation.expires_ms < now_ms;
        let result = if is_late { "deny" } else { "permit" };
        let first = self.call_tool(TRIAGE, &delegation, "read_account", result, &trace, None);
        effect(&mut self.book, Who::Tools, &first, if is_late { "blocked" } else { "performed" }, &trace);
        if !is_late && self.book.random.one_in(3) {
            let part = people::redelegate(&mut self.book, &delegation, &self.workloads[TRIAGE], &self.workloads[OPS]);
            let second = self.call_tool(OPS, &part, "list_postings", "permit", &trace, Some(&first));
            effect(&mut self.book, Who::Tools, &second, "performed", &trace);
        }
    }

    fn call_tool(
        &mut self,
        who: usize,
        delegation: &Delegation,
        tool: &str,
        result: &str,
        trace: &Trace,
        cause: Option<&Decided>,
    ) -> Decided {
        self.book.pass(80);
        let workload = &self.workloads[who];
        let asked = Asked {
            by: &workload.id,
            credential: &workload.credential.shown,
            action: "call",
            resource: ("tool", tool),
            policy: &self.tools,
            result,
        };
        let mut record = decision(&mut self.book, Who::Cedar, &asked, trace);
        let prompt = self.book.seal("agent.prompt", Value::from(format!("what became of {}", trace.request)));
        let agent = self.book.entry(self.agents[usize::from(who == OPS)]);
        record["subject"]["type"] = json!("agent");
        record["agent"] = json!({
            "link": agent, "task": trace.request, "session": trace.txn, "prompt": prompt, "autonomy": "asks before writing",
            "tool": { "server": "https://tools.prod.example/ledger", "name": tool, "schema_digest": self.book.digest("schema of read_account") },
        });
        // By the entry, or by the token, as a decision point knows it.
        record["delegation"] = if self.book.random.one_in(2) {
            self.book.entry(delegation.at)
        } else {
            json!({ "handle": ["tok_s256", delegation.token] })
        };
        record["op_digest"] = json!(self.book.random.digest());
        record["op_bound"] = json!("full");
        if let Some(cause) = cause {
            record["links"] = json!([self.book.link("caused_by", cause.at)]);
        }
        put(&mut self.book, Who::Cedar, record)
    }

    /// Permits that a capture rule lets be batched.
    fn batch(&mut self) {
        let (mut members, mut decided) = (Vec::new(), Vec::new());
        let mut tally = Tally::default();
        let account = self.account();
        for _ in 0..3 + self.book.random.below(10) {
            let trace = Trace::new(&mut self.book);
            let workload: &Workload = &self.workloads[PAY];
            let credential = &workload.credential.shown;
            let resource = ("account", account.as_str());
            let asked =
                Asked { by: &workload.id, credential, action: "read", resource, policy: &self.authz, result: "permit" };
            let mut record = decision(&mut self.book, Who::Opa, &asked, &trace);
            // Members are kept beside the log; nothing in them is sealed here.
            record.as_object_mut().unwrap().remove("context");
            let dec = json!({ "handle": ["dec", [self.book.parties[Who::Opa as usize].iss, record["decision_id"]]] });
            self.book.forget_sealed();
            let member = self.book.payload("decision", record);
            tally.add(&member::decision(&member).unwrap());
            decided.push((Decided { at: 0, target: dec }, trace));
            members.push(member);
            self.book.pass(20);
        }
        let (from_ms, to_ms) = tally.time_ms();
        let root = member::tree(members.iter().map(Vec::as_slice)).root();
        let record = json!({
            "count": tally.count(), "root": root.to_string(), "from_ms": from_ms, "to_ms": to_ms, "capture": self.capture.digest,
            "pdp": "opa-1", "pep": "spiffe://prod.example/pep/envoy", "assurance": "adapter-signed",
        });
        let Value::Map(mut pairs) = parse(&self.book.payload("decision-batch", record)).unwrap() else { return };
        pairs.push(("counts".into(), tally.to_value()));
        let (payload, sub) = (to_deterministic(&Value::Map(pairs)), "spiffe://prod.example/pep/envoy");
        let at = self.book.put_payload(Who::Opa as usize, "decision-batch", sub, payload);
        self.book.entries[at].members = members;
        // What came of one of them names a decision that only the members have.
        if let Some((decided, trace)) = decided.first() {
            effect(&mut self.book, Who::Ledger, decided, "performed", trace);
        }
    }

    /// Nothing comes of these.
    fn refuse(&mut self) {
        let account = self.account();
        let trace = Trace::new(&mut self.book);
        if self.book.random.one_in(3) {
            let decided = self.decide(REPORT, Who::Opa, "read", ("account", &account), "error", &trace, &[]);
            effect(&mut self.book, Who::Envoy, &decided, "failed", &trace);
        } else {
            let decided = self.decide(PORTAL, Who::Opa, "delete", ("account", &account), "deny", &trace, &[]);
            effect(&mut self.book, Who::Envoy, &decided, "blocked", &trace);
        }
    }

    /// A workload of the other domain asks at home first, and then here.
    fn partner(&mut self) {
        if self.silent.is_some() {
            return self.read();
        }
        let account = self.account();
        let trace = Trace::new(&mut self.book);
        let billing = self.workloads.len() - 1;
        let (workload, policy) = (&self.workloads[billing], &self.partner_authz);
        let resource = ("account", account.as_str());
        let asked = Asked {
            by: &workload.id,
            credential: &workload.credential.shown,
            action: "settle",
            resource,
            policy,
            result: "permit",
        };
        let record = decision(&mut self.book, Who::PartnerPdp, &asked, &trace);
        let home = put(&mut self.book, Who::PartnerPdp, record);
        let here = self.decide(billing, Who::Opa, "read", resource, "permit", &trace, &[&home]);
        effect(&mut self.book, Who::Ledger, &here, "performed", &trace);
    }

    /// An enforcement point writes down whose credential it sees.
    pub(super) fn observe(&mut self) {
        let who = usize::try_from(self.book.random.below(self.workloads.len() as u64)).unwrap();
        let workload = &self.workloads[who];
        let observation = json!({
            "observed": "credential", "subject": workload.id, "credential_type": "x509", "where": "ledger.prod.example:8443",
            "observer": "spiffe://prod.example/pep/envoy",
            "links": [{ "rel": "observes", "target": { "handle": workload.credential.shown } }],
        });
        let sub = workload.id.clone();
        self.book.put(Who::Envoy, "observation", &sub, observation);
    }

    /// A payment that a person approves first: both know the operation by its digest.
    fn approved_payment(&mut self) {
        let account = self.account();
        let operation = self.book.random.digest();
        people::approve(&mut self.book, &operation, "operation", "person-44d2", "a payment above 1,000");
        let trace = Trace::new(&mut self.book);
        let (workload, policy) = (&self.workloads[PAY], &self.authz);
        let resource = ("account", account.as_str());
        let asked = Asked {
            by: &workload.id,
            credential: &workload.credential.shown,
            action: "post",
            resource,
            policy,
            result: "permit",
        };
        let mut record = decision(&mut self.book, Who::Opa, &asked, &trace);
        record["op_digest"] = json!(operation);
        record["op_bound"] = json!("full");
        let decided = put(&mut self.book, Who::Opa, record);
        effect(&mut self.book, Who::Ledger, &decided, "performed", &trace);
    }

    /// CI deploys a workload with a token that it got for its own.
    pub(super) fn deploy(&mut self, job: u64) {
        let token = workloads::exchange(&mut self.book, &self.appraisal, job);
        let trace = Trace::new(&mut self.book);
        let asked = Asked {
            by: "spiffe://prod.example/ci/deploy",
            credential: &token,
            action: "deploy",
            resource: ("service", "pay"),
            policy: &self.tools,
            result: "permit",
        };
        let record = decision(&mut self.book, Who::Cedar, &asked, &trace);
        let decided = put(&mut self.book, Who::Cedar, record);
        effect(&mut self.book, Who::Tools, &decided, "performed", &trace);
    }
}
