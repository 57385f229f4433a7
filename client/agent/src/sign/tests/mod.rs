//! What is signed, and what is said of streams.

mod anew;
mod batches;
mod heartbeats;
mod salts;

use govlog_formats::record::Record;
use serde_json::json;

use crate::outbox::Content;
use crate::testing::{Bench, INSTANCE, arrival, event};

pub(super) fn record(statement: &govlog_formats::statement::SignedStatement) -> Record {
    Record::parse(statement.kind(), statement.payload()).unwrap()
}

#[test]
fn a_stream_begins_with_its_opening_and_goes_on_without_a_gap() {
    let bench = Bench::new();
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let signed = bench.signed(0);
    let kinds: Vec<&str> = signed.iter().map(|statement| statement.kind()).collect();
    assert_eq!(kinds, ["stream", "decision", "decision"]);
    let mut prev = govlog_formats::digest::Digest::ZERO;
    for (seq, statement) in (0..).zip(&signed) {
        let claims = statement.claims();
        let at = claims.stream.as_ref().unwrap();
        assert_eq!((at.seq, at.prev), (seq, prev));
        assert!(at.stream.starts_with(&format!("opa-{INSTANCE}-")), "{}", at.stream);
        prev = statement.sig_structure_digest();
    }
    // exact.md §2: a `stream` record has its stream as `sub`; a decision its subject.
    let name = signed[0].claims().stream.as_ref().unwrap().stream.clone();
    assert_eq!(signed[0].claims().sub, name);
    assert_eq!(signed[1].claims().sub, "spiffe://prod.example/pay");
    assert_eq!(bench.shared.outbox.backlog().waiting, 0);
}

#[test]
fn what_cannot_be_mapped_becomes_a_quarantine_with_its_original_kept() {
    let bench = Bench::new();
    let mut unmapped = event("d-1");
    unmapped["result"] = json!({ "allowed": "yes" });
    bench.receive(&[unmapped.clone(), event("d-2")]);
    bench.sign();
    let signed = bench.signed(0);
    let Record::Quarantine(quarantine) = record(&signed[1]) else { panic!("{:?}", record(&signed[1])) };
    assert!(quarantine.reason().present().unwrap().contains("/result"), "{:?}", quarantine.reason());
    // Neither the input nor its digest stands in clear.
    assert_eq!((quarantine.input().present(), quarantine.digest().present()), (None, None));
    let row = &bench.shared.outbox.signed(0, 1, 1, u64::MAX).unwrap()[0].1;
    let original = serde_json::to_vec(&unmapped).unwrap();
    assert!(row.openings.windows(original.len()).any(|window| window == original), "the original is in the openings");
    assert_eq!(record(&signed[2]).kind(), "decision");
}

#[test]
fn inputs_of_nobody_go_into_the_agents_own_stream() {
    let bench = Bench::new();
    let mut input = arrival(&event("d-1"));
    input.instance = String::new();
    input.content = Content::Input { reason: "not gzip: cut off".into(), bytes: b"\x1f\x8b".to_vec() };
    bench.take(&[input]);
    bench.sign();
    let signed = bench.signed(0);
    let name = &signed[0].claims().stream.as_ref().unwrap().stream;
    assert!(name.starts_with("agent-"), "{name}");
    assert_eq!(signed[1].claims().sub, *name);
    let Record::Quarantine(quarantine) = record(&signed[1]) else { panic!() };
    assert_eq!((quarantine.reason().present(), quarantine.size().present()), (Some("not gzip: cut off"), Some(2)));
}

#[test]
fn what_is_too_large_for_an_entry_is_quarantined_and_the_rest_goes_on() {
    let bench = Bench::new();
    let mut large = event("d-1");
    large["bundles"] = (0..800).map(|n| (format!("bundle-{n:0>60}"), json!({ "revision": "r".repeat(60) }))).collect();
    bench.receive(&[large, event("d-2")]);
    bench.sign();
    let kinds: Vec<String> = bench.signed(0).iter().map(|statement| statement.kind().to_owned()).collect();
    assert_eq!(kinds, ["stream", "quarantine", "decision"]);
}

#[test]
fn a_clock_that_jumps_loses_nothing_and_signs_nothing_twice() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.world.set(1_000);
    bench.receive(&[event("d-2"), event("d-1")]);
    bench.sign();
    bench.world.set(4_000_000_000_000);
    bench.receive(&[event("d-3"), event("d-2")]);
    bench.sign();
    let decisions = bench.signed(0).iter().filter(|statement| statement.kind() == "decision").count();
    assert_eq!(decisions, 3);
}
