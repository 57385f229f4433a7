//! Signing with X.509-SVIDs: they are renewed, they end, their authority is replaced, and no record is lost or logged twice.

use std::sync::Arc;
use std::time::Duration;

use govlog_client::testing::ISSUER;
use govlog_formats::cose::Algorithm;
use govlog_formats::statement::{SignedStatement, Signer};
use govlog_tls::testing::{Authority, Issued};

use crate::testing::{Bench, DAY, Shelf, event, refused};

/// When the world of a bench begins.
const START_S: u64 = 1_795_320_442;
const HOUR_S: u64 = 3_600;

fn scene() -> (Authority, Arc<Shelf>, Bench) {
    let shelf = Arc::new(Shelf::default());
    let bench = Bench::with_svids(&shelf);
    (Authority::of_trust_domain("prod.example"), shelf, bench)
}

fn svid(authority: &Authority, from_s: u64) -> Issued {
    authority.svid_from_to(ISSUER, from_s, from_s + HOUR_S)
}

fn leaf(statement: &SignedStatement) -> &[u8] {
    match statement.signer() {
        Signer::X5chain(chain) => &chain[0],
        Signer::Kid(kid) => panic!("signed with key {kid}"),
    }
}

fn metrics(bench: &Bench) -> String {
    bench.shared.telemetry.render(&crate::telemetry::Depth::default())
}

#[test]
fn a_stream_goes_on_from_one_svid_to_the_next_and_from_curve_to_curve() {
    let (authority, shelf, bench) = scene();
    let (first, second) = (svid(&authority, START_S), authority.p384_svid(ISSUER, START_S, START_S + HOUR_S));
    shelf.lay(&first);
    bench.receive(&[event("d-1")]);
    bench.sign();
    shelf.lay(&second);
    // In the same second it is the same one.
    bench.receive(&[event("d-2")]);
    bench.sign();
    bench.world.wind(Duration::from_secs(1));
    bench.receive(&[event("d-3")]);
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3"]);
    let logged: Vec<SignedStatement> = bench.log.records().into_iter().map(|(statement, _)| statement).collect();
    let leaves: Vec<&[u8]> = logged.iter().map(leaf).collect();
    assert_eq!(leaves, [&first.der, &first.der, &first.der, &second.der].map(Vec::as_slice));
    assert_eq!((logged[2].algorithm(), logged[3].algorithm()), (Algorithm::Es256, Algorithm::Es384));
    // One stream, without a gap.
    for (seq, statement) in (0..).zip(&logged) {
        let at = statement.claims().stream.as_ref().unwrap();
        assert_eq!((at.seq, &at.stream), (seq, &logged[0].claims().stream.as_ref().unwrap().stream));
    }
}

#[test]
fn nothing_is_signed_without_a_valid_svid_and_nothing_is_lost_meanwhile() {
    let (authority, shelf, bench) = scene();
    // Before the first one comes, and after the last one has ended.
    bench.receive(&[event("d-1")]);
    bench.sign();
    assert!(bench.signed(0).is_empty());
    shelf.lay(&svid(&authority, START_S));
    bench.world.wind(Duration::from_secs(1));
    bench.drain();
    assert!(metrics(&bench).contains("govlog_agent_unsigned 0"), "{}", metrics(&bench));
    let until = format!("govlog_agent_svid_not_after_seconds {}", START_S + HOUR_S);
    assert!(metrics(&bench).contains(&until), "{}", metrics(&bench));
    bench.world.wind(Duration::from_secs(HOUR_S));
    bench.receive(&[event("d-2"), event("d-3")]);
    for _ in 0..3 {
        bench.sign();
        bench.world.wind(Duration::from_secs(1));
    }
    assert_eq!((bench.shared.outbox.backlog().waiting, bench.shared.outbox.backlog().signed), (2, 0));
    let told = metrics(&bench);
    assert!(told.contains("govlog_agent_unsigned 1"), "{told}");
    assert!(told.contains("govlog_agent_alarms_total{kind=\"svid\"} 2"), "once each time: {told}");
    shelf.lay(&svid(&authority, START_S + HOUR_S));
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2", "d-3"]);
}

#[test]
fn an_svid_that_is_not_valid_yet_leaves_the_one_before_it_to_sign() {
    let (authority, shelf, bench) = scene();
    let (now, later) = (svid(&authority, START_S), svid(&authority, START_S + 100));
    shelf.lay(&now);
    bench.receive(&[event("d-1")]);
    bench.sign();
    shelf.lay(&later);
    for (id, wait) in [("d-2", 1), ("d-3", 99)] {
        bench.world.wind(Duration::from_secs(wait));
        bench.receive(&[event(id)]);
        bench.sign();
    }
    let signed = bench.signed(0);
    let leaves: Vec<&[u8]> = signed.iter().filter(|one| one.kind() == "decision").map(leaf).collect();
    assert_eq!(leaves, [&now.der, &now.der, &later.der].map(Vec::as_slice));
}

#[test]
fn what_waited_longer_than_its_svid_is_signed_anew_with_the_newest() {
    let (authority, shelf, bench) = scene();
    shelf.lay(&svid(&authority, START_S));
    bench.receive(&[event("d-1"), event("d-2")]);
    bench.sign();
    let before = bench.signed(0);
    bench.world.wind(2 * DAY);
    bench.log.with(|state| {
        let oldest = i64::try_from(START_S).unwrap() + 86_400;
        state.refuse = Box::new(move |one| (one.claims().iat < oldest).then(|| refused(403, "iat too old")));
    });
    // The SVID has ended, and none has come: it all stays as it is.
    bench.send(3);
    assert_eq!(bench.signed(0), before);
    let newest = svid(&authority, START_S + 2 * 86_400);
    shelf.lay(&newest);
    bench.world.wind(Duration::from_secs(1));
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1", "d-2"]);
    let logged = bench.log.records();
    assert!(logged.iter().all(|(statement, _)| leaf(statement) == newest.der), "all by the newest");
    assert_eq!(logged[1].0.payload(), before[1].payload(), "the same record");
}

#[test]
fn what_was_signed_under_an_authority_that_is_replaced_is_signed_anew_when_no_try_can_be_under_way() {
    let (old, shelf, bench) = scene();
    shelf.lay(&svid(&old, START_S));
    bench.receive(&[event("d-1")]);
    bench.sign();
    let replaced = bench.signed(0);
    let ended = leaf(&replaced[0]).to_vec();
    bench.log.with(|state| {
        state.refuse = Box::new(move |one| (leaf(one) == ended).then(|| refused(403, "no trust anchor has signed it")));
    });
    // As long as it is the newest, somebody must see to the policy.
    bench.send(2);
    assert!(metrics(&bench).contains("alarms_total{kind=\"forbidden\"}"));
    shelf.lay(&svid(&Authority::of_trust_domain("prod.example"), START_S));
    bench.world.wind(Duration::from_secs(100));
    bench.send(2);
    assert_eq!(bench.signed(0), replaced, "an earlier try may still be on its way");
    bench.world.wind(Duration::from_secs(21));
    bench.drain();
    assert_eq!(bench.decisions(), ["d-1"]);
}
