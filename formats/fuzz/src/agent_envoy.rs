//! What must hold of the parsers of what the agent reads itself: lines of an access log, and files of credentials.

use std::path::Path;

use govlog_formats::record::Record;

use crate::credentials::observation::{Sight, observation};
use crate::credentials::read::read;
use crate::envoy::effect::{Known, effect};
use crate::envoy::table::{Envoy, Names, RawEnvoy};
use crate::opa::decision::MAX_PAYLOAD_BYTES;
use crate::seal::{Draft, Sealer};
use crate::target::{choice, chosen};

const ISS: &str = "spiffe://prod.example/govlog-agent";

/// A line, or a file by the end of its name.
pub(crate) fn check(data: &[u8]) -> bool {
    match choice(data, 5) {
        (0, line) => an_effect(line, false),
        (1, line) => an_effect(line, true),
        (2, file) => observations("svid.pem", file),
        (3, file) => observations("svid.jwt", file),
        (_, file) => observations("svid.json", file),
    }
}

fn an_effect(line: &[u8], seal_path: bool) -> bool {
    let envoy = envoy(seal_path);
    let known = Known { decisions: vec!["d-1".to_owned()], ..Known::default() };
    let mut random = salts();
    let Ok(draft) = effect(line, &known, &envoy, ISS, Sealer::new(&mut random)) else { return false };
    holds(&draft);
    assert_eq!(draft.sub.as_deref(), Some(envoy.performer.as_str()), "filed under another than who acted");
    true
}

fn observations(name: &str, file: &[u8]) -> bool {
    let Ok(found) = read(name, file) else { return false };
    for seen in found {
        let sight = serde_json::to_vec(&Sight { seen, at: name.to_owned(), seen_ms: 1 }).unwrap();
        let mut random = salts();
        // What could be read can be recorded.
        let draft = observation(&sight, "pay", ISS, Sealer::new(&mut random)).unwrap();
        holds(&draft);
        assert!(draft.sub.is_some());
    }
    true
}

/// What is made is a record that fits an entry, and all its openings open something.
fn holds(draft: &Draft) {
    assert!(draft.payload.len() <= MAX_PAYLOAD_BYTES);
    Record::parse(draft.kind, &draft.payload).unwrap();
    for opening in &draft.openings {
        let sealed = opening.opening.seal();
        let found = draft.payload.windows(32).any(|bytes| bytes == sealed.digest.as_bytes());
        assert!(found, "{} opens nothing in the record", opening.path);
    }
}

fn salts() -> impl FnMut() -> [u8; 32] {
    let mut salt = 0;
    move || {
        salt += 1;
        [salt; 32]
    }
}

fn envoy(seal_path: bool) -> Envoy {
    let raw = RawEnvoy {
        name: "edge-1".to_owned(),
        log: "access.jsonl".into(),
        node: "envoy-1".to_owned(),
        performer: "spiffe://prod.example/pep/envoy".to_owned(),
        settle_s: 15,
        settle_most_s: None,
        join_s: 900,
        decided_by: None,
        documents: "/v1/data/".to_owned(),
        no_decision: Vec::new(),
        seal_path,
        line_kib: 64,
        fields: Names::default(),
    };
    Envoy::new(raw, Path::new("/")).unwrap()
}

const LINE: &str = r#"{"authority":"ledger:8443","code":200,"flags":"-","method":"POST","path":"/v1/a?b=c","duration":7,
"peer_s256":"292c42db8692942a23f02804e23af6428631ef7f49c167e7f37129a3b6c8f9e9","peer_serial":"ee88e40f279f6b6a","grpc_status":"OK",
"peer_uri":"spiffe://prod.example/pay","request_id":"8b6d16e1-c891-45fe-b522-fe7839b21280","start":"1795320442.320","details":"via_upstream",
"traceparent":"00-ea14909597914eb3d7aedafa12547af1-178d787462803128-01"}"#;

/// A token of no value: its signature is none.
const TOKEN: &str =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsifQ.eyJzdWIiOiJzcGlmZmU6Ly9hL2IiLCJhdWQiOlsiYyJdLCJleHAiOjE3OTUzMjA3NDB9.AAAA";

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let certificate = include_bytes!("../../../client/agent/tests/data/capture/spire/pay-1.pem");
    let bundle = include_bytes!("../../../client/agent/tests/data/capture/spire/bundle.pem");
    let printed = format!(r#"[{{"svids":[{{"svid":"{TOKEN}"}}]}},{{"bundles":{{"spiffe://prod.example":"e30="}}}}]"#);
    vec![
        chosen(0, LINE),
        chosen(1, LINE.replace("1795320442.320", "2026-11-22T04:07:22.320Z")),
        chosen(2, certificate),
        chosen(2, bundle),
        chosen(3, TOKEN),
        chosen(4, printed),
    ]
}
