//! Records whose issuer wishes the reader ill.

use serde_json::json;

use super::*;

const WORSE: [&str; 12] = [
    "</style></title><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "<svg onload=alert(1)>",
    "</text></svg><script>alert(1)</script>",
    "<!--",
    "]]>",
    "&lt;script&gt; &#x3c;script&#x3e; &nosuch;",
    "javascript:alert(1) http://evil.example/x.png",
    "\u{202e}txt.exe\u{2066}\u{200b}\u{feff}",
    "\u{1b}[2J\u{7}\u{0}\r\nVERIFIED",
    "\u{0627}\u{0644} \u{05e9}\u{05dc}\u{05d5}\u{05dd} a\u{300}\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}",
];

#[test]
fn what_records_say_never_becomes_markup() {
    let mut story = Story::begin();
    for text in WORSE {
        story.say(
            "decision",
            json!({
                "decision_id": text, "result": "permit", "subject": { "id": text }, "action": { "name": text }, "resource": { "type": text, "id": text },
                "context": { text: { "again": [text, { "deep": text }] } }, "trace_id": text,
            }),
        );
        story.say(
            "delegation",
            json!({ "delegator": { "id": text }, "delegate": { "id": text }, "scope": [text], "purpose": text }),
        );
        story.say("approval", json!({ "type": "change", "approved": { "payload": "11".repeat(32) }, "decision": "reject", "approver": text }));
        story.say(
            "revocation",
            json!({ "target_type": "policy", "target": { "id": text }, "effective_ms": u64::MAX, "reason": text }),
        );
        story.say("finding", json!({ "check": text, "verdict": "failed", "entries": [], "auditor": text, "links": [{ "rel": text, "target": { "handle": [text, text] } }] }));
        story.add("text/plain", text.as_bytes());
    }
    let mut contents = story.contents(story.log.size());
    contents.starts = contents.entries.keys().copied().map(Into::into).collect();
    contents.query.entries = contents.starts.iter().map(|index| crate::custody::id(*index)).collect();
    contents.query.search = [("subject".to_owned(), WORSE.iter().map(|text| (*text).to_owned()).collect())].into();
    contents.collector = Some(WORSE.concat());
    contents.purpose = Some(WORSE.concat());
    let verdict = verify(&story.trust, WORSE[0], &contents.write().unwrap().0, &[]);
    let page = page(&verdict);
    let elements = markup::check(&page);
    let main = &elements.iter().find(|element| element.tag == "main").unwrap().text;
    // It is all there to be read, as text.
    for text in [
        "</style></title><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "&lt;script&gt; &#x3c;script&#x3e; &nosuch;",
    ] {
        assert!(main.contains(text), "{text}");
    }
    assert!(main.contains("\\u{202e}txt.exe\\u{2066}") && main.contains("\\u{1b}[2J\\u{7}\\u{0}\\u{d}\\u{a}VERIFIED"));
    assert!(!page.contains("<script") && !page.contains("<img"));
    for c in ['\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}', '\u{1b}', '\0', '\r'] {
        assert!(!page.contains(c), "{c:?}");
    }
    assert!(main.contains("\u{05e9}\u{05dc}\u{05d5}\u{05dd}"), "letters of every script stay");
}

/// Whatever CBOR stands where a record is expected, there is a page of it.
#[test]
fn payloads_of_any_shape_have_their_page() {
    use govlog_formats::cbor::{Value, to_deterministic};
    let mut deep = Value::Null;
    for _ in 0..10 {
        deep = Value::Array(vec![deep, Value::Map(vec![("k".into(), Value::Array(vec![]))])]);
    }
    let odd = [
        ("deep", deep),
        ("float", Value::Float(f64::NAN)),
        ("tag", Value::Tag(2, Box::new(Value::Bytes(vec![1])))),
        ("long", Value::Text("x".repeat(20_000))),
        ("bytes", Value::Bytes(vec![0xff; 300])),
        ("many", Value::Array((0..500).map(Value::from).collect())),
        ("key", Value::Map(vec![(Value::from(-5), Value::Bool(false))])),
        ("far_ms", Value::from(u64::MAX)),
        ("negative_ms", Value::from(-1)),
    ];
    let mut story = Story::begin();
    for (name, value) in odd {
        let pairs = [("v", 1.into()), ("event_ms", 1.into()), (name, value)];
        let map = Value::Map(pairs.into_iter().map(|(name, value)| (name.into(), value)).collect());
        // None of these is a decision: fields are missing.
        story.add("decision", &to_deterministic(&map));
    }
    let elements = markup::check(&page(&judge(&story)));
    let rows: Vec<&str> =
        elements.iter().filter(|element| element.tag == "tr").map(|element| element.text.as_str()).collect();
    for words in [
        "NaN",
        "(20000 bytes in all)",
        "300 bytes, SHA-256",
        "and 436 more",
        "key.24",
        "18446744073709551615 ms after 1970",
        "negative_ms",
    ] {
        assert!(rows.iter().any(|row| row.contains(words)), "{words}");
    }
}
