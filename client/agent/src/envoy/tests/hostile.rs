//! Whatever stands in a file: nothing panics, nothing is lost, and what is signed is a record.

use proptest::prelude::*;

use super::*;

fn member() -> impl Strategy<Value = (String, Value)> {
    let names = [
        "start",
        "code",
        "flags",
        "path",
        "method",
        "authority",
        "request_id",
        "traceparent",
        "peer_uri",
        "peer_s256",
        "peer_serial",
        "duration",
        "details",
        "grpc_status",
        "decision_id",
    ];
    let value = prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,12}(\\.[0-9]{1,9})?".prop_map(Value::from),
        "[A-Z,]{0,12}".prop_map(Value::from),
        Just(json!(null)),
        Just(json!({"a": [1]})),
    ];
    (prop::sample::select(names.to_vec()).prop_map(str::to_owned), value)
}

proptest! {
    #[test]
    fn a_line_of_any_members_gives_a_record_or_a_reason(
        members in prop::collection::vec(member(), 0..8),
        decisions in prop::collection::vec("[a-z0-9-]{1,40}", 0..3),
        contradictions in prop::collection::vec("[a-z]{1,12}", 0..3),
        before in any::<u32>(),
        seal in any::<bool>(),
    ) {
        let mut changes = json!({});
        for (name, value) in members {
            changes[name] = value;
        }
        let known = Known { decisions, contradictions, before, ..Known::default() };
        let more = if seal { "seal_path = true" } else { "" };
        if let Ok(draft) = draft_with(&line(&changes), &known, &envoy(more)) {
            let effect = record_of(&draft);
            prop_assert!(effect.outcome().present().is_some());
            prop_assert_eq!(draft.sub.as_deref(), Some("spiffe://prod.example/pep/envoy"));
            prop_assert!(!draft.payload.windows(6).any(|part| part == b"secret"));
        }
    }

    #[test]
    fn bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = draft_with(&bytes, &Known::default(), &envoy(""));
    }
}
