//! `POST /entries`.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request};
use govlog_formats::admission::ChangeFields;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::LeafIndex;
use govlog_formats::statement::Content;

use super::*;
use crate::http::Times;
use crate::http::testing::{Rig, Setup, cosignatures};
use crate::refusal::Unavailable;

/// "after commit 303 + Location; 201 + receipt with `?wait=committed|published`" (DESIGN §8.1); "201 and 303 both carry `Location:
/// /entries/<id>`; duplicates get the same" (exact.md §4).
#[tokio::test(flavor = "multi_thread")]
async fn registration_is_303_and_with_wait_201_both_with_location_and_duplicates_the_same() {
    let rig = Rig::start().await;
    let one = statement("one");
    for _ in 0..2 {
        let answer = rig.submit("/entries", one.entry()).await;
        assert_eq!((answer.status, answer.location(), answer.cache()), (303, "/entries/1.1", "no-store"));
        assert!(answer.body.is_empty() && answer.retry_after() > 0);
        let answer = rig.submit("/entries?wait=committed", one.entry()).await;
        assert_eq!((answer.status, answer.location(), answer.cache()), (201, "/entries/1.1", "no-store"));
        let (receipt, _) = answer.receipt(&one);
        assert_eq!(receipt.index(), LeafIndex::new(1));
        let answer = rig.submit("/entries?wait=published", one.entry()).await;
        assert_eq!((answer.status, answer.location()), (201, "/entries/1.1"));
        let (receipt, bytes) = answer.receipt(&one);
        assert_eq!((receipt.index(), receipt.size().get()), (LeafIndex::new(1), 2));
        assert_eq!(cosignatures(bytes.note()), 1);
    }
    let two = statement("two");
    let answer = rig.submit("/entries?wait=published", two.entry()).await;
    assert_eq!((answer.status, answer.location()), (201, "/entries/1.2"));
    answer.receipt(&two);
    rig.stop().await;
}

/// "a committed receipt's note carries the log's signature alone" (DESIGN §4)
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_receipt_has_the_logs_line_alone() {
    let rig = Rig::start().await;
    rig.hold();
    let one = statement("one");
    let answer = rig.submit("/entries?wait=committed", one.entry()).await;
    assert_eq!(answer.status, 201);
    let (receipt, bytes) = answer.receipt(&one);
    assert_eq!((receipt.index().get(), receipt.size().get()), (1, 2));
    assert_eq!(cosignatures(bytes.note()), 0);
    rig.release();
    rig.stop().await;
}

/// "A duplicate is found by Sig_structure before the signature is looked at; the answer and the receipt are for the *logged* bytes." (exact.md §2)
#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_with_other_signature_bytes_gets_the_logged_bytes_receipt() {
    let rig = Rig::start().await;
    let one = statement("one");
    rig.log(&one).await;
    let mut other = one.entry().to_vec();
    *other.last_mut().unwrap() ^= 1;
    let answer = rig.submit("/entries?wait=committed", &other).await;
    assert_eq!((answer.status, answer.location()), (201, "/entries/1.1"));
    answer.receipt(&one);
    rig.stop().await;
}

/// "30 s at most; 303 when not reached" (DESIGN §8.1)
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_runs_out_is_303() {
    let times = Times { wait: Duration::from_millis(30), ..Times::default() };
    let rig = Rig::with(Setup { times, ..Setup::default() }).await;
    rig.hold();
    let answer = rig.submit("/entries?wait=published", statement("one").entry()).await;
    assert_eq!((answer.status, answer.location()), (303, "/entries/1.1"));
    rig.release();
    rig.stop().await;
}

/// "new work gets 503" and whoever waits for witnesses is let go: what was committed stays so.
#[tokio::test(flavor = "multi_thread")]
async fn at_the_end_waiters_get_303_and_new_work_503() {
    let rig = Rig::start().await;
    rig.hold();
    let (app, one) = (rig.app.clone(), statement("one"));
    let waiting = async { rig.submit("/entries?wait=published", one.entry()).await };
    let closing = async {
        app.committed(LeafIndex::new(1)).await.unwrap();
        rig.live.sequencer.hold(Unavailable::ShuttingDown);
        app.close();
        app.quiet().await;
        rig.submit("/entries", statement("two").entry()).await
    };
    let (waited, refused) = tokio::join!(waiting, closing);
    assert_eq!((waited.status, waited.location()), (303, "/entries/1.1"));
    assert_eq!(refused.status, 503);
    assert!(refused.problem().detail.contains("shutting down"));
    rig.release();
    rig.stop().await;
}

/// "No receipt at tree size 1" (DESIGN §4).
#[tokio::test(flavor = "multi_thread")]
async fn entry_0_alone_has_no_receipt() {
    let times = Times { wait: Duration::from_millis(30), ..Times::default() };
    let rig = Rig::with(Setup { times, ..Setup::default() }).await;
    let genesis = &World::get().genesis;
    for path in ["/entries", "/entries?wait=committed", "/entries?wait=published"] {
        let answer = rig.submit(path, genesis.entry()).await;
        assert_eq!((answer.status, answer.location()), (303, "/entries/1.0"), "{path}");
    }
    rig.publish_each(&statements(1)).await;
    for path in ["/entries?wait=committed", "/entries?wait=published"] {
        let answer = rig.submit(path, genesis.entry()).await;
        assert_eq!(answer.status, 201, "{path}");
        assert_eq!(answer.receipt(genesis).0.index().get(), 0);
    }
    rig.stop().await;
}

/// "Unknown `?wait=` 400" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_wait_is_400() {
    let rig = Rig::start().await;
    for query in ["wait=", "wait=soon", "wait=Committed", "wait=committed&wait=published", "wiat=committed", "wait=%ff"]
    {
        for path in ["/entries", "/v1/batches"] {
            let content_type = if path == "/entries" { "application/cose" } else { "application/cbor-seq" };
            let body = statement("one").entry().to_vec();
            let answer = rig.ask(Method::POST, &format!("{path}?{query}"), Some(content_type), body).await;
            assert_eq!(answer.status, 400, "{path}?{query}");
            assert_eq!(answer.problem().title, "Malformed request");
        }
    }
    assert_eq!(rig.live.sequencer.committed().borrow().size().get(), 1, "nothing was committed");
    rig.stop().await;
}

/// "other content type 415 […] (content-type parameters are ignored, types compare without case, a missing one is 415" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn content_types_compare_without_case_and_parameters() {
    let rig = Rig::start().await;
    let body = statement("one").entry().to_vec();
    for wrong in [
        None,
        Some(""),
        Some("application/cbor"),
        Some("application/cosex"),
        Some("text/plain"),
        Some("application/cose, x/y"),
    ] {
        let answer = rig.ask(Method::POST, "/entries", wrong, body.clone()).await;
        assert_eq!(answer.status, 415, "{wrong:?}");
        assert!(answer.problem().detail.contains("application/cose"));
    }
    for right in
        ["application/cose", "Application/COSE", "application/cose; cose-type=\"cose-sign1\"", " application/cose ;x=y"]
    {
        let answer = rig.ask(Method::POST, "/entries", Some(right), body.clone()).await;
        assert_eq!(answer.status, 303, "{right}");
    }
    for wrong in [None, Some("application/cose"), Some("application/cbor")] {
        let answer = rig.ask(Method::POST, "/v1/batches", wrong, body.clone()).await;
        assert_eq!(answer.status, 415, "{wrong:?}");
        assert!(answer.problem().detail.contains("application/cbor-seq"));
    }
    let answer = rig.ask(Method::POST, "/v1/batches", Some("APPLICATION/CBOR-SEQ;v=1"), body).await;
    assert_eq!(answer.status, 200);
    rig.stop().await;
}

/// "other method 405 with Allow, each with the route's kind of body" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_405_with_allow_in_the_routes_kind_of_body() {
    let rig = Rig::start().await;
    let get = [
        "/entries/1.0",
        "/entries/1.0/statement",
        "/.well-known/scitt-keys",
        "/.well-known/scitt-keys/x",
        "/checkpoint",
        "/tile/0/000.p/1",
        "/tile/entries/000.p/1",
        "/v1/proofs/inclusion",
        "/v1/proofs/consistency",
        "/v1/streams",
        "/v1/admission-policy",
        "/v1/checkpoints",
        "/v1/conflicts",
    ];
    for (path, allow, methods) in get
        .map(|path| (path, vec!["GET", "HEAD"], vec![Method::POST, Method::PUT, Method::DELETE, Method::PATCH]))
        .into_iter()
        .chain(
            ["/entries", "/v1/batches"].map(|path| (path, vec!["POST"], vec![Method::GET, Method::HEAD, Method::PUT])),
        )
    {
        for method in methods {
            let head = method == Method::HEAD;
            let answer = rig.ask(method.clone(), path, None, Vec::new()).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.allow(), allow, "{method} {path}");
            match path {
                _ if head => assert!(answer.body.is_empty()),
                path if path.starts_with("/entries") || path.contains("scitt") || path.contains("batches") => {
                    assert_eq!(answer.problem().title, "Method Not Allowed");
                }
                path if path.starts_with("/v1") => assert_eq!(answer.json_problem()["title"], "Method Not Allowed"),
                _ => drop(answer.line()),
            }
        }
    }
    rig.stop().await;
}

/// "HEAD is answered as GET" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_as_get() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(1)).await;
    for path in [
        "/entries/1.1",
        "/entries/1.9",
        "/entries/1.1/statement",
        "/checkpoint",
        "/tile/0/000.p/1",
        "/tile/0/001",
        "/v1/streams?issuer=a&stream=b",
        "/v1/streams",
        "/.well-known/scitt-keys",
        "/nothing",
    ] {
        let get = rig.get(path).await;
        let head = rig.ask(Method::HEAD, path, None, Vec::new()).await;
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.content_type(), get.content_type(), "{path}");
        assert_eq!(head.cache(), get.cache(), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
    }
    rig.stop().await;
}

/// "not COSE, not canonical, too large: 400 / 413, with the offset and why" (DESIGN §6)
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_statement_is_400_and_what_is_too_large_413() {
    let rig = Rig::start().await;
    let entry = statement("one").entry().to_vec();
    let mut trailing = entry.clone();
    trailing.push(0);
    for (body, title, says) in [
        (Vec::new(), "Malformed request", ""),
        (b"not cose".to_vec(), "Malformed request", "offset"),
        (trailing, "Malformed request", "offset"),
        (entry[1..].to_vec(), "Malformed request", ""),
        (entry[..40].to_vec(), "Malformed request", "offset"),
    ] {
        let answer = rig.submit("/entries", &body).await;
        assert_eq!(answer.status, 400);
        let problem = answer.problem();
        assert_eq!(problem.title, title);
        assert!(problem.detail.contains(says), "{problem:?}");
    }
    // "The 65,535 bound counts after that; the request body may be 128 KiB." (exact.md §1)
    let answer = rig.submit("/entries", &vec![0; 128 * 1024]).await;
    assert_eq!(answer.status, 400);
    let answer = rig.submit("/entries", &vec![0; 128 * 1024 + 1]).await;
    assert_eq!((answer.status, answer.problem().title.as_str()), (413, "Payload Too Large"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_65535_bytes_is_taken_and_one_more_is_413() {
    let rig = Rig::start().await;
    let of = |bytes: usize| {
        let empty = World::get().statement(0, &Place::Alone, "").entry().len();
        // The payload's own head grows by two bytes with its length.
        World::get().statement(0, &Place::Alone, &"x".repeat(bytes - empty - 2)).entry().to_vec()
    };
    let largest = of(65_535);
    assert_eq!(largest.len(), 65_535);
    let answer = rig.submit("/entries?wait=committed", &largest).await;
    assert_eq!(answer.status, 201);
    // A statement of one byte more can not be signed by our own code, so it is assembled from the largest one.
    let mut larger = largest.clone();
    let at = larger.windows(3).position(|window| window[0] == 0x59 && window[1] > 0xf0).unwrap();
    let length = u16::from_be_bytes([larger[at + 1], larger[at + 2]]) + 1;
    larger[at + 1..at + 3].copy_from_slice(&length.to_be_bytes());
    larger.insert(at + 3, b'x');
    assert_eq!(larger.len(), 65_536);
    let answer = rig.submit("/entries", &larger).await;
    assert_eq!(answer.status, 413, "{:?}", answer.problem());
    rig.stop().await;
}

/// SCRAPI's named titles: "Bad Signature Algorithm", "Payload Missing", "Rejected" (draft -11).
#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_scrapis_titles_and_the_designs_statuses() {
    let rig = Rig::start().await;
    let world = World::get();
    let good = statement("one");
    let mut forged = good.entry().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let old = i64::try_from(START_MS / 1000).unwrap() - 86_400 - 10;
    for (entry, status, title) in [
        (forged, 400, "Rejected"),
        (changed(|header| header.claims.aud = Some("other.example".into())).into_entry(), 400, "Malformed request"),
        (changed(|header| header.claims.iss = "https://stranger.example".into()).into_entry(), 403, "Rejected"),
        (signed_with(&world.issuers[1], |_| ()).into_entry(), 403, "Rejected"),
        (changed(|header| header.content = Content::Plain("text/plain".into())).into_entry(), 403, "Rejected"),
        (changed(|header| header.claims.sub = "urn:example:other".into()).into_entry(), 403, "Rejected"),
        (changed(|header| header.claims.iat = old).into_entry(), 403, "Rejected"),
        (changed(|header| header.claims.iat += 302).into_entry(), 403, "Rejected"),
    ] {
        let answer = rig.submit("/entries", &entry).await;
        let problem = answer.problem();
        assert_eq!((answer.status, problem.title.as_str()), (status, title), "{problem:?}");
        assert_eq!((problem.seq, problem.retry_s), (None, None));
    }
    // alg −8 becomes −36 (ES512): three bytes more than the map said, so the lengths are mended as well.
    let mut es512 = good.entry().to_vec();
    let alg = es512.windows(2).position(|window| window == [0x01, 0x27]).unwrap();
    es512.splice(alg + 1..alg + 2, [0x38, 0x23]);
    let head = es512.iter().position(|byte| *byte == 0x58).unwrap();
    es512[head + 1] += 1;
    let answer = rig.submit("/entries", &es512).await;
    assert_eq!(
        (answer.status, answer.problem().title.as_str()),
        (400, "Bad Signature Algorithm"),
        "{:?}",
        answer.problem()
    );
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_detached_payload_is_400_payload_missing() {
    let rig = Rig::start().await;
    let good = World::get().statement(0, &Place::Alone, "x");
    let mut detached = good.entry().to_vec();
    let at = detached.windows(3).position(|window| window == [0xa0, 0x41, b'x']).unwrap();
    detached.splice(at + 1..at + 3, [0xf6]);
    let answer = rig.submit("/entries", &detached).await;
    assert_eq!((answer.status, answer.problem().title.as_str()), (400, "Payload Missing"));
    rig.stop().await;
}

/// "What a stream expects stands under the text key `urn:govlog:problem`: {1: expected seq, 2: expected prev, 3: retry after, seconds}."
#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_is_409_and_says_what_the_stream_expects() {
    let rig = Rig::start().await;
    let world = World::get();
    let chain = world.chain(0, "s", 3);
    let answer = rig.submit("/entries", chain[1].entry()).await;
    let problem = answer.problem();
    assert_eq!((answer.status, problem.title.as_str()), (409, "Conflict"));
    assert_eq!((problem.seq, problem.prev), (Some(0), Some(Digest::ZERO)));
    // "`seq` 0 with a non-zero `prev` too" (exact.md §2)
    let wrong = world.statement(0, &Place::at("s", 0, Digest::sha256(b"x")), "zero");
    assert_eq!(rig.submit("/entries", wrong.entry()).await.status, 409);
    rig.log(&chain[0]).await;
    rig.log(&chain[1]).await;
    let expected = (Some(2), Some(chain[1].sig_structure_digest()));
    // Another `prev`, a higher `seq`, a lower one with other content.
    for place in [
        Place::at("s", 2, chain[0].sig_structure_digest()),
        Place::at("s", 3, chain[2].sig_structure_digest()),
        Place::at("s", 0, Digest::ZERO),
    ] {
        let answer = rig.submit("/entries", world.statement(0, &place, "other").entry()).await;
        let problem = answer.problem();
        assert_eq!(answer.status, 409, "{place:?}");
        assert_eq!((problem.seq, problem.prev), expected);
    }
    rig.log(&chain[2]).await;
    rig.stop().await;
}

/// "over a rate […] 429 / 503 with Retry-After" (DESIGN §6); SCRAPI's title "Too Many Requests".
#[tokio::test(flavor = "multi_thread")]
async fn over_an_issuers_rate_is_429_with_retry_after() {
    let rig = Rig::start().await;
    let world = World::get();
    let mut row = crate::sequencer::testing::row(0, &world.issuers[0]);
    row.rate = std::num::NonZeroU64::new(1);
    let place = rig.live.sequencer.policy().load().next_change();
    rig.log(&world.change(place, ChangeFields { set: vec![row], ..ChangeFields::default() })).await;
    let mut refused = None;
    for number in 0..20 {
        let answer = rig.submit("/entries", statement(&format!("{number}")).entry()).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("twenty statements take less than twenty seconds");
    let problem = refused.problem();
    assert_eq!(problem.title, "Too Many Requests");
    assert_eq!(problem.retry_s, Some(refused.retry_after()));
    rig.stop().await;
}

/// "queue full, disk low, sequencer stopped: 503 with Retry-After" (DESIGN §6); a poisoned sequencer "answers 503".
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_takes_nothing_answers_503_with_retry_after() {
    let rig = Rig::start().await;
    for why in [Unavailable::Unconfirmed, Unavailable::Disk, Unavailable::Store, Unavailable::Queue] {
        rig.live.sequencer.hold(why);
        let answer = rig.submit("/entries", statement("one").entry()).await;
        let problem = answer.problem();
        assert_eq!((answer.status, problem.title.as_str()), (503, "Service Unavailable"));
        assert_eq!(problem.retry_s, Some(answer.retry_after()));
        assert!(problem.detail.starts_with(&why.to_string()), "{problem:?}");
    }
    rig.live.sequencer.open();
    rig.log(&statement("one")).await;
    rig.live.sequencer.poison("a test");
    let answer = rig.submit("/entries", statement("two").entry()).await;
    assert_eq!(answer.status, 503);
    assert!(answer.retry_after() > 0);
}

/// "Timeouts: […] body 30 s: 408" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_in_time_is_408() {
    let times = Times { body: Duration::from_millis(20), ..Times::default() };
    let rig = Rig::with(Setup { times, ..Setup::default() }).await;
    for (path, content_type) in [("/entries", "application/cose"), ("/v1/batches", "application/cbor-seq")] {
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let request =
            Request::post(path).header("content-type", content_type).body(Body::from_stream(endless)).unwrap();
        let answer = rig.send(request).await;
        assert_eq!((answer.status, answer.problem().title.as_str()), (408, "Request Timeout"));
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_breaks_off_is_400() {
    let rig = Rig::start().await;
    let parts = [Ok(Bytes::from_static(b"\xd2")), Err(std::io::Error::other("gone"))];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    let request = Request::post("/entries").header("content-type", "application/cose").body(body).unwrap();
    assert_eq!(rig.send(request).await.status, 400);
    rig.stop().await;
}

/// Bodies under way share a bound: who finds no room gets 503, and the room comes back.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_together_are_bounded() {
    let mut limits = crate::http::testing::limits();
    limits.in_flight_bytes = 100 * 1024;
    let rig = Rig::with(Setup { limits, ..Setup::default() }).await;
    let body = vec![0; 120 * 1024];
    let answer = rig.submit("/entries", &body).await;
    assert_eq!((answer.status, answer.retry_after()), (503, 1));
    for _ in 0..50 {
        assert_eq!(rig.submit("/entries", &body[..90 * 1024]).await.status, 400, "room is given back");
    }
    rig.stop().await;
}
