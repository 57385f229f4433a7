//! Properties of parsers and judgement over arbitrary input.

use std::num::NonZeroU64;

use ciborium::Value;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::admission::{Change, ChangeFields, Credentials, GenesisRequest, IssuerRow, LogRow, PolicyState, ReceiptKey};
use crate::cbor;
use crate::cose::PublicKey;
use crate::digest::Digest;
use crate::merkle::LeafIndex;
use crate::statement::{Claims, Content, SignedStatement, StreamPosition};

use super::world::*;

fn any_key() -> impl Strategy<Value = PublicKey> {
    let key = (1_u8..6, 0_usize..3).prop_map(|(number, curve)| [ed25519, p256, p384][curve](number));
    key.prop_map(|key| key.public())
}

fn any_credentials() -> impl Strategy<Value = Credentials> {
    prop_oneof![
        vec(any_key(), 1..4).prop_map(Credentials::Keys),
        vec(vec(any::<u8>(), 0..20), 1..3).prop_map(Credentials::X509),
    ]
}

fn any_row() -> impl Strategy<Value = IssuerRow> {
    (any_credentials(), vec(".{0,12}", 1..4), vec(".{0,12}", 1..4), any::<u64>(), option::of(any::<u64>())).prop_map(
        |(credentials, kinds, subjects, rate, max_age_s)| IssuerRow {
            iss: String::new(),
            credentials,
            kinds,
            subjects,
            rate: NonZeroU64::new(rate),
            max_age_s,
        },
    )
}

fn any_log() -> impl Strategy<Value = LogRow> {
    let receipt = (1_u8..6, any::<u64>(), option::of(any::<u64>()));
    ("[a-z0-9./-]{1,20}", vec(receipt, 1..4)).prop_map(|(origin, receipts)| {
        let receipts = receipts.into_iter();
        let receipts = receipts.map(|(key, from, below)| ReceiptKey { key: p256(key).public(), from, below }).collect();
        LogRow { checkpoint: vkey(&origin), origin, receipts }
    })
}

prop_compose! {
    /// Any change that keeps the schema: each issuer is named once.
    fn any_change()(
        event_ms in any::<u64>(),
        rows in vec(any_row(), 0..4),
        names in vec(".{0,20}", 8),
        retired in 0_usize..4,
        operators in vec(any_key(), 0..4),
        threshold in option::of(any::<u64>()),
        log in option::of(any_log()),
    ) -> Change {
        let name = |at: usize| format!("{at}:{}", names[at]);
        let set = rows.into_iter().enumerate().map(|(at, row)| IssuerRow { iss: name(at), ..row }).collect();
        let retire = (4..4 + retired).map(name).collect();
        change(ChangeFields { event_ms, set, retire, operators, threshold, log })
    }
}

/// CBOR values near those of a change.
fn any_value() -> impl Strategy<Value = Value> {
    let names = ["v", "event_ms", "set", "iss", "keys", "x509", "kinds", "subjects", "log", "operators", "receipts"];
    let leaf = prop_oneof![
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        ".{0,10}".prop_map(Value::from),
        Just(Value::from(1)),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let key =
            prop_oneof![proptest::sample::select(names.to_vec()).prop_map(Value::from), (-4..4).prop_map(Value::from)];
        prop_oneof![vec(inner.clone(), 0..4).prop_map(Value::Array), vec((key, inner), 0..6).prop_map(Value::Map)]
    })
}

fn any_stream() -> impl Strategy<Value = StreamPosition> {
    let name = prop_oneof![Just("admission".to_owned()), "[A-Za-z0-9._-]{1,10}"];
    (name, 0..1_u64 << 62, any::<[u8; 32]>(), any::<bool>()).prop_map(|(stream, seq, prev, start)| StreamPosition {
        stream,
        seq: if start { 0 } else { seq },
        prev: if start { Digest::ZERO } else { Digest::from_bytes(prev) },
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let known = [PEP, OTHER, OPERATOR, ORIGIN, TRUST_DOMAIN, "spiffe://", "spiffe:///", "spiffe://x509.example/w", "a"];
    prop_oneof![proptest::sample::select(known.to_vec()).prop_map(str::to_owned), ".{1,30}"]
}

prop_compose! {
    /// Any statement whose bytes keep every rule; half of them from or about somebody the policy knows.
    fn any_statement()(
        (iss, sub, aud) in (any_name(), any_name(), option::of(any_name())),
        iat in prop_oneof![any::<i64>(), Just(NOW)],
        stream in option::of(any_stream()),
        kind in proptest::sample::select(vec![
            "decision", "effect", "issuance", "stream", "gap", "quarantine", "admission-policy", "text/plain", "/", "",
        ]),
        enveloped in any::<bool>(),
        change in any_change(),
        key in 1_u8..5,
        break_signature in any::<bool>(),
    ) -> Draft {
        let content_type = crate::statement::content_type_of(kind);
        let content = if enveloped {
            Content::HashEnvelope { content_type, location: None }
        } else {
            Content::Plain(content_type)
        };
        let payload = match (enveloped, kind) {
            (true, _) => vec![7; 32],
            (false, "admission-policy") => change.encode(),
            (false, _) => record(),
        };
        let aud = if stream.is_some() { Some(aud.unwrap_or_else(|| ORIGIN.to_owned())) } else { aud };
        let claims = Claims { iss, sub, aud, iat, stream, head: None };
        Draft { claims, content, payload, key: ed25519(key), break_signature }
    }
}

proptest! {
    #[test]
    fn every_change_is_read_back_as_it_was_written(change in any_change()) {
        let bytes = change.encode();
        let read = Change::parse(&bytes).unwrap();
        prop_assert_eq!(&read, &change);
        prop_assert_eq!(read.encode(), bytes);
    }

    #[test]
    fn every_change_has_a_view_and_is_read_back_from_it(change in any_change()) {
        let view = change.to_view();
        let read = Change::from_view(&view).unwrap();
        prop_assert_eq!(&read, &change);
        prop_assert_eq!(read.to_view(), view);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(change) = Change::parse(&bytes) {
            prop_assert_eq!(change.encode(), bytes);
        }
    }

    #[test]
    fn any_value_is_read_or_refused(value in any_value()) {
        let bytes = cbor::to_deterministic(&value);
        if let Ok(change) = Change::parse(&bytes) {
            prop_assert_eq!(change.encode(), bytes);
        }
    }

    #[test]
    fn a_change_with_one_byte_altered_is_another_or_none(change in any_change(), at in any::<prop::sample::Index>(), by in 1_u8..) {
        let mut bytes = change.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        if let Ok(other) = Change::parse(&bytes) {
            prop_assert_ne!(&other, &change);
            prop_assert_eq!(other.encode(), bytes);
        }
    }

    #[test]
    fn any_request_is_read_back(log in any_log()) {
        let request = GenesisRequest::new(log).unwrap();
        prop_assert_eq!(GenesisRequest::parse(&request.encode()).unwrap(), request);
    }

    #[test]
    fn any_text_is_a_request_or_is_refused(text in ".{0,200}") {
        if let Ok(request) = GenesisRequest::parse(&text) {
            prop_assert_eq!(GenesisRequest::parse(&request.encode()).unwrap(), request);
        }
    }

    /// Nothing a client sends reaches a panic, and judging twice gives the same answer.
    #[test]
    fn any_statement_is_judged(draft in any_statement(), clock in option::of(any::<i64>())) {
        let (policy, statement) = (policy(), draft.sign());
        let answer = policy.judge(&statement, clock);
        prop_assert_eq!(&policy.judge(&statement, clock), &answer);
        match answer {
            Ok(accepted) => {
                prop_assert!(!draft.break_signature);
                prop_assert_eq!(policy.rejudge(&statement, &accepted), Ok(accepted));
            }
            Err(refusal) => prop_assert!(!refusal.to_string().is_empty() && refusal.to_string().len() < 8192),
        }
        let _ = PolicyState::genesis(&statement);
        if let Ok(next) = policy.apply(LeafIndex::new(9), &statement) {
            prop_assert!(next.next_change().seq == policy.next_change().seq + 1);
        }
    }

    #[test]
    fn a_statement_with_one_byte_altered_is_never_admitted(at in any::<prop::sample::Index>(), by in 1_u8..) {
        let policy = policy();
        let mut entry = Draft::new().sign().entry().to_vec();
        let at = at.index(entry.len());
        entry[at] ^= by;
        if let Ok(statement) = SignedStatement::parse(&entry) {
            prop_assert!(policy.judge(&statement, Some(NOW)).is_err());
        }
    }
}
