//! `timeline.jsonl`: what the entries say, one line each, in the order of the times that they claim.
//!
//! Rendered from the entries and the disclosed values alone, and rendered again by every verifier, so its bytes belong to the format's version:
//! they must not follow from tables or libraries that change. Therefore everything is written here, down to the JSON.

use std::fmt::Write as _;

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::merkle::leaf_hash;
use govlog_formats::record::sealed::Sealed;
use govlog_formats::statement::SignedStatement;

use super::super::relations::Spot;

/// Longer byte strings are named by their digest: what they hold is in the entry.
const MAX_BYTES: usize = 64;

/// One line's matter: an entry, or a member of one, and the values that are disclosed of it, by their paths.
pub(super) struct Told<'a> {
    pub(super) spot: Spot,
    /// Of a member, that of its batch.
    pub(super) statement: &'a SignedStatement,
    /// The record of a member.
    pub(super) member: Option<&'a [u8]>,
    pub(super) opened: Vec<(String, Value)>,
}

/// Renders the timeline.
pub(super) fn render(entries: &[Told<'_>]) -> Vec<u8> {
    let mut lines: Vec<(u64, Spot, String)> = entries
        .iter()
        .map(|told| {
            let record = record(told.statement, told.member);
            let at = claimed_ms(told.statement, record.as_ref());
            (at, told.spot, line(told, at, record.as_ref()))
        })
        .collect();
    lines.sort_unstable();
    lines.into_iter().map(|(_, _, line)| line + "\n").collect::<String>().into_bytes()
}

/// When it happened, as claimed: the record's own time, else when it was signed.
pub(in crate::custody) fn claimed_ms(statement: &SignedStatement, record: Option<&Value>) -> u64 {
    let event = record.and_then(Value::as_map).and_then(|pairs| {
        pairs.iter().find(|(key, _)| key.as_text() == Some("event_ms")).and_then(|(_, value)| value.as_integer())
    });
    let event = event.and_then(|at| u64::try_from(at).ok());
    event.unwrap_or_else(|| u64::try_from(statement.claims().iat).unwrap_or_default().saturating_mul(1000))
}

/// The payload, or the record of a member, where it is a map of deterministic CBOR.
pub(in crate::custody) fn record(statement: &SignedStatement, member: Option<&[u8]>) -> Option<Value> {
    let own = Some(statement.payload()).filter(|_| !statement.is_hash_envelope());
    govlog_formats::cbor::parse(member.or(own)?).ok().filter(Value::is_map)
}

fn line(told: &Told<'_>, at_ms: u64, record: Option<&Value>) -> String {
    let (claims, statement) = (told.statement.claims(), told.statement);
    let mut out = Json::default();
    out.member("time", |out| out.text(&utc(at_ms)));
    out.member("id", |out| out.text(&told.spot.to_string()));
    out.member("kind", |out| out.text(if told.member.is_some() { "decision" } else { statement.kind() }));
    out.member("iss", |out| out.text(&claims.iss));
    // A member's subject stands in its record.
    if told.member.is_none() {
        out.member("sub", |out| out.text(&claims.sub));
    }
    out.member("iat", |out| out.raw(&claims.iat.to_string()));
    if let Some(position) = claims.stream.as_ref().filter(|_| told.member.is_none()) {
        out.member("stream", |out| out.text(&position.stream));
        out.member("seq", |out| out.raw(&position.seq.to_string()));
    }
    let leaf = told.member.map_or_else(|| statement.leaf_hash(), leaf_hash);
    out.member("leaf", |out| out.text(&leaf.to_string()));
    match record {
        Some(record) => out.member("record", |out| out.value(record)),
        None => out.member("payload", |out| out.long_bytes(statement.payload())),
    }
    for (at, (path, value)) in told.opened.iter().enumerate() {
        if at == 0 {
            out.member("opened", |out| out.raw("{"));
        }
        out.member(&doubled(path), |out| out.value(value));
    }
    if !told.opened.is_empty() {
        out.raw("}");
    }
    out.raw("}");
    out.0
}

/// JSON in ASCII, member by member.
#[derive(Default)]
struct Json(String);

impl Json {
    fn member(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        let sign = match self.0.chars().last() {
            None => "{",
            Some('{') => "",
            Some(_) => ",",
        };
        self.raw(sign);
        self.text(name);
        self.raw(":");
        value(self);
    }

    fn raw(&mut self, text: &str) {
        self.0.push_str(text);
    }

    /// What is not printable ASCII is escaped: whatever an issuer wrote, no terminal obeys it.
    fn text(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                ' '..='~' => self.0.push(c),
                c => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        // Writing to a string cannot fail.
                        write!(self.0, "\\u{unit:04x}").ok();
                    }
                }
            }
        }
        self.0.push('"');
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Integer(number) => self.raw(&i128::from(*number).to_string()),
            Value::Bool(value) => self.raw(if *value { "true" } else { "false" }),
            Value::Null => self.raw("null"),
            Value::Text(text) => self.text(text),
            // Its bits: how a number is printed is a library's to change.
            Value::Float(number) => self.wrapped("$float", |out| out.text(&format!("{:016x}", number.to_bits()))),
            Value::Bytes(bytes) if bytes.len() <= MAX_BYTES => self.wrapped("$hex", |out| out.text(&hex(bytes))),
            Value::Bytes(bytes) => self.long_bytes(bytes),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.raw(if at == 0 { "[" } else { "," });
                    self.value(item);
                }
                self.raw(if items.is_empty() { "[]" } else { "]" });
            }
            Value::Map(pairs) => {
                self.raw("{");
                for (key, value) in pairs {
                    let name = key.as_text().map_or_else(|| format!("$key {}", hex(&to_deterministic(key))), doubled);
                    self.member(&name, |out| out.value(value));
                }
                self.raw("}");
            }
            Value::Tag(tag, inner) => match Sealed::from_value(value) {
                Ok(sealed) => self.wrapped("$sealed", |out| out.text(&sealed.digest.to_string())),
                Err(_) => self.wrapped(&format!("$tag {tag}"), |out| out.value(inner)),
            },
            _ => self.raw("null"),
        }
    }

    fn wrapped(&mut self, name: &str, value: impl FnOnce(&mut Self)) {
        self.raw("{");
        self.member(name, value);
        self.raw("}");
    }

    fn long_bytes(&mut self, bytes: &[u8]) {
        self.wrapped("$bytes", |out| out.raw(&bytes.len().to_string()));
        // Reopened for the second member.
        self.0.pop();
        self.member("$sha256", |out| out.text(&Digest::sha256(bytes).to_string()));
        self.raw("}");
    }
}

/// "a text key that begins with `$` gets a second `$`" (records.md §1): with one begins only what is written here.
fn doubled(key: &str) -> String {
    if key.starts_with('$') { format!("${key}") } else { key.to_owned() }
}

pub(in crate::custody) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// POSIX milliseconds as UTC, by the calendar's own rule; beyond the year 9999 as the number.
pub(in crate::custody) fn utc(at_ms: u64) -> String {
    let (days, ms) = (at_ms / 86_400_000, at_ms % 86_400_000);
    // Counted from the first of March of the year 0, in spans of 400 years of 146,097 days.
    let days = days + 719_468;
    let (span, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let month_of_year = if month < 10 { month + 3 } else { month - 9 };
    let year = span * 400 + year + u64::from(month_of_year <= 2);
    if year > 9_999 {
        return at_ms.to_string();
    }
    let (hour, minute, second, ms) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month_of_year:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for second in (0..253_402_300_799_u64).step_by(86_400 * 37 + 12_345) {
            let expected = crate::time::utc(second).replace('Z', ".007Z");
            assert_eq!(utc(second * 1000 + 7), expected);
        }
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(253_402_300_800_000), "253402300800000");
    }

    #[test]
    fn whatever_an_issuer_wrote_is_one_line_of_ascii_json() {
        let value = Value::Map(vec![
            ("t\"\\\n\u{202e}😀".into(), Value::Array(vec![1.into(), Value::Null, Value::Array(vec![])])),
            ("b".into(), Value::Bytes(vec![0xab; 3])),
            ("l".into(), Value::Bytes(vec![0; 65])),
            ("f".into(), Value::Float(1.5)),
            ("x".into(), Value::Tag(2, Box::new(Value::Bytes(vec![1])))),
        ]);
        let mut out = Json::default();
        out.value(&value);
        assert!(out.0.is_ascii() && !out.0.contains('\n'));
        let read: serde_json::Value = serde_json::from_str(&out.0).unwrap();
        assert_eq!(read["t\"\\\n\u{202e}😀"], serde_json::json!([1, null, []]));
        assert_eq!(read["b"], serde_json::json!({ "$hex": "ababab" }));
        assert_eq!(read["l"]["$bytes"], 65);
        assert_eq!(read["f"], serde_json::json!({ "$float": "3ff8000000000000" }));
        assert_eq!(read["x"], serde_json::json!({ "$tag 2": { "$hex": "01" } }));
    }

    #[test]
    fn no_key_of_an_issuer_reads_like_what_is_written_here() {
        let marked = |key: Value| Value::Map(vec![(key, "x".into())]);
        let printed = |value: &Value| {
            let mut out = Json::default();
            out.value(value);
            out.0
        };
        assert_eq!(printed(&marked("$sealed".into())), r#"{"$$sealed":"x"}"#);
        assert_eq!(printed(&marked("$$sealed".into())), r#"{"$$$sealed":"x"}"#);
        assert_eq!(printed(&marked(1.into())), r#"{"$key 01":"x"}"#);
        assert_eq!(printed(&marked("01".into())), r#"{"01":"x"}"#);
        assert_eq!(printed(&marked("$key 01".into())), r#"{"$$key 01":"x"}"#);
    }
}
