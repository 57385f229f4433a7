//! `/v1/records`, and the index as its readers see it.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::http::Times;
use crate::http::testing::{Rig, Setup};

const ISSUER: &str = "issuer=https%3A%2F%2Fissuer-0.example";

fn ids(view: &Value) -> Vec<&str> {
    view["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

/// `/v1/records?…                           {"as_of":123,"ids":["1.5"],"cursor":null}`
#[tokio::test(flavor = "multi_thread")]
async fn entries_are_found_by_what_they_say() {
    let rig = Rig::start().await;
    let (stream, alone) = (World::get().chain(0, "s", 3), statement("alone"));
    rig.publish_each(&[&stream[..], std::slice::from_ref(&alone)].concat()).await;
    let get = async |query: &str| rig.get(&format!("/v1/records?{query}")).await.json();
    assert_eq!(get("stream=s").await, json!({"as_of": 5, "ids": ["1.1", "1.2", "1.3"], "cursor": null}));
    assert_eq!(get(&format!("{ISSUER}&at=3")).await, json!({"as_of": 3, "ids": ["1.1", "1.2"], "cursor": null}));
    assert_eq!(ids(&get("kind=admission-policy").await), ["1.0"]);
    assert_eq!(ids(&get("").await), ["1.0", "1.1", "1.2", "1.3", "1.4"]);
    assert_eq!(ids(&get("kind=application%2Fvnd.example.note&stream=t").await), [""; 0]);
    // Several columns, one of them twice; a hyphen, capitals and a prefix as people have them.
    let (leaf, sig) = (alone.leaf_hash().to_string(), alone.sig_structure_digest().to_string().to_uppercase());
    let query = format!("{ISSUER}&leaf={leaf}&sig-structure=sha256:{sig}&leaf={leaf}");
    assert_eq!(ids(&get(&query).await), ["1.4"]);
    assert_eq!(ids(&get(&format!("leaf={leaf}&stream=s")).await), [""; 0]);
    // All were signed at one time.
    assert_eq!(ids(&get(&format!("since={START_MS}&until={START_MS}")).await).len(), 5);
    assert_eq!(ids(&get(&format!("until={}", START_MS - 1)).await), [""; 0]);
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_while_the_log_grows() {
    let rig = Rig::start().await;
    rig.publish_each(&statements(4)).await;
    let first = rig.get(&format!("/v1/records?{ISSUER}&limit=3")).await.json();
    assert_eq!(first, json!({"as_of": 5, "ids": ["1.1", "1.2", "1.3"], "cursor": "4"}));
    rig.publish_each(&World::get().chain(0, "s", 2)).await;
    let second = rig.get(&format!("/v1/records?{ISSUER}&limit=3&cursor=4")).await.json();
    assert_eq!(second, json!({"as_of": 7, "ids": ["1.4", "1.5", "1.6"], "cursor": null}));
    // At a size the answer is the same for ever.
    let again = rig.get(&format!("/v1/records?{ISSUER}&limit=3&cursor=4&at=5")).await.json();
    assert_eq!(again, json!({"as_of": 5, "ids": ["1.4"], "cursor": null}));
    assert_eq!(rig.get("/v1/records?cursor=99").await.json(), json!({"as_of": 7, "ids": [], "cursor": null}));
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_published_is_found() {
    let times = Times { at: Duration::from_millis(30), ..Times::default() };
    let rig = Rig::with(Setup { times, ..Setup::default() }).await;
    rig.publish_each(&statements(1)).await;
    rig.hold();
    let early = statement("committed, not published");
    rig.log(&early).await;
    let leaf = early.leaf_hash();
    assert_eq!(
        rig.get(&format!("/v1/records?leaf={leaf}")).await.json(),
        json!({"as_of": 2, "ids": [], "cursor": null})
    );
    let waited = rig.get(&format!("/v1/records?leaf={leaf}&at=3")).await;
    assert_eq!((waited.status, waited.retry_after()), (503, 1), "{waited:?}");
    assert!(
        waited.json_problem()["detail"].as_str().unwrap().contains("3 entries are not published yet, 2 are"),
        "{waited:?}"
    );
    assert_eq!(rig.get(&format!("/v1/proofs/inclusion?leaf={leaf}&size=2")).await.status, 404);
    assert_eq!(rig.get(&format!("/v1/proofs/inclusion?leaf={leaf}&size=3")).await.status, 404);
    rig.release();
    rig.live.published_size(3).await;
    let found = rig.get(&format!("/v1/records?leaf={leaf}")).await.json();
    assert_eq!(found, json!({"as_of": 3, "ids": ["1.2"], "cursor": null}));
    rig.stop().await;
}

/// "unknown parameters 400" (exact.md §4)
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_asked_is_refused() {
    let rig = Rig::start().await;
    for query in [
        "colour=red",
        "kind=",
        "kind=%ff",
        "leaf=abc",
        "handle=x",
        "since=yesterday",
        "since=2&until=1",
        "since=1&since=2",
        "at=0",
        "at=01",
        "at=x",
        "at=1&at=1",
        "cursor=-1",
        "cursor=01",
        "cursor=1&cursor=2",
        "limit=0",
        "limit=1001",
        "limit=01",
        "limit=x",
        "limit=",
        "size=3",
    ] {
        let answer = rig.get(&format!("/v1/records?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.json_problem()["title"], "Malformed request");
    }
    let many: Vec<String> = (0..17).map(|number| format!("policy={number}")).collect();
    assert_eq!(rig.get(&format!("/v1/records?{}", many[..16].join("&"))).await.status, 200);
    assert_eq!(rig.get(&format!("/v1/records?{}", many.join("&"))).await.status, 400);
    let problem = rig.get("/v1/records?colour=red").await.json_problem();
    assert!(problem["detail"].as_str().unwrap().contains("credential, decision"), "{problem}");
    rig.stop().await;
}

/// While the index is built, whoever searches is told how far it is; nothing else is held up.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_not_there_is_said_to_be_built() {
    let mut rig = Rig::start().await;
    rig.publish_each(&statements(2)).await;
    let indexer = rig.indexer.take().unwrap();
    tokio::task::spawn_blocking(move || indexer.stop()).await.unwrap();
    for path in ["/v1/records?stream=s", "/v1/records"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.retry_after() >= 1);
        let problem = answer.json_problem();
        assert!(
            problem["detail"].as_str().unwrap().contains("the search index is being built: it covers 0 of 3 entries"),
            "{problem}"
        );
    }
    assert_eq!(rig.get("/v1/proofs/inclusion?index=1&size=3").await.status, 200);
    rig.stop().await;
}
