//! The admin listener.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use govlog_daemon::serve::Peer;
use tower::ServiceExt as _;

use super::*;
use crate::http::admin::admin_router;
use crate::http::testing::{Answer, Rig};
use crate::refusal::Unavailable;

async fn ask_from(peer: &str, admin: &Router, path: &str) -> Answer {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Peer(peer.parse().unwrap()));
    Answer::of(admin.clone().oneshot(request).await.unwrap()).await
}

async fn ask(admin: &Router, path: &str) -> Answer {
    ask_from("127.0.0.1:1", admin, path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_until_the_sequencer_is_poisoned_and_readiness_while_statements_are_taken() {
    let rig = Rig::start().await;
    let admin = admin_router(rig.app.clone(), None);
    assert_eq!(ask(&admin, "/healthz").await.status, 200);
    assert_eq!(ask(&admin, "/readyz").await.status, 200);
    rig.live.sequencer.hold(Unavailable::Disk);
    assert_eq!(ask(&admin, "/healthz").await.status, 200);
    let answer = ask(&admin, "/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.line().contains("disk"));
    rig.live.sequencer.open();
    assert_eq!(ask(&admin, "/readyz").await.status, 200);
    rig.app.close();
    assert!(ask(&admin, "/readyz").await.line().contains("shutting down"));
    rig.live.sequencer.poison("a test");
    assert_eq!(ask(&admin, "/readyz").await.status, 503);
    let answer = ask(&admin, "/healthz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.line().contains("a test"));
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_name_every_station() {
    let rig = Rig::start().await;
    let admin = admin_router(rig.app.clone(), None);
    let one = statement("one");
    rig.submit("/entries?wait=published", one.entry()).await;
    rig.get("/entries/1.1").await;
    rig.get("/nothing").await;
    let answer = ask(&admin, "/metrics").await;
    assert_eq!((answer.status, answer.content_type()), (200, "text/plain; version=0.0.4"));
    let text = String::from_utf8(answer.body).unwrap();
    for station in ["submission", "admission", "sequencer", "publication", "proof"] {
        let line = format!("govlog_station_seconds_count{{station=\"{station}\"}}");
        let count =
            text.lines().find(|found| found.starts_with(&line)).unwrap_or_else(|| panic!("{station} in {text}"));
        assert!(!count.ends_with(" 0"), "{count}");
    }
    for line in [
        "govlog_tree_size{state=\"published\"} 2",
        "govlog_queue_statements 0",
        "govlog_writable 1",
        "govlog_witness_state{witness=\"w1\",state=\"accepting\"} 1",
        "govlog_witness_tree_size{witness=\"w1\"} 2",
        "govlog_requests_total{route=\"entries\",status=\"201\"} 1",
        "govlog_requests_total{route=\"unknown\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operating_is_a_role_too_and_other_paths_are_not_there() {
    let rig = Rig::start().await;
    let admin = admin_router(rig.app.clone(), None);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(ask_from("192.0.2.7:1", &admin, path).await.status, 403, "{path}");
    }
    for path in ["/", "/checkpoint", "/entries/1.0"] {
        assert_eq!(ask(&admin, path).await.status, 404, "{path}");
    }
    rig.stop().await;
}
