//! A record's fields, one row each: its name, what that means, and the value in words.
//!
//! The states that a reader must tell apart are told apart: present, sealed, disclosed here, destroyed; what is not recorded has no row.

use ciborium::Value;
use govlog_formats::cbor::to_deterministic;
use govlog_formats::digest::Digest;
use govlog_formats::record::sealed::Sealed;
use govlog_formats::record::{Handle, LinkTarget, about_field};

use super::super::file::Place;
use super::super::file::timeline::hex;
use super::html::Html;
use super::matter::{Matter, Told, link};
use super::words::time_ms;
use crate::openings::{Field, State};

/// Longer byte strings are named by their digest, unless they are text.
const MAX_HEX: usize = 64;
/// Longer texts are cut: the whole stands in the entry.
const MAX_TEXT: usize = 4_096;
/// Lists of more than this many plain values are cut too.
const MAX_ITEMS: usize = 64;

/// Writes the table of an entry's fields.
pub(super) fn fields(html: &mut Html, matter: &Matter<'_>, told: &Told<'_>) {
    let statement = told.held.entry.statement();
    let Some(Value::Map(pairs)) = &told.map else {
        html.plain("p", |html| {
            if statement.is_hash_envelope() {
                html.words("Logged is only a digest of the content, ");
                html.code(&hex(statement.payload()));
                if let Some(location) = statement.payload_location() {
                    html.words("; it is said to be at ");
                    html.said(location);
                }
            } else {
                html.words(&format!("{} bytes of another form, SHA-256 ", statement.payload().len()));
                html.code(&Digest::sha256(statement.payload()).to_string());
            }
        });
        return;
    };
    html.of("table", "fields", |html| {
        html.plain("caption", |html| html.words(&format!("What entry {} says", told.id())));
        html.plain("thead", |html| {
            html.plain("tr", |html| {
                html.element("th", &[("scope", "col")], |html| html.words("Field"));
                html.element("th", &[("scope", "col")], |html| html.words("Value"));
            });
        });
        html.plain("tbody", |html| {
            let mut rows = Rows { html, matter, told, keys: Vec::new() };
            rows.map(pairs, "");
        });
    });
}

struct Rows<'r, 'c> {
    html: &'r mut Html,
    matter: &'r Matter<'c>,
    told: &'r Told<'c>,
    /// The keys that lead here, without positions in lists.
    keys: Vec<String>,
}

impl Rows<'_, '_> {
    fn map(&mut self, pairs: &[(Value, Value)], path: &str) {
        // That the schema is the first one says nothing to a reader.
        for (key, value) in pairs.iter().filter(|(key, _)| !path.is_empty() || key.as_text() != Some("v")) {
            let name = key.as_text().map_or_else(|| hex(&to_deterministic(key)), str::to_owned);
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.keys.push(name);
            self.value(value, &path);
            self.keys.pop();
        }
    }

    fn value(&mut self, value: &Value, path: &str) {
        if let Ok(sealed) = Sealed::from_value(value) {
            return self.sealed(&sealed, path);
        }
        if self.is_one_value(value) {
            let name = self.keys.last().cloned().unwrap_or_default();
            let matter = self.matter;
            return self.row(path, |html| plain(html, matter, &name, value));
        }
        match value {
            Value::Map(pairs) => self.map(pairs, path),
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.value(item, &format!("{path}[{at}]"));
                }
            }
            // Another tag than that of sealed values.
            Value::Tag(_, inner) => self.value(inner, path),
            _ => {}
        }
    }

    /// What is shown in one cell: everything but maps, and lists with maps or sealed values in them.
    fn is_one_value(&self, value: &Value) -> bool {
        match value {
            Value::Map(pairs) => pairs.is_empty() || LinkTarget::from_value(value).is_some(),
            Value::Array(items) => {
                self.is_pair(value) || items.iter().all(|item| !item.is_map() && !item.is_array() && !item.is_tag())
            }
            Value::Tag(..) => false,
            _ => true,
        }
    }

    /// A handle, or a digest with the name of its algorithm.
    fn is_pair(&self, value: &Value) -> bool {
        self.keys.last().is_some_and(|name| name == "handle") && Handle::from_value(value).is_some()
    }

    fn sealed(&mut self, sealed: &Sealed, path: &str) {
        let (told, matter) = (self.told, self.matter);
        let field = told.held.fields.iter().find(|field| field.path == path && field.sealed == *sealed);
        if let Some(Field { state: State::Opened(value), .. }) = field {
            let file = Place::Openings(told.held.leaf()).name();
            let is_one = self.is_one_value(value);
            let name = self.keys.last().cloned().unwrap_or_default();
            self.row(path, |html| {
                if is_one {
                    plain(html, matter, &name, value);
                }
                html.of("p", "state", |html| {
                    html.of("span", "badge", |html| html.words("disclosed"));
                    html.words(" sealed in the log as ");
                    html.code(&sealed.digest.to_string());
                    html.words("; opened by ");
                    html.code(&file);
                    html.words(", which hashes to that");
                });
            });
            if !is_one {
                self.value(value, path);
            }
            return;
        }
        let pointer = field.map(|field| field.pointer.as_str()).unwrap_or_default();
        let destroyed = matter.redactions(told.spot).find(|(redacted, _)| redacted.covers(pointer));
        self.row(path, |html| {
            html.of("p", "state", |html| {
                html.of("span", "badge", |html| html.words(if destroyed.is_some() { "destroyed" } else { "sealed" }));
                html.words(" commitment ");
                html.code(&sealed.digest.to_string());
                if let Some((redacted, by)) = destroyed {
                    html.words("; what opened it was destroyed: ");
                    html.said(&redacted.why());
                    if let Some(by) = by {
                        html.words(", in ");
                        link(html, by);
                    }
                }
            });
        });
    }

    fn row(&mut self, path: &str, cell: impl FnOnce(&mut Html)) {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let about = about_field(self.told.kind(), &keys);
        self.html.plain("tr", |html| {
            html.element("th", &[("scope", "row")], |html| {
                html.of("span", "path", |html| html.said(path));
                if let Some(about) = about {
                    html.of("span", "about", |html| html.words(about));
                }
            });
            html.plain("td", cell);
        });
    }
}

/// Writes a value that fits a cell.
fn plain(html: &mut Html, matter: &Matter<'_>, name: &str, value: &Value) {
    match value {
        Value::Text(text) => long(html, text),
        Value::Integer(number) => match u64::try_from(*number) {
            Ok(at_ms) if name.ends_with("_ms") => time_ms(html, at_ms),
            _ => html.words(&i128::from(*number).to_string()),
        },
        Value::Float(number) => html.words(&format!("{number:?}")),
        Value::Bool(value) => html.words(if *value { "true" } else { "false" }),
        Value::Bytes(bytes) => self::bytes(html, bytes),
        Value::Map(_) => target(html, matter, value),
        Value::Array(items) => match (name, Handle::from_value(value), items.as_slice()) {
            ("handle", Some(handle), _) => html.said(&handle.to_string()),
            (_, _, [Value::Text(scheme), Value::Bytes(digest)]) => {
                html.said(scheme);
                html.words(" ");
                html.code(&hex(digest));
            }
            (_, _, []) => html.words("none"),
            (_, _, items) => {
                for (at, item) in items.iter().take(MAX_ITEMS).enumerate() {
                    html.words(if at == 0 { "" } else { ", " });
                    plain(html, matter, name, item);
                }
                if items.len() > MAX_ITEMS {
                    html.words(&format!(" and {} more", items.len() - MAX_ITEMS));
                }
            }
        },
        Value::Null => html.words("null"),
        _ => html.words("a value of another form"),
    }
}

fn target(html: &mut Html, matter: &Matter<'_>, value: &Value) {
    match LinkTarget::from_value(value) {
        Some(LinkTarget::Handle(handle)) => html.said(&handle.to_string()),
        Some(LinkTarget::Entry(leaf)) => entry(html, matter, &leaf),
        Some(LinkTarget::LogRef { origin, index, leaf }) => {
            html.words(&format!("entry {index} of "));
            html.said(&origin);
            html.words(", ");
            entry(html, matter, &leaf);
        }
        None => html.words("empty"),
    }
}

fn entry(html: &mut Html, matter: &Matter<'_>, leaf: &Digest) {
    if let Some(index) = matter.of_leaf(leaf) {
        html.words("entry ");
        link(html, index);
        html.words(", ");
    }
    html.words("leaf ");
    html.code(&leaf.to_string());
}

fn bytes(html: &mut Html, bytes: &[u8]) {
    let is_written = |c: char| !c.is_control() || c == '\n' || c == '\t' || c == '\r';
    let text = std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty() && text.chars().all(is_written));
    match text {
        // A digest is text by chance once in ten thousand million.
        Some(text) => {
            html.source(start(text, MAX_TEXT));
            html.of("p", "state", |html| {
                html.words(&format!(
                    "{} bytes{}, SHA-256 ",
                    bytes.len(),
                    if text.len() > MAX_TEXT { ", the beginning is shown" } else { "" }
                ));
                html.code(&Digest::sha256(bytes).to_string());
            });
        }
        None if bytes.len() <= MAX_HEX => html.code(&hex(bytes)),
        None => {
            html.words(&format!("{} bytes, SHA-256 ", bytes.len()));
            html.code(&Digest::sha256(bytes).to_string());
        }
    }
}

fn long(html: &mut Html, text: &str) {
    html.said(start(text, MAX_TEXT));
    if text.len() > MAX_TEXT {
        html.words(&format!(" … ({} bytes in all)", text.len()));
    }
}

/// So many bytes of a text at most, ended at a character.
fn start(text: &str, most: usize) -> &str {
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text.get(..end.min(text.len())).unwrap_or_default()
}
