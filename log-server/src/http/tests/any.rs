//! Arbitrary requests: nothing a client sends leads to a panic, or to another 5xx than 503.

use axum::body::Body;
use axum::http::{Method, Request, Uri};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::http::testing::{Rig, is_honest};

const ROUTES: &[&str] = &[
    "/entries",
    "/entries/",
    "/entries/1.0",
    "/entries/1.0/statement",
    "/.well-known/scitt-keys",
    "/.well-known/scitt-keys/",
    "/v1/batches",
    "/checkpoint",
    "/tile/",
    "/tile/0/000",
    "/tile/0/000.p/1",
    "/tile/entries/000",
    "/v1/proofs/inclusion",
    "/v1/proofs/consistency",
    "/v1/streams",
    "/v1/admission-policy",
    "/v1/checkpoints",
    "/",
    "/healthz",
];

#[derive(Clone, Debug)]
struct Any {
    method: String,
    path: String,
    content_type: Option<String>,
    body: Vec<u8>,
}

fn any_request() -> impl Strategy<Value = Any> {
    let method = prop_oneof![
        6 => Just("GET".to_owned()),
        6 => Just("POST".to_owned()),
        1 => Just("HEAD".to_owned()),
        1 => "[A-Z]{1,8}",
    ];
    let route = prop_oneof![8 => proptest::sample::select(ROUTES).prop_map(str::to_owned), 1 => "/[!-~]{0,40}"];
    let tail =
        prop_oneof![3 => Just(String::new()), 1 => "[0-9a-zA-Z./%_~-]{0,30}", 1 => "[0-9]{1,22}(\\.[0-9]{1,22})?"];
    let name = proptest::sample::select(
        &["index", "size", "old", "new", "wait", "from", "to", "issuer", "stream", "x", ""][..],
    );
    let value = prop_oneof![
        "[0-9]{0,22}",
        "committed|published",
        "[!-~]{0,20}",
        Just("%".to_owned()),
        Just("%f0%9f%98%80".to_owned())
    ];
    let query = proptest::collection::vec((name, value), 0..4);
    let content_type = proptest::option::of(prop_oneof![
        Just("application/cose".to_owned()),
        Just("application/cbor-seq".to_owned()),
        "[ -~]{0,30}",
    ]);
    let good: Vec<u8> = statement("a good one").into_entry();
    let length = good.len();
    let mutated = (0..length, any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    });
    let body = prop_oneof![Just(Vec::new()), proptest::collection::vec(any::<u8>(), 0..300), mutated];
    (method, route, tail, query, content_type, body).prop_map(|(method, route, tail, query, content_type, body)| {
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        Any { method, path: format!("{route}{tail}{mark}{}", query.join("&")), content_type, body }
    })
}

#[test]
fn no_request_leads_to_a_panic_or_to_another_5xx_than_503() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(async {
        let rig = Rig::start().await;
        rig.publish_each(&statements(3)).await;
        rig
    });
    let mut runner = TestRunner::new(Config { cases: 2000, ..Config::default() });
    let asked = runner.run(&any_request(), |any| {
        let Ok(uri) = any.path.parse::<Uri>() else { return Ok(()) };
        let mut request = Request::builder().method(Method::from_bytes(any.method.as_bytes()).unwrap()).uri(uri);
        if let Some(content_type) = &any.content_type {
            request = request.header("content-type", content_type);
        }
        let Ok(request) = request.body(Body::from(any.body.clone())) else { return Ok(()) };
        let answer = runtime.block_on(rig.send(request));
        prop_assert!(is_honest(answer.status), "{any:?}: {}", answer.status);
        // Nothing here is out of reach of the store, so nothing is unavailable either.
        prop_assert_ne!(answer.status, 503, "{:?}", any);
        Ok(())
    });
    asked.unwrap();
    assert!(rig.live.sequencer.poisoned().is_none());
    runtime.block_on(rig.stop());
}
