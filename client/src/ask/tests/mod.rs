//! A small organisation's log, asked over HTTP, in a folder and in a custody file, and a server whose index lies.

mod busy;
mod drawn;
mod notes;
mod receipts;
mod requests;
mod server;
mod strict;

use govlog_formats::admission::{ChangeFields, IssuerRow};
use govlog_formats::merkle::{LeafIndex, TreeSize};
use govlog_formats::record::view;
use govlog_formats::search::Filter;
use govlog_formats::statement::SignedStatement;
use serde_json::{Value, json};

use super::*;
use crate::source::Source;
use crate::testing::{COSIGNED, ISSUER, TestLog};
use crate::trust::{Trust, TrustDir};
use crate::verify::Outcome;
use server::{Index, Server, Serves, honest};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CERT: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const POLICY: &str = "3333333333333333333333333333333333333333333333333333333333333333";
/// When the newest witness cosigned the newest checkpoint.
const NOW: u64 = COSIGNED + 300;

/// Entry 3 is the ownership, 4 the registration, 5 the issuance, 6 the policy, 7 the decision with the trace, 8 its effect, 9 and 10 heartbeats,
/// 11 a decision under a policy that nobody logged.
fn organisation() -> TestLog {
    let mut log = TestLog::new();
    let kinds =
        "decision effect issuance policy ownership registration revocation stream".split(' ').map(str::to_owned);
    let row = IssuerRow { kinds: kinds.collect(), ..log.issuer_row() };
    log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
    let cert = "11".repeat(32);
    let decision = |id: &str, digest: &str| {
        let mut decision = decided(id);
        decision["policies"] = json!([{ "policy_digest": ["sha256", digest.repeat(32)] }]);
        decision
    };
    let traced = |mut record: Value| {
        record["trace_id"] = json!(TRACE);
        record
    };
    let records = [
        ("ownership", json!({ "prefix": "spiffe://prod.example/", "owner": "team-pay" })),
        (
            "registration",
            json!({ "op": "create", "entry_id": "e-1", "subject": "spiffe://prod.example/pay", "entry_digest": "22".repeat(32) }),
        ),
        (
            "issuance",
            json!({
                "stage": "issued", "credential_type": "x509", "subject": "spiffe://prod.example/pay",
                "handles": { "cert_s256": cert }, "entry_digest": "22".repeat(32),
            }),
        ),
        ("policy", json!({ "engine": "opa", "name": "authz", "policy_digest": ["sha256", "33".repeat(32)] })),
        ("decision", traced(decision("d-1", "33"))),
        (
            "effect",
            traced(json!({
                "decision_id": "d-1", "decision_iss": ISSUER, "performer": "spiffe://prod.example/ledger",
                "outcome": "performed",
            })),
        ),
        ("stream", json!({ "op": "heartbeat", "instance": "i-1", "next_seq": 7, "event_ms": (NOW - 220) * 1000 })),
        ("stream", json!({ "op": "heartbeat", "instance": "i-1", "next_seq": 8, "event_ms": (NOW - 160) * 1000 })),
        ("decision", decision("d-2", "44")),
    ];
    records.into_iter().for_each(|(kind, record)| add(&mut log, kind, record));
    log
}

/// A decision about the workload, by its certificate.
fn decided(id: &str) -> Value {
    let credential = json!({ "type": "x509", "handle": ["cert_s256", CERT] });
    json!({
        "decision_id": id, "result": "permit", "subject": { "id": "spiffe://prod.example/pay", "credential": credential },
        "action": { "name": "read" }, "resource": { "type": "account", "id": "acct-5" },
    })
}

/// Appends a record to the issuer's stream, about the subject that its kind has.
fn add(log: &mut TestLog, kind: &str, mut record: Value) {
    record["v"] = json!(1);
    let seconds = log.next.seq;
    record.as_object_mut().unwrap().entry("event_ms").or_insert(json!((COSIGNED + seconds) * 1000));
    let payload = view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}"));
    let sub = if kind == "stream" { "s-1" } else { "spiffe://prod.example/pay" };
    // Signed when it happened.
    let iat = record["event_ms"].as_i64().unwrap() / 1000;
    log.add_at(kind, &payload, (sub, iat));
}

/// A log's server, and somebody who knows its first change.
struct Asking {
    server: Server,
    _dir: tempfile::TempDir,
    source: Source,
    trust: Trust,
}

impl Asking {
    fn new(index: Index) -> Self {
        Self::of(organisation(), index)
    }

    fn of(log: TestLog, index: Index) -> Self {
        Self::serving(log, Serves { index, ..Serves::default() })
    }

    /// Of a server that gives other bytes for some entries.
    fn giving(log: TestLog, other: Vec<(u64, Vec<u8>)>) -> Self {
        Self::serving(log, Serves { other, ..Serves::default() })
    }

    /// Of a server that does not list one of the entries that its admission policy is folded from.
    fn hiding(log: TestLog, hidden: String) -> Self {
        Self::serving(log, Serves { hidden: Some(hidden), ..Serves::default() })
    }

    fn serving(log: TestLog, serves: Serves) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trust = log.trusted_in(&dir.path().join("trust")).trust().clone();
        let server = Server::serving(log, serves);
        let source = Source::open(&server.url()).unwrap();
        Self { server, _dir: dir, source, trust }
    }

    /// Of somebody who has seen this note.
    fn pinned(mut self, note: &[u8]) -> Self {
        let mut dir = TrustDir::load(&self._dir.path().join("trust")).unwrap();
        dir.pin(note).unwrap();
        self.trust = dir.trust().clone();
        self
    }

    fn query(&self, pairs: &[(&str, &str)], complete: bool) -> (Vec<String>, Answered) {
        let filter = Filter::from_pairs(pairs.iter().copied()).unwrap();
        let asked = Asked { filter, at: None, most: 100, complete };
        let mut found = Vec::new();
        let mut each = |hit: &Hit| found.push(hit.entry.id().to_string());
        let answered = query(&self.source, &self.trust, &asked, &mut each, &mut |_, _, _| {}).unwrap();
        (found, answered)
    }
}

/// What lies, or holds something back, and what it is caught by.
fn caught(index: Index, complete: bool) -> Answered {
    let (found, answered) = Asking::new(index).query(&[("trace", TRACE)], complete);
    assert!(
        found.iter().all(|id| ["1.7", "1.8"].contains(&id.as_str())),
        "only what was asked for is given: {found:?}"
    );
    assert_eq!(answered.outcome(), Outcome::Refuted);
    answered
}

/// Parameters, and the entries that answer.
type Question = (&'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn entries_are_found_by_what_they_say_and_verified() {
    let asking = Asking::new(honest);
    let questions: [Question; 9] = [
        (&[("trace", TRACE)], &["1.7", "1.8"]),
        (&[("trace", TRACE), ("kind", "effect")], &["1.8"]),
        (&[("decision", "d-2")], &["1.11"]),
        (&[("policy", POLICY)], &["1.6", "1.7"]),
        (&[("credential", CERT)], &["1.5", "1.7", "1.11"]),
        (&[("prefix", "spiffe://prod.example/")], &["1.3"]),
        (&[("entry", "e-1")], &["1.4"]),
        (&[("kind", "stream"), ("since", "1700000100000")], &["1.10"]),
        (&[("decision", "d-9")], &[]),
    ];
    for (pairs, expected) in questions {
        for complete in [false, true] {
            let (found, answered) = asking.query(pairs, complete);
            assert_eq!(found, expected, "{pairs:?}");
            assert_eq!((answered.outcome(), answered.found), (Outcome::Verified, expected.len()), "{answered:?}");
        }
    }
}

#[test]
fn an_answer_is_as_old_as_its_quorum_and_not_as_its_newest_witness() {
    let (_, answered) = Asking::new(honest).query(&[("trace", TRACE)], false);
    assert_eq!(answered.time_s, Some(COSIGNED + 200));
}

#[test]
fn no_more_are_given_than_were_asked_for_and_it_is_said_that_there_are_more() {
    let asking = Asking::new(honest);
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    for complete in [false, true] {
        let asked = Asked { filter: filter.clone(), at: None, most: 3, complete };
        let mut count = 0;
        let answered = query(&asking.source, &asking.trust, &asked, &mut |_| count += 1, &mut |_, _, _| {}).unwrap();
        assert_eq!((count, answered.found, answered.has_more), (3, 3, true));
    }
}

#[test]
fn an_index_that_names_what_was_not_asked_for_is_caught() {
    let answered = caught(|at, _| honest(at, &[5, 7, 8]), false);
    assert!(answered.wrong[0].starts_with("1.5:"), "{:?}", answered.wrong);
    let answered = caught(|at, _| honest(at, &[5, 7, 8]), true);
    assert!(answered.wrong[0].starts_with("1.5:"), "{:?}", answered.wrong);
}

#[test]
fn an_answer_that_no_index_can_give_is_caught() {
    let liars: [(Index, &str); 6] = [
        (|at, _| honest(at, &[8, 7]), "order"),
        (|at, _| honest(at, &[7, 7]), "order"),
        (|at, _| honest(at, &[7, at]), "1.12"),
        (|at, _| json!({ "as_of": at - 1, "ids": ["1.7"], "cursor": null }), "as_of"),
        (|at, _| json!({ "as_of": at, "ids": ["2.7"], "cursor": null }), "2.7"),
        (|at, _| json!({ "as_of": at, "ids": [], "cursor": (at + 1).to_string() }), "cursor"),
    ];
    for (liar, why) in liars {
        let answered = caught(liar, false);
        assert!(answered.wrong[0].contains(why), "{why}: {:?}", answered.wrong);
        let (found, answered) = Asking::new(liar).query(&[("trace", TRACE)], true);
        assert_eq!((found.len(), answered.outcome()), (2, Outcome::Refuted), "the scan finds them all the same");
    }
}

/// What an index holds back only a scan shows; without one it is said that nobody looked.
#[test]
fn what_an_index_holds_back_is_named_by_a_scan_alone() {
    let silent: Index =
        |at, found| honest(at, &found.iter().copied().filter(|index| *index != 8).collect::<Vec<u64>>());
    let (found, answered) = Asking::new(silent).query(&[("trace", TRACE)], false);
    assert_eq!((found, answered.outcome()), (vec!["1.7".to_owned()], Outcome::Verified));
    let answered = caught(silent, true);
    assert_eq!(answered.held_back.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.8"]);
}

/// What was read is the answer, whether the index answers or not.
#[test]
fn a_scan_needs_no_index() {
    let asking = Asking::new(|_, _| Value::Null);
    let filter = Filter::from_pairs([("trace", TRACE)]).unwrap();
    let asked = Asked { filter, at: None, most: 100, complete: false };
    assert!(query(&asking.source, &asking.trust, &asked, &mut |_| (), &mut |_, _, _| {}).is_err());
    let (found, answered) = asking.query(&[("trace", TRACE)], true);
    assert_eq!((found, answered.outcome()), (vec!["1.7".to_owned(), "1.8".to_owned()], Outcome::Verified));
    assert!(answered.not_compared.is_some() && answered.held_back.is_empty());
    assert!(Asking::new(honest).query(&[("trace", TRACE)], true).1.not_compared.is_none());
}

/// Whoever reads everything reads the changes of the admission policy, too: a log that does not list its newest one is caught, and what that one
/// does not allow is not given.
#[test]
fn a_change_that_the_log_does_not_list_is_found_by_a_scan() {
    let log = || {
        let mut log = organisation();
        log.change(ChangeFields { retire: vec![ISSUER.to_owned()], ..ChangeFields::default() });
        add(&mut log, "decision", decided("d-7"));
        log
    };
    let (retired, late) = ("1.12".to_owned(), "1.13".to_owned());
    for is_listed in [true, false] {
        let asking = if is_listed { Asking::of(log(), honest) } else { Asking::hiding(log(), retired.clone()) };
        let (found, answered) = asking.query(&[("decision", "d-7")], true);
        assert_eq!(found, Vec::<String>::new(), "{is_listed}");
        assert_eq!(answered.refused[0].0.to_string(), late);
        let says = answered.wrong.iter().any(|why| why.starts_with(&format!("{retired}: ")));
        assert_eq!(says, !is_listed, "{:?}", answered.wrong);
    }
    let (found, _) = Asking::hiding(log(), retired).query(&[("decision", "d-7")], false);
    assert_eq!(found, [late], "without a scan nobody knows");
}

/// What the index names is given only if it verifies: a stranger's statement in the log's place is refused by name.
#[test]
fn what_does_not_verify_is_named_and_not_given() {
    let mut log = organisation();
    let other = TestLog::new().operator;
    let forged = crate::testing::sign(&other, "decision", &crate::testing::decision("d-3"), None);
    let index = log.append(forged.entry().to_vec());
    assert_eq!(index, LeafIndex::new(12));
    let (found, answered) = Asking::of(log, honest).query(&[("decision", "d-3")], false);
    assert!(found.is_empty());
    assert_eq!(answered.refused[0].0.to_string(), "1.12");
    assert_ne!(answered.outcome(), Outcome::Verified);
}
