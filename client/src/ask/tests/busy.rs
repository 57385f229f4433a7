//! What is drawn of things that much was done with.

use super::drawn::{ids, sought};
use super::*;
use crate::custody::{ExportError, Plan, export};

/// Effects of the decision without end, and after them what was said of its credential.
fn flooded() -> TestLog {
    let mut log = organisation();
    for at in 0..60 {
        let effect = json!({ "decision_id": "d-1", "decision_iss": ISSUER, "performer": format!("spiffe://prod.example/w-{at}"), "outcome": "performed" });
        add(&mut log, "effect", effect);
    }
    let target = json!({ "handle": ["cert_s256", CERT] });
    add(&mut log, "revocation", json!({ "target_type": "credential", "target": target, "effective_ms": 1 }));
    log
}

#[test]
fn effects_without_end_hide_no_revocation_from_who_draws_a_few() {
    let asking = Asking::of(flooded(), honest);
    let sought = sought(&asking, "1.7");
    let wanted = Wanted { sought: &sought, at: None, most: 30, complete: false };
    let shown = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap().unwrap();
    let ids = ids(&shown);
    for id in ["1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.72"] {
        assert!(ids.contains(&id.to_owned()), "{id} is not among {ids:?}");
    }
    let document = shown.json(NOW);
    assert_eq!(document["missing"]["cut_at"], 30);
    // What is not among a few may be among the rest.
    let cut = "not looked for to the end: cut at 30 entries";
    assert_eq!(document["absent_entries"], cut);
    let text = Page::default().draw(&shown, NOW);
    assert!(text.contains(&format!("no revocation of: registration 1.4, policy 1.6 ({cut})")), "{text}");
    assert!(!text.contains(NOT_CHECKED), "{text}");
    let whole = Wanted { most: 100, ..wanted };
    let whole = show(&asking.source, &asking.trust, &whole, &mut |_, _, _| {}).unwrap().unwrap();
    assert_eq!(whole.json(NOW)["absent_entries"], NOT_CHECKED);
}

/// A name that more entries have than are drawn, in more columns than one.
#[test]
fn a_busy_name_is_drawn_within_the_bound() {
    let mut log = organisation();
    for at in 0..40 {
        let registration = json!({ "op": "snapshot", "entry_id": format!("e-{at}"), "subject": "spiffe://prod.example/pay", "entry_digest": "22".repeat(32) });
        add(&mut log, "registration", registration);
        let mut decision = decided(&format!("d-{at}x"));
        decision["resource"] = json!({ "type": "workload", "id": "spiffe://prod.example/pay" });
        add(&mut log, "decision", decision);
    }
    let asking = Asking::of(log, honest);
    let sought = sought(&asking, "spiffe://prod.example/pay");
    for (most, complete) in [(1, false), (2, false), (30, false), (30, true), (250, false)] {
        let wanted = Wanted { sought: &sought, at: None, most, complete };
        let shown = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap().unwrap();
        let ids = ids(&shown);
        assert!(ids.len() <= most, "{most}: {ids:?}");
        assert_eq!(shown.json(NOW)["has_more"], true);
        if most == 30 {
            let starts =
                shown.json(NOW)["entries"].as_array().unwrap().iter().filter(|entry| entry["role"] == "start").count();
            assert_eq!(starts, 15, "the rest is for what they hang together with");
            assert!(ids.contains(&"1.3".to_owned()) && ids.contains(&"1.5".to_owned()), "owner and issuance: {ids:?}");
        }
    }
}

/// One entry that its log should not have is named, and hides nothing else.
#[test]
fn what_does_not_verify_is_left_out_and_named() {
    let mut log = organisation();
    let mut stranger = crate::testing::decision("d-3");
    let text = String::from_utf8_lossy(&stranger).into_owned();
    assert!(!text.contains(TRACE));
    let Ok(govlog_formats::cbor::Value::Map(mut pairs)) = govlog_formats::cbor::parse(&stranger) else { panic!() };
    let trace: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&TRACE[2 * at..2 * at + 2], 16).unwrap()).collect();
    pairs.push(("trace_id".into(), govlog_formats::cbor::Value::Bytes(trace)));
    stranger = govlog_formats::cbor::to_deterministic(&govlog_formats::cbor::Value::Map(pairs));
    let forged = crate::testing::sign(&TestLog::new().operator, "decision", &stranger, None);
    log.append(forged.entry().to_vec());
    let asking = Asking::of(log, honest);
    assert_eq!(asking.query(&[("trace", TRACE)], false).1.refused[0].0.to_string(), "1.12", "the index names it");
    let sought = sought(&asking, TRACE);
    let wanted = Wanted { sought: &sought, at: None, most: 100, complete: false };
    let shown = show(&asking.source, &asking.trust, &wanted, &mut |_, _, _| {}).unwrap().unwrap();
    assert!(ids(&shown).contains(&"1.8".to_owned()) && !ids(&shown).contains(&"1.12".to_owned()));
    assert_ne!(shown.outcome, Outcome::Verified);
    assert!(Page::default().draw(&shown, NOW).contains("1.12, left out: "));

    let query = |search: &[(&str, &str)], entries: &[&str]| crate::custody::Query {
        search: search.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect(),
        entries: entries.iter().map(|id| (*id).to_owned()).collect(),
    };
    for (complete, query) in [
        (false, query(&[("trace", TRACE)], &[])),
        (true, query(&[("trace", TRACE)], &[])),
        (false, query(&[], &["1.7", "1.12"])),
    ] {
        let plan = Plan { complete, query, ..plan() };
        let made = export(&asking.source, &asking.trust, &plan, &mut |_, _, _| {}).unwrap().unwrap();
        assert_eq!(made.refused.iter().map(|(id, _)| id.to_string()).collect::<Vec<_>>(), ["1.12"]);
        assert_eq!(made.outcome(), shown.outcome);
        let (said, custody) = (made.verdict.not_proved.join("\n"), made.verdict.result.unwrap());
        assert!(custody.at(LeafIndex::new(7)).is_some() && custody.at(LeafIndex::new(12)).is_none());
        assert_eq!(custody.manifest.not_found.refused, ["1.12"]);
        assert!(said.contains("1.12 did not verify"), "{said}");
    }
    let alone = Plan { query: query(&[], &["1.12"]), ..plan() };
    assert!(
        matches!(export(&asking.source, &asking.trust, &alone, &mut |_, _, _| {}), Err(ExportError::Entry { id, .. }) if id == "1.12")
    );
}

/// With --complete a change that the log does not list judges the entries, and is enclosed.
#[test]
fn a_change_that_is_not_listed_is_in_a_scanned_file() {
    let log = || {
        let mut log = organisation();
        log.change(ChangeFields { retire: vec![ISSUER.to_owned()], ..ChangeFields::default() });
        add(
            &mut log,
            "effect",
            json!({ "decision_id": "d-1", "decision_iss": ISSUER, "performer": "spiffe://prod.example/late", "outcome": "performed" }),
        );
        log
    };
    let query = crate::custody::Query { entries: vec!["1.7".to_owned()], ..crate::custody::Query::default() };
    let plan = Plan { complete: true, query, ..plan() };
    let made = |asking: &Asking| export(&asking.source, &asking.trust, &plan, &mut |_, _, _| {}).unwrap().unwrap();
    for asking in [Asking::of(log(), honest), Asking::hiding(log(), "1.12".to_owned())] {
        let made = made(&asking);
        assert_eq!(made.refused[0].0.to_string(), "1.13", "its issuer was retired before");
        let custody = made.verdict.result.unwrap();
        assert_eq!(custody.changes.as_of, 3);
        assert!(custody.at(LeafIndex::new(13)).is_none());
    }
    assert!(made(&Asking::of(log(), honest)).wrong.is_empty());
    let hiding = made(&Asking::hiding(log(), "1.12".to_owned()));
    assert!(hiding.wrong[0].starts_with("1.12: ") && hiding.outcome() == Outcome::Refuted, "{:?}", hiding.wrong);
}

fn plan() -> Plan<'static> {
    Plan::of(crate::custody::Query::default(), 100)
}
