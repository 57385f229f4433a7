//! What a verified record says, where a reader looks for it first: its kind's phrase, and of whose event it is.

use govlog_formats::record::{Body, Record, Recorded};
use govlog_formats::visible::visible;
use serde_json::{Map, Value, json};

use super::phrase::phrase;

/// Labels and values for people.
pub(super) fn lines(record: &Record) -> Vec<(&'static str, String)> {
    let Some(body) = record.body() else { return Vec::new() };
    let word = |path: &[&str]| word(&body.text(path));
    let mut lines = Vec::new();
    lines.extend(phrase(record));
    if record.kind() == "decision-batch" {
        lines.push(("batch", "each of its decisions is shown by a member proof, none stands here".to_owned()));
    }
    if let Recorded::Present(_) = body.at(&["source"]) {
        let (system, instance) = (word(&["source", "system"]), word(&["source", "instance"]));
        lines.push(("source", format!("{system} {instance}, event {}", word(&["source", "native_id"]))));
    }
    lines
}

/// What it says in a line, such as `permit: read account acct-5`.
pub(crate) fn summary(record: &Record) -> Option<String> {
    phrase(record).map(|(_, said)| said)
}

/// Members for programs. What is sealed or absent is left out.
pub(super) fn json(record: &Record) -> Map<String, Value> {
    let mut members = Map::new();
    let Some(body) = record.body() else { return members };
    if let Some((_, said)) = phrase(record) {
        members.insert("says".to_owned(), said.into());
    }
    if let Record::Decision(_) = record {
        let fields = [
            ("decision_id", &["decision_id"][..]),
            ("result", &["result"]),
            ("action", &["action", "name"]),
            ("resource_type", &["resource", "type"]),
            ("resource", &["resource", "id"]),
        ];
        members.insert("decision".to_owned(), present(body, fields));
    }
    if record.kind() == "decision-batch"
        && let Some(count) = body.uint(&["count"]).present()
    {
        members.insert("count".to_owned(), json!(count));
    }
    if let Recorded::Present(_) = body.at(&["source"]) {
        let fields = ["system", "instance", "native_id"];
        let paths = fields.map(|name| ["source", name]);
        let fields = fields.iter().zip(&paths).map(|(name, path)| (*name, &path[..]));
        members.insert("source".to_owned(), present(body, fields));
    }
    members
}

fn present<'p>(body: &Body, fields: impl IntoIterator<Item = (&'static str, &'p [&'p str])>) -> Value {
    let found =
        fields.into_iter().filter_map(|(name, path)| Some((name.to_owned(), json!(body.text(path).present()?))));
    Value::Object(found.collect())
}

/// A record's text on one line, whatever its issuer wrote.
fn word(text: &Recorded<&str>) -> String {
    match text {
        Recorded::Present(text) => visible(text),
        Recorded::Sealed(_) => "(sealed)".to_owned(),
        Recorded::Absent => "-".to_owned(),
    }
}
