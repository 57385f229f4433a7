//! Filters as people and programs write them.

use super::*;

#[test]
fn conditions_are_combined() {
    let decision = of_example("decision");
    let all = [
        ("kind", "decision"),
        ("policy", "r1"),
        ("resource", "acct-5"),
        ("since", "1795320442504"),
        ("until", "1795320442504"),
    ];
    assert!(Filter::from_pairs(all).unwrap().matches(&decision));
    for wrong in [("kind", "effect"), ("policy", "r2"), ("since", "1795320443001"), ("handle", "cert_s256:00")] {
        let pairs = all.into_iter().filter(|(name, _)| *name != wrong.0 && *name != "until").chain([wrong]);
        assert!(!Filter::from_pairs(pairs).unwrap().matches(&decision), "{wrong:?}");
    }
    let both = [
        ("credential", "292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9"),
        ("credential", "393dfe4c96da31133f64b7a21c0e0650fa5cd04a3215d44ec8af93239d298182"),
    ];
    assert!(Filter::from_pairs(both).unwrap().matches(&decision));
    let one_of_two = [both[0], ("credential", "d-9")];
    assert!(!Filter::from_pairs(one_of_two).unwrap().matches(&decision));
}

#[test]
fn the_empty_filter_asks_for_everything() {
    let filter = Filter::from_pairs([]).unwrap();
    assert!(filter.is_all() && filter.pairs().is_empty() && filter.to_query().is_empty());
    assert!(filter.matches(&of_example("anchor")));
    assert!(!Filter::default().since(0).is_all());
}

#[test]
fn what_is_no_filter_is_refused_and_named() {
    let refused = |name: &str, value: &str| Filter::from_pairs([(name, value)]).unwrap_err();
    assert_eq!(refused("colour", "red"), FilterError::Parameter { name: "colour".into() });
    assert!(refused("colour", "red").to_string().contains("credential, decision"));
    for (name, value) in [
        ("policy", ""),
        ("leaf", "abc"),
        ("links-to", &HEX[1..]),
        ("handle", "cert_s256"),
        ("handle", ":x"),
        ("handle", "dec:"),
    ] {
        assert!(matches!(refused(name, value), FilterError::Value { .. }), "{name}={value}");
    }
    for time in ["", "-1", "05", "1.5", "+1", "2026-11-24T00:00:00Z", "99999999999999999999"] {
        assert!(matches!(refused("since", time), FilterError::Time { name: "since", .. }), "{time}");
    }
    assert_eq!(Filter::from_pairs([("until", "1"), ("until", "2")]), Err(FilterError::Twice("until")));
    assert_eq!(
        Filter::from_pairs([("since", "2"), ("until", "1")]),
        Err(FilterError::Empty { since_ms: 2, until_ms: 1 })
    );
}

#[test]
fn a_query_string_holds_anything() {
    let filter = Filter::default().with(term("resource", "a b&c=é/%")).with(term("kind", "decision")).since(5);
    assert_eq!(filter.to_query(), "kind=decision&resource=a%20b%26c%3D%C3%A9%2F%25&since=5");
}

#[test]
fn columns_have_one_name_each_and_say_what_they_are() {
    for column in Column::all() {
        assert_eq!(Column::named(column.name()), Some(*column));
        assert_eq!(Column::named(&column.name().replace('_', "-")), Some(*column));
        assert!(!column.about().is_empty() && column.name().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    }
    // DESIGN.md §8.1, and what stands beside it.
    for name in [
        "kind",
        "subject",
        "issuer",
        "decision",
        "trace",
        "policy",
        "credential",
        "key",
        "resource",
        "entry",
        "request",
        "txn",
        "parent",
        "owner",
        "approver",
        "thread",
        "delegator",
        "delegate",
        "agent",
        "handle",
        "links_to",
    ] {
        assert!(Column::named(name).is_some(), "{name}");
    }
}
