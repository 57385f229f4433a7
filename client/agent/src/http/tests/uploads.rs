//! Uploads as OPA sends them, and as it should not.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use govlog_formats::digest::Digest;
use serde_json::json;

use super::{Doors, gzip};
use crate::outbox::Content;
use crate::testing::{ROUTE, event};

#[tokio::test]
async fn an_upload_is_kept_before_it_is_answered_and_known_again() {
    let doors = Doors::new("");
    let events = [event("d-1"), event("d-2")];
    let (status, said) = doors.logs(&events).await;
    assert_eq!(
        (status, said.as_str()),
        (StatusCode::OK, "2 new, 0 known, 0 under a known id with other content, 0 that are no events\n")
    );
    assert_eq!(doors.waiting().len(), 2);
    let (status, said) = doors.logs(&events).await;
    assert!(status == StatusCode::OK && said.starts_with("0 new, 2 known"), "{said}");
    let plain = serde_json::to_vec(&[event("d-3")]).unwrap();
    assert_eq!(doors.post(&format!("{ROUTE}/logs"), None, plain).await.0, StatusCode::OK);
    assert_eq!(doors.waiting().len(), 3);
}

#[tokio::test]
async fn what_opa_would_send_for_ever_is_kept_and_answered_200() {
    let good = gzip(&serde_json::to_vec(&[event("d-1")]).unwrap());
    let cases: [(&str, Option<&str>, Vec<u8>); 7] = [
        ("gzip", Some("gzip"), good[..good.len() / 2].to_vec()),
        ("encoding", Some("br"), b"x".to_vec()),
        ("", None, b"{\"not\": \"an array\"}".to_vec()),
        ("", None, b"[1, 2".to_vec()),
        ("UTF-8", None, b"[\"\xff\xfe\"]".to_vec()),
        ("", None, Vec::new()),
        ("labels", None, b"[{\"decision_id\": \"d-1\"}]".to_vec()),
    ];
    for (named, encoding, body) in cases {
        let doors = Doors::new("");
        let (status, said) = doors.post(&format!("{ROUTE}/logs"), encoding, body.clone()).await;
        assert_eq!(status, StatusCode::OK, "{said}");
        let reasons = doors.reasons();
        assert_eq!(reasons.len(), 1, "{body:?}: {reasons:?}");
        assert!(reasons[0].contains(named), "{reasons:?}");
        // The same again is the same.
        doors.post(&format!("{ROUTE}/logs"), encoding, body).await;
        assert_eq!(doors.reasons().len(), 1);
    }
}

#[tokio::test]
async fn a_bad_event_does_not_keep_its_neighbours_from_being_taken() {
    let doors = Doors::new("");
    let (status, said) = doors.logs(&[event("d-1"), json!(7), event("d-2"), json!({ "labels": {} })]).await;
    assert_eq!(status, StatusCode::OK);
    assert!(said.starts_with("2 new, 0 known") && said.contains("2 that are no events"), "{said}");
}

#[tokio::test]
async fn many_bad_elements_are_kept_as_one_upload() {
    let doors = Doors::new("");
    let many: Vec<serde_json::Value> = (0..1_000).map(|n| json!(n)).chain([event("d-1")]).collect();
    assert_eq!(doors.logs(&many).await.0, StatusCode::OK);
    let reasons = doors.reasons();
    assert_eq!(reasons.len(), crate::opa::upload::MAX_UNREADABLE + 1);
    assert_eq!(doors.waiting().len(), reasons.len() + 1, "and the one good event");
}

#[tokio::test]
async fn of_a_body_that_is_too_large_the_digest_is_kept() {
    let doors = Doors::new("[limits]\nupload_mib = 1\nuploads_mib = 1\n");
    let body = vec![b' '; (1 << 20) + 1];
    assert_eq!(doors.post(&format!("{ROUTE}/logs"), None, body.clone()).await.0, StatusCode::OK);
    let waiting = doors.waiting();
    let Content::Digest { digest, size, .. } = &waiting[0].content else { panic!("{:?}", waiting[0].content) };
    assert_eq!((*digest, *size), (Digest::sha256(&body), (1 << 20) + 1));
}

#[tokio::test]
async fn the_room_for_all_bodies_is_bounded_and_given_back() {
    let doors = Doors::new("[limits]\nupload_mib = 1\nuploads_mib = 1\n");
    let (sender, body) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    let slow = Body::from_stream(futures_util::stream::unfold(body, async |mut body| {
        body.recv().await.map(|frame| (frame, body))
    }));
    let path = format!("{ROUTE}/logs");
    let first = doors.post(&path, None, slow);
    let second = async {
        sender.send(Ok(vec![b' '; 1_000_000].into())).await.unwrap();
        // Taken from the channel: it is in the agent's hands.
        sender.reserve().await.unwrap();
        let refused = doors.post(&path, None, vec![b'x'; 100_000]).await;
        drop(sender);
        refused
    };
    let (first, (status, said)) = tokio::join!(first, second);
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");
    assert_eq!(first.0, StatusCode::OK);
    assert_eq!(doors.logs(&[event("d-1")]).await.0, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_cut_off() {
    let doors = Doors::new("[limits]\nbody_timeout_s = 5\n");
    let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(doors.post(&format!("{ROUTE}/logs"), None, never).await.0, StatusCode::REQUEST_TIMEOUT);
}

#[tokio::test]
async fn a_full_outbox_is_answered_503_and_says_so() {
    let doors = Doors::new("[limits]\noutbox_mib = 1\nunpacked_mib = 1\nevent_mib = 1\n");
    let large = |id: &str| {
        let mut event = event(id);
        event["input"]["context"] = json!("x".repeat(600_000));
        event
    };
    assert_eq!(doors.logs(&[large("d-1")]).await.0, StatusCode::OK);
    let (status, said) = doors.logs(&[large("d-2")]).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("full"), "{said}");
    assert_eq!(doors.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(doors.waiting().len(), 1, "nothing of it is kept");
    assert_eq!(doors.logs(&[large("d-1")]).await.0, StatusCode::OK, "what is known takes no room");
    assert_eq!(doors.logs(&[event("d-3")]).await.0, StatusCode::OK, "small ones still fit");
    assert_eq!(doors.get("/readyz").await.0, StatusCode::OK);
}

#[tokio::test]
async fn too_many_instances_in_one_upload_are_kept_and_not_refused_for_ever() {
    let doors = Doors::new("[streams]\nmost = 2\n");
    let of = |n: u32| {
        let mut event = event("d-1");
        event["labels"]["id"] = format!("instance-{n}").into();
        event
    };
    let many: Vec<serde_json::Value> = (0..20).map(of).collect();
    assert_eq!(doors.logs(&many).await.0, StatusCode::OK);
    assert!(doors.reasons()[0].contains("20 instances"), "{:?}", doors.reasons());
    // A few more than there is room for come again.
    assert_eq!(doors.logs(&[of(1)]).await.0, StatusCode::OK);
    assert_eq!(doors.logs(&[of(2)]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    // What is no event goes into the agent's own stream, which always has room.
    assert_eq!(doors.logs(&[json!(7)]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn other_content_under_a_known_id_is_an_alarm_and_both_are_kept() {
    let doors = Doors::new("");
    let mut other = event("d-1");
    other["result"] = json!(false);
    doors.logs(&[event("d-1")]).await;
    let (_, said) = doors.logs(&[other]).await;
    assert!(said.contains("1 under a known id"), "{said}");
    assert_eq!((doors.waiting().len(), doors.reasons().len()), (2, 1));
    let (_, metrics) = doors.get("/metrics").await;
    assert!(metrics.contains("govlog_agent_alarms_total{kind=\"conflict\"} 1"), "{metrics}");
    // The second try of OPA may lack this; it is the same event all the same.
    let mut cached = event("d-1");
    cached["nd_builtin_cache"] = json!({});
    assert!(doors.logs(&[cached]).await.1.contains("0 new, 1 known"));
}

#[tokio::test]
async fn a_status_keeps_its_stream_alive_and_leaves_what_opa_counts() {
    let doors = Doors::new("");
    doors.logs(&[event("d-1")]).await;
    doors.world.wind(std::time::Duration::from_secs(50));
    let status = json!({
        "labels": { "id": crate::testing::INSTANCE, "version": "1.22.2" },
        "decision_logs": { "metrics": { "counter_decision_logs_dropped_rate_limit_exceeded": 3 } },
    });
    let sent = doors.post(&format!("{ROUTE}/status"), None, status.to_string()).await;
    assert_eq!(sent.0, StatusCode::OK, "{}", sent.1);
    let (_, stream) = doors.shared.outbox.streams().unwrap().remove(0);
    assert_eq!(stream.heard_ms - stream.told_ms, 50_000);
    assert!(stream.source_counters.values().any(|count| count == "3"), "{:?}", stream.source_counters);
    // One that cannot be read is kept like any other input.
    assert_eq!(doors.post(&format!("{ROUTE}/status"), None, "[]").await.0, StatusCode::OK);
    assert!(doors.reasons()[0].starts_with("a status: "));
}

#[tokio::test]
async fn other_paths_and_methods_are_told_what_there_is() {
    let doors = Doors::new("");
    let (status, said) = doors.post("/elsewhere", None, "").await;
    assert!(status == StatusCode::NOT_FOUND && said.contains(&format!("{ROUTE}/logs")), "{said}");
    let get = axum::http::Request::builder().uri(format!("{ROUTE}/logs")).body(Body::empty()).unwrap();
    assert_eq!(super::answer(&doors.public, get).await.0, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn the_admin_interface_tells_depth_and_age() {
    let doors = Doors::new("");
    doors.logs(&[event("d-1"), event("d-2")]).await;
    doors.world.wind(std::time::Duration::from_secs(7));
    assert_eq!(doors.get("/healthz").await.0, StatusCode::OK);
    let (_, metrics) = doors.get("/metrics").await;
    for line in [
        "govlog_agent_received_total 2",
        "govlog_agent_outbox_depth{state=\"waiting\"} 2",
        "govlog_agent_outbox_age_seconds 7",
        "govlog_agent_oldest_unpublished_seconds 7",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    doors.shared.stop();
    assert_eq!(doors.get("/readyz").await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(doors.get("/else").await.0, StatusCode::NOT_FOUND);
    assert!(!*doors.is_fatal.borrow());
}

#[tokio::test]
async fn what_statuses_tell_is_kept_once_whatever_is_said_again() {
    let doors = Doors::new("[[opa]]\nprefix = \"/ingest/opa/v1\"\nactivations = true\n");
    let status = |revision: &str, minute: u32, dropped: u32| {
        let activated = format!("2026-11-22T04:{minute:02}:00Z");
        let status = json!({
            "labels": { "id": crate::testing::INSTANCE, "version": "1.22.2" },
            "bundles": { "authz": { "active_revision": revision, "last_successful_activation": activated } },
            "metrics": { "prometheus": { "counter_decision_logs_dropped_rate_limit_exceeded": dropped } },
        });
        status.to_string()
    };
    let path = format!("{ROUTE}/status");
    for (body, new) in
        [(status("r1", 1, 0), 1), (status("r1", 2, 0), 0), (status("r2", 3, 4), 3), (status("r2", 3, 4), 0)]
    {
        let (code, said) = doors.post(&path, None, body).await;
        assert_eq!(code, StatusCode::OK);
        assert!(said.starts_with(&format!("{new} new, 0 known")), "{said}");
    }
    let forms: Vec<String> = doors
        .waiting()
        .iter()
        .map(|waiting| waiting.content.event().map(|(form, _)| form.to_owned()).unwrap_or_default())
        .collect();
    assert_eq!(forms.iter().filter(|form| *form == "activation").count(), 3);
    assert_eq!(forms.iter().filter(|form| *form == "gap").count(), 1);
    let (_, metrics) = doors.get("/metrics").await;
    assert!(metrics.contains("govlog_agent_alarms_total{kind=\"dropped\"} 1"), "{metrics}");
}

#[tokio::test]
async fn uploads_are_handed_on_as_they_came_whatever_becomes_of_them_here() {
    use crate::forward::{Queue, Queues};
    let dir = tempfile::tempdir().unwrap();
    let queue = std::sync::Arc::new(Queue::open(&dir.path().join("q"), 1 << 20).unwrap());
    let queues = Queues::from([(ROUTE.to_owned(), std::sync::Arc::clone(&queue))]);
    let doors = Doors::forwarding("[limits]\nupload_mib = 1\nuploads_mib = 1\n[streams]\nmost = 2\n", queues);
    let body = gzip(&serde_json::to_vec(&[event("d-1")]).unwrap());
    let path = format!("{ROUTE}/logs");
    assert_eq!(doors.post(&path, Some("gzip"), body.clone()).await.0, StatusCode::OK);
    let (number, first) = queue.first().unwrap().unwrap();
    assert_eq!(
        (first.resource.as_str(), first.content_encoding.as_deref(), &first.body),
        ("logs", Some("gzip"), &body)
    );
    queue.take_away(number).unwrap();
    // No event at all, and one that finds no room here and so comes again and again: each once.
    assert_eq!(doors.post(&path, None, "[").await.0, StatusCode::OK);
    let mut other = event("d-1");
    other["labels"]["id"] = json!("another");
    doors.logs(&[other.clone()]).await;
    other["labels"]["id"] = json!("a third");
    let third = serde_json::to_vec(&[other]).unwrap();
    for _ in 0..3 {
        assert_eq!(doors.post(&path, None, third.clone()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(queue.depth().0, 3);
    assert_eq!(doors.post(&path, None, vec![b' '; (1 << 20) + 1]).await.0, StatusCode::OK);
    assert_eq!(queue.depth().0, 3, "what is not kept whole is not handed on");
    let (_, metrics) = doors.get("/metrics").await;
    assert!(metrics.contains("result=\"dropped\"} 1"), "{metrics}");
    // A queue that cannot be written takes nothing from the other sink: the source is to come again. Here it is known by then.
    let waits = doors.shared.outbox.backlog().waiting;
    std::fs::remove_dir_all(dir.path().join("q")).unwrap();
    for _ in 0..2 {
        assert_eq!(doors.logs(&[event("d-2")]).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(doors.shared.outbox.backlog().waiting, waits + 1);
    assert!(doors.get("/metrics").await.1.contains("result=\"dropped\"} 1"));
}

/// A status that says how many questions were answered.
fn answered(count: u32) -> String {
    let metric = json!({
        "label": [{ "name": "code", "value": "200" }, { "name": "handler", "value": "v1/data" }, { "name": "method", "value": "post" }],
        "histogram": { "sampleCount": count },
    });
    let metrics =
        json!({ "prometheus": { "http_request_duration_seconds": { "type": "HISTOGRAM", "metric": [metric] } } });
    json!({ "labels": { "id": crate::testing::INSTANCE, "version": "1.22.2" }, "metrics": metrics }).to_string()
}

#[tokio::test]
async fn whoever_is_refused_is_not_silent_and_who_says_nothing_is() {
    let doors = Doors::new(
        "[[opa]]\nprefix = \"/ingest/opa/v1\"\n[limits]\nupload_mib = 1\nuploads_mib = 1\noutbox_mib = 1\nunpacked_mib = 1\nevent_mib = 1\n",
    );
    let large = |id: &str| {
        let mut event = event(id);
        event["input"]["context"] = json!("x".repeat(600_000));
        event
    };
    let mut asked = 0;
    let mut later = async |doors: &Doors, minutes: u64| {
        doors.world.wind(std::time::Duration::from_secs(60 * minutes));
        asked += 5;
        let (code, said) = doors.post(&format!("{ROUTE}/status"), None, answered(asked)).await;
        assert_eq!(code, StatusCode::OK, "{said}");
        let is_finding =
            |waiting: &&crate::outbox::Waiting| waiting.content.event().is_some_and(|(form, _)| form == "finding");
        doors.waiting().iter().filter(is_finding).count()
    };
    assert_eq!(doors.logs(&[large("d-1")]).await.0, StatusCode::OK);
    assert_eq!(later(&doors, 1).await, 0);
    // No room in the outbox, then none for its body: it decides, and says so.
    for _ in 0..4 {
        assert_eq!(doors.logs(&[large("d-2")]).await.0, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(later(&doors, 10).await, 0);
    }
    // Whose these are nobody knows: that puts it off, and once only, or another of its group could put it off for ever.
    for findings in [0, 0, 0, 1] {
        let broken =
            Body::from_stream(futures_util::stream::once(async { Err::<Bytes, _>(std::io::Error::other("away")) }));
        assert_eq!(doors.post(&format!("{ROUTE}/logs"), None, broken).await.0, StatusCode::BAD_REQUEST);
        assert_eq!(later(&doors, 10).await, findings);
    }
}
