//! Properties of entries and filters of any content.

use ciborium::Value;
use proptest::prelude::*;

use super::*;
use crate::cbor::to_deterministic;
use crate::digest::Digest;
use crate::record::arbitrary::{any_record, typed_record};

/// Puts `v` and a time into a record, as admission wants it.
fn admissible(record: Value) -> Vec<u8> {
    let Value::Map(mut pairs) = record else { panic!() };
    pairs.retain(|(key, _)| key.as_text() != Some("v"));
    pairs.push(("v".into(), 1.into()));
    to_deterministic(&Value::Map(pairs))
}

proptest! {
    /// Each term of an entry is what a filter makes of its text, and all of them together find the entry.
    #[test]
    fn an_entry_is_found_by_every_term_it_has((kind, record) in typed_record()) {
        let statement = signed(kind, &admissible(record));
        let marks = Marks::of(&statement);
        let mut filter = Filter::default().since(marks.earliest_ms()).until(marks.latest_ms());
        for term in marks.terms() {
            prop_assert_eq!(&Term::new(term.column(), term.value()).unwrap(), term);
            prop_assert!(Column::all().contains(&term.column()), "{}", term);
            filter = filter.with(term.clone());
        }
        prop_assert!(filter.matches(&statement));
        let pairs = filter.pairs();
        let read = Filter::from_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str()))).unwrap();
        prop_assert_eq!(&read, &filter);
        prop_assert_eq!(decode(&filter.to_query()), pairs.into_iter().map(|(n, v)| (n.to_owned(), v)).collect::<Vec<_>>());
    }

    #[test]
    fn no_record_panics_and_every_term_is_one(kind in prop::sample::select(KINDS.to_vec()), record in any_record()) {
        let payload = admissible(record);
        if payload.len() < 60_000 {
            for term in Marks::of(&signed(kind, &payload)).terms() {
                prop_assert_eq!(&Term::new(term.column(), term.value()).unwrap(), term);
            }
        }
    }

    /// A value is one spelling, however often it is read: that of a lone backslash, too.
    #[test]
    fn spelling_is_final(column in prop::sample::select(Column::all().to_vec()), text in "\\PC{1,40}|([0-9A-Fa-f]{2}:?){1,40}|sha256:[0-9a-fA-F:]{0,70}|[a-z]{1,6}:[0-9A-F]{14,20}|[a-z,\\\\]{1,9}|\\\\") {
        if let Ok(term) = Term::new(column, &text) {
            prop_assert_eq!(&Term::new(column, term.value()).unwrap(), &term);
            prop_assert!(!term.value().is_empty());
        }
    }

    /// Whoever follows the description of the interface is understood.
    #[test]
    fn what_has_the_form_of_its_column_is_taken((column, text) in of_its_form()) {
        prop_assert!(Term::new(column, &text).is_ok(), "{}: {:?}", column, text);
    }

    /// And nothing else is.
    #[test]
    fn what_has_another_form_is_refused(text in "[^:]{0,70}|:[0-9a-f]{0,70}|sha256:[0-9a-f]{0,63}|[0-9a-f]{65,70}") {
        for column in Column::all().iter().filter(|column| column.pattern().is_some()) {
            let is_digest = *column != Column::HANDLE && Digest::from_hex_lenient(&text).is_ok();
            let is_handle = *column == Column::HANDLE && text.starts_with("sha256:") && text.len() > 7;
            prop_assert_eq!(Term::new(*column, &text).is_ok(), is_digest || is_handle, "{}: {:?}", column, text);
        }
    }

    /// An entry that lacks one of the terms is not found.
    #[test]
    fn a_foreign_term_excludes(kind in prop::sample::select(KINDS.to_vec()), column in prop::sample::select(Column::all().to_vec()), text in "[a-z]{1,8}") {
        let statement = of_example(kind);
        if let Ok(term) = Term::new(column, &text) {
            let has = Marks::of(&statement).terms().contains(&term);
            prop_assert_eq!(Filter::default().with(term).matches(&statement), has);
        }
    }
}

fn of_its_form() -> impl Strategy<Value = (Column, String)> {
    prop::sample::select(Column::all().to_vec()).prop_flat_map(|column| {
        // The generator takes no anchors.
        let pattern =
            column.pattern().map_or("[\\s\\S]{1,40}", |form| form.trim_start_matches('^').trim_end_matches('$'));
        (Just(column), prop::string::string_regex(pattern).unwrap())
    })
}

/// Reads a query string as a server does.
fn decode(query: &str) -> Vec<(String, String)> {
    let text = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(if byte == b'%' {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            } else {
                byte
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split_once('=').unwrap())
        .map(|(n, v)| (text(n), text(v)))
        .collect()
}
