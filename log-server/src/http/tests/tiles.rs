//! C2SP tlog-tiles.

use govlog_formats::merkle::{Frontier, TreeSize};
use govlog_formats::tile::{self, TilePath, bundle};

use super::*;
use crate::http::testing::{Rig, Setup};
use crate::publication::testing::{FakeWitness, Mode};
use crate::publication::tests::{Live, policy_of};

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// "`/checkpoint` is 404 before size 1 is published" (exact.md §4); reads go on while nothing is taken.
#[tokio::test(flavor = "multi_thread")]
async fn before_size_1_is_published_there_is_nothing() {
    let witness = FakeWitness::start(1).await;
    witness.turn(Mode::Hold);
    let setup = Setup::default();
    let policy = policy_of(std::slice::from_ref(&witness), Some(1));
    let live = Live::start(&setup.disk, policy, setup.settings.clone());
    let rig = Rig::over(setup, live, witness);
    for path in ["/checkpoint", "/tile/0/000.p/1", "/tile/entries/000.p/1"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.line();
    }
    assert_eq!(rig.get("/v1/checkpoints").await.json(), serde_json::json!({"checkpoints": [], "next": null}));
    assert_eq!(rig.get("/v1/admission-policy").await.json(), serde_json::json!({"as_of": 0, "entries": []}));
    assert_eq!(rig.get("/v1/proofs/inclusion?index=0&size=1").await.status, 404);
    assert_eq!(rig.get("/entries/1.0").await.status, 302);
    assert_eq!(rig.submit("/entries", statement("one").entry()).await.status, 503);
    rig.release();
    rig.live.published_size(1).await;
    assert_eq!(rig.get("/checkpoint").await.status, 200);
    rig.stop().await;
}

/// "`text/plain; charset=utf-8`" (tlog-tiles); "`/checkpoint` `max-age=1`" (exact.md §3)
#[tokio::test(flavor = "multi_thread")]
async fn the_checkpoint_is_the_served_note() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(1)).await;
    let answer = rig.get("/checkpoint").await;
    assert_eq!((answer.status, answer.content_type(), answer.cache()), (200, "text/plain; charset=utf-8", "max-age=1"));
    let verified = rig.live.verify(&answer.body);
    assert!(verified.quorum().met());
    assert_eq!(verified.checkpoint().size, TreeSize::new(2));
    rig.stop().await;
}

/// "published leaves only, any width whose leaves lie below the newest published size; 404 for what is absent, never a redirect" (DESIGN §8.1)
#[tokio::test(flavor = "multi_thread")]
async fn tiles_and_bundles_of_published_leaves_at_any_width_and_nothing_else() {
    let rig = Rig::start().await;
    let all = statements(599);
    rig.batch("/v1/batches?wait=published", &all).await;
    let published = rig.live.published_size(600).await;
    // What is committed but not published is not shown.
    rig.hold();
    rig.batch("/v1/batches", &[statement("more")]).await;
    let mut frontier = Frontier::new();
    let entries: Vec<&[u8]> =
        std::iter::once(&World::get().genesis).chain(&all).map(|statement| statement.entry()).collect();
    for path in tile::entry_bundles(published.size()) {
        let TilePath::Entries { n, width } = path else { panic!() };
        let answer = rig.get(&format!("/{path}")).await;
        assert_eq!((answer.status, answer.content_type(), answer.cache()), (200, "application/octet-stream", FOR_EVER));
        let parsed = bundle::parse(&answer.body, width).unwrap();
        let first = usize::try_from(n).unwrap() * 256;
        assert_eq!(parsed, entries[first..first + usize::from(width)]);
        for entry in parsed {
            frontier.push(govlog_formats::merkle::leaf_hash(entry)).unwrap();
        }
    }
    assert_eq!(frontier.root(), published.root());
    for path in tile::hash_tiles(published.size()) {
        let whole = rig.get(&format!("/{path}")).await;
        assert_eq!((whole.status, whole.cache()), (200, FOR_EVER), "{path}");
        assert_eq!(whole.body.len(), usize::from(path.width()) * 32);
        let TilePath::Hash { id, width } = path else { panic!() };
        for narrower in [1, width / 2, width - 1].into_iter().filter(|width| (1..256).contains(width)) {
            let part = rig.get(&format!("/{}", TilePath::Hash { id, width: narrower })).await;
            assert_eq!(part.body, whole.body[..usize::from(narrower) * 32], "{path} {narrower}");
        }
    }
    for absent in [
        "/tile/0/002.p/89",
        "/tile/0/002",
        "/tile/0/003.p/1",
        "/tile/1/000.p/3",
        "/tile/2/000.p/1",
        "/tile/63/000.p/1",
        "/tile/entries/002.p/89",
        "/tile/entries/002",
        "/tile/entries/900",
    ] {
        let answer = rig.get(absent).await;
        assert_eq!(answer.status, 404, "{absent}");
        answer.line();
    }
    assert_eq!(rig.get("/tile/0/002.p/88").await.status, 200);
    assert_eq!(rig.get("/tile/entries/002.p/88").await.status, 200);
    rig.release();
    rig.stop().await;
}

/// Only the one canonical spelling of a path names a tile.
#[tokio::test(flavor = "multi_thread")]
async fn other_spellings_are_404_and_never_a_redirect() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(1)).await;
    for path in [
        "/tile/0/0",
        "/tile/00/000.p/1",
        "/tile/0/x000/000.p/1",
        "/tile/0/000.p/01",
        "/tile/0/000.p/0",
        "/tile/0/000.p/256",
        "/tile/64/000.p/1",
        "/tile/-1/000.p/1",
        "/tile/0/000.P/1",
        "/tile/Entries/000.p/1",
        "/tile/0/000.p/1/",
        "//tile/0/000.p/1",
        "/tile//0/000.p/1",
        "/tile/0/%30%30%30.p/1",
        "/tile/0/000%2Ep/1",
        "/tile/0/../0/000.p/1",
        "/tile/",
        "/tile",
        "/tile/0",
        "/tile/data/000.p/1",
        "/checkpoint/",
        "/checkpoint/x",
    ] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
    assert_eq!(rig.get("/tile/0/000.p/1").await.status, 200);
    assert_eq!(rig.get("/tile/0/000.p/2").await.status, 200);
    rig.stop().await;
}
