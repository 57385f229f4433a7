//! Events as a real OPA writes them: about as large, with the same members.

use std::io::Write as _;
use std::ops::Range;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use govlog_agent::opa::{self, Group, RawGroup};
use govlog_agent::seal::Sealer;
use govlog_formats::cose::{Curve, SigningKey};
use govlog_formats::digest::Digest;
use govlog_formats::statement::{Claims, Content, SignedStatement, StatementHeader, StreamPosition, content_type_of};
use serde_json::json;

/// The id of an event's decision.
pub(crate) fn decision_id(instance: u8, number: u64) -> String {
    format!("{number:016x}-0000-4000-8000-{instance:012x}")
}

/// One event; every third is a deny, unless only permits are asked for.
pub(crate) fn body(instance: u8, number: u64, permits: bool) -> Vec<u8> {
    let event = json!({
        "labels": { "app": "ledger", "id": format!("load-{instance}"), "region": "eu-1", "version": "1.22.2" },
        "decision_id": decision_id(instance, number),
        "bundles": { "authz": { "revision": "r1" } },
        "path": "ledger/authz/decision",
        "input": {
            "action": { "name": "post" },
            "context": { "amount": number % 1_000, "currency": "EUR", "email": "masked" },
            "resource": { "id": format!("acct-{}", number % 100), "type": "account" },
            "subject": { "id": "spiffe://prod.example/pay", "type": "workload" },
        },
        "result": { "decision": permits || !number.is_multiple_of(3), "reasons": ["reader"] },
        "nd_builtin_cache": { "time.now_ns": { "[]": 1_795_320_442_574_130_055_u64 } },
        "erased": ["/input/context/session_token"],
        "masked": ["/input/context/email"],
        "requested_by": "127.0.0.1:39316",
        "timestamp": "2026-11-22T04:07:22.453324345Z",
        "metrics": { "counter_server_query_cache_hit": 1, "timer_rego_query_eval_ns": 244_565, "timer_server_handler_ns": 435_129 },
        "req_id": number,
        "request_context": { "http": { "headers": {
            "traceparent": ["00-328ba9705da8d36f7cbf1a370c62db5b-ab47c671e4aca5d5-01"],
            "x-forwarded-client-cert": ["By=spiffe://prod.example/pep/envoy;Hash=292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9;Subject=\"O=SPIRE,C=US\";URI=spiffe://prod.example/pay"],
            "x-request-id": [format!("{number:032x}")],
        } } },
    });
    event.to_string().into_bytes()
}

/// An upload of events.
pub(crate) fn upload(instance: u8, numbers: Range<u64>, permits: bool) -> anyhow::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"[")?;
    let first = numbers.start;
    for number in numbers {
        if number > first {
            encoder.write_all(b",")?;
        }
        encoder.write_all(&body(instance, number, permits))?;
    }
    encoder.write_all(b"]")?;
    Ok(encoder.finish()?)
}

/// How many decision statements one core signs in a second, the record ready.
pub(crate) fn signing_rate() -> anyhow::Result<f64> {
    let key = SigningKey::from_seed(Curve::Ed25519, &[7; 32])?;
    let group = Group::try_from(RawGroup::at("/ingest/opa/v1"))?;
    let mut random = || [7; 32];
    let draft = opa::decision(&body(0, 1, true), &group, Sealer::new(&mut random))?;
    let started = Instant::now();
    let (mut signed, mut prev) = (0, Digest::ZERO);
    while started.elapsed() < Duration::from_secs(1) {
        for _ in 0..64 {
            let claims = Claims {
                iss: "spiffe://prod.example/agent".into(),
                sub: draft.sub.clone().unwrap_or_default(),
                aud: Some("load.govlog.example".into()),
                iat: 1_795_320_442,
                stream: Some(StreamPosition { stream: "raw".into(), seq: signed, prev }),
                head: None,
            };
            let header = StatementHeader { content: Content::Plain(content_type_of(draft.kind)), claims };
            prev = SignedStatement::sign(&header, &draft.payload, &key)?.sig_structure_digest();
            signed += 1;
        }
    }
    Ok(signed as f64 / started.elapsed().as_secs_f64())
}
