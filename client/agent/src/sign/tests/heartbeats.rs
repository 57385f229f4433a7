//! Streams say that they live, with counters that add up, and are closed when nobody speaks.

use std::collections::BTreeMap;
use std::time::Duration;

use govlog_formats::digest::Digest;
use govlog_formats::record::stream::StreamOp;
use govlog_formats::record::{Record, Stream};
use serde_json::json;

use super::record;
use crate::testing::{Bench, event};

fn told(bench: &Bench, number: u64) -> Vec<Stream> {
    let records = bench.signed(number).iter().map(record).collect::<Vec<_>>();
    records
        .into_iter()
        .filter_map(|record| match record {
            Record::Stream(stream) => Some(stream),
            _ => None,
        })
        .collect()
}

fn counters(stream: &Stream) -> [Option<u64>; 5] {
    ["received", "emitted", "duplicate", "quarantined", "waiting"].map(|name| stream.counter(name).present())
}

#[test]
fn a_heartbeat_counts_what_happened_since_the_last() {
    let bench = Bench::new();
    let mut unmapped = event("d-3");
    unmapped["timestamp"] = json!("yesterday");
    bench.receive(&[event("d-1"), event("d-2"), unmapped, event("d-1")]);
    bench.sign();
    assert_eq!(told(&bench, 0).len(), 1);
    bench.world.wind(Duration::from_secs(60));
    bench.receive(&[event("d-4")]);
    bench.sign();
    let first = told(&bench, 0).remove(1);
    assert_eq!(first.op().present(), Some(StreamOp::Heartbeat));
    assert_eq!(counters(&first), [Some(5), Some(3), Some(1), Some(1), Some(0)]);
    assert_eq!(first.next_seq().present(), Some(6), "opening, four records, and this one");
    bench.world.wind(Duration::from_secs(60));
    bench.sign();
    assert_eq!(counters(&told(&bench, 0)[2]), [Some(0), Some(0), Some(0), Some(0), Some(0)]);
}

/// "*Lower bound*: only if the statement, or an earlier one in its `prev` chain, carries `head`": of an entry alone, only its own shows it.
#[test]
fn every_statement_names_the_newest_checkpoint_that_was_seen() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    let note = Digest::sha256(b"note");
    bench.shared.signer().saw_head(note);
    let mut unmapped = event("d-3");
    unmapped["timestamp"] = json!("yesterday");
    bench.receive(&[event("d-2"), unmapped]);
    bench.world.wind(Duration::from_secs(60));
    bench.sign();
    let named = bench.signed(0).iter().map(|one| (one.kind().to_owned(), one.claims().head)).collect::<Vec<_>>();
    let of = |kind: &str, head| (kind.to_owned(), head);
    let before = [of("stream", None), of("decision", None)];
    let behind = [of("decision", Some(note)), of("quarantine", Some(note)), of("stream", Some(note))];
    assert_eq!(named, [&before[..], &behind[..]].concat());
}

#[test]
fn a_heartbeat_carries_what_the_source_counts_itself() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    let counted = BTreeMap::from([("decision_logs_dropped_rate_limit_exceeded".to_owned(), "12".to_owned())]);
    bench.heard(&counted);
    bench.world.wind(Duration::from_secs(60));
    bench.sign();
    let payload = bench.signed(0)[2].payload().to_vec();
    let view = govlog_formats::record::view::to_json("stream", &payload).unwrap();
    assert_eq!(view["source_counters"], json!({ "decision_logs_dropped_rate_limit_exceeded": 12 }));
}

#[test]
fn a_silent_source_ends_its_stream_and_a_new_one_names_it() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.world.wind(Duration::from_secs(3_600));
    bench.sign();
    bench.sign();
    let ops: Vec<_> = told(&bench, 0).iter().filter_map(|stream| stream.op().present()).collect();
    assert_eq!(ops, [StreamOp::Open, StreamOp::Close]);
    let closed = bench.shared.outbox.stream(0).unwrap().unwrap();
    assert!(closed.closed);

    bench.receive(&[event("d-2"), event("d-1")]);
    bench.sign();
    let opened = told(&bench, 1).remove(0);
    assert_eq!(opened.predecessor().present(), Some(closed.name.as_str()));
    let decisions = bench.signed(1).iter().filter(|statement| statement.kind() == "decision").count();
    assert_eq!(decisions, 1, "what was seen in the old stream is known in the new one");
}

#[test]
fn statuses_keep_a_stream_open() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    for _ in 0..3 {
        bench.world.wind(Duration::from_secs(3_000));
        bench.heard(&BTreeMap::new());
        bench.sign();
    }
    assert!(!bench.shared.outbox.stream(0).unwrap().unwrap().closed);
}

/// Whatever a source reports, its stream can still tell that it lives.
#[test]
fn a_status_full_of_counters_fits_into_a_heartbeat() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    let many = (0..128).map(|n| (format!("decision_logs_{n:0>2000}"), u64::MAX.to_string()));
    let few = (0..100).map(|n| (format!("decision_logs_{n}"), "1".repeat(128)));
    bench.heard(&many.chain(few).collect());
    bench.world.wind(Duration::from_secs(60));
    bench.sign();
    assert_eq!(told(&bench, 0).len(), 2);
}

#[test]
fn heartbeats_go_on_after_a_clock_that_was_ahead() {
    let bench = Bench::new();
    bench.receive(&[event("d-1")]);
    bench.sign();
    bench.world.set(1_695_320_442_000);
    bench.sign();
    assert_eq!(told(&bench, 0).len(), 2);
}
