//! What is drawn of things that much was done with.

use super::drawn::{ids, sought};
use super::*;

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
