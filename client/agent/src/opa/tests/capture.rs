//! All uploads read, all events mapped, all certificates met.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use govlog_formats::digest::Digest;
use govlog_formats::record::decision::DecisionResult;
use govlog_formats::record::handles::certificate_from_pem;
use govlog_formats::record::{LinkTarget, Record};
use serde::Deserialize;

use crate::opa::bundle::{BundleFeed, Policies, RawBundle, Table};
use crate::opa::*;
use crate::seal::{Draft, Sealer};

#[derive(Deserialize)]
struct Received {
    headers: BTreeMap<String, String>,
}

fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/capture")
}

/// The uploads of a kind, unpacked, in order of arrival.
fn uploads(kind: &str) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(capture().join("opa/uploads")).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().ends_with(&format!("-{kind}.body")));
    paths.sort();
    let unpacked = paths.iter().map(|path| {
        let received: Received = serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
        let encoding = received.headers.get("Content-Encoding").map(String::as_str);
        unpack(encoding, &std::fs::read(path).unwrap(), &Limits::default()).unwrap().into_owned()
    });
    unpacked.collect()
}

/// Semantic digest and bytes of events, by instance and id.
type Events = BTreeMap<(String, String), (Digest, Vec<u8>)>;

/// Each event once, and how many there were with repetitions.
fn events() -> (Events, usize) {
    let mut events = Events::new();
    let mut count = 0;
    for upload in uploads("logs") {
        let upload = read(&upload, &Limits::default()).unwrap();
        assert_eq!(upload.unreadable_beyond, 0);
        for element in upload.elements {
            let Element::Event(event) = element else { panic!("{element:?}") };
            count += 1;
            let (semantic, _) =
                events.entry((event.instance, event.native_id)).or_insert((event.semantic, event.bytes.to_vec()));
            assert_eq!(*semantic, event.semantic);
        }
    }
    (events, count)
}

fn drafts() -> Vec<Draft> {
    drafts_under(&Policies::default())
}

fn drafts_under(policies: &Policies) -> Vec<Draft> {
    let group = crate::testing::captured_group("/ingest/opa/v1");
    let draft = |(_, bytes): &(Digest, Vec<u8>)| {
        let mut random = || [7; 32];
        decision::decision_under(
            bytes,
            &group,
            &|name, revision| policies.find(name, revision),
            Sealer::new(&mut random),
        )
        .unwrap()
    };
    events().0.values().map(draft).collect()
}

/// SHA-256 of the DER of a certificate of the capture.
fn certificate(name: &str) -> Digest {
    let pem = std::fs::read(capture().join("spire").join(name)).unwrap();
    Digest::sha256(&certificate_from_pem(&pem).unwrap())
}

#[test]
fn events_that_came_twice_are_told_from_others() {
    let (events, count) = events();
    assert_eq!((count, events.len()), (609, 591));
    let digests: BTreeSet<Digest> = events.values().map(|(semantic, _)| *semantic).collect();
    assert_eq!(digests.len(), 591);
}

#[test]
fn every_event_becomes_a_decision_with_its_result() {
    let mut results: BTreeMap<&str, usize> = BTreeMap::new();
    for draft in drafts() {
        assert!(draft.sub.unwrap().starts_with("spiffe://prod.example/"));
        let Record::Decision(decision) = Record::parse(draft.kind, &draft.payload).unwrap() else {
            panic!("no decision")
        };
        let result = decision.result().present().unwrap();
        *results.entry(result.as_str()).or_default() += 1;
        let has = |path: &str| draft.openings.iter().any(|opening| opening.path == path);
        assert_eq!(has("error"), result == DecisionResult::Error);
        assert_eq!(has("output"), matches!(result, DecisionResult::Permit | DecisionResult::Deny));
        assert!(has("input") && has("nd_cache") && has("native"));
        let [policy] = decision.policies().try_into().unwrap();
        assert!(matches!(policy.revision.as_deref(), Some("r1" | "r2")));
    }
    let expected = [("deny", 234), ("error", 9), ("not-evaluated", 12), ("permit", 336)];
    assert_eq!(results, expected.into());
}

#[test]
fn every_decision_is_linked_to_the_certificate_of_its_caller() {
    let mut callers: BTreeMap<Digest, usize> = BTreeMap::new();
    for draft in drafts() {
        let Record::Decision(decision) = Record::parse(draft.kind, &draft.payload).unwrap() else {
            panic!("no decision")
        };
        let handle = decision.credential().present().unwrap();
        let [link] = decision.body().links().try_into().unwrap();
        assert_eq!((link.rel.as_str(), &link.target), ("authenticated_by", &LinkTarget::Handle(handle.clone())));
        *callers.entry(handle.digest().unwrap()).or_default() += 1;
    }
    let expected = [("pay-1.pem", 151), ("pay-2.pem", 156), ("ledger-1.pem", 145), ("agentbot-1.pem", 139)];
    assert_eq!(callers, expected.map(|(name, count)| (certificate(name), count)).into());
    assert!(!callers.contains_key(&certificate("breakglass.pem")));
}

#[test]
fn every_decision_is_bound_to_the_verified_bundle_of_its_revision() {
    use crate::feed::Feed as _;
    let policies = std::sync::Arc::new(Policies::default());
    let mut place = None;
    for revision in ["r1", "r2"] {
        let text = format!("name = \"authz\"\nfile = \"authz-{revision}.tar.gz\"\nkey = \"bundle-signer.pub.pem\"");
        let table = Table::try_from(toml::from_str::<RawBundle>(&text).unwrap()).unwrap();
        let table = table.within(&capture().join("opa"));
        let mut feed = BundleFeed::new("/ingest/opa/v1", table, std::sync::Arc::clone(&policies));
        feed.resume(place.as_deref()).unwrap();
        place = feed.read(0).unwrap().place;
    }
    let digests = ["r1", "r2"].map(|revision| policies.find("authz", revision).unwrap());
    assert_ne!(digests[0], digests[1]);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for draft in drafts_under(&policies) {
        let Record::Decision(decision) = Record::parse(draft.kind, &draft.payload).unwrap() else {
            panic!("no decision")
        };
        let [policy] = decision.policies().try_into().unwrap();
        let revision = policy.revision.unwrap();
        let digest = bundle::scheme_digest(&digests[usize::from(revision == "r2")]);
        assert_eq!(policy.policy_digest, Some(digest.clone()));
        let links = decision.body().links();
        let governing: Vec<_> = links.iter().filter(|link| link.rel == "governed_by").collect();
        let [link] = governing.as_slice() else { panic!("{links:?}") };
        let LinkTarget::Handle(handle) = &link.target else { panic!("{link:?}") };
        assert_eq!((handle.name.as_str(), &handle.value), ("policy_digest", &digest.to_value()));
        *counts.entry(revision).or_default() += 1;
    }
    assert_eq!(counts.values().sum::<usize>(), 591);
    assert!(counts["r1"] > 100 && counts["r2"] > 100, "{counts:?}");
}

#[test]
fn the_status_uploads_tell_counters_and_revisions() {
    let statuses: Vec<Status> = uploads("status").iter().map(|bytes| status(bytes).unwrap()).collect();
    let [first, last] = statuses.try_into().unwrap();
    assert_eq!(first.instance, "007320a5-9697-4162-9b9b-dbbd96aa96c5");
    assert_eq!(last.instance, first.instance);
    assert!(first.counters.is_empty());
    let expected = [("counter_decision_logs_chunks_upload_failed", 1), ("counter_decision_logs_chunks_uploaded", 28)];
    assert_eq!(last.counters, expected.map(|(name, count)| (name.to_owned(), count)).into());
    assert_eq!((first.bundles["authz"].revision.as_str(), last.bundles["authz"].revision.as_str()), ("r1", "r2"));
    assert_eq!((first.asked, last.asked), (Some(0), Some(300)));
}
