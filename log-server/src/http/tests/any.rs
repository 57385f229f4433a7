//! Arbitrary requests: nothing a client sends leads to a panic, to another 5xx than 503, or to an answer that the description does not name.

use axum::body::Body;
use axum::http::{Method, Request, Uri};
use govlog_daemon::serve::Peer;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tower::ServiceExt as _;

use super::openapi::Description;
use super::*;
use crate::http::admin::admin_router;
use crate::http::testing::{Answer, Rig, is_honest};

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
    "/v1/records",
    "/v1/checkpoints",
    "/v1/conflicts",
    "/openapi.json",
    "/",
    "/healthz",
];

const PARAMETERS: &[&str] = &[
    "index", "size", "old", "new", "wait", "from", "to", "issuer", "stream", "leaf", "kind", "handle", "links-to",
    "since", "until", "cursor", "limit", "x", "",
];

#[derive(Clone, Debug)]
struct Any {
    method: String,
    path: String,
    content_type: Option<String>,
    header: Option<(&'static str, String)>,
    body: Vec<u8>,
}

fn any_request() -> impl Strategy<Value = Any> {
    let method = prop_oneof![
        6 => Just("GET".to_owned()),
        6 => Just("POST".to_owned()),
        2 => Just("HEAD".to_owned()),
        1 => proptest::sample::select(&["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get"][..])
            .prop_map(str::to_owned),
        1 => "[A-Za-z]{1,8}",
    ];
    let route = prop_oneof![8 => proptest::sample::select(ROUTES).prop_map(str::to_owned), 1 => "/[!-~]{0,40}", 1 => "(/[a-z0-9.%-]{0,8}){1,9}"];
    // With and without what percent-encoding hides: a slash, a NUL, half a character, nothing.
    let tail = prop_oneof![
        4 => Just(String::new()),
        1 => "[0-9a-zA-Z./%_~-]{0,30}",
        1 => "[0-9]{1,22}(\\.[0-9]{1,22})?",
        1 => "(%(2f|00|ff|c3|25|2e|3f|zz|)|[0-9.]){1,6}",
    ];
    let name = proptest::sample::select(PARAMETERS);
    let value = prop_oneof![
        "[0-9]{0,22}",
        "committed|published",
        "[!-~]{0,20}",
        Just("%".to_owned()),
        Just("%f0%9f%98%80".to_owned()),
        Just("9".repeat(4000)),
    ];
    let query = proptest::collection::vec((name, value), 0..4);
    let content_type = proptest::option::of(prop_oneof![
        Just("application/cose".to_owned()),
        Just("application/cbor-seq".to_owned()),
        Just("APPLICATION/COSE; a=b".to_owned()),
        Just("application/cose, application/cbor-seq".to_owned()),
        "[ -~]{0,30}",
    ]);
    let header = proptest::option::of((
        proptest::sample::select(
            &[
                "accept",
                "accept-encoding",
                "authorization",
                "content-encoding",
                "expect",
                "if-none-match",
                "range",
                "x-y",
            ][..],
        ),
        "[ -~]{0,60}",
    ));
    let good: Vec<u8> = statement("a good one").into_entry();
    let length = good.len();
    let mutated = (0..length, any::<u8>()).prop_map(move |(at, byte)| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    });
    let body = prop_oneof![
        4 => Just(Vec::new()),
        4 => proptest::collection::vec(any::<u8>(), 0..300),
        4 => mutated,
        // Above what a statement may have.
        1 => Just(vec![0xf6; 128 * 1024 + 1]),
    ];
    let request = (method, route, tail, query, content_type, header, body);
    request.prop_map(|(method, route, tail, query, content_type, header, body)| {
        let query: Vec<String> = query.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        Any { method, path: format!("{route}{tail}{mark}{}", query.join("&")), content_type, header, body }
    })
}

#[test]
fn no_request_leads_to_a_panic_or_to_an_answer_that_is_not_described() {
    let description = Description::get();
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
        if let Some((name, value)) = &any.header {
            request = request.header(*name, value);
        }
        let Ok(request) = request.body(Body::from(any.body.clone())) else { return Ok(()) };
        let path = request.uri().path().to_owned();
        let answer = runtime.block_on(rig.send(request));
        prop_assert!(is_honest(answer.status), "{any:?}: {}", answer.status);
        // Nothing here is out of reach of the store, so nothing is unavailable either.
        prop_assert_ne!(answer.status, 503, "{:?}", any);
        if let Err(why) = description.check(&any.method, &path, &answer) {
            return Err(TestCaseError::fail(format!("{any:?}: {why}")));
        }
        Ok(())
    });
    asked.unwrap();
    assert!(rig.live.sequencer.poisoned().is_none());
    runtime.block_on(rig.stop());
}

/// The admin listener: text that says something, 405 with what the path takes.
#[test]
fn no_request_to_the_admin_listener_breaks_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rig = runtime.block_on(Rig::start());
    let admin = admin_router(rig.app.clone(), None);
    let any = (any_request(), proptest::sample::select(&["/healthz", "/readyz", "/metrics"][..]), any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let asked = runner.run(&any, |(any, own, known)| {
        let path = if known { own.to_owned() } else { any.path.clone() };
        let request = Request::builder().method(any.method.as_str()).uri(&path).body(Body::from(any.body.clone()));
        let Ok(mut request) = request else { return Ok(()) };
        request.extensions_mut().insert(Peer("127.0.0.1:1".parse().unwrap()));
        let answer = runtime.block_on(async { Answer::of(admin.clone().oneshot(request).await.unwrap()).await });
        prop_assert!(matches!(answer.status, 200 | 404 | 405), "{any:?}: {}", answer.status);
        prop_assert!(answer.content_type().starts_with("text/plain; "));
        prop_assert_eq!(answer.cache(), "no-store");
        prop_assert_eq!(answer.status == 405, answer.headers.contains_key("allow"));
        Ok(())
    });
    asked.unwrap();
    runtime.block_on(rig.stop());
}
