//! A day of a small organisation, in process: that it is what it says, and that whatever somebody has in hand of it leads the client to all that
//! belongs to it.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use govlog_client::custody::{Finder, Node, Role, Scan, Shelf, Spot, close};
use govlog_client::source::{Head, Source, Tree};
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::record::{KINDS, RELATIONS, Record};
use govlog_formats::search::Filter;
use govlog_scenario::brute::{Brute, Part};
use govlog_scenario::history::History;
use govlog_scenario::memory::{Reading, Suggestions};
use govlog_scenario::starts::Start;
use govlog_scenario::{Entry, Scenario};

/// The log in memory begins with its genesis and the one issuer of its own.
const FIRST: u64 = 2;

#[test]
fn a_day_has_records_of_every_kind_and_all_of_them_are_valid() {
    let scenario = Scenario::generate(7, 5_000);
    assert_eq!(scenario.entries.len(), 5_000);
    let counts = scenario.counts();
    let missing: Vec<&str> = KINDS.into_iter().filter(|kind| !counts.contains_key(kind)).collect();
    assert_eq!(missing, ["admission-policy"], "that is the operator's alone: {counts:?}");
    for entry in &scenario.entries {
        Record::parse(entry.kind, &entry.payload).unwrap();
        assert_eq!(entry.payload, entry.statement.payload());
        entry.statement.verify_signature(&scenario.parties[entry.by].key.public()).unwrap();
    }
}

/// Every relation occurs, some lead nowhere, and some hang together in a circle.
#[test]
fn everything_hangs_together_as_the_records_say() {
    let scenario = Scenario::generate(7, 3_000);
    let brute = Brute::new(scenario.entries.iter().map(|entry| &entry.statement));
    for rel in
        RELATIONS.iter().filter(|rel| **rel != "external_log").chain(&["owned_by", "ends", "acted_as", "bears_on"])
    {
        assert!(brute.count(rel)[0] > 0, "{rel}");
    }
    assert!(brute.tied() > 10, "certificates that their issuer's log names by a serial number");
    for rel in ["authenticated_by", "on_behalf_of", "enforces"] {
        assert!(brute.count(rel)[1] > 0, "{rel} leads nowhere at least once");
    }
    let is_tangled = |entry: &&Entry| entry.sub == "spiffe://prod.example/nobody";
    let tangled: Vec<usize> =
        (0..).zip(&scenario.entries).filter(|(_, entry)| is_tangled(entry)).map(|(at, _)| at).collect();
    assert_eq!(tangled.len(), 2);
    let parts = brute.closure(&BTreeSet::from([tangled[0]]));
    assert_eq!(parts[&tangled[1]], Part::Effect, "what it was caused by was caused by it");
}

#[test]
fn a_seed_gives_the_same_records_and_another_one_does_not() {
    let [one, same, other] = [1, 1, 2].map(|seed| Scenario::generate(seed, 900));
    assert_eq!(one.entries, same.entries);
    let decisions = |scenario: &Scenario| -> BTreeSet<Vec<u8>> {
        scenario.entries.iter().filter(|entry| entry.kind == "decision").map(|entry| entry.payload.clone()).collect()
    };
    assert!(decisions(&one).is_disjoint(&decisions(&other)));
}

/// Days in a row, made one at a time, that make one log: what is stolen on the first is used on each and revoked on the last.
#[test]
fn a_history_is_days_in_a_row_with_one_thing_that_goes_through_all_of_them() {
    const DAY_MS: u64 = 86_400_000;
    let (size, stolen, end_ms) = (10_100, 100, 1_800_000_000_000);
    let history = History::new(7, "log.example/2027", size, stolen, end_ms);
    assert_eq!(history.days(), 3);
    let days: Vec<Scenario> = (0..3).map(|day| history.day(day)).collect();
    assert_eq!(history.day(1).entries, days[1].entries, "a day is the same whenever it is made");
    assert_eq!(days.iter().map(|day| day.entries.len()).sum::<usize>(), size);
    let starts: Vec<u64> = days.iter().map(|day| day.plan.start_ms).collect();
    assert_eq!(starts, [3, 2, 1].map(|left| end_ms - left * DAY_MS));

    // Nobody's key changes, no record is another day's, and no stream goes on: they are handed in side by side.
    for day in &days[1..] {
        let keys = |day: &Scenario| day.parties.iter().map(|party| (party.iss, party.key.public())).collect::<Vec<_>>();
        assert_eq!(keys(day), keys(&days[0]));
    }
    let distinct = |of: &dyn Fn(&Entry) -> String| -> (usize, usize) {
        let each: Vec<BTreeSet<String>> = days.iter().map(|day| day.entries.iter().map(of).collect()).collect();
        (each.iter().map(BTreeSet::len).sum(), each.iter().flatten().collect::<BTreeSet<_>>().len())
    };
    let (leaves, all) = distinct(&|entry| entry.statement.leaf_hash().to_string());
    assert_eq!((leaves, all), (size, size));
    let stream = |entry: &Entry| entry.statement.claims().stream.as_ref().map(|stream| stream.stream.clone());
    let (streams, all) = distinct(&|entry| format!("{} {:?}", entry.statement.claims().iss, stream(entry)));
    assert_eq!(streams - 2, all, "but for what has none");

    let count = |kind: &str| days.iter().map(|day| day.counts().get(kind).copied().unwrap_or(0)).collect::<Vec<_>>();
    assert_eq!((count("ownership"), count("revocation")), (vec![4, 0, 0], vec![0, 0, 2]));
    let uses: usize = days.iter().map(|day| day.plan.stolen).sum();
    assert!(uses == stolen && days.iter().all(|day| day.plan.stolen > 30), "evenly");

    let entries: Vec<(usize, &Entry)> =
        days.iter().enumerate().flat_map(|(day, made)| made.entries.iter().map(move |entry| (day, entry))).collect();
    let credential = Digest::sha256(b"7 stolen");
    let is_issued = |entry: &Entry| entry.payload.windows(32).any(|bytes| bytes == credential.as_bytes());
    let issued = entries.iter().position(|(_, entry)| entry.kind == "issuance" && is_issued(entry)).unwrap();
    let brute = Brute::new(entries.iter().map(|(_, entry)| &entry.statement));
    let matter = brute.closure(&BTreeSet::from([issued]));
    let mut found = BTreeMap::<(&str, usize), usize>::new();
    for (day, entry) in matter.keys().map(|at| entries[*at]) {
        *found.entry((entry.kind, day)).or_default() += 1;
    }
    assert_eq!([0, 1, 2].map(|day| found[&("decision", day)]), [33, 33, 34], "what was done with it on each day");
    assert_eq!(found[&("revocation", 2)], 1);
}

/// Both ways of finding, for one thread: a scan, and what a log's index suggests.
struct Client<'s> {
    index: Reading<'s, Suggestions<'s>>,
    scan: Reading<'s, Scan>,
}

fn part(role: Role) -> Part {
    match role {
        Role::Word => Part::Word,
        Role::Cause => Part::Cause,
        Role::Effect => Part::Effect,
        Role::Start => Part::Start,
    }
}

/// What the client makes of these starting points.
fn found<F: Finder>(reading: &mut Reading<'_, F>, starts: &[Arc<Node>]) -> BTreeMap<usize, Part> {
    let closure = close(reading, starts.iter().cloned(), usize::MAX).unwrap();
    let at = |index: u64| usize::try_from(index - FIRST).unwrap();
    closure.reached.into_iter().map(|(spot, (_, role))| (at(spot.index.get()), part(role))).collect()
}

/// Every starting point that there is, 17,000 in 8,000 matters: half a minute on two cores, unoptimised.
#[test]
fn what_belongs_to_every_starting_point_is_what_brute_force_finds() {
    let scenario = Scenario::generate(7, 5_000);
    let (marks, nodes) = (scenario.marks(), scenario.nodes(FIRST));
    let starts = scenario.starts(&marks);
    let brute = Brute::new(scenario.entries.iter().map(|entry| &entry.statement));

    // Several starting points are the same entries: these are followed once.
    let mut matters: BTreeMap<BTreeSet<usize>, &Start> = BTreeMap::new();
    let mut suggestions = Suggestions::new(&marks, FIRST);
    for start in &starts {
        let found = suggestions.answers(&start.query(FIRST).filters().unwrap()).unwrap();
        let answers: BTreeSet<usize> =
            found.iter().map(|index| usize::try_from(index.get() - FIRST).unwrap()).chain(start.entry).collect();
        assert!(!answers.is_empty() || start.search.contains_key("since"), "{start:?} is nothing");
        matters.entry(answers).or_insert(start);
    }

    let folder = tempfile::tempdir().unwrap();
    let log = scenario.write_to(&folder.path().join("log"));
    let trust = log.trusted_in(&folder.path().join("trust"));
    let source = Source::open(folder.path().join("log").to_str().unwrap()).unwrap();
    let head = Head::read(&source, trust.trust()).unwrap();
    let matters: Vec<_> = matters.into_iter().collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let scan = Scan::read(&Tree::new(&source, head.size()), &head, &[], &mut |_| {}).unwrap();
                let mut client = Client {
                    index: Reading::new(&nodes, FIRST, Suggestions::new(&marks, FIRST)),
                    scan: Reading::new(&nodes, FIRST, scan),
                };
                while let Some((answers, start)) = matters.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let begun: Vec<Arc<Node>> = answers.iter().map(|at| nodes[*at].clone()).collect();
                    let expected = brute.closure(answers);
                    same(&scenario, start, &found(&mut client.index, &begun), &expected, "with the index");
                    same(&scenario, start, &found(&mut client.scan, &begun), &expected, "with a scan");
                }
            });
        }
    });
}

/// Says of the first entry that differs what it is.
fn same(
    scenario: &Scenario,
    start: &Start,
    found: &BTreeMap<usize, Part>,
    expected: &BTreeMap<usize, Part>,
    how: &str,
) {
    if found == expected {
        return;
    }
    for (at, entry) in scenario.entries.iter().enumerate() {
        assert_eq!(found.get(&at), expected.get(&at), "{how}, from {start:?}: {at}, a {}", entry.kind);
    }
    panic!("{how}, from {start:?}: what differs is no entry: {found:?} {expected:?}");
}

/// A scan is told what is asked for before it reads: it answers as each entry does.
#[test]
fn a_scan_answers_every_starting_point_of_few_values() {
    let scenario = Scenario::generate(3, 1_200);
    let marks = scenario.marks();
    let starts: Vec<Start> = scenario.starts(&marks).into_iter().filter(|start| start.entry.is_none()).collect();
    let filters: Vec<Filter> =
        starts.iter().step_by(7).flat_map(|start| start.query(FIRST).filters().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let log = scenario.write_to(&folder.path().join("log"));
    let trust = log.trusted_in(&folder.path().join("trust"));
    let source = Source::open(folder.path().join("log").to_str().unwrap()).unwrap();
    let head = Head::read(&source, trust.trust()).unwrap();
    let mut scan = Scan::read(&Tree::new(&source, head.size()), &head, &filters, &mut |_| {}).unwrap();
    for (start, filter) in starts.iter().step_by(7).zip(&filters) {
        let found: Vec<u64> =
            scan.answers(std::slice::from_ref(filter)).unwrap().iter().map(|index| index.get()).collect();
        let expected: Vec<u64> = start.answers(&marks).iter().map(|at| FIRST + *at as u64).collect();
        let own: Vec<u64> = found.into_iter().filter(|index| *index >= FIRST).collect();
        assert_eq!(own, expected, "{start:?}");
    }
}

/// With the members of batches at hand every one of them is followed like an entry, and leads to its batch.
#[test]
fn members_of_batches_belong_to_what_came_of_them() {
    let scenario = Scenario::generate(5, 1_500);
    let brute = Brute::with_members(&scenario.entries);
    let mut nodes: Vec<Node> = scenario.nodes(FIRST).iter().map(|node| node.as_ref().clone()).collect();
    for (index, batch) in (FIRST..).map(LeafIndex::new).zip(&scenario.entries) {
        let spots = (0..).map(|member| Spot::of_member(index, LeafIndex::new(member)));
        nodes.extend(spots.zip(&batch.members).map(|(spot, member)| Node::of_member(spot, &batch.statement, member)));
    }
    assert!(nodes.len() > scenario.entries.len() + 50, "members");
    let mut shelf = Shelf::default();
    nodes.iter().for_each(|node| shelf.add(node.clone()));
    let positions: BTreeMap<Spot, usize> = nodes.iter().map(|node| node.spot).zip(0..).collect();
    for (at, node) in nodes.iter().enumerate() {
        let Ok(closure) = close(&mut shelf, [Arc::new(node.clone())], usize::MAX);
        let found: BTreeMap<usize, Part> =
            closure.reached.iter().map(|(spot, (_, role))| (positions[spot], part(*role))).collect();
        assert_eq!(found, brute.closure(&BTreeSet::from([at])), "from {at}, {}: {node:?}", node.kind);
    }
}
