//! What is drawn of one thing in hand.

use super::*;
use crate::custody::{self, Plan, Query, export};
use crate::resolve::{Resolver, Sought};

pub(super) fn sought(asking: &Asking, text: &str) -> Sought {
    let resolver = Resolver { trust: &asking.trust, http: asking.source.http(), unverified: true, pdp: None };
    resolver.sought(text).unwrap()
}

fn shown(asking: &Asking, text: &str) -> Option<Shown> {
    let sought = sought(asking, text);
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap()
}

pub(super) fn ids(shown: &Shown) -> Vec<String> {
    let entries = shown.json(NOW)["entries"].as_array().unwrap().clone();
    entries.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect()
}

const CHAIN: [&str; 6] = ["1.3", "1.4", "1.5", "1.6", "1.7", "1.8"];

#[test]
fn the_chain_goes_from_the_owner_down_to_the_effect() {
    let asking = Asking::new(honest);
    let text = Page::default().draw(&shown(&asking, TRACE).unwrap(), NOW);
    let expected = "\
4bf92f3577b34da6a3ce929d0e0e4736, taken for a trace id, or another id of 16 bytes
6 entries, 2 of them asked for (marked >), found by trace
log.example/test, checkpoint of size 12, 100 s old; 3 of 3 witnesses, 0 independent

ownership 1.3  team-pay answers for spiffe://prod.example/
│  signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z
└─ registration 1.4  create entry e-1 for spiffe://prod.example/pay  [owned_by]
   │  signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z
   └─ issuance 1.5  issued x509 for spiffe://prod.example/pay  [registered_as]
      │  signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z
      │  also owned_by ownership 1.3
      └─ > decision 1.7  permit: read account acct-5  [authenticated_by]
         │  signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z
         │  also governed_by policy 1.6
         └─ > effect 1.8  performed: decision d-1 by spiffe://prod.example/ledger  [enforces]
               signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z
policy 1.6  published opa authz, sha256:3333333333333333333333333333333333333333333333333333333333333333
   signed by spiffe://prod.example/pep, logged by 2023-11-14T22:16:40Z

NOT THERE
  no signing key is named by: issuance 1.5
  no approval is named by: registration 1.4, policy 1.6
  no revocation of: registration 1.4, issuance 1.5, policy 1.6 (the server named none: not checked)

STREAMS
  spiffe://prod.example/pep  s-1  7 entries here; last heartbeat 2 min ago (1.10); up to 60 s in flight

NOT CHECKED
  completeness: the log's index was asked; --complete reads every entry
  that everybody is shown the same log: no witness is independent of its operator
  whether what the issuers state is true
";
    assert_eq!(text, expected);
}

#[test]
fn whatever_is_in_hand_leads_to_the_same_chain() {
    let asking = Asking::new(honest);
    let log = organisation();
    let effect = SignedStatement::parse(&log.entries[8]).unwrap();
    let things = [
        TRACE.to_owned(),
        format!("00-{TRACE}-00f067aa0ba902b7-01"),
        format!("trace:{TRACE}"),
        "dec:d-1".to_owned(),
        "decision:d-1".to_owned(),
        "1.8".to_owned(),
        effect.leaf_hash().to_string(),
        format!("sha256:{}", effect.sig_structure_digest()),
        format!("leaf:{}", effect.leaf_hash()),
        effect.leaf_hash().to_string().to_uppercase(),
    ];
    for thing in things {
        assert_eq!(ids(&shown(&asking, &thing).unwrap_or_else(|| panic!("{thing}"))), CHAIN, "{thing}");
    }
    let all = ["1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.11"];
    for thing in ["cert_s256:1111111111111111111111111111111111111111111111111111111111111111", &"11".repeat(32), "e-1"]
    {
        assert_eq!(ids(&shown(&asking, thing).unwrap()), all, "{thing}");
    }
    for nothing in ["d-9", "1.12", "2.7", &"0".repeat(64), "spiffe://prod.example/nobody", &"ab".repeat(16)] {
        let found = match nothing {
            // Not below the checkpoint.
            "1.12" => {
                let sought = sought(&asking, nothing);
                let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
                assert!(show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).is_err());
                continue;
            }
            other => shown(&asking, other),
        };
        assert!(found.is_none(), "{nothing}");
    }
}

#[test]
fn what_leads_nowhere_is_said_where_it_is_missing() {
    let asking = Asking::new(honest);
    let shown = shown(&asking, "d-2").unwrap();
    let text = Page::default().draw(&shown, NOW + 3600);
    let dead =
        format!("decision 1.11 governed_by policy_digest sha256 {}: no such entry ({NOT_CHECKED})", "44".repeat(32));
    assert!(text.contains(&dead), "{text}");
    assert!(text.contains("SILENT: last heartbeat 62 min ago (1.10), though it speaks every 60 s"), "{text}");
    let document = shown.json(NOW);
    assert_eq!(document["missing"]["links"][0]["entry"], "1.11");
    assert_eq!(document["streams"][0]["in_flight_s"], 60);
}

#[test]
fn a_revocation_stands_below_what_it_ends() {
    let mut log = organisation();
    let target = json!({ "handle": ["cert_s256", "11".repeat(32)] });
    let links = json!([{ "rel": "revokes", "target": target }]);
    let record =
        json!({ "target_type": "credential", "target": target, "effective_ms": 1_700_000_000_000_u64, "links": links });
    add(&mut log, "revocation", record);
    let asking = Asking::of(log, honest);
    let page = Page { width: Some(60), has_colours: true };
    let text = page.draw(&shown(&asking, TRACE).unwrap(), NOW);
    assert!(text.contains("\u{1b}[31mrevocation 1.12\u{1b}[0m"), "{text}");
    let plain =
        text.replace("\u{1b}[0m", "").replace("\u{1b}[1m", "").replace("\u{1b}[2m", "").replace("\u{1b}[31m", "");
    assert!(plain.lines().all(|line| line.chars().count() <= 60), "{plain}");
    assert!(plain.contains("no revocation of: registration 1.4, policy 1.6"), "{plain}");
}

#[test]
fn an_index_that_begins_the_chain_elsewhere_is_caught() {
    let asking = Asking::new(|at, found| if found == [7, 8] { honest(at, &[11]) } else { honest(at, found) });
    let sought = sought(&asking, &format!("trace:{TRACE}"));
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    let error = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(error, ShowError::Wrong { id, .. } if id == "1.11"));
}

/// A folder is read whole, and a custody file stands alone: both give the chain that the log gives.
#[test]
fn a_folder_and_a_custody_file_give_the_same_chain() {
    let log = organisation();
    let dir = tempfile::tempdir().unwrap();
    log.write_to(dir.path(), &log.note_of(log.size(), &[0, 1, 2]));
    let mut known = log.trusted_in(&dir.path().join("trust"));
    let (change, note) = (LeafIndex::new(2), log.note_of(log.size(), &[0, 1]));
    known.add_change(change, &log.entries[2], &log.tlog_proof(change, &note)).unwrap();
    let asking = Asking::new(honest);
    let folder = Source::open(dir.path().to_str().unwrap()).unwrap();
    let sought = sought(&asking, TRACE);
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    let shown = show(&folder, known.trust(), &wanted, &mut |_, _, _| {}).unwrap().unwrap();
    assert_eq!(ids(&shown), CHAIN);
    let text = Page::default().draw(&shown, NOW);
    assert!(text.contains("policy 1.6 (scanned 0-11)") && !text.contains(NOT_CHECKED), "{text}");

    let credential = [("credential".to_owned(), vec!["11".repeat(32)])].into();
    let plan = Plan { complete: true, ..Plan::of(Query { search: credential, entries: Vec::new() }, 100) };
    let file = export(&folder, known.trust(), &plan, &mut |_, _, _| {}).unwrap().unwrap().bytes;
    let custody = || custody::verify(known.trust(), "case.zip", &file, &[]).result.unwrap();
    let whole = in_file(custody(), None).unwrap().unwrap();
    assert!(ids(&whole).contains(&"1.11".to_owned()));
    // Nobody scanned here: a file with less in it could claim the same.
    let claim = "the file's maker claims to have scanned 0-11: not checked";
    let text = Page::default().draw(&whole, NOW);
    assert!(text.contains(&format!("policy 1.6 ({claim})")) && !text.contains("(scanned"), "{text}");
    assert_eq!(whole.json(NOW)["absent_entries"], claim);
    assert_eq!(ids(&in_file(custody(), Some(&sought)).unwrap().unwrap()), CHAIN);
    let nothing = Sought { terms: Vec::new(), or_else: Vec::new(), entry: Some("1.2".parse().unwrap()), ..sought };
    assert!(in_file(custody(), Some(&nothing)).unwrap().is_none());
}

/// Whatever an index keeps to itself, a log that is read whole has it.
#[test]
fn a_log_that_is_read_whole_gives_the_chain_without_its_index() {
    let asking = Asking::new(|at, _| honest(at, &[]));
    let sought = sought(&asking, TRACE);
    let shown = |complete: bool| {
        let (wanted, mut told) = (Wanted { sought: &sought, at: None, most: 100, complete }, Vec::new());
        let shown = show(&asking.source, &asking.trust, &wanted, &mut |what, done, all| told.push((what, done, all)));
        (shown.unwrap(), told)
    };
    assert!(shown(false).0.is_none());
    let asked = || asking.server.asked("/v1/records");
    let before = asked();
    let (whole, told) = shown(true);
    let whole = whole.unwrap();
    assert_eq!(asked(), before, "nor is that asked how often streams speak");
    assert_eq!(ids(&whole), CHAIN);
    assert_eq!(told.iter().filter(|told| **told == ("scanned", 12, 12)).count(), 1, "read once: {told:?}");
    let text = Page::default().draw(&whole, NOW);
    assert!(text.contains("policy 1.6 (scanned 0-11)") && !text.contains(NOT_CHECKED), "{text}");
}

/// Nine decisions are drawn one by one, thirty are not.
#[test]
fn many_of_one_kind_are_not_drawn_one_by_one() {
    let mut log = organisation();
    for at in 0..30 {
        let subject =
            json!({ "id": "spiffe://prod.example/pay", "credential": { "handle": ["cert_s256", "11".repeat(32)] } });
        let decision = json!({
            "decision_id": format!("m-{at}"), "result": "permit", "subject": subject, "action": { "name": "read" },
            "resource": { "type": "account", "id": "acct-5" },
        });
        add(&mut log, "decision", decision);
    }
    let asking = Asking::of(log, honest);
    let shown = shown(&asking, "1.5").unwrap();
    let text = Page::default().draw(&shown, NOW);
    assert!(text.contains("… 21 more of this kind, 1.19 to 1.39"), "{text}");
    assert_eq!(ids(&shown).len(), 37, "and yet they are all there for programs");
}

/// A decision that another one caused, by that one's id alone.
fn caused(log: &mut TestLog, id: &str, by: &str) {
    let target = json!({ "handle": ["dec", [ISSUER, by]] });
    let decision = json!({
        "decision_id": id, "result": "permit", "subject": { "id": "spiffe://prod.example/pay" }, "action": { "name": "read" },
        "resource": { "type": "account", "id": "acct-5" }, "links": [{ "rel": "caused_by", "target": target }],
    });
    add(log, "decision", decision);
}

/// By ids, which anybody can make up beforehand, relations can go in a circle: it is drawn once, from what was logged first.
#[test]
fn a_circle_is_drawn_once() {
    let mut log = organisation();
    for (id, by) in [("c-0", "c-2"), ("c-1", "c-0"), ("c-2", "c-1")] {
        caused(&mut log, id, by);
    }
    let shown = shown(&Asking::of(log, honest), "c-1").unwrap();
    assert_eq!(ids(&shown), ["1.12", "1.13", "1.14"]);
    let text = Page::default().draw(&shown, NOW);
    let drawn: Vec<&str> = text.lines().filter(|line| line.contains("permit")).collect();
    assert_eq!(drawn.len(), 3, "{text}");
    assert!(drawn[0].starts_with("decision 1.12") && drawn[2].starts_with("   └─ > decision 1.14"), "{text}");
    assert!(text.contains("also caused_by decision 1.14"), "{text}");
}

/// Of a chain that is deeper than a terminal is wide each part begins at the margin again, and says what it rests on.
#[test]
fn a_long_chain_goes_on_at_the_margin() {
    let mut log = organisation();
    caused(&mut log, "l-0", "d-2");
    for at in 1..60 {
        caused(&mut log, &format!("l-{at}"), &format!("l-{}", at - 1));
    }
    let shown = shown(&Asking::of(log, honest), "l-59").unwrap();
    let text = Page::default().draw(&shown, NOW);
    let deepest = text
        .lines()
        .filter(|line| line.contains("permit"))
        .map(|line| line.chars().take_while(|c| !c.is_alphanumeric()).count());
    assert!(deepest.max().unwrap() <= 3 * 25, "{text}");
    for index in 12..72 {
        assert_eq!(text.matches(&format!("decision 1.{index}  permit")).count(), 1, "{index}: {text}");
    }
    assert!(text.lines().filter(|line| line.starts_with("decision ")).count() >= 2, "{text}");
}
