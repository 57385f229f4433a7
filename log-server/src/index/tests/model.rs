//! Answers equal those of whoever looks at every entry.

use govlog_formats::search::{Column, Term};
use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Records of a few kinds over a few values, so that filters find some and not all.
fn statement() -> BoxedStrategy<SignedStatement> {
    let small = 0..4u64;
    (small.clone(), small.clone(), small.clone(), 0..1000u64, any::<u32>())
        .prop_map(|(kind, a, b, time, unique)| {
            let time = 1_000_000 + time;
            let digest = |of: u64| govlog_formats::digest::Digest::sha256(&of.to_be_bytes()).to_string();
            match kind {
                0 => record("decision", a, &json!({
                    "v": 1, "event_ms": time, "decision_id": format!("d-{unique}"), "result": "permit",
                    "subject": {"id": format!("w-{a}"), "credential": {"handle": ["tbs_s256", digest(b)]}},
                    "action": {"name": "read"}, "resource": {"type": "t", "id": format!("r-{b}")},
                    "policies": [{"revision": format!("p-{a}")}], "trace_id": format!("{:032x}", b),
                })),
                1 => record("effect", a, &json!({
                    "v": 1, "event_ms": time, "decision_id": format!("d-{b}"), "outcome": "performed", "performer": format!("w:{a}"),
                    "x_unique": unique,
                })),
                2 => record("issuance", b, &json!({
                    "v": 1, "event_ms": time, "stage": "issued", "credential_type": "x509", "subject": format!("w-{a}"),
                    "handles": {"tbs_s256": digest(b), "spki_s256": digest(a)}, "x_unique": unique,
                })),
                _ => record("decision-batch", a, &json!({
                    "v": 1, "event_ms": time, "count": 1, "root": digest(b), "from_ms": time - 500 * a, "to_ms": time, "x_unique": unique,
                })),
            }
        })
        .boxed()
}

/// What is asked: terms of one entry or of several, and bounds of time.
#[derive(Clone, Debug)]
struct Asked {
    terms: Vec<(prop::sample::Index, prop::sample::Index)>,
    since: Option<u64>,
    until: Option<u64>,
    limit: usize,
}

fn asked() -> impl Strategy<Value = Asked> {
    let term = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let time = || prop::option::weighted(0.3, 999_000..1_002_000u64);
    (prop::collection::vec(term, 0..4), time(), time(), 1..20usize).prop_map(|(terms, since, until, limit)| Asked {
        terms,
        since,
        until,
        limit,
    })
}

impl Asked {
    fn filter(&self, log: &Log) -> Filter {
        let mut filter = Filter::default();
        for (entry, term) in &self.terms {
            let terms: Vec<&Term> = entry.get(&log.marks).terms().iter().collect();
            filter = filter.with((*term.get(&terms)).clone());
        }
        filter = self.since.into_iter().fold(filter, Filter::since);
        self.until.into_iter().fold(filter, Filter::until)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever is asked of an index of segments and a tail, in pages of whatever length, at whatever size.
    #[test]
    fn an_answer_is_what_every_entry_says(
        statements in prop::collection::vec(statement(), 1..150),
        room in 1..60u64,
        asked in prop::collection::vec(asked(), 30),
        part in any::<prop::sample::Index>(),
    ) {
        let (log, directory) = (Log::of(&statements), tempfile::tempdir().unwrap());
        let shared = log.open(&directory.path().join("index"), room).unwrap();
        log.catch_up(&shared).unwrap();
        for asked in &asked {
            let filter = asked.filter(&log);
            for end in [log.size(), u64::try_from(part.index(statements.len())).unwrap()] {
                prop_assert_eq!(search(&shared, &filter, end, asked.limit).unwrap(), log.brute(&filter, end), "{:?}", filter);
            }
        }
        // Opened again, with the segments from disk and the tail from the store, it says the same.
        shared.close();
        let shared = log.open(&directory.path().join("index"), room).unwrap();
        log.catch_up(&shared).unwrap();
        for asked in &asked {
            let filter = asked.filter(&log);
            prop_assert_eq!(search(&shared, &filter, log.size(), asked.limit).unwrap(), log.brute(&filter, log.size()));
        }
        shared.close();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// However little a page may cost, it goes on, and all of them together are the whole answer.
    #[test]
    fn pages_of_the_least_effort_come_to_an_end(
        statements in prop::collection::vec(statement(), 1..80),
        room in 1..60u64,
        asked in prop::collection::vec(asked(), 30),
    ) {
        let (log, directory) = (Log::of(&statements), tempfile::tempdir().unwrap());
        let shared = log.open(&directory.path().join("index"), room).unwrap();
        log.catch_up(&shared).unwrap();
        for asked in &asked {
            let filter = asked.filter(&log);
            for (looks, visits) in [(1, 1), (1, 100), (100, 1)] {
                let found = search_for(Effort { looks, visits }, &shared, &filter, log.size(), asked.limit).unwrap();
                prop_assert_eq!(found, log.brute(&filter, log.size()), "{:?}", filter);
            }
        }
        shared.close();
    }
}

#[test]
fn pages_follow_one_another_while_the_log_grows() {
    let of = |range: std::ops::Range<u64>| -> Vec<SignedStatement> {
        range
            .map(|number| {
                record("gap", number % 2, &json!({"v": 1, "event_ms": number, "cause": "crash", "x": number}))
            })
            .collect()
    };
    let (mut log, directory) = (Log::of(&of(0..50)), tempfile::tempdir().unwrap());
    let shared = log.open(&directory.path().join("index"), 20).unwrap();
    log.catch_up(&shared).unwrap();
    let filter = Filter::default().with(Term::new(Column::ISSUER, "spiffe://prod.example/pep/1").unwrap());
    let first = page(&shared, &filter, 0, 50, 10).unwrap();
    log.add(&of(50..120));
    log.catch_up(&shared).unwrap();
    let mut all: Vec<u64> = first.found.iter().map(|index| index.get()).collect();
    let mut next = first.next;
    while let Some(from) = next {
        let page = page(&shared, &filter, from, 120, 7).unwrap();
        all.extend(page.found.iter().map(|index| index.get()));
        next = page.next;
    }
    assert_eq!(all, log.brute(&filter, 120));
    shared.close();
}

/// Two terms that are common and never together cost a bounded number of looks a page, and the pages come to an end.
#[test]
fn a_page_ends_early_where_much_is_looked_at_for_little() {
    let statements: Vec<SignedStatement> = (0..5000u64)
        .map(|number| {
            let (signed_s, event_ms) = if number % 2 == 0 { (0, 10) } else { (1_000, 1_000_000) };
            record_at(signed_s, "gap", 0, &json!({"v": 1, "event_ms": event_ms, "cause": "crash", "x": number}))
        })
        .collect();
    let (log, directory) = (Log::of(&statements), tempfile::tempdir().unwrap());
    let shared = log.open(&directory.path().join("index"), 100_000).unwrap();
    log.catch_up(&shared).unwrap();
    // Every block reaches from the one time to the other.
    let filter = Filter::default().since(500).until(600);
    let first = page(&shared, &filter, 0, 5000, 10).unwrap();
    assert_eq!(first, Page { found: Vec::new(), next: Some(4096) });
    assert_eq!(page(&shared, &filter, 4096, 5000, 10).unwrap(), Page { found: Vec::new(), next: None });
    shared.close();
}

/// What a search costs depends on what it finds: segments of other times are passed over.
#[test]
fn segments_of_other_times_cost_nothing() {
    let record = |number: u64| {
        record_at(number.cast_signed(), "gap", 0, &json!({"v": 1, "event_ms": number * 1_000, "cause": "crash"}))
    };
    let statements: Vec<SignedStatement> = (0..200).map(record).collect();
    let (log, directory) = (Log::of(&statements), tempfile::tempdir().unwrap());
    let shared = log.open(&directory.path().join("index"), 10).unwrap();
    log.catch_up(&shared).unwrap();
    let kind = Filter::default().with(Term::new(Column::KIND, "gap").unwrap());
    let one_visit = |filter: &Filter| page_for(Effort { looks: 10, visits: 1 }, &shared, filter, 0, 200, 10).unwrap();
    let found = one_visit(&kind.clone().since(151_000).until(152_000));
    assert_eq!(found.found, [151, 152].map(LeafIndex::new));
    assert_eq!(one_visit(&kind.clone().since(900_000)), Page { found: Vec::new(), next: None });
    assert_eq!(one_visit(&kind).next, Some(10), "without a time the first segment takes the visit");
    shared.close();
}
