//! Decisions inside of batches: followed where what opens them is at hand, and missed by name where it is not.

use govlog_formats::admission::{ChangeFields, IssuerRow};
use govlog_formats::cbor::{Value, parse, to_deterministic};
use govlog_formats::member::MemberProof;
use govlog_formats::record::sealed::Opening;
use govlog_formats::record::view;
use serde_json::json;

use super::export::{made, mirror, plan};
use super::*;
use crate::custody::{ExportError, Exported, Plan, Role, Unopened, export};
use crate::openings::{FieldOpening, Folder, Member, OpeningStore as _, Openings, Protection, Settings, State};
use crate::source::Source;
use crate::testing::batch;
use crate::verify::Outcome;

/// An issuance, a batch of five decisions under it, an effect of the third of them, another batch, and an opening store with the first.
struct Batched {
    dir: tempfile::TempDir,
    source: Source,
    trust: Trust,
    log: TestLog,
    members: Vec<Vec<u8>>,
    store: Folder,
}

const ISSUANCE: u64 = 3;
const BATCH: u64 = 4;

impl Batched {
    fn new() -> Self {
        let mut log = TestLog::new();
        let kinds = ["decision", "decision-batch", "issuance", "effect"].map(str::to_owned).to_vec();
        let row = IssuerRow { kinds, ..log.issuer_row() };
        log.change(ChangeFields { set: vec![row], ..ChangeFields::default() });
        assert_eq!(log.add("issuance", &issuance()).get(), ISSUANCE);
        let mut members: Vec<Vec<u8>> = (0..5).map(|n| decision(&format!("m-{n}"))).collect();
        let opening = Opening { salt: [7; 32], value: "acct-5".into() };
        members[2] = sealed(&members[2], &opening);
        let effect = json!({ "v": 1, "event_ms": 1, "outcome": "performed", "performer": "spiffe://prod.example/pay", "decision_id": "m-2" });
        assert_eq!(log.add("decision-batch", &batch(&members)).get(), BATCH);
        log.add("effect", &view::from_json("effect", &effect).unwrap());
        log.add("decision-batch", &batch(&[decision("o-0"), decision("o-1")]));
        let (dir, source, _) = mirror(&log);
        let mut trusted = TrustDir::load(&dir.path().join("trust")).unwrap();
        let (change, note) = (LeafIndex::new(2), log.note_of(log.size(), &[0, 1]));
        trusted.add_change(change, &log.entries[2], &log.tlog_proof(change, &note)).unwrap();
        let trust = trusted.trust().clone();
        let settings = Settings { protection: Protection::Plaintext, retention_days: None };
        let store = Folder::open(&dir.path().join("openings"), settings).unwrap();
        let field = FieldOpening { path: "resource.id".to_owned(), opening };
        let kept = members.iter().enumerate().map(|(at, record)| {
            let openings = if at == 2 { vec![field.clone()] } else { Vec::new() };
            Member { record: record.clone(), openings }
        });
        let made = Self { source, trust, store, members: members.clone(), log, dir };
        made.put(kept.collect());
        made
    }

    fn put(&self, members: Vec<Member>) {
        let openings = Openings { members, ..Openings::new("decision-batch", Vec::new()) };
        self.store.replace(&self.leaf(), &openings.encode().unwrap()).unwrap();
    }

    fn leaf(&self) -> Digest {
        SignedStatement::parse(&self.log.entries[usize::try_from(BATCH).unwrap()]).unwrap().leaf_hash()
    }

    fn plan(&self, search: &[(&str, &str)], entries: &[&str]) -> Plan<'_> {
        let mut plan = Plan { store: Some(&self.store), ..plan(search) };
        plan.query.entries = entries.iter().map(|id| (*id).to_owned()).collect();
        plan
    }

    fn made(&self, search: &[(&str, &str)], entries: &[&str]) -> Exported {
        made(&self.source, &self.trust, &self.plan(search, entries))
    }
}

/// The decision with its resource's id sealed.
fn sealed(record: &[u8], opening: &Opening) -> Vec<u8> {
    let Value::Map(mut pairs) = parse(record).unwrap() else { panic!() };
    for (key, value) in &mut pairs {
        if let ("resource", Value::Map(inner)) = (key.as_text().unwrap(), value) {
            inner.iter_mut().find(|(name, _)| name.as_text() == Some("id")).unwrap().1 = opening.seal().to_value();
        }
    }
    to_deterministic(&Value::Map(pairs))
}

fn roles(file: &Exported) -> Vec<(String, Role)> {
    assert_eq!(why(&file.verdict), "VERIFIED");
    let custody = file.verdict.result.as_ref().unwrap();
    custody.entries.iter().map(|held| (held.id(), held.role.unwrap())).collect()
}

fn owned<const N: usize>(roles: [(&str, Role); N]) -> Vec<(String, Role)> {
    roles.map(|(id, role)| (id.to_owned(), role)).to_vec()
}

use Role::{Cause, Effect, Start};

/// The members of a file, by name.
type Named = BTreeMap<String, Vec<u8>>;

#[test]
fn a_member_is_found_and_followed_like_an_entry_and_the_others_stay_where_they_are() {
    let batched = Batched::new();
    let file = batched.made(&[("decision", "m-2")], &[]);
    let expected = [("1.3", Cause), ("1.4", Cause), ("1.4#2", Start), ("1.5", Start)];
    assert_eq!(roles(&file), owned(expected));
    let custody = file.verdict.result.as_ref().unwrap();
    assert_eq!(custody.counts(), (3, 1));
    let edges: Vec<_> =
        custody.edges.iter().map(|edge| (edge.from.to_string(), edge.rel.as_str(), edge.to.to_string())).collect();
    let edge = |from: &str, rel: &'static str, to: &str| (from.to_owned(), rel, to.to_owned());
    assert_eq!(
        edges,
        [edge("1.4#2", "authenticated_by", "1.3"), edge("1.4#2", "member_of", "1.4"), edge("1.5", "enforces", "1.4#2")]
    );
    assert_eq!(custody.manifest.starts, ["1.4#2", "1.5"]);
    let unopened = Unopened { entry: "1.4".to_owned(), members: Some(5), opened: 1 };
    assert_eq!(custody.manifest.not_found.members, [unopened]);
    let said = file.verdict.text(0);
    for words in
        ["4 members of batch 1.4 are not opened", "of 2 batches in the log", "looked into 1", "member_of 1.4", "1.4#2"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    // What does not belong is not disclosed.
    let bytes = String::from_utf8_lossy(&file.bytes).into_owned();
    assert!(bytes.contains("m-2") && !bytes.contains("m-1") && !bytes.contains("m-3"));
    // The file is all that is needed.
    assert_eq!(why(&judge(&batched.trust, &file.bytes)), "VERIFIED");
    let again = batched.made(&[("decision", "m-2")], &[]);
    assert!(again.bytes == file.bytes);
    let report = crate::custody::report(&file.verdict).unwrap();
    assert!(report.contains("member 2 of 5 of ") && report.contains("members/1.4.2.member"), "{report}");
}

#[test]
fn whatever_leads_to_a_member_or_from_it_is_followed() {
    let batched = Batched::new();
    let from_effect = batched.made(&[], &["1.5"]);
    assert_eq!(roles(&from_effect), owned([("1.3", Cause), ("1.4", Cause), ("1.4#2", Cause), ("1.5", Start)]));
    let named = batched.made(&[], &["1.4#0"]);
    assert_eq!(roles(&named), owned([("1.3", Cause), ("1.4", Cause), ("1.4#0", Start)]));
    // Everything under a credential: each member that it is the credential of, and what came of it.
    let all = batched.made(&[], &["1.3"]);
    let members = ["1.4#0", "1.4#1", "1.4#2", "1.4#3", "1.4#4"].map(|id| (id, Effect));
    let [a, b, c, d, e] = members;
    assert_eq!(roles(&all), owned([("1.3", Start), ("1.4", Cause), a, b, c, d, e, ("1.5", Effect)]));
    assert!(all.verdict.result.unwrap().manifest.not_found.members.is_empty(), "all of them are here");
    // A batch that answers brings the members that answer, too; by what their batch says, or by their kind.
    let issuer = [("issuer", crate::testing::ISSUER), ("kind", "decision")];
    let by_issuer = batched.made(&issuer, &[]);
    assert_eq!(by_issuer.verdict.result.unwrap().manifest.starts.len(), 5);
    let nobody = export(&batched.source, &batched.trust, &batched.plan(&[("decision", "m-9")], &[]), &mut |_, _, _| {});
    assert!(nobody.unwrap().is_none());
    let error = export(&batched.source, &batched.trust, &batched.plan(&[], &["1.4#5"]), &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(error, ExportError::NoMember(id) if id == "1.4#5"));
}

#[test]
fn without_what_opens_them_members_are_missed_by_name() {
    let batched = Batched::new();
    let without = |search: &[(&str, &str)], entries: &[&str]| {
        let plan = Plan { store: None, ..batched.plan(search, entries) };
        export(&batched.source, &batched.trust, &plan, &mut |_, _, _| {}).unwrap()
    };
    assert!(without(&[("decision", "m-1")], &[]).is_none());
    let file = without(&[], &["1.5"]).unwrap();
    let custody = file.verdict.result.as_ref().unwrap();
    assert_eq!(custody.dead_links[0].rel, "enforces");
    let seen = custody.manifest.not_found.batches;
    assert_eq!((seen.logged, seen.opened), (2, 0));
    assert!(file.verdict.not_proved.iter().any(|said| said.contains("looked into 0")), "{:?}", file.verdict.not_proved);
    let file = without(&[], &["1.4"]).unwrap();
    assert!(file.verdict.text(0).contains("5 members of batch 1.4 are not opened"));
    let report = crate::custody::report(&file.verdict).unwrap();
    assert!(report.contains("1 batch has members that are not opened"), "{report}");
}

#[test]
fn sealed_values_of_a_member_are_disclosed_where_they_are_chosen() {
    let batched = Batched::new();
    let states = |open: &[&str]| {
        let open = open.iter().map(|name| (*name).to_owned()).collect();
        let plan = Plan { open, ..batched.plan(&[("decision", "m-2")], &[]) };
        let file = made(&batched.source, &batched.trust, &plan);
        assert_eq!(why(&file.verdict), "VERIFIED");
        let custody = file.verdict.result.unwrap();
        let member = custody.entries.into_iter().find(|held| held.member.is_some()).unwrap();
        (member.fields.into_iter().map(|field| field.state).collect::<Vec<_>>(), custody.manifest.not_found.sealed)
    };
    let (closed, sealed) = states(&[]);
    assert_eq!((closed, sealed[0].entry.as_str()), (vec![State::Closed], "1.4#2"));
    let (opened, sealed) = states(&["resource.id"]);
    assert_eq!((opened, sealed), (vec![State::Opened("acct-5".into())], vec![]));
}

/// Another agent's store, or one that somebody wrote into: what it has is not in the batch.
#[test]
fn what_a_store_has_and_the_batch_has_not_is_not_taken() {
    let batched = Batched::new();
    let other = |record: Vec<u8>| Member { record, openings: Vec::new() };
    let mut members: Vec<Member> = batched.members.iter().cloned().map(other).collect();
    members[2].record = decision("m-7");
    batched.put(members);
    let plan = batched.plan(&[("decision", "m-7")], &["1.5"]);
    let file = made(&batched.source, &batched.trust, &plan);
    assert_eq!(roles(&file), owned([("1.5", Start)]));
    assert!(file.notices.iter().any(|notice| notice.contains("1.4#2: not taken")), "{:?}", file.notices);
}

#[test]
fn no_member_is_believed_that_its_batch_does_not_prove() {
    let batched = Batched::new();
    let bytes = batched.made(&[("decision", "m-2")], &[]).bytes;
    let name = "members/1.4.2.member";
    let mut random = Random(0xba7c4);
    for round in 0..400 {
        let altered = rebuilt(&bytes, true, |members| {
            let member = members.get_mut(name).unwrap();
            let at = random.below(member.len());
            member[at] ^= 1 << random.below(8);
        });
        let verdict = judge(&batched.trust, &altered);
        assert!(why(&verdict).contains(name), "round {round}: {}", why(&verdict));
    }
    let proof = |at: u64| MemberProof::build(batched.leaf(), &batched.members, LeafIndex::new(at)).unwrap();
    let put =
        |name: &'static str, bytes: Vec<u8>| move |members: &mut Named| drop(members.insert(name.to_owned(), bytes));
    let refused = |change: &dyn Fn(&mut Named), expected: &str| {
        let verdict = judge(&batched.trust, &rebuilt(&bytes, true, change));
        assert_eq!(verdict.outcome(), Outcome::Refuted);
        assert!(why(&verdict).contains(expected), "{expected}: {}", why(&verdict));
    };
    refused(&|members| put(name, proof(3).to_bytes())(members), "not a proof for this place");
    refused(&|members| put("members/1.9.3.member", proof(3).to_bytes())(members), "no such batch");
    refused(&|members| put("members/1.5.3.member", proof(3).to_bytes())(members), "another batch");
    refused(&|members| drop(members.remove(name)), "1.4#2 is said to answer");
    // One more that is honest: what is written by rule is not as it was.
    refused(&|members| put("members/1.4.3.member", proof(3).to_bytes())(members), "not what the entries give");
    let mut relabelled = proof(2);
    relabelled.size = TreeSize::new(6);
    refused(&|members| put(name, relabelled.to_bytes())(members), "the batch itself counts 5");
    drop(batched.dir);
}

#[test]
fn what_is_drawn_of_a_file_has_its_members_in_it() {
    let batched = Batched::new();
    let file = batched.made(&[("decision", "m-2")], &[]);
    let shown = crate::ask::in_file(file.verdict.result.unwrap(), None).unwrap().unwrap();
    let page = crate::ask::Page::default().draw(&shown, 0);
    for words in
        ["> decision 1.4#2", "effect 1.5", "4 members of batch 1.4 are not opened", "also member_of decision-batch 1.4"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let json = shown.json(0);
    let member = json["entries"].as_array().unwrap().iter().find(|entry| entry["id"] == "1.4#2").unwrap();
    assert_eq!((&member["kind"], &member["batch"]["count"]), (&json!("decision"), &json!(5)));
}
