//! What may stand in a batch and what stands alone: the capture rule, which is itself logged.
//!
//! records.md §3: "What may be batched, sampled, masked or dropped is itself a `policy` (engine `capture`): by default permits may be batched per
//! second, while denies, errors, fail-opens, delegated, agent and break-glass decisions are entries of their own".

use std::time::Duration;

use ciborium::Value;
use govlog_formats::admission::subject_matches;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::decision::{DecisionResult, Enforcement};
use govlog_formats::record::{Decision, Record, RecordError, Recorded, SchemeDigest};

use crate::seal::Draft;
use crate::world::millis;

/// The rule by which permits are batched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// How long the first permit of a batch waits for others.
    pub window: Duration,
    /// How many members a batch has at most.
    pub members: usize,
    /// How many bytes they have at most, with what opens their sealed values.
    pub bytes: u64,
    /// Subjects whose decisions stand alone whatever they are: exact, or prefixes that end in `/`.
    pub alone_subjects: Vec<String>,
    /// Policies whose decisions stand alone, as `policy_ids` has them: these, and all below them.
    pub alone_policies: Vec<String>,
}

impl Capture {
    /// Says whether a decision may be a member of a batch. What is sealed is not judged, and stands alone.
    #[must_use]
    pub fn is_batched(&self, decision: &Decision) -> bool {
        let body = decision.body();
        let is_plain = decision.result() == Recorded::Present(DecisionResult::Permit)
            && matches!(
                decision.enforcement(),
                Recorded::Absent | Recorded::Present(Enforcement::Enforced | Enforcement::DryRun | Enforcement::Shadow)
            )
            && body.at(&["agent"]) == Recorded::Absent
            && body.at(&["delegation"]) == Recorded::Absent;
        is_plain && !self.is_alone(decision) && !is_exceptional(decision)
    }

    /// Whether the operator wants it to stand alone.
    fn is_alone(&self, decision: &Decision) -> bool {
        let Recorded::Present(subject) = decision.subject_id() else { return true };
        let is_below = |id: &str, policy: &str| {
            id.strip_prefix(policy).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let policies = match decision.body().texts(&["policy_ids"]) {
            Recorded::Present(policies) => policies,
            Recorded::Absent => Vec::new(),
            Recorded::Sealed(_) => return true,
        };
        self.alone_subjects.iter().any(|pattern| subject_matches(pattern, subject))
            || self.alone_policies.iter().any(|policy| policies.iter().any(|id| is_below(id, policy)))
    }

    /// The rule as it is logged.
    fn content(&self) -> Value {
        let texts = |texts: &[String]| Value::Array(texts.iter().map(|text| text.as_str().into()).collect());
        let mut map: Vec<(Value, Value)> = vec![
            ("batch".into(), "permits".into()),
            ("together".into(), Value::Array(vec!["pdp".into(), "pep".into()])),
            ("window_ms".into(), millis(self.window).into()),
            ("members".into(), u64::try_from(self.members).unwrap_or(u64::MAX).into()),
            ("bytes".into(), self.bytes.into()),
            ("alone".into(), Value::Array(ALONE.iter().map(|name| (*name).into()).collect())),
        ];
        for (key, list) in [("alone_subjects", &self.alone_subjects), ("alone_policies", &self.alone_policies)] {
            if !list.is_empty() {
                map.push((key.into(), texts(list)));
            }
        }
        Value::Map(map)
    }

    /// What names the rule: the SHA-256 of its deterministic CBOR.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::sha256(&to_deterministic(&self.content()))
    }

    /// The same, as batches and the logged rule have it.
    #[must_use]
    pub fn policy_digest(&self) -> Value {
        SchemeDigest { scheme: "sha256".to_owned(), bytes: self.digest().as_bytes().to_vec() }.to_value()
    }

    /// Drafts the `policy` record of the rule, as the issuer's own.
    ///
    /// # Errors
    ///
    /// It is no record: a mistake in this program.
    pub fn draft(&self, iss: &str, now_ms: u64) -> Result<Draft, RecordError> {
        let uri = rule_uri(iss);
        let map: Vec<(Value, Value)> = vec![
            ("v".into(), 1.into()),
            ("event_ms".into(), now_ms.into()),
            ("engine".into(), "capture".into()),
            ("name".into(), "capture".into()),
            ("uri".into(), uri.as_str().into()),
            ("policy_digest".into(), self.policy_digest()),
            ("content".into(), self.content()),
            ("assurance".into(), "adapter-signed".into()),
        ];
        let payload = to_deterministic(&Value::Map(map));
        Record::parse("policy", &payload)?;
        Ok(Draft { kind: "policy", sub: Some(uri), payload, openings: Vec::new() })
    }
}

/// The subject of an issuer's capture rule.
#[must_use]
pub fn rule_uri(iss: &str) -> String {
    format!("{iss}/capture")
}

/// The subject of a batch: the enforcement point, for its members have many subjects; where none is named, who signs.
#[must_use]
pub fn batch_subject(pep: Option<&str>, iss: &str) -> String {
    pep.filter(|pep| pep.contains([':', '/'])).unwrap_or(iss).to_owned()
}

/// A decision on somebody's behalf, by an approval, or against the rule in an emergency.
fn is_exceptional(decision: &Decision) -> bool {
    let body = decision.body();
    if matches!(body.at(&["links"]), Recorded::Sealed(_)) || matches!(body.at(&["reasons"]), Recorded::Sealed(_)) {
        return true;
    }
    let by_link = body.links().iter().any(|link| matches!(link.rel.as_str(), "on_behalf_of" | "authorised_by"));
    let by_reason = match body.at(&["reasons"]) {
        Recorded::Present(Value::Array(reasons)) => {
            reasons.iter().any(|reason| reason.as_text().is_none_or(|text| text == BREAK_GLASS))
        }
        _ => false,
    };
    by_link || by_reason
}

const BREAK_GLASS: &str = "break-glass";
/// What always stands alone.
const ALONE: [&str; 7] = ["deny", "error", "not-evaluated", "fail-open", "delegated", "agent", BREAK_GLASS];

#[cfg(test)]
mod tests {
    use govlog_formats::record::view;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::testing::capture;

    type Change = fn(&mut Json);
    type Sealing<'a> = dyn Fn(&mut Json) + 'a;

    fn decision(change: impl FnOnce(&mut Json)) -> Decision {
        let mut record = json!({
            "v": 1, "event_ms": 1, "decision_id": "d-1", "result": "permit", "enforcement": "enforced",
            "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
            "resource": { "type": "account", "id": "acct-5" }, "policy_ids": ["ledger/authz/decision"], "reasons": ["reader"],
        });
        change(&mut record);
        let payload = view::from_json("decision", &record).unwrap();
        let Record::Decision(decision) = Record::parse("decision", &payload).unwrap() else { panic!() };
        decision
    }

    #[test]
    fn plain_permits_are_batched_and_nothing_else_is() {
        let rule = capture();
        assert!(rule.is_batched(&decision(|_| {})));
        let batched: [Change; 3] = [
            |record| drop(record.as_object_mut().unwrap().remove("enforcement")),
            |record| record["enforcement"] = json!("shadow"),
            |record| record["reasons"] = json!([]),
        ];
        for change in batched {
            assert!(rule.is_batched(&decision(change)));
        }
        let sealed = json!({ "$sealed": "A".repeat(43) });
        let alone: [&Sealing<'_>; 13] = [
            &|record| record["result"] = json!("deny"),
            &|record| record["result"] = json!("error"),
            &|record| record["result"] = json!("not-evaluated"),
            &|record| record["result"] = sealed.clone(),
            &|record| record["enforcement"] = json!("fail-open"),
            &|record| record["enforcement"] = sealed.clone(),
            &|record| record["delegation"] = json!({ "entry": "11".repeat(32) }),
            &|record| record["links"] = json!([{ "rel": "on_behalf_of", "target": { "entry": "11".repeat(32) } }]),
            &|record| record["links"] = json!([{ "rel": "authorised_by", "target": { "entry": "11".repeat(32) } }]),
            &|record| record["agent"] = json!({ "task": "t-1" }),
            &|record| record["reasons"] = json!(["reader", "break-glass"]),
            &|record| record["subject"]["id"] = sealed.clone(),
            &|record| record["policy_ids"] = sealed.clone(),
        ];
        for change in alone {
            let decision = decision(change);
            assert!(!rule.is_batched(&decision), "{decision:?}");
        }
    }

    #[test]
    fn the_operator_names_what_else_stands_alone() {
        let rule = Capture {
            alone_subjects: vec!["spiffe://prod.example/breakglass".into(), "spiffe://prod.example/agent/".into()],
            alone_policies: vec!["mcp/tools".into()],
            ..capture()
        };
        let of = |subject: &str, policy: &str| {
            rule.is_batched(&decision(|record| {
                record["subject"]["id"] = json!(subject);
                record["policy_ids"] = json!([policy]);
            }))
        };
        assert!(of("spiffe://prod.example/pay", "ledger/authz"));
        assert!(of("spiffe://prod.example/agency", "mcp/toolset"));
        assert!(!of("spiffe://prod.example/breakglass", "ledger/authz"));
        assert!(!of("spiffe://prod.example/agent/triage", "ledger/authz"));
        assert!(!of("spiffe://prod.example/pay", "mcp/tools"));
        assert!(!of("spiffe://prod.example/pay", "mcp/tools/allow"));
    }

    #[test]
    fn the_rule_is_a_policy_record_and_every_part_of_it_is_in_its_digest() {
        let rule = capture();
        let draft = rule.draft("spiffe://prod.example/agent", 5).unwrap();
        assert_eq!(draft.sub.as_deref(), Some("spiffe://prod.example/agent/capture"));
        let record = Record::parse("policy", &draft.payload).unwrap();
        let body = record.body().unwrap();
        assert_eq!(body.text(&["engine"]), Recorded::Present("capture"));
        let Recorded::Present(content) = body.at(&["content"]) else { panic!() };
        assert_eq!(Digest::sha256(&to_deterministic(content)), rule.digest());
        let others = [
            Capture { window: Duration::from_millis(1), ..rule.clone() },
            Capture { members: 3, ..rule.clone() },
            Capture { bytes: 3, ..rule.clone() },
            Capture { alone_subjects: vec!["a:b".into()], ..rule.clone() },
            Capture { alone_policies: vec!["a".into()], ..rule.clone() },
        ];
        assert!(others.iter().all(|other| other.digest() != rule.digest()));
    }
}
