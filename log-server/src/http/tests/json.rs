//! The JSON routes: shapes to the letter.

use govlog_formats::admission::{OperatorApproval, Word, approval_statement};
use govlog_formats::merkle::{ConsistencyProof, InclusionProof, LeafIndex, MemoryTree, TreeSize};
use govlog_formats::statement::StreamPosition;
use serde_json::{Value, json};

use super::*;
use crate::http::testing::Rig;
use crate::tree::testing::ORIGIN;

fn path_of(value: &Value) -> Vec<govlog_formats::digest::Digest> {
    value.as_array().unwrap().iter().map(|hash| hash.as_str().unwrap().parse().unwrap()).collect()
}

/// `/v1/proofs/inclusion?index=5&size=9     {"index":5,"size":9,"leaf":"…","root":"…","path":["…"]}`
#[tokio::test(flavor = "multi_thread")]
async fn inclusion_proofs_of_every_entry_at_every_size() {
    let rig = Rig::start().await;
    let all = statements(8);
    rig.batch("/v1/batches?wait=published", &all).await;
    let leaves: Vec<_> = std::iter::once(&World::get().genesis).chain(&all).map(SignedStatement::leaf_hash).collect();
    let tree: MemoryTree = leaves.iter().copied().collect();
    for size in 1..=9u64 {
        for index in 0..size {
            let view = rig.get(&format!("/v1/proofs/inclusion?index={index}&size={size}")).await.json();
            let (at, of) = (LeafIndex::new(index), TreeSize::new(size));
            let expected = InclusionProof::build(&tree, at, of).unwrap();
            let path: Vec<String> = expected.path.iter().map(ToString::to_string).collect();
            let leaf = leaves[usize::try_from(index).unwrap()].to_string();
            let root = tree.root_at(of).unwrap().to_string();
            assert_eq!(view, json!({"index": index, "size": size, "leaf": leaf, "root": root, "path": path}));
            let by_leaf = rig.get(&format!("/v1/proofs/inclusion?leaf={leaf}&size={size}")).await.json();
            assert_eq!(by_leaf, view);
            let proof = InclusionProof { index: at, size: of, path: path_of(&view["path"]) };
            proof.verify(&leaf.parse().unwrap(), &root.parse().unwrap()).unwrap();
        }
    }
    rig.stop().await;
}

/// `/v1/proofs/consistency?old=5&new=9      {"old":5,"new":9,"old_root":"…","new_root":"…","path":["…"]}`; "old = new has an empty path"
#[tokio::test(flavor = "multi_thread")]
async fn consistency_proofs_between_all_sizes() {
    let rig = Rig::start().await;
    let all = statements(8);
    rig.batch("/v1/batches?wait=published", &all).await;
    let leaves = std::iter::once(&World::get().genesis).chain(&all).map(SignedStatement::leaf_hash);
    let tree: MemoryTree = leaves.collect();
    for new in 1..=9u64 {
        for old in 1..=new {
            let view = rig.get(&format!("/v1/proofs/consistency?old={old}&new={new}")).await.json();
            let (from, to) = (TreeSize::new(old), TreeSize::new(new));
            let proof = ConsistencyProof { old: from, new: to, path: path_of(&view["path"]) };
            let (old_root, new_root) = (tree.root_at(from).unwrap(), tree.root_at(to).unwrap());
            proof.verify(&old_root, &new_root).unwrap();
            let path: Vec<String> = proof.path.iter().map(ToString::to_string).collect();
            assert_eq!(
                view,
                json!({"old": old, "new": new, "old_root": old_root.to_string(), "new_root": new_root.to_string(), "path": path})
            );
            assert_eq!(path.is_empty(), old == new);
        }
    }
    rig.stop().await;
}

/// "index ≥ size, old > new, size 0, leading zeros: 400; a larger size: 404"; "old = 0: 400"; "unknown parameters 400"
#[tokio::test(flavor = "multi_thread")]
async fn proofs_that_can_not_be_are_400_and_sizes_to_come_404() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(2)).await;
    rig.hold();
    rig.log(&statement("committed, not published")).await;
    for (query, status) in [
        ("inclusion?index=3&size=3", 400),
        ("inclusion?index=4&size=3", 400),
        ("inclusion?index=0&size=0", 400),
        ("inclusion?index=00&size=3", 400),
        ("inclusion?index=0&size=03", 400),
        ("inclusion?index=-1&size=3", 400),
        ("inclusion?index=x&size=3", 400),
        ("inclusion?index=&size=3", 400),
        ("inclusion?index=0", 400),
        ("inclusion?size=3", 400),
        ("inclusion", 400),
        ("inclusion?index=0&size=3&leaf=x", 400),
        ("inclusion?size=3&leaf=x", 400),
        ("inclusion?size=3&leaf=292C42DB8692942A23F02804E23AF6428631EF7F49C167E7F37129A3B6C8F9E9", 400),
        ("inclusion?size=3&leaf=292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9", 404),
        ("inclusion?size=4&leaf=292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9", 404),
        ("inclusion?index=0&index=0&size=3", 400),
        ("inclusion?index=0&size=4", 404),
        ("inclusion?index=0&size=4611686018427387904", 404),
        ("inclusion?index=0&size=4611686018427387905", 400),
        ("inclusion?index=0&size=99999999999999999999", 400),
        ("consistency?old=0&new=3", 400),
        ("consistency?old=0&new=0", 400),
        ("consistency?old=3&new=2", 400),
        ("consistency?old=01&new=3", 400),
        ("consistency?old=1", 400),
        ("consistency?new=1", 400),
        ("consistency?old=1&new=3&x=", 400),
        ("consistency?old=1&new=4", 404),
        ("consistency?old=4&new=4", 404),
        ("consistency?old=5&new=4", 400),
    ] {
        let answer = rig.get(&format!("/v1/proofs/{query}")).await;
        assert_eq!(answer.status, status, "{query}");
        let title = if status == 400 { "Malformed request" } else { "Not Found" };
        assert_eq!(answer.json_problem()["title"], title);
    }
    rig.release();
    rig.stop().await;
}

/// `/v1/streams?issuer=I&stream=S           {"issuer":"I","stream":"S","next_seq":12,"prev":"…","last":"1.345"}   never seen: 0, zeros, null`
#[tokio::test(flavor = "multi_thread")]
async fn streams_are_as_committed() {
    let rig = Rig::start().await;
    let (iss, zeros) = ("https://issuer-0.example", "0".repeat(64));
    let query = "/v1/streams?issuer=https%3A%2F%2Fissuer-0.example&stream=s";
    let view = rig.get(query).await.json();
    assert_eq!(view, json!({"issuer": iss, "stream": "s", "next_seq": 0, "prev": zeros, "last": null}));
    rig.hold();
    let chain = World::get().chain(0, "s", 3);
    for (statement, count) in chain.iter().zip(1u64..) {
        rig.log(statement).await;
        let prev = statement.sig_structure_digest().to_string();
        let view = rig.get(query).await.json();
        assert_eq!(
            view,
            json!({"issuer": iss, "stream": "s", "next_seq": count, "prev": prev, "last": format!("1.{count}")})
        );
    }
    let other = rig.get("/v1/streams?issuer=https://issuer-1.example&stream=s").await.json();
    assert_eq!((other["next_seq"].as_u64(), other["last"].as_str()), (Some(0), None));
    for wrong in
        ["", "issuer=a", "stream=s", "issuer=a&stream=s&x=1", "issuer=a&stream=s&stream=t", "issuer=%ff&stream=s"]
    {
        let answer = rig.get(&format!("/v1/streams?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        answer.json_problem();
    }
    rig.release();
    rig.stop().await;
}

/// `/v1/admission-policy                    {"as_of":123,"entries":["1.0","1.7"]}`; "`as_of` is the newest published size"
#[tokio::test(flavor = "multi_thread")]
async fn the_admission_policys_entries_below_the_newest_published_size() {
    let rig = Rig::start().await;
    let world = World::get();
    assert_eq!(rig.get("/v1/admission-policy").await.json(), json!({"as_of": 1, "entries": ["1.0"]}));
    rig.publish_each(&statements(1)).await;
    let change = |name: &str| {
        let mut row = crate::sequencer::testing::row(1, &world.issuers[1]);
        row.iss = format!("https://{name}.example");
        let place = rig.live.sequencer.policy().load().next_change();
        world.change(place, govlog_formats::admission::ChangeFields { set: vec![row], ..Default::default() })
    };
    rig.publish_each(&[change("a")]).await;
    rig.publish_each(&[statement("between")]).await;
    rig.publish_each(&[change("b")]).await;
    assert_eq!(rig.get("/v1/admission-policy").await.json(), json!({"as_of": 5, "entries": ["1.0", "1.2", "1.4"]}));
    // An operator's approvals are folded too, so they are listed, in the order of the log.
    let policy = rig.live.sequencer.policy().load_full();
    let (approved, kid) = (govlog_formats::digest::Digest::ZERO, world.operator.public().thumbprint());
    let word = OperatorApproval { event_ms: 1, approved, word: Word::Approve, expires_ms: None };
    let place = policy.next_approval(&kid);
    let approval = approval_statement(policy.origin(), &word, None, place, START_MS / 1000, &world.operator).unwrap();
    rig.publish_each(&[approval]).await;
    rig.publish_each(&[change("c")]).await;
    let listed = json!({"as_of": 7, "entries": ["1.0", "1.2", "1.4", "1.5", "1.6"]});
    assert_eq!(rig.get("/v1/admission-policy").await.json(), listed);
    for (from, entries) in [(3, vec!["1.4", "1.5", "1.6"]), (6, vec!["1.6"]), (7, vec![])] {
        let expected = json!({"as_of": 7, "entries": entries});
        assert_eq!(rig.get(&format!("/v1/admission-policy?from={from}")).await.json(), expected);
    }
    rig.hold();
    rig.log(&change("d")).await;
    assert_eq!(rig.get("/v1/admission-policy").await.json(), listed);
    rig.get("/v1/admission-policy?x=1").await.json_problem();
    rig.get("/v1/admission-policy?from=x").await.json_problem();
    rig.release();
    rig.stop().await;
}

/// `/v1/conflicts   {"conflicts":[{"issuer":"I","stream":"S","seq":3,"entry":"1.5","statement":"…"}],"next":null}`
#[tokio::test(flavor = "multi_thread")]
async fn statements_that_collided_with_a_published_entry() {
    let rig = Rig::start().await;
    let world = World::get();
    assert_eq!(rig.get("/v1/conflicts").await.json(), json!({"conflicts": [], "next": null}));
    rig.publish_each(&world.chain(0, "s", 2)).await;
    let rival = |seq, text: &str| world.statement(0, &Place::at("s", seq, govlog_formats::digest::Digest::ZERO), text);
    // Neither a stranger nor who alters a signature can lay anything at an issuer's door.
    let mut forged = rival(0, "forged").entry().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(rig.submit("/entries", &forged).await.status, 400);
    let mut strange = signed_with(&world.issuers[1], |header| {
        let position = StreamPosition { stream: "s".into(), seq: 0, prev: govlog_formats::digest::Digest::ZERO };
        (header.claims.stream, header.claims.aud) = (Some(position), Some(ORIGIN.into()));
    });
    assert_eq!(rig.submit("/entries", strange.entry()).await.status, 403);
    assert_eq!(rig.get("/v1/conflicts").await.json()["conflicts"], json!([]));

    strange = rival(0, "another first");
    for statement in [&strange, &strange, &rival(1, "another second")] {
        assert_eq!(rig.submit("/entries", statement.entry()).await.status, 409);
    }
    let view = |seq: u64, entry: &str, statement: &SignedStatement| {
        json!({
            "issuer": "https://issuer-0.example", "stream": "s", "seq": seq, "entry": entry,
            "statement": govlog_formats::base64::encode_url(statement.entry()),
        })
    };
    let both = [view(0, "1.1", &strange), view(1, "1.2", &rival(1, "another second"))];
    assert_eq!(rig.get("/v1/conflicts").await.json(), json!({"conflicts": both, "next": null}));
    assert_eq!(rig.get("/v1/conflicts?from=1").await.json(), json!({"conflicts": [both[1]], "next": null}));
    assert_eq!(rig.get("/v1/conflicts?from=2").await.json(), json!({"conflicts": [], "next": null}));
    // A page has 64 rows; an issuer has no more than that, the first ones.
    for number in 0..64 {
        assert_eq!(rig.submit("/entries", rival(0, &format!("rival {number}")).entry()).await.status, 409);
    }
    rig.publish_each(&world.chain(1, "t", 1)).await;
    let other = world.statement(1, &Place::at("t", 0, govlog_formats::digest::Digest::ZERO), "b");
    assert_eq!(rig.submit("/entries", other.entry()).await.status, 409);
    let page = rig.get("/v1/conflicts").await.json();
    assert_eq!((page["conflicts"].as_array().unwrap().len(), &page["next"]), (64, &json!(64)));
    let last = rig.get("/v1/conflicts?from=64").await.json();
    assert_eq!((&last["conflicts"][0]["issuer"], &last["next"]), (&json!("https://issuer-1.example"), &Value::Null));
    // An entry that is not published yet is nobody's to see, and so is what collided with it.
    rig.hold();
    rig.log(&world.chain(2, "u", 1)[0]).await;
    let early = world.statement(2, &Place::at("u", 0, govlog_formats::digest::Digest::ZERO), "c");
    assert_eq!(rig.submit("/entries", early.entry()).await.status, 409);
    assert_eq!(rig.get("/v1/conflicts?from=64").await.json(), last);
    for wrong in ["from=x", "from=01", "from=-1", "to=1", "from=1&from=2"] {
        rig.get(&format!("/v1/conflicts?{wrong}")).await.json_problem();
    }
    rig.release();
    rig.stop().await;
}

/// `/v1/checkpoints?from=1&to=900           {"checkpoints":[{"size":5,"time_ms":1,"note":"…"}],"next":null}   sizes, 1,000 a page`
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_the_archived_notes_of_a_range() {
    let rig = Rig::start().await;
    rig.disk.clock.set(START_MS + 7_001);
    rig.publish_each(&statements(5)).await;
    let all = rig.get("/v1/checkpoints").await.json();
    assert_eq!(all["next"], Value::Null);
    let sizes = |view: &Value| -> Vec<u64> {
        view["checkpoints"].as_array().unwrap().iter().map(|one| one["size"].as_u64().unwrap()).collect()
    };
    assert_eq!(sizes(&all), [1, 2, 3, 4, 5, 6]);
    for one in all["checkpoints"].as_array().unwrap() {
        assert_eq!(one.as_object().unwrap().len(), 3);
        let verified = rig.live.verify(one["note"].as_str().unwrap().as_bytes());
        assert!(verified.quorum().met());
        assert_eq!(verified.checkpoint().size.get(), one["size"]);
        let time = if one["size"] == 1 { START_MS } else { START_MS + 7_001 };
        assert_eq!(one["time_ms"], time);
    }
    // "`from` and `to` are inclusive, by default 1 and the newest (`from` above `to`: empty)"
    for (query, expected) in [
        ("from=2&to=4", vec![2, 3, 4]),
        ("from=5", vec![5, 6]),
        ("to=2", vec![1, 2]),
        ("from=3&to=3", vec![3]),
        ("from=4&to=3", vec![]),
        ("from=0&to=1", vec![1]),
        ("from=7", vec![]),
        ("to=4000000000", vec![1, 2, 3, 4, 5, 6]),
        ("to=0", vec![]),
    ] {
        let view = rig.get(&format!("/v1/checkpoints?{query}")).await.json();
        assert_eq!((sizes(&view), &view["next"]), (expected, &Value::Null), "{query}");
    }
    for wrong in ["from=x", "from=01", "to=-1", "from=", "form=1", "from=1&from=2"] {
        let answer = rig.get(&format!("/v1/checkpoints?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}");
        answer.json_problem();
    }
    rig.stop().await;
}

/// "1,000 a page […] `next` is the `from` of the next page" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_come_a_thousand_a_page() {
    let rig = Rig::start().await;
    // Notes are archived without asking any witness: the page is what matters here.
    rig.batch("/v1/batches?wait=published", &statements(1009)).await;
    let published = rig.live.published_size(1010).await;
    let store = std::sync::Arc::clone(&rig.disk.store);
    use crate::store::{ArchivedNote, LogStore as _};
    for size in 2..=1010u64 {
        let note = ArchivedNote { size: TreeSize::new(size), time: published.time(), note: "a note".into() };
        if store.archived(note.size, note.size, 1).unwrap().is_empty() {
            store.archive(&note).unwrap();
        }
    }
    let first = rig.get("/v1/checkpoints").await.json();
    assert_eq!((first["checkpoints"].as_array().unwrap().len(), first["next"].as_u64()), (1000, Some(1001)));
    let second = rig.get("/v1/checkpoints?from=1001").await.json();
    assert_eq!((second["checkpoints"].as_array().unwrap().len(), &second["next"]), (10, &Value::Null));
    let exact = rig.get("/v1/checkpoints?from=11").await.json();
    assert_eq!((exact["checkpoints"].as_array().unwrap().len(), &exact["next"]), (1000, &Value::Null));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_are_404_in_the_familys_kind_of_body() {
    let rig = Rig::start().await;
    for path in ["/", "/v1", "/v1/", "/v1/proofs", "/v1/nothing", "/healthz", "/metrics", "/entriesx", "/tiles"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.json_problem();
    }
    rig.get("/v1/batches/x").await.problem();
    rig.get("/entries/a/b/c").await.problem();
    rig.get("/tile/x").await.line();
    rig.stop().await;
}
