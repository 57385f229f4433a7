//! Whatever is uploaded: an answer, never a refusal that OPA would repeat for ever, and nothing good is lost.

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use proptest::prelude::*;
use serde_json::json;
use tower::ServiceExt as _;

use super::{Doors, gzip};
use crate::testing::{ROUTE, event};

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// An element of an upload that is no event.
fn garbage() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(|number| json!(number)),
        ".{0,40}".prop_map(|text| json!(text)),
        ".{0,8}".prop_map(|id| json!({ "labels": { "id": id }, "decision_id": 7 })),
        ".{0,8}".prop_map(|id| json!({ "labels": { "id": "i" }, "decision_id": id, "extra": [[[]]] })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_answered_200(body in prop::collection::vec(any::<u8>(), 0..512), packed: bool, status: bool) {
        run(async {
            let doors = Doors::new("");
            let route = if status { "status" } else { "logs" };
            let (encoding, sent) = if packed { (Some("gzip"), gzip(&body)) } else { (None, body) };
            let (code, said) = doors.post(&format!("{ROUTE}/{route}"), encoding, sent).await;
            prop_assert_eq!(code, StatusCode::OK, "{}", said);
            prop_assert!(!doors.waiting().is_empty(), "something is kept of it");
            Ok(())
        })?;
    }

    #[test]
    fn good_events_are_taken_from_among_any_others(
        others in prop::collection::vec(garbage(), 0..12),
        at in prop::collection::vec(0usize..12, 1..6),
    ) {
        run(async {
            let doors = Doors::new("");
            let mut upload = others;
            for (number, place) in at.iter().enumerate() {
                upload.insert((*place).min(upload.len()), event(&format!("good-{number}")));
            }
            let (code, _) = doors.logs(&upload).await;
            prop_assert_eq!(code, StatusCode::OK);
            let kept = doors.waiting();
            for number in 0..at.len() {
                let whole = serde_json::to_vec(&event(&format!("good-{number}"))).unwrap();
                let found = kept.iter().filter(|waiting| waiting.content == crate::outbox::Content::Event(whole.clone()));
                prop_assert_eq!(found.count(), 1);
            }
            Ok(())
        })?;
    }
}

#[derive(Clone, Debug)]
struct Any {
    method: String,
    path: String,
    header: Option<(&'static str, String)>,
    body: Vec<u8>,
}

fn any_request() -> impl Strategy<Value = Any> {
    let method = prop_oneof![3 => Just("POST".to_owned()), 3 => Just("GET".to_owned()), 2 => "[A-Za-z]{1,8}"];
    let known = [&format!("{ROUTE}/logs"), &format!("{ROUTE}/status"), ROUTE, "/healthz", "/readyz", "/metrics", "/"];
    let known: Vec<String> = known.iter().map(|path| (*path).to_owned()).collect();
    let path = prop_oneof![4 => prop::sample::select(known), 1 => "(/[a-zA-Z0-9.%~_-]{0,9}){1,6}"];
    // With and without what percent-encoding hides: a slash, a NUL, half a character, nothing.
    let tail = prop_oneof![4 => Just(String::new()), 1 => "(%(2f|00|ff|c3|25|zz|)|/|[a-z]){1,4}", 1 => "\\?[!-~&&[^#<>\"`{}|^\\\\]]{0,30}"];
    let names = ["content-encoding", "content-type", "authorization", "expect", "x-forwarded-client-cert", "accept"];
    let header = prop::option::of((prop::sample::select(names.to_vec()), prop_oneof!["gzip", "[ -~]{0,40}"]));
    let body = prop::collection::vec(any::<u8>(), 0..200);
    (method, path, tail, header, body).prop_map(|(method, path, tail, header, body)| Any {
        method,
        path: path + &tail,
        header,
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever the method, path, query, headers and body, at both doors: an answer in text that says something, 405 with what the path takes, and
    /// never one that says that the agent broke.
    #[test]
    fn any_request_is_answered(requests in prop::collection::vec(any_request(), 40)) {
        run(async {
            let doors = Doors::new("");
            for (any, routes) in requests.iter().flat_map(|any| [(any, &doors.public), (any, &doors.admin)]) {
                let mut request = Request::builder().method(any.method.as_str()).uri(&any.path);
                if let Some((name, value)) = &any.header {
                    request = request.header(*name, value);
                }
                // What is no URI never gets as far as a router.
                let Ok(request) = request.body(Body::from(any.body.clone())) else { continue };
                let response = routes.clone().oneshot(request).await.unwrap();
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
                prop_assert!(matches!(status.as_u16(), 200 | 404 | 405), "{any:?}: {status}");
                prop_assert!(headers["content-type"].to_str().unwrap().starts_with("text/plain; "), "{any:?}");
                prop_assert_eq!(&headers["cache-control"], "no-store", "{:?}", any);
                prop_assert!(any.method == "HEAD" || body.ends_with(b"\n"), "{any:?}: {body:?}");
                prop_assert_eq!(status == 405, headers.contains_key("allow"), "{:?}", any);
            }
            prop_assert!(!*doors.is_fatal.borrow());
            Ok(())
        })?;
    }
}
