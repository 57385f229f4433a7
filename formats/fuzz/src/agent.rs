//! What must hold of the agent's parsers, whatever a source sends.

use std::sync::Arc;
use std::time::Duration;

use ciborium::Value;
use govlog_client::openings::{FieldOpening, Openings};
use govlog_formats::record::Record;
use govlog_formats::record::sealed::Opening;

use crate::adapter::{Adapter as _, Kept};
use crate::json::{self, Object, Pointer};
use crate::opa::bundle::{Signer, SignerKey, verify};
use crate::opa::decision::{MAX_PAYLOAD_BYTES, client};
use crate::opa::watch::{Memory, Now, Terms};
use crate::opa::xfcc::client_of;
use crate::opa::{Element, Group, Limits, OpaAdapter, RawGroup, Status, decision, read, status, unpack};
use crate::outbox::Content;
use crate::seal::Sealer;
use crate::target::{Target, choice, chosen};

/// The agent's parsers.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "agent_json", check: check_json, seeds: json_seeds },
    Target { name: "agent_opa", check: check_opa, seeds: opa_seeds },
    Target { name: "agent_spire", check: crate::agent_spire::check, seeds: crate::agent_spire::seeds },
    Target { name: "agent_envoy", check: crate::agent_envoy::check, seeds: crate::agent_envoy::seeds },
];

/// JSON that is read without being built, a pointer in front of it on the first line.
fn check_json(data: &[u8]) -> bool {
    let (first, rest) = data.split_at(data.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let pointer = std::str::from_utf8(first).ok().and_then(|text| Pointer::parse(text).ok());
    let Ok(raw) = json::value(rest) else { return false };
    let value: serde_json::Value = match serde_json::from_str(raw.get()) {
        Ok(value) => value,
        // One that builds a value is stopped by its own depth, and by numbers no float can hold.
        Err(_) => return false,
    };
    let found = pointer.map(|pointer| (pointer.find(raw), value.pointer(pointer.as_str())));
    if let Some((Ok(found), theirs)) = found {
        let found = found.map(|found| serde_json::from_str::<serde_json::Value>(found.get()).unwrap());
        assert_eq!(found.as_ref(), theirs, "another value than a reader of JSON finds");
    }
    let digest = json::canonical_digest(raw);
    assert_eq!(json::canonical_digest_without(raw, &[]), digest);
    if let (Ok(object), Ok(digest)) = (Object::parse(raw), digest) {
        let all = object.select(|_| true);
        let all = json::value(&all).unwrap();
        assert_eq!(json::canonical_digest(all).unwrap(), digest, "the digest hangs on spaces");
        assert_eq!(object.members().count(), Object::parse(all).unwrap().members().count());
    }
    true
}

fn check_opa(data: &[u8]) -> bool {
    let limits = Limits { upload_bytes: 1 << 16, unpacked_bytes: 1 << 18, event_bytes: 1 << 15, events: 64 };
    match choice(data, 6) {
        (0, body) => upload(None, body, &limits),
        (1, body) => upload(Some("gzip"), body, &limits),
        (2, body) => status(body).is_ok_and(|status| compared(&status)),
        (3, header) => std::str::from_utf8(header).is_ok_and(forwarded),
        (5, archive) => bundle(archive),
        (_, document) => Openings::decode(document).is_ok_and(|openings| {
            assert_eq!(openings.encode().as_deref(), Ok(document), "written as it was read");
            true
        }),
    }
}

fn upload(encoding: Option<&str>, body: &[u8], limits: &Limits) -> bool {
    let Ok(unpacked) = unpack(encoding, body, limits) else { return false };
    assert!(unpacked.len() <= limits.unpacked_bytes);
    let Ok(upload) = read(&unpacked, limits) else { return false };
    assert!(upload.elements.len() <= limits.events);
    let group = group();
    for element in &upload.elements {
        let Element::Event(event) = element else { continue };
        assert!(event.bytes.len() <= limits.event_bytes);
        let mut salt = 0;
        let mut random = || {
            salt += 1;
            [salt; 32]
        };
        let _ = client(event.bytes, &group);
        let Ok(draft) = decision(event.bytes, &group, Sealer::new(&mut random)) else { continue };
        assert!(draft.payload.len() <= MAX_PAYLOAD_BYTES);
        // What is made of an event is a record, whatever was in it.
        Record::parse(draft.kind, &draft.payload).unwrap();
        for opening in &draft.openings {
            let sealed = opening.opening.seal();
            let found = draft.payload.windows(32).any(|bytes| bytes == sealed.digest.as_bytes());
            assert!(found, "{} opens nothing in the record", opening.path);
        }
    }
    true
}

/// A status compared with nothing, and then with itself.
fn compared(status: &Status) -> bool {
    assert!(!status.instance.is_empty());
    let terms = Terms { activations: true, silent_after: Duration::from_secs(900) };
    let now = Now { ms: 1_795_320_441_000, event_ms: None, unnamed_ms: None, began_ms: 1_795_320_441_000 };
    let (memory, told) = Memory::next(None, status, now, terms);
    assert_eq!(Memory::read(&memory.write().unwrap()).as_ref(), Some(&memory));
    let adapter = OpaAdapter::new(group(), Arc::default());
    for told in told {
        let arrival = told.arrival().unwrap();
        let Content::Formed { form, bytes } = &arrival.content else { panic!("what was told has a form") };
        let kept = Kept { instance: &arrival.instance, form, received_ms: 1_795_320_441_000, bytes };
        let mut random = || [7; 32];
        // Names may be too long for a record; what is one is well formed.
        if let Ok(draft) = adapter.draft(&kept, Sealer::new(&mut random)) {
            Record::parse(draft.kind, &draft.payload).unwrap();
        }
    }
    let (again, told) = Memory::next(Some(&memory), status, now, terms);
    assert!(told.is_empty(), "the same status told something again: {told:?}");
    assert_eq!(again, memory);
    true
}

/// A bundle, packed or not: what is not packed is, so that a fuzzer gets through to the archive.
fn bundle(archive: &[u8]) -> bool {
    let packed = if archive.starts_with(&[0x1f, 0x8b]) { archive.to_vec() } else { packed(archive) };
    let signer = Signer { key: SignerKey::from_pem(SIGNER).unwrap(), key_id: None, scope: String::new() };
    match verify(&packed, &signer) {
        Ok(verified) => {
            // Nobody but the signer makes another policy.
            assert!(POLICIES.contains(&verified.policy_digest.to_string().as_str()));
            assert!(matches!(verified.revision.as_deref(), Some("r1" | "r2")));
            true
        }
        Err(error) => {
            assert!(error.to_string().len() < 500, "a reason that is no sentence");
            false
        }
    }
}

fn forwarded(header: &str) -> bool {
    let trusted = [TRUSTED.to_owned()];
    client_of(&[header], &trusted).is_ok_and(|client| {
        assert_eq!(client.by, TRUSTED);
        true
    })
}

const SIGNER: &str = include_str!("../../../client/agent/tests/data/capture/opa/bundle-signer.pub.pem");
const BUNDLES: [&[u8]; 2] = [
    include_bytes!("../../../client/agent/tests/data/capture/opa/authz-r1.tar.gz"),
    include_bytes!("../../../client/agent/tests/data/capture/opa/authz-r2.tar.gz"),
];
/// The digests of their policies.
const POLICIES: [&str; 2] = [
    "48a136177af11d78d40939c5571d1bdd5abd0f2b50749f2ea124a46ba47684dd",
    "2171225426bf7fc7f626286c86109471b901cff17b7011cc244fde3bdebd731b",
];

const TRUSTED: &str = "spiffe://prod.example/pep/envoy";

fn group() -> Group {
    Group::try_from(RawGroup { xfcc_from: vec![TRUSTED.to_owned()], ..RawGroup::at("/ingest/opa/v1") }).unwrap()
}

const EVENT: &str = r#"{"labels":{"id":"opa-1","version":"1.9.0"},"decision_id":"d-1","path":"authz/allow",
"timestamp":"2026-11-20T10:00:00.123456789Z","input":{"subject":{"id":"spiffe://prod.example/pay","type":"workload"},
"action":{"name":"read"},"resource":{"id":"acct-5","type":"account"}},"result":true,"erased":["/input/secret"],
"bundles":{"authz":{"revision":"r1"}},"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#;

const STATUS: &str = r#"{"labels":{"id":"opa-1"},"bundles":{"authz":{"active_revision":"r1"}},
"metrics":{"prometheus":{"counter_decision_logs_dropped_rate_limit_exceeded":3}},"decision_logs":{"code":"x","http_code":500}}"#;

fn json_seeds() -> Vec<Vec<u8>> {
    vec![
        format!("/input/subject/id\n{EVENT}").into_bytes(),
        b"/a~1b/0\n{\"a/b\": [1.0, \"\\u00e9\\ud83d\\ude00\", null, -0, 1e5], \"b\": {}}".to_vec(),
    ]
}

fn opa_seeds() -> Vec<Vec<u8>> {
    let uploads = [
        chosen(0, format!("[{EVENT},{{}},1]")),
        chosen(2, STATUS),
        chosen(3, format!(r#"By={TRUSTED};Hash={};URI="spiffe://prod.example/pay""#, "0a".repeat(32))),
    ];
    let opening = Opening { salt: [7; 32], value: Value::Array(vec![1.into(), "a".into()]) };
    let openings = Openings::new("decision", vec![FieldOpening { path: "input".to_owned(), opening }]);
    let more = [chosen(1, packed(format!("[{EVENT}]").as_bytes())), chosen(4, openings.encode().unwrap())];
    let unpacked = |bundle: &[u8]| unpack(Some("gzip"), bundle, &Limits::default()).unwrap().into_owned();
    let bundles = BUNDLES.iter().flat_map(|bundle| [chosen(5, bundle), chosen(5, unpacked(bundle))]);
    uploads.into_iter().chain(more).chain(bundles).collect()
}

/// Packs as gzip does.
fn packed(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
