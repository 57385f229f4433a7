//! `GET /entries/{id}`, `/statement`, and the key set.

use govlog_formats::base64;
use govlog_formats::key_set;
use govlog_formats::transparent::TransparentStatement;

use super::*;
use crate::http::testing::{Rig, cosignatures, receipt_key, verified};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// "`GET /entries/{id}` gives the receipt at the **first published size that covers the entry** (immutable, cacheable for ever […])"
#[tokio::test(flavor = "multi_thread")]
async fn the_receipt_is_at_the_first_published_size_that_covers_the_entry_and_never_changes() {
    let rig = Rig::start().await;
    let all = statements(5);
    rig.publish_each(&all[..2]).await;
    let first = rig.get("/entries/1.1").await;
    assert_eq!((first.status, first.cache()), (200, FOR_EVER));
    let (bound, receipt) = first.receipt(&all[0]);
    assert_eq!((bound.index().get(), bound.size().get()), (1, 2));
    // "Receipts and tlog-proofs carry the archived note." (exact.md §3)
    assert_eq!(cosignatures(receipt.note()), 1);
    rig.publish_each(&all[2..]).await;
    let again = rig.get("/entries/1.1").await;
    let (_, later) = again.receipt(&all[0]);
    assert_eq!((later.size(), later.note(), later.claims()), (receipt.size(), receipt.note(), receipt.claims()));
    for (statement, index) in all.iter().zip(1u64..) {
        let answer = rig.get(&format!("/entries/1.{index}")).await;
        assert_eq!(answer.receipt(statement).0.size().get(), index + 1);
    }
    rig.stop().await;
}

/// "302 + Retry-After until published" (DESIGN §8.1); "302 + Location + Retry-After while running" (SCRAPI draft -11).
#[tokio::test(flavor = "multi_thread")]
async fn until_published_it_is_302_to_itself() {
    let rig = Rig::start().await;
    rig.hold();
    let one = statement("one");
    rig.log(&one).await;
    for path in ["/entries/1.1", "/entries/1.1/statement"] {
        let answer = rig.get(path).await;
        assert_eq!((answer.status, answer.location(), answer.cache()), (302, path, "no-store"));
        assert!(answer.retry_after() > 0 && answer.body.is_empty());
    }
    rig.release();
    rig.live.published_size(2).await;
    for path in ["/entries/1.1", "/entries/1.1/statement"] {
        assert_eq!(rig.get(path).await.status, 200);
    }
    rig.stop().await;
}

/// "`?wait=committed` never blocks and is at the newest committed size."
#[tokio::test(flavor = "multi_thread")]
async fn wait_committed_gives_the_newest_committed_size_at_once() {
    let rig = Rig::start().await;
    rig.hold();
    let all = statements(4);
    for (statement, index) in all.iter().zip(1u64..) {
        assert_eq!(rig.log(statement).await, index);
        let answer = rig.get("/entries/1.1?wait=committed").await;
        assert_eq!((answer.status, answer.cache()), (200, "no-store"));
        let (bound, receipt) = answer.receipt(&all[0]);
        assert_eq!((bound.index().get(), bound.size().get()), (1, index + 1));
        assert_eq!(cosignatures(receipt.note()), 0);
    }
    let answer = rig.get("/entries/1.1/statement?wait=committed").await;
    assert_eq!((answer.status, answer.cache()), (200, "no-store"));
    rig.release();
    rig.stop().await;
}

/// "GET knows `wait=committed` alone."; "`?size=N` […]: not a decimal, or together with `wait`: 400"
#[tokio::test(flavor = "multi_thread")]
async fn other_waits_and_sizes_that_are_no_decimals_are_400() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(2)).await;
    for query in [
        "wait=published",
        "wait=",
        "wait=no",
        "size=",
        "size=03",
        "size=-3",
        "size=x",
        "size=3.0",
        "size=3&wait=committed",
        "size=3&size=3",
        "sise=3",
    ] {
        for path in ["/entries/1.1", "/entries/1.1/statement"] {
            let answer = rig.get(&format!("{path}?{query}")).await;
            assert_eq!((answer.status, answer.problem().title.as_str()), (400, "Malformed request"), "{path}?{query}");
        }
    }
    rig.stop().await;
}

/// "`?size=N` at another published size: […] not a published size, or one that does not cover: 404."
#[tokio::test(flavor = "multi_thread")]
async fn a_size_gives_the_receipt_there_or_404() {
    let rig = Rig::start().await;
    let all = statements(6);
    rig.publish_each(&all[..2]).await;
    rig.hold();
    // One round may be under way for size 4; what is certain is that the last size is published and those between mostly not.
    rig.log(&all[2]).await;
    rig.log(&all[3]).await;
    rig.log(&all[4]).await;
    rig.release();
    rig.live.published_size(6).await;
    let sizes: Vec<u64> = rig.get("/v1/checkpoints").await.json()["checkpoints"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["size"].as_u64().unwrap())
        .collect();
    assert!(sizes.contains(&2) && sizes.contains(&3) && sizes.contains(&6) && sizes.len() < 6, "{sizes:?}");
    for size in 0..=8u64 {
        let answer = rig.get(&format!("/entries/1.1?size={size}")).await;
        if sizes.contains(&size) && size >= 2 {
            assert_eq!((answer.status, answer.cache()), (200, FOR_EVER), "{size}");
            let (bound, receipt) = answer.receipt(&all[0]);
            assert_eq!((bound.index().get(), bound.size().get()), (1, size));
            assert_eq!(cosignatures(receipt.note()), 1);
        } else {
            assert_eq!((answer.status, answer.problem().title.as_str()), (404, "Not Found"), "{size}");
        }
    }
    // Entry 5 does not lie below size 3; entry 0 does lie below size 1, but no receipt has that size.
    assert_eq!(rig.get("/entries/1.5?size=3").await.status, 404);
    assert_eq!(rig.get("/entries/1.0?size=1").await.status, 404);
    assert_eq!(rig.get("/entries/1.0?size=3").await.status, 200);
    rig.stop().await;
}

/// "Entry 0: 302 until size 2 is published (with `wait=committed`: until it is committed)."
#[tokio::test(flavor = "multi_thread")]
async fn entry_0_waits_for_size_2() {
    let rig = Rig::start().await;
    let genesis = &World::get().genesis;
    for path in ["/entries/1.0", "/entries/1.0?wait=committed"] {
        let answer = rig.get(path).await;
        assert_eq!((answer.status, answer.location()), (302, "/entries/1.0"), "{path}");
    }
    rig.hold();
    rig.log(&statement("one")).await;
    assert_eq!(rig.get("/entries/1.0").await.status, 302);
    let answer = rig.get("/entries/1.0?wait=committed").await;
    assert_eq!(answer.receipt(genesis).0.size().get(), 2);
    rig.release();
    rig.live.published_size(2).await;
    let answer = rig.get("/entries/1.0").await;
    assert_eq!((answer.status, answer.cache()), (200, FOR_EVER));
    assert_eq!(answer.receipt(genesis).0.size().get(), 2);
    rig.stop().await;
}

/// "A malformed or unassigned id: 404, titled `Not Found`."
#[tokio::test(flavor = "multi_thread")]
async fn malformed_and_unassigned_ids_are_404_not_found() {
    let rig = Rig::start().await;
    for id in [
        "1.1",
        "1.99",
        "2.0",
        "0.0",
        "1",
        "1.",
        ".1",
        "1.00",
        "01.0",
        "1.0.0",
        "x",
        "1.-1",
        "%31.0",
        "1.0%20",
        "+1.0",
        "1.99999999999999999999999",
        "statement",
        "a/b",
    ] {
        for path in [format!("/entries/{id}"), format!("/entries/{id}/statement")] {
            let answer = rig.get(&path).await;
            assert_eq!((answer.status, answer.problem().title.as_str()), (404, "Not Found"), "{path}");
        }
    }
    for path in ["/entries/", "/entries//statement", "/entries/1.0/", "/entries/1.0/statement/", "/entries/1.0/x"] {
        let answer = rig.get(path).await;
        assert_eq!((answer.status, answer.problem().title.as_str()), (404, "Not Found"), "{path}");
    }
    rig.stop().await;
}

/// "`/statement` answers like the receipt route"; it carries the logged bytes.
#[tokio::test(flavor = "multi_thread")]
async fn the_transparent_statement_is_the_entry_with_the_same_receipt() {
    let rig = Rig::start().await;
    let all = statements(3);
    rig.publish_each(&all).await;
    for query in ["", "?size=4", "?wait=committed"] {
        let plain = rig.get(&format!("/entries/1.2{query}")).await;
        let answer = rig.get(&format!("/entries/1.2/statement{query}")).await;
        assert_eq!((answer.status, answer.content_type(), answer.cache()), (200, "application/cose", plain.cache()));
        let transparent = TransparentStatement::parse(&answer.body).unwrap();
        assert_eq!(transparent.statement().entry(), all[1].entry());
        assert_eq!(transparent.receipts().len(), 1);
        let (bound, receipt) = verified(transparent.receipts()[0].bytes(), &all[1]);
        let (expected, other) = plain.receipt(&all[1]);
        assert_eq!((bound, receipt.note()), (expected, other.note()));
    }
    rig.stop().await;
}

/// "`time_ms` is the size's commit time, a receipt's `iat` the same in whole seconds, rounded down." (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn a_receipts_iat_is_its_sizes_commit_time_in_whole_seconds() {
    let rig = Rig::start().await;
    let one = statement("one");
    rig.disk.clock.set(START_MS + 61_999);
    rig.publish_each(std::slice::from_ref(&one)).await;
    let (_, receipt) = rig.get("/entries/1.1").await.receipt(&one);
    assert_eq!(receipt.claims().iat, i64::try_from(START_MS / 1000).unwrap() + 61);
    assert_eq!(receipt.claims().iss, "https://log.example/test");
    assert_eq!(receipt.claims().sub, one.claims().sub);
    rig.stop().await;
}

/// "Since `sub` is signed, a receipt is one signature per (size, root, sub) […] cached": the same bytes are signed once.
#[tokio::test(flavor = "multi_thread")]
async fn receipts_of_one_size_and_subject_share_a_signature() {
    let rig = Rig::start().await;
    let all = statements(3);
    let body: Vec<u8> = all.iter().flat_map(|one| one.entry().to_vec()).collect();
    let results = rig.batch_of("/v1/batches?wait=published", body).await;
    assert_eq!(results.iter().map(|result| result.status).collect::<Vec<_>>(), [201; 3]);
    let mut signatures = std::collections::BTreeSet::new();
    for index in 1..=3 {
        let answer = rig.get(&format!("/entries/1.{index}?size=4")).await;
        if answer.status == 200 {
            signatures.insert(answer.body[answer.body.len() - 64..].to_vec());
        }
    }
    assert_eq!(signatures.len(), 1);
    rig.stop().await;
}

/// "Keys: each COSE_Key carries 2 = its thumbprint and 3 = −7; `application/cbor`; retired keys stay." (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn the_key_set_and_each_key_by_its_kid() {
    let rig = Rig::start().await;
    let key = receipt_key().public();
    let answer = rig.get("/.well-known/scitt-keys").await;
    assert_eq!((answer.status, answer.content_type(), answer.cache()), (200, "application/cbor", "no-store"));
    assert_eq!(key_set::parse(&answer.body).unwrap(), std::slice::from_ref(&key));
    // "kid as-is if URL-safe, else unpadded base64url" (SCRAPI draft -11)
    let kid = base64::encode_url(key.thumbprint().as_bytes());
    let answer = rig.get(&format!("/.well-known/scitt-keys/{kid}")).await;
    assert_eq!((answer.status, answer.content_type()), (200, "application/cbor"));
    assert_eq!(key_set::parse_key(&answer.body).unwrap(), key);
    for wrong in ["x", "", "%00", &base64::encode_url(&[0; 32]), &format!("{kid}="), &key.thumbprint().to_string()] {
        let answer = rig.get(&format!("/.well-known/scitt-keys/{wrong}")).await;
        let title = if wrong.is_empty() { "Not Found" } else { "No such key" };
        assert_eq!((answer.status, answer.problem().title.as_str()), (404, title), "{wrong}");
    }
    rig.stop().await;
}

/// A receipt under a key that the policy does not name would be worth nothing: there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_key_not_in_force_signs_nothing_and_retired_keys_stay_in_the_set() {
    use govlog_formats::admission::{ChangeFields, LogRow, ReceiptKey};
    use govlog_formats::cose::{Curve, SigningKey};
    let rig = Rig::start().await;
    let world = World::get();
    let other = SigningKey::from_seed(Curve::P256, &[60; 32]).unwrap().public();
    let log = LogRow {
        origin: crate::tree::testing::ORIGIN.into(),
        checkpoint: world.note.vkey().clone(),
        receipts: vec![ReceiptKey { key: other.clone(), from: 0, below: None }],
    };
    let place = rig.live.sequencer.policy().load().next_change();
    rig.publish_each(&[world.change(place, ChangeFields { log: Some(log), ..ChangeFields::default() })]).await;
    let answer = rig.get("/.well-known/scitt-keys").await;
    let mut keys = key_set::parse(&answer.body).unwrap();
    keys.sort_by_key(govlog_formats::cose::PublicKey::thumbprint);
    let mut expected = vec![other, receipt_key().public()];
    expected.sort_by_key(govlog_formats::cose::PublicKey::thumbprint);
    assert_eq!(keys, expected);
    assert_eq!(rig.get("/entries/1.1").await.status, 503);
    // What is committed is committed: the submitter is told where it stands.
    let answer = rig.submit("/entries?wait=committed", statement("two").entry()).await;
    assert_eq!((answer.status, answer.location()), (303, "/entries/1.2"));
    rig.stop().await;
}
