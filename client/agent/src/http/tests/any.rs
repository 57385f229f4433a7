//! Whatever is uploaded: an answer, never a refusal that OPA would repeat for ever, and nothing good is lost.

use axum::http::StatusCode;
use proptest::prelude::*;
use serde_json::json;

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
