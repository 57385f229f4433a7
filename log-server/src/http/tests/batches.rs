//! `POST /v1/batches`.

use std::time::Duration;

use axum::http::Method;
use govlog_formats::admission::ChangeFields;
use govlog_formats::batch::BatchResult;
use govlog_formats::digest::Digest;
use govlog_formats::note::Note;
use govlog_formats::tlog_proof::TlogProof;

use super::*;
use crate::http::Times;
use crate::http::testing::{Rig, Setup, cosignatures};
use crate::sequencer::testing::row;

fn statuses(results: &[BatchResult]) -> Vec<u16> {
    results.iter().map(|result| result.status).collect()
}

/// Verifies a result's proof for a statement; returns the size it is under, and how many witnesses have cosigned.
fn proved(rig: &Rig, result: &BatchResult, statement: &SignedStatement) -> (u64, usize) {
    let file = result.proof.as_ref().expect("a proof");
    let proof = TlogProof::parse(file).unwrap();
    assert_eq!(proof.index, result.id.unwrap().index);
    let verified = proof.verify(&statement.leaf_hash(), &rig.live.policy).unwrap();
    Note::parse(&proof.checkpoint).unwrap();
    (verified.checkpoint().size.get(), cosignatures(&proof.checkpoint))
}

/// "CBOR sequence of results out, in order: {1: status, 2: id (text), 3: tlog-proof (byte string) …}; `?wait=` as above, committed by default"
#[tokio::test(flavor = "multi_thread")]
async fn every_statement_gets_its_result_in_order_with_a_proof_under_one_note() {
    let rig = Rig::start().await;
    rig.hold();
    let all = statements(20);
    for path in ["/v1/batches", "/v1/batches?wait=committed"] {
        let results = rig.batch(path, &all).await;
        assert_eq!(statuses(&results), [201; 20]);
        let mut notes = std::collections::BTreeSet::new();
        for ((result, statement), index) in results.iter().zip(&all).zip(1u64..) {
            assert_eq!(result.id.unwrap().to_string(), format!("1.{index}"));
            assert_eq!(proved(&rig, result, statement), (21, 0));
            notes.insert(TlogProof::parse(result.proof.as_ref().unwrap()).unwrap().checkpoint);
        }
        // "which costs one signature per batch" (DESIGN §4)
        assert_eq!(notes.len(), 1);
    }
    rig.release();
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_published_gives_proofs_under_the_first_published_size_that_covers_each() {
    let rig = Rig::start().await;
    let all = statements(5);
    rig.publish_each(&all[..2]).await;
    // Two duplicates, out of order, and three new ones.
    let order = [all[4].clone(), all[1].clone(), all[3].clone(), all[0].clone(), all[2].clone()];
    let results = rig.batch("/v1/batches?wait=published", &order).await;
    assert_eq!(statuses(&results), [201; 5]);
    let places: Vec<(u64, usize)> = results.iter().zip(&order).map(|(result, one)| proved(&rig, result, one)).collect();
    assert_eq!((places[3], places[1]), ((2, 1), (3, 1)));
    for ((size, cosigned), result) in places.iter().zip(&results) {
        assert_eq!(*cosigned, 1);
        assert!(*size > result.id.unwrap().index.get() && *size <= 6);
    }
    rig.stop().await;
}

/// "303 when the wait ran out" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn when_the_wait_runs_out_the_rest_is_303_with_its_id() {
    let times = Times { wait: Duration::from_millis(50), ..Times::default() };
    let rig = Rig::with(Setup { times, ..Setup::default() }).await;
    let all = statements(4);
    rig.publish_each(&all[..1]).await;
    rig.hold();
    let results = rig.batch("/v1/batches?wait=published", &all).await;
    assert_eq!(statuses(&results), [201, 303, 303, 303]);
    assert_eq!(proved(&rig, &results[0], &all[0]), (2, 1));
    for (result, index) in results.iter().zip(1u64..) {
        assert_eq!(result.id.unwrap().index.get(), index);
        assert_eq!(result.proof.is_some(), index == 1);
        assert_eq!((&result.title, &result.detail), (&None, &None));
    }
    rig.release();
    rig.stop().await;
}

/// "200 once framed […], an empty one too" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_batch_is_200_and_empty() {
    let rig = Rig::start().await;
    assert!(rig.batch_of("/v1/batches", Vec::new()).await.is_empty());
    assert!(rig.batch_of("/v1/batches?wait=published", Vec::new()).await.is_empty());
    rig.stop().await;
}

/// "well-formed CBOR to depth 16, no more; an item that is not canonical or too large fails alone" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_formed_but_no_statement_fails_alone() {
    let rig = Rig::start().await;
    let good = statements(2);
    let mut large = vec![0x5a];
    large.extend_from_slice(&70_000u32.to_be_bytes());
    large.extend_from_slice(&[0; 70_000]);
    let mut too_large = good[0].entry().to_vec();
    let payload = too_large.windows(2).position(|window| window[0] == 0xa0).unwrap();
    let mut longer = vec![0x5a];
    longer.extend_from_slice(&66_000u32.to_be_bytes());
    longer.extend_from_slice(&[b'x'; 66_000]);
    let head = usize::from(too_large[payload + 1] & 0x1f);
    too_large.splice(payload + 1..payload + 2 + head, longer);
    let items: [(&[u8], u16); 8] = [
        (good[0].entry(), 201),
        (&[0x00], 400),
        (&[0x18, 0x01], 400),
        (&[0xd2, 0x84, 0x40, 0xa0, 0xf6, 0x40], 400),
        (&[0x9f, 0xff], 400),
        (&large, 400),
        (&too_large, 413),
        (good[1].entry(), 201),
    ];
    let body = items.iter().flat_map(|(item, _)| item.to_vec()).collect();
    let results = rig.batch_of("/v1/batches", body).await;
    let expected: Vec<u16> = items.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses(&results), expected, "{results:#?}");
    for result in results.iter().filter(|result| result.status >= 400) {
        assert!(result.title.is_some() && result.detail.is_some() && result.id.is_none() && result.proof.is_none());
    }
    rig.stop().await;
}

/// "framed entirely before any is admitted" (DESIGN §8.1); "400 for framing, 413 over a limit" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_not_framed_is_400_and_over_a_limit_413_and_nothing_is_admitted() {
    let rig = Rig::start().await;
    let good = statement("one").entry().to_vec();
    let with = |tail: &[u8]| [good.as_slice(), tail].concat();
    let deep = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
    let many = |count: usize| vec![0x00; count];
    let mut huge = vec![0x5a];
    huge.extend_from_slice(&(8u32 << 20).to_be_bytes());
    huge.resize((8 << 20) + 1, 0);
    for (body, status) in [
        (with(&[0x58]), 400),
        (with(&good[..good.len() - 1]), 400),
        (with(&[0xff]), 400),
        (with(&[0x1c]), 400),
        (with(&deep(17)), 400),
        ([good.clone(), many(1024)].concat(), 413),
        (huge, 413),
    ] {
        let answer = rig.ask(Method::POST, "/v1/batches", Some("application/cbor-seq"), body).await;
        assert_eq!(answer.status, status, "{:?}", answer.problem());
        let title = if status == 400 { "Malformed request" } else { "Payload Too Large" };
        assert_eq!(answer.problem().title, title);
    }
    assert_eq!(rig.live.sequencer.committed().borrow().size().get(), 1, "nothing was admitted");
    // The limits themselves are within.
    let results = rig.batch_of("/v1/batches", many(1024)).await;
    assert_eq!(statuses(&results), [400; 1024]);
    let results = rig.batch_of("/v1/batches", with(&deep(16))).await;
    assert_eq!(statuses(&results), [201, 400]);
    rig.stop().await;
}

/// "A bad one fails alone, with its successors in the same stream" (DESIGN §8.1); "successors of a failed one in its stream get 409"
#[tokio::test(flavor = "multi_thread")]
async fn successors_of_a_failed_one_in_its_stream_get_409_and_others_go_on() {
    let rig = Rig::start().await;
    let world = World::get();
    let (mine, other) = (world.chain(0, "mine", 4), world.chain(0, "other", 3));
    let mut forged = mine[1].entry().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let items = [
        mine[0].entry(),
        &forged,
        other[0].entry(),
        mine[2].entry(),
        other[1].entry(),
        mine[3].entry(),
        other[2].entry(),
    ];
    let results = rig.batch_of("/v1/batches", items.concat()).await;
    assert_eq!(statuses(&results), [201, 400, 201, 409, 201, 409, 201]);
    for at in [3, 5] {
        assert_eq!(results[at].seq, Some(1));
        assert_eq!(results[at].prev, Some(mine[0].sig_structure_digest()));
    }
    // Sent again, with the good bytes, it goes on.
    let results = rig.batch("/v1/batches", &mine).await;
    assert_eq!(statuses(&results), [201; 4]);
    rig.stop().await;
}

/// "or 503 after a 503" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn successors_of_one_that_found_no_room_get_503() {
    let rig = Rig::start().await;
    let world = World::get();
    let (mine, other) = (world.chain(0, "mine", 3), world.chain(1, "other", 2));
    // The duplicate table can not be read for one statement, just when the door looks it up.
    rig.disk.store.fail(crate::store::faulty::Fault::Find, 0);
    let items = [mine[0].entry(), other[0].entry(), mine[1].entry(), other[1].entry(), mine[2].entry()];
    let results = rig.batch_of("/v1/batches", items.concat()).await;
    assert_eq!(statuses(&results), [503, 201, 503, 201, 503], "{results:#?}");
    assert!(results.iter().filter(|result| result.status == 503).all(|result| result.retry_s == Some(1)));
    let results = rig.batch("/v1/batches", &mine).await;
    assert_eq!(statuses(&results), [201; 3]);
    rig.stop().await;
}

/// "`rate`: statements per second […]; each member of a batch counts." (exact.md §2); after a 429 the stream's successors get 409.
#[tokio::test(flavor = "multi_thread")]
async fn each_member_counts_against_the_issuers_rate() {
    let rig = Rig::start().await;
    let world = World::get();
    let mut limited = row(0, &world.issuers[0]);
    limited.rate = std::num::NonZeroU64::new(3);
    let place = rig.live.sequencer.policy().load().next_change();
    rig.log(&world.change(place, ChangeFields { set: vec![limited], ..ChangeFields::default() })).await;
    let results = rig.batch("/v1/batches", &world.chain(0, "s", 100)).await;
    let found = statuses(&results);
    let taken = found.iter().position(|status| *status == 429).expect("a hundred are more than a second's worth");
    assert!((3..20).contains(&taken), "{found:?}");
    assert!(found[..taken].iter().all(|status| *status == 201));
    assert!(found[taken..].iter().all(|status| [409, 429].contains(status)), "{found:?}");
    assert_eq!(results[taken].retry_s, Some(1));
    assert_eq!(results[taken].title.as_deref(), Some("Too Many Requests"));
    rig.stop().await;
}

/// The same statement twice in one batch is one entry.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_twice_in_a_batch_is_one_entry() {
    let rig = Rig::start().await;
    let one = statement("one");
    let results = rig.batch("/v1/batches", &[one.clone(), one.clone(), statement("two"), one.clone()]).await;
    let ids: Vec<String> = results.iter().map(|result| result.id.unwrap().to_string()).collect();
    assert_eq!(statuses(&results), [201; 4]);
    assert_eq!(ids, ["1.1", "1.1", "1.2", "1.1"]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_in_a_batch_has_its_keys_in_the_result() {
    let rig = Rig::start().await;
    let chain = World::get().chain(0, "s", 2);
    let results = rig.batch("/v1/batches", &chain[1..]).await;
    assert_eq!((results[0].status, results[0].seq, results[0].prev), (409, Some(0), Some(Digest::ZERO)));
    assert_eq!(results[0].title.as_deref(), Some("Conflict"));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_while_nothing_is_taken_is_503_as_a_whole() {
    let rig = Rig::start().await;
    rig.live.sequencer.hold(crate::refusal::Unavailable::Disk);
    let body = statement("one").entry().to_vec();
    let answer = rig.ask(Method::POST, "/v1/batches", Some("application/cbor-seq"), body).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.problem().retry_s, Some(1));
    rig.stop().await;
}
