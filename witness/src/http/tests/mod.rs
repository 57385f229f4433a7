mod access;

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::{HeaderMap, Method, header::ALLOW};
use govlog_daemon::access::Access;
use govlog_formats::wire::add_checkpoint::{monitoring_path, parse_conflict_body, parse_reply};
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;
use crate::{
    admin,
    config::Config,
    testing::{Log, folder, manual_clock, own},
};

const NOW: u64 = 1_700_000_000;

struct Fixture {
    _folder: tempfile::TempDir,
    config: Config,
    time: Arc<AtomicU64>,
    log: Log,
    router: Router,
    admin: Router,
}

fn fixture() -> Fixture {
    let log = Log::new("log.example/a", 16);
    let (folder, config) = folder(&[&log]);
    let (time, clock) = manual_clock(NOW);
    let witness = Arc::new(Witness::open(&config, clock).unwrap());
    let open =
        Roles { read: Access::anyone(), submit: Access::anyone(), operate: Access::anyone(), ..Roles::default() };
    let router = router(Arc::clone(&witness), open.clone(), Duration::from_secs(30));
    Fixture { _folder: folder, config, time, log, router, admin: admin::router(witness, open, None) }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &axum::http::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// One line of text that says what is wrong.
    fn is_a_line(&self) {
        assert_eq!(self.header(&CONTENT_TYPE), Some("text/plain; charset=utf-8"));
        assert!(self.text().ends_with('\n') && self.text().trim().len() > 10, "{:?}", self.text());
        assert_eq!(self.text().matches('\n').count(), 1, "{:?}", self.text());
    }
}

async fn call(router: &Router, method: Method, path: &str, body: impl Into<Body>) -> Answer {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    assert_eq!(parts.headers.get(CACHE_CONTROL).map(|value| value.to_str().unwrap()), Some("no-store"));
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: body.collect().await.unwrap().to_bytes().to_vec(),
    }
}

impl Fixture {
    async fn add(&self, body: Vec<u8>) -> Answer {
        call(&self.router, Method::POST, "/add-checkpoint", body).await
    }

    async fn get(&self, path: &str) -> Answer {
        call(&self.router, Method::GET, path, Body::empty()).await
    }

    async fn record(&self) -> Option<Vec<u8>> {
        let answer = self.get(&format!("/{}", monitoring_path(&self.log.origin()))).await;
        (answer.status == 200).then_some(answer.body)
    }
}

#[tokio::test]
async fn an_accepted_checkpoint_is_answered_with_a_cosignature_line() {
    let fixture = fixture();
    let answer = fixture.add(fixture.log.request(0, 5)).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("\u{2014} witness.example/w1 ") && answer.text().ends_with('\n'));
    let lines = parse_reply(&answer.body).unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(own().vkey().verify(&fixture.log.text(5), lines[0].bytes()).unwrap(), Some(NOW));
}

#[tokio::test]
async fn the_monitoring_route_serves_what_was_cosigned_last() {
    let fixture = fixture();
    assert_eq!(fixture.record().await, None);
    for (old, new) in [(0, 5), (5, 9)] {
        let line = fixture.add(fixture.log.request(old, new)).await;
        let signed = fixture.log.signed(&fixture.log.text(new));
        assert_eq!(fixture.record().await.unwrap(), [signed, line.body].concat());
    }
    let path = format!("/{}", monitoring_path(&fixture.log.origin()));
    let head = call(&fixture.router, Method::HEAD, &path, Body::empty()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    let with_query = fixture.get(&format!("{path}?fresh=1")).await;
    assert_eq!(with_query.status, 200);
}

#[tokio::test]
async fn a_monitoring_path_that_is_no_lower_case_digest_is_not_found() {
    let fixture = fixture();
    fixture.add(fixture.log.request(0, 5)).await;
    let hash = fixture.log.hash().to_string();
    let paths = [
        format!("/{}/checkpoint", hash.to_uppercase()),
        format!("/{}/checkpoint", &hash[1..]),
        format!("/{hash}0/checkpoint"),
        format!("/{hash}/checkpoint/"),
        format!("/{hash}"),
        format!("/{hash}/checkpoint2"),
        format!("/%ff{}/checkpoint", &hash[2..]),
        format!("/..%2f..%2fwitness.key%00{}/checkpoint", &hash[..8]),
        "/".to_owned(),
        "/checkpoint".to_owned(),
        "/metrics".to_owned(),
        "/healthz".to_owned(),
    ];
    for path in paths {
        let answer = fixture.get(&path).await;
        assert_eq!(answer.status, 404, "{path}");
        answer.is_a_line();
    }
}

/// One request for each way to be refused, in the order of the checks.
#[tokio::test]
async fn every_refusal_has_its_status() {
    let fixture = fixture();
    let (log, fork) = (&fixture.log, Log::with_entries("log.example/a", 16, "fork"));
    fixture.add(log.request(0, 5)).await;
    let empty_root = log.text(0).replace(&log.root(0).to_base64(), &log.root(1).to_base64());
    let cases: Vec<(&str, u16, Vec<u8>)> = vec![
        ("empty body", 400, Vec::new()),
        ("malformed body", 400, b"old 00\n\n".to_vec()),
        ("unknown origin", 404, Log::new("log.example/b", 8).request(0, 8)),
        (
            "not the log's signature",
            403,
            String::from_utf8(log.request(5, 8)).unwrap().replace("\n8\n", "\n9\n").into_bytes(),
        ),
        ("old above size", 400, log.request_with(9, &[], &log.text(8))),
        ("old not on record", 409, log.request(4, 8)),
        ("old not on record, with any proof", 409, log.request_with(0, &log.proof(5, 8), &log.text(8))),
        ("empty tree at the wrong old size", 409, log.request_with(0, &[], &empty_root)),
        ("no proof", 422, log.request_with(5, &[], &log.text(8))),
        ("proof of another tree", 422, log.request_with(5, &fork.proof(5, 8), &log.text(8))),
        ("another tree", 422, log.request_with(5, &fork.proof(5, 8), &fork.text(8))),
        ("same size, other root", 422, log.request_with(5, &[], &fork.text(5))),
        ("same size with a proof", 422, log.request_with(5, &[log.root(1)], &log.text(5))),
    ];
    for (what, status, body) in cases {
        let answer = fixture.add(body).await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        if status == 409 {
            // "The response MUST have a `Content-Type` of `text/x.tlog.size`."
            assert_eq!(answer.header(&CONTENT_TYPE), Some("text/x.tlog.size"), "{what}");
            assert_eq!(answer.body, b"5\n", "{what}");
            assert_eq!(parse_conflict_body(&answer.body).unwrap().get(), 5);
        } else {
            answer.is_a_line();
        }
    }
}

#[tokio::test]
async fn refusals_before_anything_was_cosigned_have_their_status() {
    let fixture = fixture();
    let log = &fixture.log;
    let empty_root = log.text(0).replace(&log.root(0).to_base64(), &log.root(1).to_base64());
    let conflict = fixture.add(log.request(4, 8)).await;
    assert_eq!((conflict.status, conflict.text()), (409, "0\n"));
    assert_eq!(fixture.add(log.request_with(0, &[], &empty_root)).await.status, 422);
    assert_eq!(fixture.add(log.request_with(0, &[log.root(1)], &log.text(8))).await.status, 422);
    assert_eq!(fixture.add(log.request(0, 0)).await.status, 200);
    // Size zero is a size: it is on record now, and the next request names it.
    let conflict = fixture.add(log.request(4, 8)).await;
    assert_eq!((conflict.status, conflict.text()), (409, "0\n"));
    assert_eq!(fixture.add(log.request(0, 8)).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_went_back_is_a_reason_to_come_back_later() {
    let fixture = fixture();
    fixture.add(fixture.log.request(0, 5)).await;
    fixture.time.store(NOW - 1, Ordering::SeqCst);
    let answer = fixture.add(fixture.log.request(5, 8)).await;
    assert_eq!((answer.status, answer.header(&RETRY_AFTER)), (503, Some("1")));
    answer.is_a_line();
}

#[tokio::test]
async fn a_failing_disk_is_a_reason_to_come_back_later_and_damaged_state_is_not() {
    let fixture = fixture();
    fixture.add(fixture.log.request(0, 5)).await;
    let state = fixture.config.state.join(fixture.log.hash().to_string());
    let blocked = state.with_extension("tmp");
    std::fs::create_dir(&blocked).unwrap();
    let answer = fixture.add(fixture.log.request(5, 8)).await;
    assert_eq!((answer.status, answer.header(&RETRY_AFTER)), (503, Some("1")));
    answer.is_a_line();
    std::fs::remove_dir(&blocked).unwrap();

    std::fs::write(&state, "nonsense").unwrap();
    let answer = fixture.add(fixture.log.request(5, 8)).await;
    assert_eq!(answer.status, 500);
    answer.is_a_line();
    assert!(!answer.text().contains('/'), "no path of ours is shown to strangers: {}", answer.text());
    assert_eq!(fixture.get(&format!("/{}", monitoring_path(&fixture.log.origin()))).await.status, 500);
    let ready = call(&fixture.admin, Method::GET, "/readyz", Body::empty()).await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains(&fixture.log.hash().to_string()));
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_one() {
    let fixture = fixture();
    let monitoring = format!("/{}", monitoring_path(&fixture.log.origin()));
    for (method, path, allow) in [
        (Method::GET, "/add-checkpoint", "POST"),
        (Method::PUT, "/add-checkpoint", "POST"),
        (Method::OPTIONS, "/add-checkpoint", "POST"),
        (Method::POST, monitoring.as_str(), "GET,HEAD"),
        (Method::DELETE, monitoring.as_str(), "GET,HEAD"),
    ] {
        let answer = call(&fixture.router, method.clone(), path, Body::empty()).await;
        assert_eq!((answer.status, answer.header(&ALLOW)), (405, Some(allow)), "{method} {path}");
        answer.is_a_line();
    }
}

#[tokio::test]
async fn a_body_over_the_bound_is_too_large_whether_or_not_it_says_so() {
    let fixture = fixture();
    let at_bound = vec![b'x'; MAX_ADD_CHECKPOINT_BYTES];
    assert_eq!(fixture.add(at_bound.clone()).await.status, 400);
    let over = [&at_bound[..], b"x"].concat();
    let answer = fixture.add(over.clone()).await;
    assert_eq!(answer.status, 413);
    answer.is_a_line();
    // Chunks without a declared length: refused when the bound is passed, wherever the chunks end.
    let chunks = over.chunks(1000).map(Bytes::copy_from_slice).collect::<Vec<_>>().into_iter();
    let body = Body::new(Chunks(chunks));
    assert_eq!(call(&fixture.router, Method::POST, "/add-checkpoint", body).await.status, 413);
}

/// A body of unknown length.
struct Chunks(std::vec::IntoIter<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        std::task::Poll::Ready(self.0.next().map(|chunk| Ok(hyper::body::Frame::data(chunk))))
    }
}

#[tokio::test]
async fn racing_posts_have_one_winner() {
    let fixture = fixture();
    let bodies: Vec<_> = (1..=16).map(|new| fixture.log.request(0, new)).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for body in bodies {
        let router = fixture.router.clone();
        tasks.spawn(async move { call(&router, Method::POST, "/add-checkpoint", body).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    let recorded = String::from_utf8(fixture.record().await.unwrap()).unwrap().lines().nth(1).unwrap().to_owned();
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.text().trim()), (409, recorded.as_str()));
    }
}

#[tokio::test]
async fn the_admin_interface_tells_health_readiness_and_metrics() {
    let fixture = fixture();
    fixture.add(fixture.log.request(0, 5)).await;
    fixture.add(b"nonsense".to_vec()).await;
    assert_eq!(call(&fixture.admin, Method::GET, "/healthz", Body::empty()).await.text(), "ok\n");
    assert_eq!(call(&fixture.admin, Method::GET, "/readyz", Body::empty()).await.text(), "ready\n");
    let metrics = call(&fixture.admin, Method::GET, "/metrics", Body::empty()).await;
    assert!(metrics.header(&CONTENT_TYPE).unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "govlog_witness_requests_total{route=\"add-checkpoint\",status=\"200\"} 1",
        "govlog_witness_requests_total{route=\"add-checkpoint\",status=\"400\"} 1",
        "govlog_witness_request_seconds_count{route=\"add-checkpoint\"} 2",
        "govlog_witness_tree_size{origin=\"log.example/a\"} 5",
        "govlog_witness_cosigned_time_seconds{origin=\"log.example/a\"} 1700000000",
        "govlog_witness_persist_seconds_count 1",
    ] {
        assert!(metrics.text().contains(line), "{line} in\n{}", metrics.text());
    }
    assert_eq!(call(&fixture.admin, Method::GET, "/add-checkpoint", Body::empty()).await.status, 404);
    assert_eq!(call(&fixture.admin, Method::POST, "/metrics", Body::empty()).await.status, 405);
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
    let known: Vec<String> = ["/add-checkpoint", "/healthz", "/readyz", "/metrics", "/"].map(str::to_owned).to_vec();
    let path = prop_oneof![
        3 => prop::sample::select(known),
        1 => "/[0-9a-f]{64}/checkpoint",
        1 => "(/[a-zA-Z0-9.%~_-]{0,9}){1,6}",
    ];
    // With and without what percent-encoding hides: a slash, a NUL, half a character, nothing.
    let tail = prop_oneof![
        4 => Just(String::new()),
        1 => "(%(2f|00|ff|c3|25|zz|)|/|[a-z]){1,4}",
        1 => "\\?[a-zA-Z0-9%=&+.:~_-]{0,30}",
    ];
    let names = ["content-type", "content-encoding", "authorization", "expect", "range", "if-none-match"];
    let header = prop::option::of((prop::sample::select(names.to_vec()), "[ -~]{0,40}"));
    let checkpoint =
        "(old [0-9]{1,20}\n)?([A-Za-z0-9+/=]{0,44}\n){0,4}\n?(log.example/a\n[0-9]{1,20}\n[A-Za-z0-9+/=]{44}\n\n)?";
    let lines = "(\u{2014} [a-z./]{1,20} [A-Za-z0-9+/=]{0,100}\n){0,2}";
    let body = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..300),
        4 => (checkpoint, lines).prop_map(|(checkpoint, lines)| (checkpoint + &lines).into_bytes()),
        1 => Just(vec![b'x'; MAX_ADD_CHECKPOINT_BYTES + 1]),
    ];
    (method, path, tail, header, body).prop_map(|(method, path, tail, header, body)| Any {
        method,
        path: path + &tail,
        header,
        body,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Whatever the method, path, query, headers and body, at both doors: an answer of ours in text, 405 with what the path takes, and nothing
    /// changed.
    #[test]
    fn any_request_is_answered_and_changes_nothing(requests in prop::collection::vec(any_request(), 40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = fixture();
            fixture.add(fixture.log.request(0, 5)).await;
            let before = fixture.record().await;
            for (any, routes) in requests.iter().flat_map(|any| [(any, &fixture.router), (any, &fixture.admin)]) {
                let mut request = Request::builder().method(any.method.as_str()).uri(&any.path);
                if let Some((name, value)) = &any.header {
                    request = request.header(*name, value);
                }
                // What is no URI never gets as far as a router.
                let Ok(request) = request.body(Body::from(any.body.clone())) else { continue };
                let (parts, body) = routes.clone().oneshot(request).await.unwrap().into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                let status = parts.status.as_u16();
                let allowed: &[u16] = match any.path.split('?').next() {
                    Some("/healthz" | "/readyz" | "/metrics") => &[200, 404, 405],
                    // 403: a checkpoint of the log, which it did not sign. 409 is for those that it did.
                    Some("/add-checkpoint") => &[400, 403, 404, 405, 413],
                    _ => &[404, 405],
                };
                assert!(allowed.contains(&status), "{any:?}: {status}");
                assert!(parts.headers[CONTENT_TYPE].to_str().unwrap().starts_with("text/plain; "), "{any:?}");
                assert_eq!(parts.headers[CACHE_CONTROL], "no-store", "{any:?}");
                assert!(any.method == "HEAD" || body.ends_with(b"\n"), "{any:?}: {body:?}");
                assert_eq!(status == 405, parts.headers.contains_key(ALLOW), "{any:?}");
            }
            assert_eq!(fixture.record().await, before);
        });
    }
}
