//! How often a log is asked for a matter.

use super::server::{self, Serves};
use super::*;
use crate::custody::{Finder as _, Index, MAX_ENTRIES, Plan, Query, export};

/// How many times the index was asked and entries were read, and how many there are.
fn cost(log: TestLog, search: &[(&str, &str)]) -> (usize, usize, usize, usize) {
    let asking = Asking::of(log, honest);
    let search = search.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect();
    let plan = Plan::of(Query { search, entries: Vec::new() }, MAX_ENTRIES);
    let made = export(&asking.source, &asking.trust, &plan, &mut |_, _, _| {}).unwrap().unwrap();
    let entries = made.verdict.result.unwrap().entries.len();
    let asked = |path: &str| asking.server.asked(path);
    (asked("/v1/records"), asked("/entries/"), asked("/"), entries)
}

#[test]
fn a_chain_asks_for_little_more_than_it_has() {
    let (asked, read, all, entries) = cost(organisation(), &[("trace", TRACE)]);
    assert_eq!(entries, 7);
    assert!(asked <= 24 && read <= 11 && all <= 42, "{asked} {read} {all}");
    let mut log = organisation();
    for at in 0..100 {
        let subject =
            json!({ "id": "spiffe://prod.example/pay", "credential": { "handle": ["cert_s256", "11".repeat(32)] } });
        let decision = json!({
            "decision_id": format!("m-{at}"), "result": "permit", "subject": subject, "action": { "name": "read" },
            "resource": { "type": "account", "id": "acct-5" },
        });
        add(&mut log, "decision", decision);
    }
    let (asked, read, all, entries) = cost(log, &[("credential", CERT)]);
    assert_eq!(entries, 108);
    // Of each decision: who carries it out or was caused by it, and who names its leaf hash.
    assert!(asked <= 230 && read <= 112 && all <= 350, "{asked} {read} {all}");
}

#[test]
fn a_count_asks_for_no_more_than_it_wants() {
    let asking = Asking::new(honest);
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    let mut index = Index::new(asking.source.http().unwrap(), organisation().size(), MAX_ENTRIES);
    for (most, count) in [(0, 0), (1, 1), (3, 3), (9, 9), (100, 9)] {
        assert_eq!(index.count(&filter, most).unwrap(), count);
    }
    assert_eq!(asking.server.limits(), [1, 3, 9, 100]);
}

#[test]
fn a_page_is_asked_for_what_is_still_wanted() {
    let two = |at: u64, found: &[u64]| {
        let mut page = honest(at, found.get(..2).unwrap_or(found));
        page["cursor"] = json!(found.get(2).map(ToString::to_string));
        page
    };
    let asking = Asking::new(two);
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    let (http, size) = (asking.source.http().unwrap(), organisation().size());
    let (found, has_more) = http.records(&filter, size, 4).unwrap();
    assert_eq!((found.len(), has_more), (4, true));
    assert_eq!(asking.server.limits(), [5, 3, 1]);
    assert_eq!(http.records(&filter, size, usize::MAX).unwrap().0.len(), 9);
    assert_eq!(asking.server.limits()[3..], [1000; 5]);
}

/// What the newest one is does not take longer to find in a longer log.
#[test]
fn the_newest_are_asked_for_from_the_end_on() {
    let asking = Asking::new(honest);
    let filter = Filter::from_pairs([("kind", "stream")]).unwrap();
    let all = asking.source.http().unwrap().records(&filter, organisation().size(), usize::MAX).unwrap().0;
    assert!(all.len() > 1);
    let mut index = Index::new(asking.source.http().unwrap(), TreeSize::new(100_000), MAX_ENTRIES);
    let end = TreeSize::new(u64::MAX);
    assert_eq!(index.newest(&filter, end, 1).unwrap(), all[all.len() - 1..]);
    assert_eq!(index.newest(&filter, end, 100).unwrap(), all);
    let nothing = Filter::from_pairs([("trace", "none")]).unwrap();
    assert_eq!(index.newest(&nothing, end, 100).unwrap(), []);
    let back = [95_904, 34_464, 0];
    assert_eq!(asking.server.cursors()[1..], [back, back, back].concat());
    let last = TreeSize::new(all[all.len() - 1].get());
    assert_eq!(index.newest(&filter, last, 100).unwrap(), all[..all.len() - 1], "and from before one of them on");
    assert_eq!(index.newest(&filter, TreeSize::ZERO, 100).unwrap(), []);
    assert_eq!(asking.server.cursors()[10..], [0]);
}

#[test]
fn an_answer_begins_where_it_was_asked_to() {
    let lying = |index: server::Index, from: u64| {
        let asking = Asking::new(index);
        let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
        let http = asking.source.http().unwrap();
        http.records_from(LeafIndex::new(from), &filter, organisation().size(), 10)
    };
    let one: server::Index = |at, _| json!({ "as_of": at, "ids": ["1.1"], "cursor": null });
    assert_eq!(lying(one, 1).unwrap().0, [LeafIndex::new(1)]);
    assert!(lying(one, 2).unwrap_err().to_string().contains("where it was to begin"));
    let second: server::Index = |at, _| json!({ "as_of": at, "ids": ["1.6", "1.1"], "cursor": null });
    assert!(lying(second, 5).unwrap_err().to_string().contains("out of the log's order"));
    // The second page begins before its own cursor, and not before the first.
    let page: server::Index = |at, found| match found {
        [3, ..] => json!({ "as_of": at, "ids": [], "cursor": "8" }),
        _ => json!({ "as_of": at, "ids": ["1.5"], "cursor": null }),
    };
    assert!(lying(page, 3).unwrap_err().to_string().contains("where it was to begin"));
}

/// Whoever gives more than was asked for is not listened to any longer than that.
#[test]
fn no_more_is_taken_of_a_page_than_was_asked_for() {
    let thousand: server::Index = |at, _| json!({ "as_of": at, "ids": (0..1000).map(|at| format!("1.{at}")).collect::<Vec<_>>(), "cursor": null });
    let asking = Asking::serving(organisation(), Serves { index: thousand, is_whole: true, ..Serves::default() });
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    let http = asking.source.http().unwrap();
    let found = http.records(&filter, TreeSize::new(2000), 0).unwrap();
    assert_eq!((found, asking.server.limits()), ((vec![], true), vec![1]));
    let found = http.records(&filter, TreeSize::new(2000), 3).unwrap();
    assert_eq!(found, ([0, 1, 2].map(LeafIndex::new).to_vec(), true));
}

#[test]
fn a_cursor_that_crawls_is_not_followed_to_the_end() {
    let crawling: server::Index =
        |at, found| json!({ "as_of": at, "ids": [], "cursor": (at - found.len() as u64 + 1).to_string() });
    let asking = Asking::of(many(100), crawling);
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    let error = asking.source.http().unwrap().records(&filter, many(100).size(), 10).unwrap_err();
    assert!(error.to_string().contains("17 pages go on"), "{error}");
    assert_eq!(asking.server.limits().len(), 17);
}

/// An id now and then makes no progress of it.
#[test]
fn a_cursor_that_crawls_from_one_id_to_the_next_is_not_followed_either() {
    let crawling: server::Index = |at, found| match found {
        [first, next, ..] if found.len() % 2 == 0 => {
            json!({ "as_of": at, "ids": [format!("1.{first}")], "cursor": next.to_string() })
        }
        [_, next, ..] => json!({ "as_of": at, "ids": [], "cursor": next.to_string() }),
        _ => honest(at, found),
    };
    let asking = Asking::of(many(100), crawling);
    let filter = Filter::from_pairs([("issuer", ISSUER)]).unwrap();
    let error = asking.source.http().unwrap().records(&filter, many(100).size(), 100).unwrap_err();
    assert!(error.to_string().contains("17 pages go on"), "{error}");
    assert_eq!(asking.server.limits().len(), 17);
}

/// The organisation's log with so many decisions more.
fn many(count: usize) -> TestLog {
    let mut log = organisation();
    (0..count).for_each(|at| add(&mut log, "decision", decided(&format!("m-{at}"))));
    log
}
