//! Records and their JSON view, of every kind there is.

use std::path::Path;

use govlog_formats::cbor::{self, Value};
use govlog_formats::record::view::{from_json, parse_text, to_json};
use govlog_formats::record::{Handle, KINDS, Link, LinkTarget, Record, default_subject};
use serde_json::Value as Json;

use super::{choice, chosen};

/// One more than there are: of that one nothing is known.
fn kind(data: &[u8]) -> (&'static str, &[u8]) {
    let (number, rest) = choice(data, KINDS.len() + 1);
    (KINDS.get(number).copied().unwrap_or("unheard-of"), rest)
}

pub(super) fn check(data: &[u8]) -> bool {
    let (kind, payload) = kind(data);
    let record = Record::parse(kind, payload);
    match to_json(kind, payload) {
        Ok(view) => {
            assert_eq!(from_json(kind, &view).as_deref(), Ok(payload), "{kind}: another record after its view {view}");
            let text = view.to_string();
            assert_eq!(parse_text(&text).as_ref(), Ok(&view), "{kind}: another view after its text");
        }
        Err(error) => assert!(record.is_err(), "{kind}: a record without a view: {error}"),
    }
    let Ok(record) = record else { return false };
    assert_eq!(record.kind(), kind);
    let _ = default_subject(&record);
    if let Some(body) = record.body() {
        assert_eq!(cbor::to_deterministic(&Value::Map(body.pairs().to_vec())), payload);
        assert!(body.links().iter().all(|link| Link::from_value(&link.to_value()).as_ref() == Some(link)));
        assert!(body.handles().iter().all(|handle| Handle::from_value(&handle.to_value()).as_ref() == Some(handle)));
        let targets = body.links().into_iter().map(|link| link.target);
        assert!(targets.into_iter().all(|target| LinkTarget::from_value(&target.to_value()) == Some(target)));
    }
    true
}

/// View → CBOR → view is the identity.
pub(super) fn check_view(data: &[u8]) -> bool {
    let (kind, text) = kind(data);
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let Ok(view) = parse_text(text) else { return false };
    assert_eq!(serde_json::from_str::<Json>(text).ok().as_ref(), Some(&view), "read as another value than JSON is");
    let Ok(payload) = from_json(kind, &view) else { return false };
    cbor::check_deterministic(&payload).unwrap();
    assert_eq!(to_json(kind, &payload).as_ref(), Ok(&view), "{kind}: another view after its record");
    let _ = Record::parse(kind, &payload);
    true
}

/// The examples: kind and view.
fn examples() -> Vec<(&'static str, Json)> {
    let example = |kind: &&'static str| {
        let path = Path::new(crate::FORMATS).join("examples").join(format!("{kind}.json"));
        #[expect(clippy::disallowed_methods, reason = "a test reads its data")]
        let text = std::fs::read_to_string(path).ok()?;
        Some((*kind, parse_text(&text).unwrap()))
    };
    let examples: Vec<_> = KINDS.iter().filter_map(example).collect();
    assert!(examples.len() >= 6, "the examples are missing");
    examples
}

/// The examples: kind and payload.
pub(super) fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    examples().into_iter().map(|(kind, view)| (kind, from_json(kind, &view).unwrap())).collect()
}

fn number_of(kind: &str) -> usize {
    KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    payloads().into_iter().map(|(kind, payload)| chosen(number_of(kind), payload)).collect()
}

pub(super) fn view_seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        examples().into_iter().map(|(kind, view)| chosen(number_of(kind), view.to_string())).collect();
    let special = r#"{"v":1,"a":{"$float":"NaN"},"b":{"$int":"-18446744073709551616"},"c":{"$tag":1,"value":1.5},
        "d":{"$map":[[1,2],[[],null]]},"$$e":{"$bytes":"AAEC"},"f":[-1,1e300,0.1,true,"\u00e9\n"]}"#;
    seeds.push(chosen(number_of("unheard-of"), special));
    seeds
}
