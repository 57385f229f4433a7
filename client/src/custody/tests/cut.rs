//! A matter for which there is not room: what was done with it displaces nothing that weighs more.

use std::sync::Arc;

use govlog_formats::record::view;
use serde_json::{Value as Json, json};

use super::scene::Scene;
use super::*;
use crate::custody::Node;
use crate::custody::{Closure, Shelf, close};

const PDP: &str = "spiffe://a/pdp";
const PEP: &str = "spiffe://a/pep";
/// So many that no room here holds them.
const MANY: u64 = 200;

struct Log {
    scene: Scene,
    nodes: Vec<Arc<Node>>,
}

impl Log {
    fn new() -> Self {
        Self { scene: Scene::new(0, 0), nodes: Vec::new() }
    }

    fn add(&mut self, iss: &str, kind: &str, mut record: Json) -> u64 {
        record["v"] = json!(1);
        record["event_ms"] = json!(1_700_000_000_000_u64);
        let payload = view::from_json(kind, &record).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let index = self.nodes.len() as u64;
        self.nodes.push(Arc::new(Node::new(LeafIndex::new(index), &self.scene.sign(iss, kind, &payload))));
        index
    }

    fn effects(&mut self, decision: &str) {
        for at in 0..MANY {
            let effect = json!({
                "outcome": "performed", "performer": format!("spiffe://a/w{at}"), "decision_id": decision, "decision_iss": PDP,
            });
            self.add(PEP, "effect", effect);
        }
    }

    fn shelf(&self) -> Shelf {
        let mut shelf = Shelf::default();
        self.nodes.iter().for_each(|node| shelf.add(node.as_ref().clone()));
        shelf
    }

    fn close(&self, starts: &[u64], most: usize) -> Closure {
        let starts = starts.iter().map(|at| self.nodes[usize::try_from(*at).unwrap()].clone());
        let Ok(closure) = close(&mut self.shelf(), starts, most);
        closure
    }
}

fn digest(of: &str) -> String {
    Digest::sha256(of.as_bytes()).to_string()
}

fn decision(id: &str) -> Json {
    json!({
        "decision_id": id, "result": "permit", "action": { "name": "read" }, "resource": { "type": "account", "id": "a" },
        "subject": { "id": "spiffe://a/x", "credential": { "handle": ["tbs_s256", digest("c")] } },
        "policies": [{ "policy_digest": ["sha256", digest("p")] }],
    })
}

/// A decision, somebody who logs effects of it without end, and after these all that it rests on and that was said of it.
fn flooded() -> (Log, u64, Vec<u64>) {
    let mut log = Log::new();
    let start = log.add(PDP, "decision", decision("d-1"));
    log.effects("d-1");
    let registered = digest("r");
    let issuance = json!({
        "stage": "issued", "credential_type": "x509", "subject": "spiffe://a/x", "handles": { "tbs_s256": digest("c") }, "entry_digest": registered,
    });
    let registration =
        json!({ "op": "create", "entry_id": "e-1", "subject": "spiffe://a/x", "entry_digest": registered });
    let policy = json!({ "engine": "opa", "name": "p", "policy_digest": ["sha256", digest("p")] });
    let revocation = json!({ "target_type": "credential", "target": { "id": "spiffe://a/x" }, "effective_ms": 1 });
    let finding = json!({ "check": "D4", "verdict": "fail", "entries": [{ "entry": log.nodes[0].leaf.to_string() }] });
    let rest = [
        ("issuance", issuance),
        ("registration", registration),
        ("policy", policy),
        ("ownership", json!({ "prefix": "spiffe://a/", "owner": "o" })),
        ("revocation", revocation),
        ("finding", finding),
    ];
    let rest = rest.into_iter().map(|(kind, record)| log.add(PDP, kind, record)).collect();
    (log, start, rest)
}

#[test]
fn what_was_done_comes_in_the_room_that_causes_and_words_leave() {
    let (log, start, rest) = flooded();
    for most in [7, 8, 20, 100] {
        let closure = log.close(&[start], most);
        assert!(closure.is_cut && closure.reached.len() == most, "{most}");
        let missing: Vec<_> =
            rest.iter().filter(|at| !closure.reached.contains_key(&LeafIndex::new(**at).into())).collect();
        assert!(missing.is_empty(), "{most}: {missing:?} are displaced");
        let effects: Vec<u64> =
            closure.reached.keys().map(|spot| spot.index.get()).filter(|at| (1..=MANY).contains(at)).collect();
        assert_eq!(effects, (1..=most as u64 - 7).collect::<Vec<_>>(), "the earliest of them, {most}");
    }
    let whole = log.close(&[start], rest.len() + 1 + usize::try_from(MANY).unwrap());
    assert!(!whole.is_cut);
}

#[test]
fn what_was_asked_for_leaves_room_for_what_it_rests_on_and_what_was_said_of_it() {
    let (mut log, start, rest) = flooded();
    let asked: Vec<u64> = (0..MANY).map(|at| log.add(PDP, "decision", decision(&format!("d-{at}x")))).collect();
    let closure = log.close(&[&[start], &asked[..]].concat(), 40);
    assert!(closure.is_cut && closure.reached.len() == 40);
    assert!(rest.iter().all(|at| closure.reached.contains_key(&LeafIndex::new(*at).into())));
    let starts =
        closure.reached.keys().filter(|spot| spot.index.get() == start || asked.contains(&spot.index.get())).count();
    assert_eq!(starts, 40 - rest.len(), "what was asked for comes before what came of it");
}

/// Whoever may log words without end takes no share but theirs.
#[test]
fn words_displace_neither_what_was_asked_for_nor_what_it_rests_on() {
    let (mut log, start, rest) = flooded();
    let about = log.nodes[0].leaf.to_string();
    for at in 0..MANY {
        let finding = json!({ "check": format!("X{at}"), "verdict": "fail", "entries": [{ "entry": about }] });
        log.add(PEP, "finding", finding);
    }
    let others: Vec<u64> = (0..10).map(|at| log.add(PDP, "decision", decision(&format!("d-{at}x")))).collect();
    let closure = log.close(&[&[start], &others[..]].concat(), 40);
    assert!(closure.is_cut);
    let is_here = |at: &u64| closure.reached.contains_key(&LeafIndex::new(*at).into());
    assert!(others.iter().chain(&rest[..5]).all(is_here), "{:?}", closure.reached.keys());
}
