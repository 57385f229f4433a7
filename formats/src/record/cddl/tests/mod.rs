use ciborium::Value;

use super::*;
use crate::cbor;
use crate::record::tables::TYPED;
use crate::record::view::{from_json, parse_text};

mod agree;
mod fits;
mod grammar;

/// Where the files lie. With `GOVLOG_WRITE_CDDL` set, they are written anew before they are compared.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cddl");

#[test]
#[expect(clippy::disallowed_methods, reason = "the files are compared, not read by the crate")]
fn the_files_are_what_the_tables_say() {
    let kinds: Vec<&str> = ["common", ADMISSION_POLICY].into_iter().chain(TYPED.map(|group| group.name)).collect();
    for kind in &kinds {
        let path = format!("{FOLDER}/{kind}.cddl");
        let rendered = cddl(kind).unwrap();
        if std::env::var_os("GOVLOG_WRITE_CDDL").is_some() {
            std::fs::write(&path, &rendered).unwrap();
        }
        let file = std::fs::read_to_string(&path).unwrap();
        assert_eq!(file, rendered, "{path} differs from the table of its kind; GOVLOG_WRITE_CDDL=1 writes it anew");
    }
    assert_eq!(std::fs::read_dir(FOLDER).unwrap().count(), kinds.len(), "a file nobody compares");
}

#[test]
fn unknown_kinds_have_no_cddl() {
    assert_eq!(cddl("no such kind"), None);
    assert_eq!(cddl("application/vnd.govlog.decision+cbor"), cddl("decision"));
}

#[test]
fn every_rule_that_is_used_is_defined_once() {
    let common = cddl("common").unwrap();
    for group in &TYPED {
        complete(&format!("{}{common}", cddl(group.name).unwrap()));
    }
    complete(&cddl("admission-policy").unwrap());
}

/// The one file written by hand is held against the type: the example has every key of the file and no other.
#[test]
fn the_file_of_admission_policy_has_the_keys_of_its_type() {
    let example = parse_text(include_str!("../../../../examples/admission-policy.json")).unwrap();
    let payload = from_json("admission-policy", &example).unwrap();
    // The example's row has keys, not the trust anchors it could have instead.
    let mut used = vec!["x509".to_owned()];
    text_keys(&cbor::parse(&payload).unwrap(), &mut used);
    let text = cddl("admission-policy").unwrap();
    let rules: Vec<&str> = text.lines().map(|line| line.split(';').next().unwrap_or_default()).collect();
    let mut named: Vec<String> = rules
        .join("\n")
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | ':')))
        .filter_map(|word| word.strip_suffix(':'))
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .map(str::to_owned)
        .collect();
    for names in [&mut named, &mut used] {
        names.sort();
        names.dedup();
    }
    assert_eq!(named, used);
}

fn text_keys(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| text_keys(item, keys)),
        Value::Map(pairs) => {
            for (key, value) in pairs {
                keys.extend(key.as_text().map(str::to_owned));
                text_keys(value, keys);
            }
        }
        _ => {}
    }
}

/// Compares the names on the left of `=` with those that stand for a type.
fn complete(text: &str) {
    let prelude = ["any", "bool", "bstr", "int", "tstr", "uint"];
    let lines =
        || text.lines().map(|line| line.split(" ;").next().unwrap_or_default()).filter(|line| !line.starts_with(';'));
    let mut defined: Vec<&str> = lines()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_once(" ="))
        .map(|(name, _)| name)
        .collect();
    let count = defined.len();
    defined.sort_unstable();
    defined.dedup();
    assert_eq!(defined.len(), count, "a rule is defined twice");
    for line in lines() {
        let uses = line.split_once(" = ").map_or(line, |(_, right)| right);
        for (place, name) in words(uses) {
            let is_key = uses.get(place + name.len()..).is_some_and(|rest| rest.starts_with(": "));
            if !is_key && !prelude.contains(&name) && !defined.contains(&name) {
                panic!("{name} is used in {line:?} and defined nowhere");
            }
        }
    }
}

/// Finds the names in a line, outside quotes, and not after a dot or `#`.
fn words(line: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let mut quoted = false;
    let mut start = None;
    for (at, c) in line.char_indices().chain([(line.len(), ' ')]) {
        let in_word = !quoted && (c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        match (in_word, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = &line[from..at];
                let before = line[..from].chars().next_back();
                if word.starts_with(|c: char| c.is_ascii_alphabetic()) && !matches!(before, Some('.' | '#')) {
                    words.push((from, word));
                }
                start = None;
            }
            _ => {}
        }
        if c == '"' {
            quoted = !quoted;
        }
    }
    words
}
